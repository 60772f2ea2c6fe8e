//! Algorithm names as the RFCs spell them, and the tables that lead from a name to what it needs.

use std::sync::{Arc, LazyLock};

use super::hash::HashAlgorithm;
use super::legacy;

pub use super::preferences::{apply, Preferences, UnknownName};

/// Every algorithm name of the protocol, once.
pub mod name {
    // Key exchange methods.

    /// ML-KEM-768 with X25519.
    pub const MLKEM768X25519_SHA256: &str = "mlkem768x25519-sha256";
    /// Streamlined NTRU Prime with X25519.
    pub const SNTRUP761X25519_SHA512: &str = "sntrup761x25519-sha512";
    /// The same under the name it had first.
    pub const SNTRUP761X25519_SHA512_OPENSSH: &str = "sntrup761x25519-sha512@openssh.com";
    /// X25519 (RFC 8731).
    pub const CURVE25519_SHA256: &str = "curve25519-sha256";
    /// The same under the name it had first.
    pub const CURVE25519_SHA256_LIBSSH: &str = "curve25519-sha256@libssh.org";
    /// ECDH over P-256 (RFC 5656).
    pub const ECDH_SHA2_NISTP256: &str = "ecdh-sha2-nistp256";
    /// ECDH over P-384 (RFC 5656).
    pub const ECDH_SHA2_NISTP384: &str = "ecdh-sha2-nistp384";
    /// ECDH over P-521 (RFC 5656).
    pub const ECDH_SHA2_NISTP521: &str = "ecdh-sha2-nistp521";
    /// The 2048-bit MODP group (RFC 8268).
    pub const DH_GROUP14_SHA256: &str = "diffie-hellman-group14-sha256";
    /// The 4096-bit MODP group (RFC 8268).
    pub const DH_GROUP16_SHA512: &str = "diffie-hellman-group16-sha512";
    /// The 8192-bit MODP group (RFC 8268).
    pub const DH_GROUP18_SHA512: &str = "diffie-hellman-group18-sha512";
    /// A group chosen by the server (RFC 4419).
    pub const DH_GEX_SHA256: &str = "diffie-hellman-group-exchange-sha256";

    /// The 2048-bit MODP group with SHA-1, for old gear.
    pub const DH_GROUP14_SHA1: &str = "diffie-hellman-group14-sha1";
    /// The 1024-bit MODP group with SHA-1, for the oldest gear.
    pub const DH_GROUP1_SHA1: &str = "diffie-hellman-group1-sha1";
    /// A group chosen by the server, with SHA-1, for old gear.
    pub const DH_GEX_SHA1: &str = "diffie-hellman-group-exchange-sha1";

    // Host keys and signatures.

    /// Ed25519 (RFC 8709).
    pub const SSH_ED25519: &str = "ssh-ed25519";
    /// ECDSA over P-256 (RFC 5656).
    pub const ECDSA_SHA2_NISTP256: &str = "ecdsa-sha2-nistp256";
    /// ECDSA over P-384 (RFC 5656).
    pub const ECDSA_SHA2_NISTP384: &str = "ecdsa-sha2-nistp384";
    /// ECDSA over P-521 (RFC 5656).
    pub const ECDSA_SHA2_NISTP521: &str = "ecdsa-sha2-nistp521";
    /// RSA with SHA-512 (RFC 8332).
    pub const RSA_SHA2_512: &str = "rsa-sha2-512";
    /// RSA with SHA-256 (RFC 8332).
    pub const RSA_SHA2_256: &str = "rsa-sha2-256";
    /// The type of RSA key blobs (RFC 4253 §6.6). As a signature algorithm it means SHA-1 and
    /// serves for old gear only.
    pub const SSH_RSA: &str = "ssh-rsa";

    /// Ed25519 in a FIDO authenticator.
    pub const SK_SSH_ED25519: &str = "sk-ssh-ed25519@openssh.com";
    /// ECDSA over P-256 in a FIDO authenticator.
    pub const SK_ECDSA_SHA2_NISTP256: &str = "sk-ecdsa-sha2-nistp256@openssh.com";

    // Certificates (OpenSSH, PROTOCOL.certkeys).

    /// A certificate for an Ed25519 key.
    pub const SSH_ED25519_CERT: &str = "ssh-ed25519-cert-v01@openssh.com";
    /// A certificate for an ECDSA key over P-256.
    pub const ECDSA_SHA2_NISTP256_CERT: &str = "ecdsa-sha2-nistp256-cert-v01@openssh.com";
    /// A certificate for an ECDSA key over P-384.
    pub const ECDSA_SHA2_NISTP384_CERT: &str = "ecdsa-sha2-nistp384-cert-v01@openssh.com";
    /// A certificate for an ECDSA key over P-521.
    pub const ECDSA_SHA2_NISTP521_CERT: &str = "ecdsa-sha2-nistp521-cert-v01@openssh.com";
    /// A certificate for an RSA key, which signs with SHA-512.
    pub const RSA_SHA2_512_CERT: &str = "rsa-sha2-512-cert-v01@openssh.com";
    /// A certificate for an RSA key, which signs with SHA-256.
    pub const RSA_SHA2_256_CERT: &str = "rsa-sha2-256-cert-v01@openssh.com";
    /// The type of certificates for RSA keys. As an algorithm it means SHA-1 and serves for old gear only.
    pub const SSH_RSA_CERT: &str = "ssh-rsa-cert-v01@openssh.com";
    /// A certificate for an Ed25519 key in a FIDO authenticator.
    pub const SK_SSH_ED25519_CERT: &str = "sk-ssh-ed25519-cert-v01@openssh.com";
    /// A certificate for an ECDSA key in a FIDO authenticator.
    pub const SK_ECDSA_SHA2_NISTP256_CERT: &str = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com";

    // Ciphers.

    /// AES-128 in GCM with the length in clear.
    pub const AES128_GCM: &str = "aes128-gcm@openssh.com";
    /// AES-256 in GCM with the length in clear.
    pub const AES256_GCM: &str = "aes256-gcm@openssh.com";
    /// ChaCha20 and Poly1305 with the length encrypted.
    pub const CHACHA20_POLY1305: &str = "chacha20-poly1305@openssh.com";
    /// AES-128 in CTR (RFC 4344).
    pub const AES128_CTR: &str = "aes128-ctr";
    /// AES-192 in CTR (RFC 4344).
    pub const AES192_CTR: &str = "aes192-ctr";
    /// AES-256 in CTR (RFC 4344).
    pub const AES256_CTR: &str = "aes256-ctr";

    /// AES-128 in CBC (RFC 4253), for old gear.
    pub const AES128_CBC: &str = "aes128-cbc";
    /// AES-192 in CBC (RFC 4253), for old gear.
    pub const AES192_CBC: &str = "aes192-cbc";
    /// AES-256 in CBC (RFC 4253), for old gear.
    pub const AES256_CBC: &str = "aes256-cbc";
    /// DES with three keys in CBC (RFC 4253), for the oldest gear.
    pub const TRIPLE_DES_CBC: &str = "3des-cbc";

    // MACs.

    /// HMAC-SHA-256 over the encrypted packet.
    pub const HMAC_SHA2_256_ETM: &str = "hmac-sha2-256-etm@openssh.com";
    /// HMAC-SHA-512 over the encrypted packet.
    pub const HMAC_SHA2_512_ETM: &str = "hmac-sha2-512-etm@openssh.com";
    /// HMAC-SHA-256 over the plain packet (RFC 6668).
    pub const HMAC_SHA2_256: &str = "hmac-sha2-256";
    /// HMAC-SHA-512 over the plain packet (RFC 6668).
    pub const HMAC_SHA2_512: &str = "hmac-sha2-512";

    /// HMAC-SHA-1 over the plain packet (RFC 4253), for old gear.
    pub const HMAC_SHA1: &str = "hmac-sha1";
    /// HMAC-SHA-1 over the encrypted packet, for old gear.
    pub const HMAC_SHA1_ETM: &str = "hmac-sha1-etm@openssh.com";

    // Compression.

    /// No compression.
    pub const NONE: &str = "none";
    /// Deflate, begun after authentication.
    pub const ZLIB_OPENSSH: &str = "zlib@openssh.com";
    /// Deflate from the first NEWKEYS on (RFC 4253 §6.2).
    pub const ZLIB: &str = "zlib";

    // Markers among the key exchange methods, never selected.

    /// The client takes SSH_MSG_EXT_INFO (RFC 8308 §2.1).
    pub const EXT_INFO_C: &str = "ext-info-c";
    /// The server takes SSH_MSG_EXT_INFO (RFC 8308 §2.1).
    pub const EXT_INFO_S: &str = "ext-info-s";
    /// The client does strict key exchange.
    pub const KEX_STRICT_C: &str = "kex-strict-c-v00@openssh.com";
    /// The server does strict key exchange.
    pub const KEX_STRICT_S: &str = "kex-strict-s-v00@openssh.com";
}

/// What a cipher name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherAlgorithm {
    /// The name in KEXINIT.
    pub name: &'static str,
    /// Key bytes.
    pub key_len: usize,
    /// IV bytes (0 for chacha20-poly1305).
    pub iv_len: usize,
    /// Block bytes for padding.
    pub block_len: usize,
    /// Whether the cipher authenticates by itself, so that no MAC is negotiated.
    pub aead: bool,
}

/// What a MAC name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacAlgorithm {
    /// The name in KEXINIT.
    pub name: &'static str,
    /// The hash inside HMAC.
    pub hash: HashAlgorithm,
    /// Key bytes.
    pub key_len: usize,
    /// Tag bytes on the wire.
    pub tag_len: usize,
    /// Encrypt-then-MAC (the `-etm@openssh.com` names).
    pub etm: bool,
}

/// What a compression name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionAlgorithm {
    /// The name in KEXINIT.
    pub name: &'static str,
    /// When payloads are deflated, if at all.
    pub kind: CompressionKind,
}

/// When payloads are deflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionKind {
    /// Never.
    None,
    /// From the end of authentication on.
    DelayedZlib,
    /// From the first NEWKEYS on.
    Zlib,
}

/// What a key exchange name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KexAlgorithm {
    /// The name in KEXINIT.
    pub name: &'static str,
    /// The hash of the exchange hash and of key derivation.
    pub hash: HashAlgorithm,
    /// How the shared secret is agreed on.
    pub method: KexMethod,
}

/// How a shared secret is agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KexMethod {
    /// ML-KEM-768 and X25519, hashed together.
    MlKem768X25519,
    /// sntrup761 and X25519, hashed together.
    Sntrup761X25519,
    /// X25519.
    X25519,
    /// ECDH over a NIST curve.
    Ecdh(Curve),
    /// Diffie-Hellman in a group that both know.
    DhGroup(DhGroupId),
    /// Diffie-Hellman in a group that the server chooses.
    DhGex,
}

/// A NIST curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// nistp256
    P256,
    /// nistp384
    P384,
    /// nistp521
    P521,
}

/// A group of RFC 3526, or of RFC 2409.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhGroupId {
    /// 1024 bits, for old gear
    Group1,
    /// 2048 bits
    Group14,
    /// 4096 bits
    Group16,
    /// 8192 bits
    Group18,
}

/// What a host key or signature algorithm name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureAlgorithm {
    /// The name in KEXINIT and in user authentication.
    pub name: &'static str,
    /// The type name inside the blob of the key or certificate.
    pub key_type: &'static str,
    /// The name in signature blobs: that of the key's own algorithm where the key is shown in a certificate.
    pub signs_as: &'static str,
}

impl SignatureAlgorithm {
    /// Whether the key is shown in a certificate.
    pub fn is_certificate(&self) -> bool {
        self.name != self.signs_as
    }
}

/// The cipher of this name.
pub fn cipher(name: &str) -> Option<&'static CipherAlgorithm> {
    find_in(CIPHERS, legacy::CIPHERS, |entry| entry.name == name)
}

/// The MAC of this name.
pub fn mac(name: &str) -> Option<&'static MacAlgorithm> {
    find_in(MACS, legacy::MACS, |entry| entry.name == name)
}

/// Whether the cipher chains blocks.
pub(super) fn is_cbc(cipher: &CipherAlgorithm) -> bool {
    cipher.name.ends_with("-cbc")
}

fn find_in<T>(
    modern: &'static [T],
    old: &'static [T],
    fits: impl Fn(&&T) -> bool,
) -> Option<&'static T> {
    modern.iter().chain(old).find(fits)
}

/// The compression of this name.
pub fn compression(name: &str) -> Option<&'static CompressionAlgorithm> {
    COMPRESSIONS.iter().find(|entry| entry.name == name)
}

/// The key exchange method of this name. Markers such as `ext-info-c` are no methods.
pub fn kex(name: &str) -> Option<&'static KexAlgorithm> {
    find_in(KEXES, legacy::KEXES, |entry| entry.name == name)
}

/// The host key or signature algorithm of this name.
pub fn signature(name: &str) -> Option<&'static SignatureAlgorithm> {
    find_in(SIGNATURES, legacy::SIGNATURES, |entry| entry.name == name)
        .or_else(|| certificate_or_security_key(name))
}

fn certificate_or_security_key(name: &str) -> Option<&'static SignatureAlgorithm> {
    CERTIFICATES
        .iter()
        .chain(SECURITY_KEYS)
        .find(|entry| entry.name == name)
}

/// The algorithm by which a key that signs with `signs_as` is shown in a certificate.
pub fn certified(signs_as: &str) -> Option<&'static SignatureAlgorithm> {
    CERTIFICATES
        .iter()
        .chain(SECURITY_KEYS)
        .find(|entry| entry.is_certificate() && entry.signs_as == signs_as)
}

/// A list of names that many hold and nobody changes.
pub type Names = Arc<[&'static str]>;

/// The names of signature algorithms that are taken from users by default: those of plain keys, and those of
/// security keys. All connections share the list.
pub fn user_signatures() -> Names {
    static NAMES: LazyLock<Names> = LazyLock::new(|| {
        SIGNATURES
            .iter()
            .chain(SECURITY_KEYS)
            .filter(|entry| !entry.is_certificate())
            .map(|entry| entry.name)
            .collect()
    });
    Arc::clone(&NAMES)
}

/// Every key exchange method of this build but those for old gear, most preferred first.
pub static KEXES: &[KexAlgorithm] = &[
    kex_entry(
        name::MLKEM768X25519_SHA256,
        HashAlgorithm::Sha256,
        KexMethod::MlKem768X25519,
    ),
    kex_entry(
        name::SNTRUP761X25519_SHA512,
        HashAlgorithm::Sha512,
        KexMethod::Sntrup761X25519,
    ),
    kex_entry(
        name::SNTRUP761X25519_SHA512_OPENSSH,
        HashAlgorithm::Sha512,
        KexMethod::Sntrup761X25519,
    ),
    kex_entry(
        name::CURVE25519_SHA256,
        HashAlgorithm::Sha256,
        KexMethod::X25519,
    ),
    kex_entry(
        name::CURVE25519_SHA256_LIBSSH,
        HashAlgorithm::Sha256,
        KexMethod::X25519,
    ),
    kex_entry(
        name::ECDH_SHA2_NISTP256,
        HashAlgorithm::Sha256,
        KexMethod::Ecdh(Curve::P256),
    ),
    kex_entry(
        name::ECDH_SHA2_NISTP384,
        HashAlgorithm::Sha384,
        KexMethod::Ecdh(Curve::P384),
    ),
    kex_entry(
        name::ECDH_SHA2_NISTP521,
        HashAlgorithm::Sha512,
        KexMethod::Ecdh(Curve::P521),
    ),
    kex_entry(
        name::DH_GROUP16_SHA512,
        HashAlgorithm::Sha512,
        KexMethod::DhGroup(DhGroupId::Group16),
    ),
    kex_entry(
        name::DH_GROUP18_SHA512,
        HashAlgorithm::Sha512,
        KexMethod::DhGroup(DhGroupId::Group18),
    ),
    kex_entry(name::DH_GEX_SHA256, HashAlgorithm::Sha256, KexMethod::DhGex),
    kex_entry(
        name::DH_GROUP14_SHA256,
        HashAlgorithm::Sha256,
        KexMethod::DhGroup(DhGroupId::Group14),
    ),
];

/// Every cipher of this build but those for old gear, most preferred first where the CPU has AES instructions.
pub static CIPHERS: &[CipherAlgorithm] = &[
    cipher_entry(name::AES128_GCM, 16, 12, 16, true),
    cipher_entry(name::AES256_GCM, 32, 12, 16, true),
    cipher_entry(name::CHACHA20_POLY1305, 64, 0, 8, true),
    cipher_entry(name::AES128_CTR, 16, 16, 16, false),
    cipher_entry(name::AES192_CTR, 24, 16, 16, false),
    cipher_entry(name::AES256_CTR, 32, 16, 16, false),
];

/// Every MAC of this build but those for old gear, most preferred first.
pub static MACS: &[MacAlgorithm] = &[
    mac_entry(name::HMAC_SHA2_256_ETM, HashAlgorithm::Sha256, true),
    mac_entry(name::HMAC_SHA2_512_ETM, HashAlgorithm::Sha512, true),
    mac_entry(name::HMAC_SHA2_256, HashAlgorithm::Sha256, false),
    mac_entry(name::HMAC_SHA2_512, HashAlgorithm::Sha512, false),
];

/// Every compression of this build, most preferred first.
pub static COMPRESSIONS: &[CompressionAlgorithm] = &[
    CompressionAlgorithm {
        name: name::NONE,
        kind: CompressionKind::None,
    },
    CompressionAlgorithm {
        name: name::ZLIB_OPENSSH,
        kind: CompressionKind::DelayedZlib,
    },
    CompressionAlgorithm {
        name: name::ZLIB,
        kind: CompressionKind::Zlib,
    },
];

/// Every host key and signature algorithm of this build but those for old gear, most preferred first.
pub static SIGNATURES: &[SignatureAlgorithm] = &[
    signature_entry(name::SSH_ED25519, name::SSH_ED25519),
    signature_entry(name::ECDSA_SHA2_NISTP256, name::ECDSA_SHA2_NISTP256),
    signature_entry(name::ECDSA_SHA2_NISTP384, name::ECDSA_SHA2_NISTP384),
    signature_entry(name::ECDSA_SHA2_NISTP521, name::ECDSA_SHA2_NISTP521),
    signature_entry(name::RSA_SHA2_512, name::SSH_RSA),
    signature_entry(name::RSA_SHA2_256, name::SSH_RSA),
];

/// Every algorithm by which a host key is shown in a certificate, most preferred first, and at the end the one for
/// old gear, which no default list holds.
pub static CERTIFICATES: &[SignatureAlgorithm] = &[
    certificate_entry(
        name::SSH_ED25519_CERT,
        name::SSH_ED25519_CERT,
        name::SSH_ED25519,
    ),
    certificate_entry(
        name::ECDSA_SHA2_NISTP256_CERT,
        name::ECDSA_SHA2_NISTP256_CERT,
        name::ECDSA_SHA2_NISTP256,
    ),
    certificate_entry(
        name::ECDSA_SHA2_NISTP384_CERT,
        name::ECDSA_SHA2_NISTP384_CERT,
        name::ECDSA_SHA2_NISTP384,
    ),
    certificate_entry(
        name::ECDSA_SHA2_NISTP521_CERT,
        name::ECDSA_SHA2_NISTP521_CERT,
        name::ECDSA_SHA2_NISTP521,
    ),
    certificate_entry(
        name::RSA_SHA2_512_CERT,
        name::SSH_RSA_CERT,
        name::RSA_SHA2_512,
    ),
    certificate_entry(
        name::RSA_SHA2_256_CERT,
        name::SSH_RSA_CERT,
        name::RSA_SHA2_256,
    ),
    certificate_entry(name::SSH_RSA_CERT, name::SSH_RSA_CERT, name::SSH_RSA),
];

/// Every algorithm of keys in FIDO authenticators, alone and in certificates. They are taken from users; hosts have
/// no use for them.
pub static SECURITY_KEYS: &[SignatureAlgorithm] = &[
    signature_entry(name::SK_SSH_ED25519, name::SK_SSH_ED25519),
    signature_entry(name::SK_ECDSA_SHA2_NISTP256, name::SK_ECDSA_SHA2_NISTP256),
    certificate_entry(
        name::SK_SSH_ED25519_CERT,
        name::SK_SSH_ED25519_CERT,
        name::SK_SSH_ED25519,
    ),
    certificate_entry(
        name::SK_ECDSA_SHA2_NISTP256_CERT,
        name::SK_ECDSA_SHA2_NISTP256_CERT,
        name::SK_ECDSA_SHA2_NISTP256,
    ),
];

const fn kex_entry(name: &'static str, hash: HashAlgorithm, method: KexMethod) -> KexAlgorithm {
    KexAlgorithm { name, hash, method }
}

const fn cipher_entry(
    name: &'static str,
    key_len: usize,
    iv_len: usize,
    block_len: usize,
    aead: bool,
) -> CipherAlgorithm {
    CipherAlgorithm {
        name,
        key_len,
        iv_len,
        block_len,
        aead,
    }
}

/// RFC 6668 §2: the key and the tag of HMAC-SHA-2 are as long as the digest.
const fn mac_entry(name: &'static str, hash: HashAlgorithm, etm: bool) -> MacAlgorithm {
    MacAlgorithm {
        name,
        hash,
        key_len: hash.output_len(),
        tag_len: hash.output_len(),
        etm,
    }
}

const fn signature_entry(name: &'static str, key_type: &'static str) -> SignatureAlgorithm {
    certificate_entry(name, key_type, name)
}

const fn certificate_entry(
    name: &'static str,
    key_type: &'static str,
    signs_as: &'static str,
) -> SignatureAlgorithm {
    SignatureAlgorithm {
        name,
        key_type,
        signs_as,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_by_its_name_once() {
        for entry in KEXES {
            assert_eq!(kex(entry.name), Some(entry));
        }
        for entry in CIPHERS {
            assert_eq!(cipher(entry.name), Some(entry));
        }
        for entry in MACS {
            assert_eq!(mac(entry.name), Some(entry));
            assert_eq!(entry.etm, entry.name.ends_with("-etm@openssh.com"));
        }
        for entry in COMPRESSIONS {
            assert_eq!(compression(entry.name), Some(entry));
        }
        for entry in SIGNATURES.iter().chain(CERTIFICATES).chain(SECURITY_KEYS) {
            assert_eq!(signature(entry.name), Some(entry));
            if entry.is_certificate() {
                assert_eq!(certified(entry.signs_as), Some(entry));
            }
        }
    }

    #[test]
    fn markers_and_weak_names_are_not_served() {
        for marker in [
            name::EXT_INFO_C,
            name::EXT_INFO_S,
            name::KEX_STRICT_C,
            name::KEX_STRICT_S,
            "",
            "kexguess2@matt.ucc.asn.au",
            "diffie-hellman-group1-md5",
        ] {
            assert_eq!(kex(marker), None);
        }
        assert_eq!(signature("ssh-dss"), None);
        assert_eq!(cipher("none"), None);
        assert_eq!(mac("none"), None);
    }
}
