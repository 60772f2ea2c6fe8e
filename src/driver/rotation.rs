//! Host keys that change: what the server tells of its keys once a user is in, and what a client makes of it
//! (`hostkeys-00@openssh.com`, `hostkeys-prove-00@openssh.com`).
//!
//! Client: the list comes once, and is compared with what is known of the host. For the keys that are new the server must
//! prove, by signatures over the session identifier, that it has them; only then is anybody told, or anything written. All
//! of this happens on the callback pool: files are read, and signatures verified.
//!
//! Server: signatures are made on the pool too, for they take long or come from elsewhere.

use std::sync::Arc;
use std::time::Instant;

use super::host_key::HostKeyJudge;
use super::log::LogLevel;
use super::options::is_short;
use super::request::{Question, RequestKind};
use super::serving::Serving;
use super::shared::Shared;
use super::transport::Transport;
use super::wait::Timeout;
use crate::connection::GlobalRequestId;
use crate::crypto::algorithms::name::SSH_RSA;
use crate::error::Error;
use crate::keys::{PrivateKey, PublicKey, RevocationList};
use crate::messages::host_keys::{self, HOST_KEYS, HOST_KEYS_PROVE};
use crate::messages::Role;

/// What the server's list of host keys changes in what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostKeyChange {
    /// The host as known_hosts files name it; `None` where there are no known hosts.
    pub host: Option<String>,
    /// Keys that the server has and that were known.
    pub known: Vec<PublicKey>,
    /// Keys that the server has, as it has proven before anybody is told, and that were not known.
    pub added: Vec<PublicKey>,
    /// Keys that were known and that the server has no longer.
    pub gone: Vec<PublicKey>,
}

impl HostKeyChange {
    /// Whether everything stays as it is.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.gone.is_empty()
    }
}

/// Who decides about changes of a server's host keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUpdates {
    /// Nobody: they are of no interest.
    Never,
    /// The application, if it is there to be asked.
    Ask,
    /// The judge keeps them.
    Always,
}

/// What a proof depends on beside the keys.
struct Session {
    id: Vec<u8>,
    /// The signature algorithm of the key exchange.
    signs_as: &'static str,
}

impl Session {
    /// The algorithms with which a key may prove itself. An RSA key could use several: as for OpenSSH it is the one of the
    /// key exchange, if that was with an RSA key too, and never SHA-1 otherwise.
    fn algorithms(&self, key: &PublicKey) -> Vec<&'static str> {
        let own = key.signature_algorithms();
        if own.contains(&self.signs_as) {
            return vec![self.signs_as];
        }
        own.iter()
            .copied()
            .filter(|algorithm| *algorithm != SSH_RSA)
            .collect()
    }

    fn prove(&self, key: &PrivateKey) -> Result<Vec<u8>, Error> {
        let algorithms = self.algorithms(key.public());
        let algorithm = algorithms.first().ok_or(Error::Bug("a key cannot sign"))?;
        key.sign(algorithm, &host_keys::proof(&self.id, key.public().blob()))
    }

    fn has_proven(&self, key: &PublicKey, signature: &[u8]) -> bool {
        let signed = host_keys::proof(&self.id, key.blob());
        self.algorithms(key)
            .into_iter()
            .any(|algorithm| key.verify(algorithm, &signed, signature))
    }

    /// Whether these are signatures of these keys, one for each and no more.
    fn have_proven(&self, keys: &[PublicKey], signatures: &[u8]) -> bool {
        host_keys::split(signatures).is_ok_and(|signatures| {
            signatures.len() == keys.len()
                && keys
                    .iter()
                    .zip(signatures)
                    .all(|(key, signature)| self.has_proven(key, signature))
        })
    }
}

/// The server's list on its way to be compared.
struct Told {
    blobs: Vec<Vec<u8>>,
    /// The key of the key exchange.
    shown: PublicKey,
    /// The host key algorithms that we take.
    algorithms: Vec<&'static str>,
    judge: Option<Arc<dyn HostKeyJudge>>,
    revoked: Vec<Arc<RevocationList>>,
    min_rsa_bits: u32,
}

impl Told {
    /// The keys that could be used, or what is wrong with the list. Certificates, unknown types and
    /// what is revoked are passed over.
    fn keys(&self) -> Result<Vec<PublicKey>, &'static str> {
        let mut keys: Vec<PublicKey> = Vec::new();
        for blob in &self.blobs {
            let Ok(key) = PublicKey::from_blob(blob) else {
                continue;
            };
            let mut algorithms = key.signature_algorithms().iter();
            if !algorithms.any(|algorithm| self.algorithms.contains(algorithm)) {
                continue;
            }
            let shown = key.clone().into();
            if self.revoked.iter().any(|list| list.check(&shown).is_err()) {
                continue;
            }
            if keys.contains(&key) {
                return Err("it has a key twice");
            }
            keys.push(key);
        }
        // Whoever forgot it may have forgotten others, and all of them would be taken for gone.
        if keys.contains(&self.shown) {
            Ok(keys)
        } else {
            Err("the key of this session is not in it")
        }
    }

    fn compare(&self, keys: Vec<PublicKey>) -> Result<Option<HostKeyChange>, Error> {
        let change = match &self.judge {
            Some(judge) => judge.compare(&keys)?,
            None => {
                let (known, added) = keys.into_iter().partition(|key| *key == self.shown);
                Some(HostKeyChange {
                    known,
                    added,
                    ..HostKeyChange::default()
                })
            }
        };
        Ok(change.map(|mut change| {
            // One that is known stays so, for it was not taken away.
            change.added.retain(|key| !is_short(key, self.min_rsa_bits));
            change
        }))
    }
}

/// Server: the keys that a client wants proof of.
pub(crate) struct ProofJob {
    id: GlobalRequestId,
    /// `None` when one of them is not ours, or is asked about twice.
    keys: Option<Vec<PrivateKey>>,
}

impl Serving {
    /// Server, a user is in: says which host keys there are.
    pub(crate) fn tell_host_keys(&mut self) {
        if self.role != Role::Server || !self.options.tells_host_keys {
            return;
        }
        let mut told: Vec<&[u8]> = Vec::new();
        for key in self.options.told_host_keys() {
            let blob = key.public().blob();
            // A list with a key twice counts for nothing.
            if !told.contains(&blob) {
                told.push(blob);
            }
        }
        let list = host_keys::join(told);
        if let Ok(services) = self.services() {
            // Fails only when the connection is gone.
            let out = &mut services.out;
            let _ = services
                .connection
                .global_request(HOST_KEYS, &list, false, out);
        }
    }

    /// Server: finds the keys that a client names.
    pub(crate) fn proof_job(&self, id: GlobalRequestId, blobs: &[Vec<u8>]) -> ProofJob {
        let find = |blob: &Vec<u8>| {
            let mut own = self.options.told_host_keys();
            own.find(|key| key.public().blob() == blob)
        };
        let is_first =
            |(index, blob): (usize, &Vec<u8>)| !blobs.iter().take(index).any(|b| b == blob);
        let once = blobs.iter().enumerate().all(is_first);
        let keys: Option<Vec<_>> = blobs.iter().map(|blob| find(blob).cloned()).collect();
        ProofJob {
            id,
            keys: keys.filter(|_| once),
        }
    }

    /// Client: who is to decide about changes of this server's keys.
    fn key_updates(&self) -> KeyUpdates {
        let options = &self.options;
        let is_verified =
            options.expected_host_key.is_some() || !options.insecure_accept_any_host_key;
        let judge = options.host_key_judge.as_ref();
        match judge.map_or(KeyUpdates::Ask, |judge| judge.updates()) {
            _ if !is_verified => KeyUpdates::Never,
            KeyUpdates::Ask if !self.is_asked(RequestKind::HostKeys) => KeyUpdates::Never,
            updates => updates,
        }
    }

    /// Client: the server has told its keys.
    pub(crate) fn host_keys_told(&mut self, shared: &Arc<Shared>, blobs: Vec<Vec<u8>>) {
        let Some(shown) = self.host_key.key().cloned() else {
            return;
        };
        if self.key_updates() == KeyUpdates::Never {
            return;
        }
        let told = Told {
            blobs,
            shown,
            algorithms: self.options.preferences_for(self.role).host_key,
            judge: self.options.host_key_judge.clone(),
            revoked: self.options.revoked_host_keys.clone(),
            min_rsa_bits: self.options.min_rsa_bits,
        };
        let asked = Arc::clone(shared);
        self.is_rotating = true;
        self.push_job(
            shared,
            Box::new(move || {
                if !asked.compare_host_keys(&told) {
                    asked.host_keys_settled();
                }
            }),
        );
    }

    /// Client: asks for proof of the keys that are new.
    fn want_proof(&mut self, change: HostKeyChange) -> Result<(), Error> {
        let list = host_keys::join(change.added.iter().map(PublicKey::blob));
        let services = self.open_services()?;
        services.connection.advance(Instant::now());
        let out = &mut services.out;
        let id = services
            .connection
            .global_request(HOST_KEYS_PROVE, &list, true, out)?;
        self.proof = id.map(|id| (id, change));
        Ok(())
    }

    /// Client: takes the reply to a request for proof; false when it is the reply to something else.
    pub(crate) fn is_proof(
        &mut self,
        shared: &Arc<Shared>,
        id: GlobalRequestId,
        answer: &Result<Vec<u8>, ()>,
    ) -> bool {
        let Some((_, change)) = self.proof.take_if(|(asked, _)| *asked == id) else {
            return false;
        };
        let (asked, answer) = (Arc::clone(shared), answer.clone());
        self.push_job(
            shared,
            Box::new(move || {
                if !asked.host_keys_answered(change, answer) {
                    asked.host_keys_settled();
                }
            }),
        );
        true
    }
}

impl Transport {
    /// Client: waits until nothing more is to come of the host keys that the server has told of so far: they are compared,
    /// proven, and the application's answer is there. At once where it has told of none.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::Cancelled`], and what ended the transport.
    pub fn wait_host_keys(&self, timeout: Timeout) -> Result<(), Error> {
        let shared = &self.shared;
        shared.check_process()?;
        let mut serving = shared.serving.lock();
        shared.wait_for(
            &mut serving,
            &shared.progress,
            timeout.deadline(),
            "host keys",
            |serving| (!serving.is_rotating).then_some(Ok(())),
        )
    }
}

impl Shared {
    fn session_to_prove(&self) -> Option<Session> {
        let receiving = self.receiving.lock();
        let transport = receiving.inbound.as_ref()?.transport();
        Some(Session {
            id: transport.session_id()?.to_vec(),
            signs_as: transport.negotiated()?.host_key.signs_as,
        })
    }

    /// Server: signs with the keys. All or nothing.
    pub(crate) fn prove_host_keys(self: &Arc<Self>, job: &ProofJob) {
        let prove = || {
            let session = self.session_to_prove()?;
            let signatures = job.keys.iter().flatten().map(|key| session.prove(key));
            let signatures: Result<Vec<_>, Error> = signatures.collect();
            match signatures {
                Ok(signatures) => Some(host_keys::join(signatures)),
                Err(error) => {
                    self.log(LogLevel::Warning, || {
                        format!("host keys are not proven: {error}")
                    });
                    None
                }
            }
        };
        let answer = job.keys.as_ref().and_then(|_| prove()).ok_or(());
        // Fails only when the transport has ended.
        let _ = self.answer_global(job.id, answer);
    }

    /// Whether more is to come of it: a proof, or an answer.
    fn compare_host_keys(self: &Arc<Self>, told: &Told) -> bool {
        let ignored = |why: &dyn std::fmt::Display| {
            self.log(LogLevel::Warning, || {
                format!("the server's list of host keys is not used: {why}")
            });
            false
        };
        let keys = match told.keys() {
            Ok(keys) => keys,
            Err(fault) => return ignored(&fault),
        };
        let change = match told.compare(keys) {
            Ok(change) => change.filter(|change| !change.is_empty()),
            Err(error) => return ignored(&error),
        };
        let Some(change) = change else {
            return false;
        };
        if change.added.is_empty() {
            // What is gone needs no proof: a server that lies here only loses what was known of it.
            return self.host_keys_changed(change);
        }
        let outcome = self.serving.lock().want_proof(change);
        match outcome {
            Ok(()) => {
                self.flush();
                true
            }
            Err(error) => ignored(&error),
        }
    }

    /// Whether more is to come of it: an answer.
    fn host_keys_answered(
        self: &Arc<Self>,
        change: HostKeyChange,
        answer: Result<Vec<u8>, ()>,
    ) -> bool {
        let Some(session) = self.session_to_prove() else {
            return false;
        };
        match answer {
            Ok(signatures) if session.have_proven(&change.added, &signatures) => {
                self.host_keys_changed(change)
            }
            _ => {
                self.log(LogLevel::Warning, || {
                    String::from(
                        "the server has not proven the host keys that it told of; nothing is kept",
                    )
                });
                false
            }
        }
    }

    /// Everything new is proven. Whether an answer is to come.
    fn host_keys_changed(self: &Arc<Self>, change: HostKeyChange) -> bool {
        self.log(LogLevel::Info, || {
            let (added, gone) = (change.added.len(), change.gone.len());
            format!("the server has {added} further host keys, and {gone} no longer")
        });
        let mut serving = self.serving.lock();
        match serving.key_updates() {
            KeyUpdates::Never => {}
            KeyUpdates::Ask => {
                serving.ask(self, Question::HostKeys(Box::new(change)));
                return true;
            }
            KeyUpdates::Always => {
                drop(serving);
                if let Err(error) = self.keep_host_keys(&change) {
                    self.log(LogLevel::Warning, || {
                        format!("the server's host keys are not kept: {error}")
                    });
                }
            }
        }
        false
    }

    /// What the server has told of its keys has come to its end.
    pub(crate) fn host_keys_settled(&self) {
        self.serving.lock().is_rotating = false;
        self.progress.notify_all();
    }

    /// Has the judge write down what has changed. Reads and writes files; no lock may be held.
    pub(crate) fn keep_host_keys(&self, change: &HostKeyChange) -> Result<(), Error> {
        let judge = self.serving.lock().options.host_key_judge.clone();
        judge.map_or(Ok(()), |judge| judge.keep(change))
    }
}
