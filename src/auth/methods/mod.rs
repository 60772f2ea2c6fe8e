//! What is particular to one method: building its messages and judging its fields.
//!
//! `hostbased` (RFC 4252 §9) is not here: a server refuses it like a method it has never heard of.

pub(super) mod keyboard_interactive;
pub(super) mod none;
pub(super) mod password;
pub(super) mod publickey;

use crate::auth::SERVICE_CONNECTION;
use crate::codec::Writer;
use crate::messages::userauth::{MethodFields, UserauthRequest};

/// Bytes that the lengths, the number and the flags of one message take at most, beside its texts.
const OVERHEAD_BYTES: usize = 64;

/// A USERAUTH_REQUEST in a buffer that never grows, so that no copy of a secret is left behind in memory
/// that was given back.
fn request(user: &str, method: &str, fields: &MethodFields<'_>, fields_bytes: usize) -> Vec<u8> {
    let length = user.len() + SERVICE_CONNECTION.len() + method.len() + fields_bytes;
    let mut payload = Vec::with_capacity(length + OVERHEAD_BYTES);
    let mut w = Writer::new(&mut payload);
    UserauthRequest {
        user,
        service: SERVICE_CONNECTION,
        method,
        fields: &[],
    }
    .encode(&mut w);
    fields.encode(&mut w);
    payload
}
