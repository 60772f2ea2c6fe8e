//! The public key file of RFC 4716, which SSH.COM and many appliances use.

use base64ct::{Base64, Encoding};

use crate::error::KeyFault;
use crate::keys::public::MAX_PUBLIC_BLOB;
use crate::keys::PublicKey;

const BEGIN: &str = "---- BEGIN SSH2 PUBLIC KEY ----";
const END: &str = "---- END SSH2 PUBLIC KEY ----";
/// RFC 4716 §3: a line has at most 72 bytes. ssh-keygen fills 70 of them.
const MAX_LINE: usize = 72;
const BASE64_LINE: usize = 70;
/// RFC 4716 §3.3: the longest value of a header.
const MAX_VALUE: usize = 1024;

/// Whether a line, without blanks around it, begins such a key.
pub(crate) fn is_begin(line: &[u8]) -> bool {
    line == BEGIN.as_bytes()
}

/// The blob and the comment of the first key in a file.
pub(crate) fn find(bytes: &[u8]) -> Result<(Vec<u8>, String), KeyFault> {
    const FAULT: KeyFault = KeyFault::Malformed("not an RFC 4716 public key");
    let mut lines = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    let mut begins = lines
        .by_ref()
        .skip_while(|line| !is_begin(line.trim_ascii()));
    begins.next().ok_or(FAULT)?;
    let mut comment = String::new();
    let mut encoded = String::new();
    loop {
        let line = lines.next().ok_or(FAULT)?.trim_ascii_start();
        if line == END.as_bytes() {
            break;
        }
        if !line.contains(&b':') {
            encoded.push_str(std::str::from_utf8(line).map_err(|_| FAULT)?);
            if encoded.len() > MAX_PUBLIC_BLOB * 4 / 3 + 4 {
                return Err(KeyFault::Malformed("public key is too long"));
            }
            continue;
        }
        if !encoded.is_empty() {
            return Err(KeyFault::Malformed("header behind the key it belongs to"));
        }
        if let Some(value) = read_header(line, &mut lines)? {
            comment = value;
        }
    }
    let blob = Base64::decode_vec(&encoded)
        .map_err(|_| KeyFault::Malformed("bad base64 in the public key"))?;
    Ok((blob, comment))
}

/// The value of a header that may go on over several lines, if it is the comment; others mean nothing here. Blanks at the
/// beginning of a line that goes on belong to the value.
fn read_header<'a>(
    first: &[u8],
    lines: &mut impl Iterator<Item = &'a [u8]>,
) -> Result<Option<String>, KeyFault> {
    const FAULT: KeyFault = KeyFault::Malformed("bad header of the public key");
    let mut header = first.to_vec();
    while header.last() == Some(&b'\\') {
        header.pop();
        header.extend_from_slice(lines.next().ok_or(FAULT)?);
        if header.len() > 2 * MAX_VALUE {
            return Err(FAULT);
        }
    }
    let header = String::from_utf8_lossy(&header);
    let (name, value) = header.split_once(':').ok_or(FAULT)?;
    if !name.trim().eq_ignore_ascii_case("comment") {
        return Ok(None);
    }
    let value = value.trim();
    let inside = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    Ok(Some(inside.unwrap_or(value).to_owned()))
}

/// Writes the file.
pub(crate) fn write(key: &PublicKey, comment: &str) -> String {
    let mut text = format!("{BEGIN}\n");
    if !comment.is_empty() {
        write_comment(&mut text, comment);
    }
    let encoded = Base64::encode_string(key.blob());
    for (at, letter) in encoded.char_indices() {
        if at > 0 && at % BASE64_LINE == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push('\n');
    text.push_str(END);
    text.push('\n');
    text
}

/// A comment may hold anything but line breaks; a long one goes on behind a backslash.
fn write_comment(text: &mut String, comment: &str) {
    let mut value = String::from("\"");
    for letter in comment.chars() {
        let letter = if letter.is_control() { ' ' } else { letter };
        if value.len().saturating_add(letter.len_utf8()) >= MAX_VALUE {
            break;
        }
        value.push(letter);
    }
    value.push('"');
    let mut length = 0_usize;
    for letter in "Comment: ".chars().chain(value.chars()) {
        let next = length.saturating_add(letter.len_utf8());
        length = if next >= MAX_LINE {
            text.push_str("\\\n");
            letter.len_utf8()
        } else {
            next
        };
        text.push(letter);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::keys::test_support::fixture;

    fn read(bytes: &[u8]) -> Result<(PublicKey, String), Error> {
        let (blob, comment) = find(bytes)?;
        Ok((PublicKey::from_blob(&blob)?, comment))
    }

    fn key(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    fn is_malformed(text: &str) -> bool {
        matches!(
            read(text.as_bytes()),
            Err(Error::Key(KeyFault::Malformed(_)))
        )
    }

    #[test]
    fn what_is_written_is_read() {
        let long = "long ".repeat(60);
        for kind in ["ed25519", "p521", "rsa", "rsa9216"] {
            for comment in [
                "",
                "someone",
                "a: b",
                "ü\u{1f600}",
                "ends in \\",
                long.trim(),
            ] {
                let text = write(&key(kind), comment);
                assert!(text.lines().all(|line| line.len() <= MAX_LINE), "{text}");
                let (again, found) = read(text.as_bytes()).unwrap();
                assert!(again == key(kind));
                assert_eq!(found, comment);
            }
        }
        let text = write(&key("ed25519"), "a\nb\r\0c");
        assert_eq!(read(text.as_bytes()).unwrap().1, "a b  c");
        let text = write(&key("ed25519"), &"é".repeat(MAX_VALUE));
        assert_eq!(read(text.as_bytes()).unwrap().1.len(), MAX_VALUE - 2);
    }

    #[test]
    fn forms_of_other_programs() {
        let text = write(&key("ed25519"), "name");
        for (form, comment) in [
            (text.replace('\n', "\r\n"), "name"),
            (format!("Key of somebody\n\n{text}and more\n"), "name"),
            (text.replace("\"name\"", "unquoted name"), "unquoted name"),
            (
                text.replace(
                    "Comment: ",
                    "Subject: me\nx-any: thing \\\n   more\\\n: x\nCOMMENT:",
                ),
                "name",
            ),
            (text.replace("\"name\"", "\"na\\\nme\""), "name"),
            (text.replace("Comment: \"name\"\n", ""), ""),
        ] {
            let (again, found) = read(form.as_bytes()).unwrap();
            assert!(again == key("ed25519"));
            assert_eq!(found, comment, "{form}");
        }
    }

    #[test]
    fn broken_files_are_malformed() {
        let text = write(&key("ed25519"), "name");
        for bad in [
            String::new(),
            text.replace(BEGIN, "---- BEGIN SSH2 PRIVATE KEY ----"),
            text.replace(END, ""),
            text.replace("\"name\"", "name\\"),
            text.replace("AAAA", "AAA"),
            text.replace("AAAA", "AA!A"),
            text.replace(END, &format!("Comment: late\n{END}")),
            text.replace("Comment", &format!("Comment: {}", "x\\\n".repeat(3000))),
            format!("{BEGIN}\n{END}\n"),
            format!("{BEGIN}\n{}\n{END}\n", "AAAA\n".repeat(100_000)),
        ] {
            assert!(is_malformed(&bad), "{bad}");
        }
    }
}
