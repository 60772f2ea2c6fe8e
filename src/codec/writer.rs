//! Writing the data types of RFC 4251 §5.

/// Appends fields to a buffer of our own. Lengths are ours, never the peer's.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Writer { out }
    }

    /// A payload made by `fill`, in a buffer of its own.
    pub fn collect(fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        fill(&mut Writer::new(&mut out));
        out
    }

    /// Bytes as they are: RFC 4251 `byte[n]`.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// RFC 4251 `byte`.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// RFC 4251 `boolean`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    /// RFC 4251 `uint32`.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// RFC 4251 `uint64`.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// RFC 4251 `string`. Callers keep strings far below 4 GiB; a longer one is cut.
    pub fn string(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        debug_assert_ne!(length, u32::MAX, "string of 4 GiB");
        self.u32(length).raw(bytes)
    }

    /// A string whose content is written by `fill`.
    pub fn string_with(&mut self, fill: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        let content = Writer::collect(fill);
        self.string(&content)
    }

    /// RFC 4251 `mpint` of a number that is not negative, given by its big-endian magnitude.
    pub fn mpint(&mut self, magnitude: &[u8]) -> &mut Self {
        let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
        let digits = magnitude.get(zeros..).unwrap_or_default();
        let sign = digits.first().is_some_and(|first| first & 0x80 != 0);
        let length = u32::try_from(digits.len() + usize::from(sign)).unwrap_or(u32::MAX);
        self.u32(length);
        if sign {
            self.u8(0);
        }
        self.raw(digits)
    }

    /// RFC 4251 `name-list`.
    pub fn name_list<S: AsRef<str>>(&mut self, names: &[S]) -> &mut Self {
        self.string(super::join_names(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mpint_examples_of_rfc_4251() {
        let write = |digits: &[u8]| {
            Writer::collect(|w| {
                w.mpint(digits);
            })
        };
        assert_eq!(write(&[]), [0, 0, 0, 0]);
        assert_eq!(write(&[0, 0]), [0, 0, 0, 0]);
        assert_eq!(write(&[0x80]), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(
            write(&[0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7]),
            [0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7]
        );
    }

    #[test]
    fn strings_carry_their_length() {
        let bytes = Writer::collect(|w| {
            w.string("abc").name_list(&["x", "y"]).bool(true).u64(1);
        });
        assert_eq!(bytes, b"\0\0\0\x03abc\0\0\0\x03x,y\x01\0\0\0\0\0\0\0\x01");
    }
}
