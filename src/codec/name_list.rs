//! The name-list of RFC 4251 §5, with the caps that keep hostile lists cheap.

use super::DecodeError;

/// Longest list in bytes that is looked at.
pub const MAX_LIST_BYTES: usize = 16 * 1024;
/// Most names in one list.
pub const MAX_NAMES: usize = 1024;
/// Longest single name (RFC 4251 §6).
pub const MAX_NAME_BYTES: usize = 64;

/// A checked name-list that borrows from the message.
///
/// Deployed peers send an empty list, duplicates and one trailing comma: these are tolerated. An empty
/// name inside the list, a name of more than 64 bytes and anything but printable ASCII are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameList<'a> {
    text: &'a str,
}

impl<'a> NameList<'a> {
    /// Checks the bytes of a name-list.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_LIST_BYTES {
            return Err(DecodeError::TooLong);
        }
        if !bytes.iter().all(|byte| byte.is_ascii_graphic()) {
            return Err(DecodeError::BadNameList);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::BadNameList)?;
        let text = match text.strip_suffix(',') {
            Some("") => return Err(DecodeError::BadNameList),
            Some(list) => list,
            None => text,
        };
        let list = NameList { text };
        let mut count = 0;
        for name in list.iter() {
            count += 1;
            if name.is_empty() || name.len() > MAX_NAME_BYTES || count > MAX_NAMES {
                return Err(DecodeError::BadNameList);
            }
        }
        Ok(list)
    }

    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + 'a {
        let empty = self.text.is_empty();
        self.text.split(',').filter(move |_| !empty)
    }

    /// Whether the list holds `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|candidate| candidate == name)
    }

    /// The first name, which is the peer's guess in KEXINIT.
    pub fn first(&self) -> Option<&'a str> {
        self.iter().next()
    }

    /// Owned copies of the names.
    pub fn to_vec(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerated_forms() {
        assert_eq!(NameList::parse(b"").unwrap().iter().count(), 0);
        assert_eq!(NameList::parse(b"a,b").unwrap().to_vec(), ["a", "b"]);
        assert_eq!(NameList::parse(b"a,b,").unwrap().to_vec(), ["a", "b"]);
        assert_eq!(NameList::parse(b"a,a").unwrap().to_vec(), ["a", "a"]);
    }

    #[test]
    fn refused_forms() {
        for bad in [
            &b","[..],
            b"a,,b",
            b",a",
            b"a b",
            b"a\0",
            b"\x80",
            &[b'x'; 65],
        ] {
            assert_eq!(
                NameList::parse(bad),
                Err(DecodeError::BadNameList),
                "{bad:?}"
            );
        }
        assert_eq!(
            NameList::parse(&vec![b'a'; MAX_LIST_BYTES + 1]),
            Err(DecodeError::TooLong)
        );
        let many = "a,".repeat(MAX_NAMES + 1);
        assert_eq!(
            NameList::parse(many.as_bytes()),
            Err(DecodeError::BadNameList)
        );
    }
}
