//! One struct per SSH_MSG_*, fields in wire order, encode and decode together; one file per document.

pub mod channel_request;
pub mod connection;
pub mod ext_info;
pub mod forward;
pub mod global_request;
pub mod host_keys;
pub mod kex;
mod number;
pub mod open_kind;
pub mod service;
pub mod transport;
pub mod userauth;
pub mod userauth_info;

pub use number::{DisconnectReason, MessageNumber, Role};
