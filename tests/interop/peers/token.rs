//! An agent with security keys (FIDO), whose tokens are made of software: nobody need touch anything.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use base64ct::{Base64, Encoding};
use ed25519_dalek::Signer;
use sha2::{Digest, Sha256};

/// What tokens are asked for.
const APPLICATION: &[u8] = b"ssh:";
/// Somebody was there.
const TOUCHED: u8 = 1;

/// The key of a token.
#[derive(Clone)]
pub enum Token {
    Ed25519(ed25519_dalek::SigningKey),
    Ecdsa(p256::ecdsa::SigningKey),
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes(), bytes].concat()
}

fn mpint(digits: &[u8]) -> Vec<u8> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = &digits[zeros..];
    match digits.first() {
        Some(first) if first & 0x80 != 0 => string(&[&[0], digits].concat()),
        _ => string(digits),
    }
}

impl Token {
    /// Both kinds.
    pub fn all() -> Vec<Self> {
        vec![
            Token::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[7; 32])),
            Token::Ecdsa(p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a scalar")),
        ]
    }

    pub fn name(&self) -> &'static str {
        match self {
            Token::Ed25519(_) => "sk-ssh-ed25519@openssh.com",
            Token::Ecdsa(_) => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The public key as it is on the wire (OpenSSH, PROTOCOL.u2f).
    pub fn blob(&self) -> Vec<u8> {
        let key = match self {
            Token::Ed25519(key) => string(key.verifying_key().as_bytes()),
            Token::Ecdsa(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                [string(b"nistp256"), string(point.as_bytes())].concat()
            }
        };
        [string(self.name().as_bytes()), key, string(APPLICATION)].concat()
    }

    /// A line for authorized_keys.
    pub fn line(&self) -> String {
        format!("{} {}\n", self.name(), Base64::encode_string(&self.blob()))
    }

    fn sign(&self, data: &[u8]) -> Vec<u8> {
        let counter = 9_u32.to_be_bytes();
        let attested = [
            Sha256::digest(APPLICATION).as_slice(),
            &[TOUCHED],
            &counter,
            Sha256::digest(data).as_slice(),
        ]
        .concat();
        let signature = match self {
            Token::Ed25519(key) => key.sign(&attested).to_bytes().to_vec(),
            Token::Ecdsa(key) => {
                let signature: p256::ecdsa::Signature = key.sign(&attested);
                let bytes = signature.to_bytes();
                let (r, s) = bytes.split_at(32);
                [mpint(r), mpint(s)].concat()
            }
        };
        [
            string(self.name().as_bytes()),
            string(&signature),
            vec![TOUCHED],
            counter.to_vec(),
        ]
        .concat()
    }

    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let field = |at: usize| {
            let length = u32::from_be_bytes(request[at..at + 4].try_into().expect("a length"));
            let start = at + 4;
            let end = start + usize::try_from(length).expect("short");
            (request[start..end].to_vec(), end)
        };
        match request[0] {
            11 => [
                vec![12, 0, 0, 0, 1],
                string(&self.blob()),
                string(b"a token"),
            ]
            .concat(),
            13 => {
                let (blob, at) = field(1);
                let (data, _) = field(at);
                match blob == self.blob() {
                    true => [vec![14], string(&self.sign(&data))].concat(),
                    false => vec![5],
                }
            }
            _ => vec![5],
        }
    }

    /// Answers at `socket`, for as long as the test runs.
    pub fn serve(&self, socket: &Path) -> PathBuf {
        let listener = UnixListener::bind(socket).expect("a socket");
        let token = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let token = token.clone();
                thread::spawn(move || token.talk(stream));
            }
        });
        socket.to_owned()
    }

    fn talk(&self, mut stream: UnixStream) {
        let mut head = [0; 4];
        while stream.read_exact(&mut head).is_ok() {
            let length = usize::try_from(u32::from_be_bytes(head)).expect("short");
            let mut request = vec![0; length];
            if stream.read_exact(&mut request).is_err() {
                return;
            }
            let answer = string(&self.answer(&request));
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
    }
}
