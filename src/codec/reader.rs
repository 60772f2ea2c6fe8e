//! Reading the data types of RFC 4251 §5.

use super::NameList;

/// What is wrong with the bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field goes past the end.
    #[error("truncated")]
    Truncated,
    /// Bytes are left after the last field.
    #[error("trailing bytes")]
    TrailingBytes,
    /// Text that is not UTF-8 where the RFC asks for it.
    #[error("not UTF-8")]
    NotUtf8,
    /// An mpint that is negative or not in its shortest form where that matters.
    #[error("bad mpint")]
    BadMpint,
    /// A name-list that breaks RFC 4251 §5 or §6.
    #[error("bad name-list")]
    BadNameList,
    /// A field longer than its limit.
    #[error("field too long")]
    TooLong,
    /// A value that its field does not allow.
    #[error("value not allowed")]
    BadValue,
}

/// Takes fields from the front of a message. Borrowed results live as long as the message.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// What has not been read yet.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self
            .rest
            .split_at_checked(count)
            .ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array: RFC 4251 `byte[n]`.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(*head)
    }

    /// RFC 4251 `byte`.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// RFC 4251 `boolean`: any value but zero is TRUE.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.u8()? != 0)
    }

    /// RFC 4251 `uint32`.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// RFC 4251 `uint64`.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// RFC 4251 `string`: the bytes without the length.
    pub fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u32()?).map_err(|_| DecodeError::Truncated)?;
        self.take(length)
    }

    /// A string of at most `cap` bytes.
    pub fn string_capped(&mut self, cap: usize) -> Result<&'a [u8], DecodeError> {
        let bytes = self.string()?;
        if bytes.len() > cap {
            return Err(DecodeError::TooLong);
        }
        Ok(bytes)
    }

    /// A string that must be UTF-8.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.string()?).map_err(|_| DecodeError::NotUtf8)
    }

    /// RFC 4251 `mpint`, not negative: the magnitude, big endian, without leading zero bytes.
    pub fn mpint(&mut self) -> Result<&'a [u8], DecodeError> {
        let bytes = self.string()?;
        if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(DecodeError::BadMpint);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.get(zeros..).ok_or(DecodeError::BadMpint)
    }

    /// RFC 4251 `name-list`.
    pub fn name_list(&mut self) -> Result<NameList<'a>, DecodeError> {
        NameList::parse(self.string()?)
    }

    /// Refuses bytes after the last field.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_in_order() {
        let bytes = [7, 1, 0, 0, 0, 2, 0, 0, 0, 3, b'a', b'b', b'c'];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8(), Ok(7));
        assert_eq!(reader.bool(), Ok(true));
        assert_eq!(reader.u32(), Ok(2));
        assert_eq!(reader.string(), Ok(&b"abc"[..]));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_length_past_the_end_is_truncated() {
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).string(),
            Err(DecodeError::Truncated)
        );
        assert_eq!(Reader::new(&[0, 0, 0]).u32(), Err(DecodeError::Truncated));
    }

    #[test]
    fn mpint_examples_of_rfc_4251() {
        assert_eq!(Reader::new(&[0, 0, 0, 0]).mpint(), Ok(&[][..]));
        let mut value = vec![0, 0, 0, 2, 0, 0x80];
        assert_eq!(Reader::new(&value).mpint(), Ok(&[0x80][..]));
        value = vec![0, 0, 0, 2, 0xed, 0xcc];
        assert_eq!(Reader::new(&value).mpint(), Err(DecodeError::BadMpint));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert_eq!(Reader::new(&[1]).finish(), Err(DecodeError::TrailingBytes));
    }
}
