//! User authentication (RFC 4252, RFC 4256), client and server, sans-I/O.
//!
//! [`ClientAuth`] makes one attempt at a time and reports its outcome as an event; [`ServerAuth`] answers
//! one request at a time and turns each into a question that somebody above must answer. Both are fed whole
//! payloads (message number first) and write whole payloads.

mod client;
mod methods;
mod server;
#[cfg(test)]
mod tests;

pub use client::{ClientAuth, ClientAuthEvent, ClientMethod, SignJob};
pub use server::{
    AuthDecision, AuthQuestion, AuthQuestionKind, KeyJudge, ServerAuth, ServerAuthConfig,
    ServerAuthEvent, VerifyJob,
};

/// The service that carries user authentication (RFC 4252 §1).
pub const SERVICE_USERAUTH: &str = "ssh-userauth";
/// The service that a user is authenticated for, the only one there is (RFC 4254 §1).
pub const SERVICE_CONNECTION: &str = "ssh-connection";

/// One prompt of a keyboard-interactive dialogue (RFC 4256 §3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What to show. On the client this is text of the server, not cleaned for a terminal.
    pub text: String,
    /// Whether the answer may be shown while it is typed.
    pub echo: bool,
}

/// One round of prompts of a keyboard-interactive dialogue (RFC 4256 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompts {
    /// A title, may be empty.
    pub name: String,
    /// Text above the prompts, may be empty.
    pub instruction: String,
    /// The prompts; none at all is legal and asks for an empty answer.
    pub prompts: Vec<Prompt>,
}

/// How an attempt of the client ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthOutcome {
    /// The user is authenticated.
    Success,
    /// The attempt was good and the server wants more (RFC 4252 §5.1, partial success).
    Partial {
        /// The methods that may follow.
        methods: Vec<String>,
    },
    /// The attempt was refused.
    Failure {
        /// The methods that may continue.
        methods: Vec<String>,
    },
}
