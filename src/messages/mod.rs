//! One struct per SSH_MSG_*, fields in wire order, encode and decode together; one file per document.

pub mod ext_info;
pub mod kex;
mod number;
pub mod transport;

pub use number::{DisconnectReason, MessageNumber, Role};
