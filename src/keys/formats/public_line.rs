//! The line of public key files and authorized_keys: `type base64 [comment]`.

use base64ct::{Base64, Encoding};

use crate::error::{Error, KeyFault};
use crate::keys::public::MAX_PUBLIC_BLOB;
use crate::keys::PublicKey;

/// Longest line that is looked at: the longest blob in base64 and a comment fit.
pub const MAX_LINE: usize = 16 * 1024;

/// Writes the line, without a newline.
pub(crate) fn write(key: &PublicKey, comment: &str) -> String {
    let mut line = format!("{} {}", key.key_type(), Base64::encode_string(key.blob()));
    if !comment.is_empty() {
        line.push(' ');
        // A comment must not be able to begin a line of its own.
        line.extend(
            comment
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c }),
        );
    }
    line
}

/// A line cut into its parts.
pub(crate) struct Parts<'a> {
    pub(crate) key_type: &'a str,
    pub(crate) blob: Vec<u8>,
    pub(crate) comment: &'a str,
}

impl<'a> Parts<'a> {
    /// Cuts a line.
    pub(crate) fn parse(line: &'a str) -> Result<Self, KeyFault> {
        if line.len() > MAX_LINE {
            return Err(KeyFault::Malformed("public key line is too long"));
        }
        let line = line.trim_matches([' ', '\t', '\r', '\n']);
        if line.contains(['\r', '\n', '\0']) {
            return Err(KeyFault::Malformed("line break inside a public key line"));
        }
        let (key_type, rest) = split_word(line);
        let (encoded, comment) = split_word(rest);
        if encoded.is_empty() || encoded.len() > MAX_PUBLIC_BLOB * 4 / 3 + 4 {
            return Err(KeyFault::Malformed("not of the form: type base64 comment"));
        }
        let blob = Base64::decode_vec(encoded)
            .map_err(|_| KeyFault::Malformed("bad base64 in the public key line"))?;
        Ok(Parts {
            key_type,
            blob,
            comment,
        })
    }

    /// The key. The type before the blob must be the one inside it.
    pub(crate) fn key(&self) -> Result<PublicKey, Error> {
        let key = PublicKey::from_blob(&self.blob)?;
        if key.key_type() != self.key_type {
            return Err(
                KeyFault::Malformed("type before the key is not the type inside it").into(),
            );
        }
        Ok(key)
    }
}

/// Parses the line.
pub(crate) fn read(line: &str) -> Result<(PublicKey, String), Error> {
    let parts = Parts::parse(line)?;
    Ok((parts.key()?, parts.comment.to_owned()))
}

/// The first word and what follows the blanks after it.
fn split_word(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_start_matches([' ', '\t'])),
        None => (text, ""),
    }
}

/// Reads a file with one such line.
pub(crate) fn load(bytes: &[u8]) -> Result<(PublicKey, String), Error> {
    let parts = find(bytes)?;
    Ok((parts.key()?, parts.comment.to_owned()))
}

/// Finds the one such line of a file.
pub(crate) fn find(bytes: &[u8]) -> Result<Parts<'_>, Error> {
    if bytes.len() > super::MAX_FILE {
        return Err(KeyFault::Malformed("file is too long for a key").into());
    }
    let text =
        std::str::from_utf8(bytes).map_err(|_| KeyFault::Malformed("public key is not text"))?;
    let mut lines = text
        .lines()
        .map(|line| line.trim_matches([' ', '\t', '\r']))
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines
        .next()
        .ok_or(KeyFault::Malformed("no public key in the file"))?;
    if lines.next().is_some() {
        return Err(KeyFault::Malformed("more than one line in a public key file").into());
    }
    Ok(Parts::parse(line)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::text;

    fn is_malformed(result: Result<(PublicKey, String), Error>) -> bool {
        matches!(result, Err(Error::Key(KeyFault::Malformed(_))))
    }

    #[test]
    fn blanks_and_comments_around_the_line() {
        let line = text("ed25519.pub");
        let line = line.trim_end();
        let (key, comment) = read(line).unwrap();
        assert_eq!(comment, "ed25519 test");
        for form in [
            format!("  {line}\r\n"),
            format!("# from\n\n{line}\n\n"),
            line.replace(' ', "\t"),
        ] {
            assert!(load(form.as_bytes()).unwrap().0 == key, "{form:?}");
        }
        let (bare, comment) = read(&write(&key, "")).unwrap();
        assert_eq!((bare == key, comment.as_str()), (true, ""));
    }

    #[test]
    fn a_comment_cannot_make_another_line() {
        let (key, _) = read(&text("ed25519.pub")).unwrap();
        let line = write(&key, "a\nssh-rsa AAAA\r\0b");
        assert!(line.ends_with(" a ssh-rsa AAAA  b"), "{line}");
    }

    #[test]
    fn broken_lines_are_malformed() {
        let line = text("ed25519.pub");
        let line = line.trim_end();
        let (name, rest) = line.split_once(' ').unwrap();
        for bad in [
            String::new(),
            name.to_owned(),
            format!("{name} "),
            format!("{name} !!!!"),
            format!("ssh-rsa {rest}"),
            format!("{line}\n{line}"),
            format!("{line}\0"),
            format!("{line}{}", "x".repeat(MAX_LINE)),
            line.replacen('A', "", 1),
        ] {
            assert!(is_malformed(read(&bad)), "{bad}");
            assert!(is_malformed(load(bad.as_bytes())), "{bad}");
        }
        assert!(is_malformed(load(b"\xff\xfe")));
        assert!(is_malformed(load(b"# nothing\n")));
        assert!(is_malformed(load(&vec![b'a'; super::super::MAX_FILE + 1])));
    }
}
