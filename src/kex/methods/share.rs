//! One side's part of a key agreement: where the methods differ.

use crate::crypto::agreement::dh::{self, DhGroup};
use crate::crypto::agreement::{self, ecdh, mlkem768, sntrup761, x25519};
use crate::crypto::algorithms::{DhGroupId, KexMethod};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::random::Random;
use crate::crypto::CryptoError;
use crate::error::{Error, KexFault};
use crate::kex::{Moduli, Modulus, SharedSecret};

/// RFC 4419 §6.2: twice the strength of the strongest cipher.
const DH_SECRET_BITS: u32 = 512;

/// The client's secret, until the server's value comes. It serves once.
pub(super) enum ClientShare {
    X25519(x25519::EphemeralSecret),
    Ecdh(ecdh::EphemeralSecret),
    Dh(dh::EphemeralSecret),
    MlKem768X25519(mlkem768::DecapsulationKey, x25519::EphemeralSecret),
    Sntrup761X25519(Box<sntrup761::DecapsulationKey>, x25519::EphemeralSecret),
}

impl ClientShare {
    /// A new secret and the public value to send.
    pub(super) fn generate(
        method: KexMethod,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), Error> {
        Self::try_generate(method, random).map_err(local)
    }

    fn try_generate(
        method: KexMethod,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), CryptoError> {
        match method {
            KexMethod::X25519 => {
                let secret = x25519::EphemeralSecret::generate(random)?;
                let public = secret.public_key().to_vec();
                Ok((ClientShare::X25519(secret), public))
            }
            KexMethod::Ecdh(curve) => {
                let secret = ecdh::EphemeralSecret::generate(curve, random)?;
                let public = secret.public_key().to_vec();
                Ok((ClientShare::Ecdh(secret), public))
            }
            KexMethod::DhGroup(id) => in_group(DhGroup::known(id)?, random),
            // The group comes from the server: see `generate_in_group`.
            KexMethod::DhGex => Err(CryptoError),
            KexMethod::MlKem768X25519 => {
                let key = mlkem768::DecapsulationKey::generate(random)?;
                let secret = x25519::EphemeralSecret::generate(random)?;
                let public = [key.encapsulation_key(), &secret.public_key()].concat();
                Ok((ClientShare::MlKem768X25519(key, secret), public))
            }
            KexMethod::Sntrup761X25519 => {
                let key = sntrup761::DecapsulationKey::generate(random)?;
                let secret = x25519::EphemeralSecret::generate(random)?;
                let public = [key.encapsulation_key(), &secret.public_key()].concat();
                Ok((ClientShare::Sntrup761X25519(Box::new(key), secret), public))
            }
        }
    }

    /// A new secret in a group that the server has chosen.
    pub(super) fn generate_in_group(
        group: &DhGroup,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), Error> {
        in_group(group, random).map_err(local)
    }

    /// The shared secret.
    pub(super) fn agree(self, server_public: &[u8]) -> Result<SharedSecret, Error> {
        match self {
            ClientShare::X25519(secret) => secret.agree(server_public).map(mpint),
            ClientShare::Ecdh(secret) => secret.agree(server_public).map(mpint),
            ClientShare::Dh(secret) => secret.agree(server_public).map(mpint),
            ClientShare::MlKem768X25519(key, secret) => {
                split(server_public, mlkem768::CIPHERTEXT_LEN).and_then(|(ciphertext, public)| {
                    let quantum = key.decapsulate(ciphertext)?;
                    let classical = secret.agree(public)?;
                    Ok(combine(HashAlgorithm::Sha256, &quantum, &classical))
                })
            }
            ClientShare::Sntrup761X25519(key, secret) => {
                split(server_public, sntrup761::CIPHERTEXT_LEN).and_then(|(ciphertext, public)| {
                    let quantum = key.decapsulate(ciphertext)?;
                    let classical = secret.agree(public)?;
                    Ok(combine(HashAlgorithm::Sha512, &quantum, &classical))
                })
            }
        }
        .map_err(of_peer)
    }
}

/// The server's answer to the client's public value, and the shared secret.
pub(super) fn respond(
    method: KexMethod,
    client_public: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), Error> {
    match method {
        KexMethod::X25519 => respond_x25519(client_public, random)
            .map(|(public, secret)| (public.to_vec(), mpint(secret))),
        KexMethod::Ecdh(curve) => {
            let secret = ecdh::EphemeralSecret::generate(curve, random).map_err(local)?;
            let public = secret.public_key().to_vec();
            let secret = secret.agree(client_public).map_err(of_peer)?;
            Ok((public, mpint(secret)))
        }
        KexMethod::DhGroup(id) => {
            let group = DhGroup::known(id).map_err(local)?;
            respond_in_group(group, client_public, random)
        }
        KexMethod::DhGex => Err(Error::Bug("group exchange without a group")),
        KexMethod::MlKem768X25519 => {
            let (key, public) =
                split(client_public, mlkem768::ENCAPSULATION_KEY_LEN).map_err(of_peer)?;
            let (ciphertext, quantum) = mlkem768::encapsulate(key, random).map_err(of_peer)?;
            let (own, classical) = respond_x25519(public, random)?;
            let secret = combine(HashAlgorithm::Sha256, &quantum, &classical);
            Ok(([&ciphertext[..], &own].concat(), secret))
        }
        KexMethod::Sntrup761X25519 => {
            let (key, public) =
                split(client_public, sntrup761::ENCAPSULATION_KEY_LEN).map_err(of_peer)?;
            let (ciphertext, quantum) = sntrup761::encapsulate(key, random).map_err(of_peer)?;
            let (own, classical) = respond_x25519(public, random)?;
            let secret = combine(HashAlgorithm::Sha512, &quantum, &classical);
            Ok(([&ciphertext[..], &own].concat(), secret))
        }
    }
}

/// The server's answer in a group.
pub(super) fn respond_in_group(
    group: &DhGroup,
    client_public: &[u8],
    random: &mut dyn Random,
) -> Result<(Vec<u8>, SharedSecret), Error> {
    let secret = dh::EphemeralSecret::generate(group, DH_SECRET_BITS, random).map_err(local)?;
    let public = secret.public_value().to_vec();
    let secret = secret.agree(client_public).map_err(of_peer)?;
    Ok((public, mpint(secret)))
}

/// The groups for group exchange where no table was given: those of RFC 3526.
pub(super) fn built_in_groups() -> Moduli {
    let ids = [DhGroupId::Group14, DhGroupId::Group16, DhGroupId::Group18];
    let groups = ids.iter().filter_map(|id| DhGroup::known(*id).ok());
    let modulus = |group: &DhGroup| Modulus {
        p: group.p().to_vec(),
        g: group.g().to_vec(),
    };
    Moduli::new(groups.map(modulus).collect())
}

fn respond_x25519(
    client_public: &[u8],
    random: &mut dyn Random,
) -> Result<([u8; x25519::KEY_LEN], agreement::SharedSecret), Error> {
    let secret = x25519::EphemeralSecret::generate(random).map_err(local)?;
    let public = secret.public_key();
    let secret = secret.agree(client_public).map_err(of_peer)?;
    Ok((public, secret))
}

fn in_group(
    group: &DhGroup,
    random: &mut dyn Random,
) -> Result<(ClientShare, Vec<u8>), CryptoError> {
    let secret = dh::EphemeralSecret::generate(group, DH_SECRET_BITS, random)?;
    let public = secret.public_value().to_vec();
    Ok((ClientShare::Dh(secret), public))
}

/// The two halves of a hybrid value; the second must be as long as an X25519 key.
fn split(value: &[u8], first_len: usize) -> Result<(&[u8], &[u8]), CryptoError> {
    match value.split_at_checked(first_len) {
        Some((first, second)) if second.len() == x25519::KEY_LEN => Ok((first, second)),
        _ => Err(CryptoError),
    }
}

fn mpint(secret: agreement::SharedSecret) -> SharedSecret {
    SharedSecret::from_mpint(secret.as_bytes())
}

/// The hybrid methods: K is the hash of both secrets, written as a string
/// (draft-ietf-sshm-mlkem-hybrid-kex §2.4, draft-ietf-sshm-ntruprime-ssh §3.2).
fn combine(
    hash: HashAlgorithm,
    quantum: &agreement::SharedSecret,
    classical: &agreement::SharedSecret,
) -> SharedSecret {
    SharedSecret::from_string(&hash.digest(&[quantum.as_bytes(), classical.as_bytes()]))
}

/// A failure with no value of the peer in it.
fn local(_: CryptoError) -> Error {
    KexFault::Crypto.into()
}

/// The peer's value was refused.
fn of_peer(_: CryptoError) -> Error {
    KexFault::BadPublicValue.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::algorithms::{Curve, KEXES};
    use crate::crypto::random::{SeededRandom, SystemRandom};

    fn bad() -> Option<Error> {
        Some(KexFault::BadPublicValue.into())
    }

    fn refused_by_both(method: KexMethod, value: &[u8]) {
        let mut random = SystemRandom;
        assert_eq!(respond(method, value, &mut random).err(), bad());
        let (share, _) = ClientShare::generate(method, &mut random).unwrap();
        assert_eq!(share.agree(value).err(), bad());
    }

    #[test]
    fn both_sides_agree_by_every_method() {
        let mut random = SystemRandom;
        for kex in KEXES.iter().filter(|kex| kex.method != KexMethod::DhGex) {
            let (share, public) = ClientShare::generate(kex.method, &mut random).unwrap();
            let (answer, server) = respond(kex.method, &public, &mut random).unwrap();
            let client = share.agree(&answer).unwrap();
            assert_eq!(client.encoded(), server.encoded(), "{}", kex.name);
        }
    }

    #[test]
    fn k6_dh_values_out_of_range() {
        let method = KexMethod::DhGroup(DhGroupId::Group14);
        let p = DhGroup::known(DhGroupId::Group14).unwrap().p().to_vec();
        let mut p_minus_1 = p.clone();
        *p_minus_1.last_mut().unwrap() -= 1;
        let mut p_plus_1 = p.clone();
        // p ends in ...FFFFFFFF, so p + 1 carries into the byte before the last ones.
        for byte in p_plus_1.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        for value in [
            &[][..],
            &[0],
            &[1],
            &p_minus_1,
            &p,
            &p_plus_1,
            &vec![9; 1 << 20],
        ] {
            refused_by_both(method, value);
        }
    }

    #[test]
    fn k7_x25519_lengths_and_small_order_points() {
        let mut order_8 = crate::crypto::test_util::hex(
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        );
        let one = [&[1][..], &[0; 31]].concat();
        for value in [&[][..], &[9; 31], &[9; 33], &[0; 32], &one, &order_8] {
            refused_by_both(KexMethod::X25519, value);
        }
        // The highest bit is ignored by X25519 (RFC 7748 §5), so this is the same point.
        *order_8.last_mut().unwrap() |= 0x80;
        refused_by_both(KexMethod::X25519, &order_8);
    }

    #[test]
    fn k8_ecdh_points() {
        let mut random = SystemRandom;
        for (curve, other) in [
            (Curve::P256, Curve::P384),
            (Curve::P384, Curve::P521),
            (Curve::P521, Curve::P256),
        ] {
            let method = KexMethod::Ecdh(curve);
            let (_, good) = ClientShare::generate(method, &mut random).unwrap();
            let (_, foreign) = ClientShare::generate(KexMethod::Ecdh(other), &mut random).unwrap();
            let mut off_curve = good.clone();
            *off_curve.last_mut().unwrap() ^= 1;
            let half = 1 + (good.len() - 1) / 2;
            let compressed = [&[2 | (good.last().unwrap() & 1)], &good[1..half]].concat();
            let long = [&good[..], &[0]].concat();
            for value in [&[][..], &[0], &foreign, &off_curve, &compressed, &long] {
                refused_by_both(method, value);
            }
        }
    }

    #[test]
    fn k9_hybrid_lengths_and_halves() {
        let mut random = SystemRandom;
        for method in [KexMethod::MlKem768X25519, KexMethod::Sntrup761X25519] {
            let (share, public) = ClientShare::generate(method, &mut random).unwrap();
            let (answer, _) = respond(method, &public, &mut random).unwrap();
            for cut in [0, 32, public.len() - 1] {
                assert_eq!(respond(method, &public[..cut], &mut random).err(), bad());
            }
            let long = [&public[..], &[0]].concat();
            assert_eq!(respond(method, &long, &mut random).err(), bad());
            let mut zero = public.clone();
            let classical = public.len() - 32;
            zero[classical..].fill(0);
            assert_eq!(respond(method, &zero, &mut random).err(), bad());
            assert_eq!(share.agree(&answer[1..]).err(), bad());
        }
        // Coefficients of an ML-KEM encapsulation key must be below q = 3329.
        let (_, mut public) =
            ClientShare::generate(KexMethod::MlKem768X25519, &mut random).unwrap();
        public[..3].fill(0xff);
        assert_eq!(
            respond(KexMethod::MlKem768X25519, &public, &mut random).err(),
            bad()
        );
    }

    #[test]
    fn k9_flipped_ciphertext_gives_another_secret() {
        let mut random = SystemRandom;
        for method in [KexMethod::MlKem768X25519, KexMethod::Sntrup761X25519] {
            let (share, public) = ClientShare::generate(method, &mut random).unwrap();
            let (mut answer, server) = respond(method, &public, &mut random).unwrap();
            answer[100] ^= 1;
            let client = share.agree(&answer).unwrap();
            assert_ne!(client.encoded(), server.encoded());
        }
    }

    /// Enough exchanges that secrets with a leading zero byte and with the top bit set both occur.
    #[test]
    fn k10_many_agreements() {
        let mut random = SeededRandom::new(10);
        let (mut short, mut signed) = (0, 0);
        for _ in 0..600 {
            let (share, public) = ClientShare::generate(KexMethod::X25519, &mut random).unwrap();
            let (answer, server) = respond(KexMethod::X25519, &public, &mut random).unwrap();
            let client = share.agree(&answer).unwrap();
            assert_eq!(client.encoded(), server.encoded());
            match client.encoded().len() {
                37 => signed += 1,
                36 => {}
                _ => short += 1,
            }
        }
        assert!(short > 0 && signed > 0, "{short} {signed}");
    }

    #[test]
    fn built_in_groups_cover_every_size() {
        let groups = built_in_groups();
        assert_eq!(groups.len(), 3);
    }
}
