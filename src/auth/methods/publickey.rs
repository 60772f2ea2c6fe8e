//! The method `publickey` (RFC 4252 §7), with the RSA signature algorithms of RFC 8332.

use crate::auth::SERVICE_CONNECTION;
use crate::codec::{Reader, Writer};
use crate::crypto::algorithms::{self, name::SSH_RSA};
use crate::error::{Error, NoCommonAlgorithm};
use crate::keys::{Algorithm, Credential, KeyKind, ShownKey};
use crate::messages::userauth::{MethodFields, METHOD_PUBLICKEY, METHOD_PUBLICKEY_HOSTBOUND};
use crate::messages::MessageNumber;

/// Who is to be let in, and by what.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Subject<'a> {
    pub(in crate::auth) user: &'a str,
    /// The name of the algorithm in the request.
    pub(in crate::auth) algorithm: &'a str,
    /// The key or certificate.
    pub(in crate::auth) blob: &'a [u8],
    /// The host key that the signature is bound to; makes the method the one of OpenSSH, PROTOCOL §3.1.
    pub(in crate::auth) host_key: Option<&'a [u8]>,
}

impl Subject<'_> {
    fn method(&self) -> &'static str {
        match self.host_key {
            Some(_) => METHOD_PUBLICKEY_HOSTBOUND,
            None => METHOD_PUBLICKEY,
        }
    }

    /// The client's request; without a signature it asks whether the key would do.
    pub(in crate::auth) fn request(&self, signature: Option<&[u8]>) -> Vec<u8> {
        let length = self.algorithm.len()
            + self.blob.len()
            + self.host_key.map_or(0, <[u8]>::len)
            + signature.map_or(0, <[u8]>::len);
        let fields = MethodFields::PublicKey {
            algorithm: self.algorithm,
            blob: self.blob,
            host_key: self.host_key,
            signature,
        };
        super::request(self.user, self.method(), &fields, length)
    }

    /// What is signed. It binds the signature to this connection, user, service, algorithm and key.
    pub(in crate::auth) fn signed_data(&self, session_id: &[u8]) -> Vec<u8> {
        Writer::collect(|w| {
            w.string(session_id)
                .u8(MessageNumber::USERAUTH_REQUEST.0)
                .string(self.user)
                .string(SERVICE_CONNECTION)
                .string(self.method())
                .bool(true)
                .string(self.algorithm)
                .string(self.blob);
            if let Some(host_key) = self.host_key {
                w.string(host_key);
            }
        })
    }
}

/// The algorithm the client signs with.
///
/// Only RSA keys have a choice. RFC 8308 §3.1 makes `server-sig-algs` a list that may leave out what the
/// server accepts, and deployed servers do; so for keys with one algorithm the attempt itself finds out.
/// Where the server sent no list, our own first choice is tried (RFC 8332 §3.3), or `ssh-rsa` where it was
/// allowed: the application named it for servers that are too old to send one. A key that was limited to some of its
/// algorithms is allowed those, in their order.
pub(in crate::auth) fn choose_algorithm(
    key: &Credential,
    allowed: &[&'static str],
    server_sig_algs: Option<&[String]>,
) -> Result<&'static str, Error> {
    let list = server_sig_algs.filter(|_| key.is_rsa());
    // What this library can verify is allowed by name. Nothing is known against the others, which an agent or a token
    // signs by.
    let ours = |name: &str| KeyKind::from_signature_algorithm(name).is_some();
    let is_allowed = |own: &&Algorithm| {
        key.is_limited() || allowed.contains(&own.signature) || !ours(own.signature)
    };
    let mut own = key.algorithms().iter().filter(is_allowed);
    let allows_sha1 = own.clone().any(|own| own.signature == SSH_RSA);
    let chosen = match list {
        // The list has the names of signatures, also for certificates.
        Some(list) => own.find(|own| list.iter().any(|offered| offered == own.signature)),
        None if allows_sha1 => own.find(|own| own.signature == SSH_RSA),
        None => own.next(),
    };
    let names = |names: &mut dyn Iterator<Item = &'static str>| names.map(str::to_owned).collect();
    chosen.map(|chosen| chosen.name).ok_or_else(|| {
        Error::NoCommonAlgorithm(Box::new(NoCommonAlgorithm {
            list: "public key signature",
            local: match key.is_limited() {
                true => names(&mut key.algorithms().iter().map(|own| own.signature)),
                false => names(&mut allowed.iter().copied()),
            },
            peer: list.unwrap_or_default().to_vec(),
        }))
    })
}

/// The key in a request to the server, and the algorithm it signs with; `None` where that is not accepted, the blob is
/// not what the name of the algorithm says, or is no good key.
pub(in crate::auth) fn presented(
    algorithm: &str,
    blob: &[u8],
    accepted: &[&'static str],
) -> Option<(ShownKey, &'static str)> {
    let entry = algorithms::signature(algorithm)?;
    if !accepted.contains(&entry.signs_as) {
        return None;
    }
    ShownKey::read(entry, blob).map(|shown| (shown, entry.signs_as))
}

/// Whether a signature blob names `algorithm` as its format (RFC 4253 §6.6). The rest of the blob is judged
/// when the signature is verified.
pub(in crate::auth) fn signature_is_labelled(signature: &[u8], algorithm: &str) -> bool {
    Reader::new(signature).string() == Ok(algorithm.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_data_of_rfc_4252_section_7() {
        let mut subject = Subject {
            user: "u",
            algorithm: "ssh-ed25519",
            blob: b"B",
            host_key: None,
        };
        assert_eq!(
            subject.signed_data(b"ID"),
            b"\0\0\0\x02ID\x32\0\0\0\x01u\0\0\0\x0essh-connection\0\0\0\x09publickey\x01\
              \0\0\0\x0bssh-ed25519\0\0\0\x01B"
        );
        subject.host_key = Some(b"H");
        assert_eq!(
            subject.signed_data(b"ID"),
            b"\0\0\0\x02ID\x32\0\0\0\x01u\0\0\0\x0essh-connection\
              \0\0\0\x23publickey-hostbound-v00@openssh.com\x01\
              \0\0\0\x0bssh-ed25519\0\0\0\x01B\0\0\0\x01H"
        );
    }

    #[test]
    fn a7_signature_labels_are_exact() {
        let good = Writer::collect(|w| {
            w.string("rsa-sha2-256").string("s");
        });
        assert!(signature_is_labelled(&good, "rsa-sha2-256"));
        assert!(!signature_is_labelled(&good, "rsa-sha2-512"));
        assert!(!signature_is_labelled(&good, "ssh-rsa"));
        assert!(!signature_is_labelled(&good[..15], "rsa-sha2-256"));
        assert!(!signature_is_labelled(b"", "rsa-sha2-256"));
    }
}
