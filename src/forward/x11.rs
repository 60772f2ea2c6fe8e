//! The beginning of an X11 connection, which holds a cookie (X Window System Protocol, chapter 8).
//!
//! The server of a forwarding learns a cookie made for it and never that of the display. Each connection must begin with
//! the former, and goes on with the latter.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The only authentication protocol that is spoken.
pub(super) const PROTOCOL: &str = "MIT-MAGIC-COOKIE-1";
/// Bytes of a cookie that is made.
pub(super) const COOKIE_BYTES: usize = 16;
/// Longest name or cookie that is looked at.
const MAX_BYTES: usize = 256;
/// Bytes before the two fields.
const HEADER_BYTES: usize = 12;

/// What the beginning comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// More of it is to come.
    More,
    /// It has the right cookie; this goes to the display in its place, with what came after it.
    Good(Vec<u8>),
    /// It has not.
    Bad,
}

/// A connection of which not all of the beginning has come.
#[derive(Clone)]
pub(super) struct SetupCheck {
    expected: Zeroizing<Vec<u8>>,
    real: Zeroizing<Vec<u8>>,
    heard: Vec<u8>,
}

impl SetupCheck {
    /// Expects one cookie and puts the other in its place; an empty one is none.
    pub(super) fn new(expected: &[u8], real: &[u8]) -> Self {
        SetupCheck {
            expected: Zeroizing::new(expected.to_vec()),
            real: Zeroizing::new(real.to_vec()),
            heard: Vec::new(),
        }
    }

    /// Takes what has come.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Checked {
        self.heard.extend_from_slice(bytes);
        let Some(header) = self.heard.get(..HEADER_BYTES) else {
            return Checked::More;
        };
        let [order, _, _, _, _, _, name @ .., _, _] = header else {
            return Checked::Bad;
        };
        let [a, b, c, d] = name else {
            return Checked::Bad;
        };
        let big = match order {
            b'B' => true,
            b'l' => false,
            _ => return Checked::Bad,
        };
        let number = |bytes: [u8; 2]| {
            usize::from(if big {
                u16::from_be_bytes(bytes)
            } else {
                u16::from_le_bytes(bytes)
            })
        };
        let (name_length, length) = (number([*a, *b]), number([*c, *d]));
        if name_length > MAX_BYTES || length > MAX_BYTES {
            return Checked::Bad;
        }
        let data_at = HEADER_BYTES + padded(name_length);
        let end = data_at + padded(length);
        let Some(rest) = self.heard.get(end..) else {
            return Checked::More;
        };
        let field = |at: usize, length: usize| self.heard.get(at..at + length).unwrap_or_default();
        let name = field(HEADER_BYTES, name_length);
        let same: bool = field(data_at, length).ct_eq(&self.expected).into();
        if name != PROTOCOL.as_bytes() || !same {
            return Checked::Bad;
        }
        Checked::Good(self.setup(header, big, rest))
    }

    fn setup(&self, header: &[u8], big: bool, rest: &[u8]) -> Vec<u8> {
        let name: &[u8] = if self.real.is_empty() {
            b""
        } else {
            PROTOCOL.as_bytes()
        };
        let mut setup = header.get(..6).unwrap_or_default().to_vec();
        for field in [name, &self.real] {
            let length = u16::try_from(field.len()).unwrap_or(0);
            setup.extend_from_slice(&if big {
                length.to_be_bytes()
            } else {
                length.to_le_bytes()
            });
        }
        setup.extend_from_slice(&[0, 0]);
        for field in [name, &self.real] {
            setup.extend_from_slice(field);
            setup.resize(padded(setup.len()), 0);
        }
        setup.extend_from_slice(rest);
        setup
    }
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(order: u8, name: &[u8], cookie: &[u8], rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![order, 0, 0, 11, 0, 0];
        for field in [name, cookie] {
            let length = u16::try_from(field.len()).unwrap();
            bytes.extend_from_slice(&if order == b'B' {
                length.to_be_bytes()
            } else {
                length.to_le_bytes()
            });
        }
        bytes.extend_from_slice(&[0, 0]);
        for field in [name, cookie] {
            bytes.extend_from_slice(field);
            bytes.resize(padded(bytes.len()), 0);
        }
        bytes.extend_from_slice(rest);
        bytes
    }

    const NAME: &[u8] = PROTOCOL.as_bytes();

    #[test]
    fn the_right_cookie_is_replaced_in_either_byte_order() {
        for order in [b'B', b'l'] {
            let sent = setup(order, NAME, b"fake fake fake 1", b"more");
            let mut check = SetupCheck::new(b"fake fake fake 1", b"real");
            assert_eq!(
                check.hear(&sent),
                Checked::Good(setup(order, NAME, b"real", b"more"))
            );
            let mut none = SetupCheck::new(b"fake fake fake 1", b"");
            assert_eq!(
                none.hear(&sent),
                Checked::Good(setup(order, b"", b"", b"more"))
            );
            // In pieces.
            let mut check = SetupCheck::new(b"fake fake fake 1", b"real");
            let whole = setup(order, NAME, b"fake fake fake 1", b"");
            for (at, byte) in whole.iter().enumerate() {
                let heard = check.hear(&[*byte]);
                let last = at + 1 == whole.len();
                assert_eq!(heard == Checked::More, !last);
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let hear = |bytes: &[u8]| SetupCheck::new(b"fake", b"real").hear(bytes);
        assert_eq!(hear(&setup(b'B', NAME, b"fakf", b"")), Checked::Bad);
        assert_eq!(hear(&setup(b'B', NAME, b"fake\0", b"")), Checked::Bad);
        assert_eq!(hear(&setup(b'B', NAME, b"", b"")), Checked::Bad);
        assert_eq!(hear(&setup(b'l', b"", b"", b"")), Checked::Bad);
        assert_eq!(hear(&setup(b'l', b"XDM", b"fake", b"")), Checked::Bad);
        assert_eq!(hear(&setup(b'x', NAME, b"fake", b"")), Checked::Bad);
        assert_eq!(
            hear(&setup(b'B', NAME, &[0; 257], b"")),
            Checked::Bad,
            "before it has come"
        );
        assert_eq!(hear(b"B\0\0\x0b\0\0\xff\xff\xff\xff\0\0"), Checked::Bad);
        assert_eq!(hear(b"B\0"), Checked::More);
    }
}
