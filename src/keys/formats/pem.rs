//! The textual encoding around the formats of private keys and some of public ones: RFC 7468, and the headers of RFC 1421 that OpenSSL
//! puts into its oldest encrypted form.
//!
//! Reading is lenient about what people do to files: line ends of either kind, blanks around lines, any line
//! length, text and other blocks (certificates, EC PARAMETERS) before and after.

use base64ct::{Base64, Encoding};
use pem_rfc7468::LineEnding;
use zeroize::Zeroizing;

use crate::error::{Error, KeyFault};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// The block of a key in a file.
pub(crate) struct Document<'a> {
    /// What stands between `BEGIN` and the dashes.
    pub(crate) label: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: Vec<&'a [u8]>,
}

impl<'a> Document<'a> {
    /// Finds the first block whose label ends in `PRIVATE KEY`.
    pub(crate) fn find(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::find_labelled(bytes, "PRIVATE KEY")?
            .ok_or(KeyFault::Malformed("no private key in the file").into())
    }

    /// Finds the first block whose label has the given end.
    pub(crate) fn find_labelled(bytes: &'a [u8], end: &str) -> Result<Option<Self>, Error> {
        let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let label = loop {
            let Some(line) = lines.next() else {
                return Ok(None);
            };
            refuse_foreign(line)?;
            if let Some(label) = label_of(line, BEGIN) {
                if label.ends_with(end) {
                    break label;
                }
            }
        };
        let mut content = Vec::new();
        loop {
            let line = lines
                .next()
                .ok_or(KeyFault::Malformed("the end of the key is missing"))?;
            if line.starts_with(DASHES) {
                if label_of(line, END) != Some(label) {
                    return Err(KeyFault::Malformed("begin and end of the key differ").into());
                }
                break;
            }
            content.push(line);
        }
        let (headers, body) = split_headers(content)?;
        Ok(Some(Document {
            label,
            headers,
            body,
        }))
    }

    /// The value of a header of RFC 1421.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, value)| *value)
    }

    /// The bytes, decoded in constant time.
    pub(crate) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        const FAULT: KeyFault = KeyFault::Malformed("bad base64 in the key");
        let mut joined = Zeroizing::new(Vec::with_capacity(
            self.body.iter().map(|line| line.len()).sum(),
        ));
        for line in &self.body {
            joined.extend_from_slice(line);
        }
        let text = std::str::from_utf8(&joined).map_err(|_| FAULT)?;
        let bytes = Zeroizing::new(Base64::decode_vec(text).map_err(|_| FAULT)?);
        if bytes.is_empty() {
            return Err(KeyFault::Malformed("empty key").into());
        }
        Ok(bytes)
    }
}

/// A format of another program, so that its users learn more than "malformed".
fn refuse_foreign(line: &[u8]) -> Result<(), KeyFault> {
    if line.starts_with(b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
        return Err(KeyFault::Unsupported("ssh.com private key".into()));
    }
    Ok(())
}

fn label_of<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a str> {
    let label = line.strip_prefix(start)?.strip_suffix(DASHES)?;
    std::str::from_utf8(label)
        .ok()
        .filter(|label| label.len() <= 64 && !label.chars().any(char::is_control))
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

/// Headers stand before the first empty line, if the first line is one.
fn split_headers(content: Vec<&[u8]>) -> Result<(Headers<'_>, Vec<&[u8]>), KeyFault> {
    let mut headers = Vec::new();
    let mut lines = content.into_iter().peekable();
    if lines.peek().is_some_and(|line| line.contains(&b':')) {
        for line in lines.by_ref() {
            if line.is_empty() {
                break;
            }
            let line = std::str::from_utf8(line)
                .map_err(|_| KeyFault::Malformed("bad header in the key"))?;
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim(), value.trim()));
            }
        }
    }
    Ok((headers, lines.collect()))
}

/// Writes a block with lines of 64 characters.
pub(crate) fn write(label: &str, bytes: &[u8]) -> Result<Zeroizing<String>, Error> {
    pem_rfc7468::encode_string(label, LineEnding::LF, bytes)
        .map(Zeroizing::new)
        .map_err(|_| Error::Bug("PEM encoding failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Error {
        match Document::find(text.as_bytes()).and_then(|document| document.decode()) {
            Ok(_) => panic!("{text:?} was taken"),
            Err(error) => error,
        }
    }

    #[test]
    fn blanks_line_ends_and_other_blocks_are_tolerated() {
        for text in [
            "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----",
            "\r\n hello\r\n-----BEGIN PRIVATE KEY-----\r\nAQ\r\nID\r\n-----END PRIVATE KEY-----\r\nbye",
            "  -----BEGIN PRIVATE KEY-----  \n\tAQID \n\n-----END PRIVATE KEY-----\n\n",
            "-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n\
             -----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n",
        ] {
            let document = Document::find(text.as_bytes()).unwrap();
            assert_eq!(document.label, "PRIVATE KEY");
            assert_eq!(**document.decode().unwrap(), [1, 2, 3]);
        }
    }

    #[test]
    fn headers_are_read() {
        let text =
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nAQID\n\
                    -----END RSA PRIVATE KEY-----\n";
        let document = Document::find(text.as_bytes()).unwrap();
        assert_eq!(document.header("Proc-Type"), Some("4,ENCRYPTED"));
        assert_eq!(document.header("DEK-Info"), Some("X,00"));
        assert_eq!(document.header("Other"), None);
        assert_eq!(**document.decode().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn broken_blocks_are_malformed() {
        for text in [
            "",
            "ssh-ed25519 AAAA",
            "-----BEGIN PRIVATE KEY-----\nAQID\n",
            "-----BEGIN PRIVATE KEY-----\nAQID\n-----END RSA PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nAQI!\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nAQI\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
            "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n",
        ] {
            assert!(matches!(fault(text), Error::Key(KeyFault::Malformed(_))));
        }
        assert!(matches!(
            fault("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"),
            Error::Key(KeyFault::Unsupported(_))
        ));
    }
}
