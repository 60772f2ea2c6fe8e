//! Talking to an authentication agent (draft-ietf-sshm-ssh-agent; OpenSSH, PROTOCOL.agent).
//!
//! `message` and `frame` turn requests and answers into bytes and back, without I/O; [`Agent`] is the client over a
//! stream: one request at a time, each with a deadline, from any thread. [`Login`] tries its keys, and others, on a
//! transport.

mod client;
mod exchange;
mod frame;
#[cfg(any(test, fuzzing))]
#[allow(clippy::indexing_slicing)]
pub(crate) mod fuzzing;
mod login;
mod message;
mod stream;

pub use client::{Agent, AgentSigner};
pub use exchange::connect_forwarded;
pub use login::{Login, Named, Order, DEFAULT_TRIES};
pub use message::{Constraints, Identity};
