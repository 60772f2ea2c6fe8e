//! Our KEXINIT.

use super::session::Session;
use super::TransportConfig;
use crate::crypto::algorithms::{self, name, Preferences};
use crate::crypto::random::Random;
use crate::error::Error;
use crate::kex::strict_marker;
use crate::keys::PublicKey;
use crate::messages::kex::{KexInit, KexInitNames};
use crate::messages::Role;

/// Who guesses what the other side prefers (RFC 4253 §7).
pub(super) enum Guess<'a> {
    Nobody,
    /// Client: the first message of our favourite method is sent behind our KEXINIT.
    Ours,
    /// Server: the client's KEXINIT is there before ours, and a guess comes behind it.
    Clients(KexInit<'a>),
}

impl<'a> Guess<'a> {
    /// That of the client whose KEXINIT this payload is, if it is one and a guess comes behind it.
    pub(super) fn of_client(payload: Option<&'a [u8]>) -> Self {
        let init = payload.and_then(|payload| KexInit::decode(payload).ok());
        init.filter(|init| init.first_kex_packet_follows)
            .map_or(Guess::Nobody, Guess::Clients)
    }
}

/// The payload of our KEXINIT. `session` is there in a rekey.
pub(super) fn kexinit(
    config: &TransportConfig,
    session: Option<&Session>,
    guess: &Guess<'_>,
    random: &mut dyn Random,
) -> Result<Vec<u8>, Error> {
    let preferences = &config.preferences;
    let mut kex = preferences.kex.clone();
    if kex.is_empty() || preferences.cipher.is_empty() || preferences.compression.is_empty() {
        return Err(Error::ApiMisuse("a list of algorithms is empty"));
    }
    let mut host_key = host_key_algorithms(config, session);
    if let Guess::Clients(client) = guess {
        // What it prefers is what is chosen (§7.1), and the guess is right where we prefer it, too.
        prefer(&mut kex, client.kex.first());
        prefer(&mut host_key, client.host_key.first());
    }
    // Markers belong into the first KEXINIT only: OpenSSH PROTOCOL §1.10, RFC 8308 §2.1.
    if session.is_none() {
        kex.push(match config.role {
            Role::Client => name::EXT_INFO_C,
            Role::Server => name::EXT_INFO_S,
        });
        kex.push(strict_marker(config.role));
    }
    if host_key.is_empty() {
        return Err(Error::ApiMisuse("no host key algorithm can be offered"));
    }
    let mut cookie = [0; 16];
    random.fill(&mut cookie);
    let names = KexInitNames {
        kex,
        host_key,
        cipher: &preferences.cipher,
        mac: &preferences.mac,
        compression: &preferences.compression,
        guess_follows: matches!(guess, Guess::Ours),
    };
    Ok(names.encode(&cookie))
}

/// Puts a name first, if it is there.
fn prefer(names: &mut [&'static str], name: Option<&str>) {
    let place = names.iter().position(|own| Some(*own) == name);
    if let Some(front) = place.and_then(|place| names.get_mut(..=place)) {
        front.rotate_right(1);
    }
}

/// The host key algorithms that can work: of a server those it has keys for; of a client those that fit the
/// key that must be shown, which is the expected one and in a rekey the first one.
pub(super) fn host_key_algorithms(
    config: &TransportConfig,
    session: Option<&Session>,
) -> Vec<&'static str> {
    let must_be = session
        .map(|session| session.host_key.key_type())
        .or(config.expected_host_key.as_ref().map(PublicKey::key_type));
    let fits = |name: &&&'static str| match (config.role, must_be) {
        (Role::Server, _) => config.host_key_for(name).is_some(),
        (Role::Client, Some(key_type)) => {
            algorithms::signature(name).is_some_and(|algorithm| algorithm.key_type == key_type)
        }
        (Role::Client, None) => true,
    };
    let offered = config.preferences.host_key.iter();
    let names: Vec<_> = offered.filter(fits).copied().collect();
    let usual = || Preferences::default_server().host_key == config.preferences.host_key;
    if names.is_empty() && config.role == Role::Server && usual() {
        // What it was given is all that it can show, and nobody has said that it must not.
        let all = Preferences::default_client().host_key;
        return all.iter().filter(fits).copied().collect();
    }
    names
}
