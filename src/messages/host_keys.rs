//! Bodies of `hostkeys-00@openssh.com` and `hostkeys-prove-00@openssh.com` (OpenSSH's PROTOCOL, section 2.5).
//!
//! Both requests are lists of host keys, and the reply to the second is a list of signatures in the order of the keys.

use crate::codec::{DecodeError, Reader, Writer};

/// The server tells which host keys it has.
pub const HOST_KEYS: &str = "hostkeys-00@openssh.com";
/// The client wants to see that it has them.
pub const HOST_KEYS_PROVE: &str = "hostkeys-prove-00@openssh.com";

/// Most strings in one list. Servers have five keys, and twice as many while they change them.
pub const MAX_LIST: usize = 64;

/// Writes strings one behind the other.
pub fn join<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Vec<u8> {
    Writer::collect(|w| {
        for string in strings {
            w.string(string.as_ref());
        }
    })
}

/// Reads strings up to the end.
///
/// # Errors
/// `Truncated` when the end is within one of them, `TooLong` for more than [`MAX_LIST`]: what follows is not looked at.
pub fn split(data: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut reader = Reader::new(data);
    let mut strings = Vec::new();
    while !reader.is_empty() {
        if strings.len() >= MAX_LIST {
            return Err(DecodeError::TooLong);
        }
        strings.push(reader.string()?);
    }
    Ok(strings)
}

/// What a server signs with a host key to prove that it has it. The session identifier keeps the signature from being of
/// use in another session, and the name from being taken for another signature.
pub fn proof(session_id: &[u8], host_key: &[u8]) -> Vec<u8> {
    join([HOST_KEYS_PROVE.as_bytes(), session_id, host_key])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_round_trip_and_are_bounded() {
        let list = [&b"one"[..], b"", b"three"];
        let bytes = join(list);
        assert_eq!(split(&bytes).unwrap(), list);
        assert_eq!(split(b"").unwrap(), Vec::<&[u8]>::new());
        for end in 1..bytes.len() {
            // Only between two strings there may be an end.
            let whole = [7, 11].contains(&end);
            assert_eq!(split(&bytes[..end]).is_ok(), whole, "{end}");
        }
        assert_eq!(split(&join(vec![b"x"; MAX_LIST])).unwrap().len(), MAX_LIST);
        let many = join(vec![b"x"; 10_000]);
        assert_eq!(split(&many), Err(DecodeError::TooLong));
        assert_eq!(split(&[0xff; 9]), Err(DecodeError::Truncated));
    }

    #[test]
    fn what_is_signed() {
        let signed = proof(b"id", b"key");
        let name = HOST_KEYS_PROVE.as_bytes();
        let expected = [
            &[0, 0, 0, 29][..],
            name,
            &[0, 0, 0, 2],
            b"id",
            &[0, 0, 0, 3],
            b"key",
        ];
        assert_eq!(signed, expected.concat());
    }
}
