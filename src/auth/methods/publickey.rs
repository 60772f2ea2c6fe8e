//! The method `publickey` (RFC 4252 §7), with the RSA signature algorithms of RFC 8332.

use crate::auth::SERVICE_CONNECTION;
use crate::codec::{Reader, Writer};
use crate::crypto::algorithms::{self, name::SSH_RSA};
use crate::error::{Error, NoCommonAlgorithm};
use crate::keys::{KeyKind, PrivateKey, PublicKey, ShownKey};
use crate::messages::userauth::{MethodFields, METHOD_PUBLICKEY};
use crate::messages::MessageNumber;

/// The client's request; without a signature it asks whether the key would do.
pub(in crate::auth) fn request(
    user: &str,
    algorithm: &str,
    blob: &[u8],
    signature: Option<&[u8]>,
) -> Vec<u8> {
    let length = algorithm.len() + blob.len() + signature.map_or(0, <[u8]>::len);
    let fields = MethodFields::PublicKey {
        algorithm,
        blob,
        signature,
    };
    super::request(user, METHOD_PUBLICKEY, &fields, length)
}

/// What is signed. It binds the signature to this connection, user, service, algorithm and key.
pub(in crate::auth) fn signed_data(
    session_id: &[u8],
    user: &str,
    algorithm: &str,
    blob: &[u8],
) -> Vec<u8> {
    Writer::collect(|w| {
        w.string(session_id)
            .u8(MessageNumber::USERAUTH_REQUEST.0)
            .string(user)
            .string(SERVICE_CONNECTION)
            .string(METHOD_PUBLICKEY)
            .bool(true)
            .string(algorithm)
            .string(blob);
    })
}

/// The algorithm the client signs with.
///
/// Only RSA keys have a choice. RFC 8308 §3.1 makes `server-sig-algs` a list that may leave out what the
/// server accepts, and deployed servers do; so for keys with one algorithm the attempt itself finds out.
/// Where the server sent no list, our own first choice is tried (RFC 8332 §3.3), or `ssh-rsa` where it was
/// allowed: the application named it for servers that are too old to send one.
pub(in crate::auth) fn choose_algorithm(
    key: &PublicKey,
    allowed: &[&'static str],
    server_sig_algs: Option<&[String]>,
) -> Result<&'static str, Error> {
    let list = if key.kind() == KeyKind::Rsa {
        server_sig_algs
    } else {
        None
    };
    let mut own = key
        .signature_algorithms()
        .iter()
        .copied()
        .filter(|name| allowed.contains(name));
    let chosen = match list {
        Some(list) => own.find(|name| list.iter().any(|offered| offered == name)),
        None if key.kind() == KeyKind::Rsa && allowed.contains(&SSH_RSA) => Some(SSH_RSA),
        None => own.next(),
    };
    chosen.ok_or_else(|| {
        Error::NoCommonAlgorithm(Box::new(NoCommonAlgorithm {
            list: "public key signature",
            local: allowed.iter().map(|name| (*name).to_owned()).collect(),
            peer: list.unwrap_or_default().to_vec(),
        }))
    })
}

/// How a key of ours that signs with `algorithm` is shown: under which name, and with which blob.
pub(in crate::auth) fn shown(
    key: &PrivateKey,
    algorithm: &'static str,
) -> Result<(&'static str, Vec<u8>), Error> {
    let shown = key.shown();
    if shown.certificate.is_none() {
        return Ok((algorithm, shown.blob().to_vec()));
    }
    let name = algorithms::certified(algorithm)
        .ok_or(Error::Bug(
            "an algorithm that no certificate is shown under",
        ))?
        .name;
    Ok((name, shown.blob().to_vec()))
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
        assert_eq!(
            signed_data(b"ID", "u", "ssh-ed25519", b"B"),
            b"\0\0\0\x02ID\x32\0\0\0\x01u\0\0\0\x0essh-connection\0\0\0\x09publickey\x01\
              \0\0\0\x0bssh-ed25519\0\0\0\x01B"
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
