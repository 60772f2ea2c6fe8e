//! The identification line (RFC 4253 §4.2) and the text that may stand before it.

use crate::codec::printable;
use crate::error::{Error, IdentificationFault};
use crate::messages::Role;

/// Longest identification line, CR LF included (RFC 4253 §4.2).
const MAX_IDENT_BYTES: usize = 255;
/// Most lines of text that a client reads before the identification line.
const MAX_TEXT_LINES: usize = 1024;
/// Longest line of that text, line end included.
const MAX_TEXT_BYTES: usize = 8192;

/// The peer's identification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The line as received without CR LF, as the exchange hash needs it.
    pub bytes: Vec<u8>,
    /// The software version, made printable, without comments.
    pub software: String,
}

impl Ident {
    /// Parses a line without its CR LF. `receiver` is our own role.
    pub fn parse(line: &[u8], receiver: Role) -> Result<Self, Error> {
        let fault = |fault| Err(Error::Identification(fault));
        if line.contains(&0) {
            return fault(IdentificationFault::Malformed);
        }
        let mut parts = line.splitn(3, |byte| *byte == b'-');
        let (Some(b"SSH"), Some(version), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return fault(IdentificationFault::Malformed);
        };
        // RFC 4253 §5.1: a server that also speaks the old protocol says 1.99; no client does.
        let known = match receiver {
            Role::Client => version == b"2.0" || version == b"1.99",
            Role::Server => version == b"2.0",
        };
        if !known {
            return fault(IdentificationFault::Version(printable(version, 32)));
        }
        let software = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
        Ok(Ident {
            bytes: line.to_vec(),
            software: printable(software, MAX_IDENT_BYTES),
        })
    }
}

/// What one call of [`IdentReader::feed`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentProgress {
    /// Bytes of the input that were used. What follows the identification line is left.
    pub consumed: usize,
    /// The identification, once its line is complete.
    pub line: Option<Ident>,
}

/// Finds the peer's identification line in a stream that arrives in pieces.
#[derive(Debug)]
pub struct IdentReader {
    receiver: Role,
    partial: Vec<u8>,
    text_lines: usize,
    text: Vec<String>,
}

impl IdentReader {
    /// A reader for the side that plays `receiver`.
    pub fn new(receiver: Role) -> Self {
        IdentReader {
            receiver,
            partial: Vec::new(),
            text_lines: 0,
            text: Vec::new(),
        }
    }

    /// Takes bytes until the identification line is complete or the input is used up.
    pub fn feed(&mut self, input: &[u8]) -> Result<IdentProgress, Error> {
        let mut consumed = 0;
        let mut rest = input;
        while !rest.is_empty() {
            let (piece, complete) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => (rest.get(..=end).unwrap_or(rest), true),
                None => (rest, false),
            };
            // Nothing beyond the cap is stored, however much arrives in one piece.
            let room = MAX_TEXT_BYTES.saturating_sub(self.partial.len());
            self.partial
                .extend_from_slice(piece.get(..room).unwrap_or(piece));
            self.check_length(piece.len() > room)?;
            consumed += piece.len();
            rest = rest.get(piece.len()..).unwrap_or_default();
            if complete {
                if let Some(line) = self.end_line()? {
                    return Ok(IdentProgress {
                        consumed,
                        line: Some(line),
                    });
                }
            }
        }
        Ok(IdentProgress {
            consumed,
            line: None,
        })
    }

    /// The lines of text that came before the identification line since the last call, made printable.
    /// Only a client ever has any.
    pub fn take_banner_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.text)
    }

    fn check_length(&self, beyond_cap: bool) -> Result<(), Error> {
        let is_ident = self.receiver == Role::Server || self.partial.starts_with(b"SSH-");
        if is_ident && self.partial.len() > MAX_IDENT_BYTES {
            return Err(Error::Identification(IdentificationFault::TooLong));
        }
        if beyond_cap {
            return Err(Error::Identification(IdentificationFault::TooMuchText));
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Ident>, Error> {
        let taken = std::mem::take(&mut self.partial);
        let line = taken.strip_suffix(b"\n").unwrap_or(&taken);
        // Deployed peers end the line with LF alone, which RFC 4253 §4.2 asks to be tolerated.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"SSH-") {
            return Ident::parse(line, self.receiver).map(Some);
        }
        // RFC 4253 §4.2: only the server may send other lines before.
        if self.receiver == Role::Server {
            return Err(Error::Identification(IdentificationFault::UnexpectedText));
        }
        self.text_lines += 1;
        if self.text_lines > MAX_TEXT_LINES {
            return Err(Error::Identification(IdentificationFault::TooMuchText));
        }
        self.text.push(printable(line, MAX_TEXT_BYTES));
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(receiver: Role, input: &[u8]) -> Result<IdentProgress, Error> {
        IdentReader::new(receiver).feed(input)
    }

    fn fault(receiver: Role, input: &[u8]) -> IdentificationFault {
        match read(receiver, input) {
            Err(Error::Identification(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn line_is_found_and_the_rest_left() {
        let progress = read(Role::Client, b"SSH-2.0-OpenSSH_9.6 Debian-1\r\n\0\0\0\x10").unwrap();
        assert_eq!(progress.consumed, 30);
        let ident = progress.line.unwrap();
        assert_eq!(ident.bytes, b"SSH-2.0-OpenSSH_9.6 Debian-1");
        assert_eq!(ident.software, "OpenSSH_9.6");
    }

    #[test]
    fn b1_server_refuses_at_byte_256() {
        let mut reader = IdentReader::new(Role::Server);
        assert!(reader.feed(&[b'S'; 255]).is_ok());
        let error = reader.feed(b"S").unwrap_err();
        assert_eq!(error, Error::Identification(IdentificationFault::TooLong));
        let huge = vec![b'x'; 10 << 20];
        let mut reader = IdentReader::new(Role::Server);
        assert!(reader.feed(&huge).is_err());
        assert!(reader.partial.capacity() <= 2 * MAX_TEXT_BYTES);
        let line = [&b"SSH-2.0-"[..], &[b'x'; 245], b"\r\n"].concat();
        assert_eq!(line.len(), 255);
        assert!(read(Role::Server, &line).unwrap().line.is_some());
    }

    #[test]
    fn b2_server_refuses_text_before_the_line() {
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n";
        assert_eq!(
            fault(Role::Server, request),
            IdentificationFault::UnexpectedText
        );
    }

    #[test]
    fn b3_client_limits_text_before_the_line() {
        let mut reader = IdentReader::new(Role::Client);
        reader.feed(&b"hi\0\x1b[2J\r\n".repeat(1024)).unwrap();
        let lines = reader.take_banner_lines();
        assert_eq!(lines.len(), 1024);
        assert_eq!(lines[0], "hi\\u{0}\\u{1b}[2J");
        assert_eq!(
            reader.feed(b"one more\n").unwrap_err(),
            Error::Identification(IdentificationFault::TooMuchText)
        );
        assert!(read(
            Role::Client,
            &[&[b'x'; 8191][..], b"\nSSH-2.0-x\n"].concat()
        )
        .is_ok());
        assert_eq!(
            fault(Role::Client, &[b'x'; 8193]),
            IdentificationFault::TooMuchText
        );
    }

    #[test]
    fn b4_versions_and_line_ends() {
        for receiver in [Role::Client, Role::Server] {
            assert_eq!(
                fault(receiver, b"SSH-1.5-x\r\n"),
                IdentificationFault::Version("1.5".into())
            );
            assert_eq!(
                fault(receiver, b"SSH-2.0\r\n"),
                IdentificationFault::Malformed
            );
            assert_eq!(
                fault(receiver, b"SSH-2.0-a\0b\r\n"),
                IdentificationFault::Malformed
            );
            let ident = read(receiver, b"SSH-2.0-x y\n").unwrap().line.unwrap();
            assert_eq!(ident.bytes, b"SSH-2.0-x y");
        }
        assert!(read(Role::Client, b"SSH-1.99-x\r\n").is_ok());
        assert!(read(Role::Server, b"SSH-1.99-x\r\n").is_err());
        let long = [&b"SSH-2.0-"[..], &[b'x'; 300], b"\r\n"].concat();
        assert_eq!(fault(Role::Client, &long), IdentificationFault::TooLong);
    }

    #[test]
    fn b5_one_byte_at_a_time() {
        let stream = b"hello\r\nSSH-2.0-x\r\nrest";
        let mut reader = IdentReader::new(Role::Client);
        let mut found = None;
        for (index, byte) in stream.iter().enumerate() {
            let progress = reader.feed(std::slice::from_ref(byte)).unwrap();
            assert_eq!(progress.consumed, 1);
            if let Some(line) = progress.line {
                found = Some((index, line));
                break;
            }
        }
        let (index, line) = found.unwrap();
        assert_eq!((index, &line.bytes[..]), (17, &b"SSH-2.0-x"[..]));
        assert_eq!(reader.take_banner_lines(), ["hello"]);
    }
}
