//! The method `password` (RFC 4252 §8).

use zeroize::Zeroizing;

use crate::messages::userauth::{MethodFields, METHOD_PASSWORD};

/// Longest password, and longest answer to a prompt, that the application is asked about.
pub(in crate::auth) const MAX_PASSWORD_BYTES: usize = 4 * 1024;

/// The client's request.
pub(in crate::auth) fn request(user: &str, password: &[u8]) -> Vec<u8> {
    let fields = MethodFields::Password {
        password,
        new_password: None,
    };
    super::request(user, METHOD_PASSWORD, &fields, password.len())
}

/// The password the application is to judge; `None` where the request is refused without asking. A password
/// change is never accepted, so not even the old password in such a request is tried.
pub(in crate::auth) fn presented(
    password: &[u8],
    new_password: Option<&[u8]>,
) -> Option<Zeroizing<Vec<u8>>> {
    let fits = password.len() <= MAX_PASSWORD_BYTES && new_password.is_none();
    fits.then(|| Zeroizing::new(password.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_of_the_request_never_grows() {
        let password = vec![b'p'; 100_000];
        let payload = request("user", &password);
        assert!(payload.capacity() < payload.len() + super::super::OVERHEAD_BYTES);
        assert!(payload.ends_with(&password));
    }

    #[test]
    fn changes_and_long_passwords_are_refused() {
        assert_eq!(presented(b"a\0b", None).unwrap().as_slice(), b"a\0b");
        assert!(presented(b"", None).is_some());
        assert!(presented(b"a", Some(b"b")).is_none());
        assert!(presented(&[0; MAX_PASSWORD_BYTES], None).is_some());
        assert!(presented(&[0; MAX_PASSWORD_BYTES + 1], None).is_none());
    }
}
