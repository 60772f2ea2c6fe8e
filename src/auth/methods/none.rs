//! The method `none` (RFC 4252 §5.2): who may enter without a credential, and which methods there are.

use crate::messages::userauth::{MethodFields, METHOD_NONE};

/// The client's request.
pub(in crate::auth) fn request(user: &str) -> Vec<u8> {
    super::request(user, METHOD_NONE, &MethodFields::None, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_no_fields() {
        assert_eq!(
            request("u"),
            b"\x32\0\0\0\x01u\0\0\0\x0essh-connection\0\0\0\x04none"
        );
    }
}
