//! What the client's side of user authentication is told and tells.

use zeroize::Zeroizing;

use crate::auth::{AuthOutcome, Prompts};
use crate::error::Error;
use crate::keys::Credential;

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
        /// The key that signs, or a certificate with its key.
        key: Credential,
        /// Whether to ask first if the key would do, which spares a signature where it would not.
        probe: bool,
    },
    /// RFC 4256.
    KeyboardInteractive {
        /// A comma-separated hint of submethods, normally empty.
        submethods: String,
    },
}

/// A signature that the caller makes, on a thread where it may take time: `key.sign(algorithm, &data)`. Where
/// [`Credential::signs_elsewhere`] it may take as long as a person does.
pub struct SignJob {
    /// Handed back with the signature.
    pub id: u64,
    /// The key that signs.
    pub key: Credential,
    /// The algorithm, by its name in the request.
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
    /// The server asks; answer with [`super::ClientAuth::answer_prompts`] or [`super::ClientAuth::refuse_prompts`].
    Prompts(Prompts),
    /// A signature is wanted; answer with [`super::ClientAuth::provide_signature`].
    Sign(SignJob),
    /// The attempt is over.
    Outcome(Result<AuthOutcome, Error>),
}
