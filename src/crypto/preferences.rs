//! Lists of algorithms in order of preference: the defaults, the presets, and OpenSSH's short forms
//! that change a list.

use super::algorithms::{
    name, CERTIFICATES, CIPHERS, COMPRESSIONS, KEXES, MACS, SECURITY_KEYS, SIGNATURES,
};
use super::legacy;
use crate::messages::Role;

/// The names one side offers in KEXINIT, most preferred first. Ciphers, MACs and compression are
/// offered alike in both directions. Markers such as `ext-info-c` are not part of the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// Key exchange methods.
    pub kex: Vec<&'static str>,
    /// Host key algorithms.
    pub host_key: Vec<&'static str>,
    /// Ciphers.
    pub cipher: Vec<&'static str>,
    /// MACs.
    pub mac: Vec<&'static str>,
    /// Compression.
    pub compression: Vec<&'static str>,
}

impl Preferences {
    /// What a client offers unless told otherwise.
    pub fn default_client() -> Self {
        Preferences {
            kex: KEXES.iter().map(|entry| entry.name).collect(),
            host_key: modern_host_key().collect(),
            cipher: order_ciphers(cpu_has_aes()),
            mac: MACS.iter().map(|entry| entry.name).collect(),
            compression: vec![name::NONE, name::ZLIB_OPENSSH],
        }
    }

    /// What a server offers unless told otherwise: the client's lists without NIST curves, which auditing tools count as
    /// failures and which no current client depends on. A server that has host keys for nothing else offers those all the
    /// same (`proposal`).
    pub fn default_server() -> Self {
        let mut lists = Self::default_client();
        lists.kex.retain(|kex| !kex.starts_with("ecdh-sha2-nistp"));
        lists
            .host_key
            .retain(|key| !key.starts_with("ecdsa-sha2-nistp"));
        lists
    }

    /// The compatible preset, which is the default of the role.
    pub fn compatible(role: Role) -> Self {
        match role {
            Role::Client => Self::default_client(),
            Role::Server => Self::default_server(),
        }
    }

    /// The modern preset, the same for both roles: nothing that auditing tools remark on. Key exchange
    /// withstands quantum computers, MACs cover the encrypted packet, no NIST curves.
    pub fn modern(role: Role) -> Self {
        let _ = role;
        let mut lists = Self::default_server();
        lists.kex = vec![
            name::MLKEM768X25519_SHA256,
            name::SNTRUP761X25519_SHA512,
            name::SNTRUP761X25519_SHA512_OPENSSH,
        ];
        lists.mac = vec![name::HMAC_SHA2_256_ETM, name::HMAC_SHA2_512_ETM];
        lists
    }

    /// The legacy preset, the same for both roles: everything this build knows, and at the end of
    /// each list what only old gear needs.
    pub fn legacy(role: Role) -> Self {
        let _ = role;
        Preferences {
            kex: known_kex(),
            host_key: known_host_key(),
            cipher: known_cipher(),
            mac: known_mac(),
            compression: known_compression(),
        }
    }
}

/// Every key exchange method of this build, in order of preference.
pub fn known_kex() -> Vec<&'static str> {
    let all = KEXES.iter().chain(legacy::KEXES);
    all.map(|entry| entry.name).collect()
}

/// Every host key algorithm of this build, in order of preference.
pub fn known_host_key() -> Vec<&'static str> {
    modern_host_key()
        .chain([name::SSH_RSA_CERT, name::SSH_RSA])
        .collect()
}

/// Plain keys before certificates, which are worth something only where their authority is known; known_hosts puts
/// them in front then.
fn modern_host_key() -> impl Iterator<Item = &'static str> {
    let all = SIGNATURES.iter().chain(CERTIFICATES);
    all.map(|entry| entry.name)
        .filter(|name| !legacy::is_legacy(name))
}

/// Every algorithm that a user's key or certificate may be shown under, the best of each kind of key first.
pub fn known_user_key() -> Vec<&'static str> {
    let mut names = default_user_key();
    names.extend([name::SSH_RSA_CERT, name::SSH_RSA]);
    names
}

/// Those of them that a client uses unless told otherwise.
pub fn default_user_key() -> Vec<&'static str> {
    modern_host_key()
        .chain(SECURITY_KEYS.iter().map(|entry| entry.name))
        .collect()
}

/// Every cipher of this build, in order of preference on this machine.
pub fn known_cipher() -> Vec<&'static str> {
    let mut all = order_ciphers(cpu_has_aes());
    all.extend(legacy::CIPHERS.iter().map(|entry| entry.name));
    all
}

/// Every MAC of this build, in order of preference.
pub fn known_mac() -> Vec<&'static str> {
    let all = MACS.iter().chain(legacy::MACS);
    all.map(|entry| entry.name).collect()
}

/// Every compression of this build, in order of preference.
pub fn known_compression() -> Vec<&'static str> {
    COMPRESSIONS.iter().map(|entry| entry.name).collect()
}

/// AES without instructions for it is slow, and hard to make constant in time.
fn order_ciphers(has_aes: bool) -> Vec<&'static str> {
    let names = CIPHERS.iter().map(|entry| entry.name);
    if has_aes {
        return names.collect();
    }
    std::iter::once(name::CHACHA20_POLY1305)
        .chain(names.filter(|cipher| *cipher != name::CHACHA20_POLY1305))
        .collect()
}

/// Whether the CPU has instructions for both halves of AES-GCM.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn cpu_has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

/// Whether the CPU has instructions for both halves of AES-GCM.
#[cfg(target_arch = "aarch64")]
fn cpu_has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull")
}

/// Whether the CPU has instructions for both halves of AES-GCM.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_has_aes() -> bool {
    false
}

/// A name, or a pattern, that fits no algorithm of this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm \"{name}\"")]
pub struct UnknownName {
    /// The name as given.
    pub name: String,
}

/// Changes `list` as OpenSSH's configuration does: `+a,b` puts names at the end, `^a,b` at the
/// front, `-a,b` takes them out, and a list without a sign replaces the whole. Names may be patterns
/// with `*` and `?`, which stand for all names of `known` that fit, in its order. What only old gear needs must be
/// named in full: a pattern puts it nowhere, but does take it out.
///
/// What is to be taken out may be unknown, for it may be taken out on account of other builds.
/// The result is empty when everything was taken out.
pub fn apply(
    list: &[&'static str],
    known: &[&'static str],
    spec: &str,
) -> Result<Vec<&'static str>, UnknownName> {
    if let Some(patterns) = spec.strip_prefix('-') {
        let patterns: Vec<&str> = patterns.split(',').collect();
        let stays = |name: &&&str| !patterns.iter().any(|pattern| fits(pattern, name));
        return Ok(list.iter().filter(stays).copied().collect());
    }
    if let Some(names) = spec.strip_prefix('+') {
        let mut result = list.to_vec();
        merge(&mut result, &expand(names, known)?);
        return Ok(result);
    }
    if let Some(names) = spec.strip_prefix('^') {
        let mut result = expand(names, known)?;
        merge(&mut result, list);
        return Ok(result);
    }
    expand(spec, known)
}

/// The names meant by a comma-separated list of names and patterns, each once.
fn expand(names: &str, known: &[&'static str]) -> Result<Vec<&'static str>, UnknownName> {
    let mut result = Vec::new();
    for pattern in names.split(',') {
        let pattern = pattern.trim();
        if let Some(named) = known.iter().find(|name| pattern == **name) {
            merge(&mut result, &[named]);
            continue;
        }
        let meant: Vec<&'static str> = known
            .iter()
            .filter(|name| fits(pattern, name) && !legacy::is_legacy(name))
            .copied()
            .collect();
        if meant.is_empty() {
            return Err(UnknownName {
                name: pattern.to_owned(),
            });
        }
        merge(&mut result, &meant);
    }
    Ok(result)
}

/// Adds the names that are not there yet.
fn merge(list: &mut Vec<&'static str>, more: &[&'static str]) {
    for name in more {
        if !list.contains(name) {
            list.push(name);
        }
    }
}

/// Whether `name` fits the pattern: `*` stands for any characters, `?` for one.
///
/// Going back only to the last `*` keeps this quadratic at worst.
fn fits(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.trim().as_bytes(), name.as_bytes());
    let mut resume: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (Some((b'*', rest)), _) => {
                resume = Some((rest, name));
                pattern = rest;
                continue;
            }
            (Some((p, pattern_rest)), Some((n, name_rest))) if *p == b'?' || p == n => {
                (pattern, name) = (pattern_rest, name_rest);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        // No fit here: let the last `*` take one character more.
        match resume {
            Some((after_star, at)) => match at.split_first() {
                Some((_, shorter)) => {
                    resume = Some((after_star, shorter));
                    (pattern, name) = (after_star, shorter);
                }
                None => return false,
            },
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("*", "", true),
            ("*", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*-etm@*", "hmac-sha2-256-etm@openssh.com", true),
            ("*a*b", "aaab", true),
            ("abc", "abcd", false),
            ("abcd", "abc", false),
            ("**?", "", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn short_forms() {
        let known = ["a1", "a2", "b1", "b2"];
        let list = ["a1", "b1"];
        let ok = |spec: &str| apply(&list, &known, spec).unwrap();
        assert_eq!(ok("+b2,a1"), ["a1", "b1", "b2"]);
        assert_eq!(ok("^b2,b1"), ["b2", "b1", "a1"]);
        assert_eq!(ok("-a?"), ["b1"]);
        assert_eq!(ok("-nothing,*"), Vec::<&str>::new());
        assert_eq!(ok("b2,a1,b2"), ["b2", "a1"]);
        assert_eq!(ok("b*"), ["b1", "b2"]);
        assert_eq!(ok("+b*"), ["a1", "b1", "b2"]);
        for (spec, unknown) in [
            ("+c", "c"),
            ("^a1,c*", "c*"),
            ("x", "x"),
            ("", ""),
            ("+", ""),
            ("a1,", ""),
        ] {
            let error = apply(&list, &known, spec).unwrap_err();
            assert_eq!(error.name, unknown, "{spec}");
        }
    }

    #[test]
    fn presets_hold_known_names_only() {
        for role in [Role::Client, Role::Server] {
            for lists in [
                Preferences::compatible(role),
                Preferences::modern(role),
                Preferences::legacy(role),
            ] {
                assert_eq!(
                    apply(&[], &known_kex(), &lists.kex.join(",")).unwrap(),
                    lists.kex
                );
                assert_eq!(
                    apply(&[], &known_cipher(), &lists.cipher.join(",")).unwrap(),
                    lists.cipher
                );
                assert_eq!(
                    apply(&[], &known_mac(), &lists.mac.join(",")).unwrap(),
                    lists.mac
                );
                assert!(lists
                    .host_key
                    .iter()
                    .all(|name| known_host_key().contains(name)));
                assert_eq!(lists.compression.first(), Some(&name::NONE));
            }
        }
    }

    #[test]
    fn what_is_for_old_gear_must_be_named_or_preset() {
        for role in [Role::Client, Role::Server] {
            let lists = |preferences: Preferences| {
                [
                    preferences.kex,
                    preferences.host_key,
                    preferences.cipher,
                    preferences.mac,
                ]
            };
            for preset in [Preferences::compatible(role), Preferences::modern(role)] {
                assert!(!lists(preset)
                    .concat()
                    .iter()
                    .any(|name| legacy::is_legacy(name)));
            }
            for list in lists(Preferences::legacy(role)) {
                let first = list
                    .iter()
                    .position(|name| legacy::is_legacy(name))
                    .unwrap();
                assert!(first > 0 && list[first..].iter().all(|name| legacy::is_legacy(name)));
            }
        }
        let known = known_cipher();
        let list = ["aes256-ctr"];
        for pattern in ["*", "+aes*", "^*"] {
            let got = apply(&list, &known, pattern).unwrap();
            assert!(!got.iter().any(|name| name.ends_with("-cbc")), "{pattern}");
        }
        assert!(apply(&list, &known, "+*-cbc").is_err());
        let named = apply(&list, &known, "+aes128-cbc,3des-cbc").unwrap();
        assert_eq!(named, ["aes256-ctr", "aes128-cbc", "3des-cbc"]);
        assert_eq!(apply(&named, &known, "-*-cbc").unwrap(), list);
    }

    #[test]
    fn server_defaults_have_no_nist_curves() {
        let lists = Preferences::default_server();
        let mut names = lists.kex.iter().chain(&lists.host_key);
        assert!(names.all(|name| !name.contains("nist")));
        assert!(Preferences::default_client()
            .kex
            .contains(&name::ECDH_SHA2_NISTP256));
    }

    #[test]
    fn cipher_order_follows_the_cpu() {
        assert_eq!(order_ciphers(true).first(), Some(&name::AES128_GCM));
        let without = order_ciphers(false);
        assert_eq!(without.first(), Some(&name::CHACHA20_POLY1305));
        assert_eq!(without.len(), CIPHERS.len());
    }
}
