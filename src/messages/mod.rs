//! One struct per SSH_MSG_*, fields in wire order, encode and decode together; one file per document.

mod number;
pub mod service;
pub mod userauth;
pub mod userauth_info;

pub use number::{DisconnectReason, MessageNumber, Role};
