//! The client's side of user authentication.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::{AuthOutcome, Prompts};
use crate::error::Error;
use crate::keys::PrivateKey;
use crate::packet::PayloadQueue;

/// What to authenticate with.
pub enum ClientMethod {
    /// Asks which methods there are, and whether the user needs any (RFC 4252 §5.2).
    None,
    /// RFC 4252 §8.
    Password {
        /// The password as bytes, UTF-8 by the RFC.
        password: Zeroizing<Vec<u8>>,
        /// Whether to answer one hidden keyboard-interactive prompt with it where the server does not
        /// allow the password method but does allow that one.
        fallback: bool,
    },
    /// RFC 4252 §7.
    PublicKey {
        /// The key that signs.
        key: PrivateKey,
        /// Whether to ask first if the key would do, which spares a signature where it would not.
        probe: bool,
    },
    /// RFC 4256.
    KeyboardInteractive {
        /// A comma-separated hint of submethods, normally empty.
        submethods: String,
    },
}

/// A signature that the caller makes, on a thread where it may take time.
pub struct SignJob {
    /// Handed back with the signature.
    pub id: u64,
    /// The key that signs.
    pub key: PrivateKey,
    /// The signature algorithm.
    pub algorithm: &'static str,
    /// What is signed (RFC 4252 §7).
    pub data: Vec<u8>,
}

/// What happened, or is wanted from the caller.
pub enum ClientAuthEvent {
    /// Text of the server for the user, capped but not cleaned for a terminal (RFC 4252 §5.4).
    Banner {
        /// The text.
        message: String,
        /// Its language tag (RFC 3066), mostly empty.
        language: String,
    },
    /// The server asks; answer with [`ClientAuth::answer_prompts`] or [`ClientAuth::refuse_prompts`].
    Prompts(Prompts),
    /// A signature is wanted; answer with [`ClientAuth::provide_signature`].
    Sign(SignJob),
    /// The attempt is over.
    Outcome(Result<AuthOutcome, Error>),
}

/// The client's side of user authentication.
pub struct ClientAuth {
    session_id: Vec<u8>,
}

impl ClientAuth {
    /// A client that has not asked for anything. `sig_algs_allowed` are the signature algorithms it may use.
    pub fn new(session_id: &[u8], sig_algs_allowed: Vec<&'static str>) -> Self {
        let _ = sig_algs_allowed;
        ClientAuth { session_id: session_id.to_vec() }
    }

    /// The list of `server-sig-algs` (RFC 8308 §3.1), when EXT_INFO brought one.
    pub fn set_server_sig_algs(&mut self, names: Option<Vec<String>>) {
        let _ = names;
        todo!()
    }

    /// Whether a SUCCESS is refused that came without any credential having been shown.
    pub fn set_refuse_trivial(&mut self, refuse: bool) {
        let _ = refuse;
        todo!()
    }

    /// Begins an attempt.
    pub fn start(
        &mut self,
        user: &str,
        method: ClientMethod,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let _ = (user, method, out, events, &self.session_id);
        todo!()
    }

    /// Takes a message of the server.
    pub fn handle(
        &mut self,
        payload: &[u8],
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let _ = (payload, out, events);
        todo!()
    }

    /// Answers the prompts of the last [`ClientAuthEvent::Prompts`].
    pub fn answer_prompts(
        &mut self,
        answers: Vec<Zeroizing<Vec<u8>>>,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let _ = (answers, out);
        todo!()
    }

    /// The user does not want to answer: the attempt ends as a failure.
    pub fn refuse_prompts(&mut self, events: &mut VecDeque<ClientAuthEvent>) -> Result<(), Error> {
        let _ = events;
        todo!()
    }

    /// Hands in the signature blob of a [`SignJob`], or the reason why there is none.
    pub fn provide_signature(
        &mut self,
        job: u64,
        signature: Result<Vec<u8>, Error>,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let _ = (job, signature, out, events);
        todo!()
    }

    /// Gives up the attempt under way. Replies that still come for it are swallowed.
    pub fn abandon(&mut self) {
        todo!()
    }

    /// Whether the server has sent SUCCESS.
    pub fn is_authenticated(&self) -> bool {
        todo!()
    }
}
