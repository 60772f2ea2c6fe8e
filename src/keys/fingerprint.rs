//! Short forms of public keys for people to compare: hashes, a drawing, and the record that DNS has of a host key.

use base64ct::{Base64Unpadded, Encoding};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{KeyKind, PublicKey};

/// The hash of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintHash {
    /// What everybody shows today.
    Sha256,
    /// What was shown until 2015, to compare with what is written down somewhere. It proves nothing: other keys with the
    /// same MD5 can be made.
    Md5,
}

impl FingerprintHash {
    fn name(self) -> &'static str {
        match self {
            FingerprintHash::Sha256 => "SHA256",
            FingerprintHash::Md5 => "MD5",
        }
    }

    fn of(self, blob: &[u8]) -> Vec<u8> {
        match self {
            FingerprintHash::Sha256 => Sha256::digest(blob).to_vec(),
            FingerprintHash::Md5 => Md5::digest(blob).to_vec(),
        }
    }
}

/// The fingerprint of a blob, whatever its type: `SHA256:` and base64, or `MD5:` and bytes in hexadecimal with colons.
pub fn fingerprint(blob: &[u8], hash: FingerprintHash) -> String {
    let digest = hash.of(blob);
    let text = match hash {
        FingerprintHash::Sha256 => Base64Unpadded::encode_string(&digest),
        FingerprintHash::Md5 => {
            let bytes: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            bytes.join(":")
        }
    };
    format!("{}:{text}", hash.name())
}

const WIDTH: usize = 17;
const HEIGHT: usize = 9;
/// How often a place was visited, from never to often; then the first place and the last one.
const MARKS: &[u8; 17] = b" .o+=*BOX@%&#/^SE";
const MOST_VISITS: usize = 14;
const START: usize = 15;
const END: usize = 16;

/// The drawing that `ssh-keygen -lv` shows: a walk over a board that the hash leads, two bits a step. Lines have newlines
/// between them and none at the end.
pub fn randomart(key: &PublicKey, hash: FingerprintHash) -> String {
    let mut board = [[0_usize; WIDTH]; HEIGHT];
    let (mut x, mut y) = (WIDTH / 2, HEIGHT / 2);
    for byte in hash.of(key.blob()) {
        for shift in [0, 2, 4, 6] {
            let step = byte >> shift;
            x = walk(x, step & 1 != 0, WIDTH);
            y = walk(y, step & 2 != 0, HEIGHT);
            if let Some(place) = place(&mut board, x, y) {
                *place = MOST_VISITS.min(*place + 1);
            }
        }
    }
    for (x, y, mark) in [(WIDTH / 2, HEIGHT / 2, START), (x, y, END)] {
        if let Some(place) = place(&mut board, x, y) {
            *place = mark;
        }
    }
    let kind = match key.kind() {
        KeyKind::Ed25519 => "ED25519",
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => "ECDSA",
        KeyKind::Rsa => "RSA",
        KeyKind::SkEd25519 => "ED25519-SK",
        KeyKind::SkEcdsaP256 => "ECDSA-SK",
    };
    let mut art = edge(&format!("[{kind} {}]", key.bits()));
    for row in board {
        let marks = row.iter().filter_map(|visits| MARKS.get(*visits));
        art.push_str("\n|");
        art.extend(marks.map(|mark| char::from(*mark)));
        art.push('|');
    }
    art.push('\n');
    art.push_str(&edge(&format!("[{}]", hash.name())));
    art
}

/// One step, unless the wall is there.
fn walk(at: usize, up: bool, end: usize) -> usize {
    match up {
        true => at.saturating_add(1).min(end.saturating_sub(1)),
        false => at.saturating_sub(1),
    }
}

fn place(board: &mut [[usize; WIDTH]; HEIGHT], x: usize, y: usize) -> Option<&mut usize> {
    board.get_mut(y)?.get_mut(x)
}

/// A title in the middle of a line.
fn edge(title: &str) -> String {
    let before = WIDTH.saturating_sub(title.len()) / 2;
    let after = WIDTH.saturating_sub(title.len()).saturating_sub(before);
    format!("+{}{title}{}+", "-".repeat(before), "-".repeat(after))
}

/// The hash in an SSHFP record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshfpHash {
    /// RFC 4255.
    Sha1,
    /// RFC 6594.
    Sha256,
}

/// The data of the SSHFP record of a host key, as text: algorithm, type of hash, hash. `None` for keys in authenticators, which
/// are no host keys and have no number.
pub fn sshfp(key: &PublicKey, hash: SshfpHash) -> Option<String> {
    let algorithm = sshfp_algorithm(key.kind())?;
    let (number, digest) = match hash {
        SshfpHash::Sha1 => (1, Sha1::digest(key.blob()).to_vec()),
        SshfpHash::Sha256 => (2, Sha256::digest(key.blob()).to_vec()),
    };
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{algorithm} {number} {hex}"))
}

/// RFC 4255 §3.1.1, RFC 6594 §5.3, RFC 7479 §2.
fn sshfp_algorithm(kind: KeyKind) -> Option<u8> {
    match kind {
        KeyKind::Rsa => Some(1),
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => Some(3),
        KeyKind::Ed25519 => Some(4),
        KeyKind::SkEd25519 | KeyKind::SkEcdsaP256 => None,
    }
}

/// Whether the data of an SSHFP record, as text, are those of the key. The hash may have blanks in it, as zone files do.
pub fn is_sshfp_of(record: &str, key: &PublicKey) -> bool {
    let mut words = record.split_ascii_whitespace();
    let (Some(algorithm), Some(number)) = (words.next(), words.next()) else {
        return false;
    };
    let hash = match number {
        "1" => SshfpHash::Sha1,
        "2" => SshfpHash::Sha256,
        _ => return false,
    };
    let hex: String = words.collect();
    let given = format!("{algorithm} {number} {hex}");
    sshfp(key, hash).is_some_and(|own| given.eq_ignore_ascii_case(&own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::fixture;

    fn key(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    /// `ssh-keygen -lv -E md5 -f ed25519.pub` and `-E sha256`.
    #[test]
    fn as_ssh_keygen_shows_them() {
        let key = key("ed25519");
        assert_eq!(fingerprint(key.blob(), FingerprintHash::Md5), MD5);
        assert_eq!(randomart(&key, FingerprintHash::Md5), ART_MD5.trim());
        assert_eq!(randomart(&key, FingerprintHash::Sha256), ART_SHA256.trim());
        assert_eq!(
            fingerprint(key.blob(), FingerprintHash::Sha256),
            key.fingerprint()
        );
    }

    /// `ssh-keygen -r host`.
    #[test]
    fn records_as_ssh_keygen_makes_them() {
        for (kind, algorithm) in [("rsa", 1), ("p256", 3), ("p521", 3), ("ed25519", 4)] {
            let key = key(kind);
            let record = sshfp(&key, SshfpHash::Sha256).unwrap();
            assert!(record.starts_with(&format!("{algorithm} 2 ")), "{record}");
            assert_eq!(record.len(), 4 + 64);
            assert!(is_sshfp_of(&record, &key));
            assert!(is_sshfp_of(&record.to_uppercase(), &key));
            let (head, tail) = record.split_at(20);
            assert!(is_sshfp_of(&format!(" {head} \t{tail}\n"), &key));
            assert!(is_sshfp_of(&sshfp(&key, SshfpHash::Sha1).unwrap(), &key));
            for bad in [
                "",
                "4",
                "4 2",
                "4 2 00",
                "4 3 00",
                &record[..record.len() - 2],
            ] {
                assert!(!is_sshfp_of(bad, &key), "{bad}");
            }
            assert!(!is_sshfp_of(&format!("{record}00"), &key));
        }
        assert_eq!(
            sshfp(&key("ed25519"), SshfpHash::Sha1).unwrap(),
            RECORD_SHA1
        );
        assert_eq!(
            sshfp(&key("ed25519"), SshfpHash::Sha256).unwrap(),
            RECORD_SHA256
        );
        assert!(!is_sshfp_of(RECORD_SHA256, &key("rsa")));
    }

    const MD5: &str = "MD5:f9:01:4d:ba:85:34:ba:9b:39:13:1e:c3:90:75:c3:fe";
    const RECORD_SHA1: &str = "4 1 f1b48107cb7d3087503e961ba037f33b4cd61640";
    const RECORD_SHA256: &str =
        "4 2 efb71c0dd69bbc59b1abccdb9b44fe656a565234b4e5f938bd45fc4bf20956ba";
    const ART_MD5: &str = r"
+--[ED25519 256]--+
|      ..= .      |
|     o +.B       |
|    o ..+ o      |
|     o ..=       |
|      * S..      |
|     . B .E.     |
|      B   .      |
|       o         |
|                 |
+------[MD5]------+
";
    const ART_SHA256: &str = r"
+--[ED25519 256]--+
|              ...|
|               +=|
|               ==|
|             .o++|
|        S   o=+==|
|         . ..+X+O|
|          . .E=@+|
|         . .+.=*=|
|          ..oO*=o|
+----[SHA256]-----+
";
}
