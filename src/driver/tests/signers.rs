//! Keys whose signatures are made elsewhere, and take their time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::OnceLock;

use super::*;
use crate::driver::sync::Mutex;
use crate::error::{KexFault, KeyFault};
use crate::keys::ExternalSigner;

/// A key with something that happens before each of its signatures.
struct Elsewhere<F> {
    key: PrivateKey,
    before: F,
}

impl<F: Fn() -> Result<(), Error> + Send + Sync> ExternalSigner for Elsewhere<F> {
    fn sign(&self, algorithm: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        (self.before)()?;
        self.key.sign(algorithm, data)
    }
}

fn elsewhere(before: impl Fn() -> Result<(), Error> + Send + Sync + 'static) -> PrivateKey {
    let key = key();
    let public = key.public().clone();
    PrivateKey::external(public, Arc::new(Elsewhere { key, before }))
}

fn by_key(key: PrivateKey, probe: bool) -> ClientMethod {
    let key = key.into();
    ClientMethod::PublicKey { key, probe }
}

#[test]
fn no_lock_is_held_while_a_user_signs() {
    for probe in [false, true] {
        let (client, server) = pair();
        serve_all(&server);
        start(&client, &server);
        let inside = client.clone();
        let key = elsewhere(move || {
            // Both would wait for ever for a lock that waits for this.
            assert!(inside.session_proof().is_some());
            assert!(!inside.is_authenticated());
            Ok(())
        });
        let outcome = client.authenticate("user", by_key(key, probe), None, TIME);
        assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
    }
}

#[test]
fn a_host_key_may_sign_elsewhere_also_for_later_exchanges() {
    let (client, server) = pair();
    let count = Arc::new(AtomicUsize::new(0));
    let inside = Arc::new(OnceLock::new());
    inside.set(server.clone()).ok().unwrap();
    let key = {
        let (count, inside) = (Arc::clone(&count), Arc::clone(&inside));
        elsewhere(move || {
            let server: &Transport = inside.get().unwrap();
            assert!(server.peer_ident().is_some());
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    };
    server.add_server_key(key.clone()).unwrap();
    serve_all(&server);
    start(&client, &server);
    assert_eq!(
        client.remote_host_key().unwrap().blob(),
        key.public().blob()
    );
    client
        .authenticate("user", password(b"secret"), None, TIME)
        .unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    client.renegotiate_keys(TIME).unwrap();
    server.renegotiate_keys(TIME).unwrap();
    // Each signs anew, unless both wishes met in one exchange.
    assert!(count.load(Ordering::SeqCst) >= 2);
    assert!(client.is_authenticated() && server.is_authenticated());
}

#[test]
fn a_signer_that_fails_ends_the_attempt_and_not_the_session() {
    let (client, server) = pair();
    serve_all(&server);
    start(&client, &server);
    let broken = elsewhere(|| Err(KeyFault::Signer(-702).into()));
    let outcome = client.authenticate("user", by_key(broken, true), None, TIME);
    assert_eq!(outcome, Err(KeyFault::Signer(-702).into()));
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
}

#[test]
fn a_host_key_that_does_not_sign_ends_the_session() {
    let (client, server) = pair();
    server
        .add_server_key(elsewhere(|| Err(KeyFault::Signing.into())))
        .unwrap();
    server.start_server(Some(&Event::new()), TIME).unwrap();
    assert!(client.start_client(None, TIME).is_err());
    server.join(TIME).unwrap();
    assert_eq!(server.cause(), Some(Error::KeyExchange(KexFault::Signing)));
}

#[test]
fn the_time_of_whoever_signs_counts_only_where_the_caller_says_so() {
    for (timeout, counts) in [(Timeout::Forever, false), (TIME, true)] {
        let (client, server) = pair();
        serve_all(&server);
        start(&client, &server);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (inside, sees) = (client.clone(), Arc::clone(&seen));
        let key = elsewhere(move || {
            let deadline = inside.shared.serving.lock().attempt.deadline;
            sees.lock().push(deadline.is_some());
            Ok(())
        });
        let outcome = client.authenticate("user", by_key(key, true), None, timeout);
        assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
        assert_eq!(*seen.lock(), [counts]);
    }
}

#[test]
fn a_signature_that_comes_too_late_changes_nothing() {
    let (client, server) = pair();
    serve_all(&server);
    start(&client, &server);
    let (release, wait) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel::<()>();
    let (wait, tell) = (Mutex::new(wait), Mutex::new(tell));
    let slow = elsewhere(move || {
        let _ = wait.lock().recv();
        let _ = tell.lock().send(());
        Ok(())
    });
    let short = Timeout::After(Duration::from_millis(50));
    let outcome = client.authenticate("user", by_key(slow, false), None, short);
    assert!(matches!(outcome, Err(Error::Timeout(_))));
    release.send(()).unwrap();
    told.recv().unwrap();
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert_eq!(outcome, Ok(Some(AuthOutcome::Success)));
}

#[test]
fn the_time_for_later_key_exchanges_does_not_end_the_first() {
    let (client, server) = pair();
    let slow = elsewhere(|| {
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    });
    server.add_server_key(slow).unwrap();
    for side in [&client, &server] {
        side.configure(|options| options.kex_timeout = Duration::from_millis(1))
            .unwrap();
    }
    start(&client, &server);
}
