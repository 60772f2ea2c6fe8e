//! Host keys that change: honest servers and lying ones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;
use crate::driver::sync::Mutex;
use crate::keys::certificate::{CertificateDraft, CertificateKind};
use crate::keys::{ExternalSigner, PublicKey, ShownKey};
use crate::messages::host_keys::{self, HOST_KEYS, HOST_KEYS_PROVE};

mod refused;

/// Somebody who knows keys, and keeps what changes.
struct Knows {
    keys: Vec<PublicKey>,
    updates: KeyUpdates,
    kept: Mutex<Vec<HostKeyChange>>,
}

impl Knows {
    fn new(keys: &[&PrivateKey], updates: KeyUpdates) -> Arc<Self> {
        Arc::new(Knows {
            keys: publics(keys),
            updates,
            kept: Mutex::default(),
        })
    }

    fn kept(&self) -> Vec<HostKeyChange> {
        self.kept.lock().clone()
    }
}

impl HostKeyJudge for Knows {
    fn order(&self, offered: &[&'static str]) -> Result<Vec<&'static str>, Error> {
        Ok(offered.to_vec())
    }

    fn judge(&self, shown: &ShownKey) -> Result<Judged, Error> {
        assert!(self.keys.contains(&shown.key));
        Ok(Judged::Accept)
    }

    fn updates(&self) -> KeyUpdates {
        self.updates
    }

    fn compare(&self, offered: &[PublicKey]) -> Result<Option<HostKeyChange>, Error> {
        let known = |key: &&PublicKey| self.keys.contains(key);
        Ok(Some(HostKeyChange {
            host: None,
            known: offered.iter().filter(known).cloned().collect(),
            added: offered.iter().filter(|key| !known(key)).cloned().collect(),
            gone: self
                .keys
                .iter()
                .filter(|key| !offered.contains(key))
                .cloned()
                .collect(),
        }))
    }

    fn keep(&self, change: &HostKeyChange) -> Result<(), Error> {
        self.kept.lock().push(change.clone());
        Ok(())
    }
}

fn publics(keys: &[&PrivateKey]) -> Vec<PublicKey> {
    keys.iter().map(|key| key.public().clone()).collect()
}

fn generate(kind: KeyKind) -> PrivateKey {
    PrivateKey::generate(kind, 2048, &mut SystemRandom).unwrap()
}

/// A client that knows what `judge` knows, and a server that shows `shown` and tells of `next` too.
fn with_keys(
    judge: Arc<dyn HostKeyJudge>,
    shown: &PrivateKey,
    next: &[&PrivateKey],
) -> (Transport, Transport) {
    let (client, server) = pair();
    serve_all(&server);
    server
        .configure(|options| {
            options.host_keys = vec![shown.clone()];
            options.next_host_keys = next.iter().map(|key| (*key).clone()).collect();
        })
        .unwrap();
    client
        .configure(|options| {
            options.insecure_accept_any_host_key = false;
            options.host_key_judge = Some(judge);
        })
        .unwrap();
    (client, server)
}

fn log_in(client: &Transport, server: &Transport) {
    start(client, server);
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
}

/// Lets everything happen that has begun: the list is compared, proof is asked for, looked at and told of.
fn settle(client: &Transport) {
    for _ in 0..4 {
        let reply = client.global_request("nothing@example.org", b"", true, TIME);
        assert_eq!(reply, Err(Error::RequestDenied));
        let (done, wait) = mpsc::channel();
        let shared = &client.shared;
        let mut serving = shared.serving.lock();
        serving.push_job(shared, Box::new(move || done.send(()).unwrap()));
        drop(serving);
        wait.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

/// Changes what a transport sends, before it is sealed.
fn tap(transport: &Transport, change: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) {
    let mut sending = transport.shared.sending.lock();
    sending.outbound.as_mut().unwrap().tap = Some(Box::new(change));
}

/// What a client is asked.
fn asked(client: &Transport, accept: bool) -> Arc<Mutex<Vec<HostKeyChange>>> {
    let questions = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&questions);
    client.set_callback(
        RequestKind::HostKeys,
        Some(Arc::new(move |request: Request| {
            let Question::HostKeys(change) = request.question() else {
                panic!()
            };
            noted.lock().push((**change).clone());
            if accept {
                request.accept().unwrap();
            }
        })),
    );
    questions
}

#[test]
fn new_keys_are_proven_and_then_asked_about() {
    let (old, next) = (key(), key());
    let (p256, rsa, gone) = (
        generate(KeyKind::EcdsaP256),
        generate(KeyKind::Rsa),
        generate(KeyKind::EcdsaP384),
    );
    for accept in [true, false] {
        let judge = Knows::new(&[&old, &gone], KeyUpdates::Ask);
        // Told of twice by whoever set it up, to the client once.
        let (client, server) = with_keys(judge.clone(), &old, &[&next, &p256, &old, &rsa, &next]);
        let questions = asked(&client, accept);
        log_in(&client, &server);
        settle(&client);
        let change = HostKeyChange {
            host: None,
            known: publics(&[&old]),
            added: publics(&[&next, &p256, &rsa]),
            gone: publics(&[&gone]),
        };
        assert_eq!(questions.lock().as_slice(), std::slice::from_ref(&change));
        assert_eq!(judge.kept(), if accept { vec![change] } else { vec![] });
        open(&client, &server);
    }
}

#[test]
fn nobody_is_asked_where_the_judge_decides() {
    let (old, next) = (key(), key());
    for (updates, kept) in [(KeyUpdates::Always, 1), (KeyUpdates::Never, 0)] {
        let judge = Knows::new(&[&old], updates);
        let (client, server) = with_keys(judge.clone(), &old, &[&next]);
        let questions = asked(&client, true);
        log_in(&client, &server);
        settle(&client);
        assert_eq!(judge.kept().len(), kept);
        assert!(questions.lock().is_empty());
    }
}

#[test]
fn keys_that_are_gone_need_no_proof() {
    let (old, gone) = (key(), generate(KeyKind::EcdsaP256));
    let judge = Knows::new(&[&old, &gone], KeyUpdates::Always);
    let (client, server) = with_keys(judge.clone(), &old, &[]);
    let requests = count_proofs_wanted(&client, &server);
    assert_eq!(requests, 0);
    assert_eq!(judge.kept()[0].gone, publics(&[&gone]));
    assert!(judge.kept()[0].added.is_empty());
}

/// Logs in and counts the requests for proof that the client sends.
fn count_proofs_wanted(client: &Transport, server: &Transport) -> usize {
    start(client, server);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tap(client, move |payload| {
        if payload.first() == Some(&80) && contains(payload, HOST_KEYS_PROVE) {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        vec![payload.to_vec()]
    });
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
    settle(client);
    count.load(Ordering::SeqCst)
}

fn contains(payload: &[u8], name: &str) -> bool {
    payload
        .windows(name.len())
        .any(|window| window == name.as_bytes())
}

#[test]
fn g3_nothing_is_asked_of_the_server_unless_somebody_wants_to_know() {
    let (old, next) = (key(), key());
    // Nobody is there to be asked.
    let judge = Knows::new(&[&old], KeyUpdates::Ask);
    let (client, server) = with_keys(judge, &old, &[&next]);
    assert_eq!(count_proofs_wanted(&client, &server), 0);
    // The server's key was never verified.
    let (client, server) = pair();
    serve_all(&server);
    let questions = asked(&client, true);
    server
        .configure(|options| options.next_host_keys = vec![next.clone()])
        .unwrap();
    assert_eq!(count_proofs_wanted(&client, &server), 0);
    assert!(questions.lock().is_empty());
    // The server does not tell.
    let judge = Knows::new(&[&old], KeyUpdates::Always);
    let (client, server) = with_keys(judge, &old, &[&next]);
    server
        .configure(|options| options.tells_host_keys = false)
        .unwrap();
    assert_eq!(count_proofs_wanted(&client, &server), 0);
}

#[test]
fn a_client_that_answers_the_list_as_lsh_does() {
    for (software, survives) in [("lsh-2.1", true), ("libsshwire_0", false)] {
        let old = key();
        let judge = Knows::new(&[&old], KeyUpdates::Never);
        let (client, server) = with_keys(judge, &old, &[]);
        client
            .configure(|options| options.software = software.to_owned())
            .unwrap();
        start(&client, &server);
        // Right behind what it sends when its user is in.
        tap(&client, |payload| match payload.first() {
            Some(&80) => vec![vec![82], payload.to_vec()],
            _ => vec![payload.to_vec()],
        });
        let outcome = client.authenticate("user", password(b"secret"), None, TIME);
        assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
        let reply = client.global_request("nothing@example.org", b"", true, TIME);
        assert_eq!(reply == Err(Error::RequestDenied), survives, "{reply:?}");
    }
}

#[test]
fn an_expected_key_is_enough_to_be_told_of_others() {
    let (old, next) = (key(), key());
    let (client, server) = with_keys(Knows::new(&[], KeyUpdates::Never), &old, &[&next]);
    client
        .configure(|options| {
            options.host_key_judge = None;
            options.expected_host_key = Some(old.public().clone());
        })
        .unwrap();
    let questions = asked(&client, true);
    log_in(&client, &server);
    settle(&client);
    let change = questions.lock().pop().unwrap();
    assert_eq!(change.known, publics(&[&old]));
    assert_eq!(change.added, publics(&[&next]));
}

#[test]
fn g3_lies_about_proof_change_nothing() {
    let (old, next, p256) = (key(), key(), generate(KeyKind::EcdsaP256));
    type Lie = fn(&[u8]) -> Vec<u8>;
    let lies: [(&str, Lie); 9] = [
        ("nothing", |_| vec![81]),
        ("a refusal", |_| vec![82]),
        ("no list", |_| vec![81, 0, 0, 0, 9, 1]),
        ("one signature for two keys", |reply| {
            let signatures = host_keys::split(&reply[1..]).unwrap();
            reply_of(&signatures[..1])
        }),
        ("three signatures for two keys", |reply| {
            let signatures = host_keys::split(&reply[1..]).unwrap();
            reply_of(&[signatures[0], signatures[1], signatures[1]])
        }),
        ("signatures of each other's", |reply| {
            let signatures = host_keys::split(&reply[1..]).unwrap();
            reply_of(&[signatures[1], signatures[0]])
        }),
        ("the second one empty", |reply| {
            let signatures = host_keys::split(&reply[1..]).unwrap();
            reply_of(&[signatures[0], b""])
        }),
        ("one bit flipped", |reply| {
            let mut reply = reply.to_vec();
            *reply.last_mut().unwrap() ^= 1;
            reply
        }),
        ("a byte more", |reply| [reply, &[0]].concat()),
    ];
    for (what, lie) in lies {
        let judge = Knows::new(&[&old], KeyUpdates::Always);
        let (client, server) = with_keys(judge.clone(), &old, &[&next, &p256]);
        start(&client, &server);
        tap(&server, move |payload| match payload.first() {
            Some(81) => vec![lie(payload)],
            _ => vec![payload.to_vec()],
        });
        let outcome = client.authenticate("user", password(b"secret"), None, TIME);
        assert_eq!(outcome, Ok(Some(AuthOutcome::Success)), "{what}");
        settle(&client);
        assert!(judge.kept().is_empty(), "{what}");
        // The session has nothing to do with it.
        open(&client, &server);
    }
}

fn reply_of(signatures: &[&[u8]]) -> Vec<u8> {
    [vec![81], host_keys::join(signatures)].concat()
}

#[test]
fn g3_proof_of_another_session_is_none() {
    let (old, next) = (key(), key());
    let seen = Arc::new(Mutex::new(Vec::new()));
    for kept in [1, 0] {
        let judge = Knows::new(&[&old], KeyUpdates::Always);
        let (client, server) = with_keys(judge.clone(), &old, &[&next]);
        start(&client, &server);
        let seen = Arc::clone(&seen);
        tap(&server, move |payload| {
            let mut seen = seen.lock();
            if payload.first() == Some(&81) {
                if seen.is_empty() {
                    *seen = payload.to_vec();
                }
                // The first one again in the second session.
                return vec![seen.clone()];
            }
            vec![payload.to_vec()]
        });
        let outcome = client.authenticate("user", password(b"secret"), None, TIME);
        assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
        settle(&client);
        assert_eq!(judge.kept().len(), kept);
    }
}

/// What becomes of a list that the server tells, and how often the client asks for proof of it.
fn told(judge: &Arc<Knows>, shown: &PrivateKey, next: &[&PrivateKey], blobs: &[&[u8]]) -> usize {
    let (client, server) = with_keys(judge.clone(), shown, next);
    start(&client, &server);
    let list = host_keys::join(blobs);
    tap(&server, move |payload| {
        if payload.first() == Some(&80) && contains(payload, HOST_KEYS) {
            let mut told = vec![80, 0, 0, 0, 23];
            told.extend_from_slice(HOST_KEYS.as_bytes());
            told.push(0);
            told.extend_from_slice(&list);
            // Over and over.
            return vec![told; 100];
        }
        vec![payload.to_vec()]
    });
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tap(&client, move |payload| {
        let wants = payload.first() == Some(&80) && contains(payload, HOST_KEYS_PROVE);
        counted.fetch_add(usize::from(wants), Ordering::SeqCst);
        vec![payload.to_vec()]
    });
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
    settle(&client);
    open(&client, &server);
    count.load(Ordering::SeqCst)
}

#[test]
fn g3_odd_lists_of_host_keys() {
    let (old, next, stranger) = (key(), key(), key());
    let mut draft = CertificateDraft::new(CertificateKind::Host, next.public().clone());
    draft.add_principal("host").unwrap();
    let certificate = draft.sign(&stranger, None, &mut SystemRandom).unwrap();
    let unknown = host_keys::join([&b"ssh-new@example.org"[..], b"what it is"]);
    let blob = |key: &PrivateKey| key.public().blob().to_vec();
    let many: Vec<_> = std::iter::repeat_with(|| blob(&key())).take(100).collect();
    let many: Vec<_> = many.iter().chain([&blob(&old)]).cloned().collect();
    let crowd: Vec<_> = [blob(&old), blob(&next)]
        .into_iter()
        .chain(vec![b"x".to_vec(); 10_000])
        .collect();
    for (what, list, asks, keeps) in [
        ("honest", vec![blob(&old), blob(&next)], 1, true),
        (
            "a certificate, an unknown type and nonsense beside",
            vec![
                certificate.blob().to_vec(),
                unknown,
                vec![],
                blob(&next),
                blob(&old),
            ],
            1,
            true,
        ),
        (
            "a key twice",
            vec![blob(&old), blob(&next), blob(&next)],
            0,
            false,
        ),
        (
            "without the key of the session",
            vec![blob(&next)],
            0,
            false,
        ),
        (
            "no key of the server's",
            vec![blob(&old), blob(&stranger)],
            1,
            false,
        ),
        ("more than anybody has", many, 0, false),
        ("a packet full of nothing", crowd, 0, false),
        ("nothing", vec![], 0, false),
    ] {
        let judge = Knows::new(&[&old], KeyUpdates::Always);
        let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
        assert_eq!(told(&judge, &old, &[&next], &list), asks, "{what}");
        let kept = judge.kept();
        assert_eq!(kept.len(), usize::from(keeps), "{what}");
        assert!(kept.iter().all(|change| change.added == publics(&[&next])));
    }
}

#[test]
fn g3_types_of_keys_that_are_not_allowed_are_passed_over() {
    let (old, p256) = (key(), generate(KeyKind::EcdsaP256));
    let judge = Knows::new(&[&old], KeyUpdates::Always);
    let (client, server) = with_keys(judge.clone(), &old, &[&p256]);
    client
        .configure(|options| {
            let mut lists = options.preferences_for(crate::messages::Role::Client);
            lists.host_key = vec!["ssh-ed25519", "rsa-sha2-512"];
            options.preferences = Some(lists);
        })
        .unwrap();
    assert_eq!(count_proofs_wanted(&client, &server), 0);
    assert!(judge.kept().is_empty());
}

#[test]
fn a_server_proves_its_own_keys_once_each_and_no_others() {
    let (old, next, stranger) = (key(), key(), key());
    let judge = Knows::new(&[&old], KeyUpdates::Never);
    let (client, server) = with_keys(judge, &old, &[&next]);
    log_in(&client, &server);
    let ask = |keys: &[&PrivateKey]| {
        let list = host_keys::join(keys.iter().map(|key| key.public().blob()));
        client.global_request(HOST_KEYS_PROVE, &list, true, TIME)
    };
    assert_eq!(ask(&[&stranger]), Err(Error::RequestDenied));
    assert_eq!(ask(&[&old, &stranger]), Err(Error::RequestDenied));
    assert_eq!(ask(&[&next, &next]), Err(Error::RequestDenied));
    let proof = ask(&[&next, &old]).unwrap();
    let signatures = host_keys::split(&proof).unwrap();
    let id = client.session_id().unwrap();
    for (key, signature) in [&next, &old].into_iter().zip(&signatures) {
        let signed = host_keys::proof(&id, key.public().blob());
        assert!(key.public().verify("ssh-ed25519", &signed, signature));
    }
    // It was asked often enough.
    assert_eq!(ask(&[&next]), Err(Error::RequestDenied));
    open(&client, &server);
}

/// What RSA keys sign with is what the key exchange was signed with, or else SHA-512.
#[test]
fn rsa_keys_prove_themselves_with_the_hash_of_the_key_exchange() {
    let (old, rsa) = (key(), generate(KeyKind::Rsa));
    let another = generate(KeyKind::Rsa);
    for (shown, next, offered, algorithm) in [
        (&old, &rsa, "ssh-ed25519", "rsa-sha2-512"),
        (&another, &rsa, "rsa-sha2-256", "rsa-sha2-256"),
        (&another, &rsa, "rsa-sha2-512", "rsa-sha2-512"),
    ] {
        let judge = Knows::new(&[shown], KeyUpdates::Never);
        let (client, server) = with_keys(judge, shown, &[next]);
        client
            .configure(|options| {
                let mut lists = options.preferences_for(crate::messages::Role::Client);
                lists.host_key = vec![offered];
                options.preferences = Some(lists);
            })
            .unwrap();
        log_in(&client, &server);
        let list = host_keys::join([next.public().blob()]);
        let proof = client
            .global_request(HOST_KEYS_PROVE, &list, true, TIME)
            .unwrap();
        let signatures = host_keys::split(&proof).unwrap();
        let named = host_keys::split(signatures[0]).unwrap();
        assert_eq!(named[0], algorithm.as_bytes());
        let signed = host_keys::proof(&client.session_id().unwrap(), next.public().blob());
        assert!(next.public().verify(algorithm, &signed, signatures[0]));
    }
}

/// A key that is elsewhere and does not answer.
struct Stuck {
    key: PrivateKey,
    release: Mutex<mpsc::Receiver<()>>,
}

impl ExternalSigner for Stuck {
    fn sign(&self, algorithm: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        let _ = self.release.lock().recv();
        self.key.sign(algorithm, data)
    }
}

#[test]
fn a_slow_signer_holds_up_nothing_but_its_proof() {
    let (old, slow) = (key(), key());
    let (release, wait) = mpsc::channel();
    let signer = Arc::new(Stuck {
        key: slow.clone(),
        release: Mutex::new(wait),
    });
    let next = PrivateKey::external(slow.public().clone(), signer);
    let judge = Knows::new(&[&old], KeyUpdates::Always);
    let (client, server) = with_keys(judge.clone(), &old, &[&next]);
    log_in(&client, &server);
    // Whatever has no reply of the connection's own goes on: channels, and their data.
    let (ours, theirs) = open(&client, &server);
    ours.write(Stream::Data, b"hello", TIME).unwrap();
    let mut buffer = [0; 5];
    theirs.read(Stream::Data, &mut buffer, TIME).unwrap();
    assert_eq!(&buffer, b"hello");
    client.renegotiate_keys(TIME).unwrap();
    assert!(judge.kept().is_empty());
    release.send(()).unwrap();
    settle(&client);
    assert_eq!(judge.kept().len(), 1);
}

#[test]
fn what_is_still_to_come_can_be_waited_for() {
    let (old, next) = (key(), key());
    // Nothing was told.
    let judge = Knows::new(&[&old], KeyUpdates::Ask);
    let (client, server) = with_keys(judge.clone(), &old, &[&next]);
    let (held, questions) = mpsc::channel();
    client.set_callback(
        RequestKind::HostKeys,
        Some(Arc::new(move |request: Request| {
            held.send(request).unwrap()
        })),
    );
    start(&client, &server);
    assert_eq!(client.wait_host_keys(Timeout::NOW), Ok(()));
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
    let reply = client.global_request("nothing@example.org", b"", true, TIME);
    assert_eq!(reply, Err(Error::RequestDenied));
    // Somebody is asked, and takes their time.
    let question = questions.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(
        client.wait_host_keys(Timeout::NOW),
        Err(Error::Timeout("host keys"))
    );
    let waiting = client.clone();
    let waiter = std::thread::spawn(move || waiting.wait_host_keys(TIME));
    question.accept().unwrap();
    assert_eq!(waiter.join().unwrap(), Ok(()));
    assert_eq!(judge.kept().len(), 1);
}

#[test]
fn a_wait_for_host_keys_ends_whatever_becomes_of_them() {
    let (old, next) = (key(), key());
    // (who decides, what the server answers to the request for proof, what is kept)
    for (updates, lies, kept) in [
        (KeyUpdates::Always, false, 1),
        (KeyUpdates::Always, true, 0),
        (KeyUpdates::Never, false, 0),
        (KeyUpdates::Ask, false, 0),
    ] {
        let judge = Knows::new(&[&old], updates);
        let (client, server) = with_keys(judge.clone(), &old, &[&next]);
        let _questions = asked(&client, false);
        start(&client, &server);
        tap(&server, move |payload| match payload.first() {
            Some(81) if lies => vec![vec![82]],
            _ => vec![payload.to_vec()],
        });
        let outcome = client.authenticate("user", password(b"secret"), None, TIME);
        assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
        let reply = client.global_request("nothing@example.org", b"", true, TIME);
        assert_eq!(reply, Err(Error::RequestDenied));
        assert_eq!(client.wait_host_keys(TIME), Ok(()));
        assert_eq!(judge.kept().len(), kept, "{updates:?} {lies}");
    }
    // The server goes away instead of proving anything.
    let judge = Knows::new(&[&old], KeyUpdates::Always);
    let (client, server) = with_keys(judge, &old, &[&next]);
    start(&client, &server);
    tap(&server, |payload| match payload.first() {
        Some(81) => vec![],
        _ => vec![payload.to_vec()],
    });
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
    let waiting = client.clone();
    let waiter = std::thread::spawn(move || waiting.wait_host_keys(TIME));
    server.abandon();
    let outcome = waiter.join().unwrap();
    assert!(
        !matches!(outcome, Err(Error::Timeout(_) | Error::Cancelled)),
        "{outcome:?}"
    );
}
