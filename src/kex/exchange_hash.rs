//! The exchange hash H (RFC 4253 §8).

use super::SharedSecret;
use crate::codec::Writer;
use crate::crypto::hash::{Digest, HashAlgorithm};

/// What both sides have said before the method's own values: the first half of the input of H.
#[derive(Debug, Clone, Copy)]
pub struct Transcript<'a> {
    /// V_C: the client's identification line without CR LF.
    pub client_ident: &'a [u8],
    /// V_S: the server's identification line without CR LF.
    pub server_ident: &'a [u8],
    /// I_C: the payload of the client's KEXINIT.
    pub client_kexinit: &'a [u8],
    /// I_S: the payload of the server's KEXINIT.
    pub server_kexinit: &'a [u8],
}

impl Transcript<'_> {
    /// H. `values` are the method's values between K_S and K, as they stand in the hash (RFC 4253 §8,
    /// RFC 4419 §3, RFC 5656 §4).
    pub fn hash(
        &self,
        hash: HashAlgorithm,
        host_key: &[u8],
        values: &[u8],
        secret: &SharedSecret,
    ) -> Digest {
        let said = Writer::collect(|w| {
            w.string(self.client_ident).string(self.server_ident);
            w.string(self.client_kexinit).string(self.server_kexinit);
            w.string(host_key).raw(values);
        });
        // K is hashed apart so that no copy of it stays in a buffer that is not wiped.
        hash.digest(&[&said, secret.encoded()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_the_order_of_rfc_4253() {
        let transcript = Transcript {
            client_ident: b"SSH-2.0-c",
            server_ident: b"SSH-2.0-s",
            client_kexinit: &[20, 1],
            server_kexinit: &[20, 2],
        };
        let secret = SharedSecret::from_mpint(&[0x80]);
        let values = Writer::collect(|w| {
            w.mpint(&[3]).mpint(&[4]);
        });
        let found = transcript.hash(HashAlgorithm::Sha256, b"key", &values, &secret);
        let written = b"\0\0\0\x09SSH-2.0-c\0\0\0\x09SSH-2.0-s\0\0\0\x02\x14\x01\0\0\0\x02\x14\x02\
                        \0\0\0\x03key\0\0\0\x01\x03\0\0\0\x01\x04\0\0\0\x02\0\x80";
        assert_eq!(&*found, &*HashAlgorithm::Sha256.digest(&[written]));
    }
}
