//! What a security options handle leads to: changes to the default lists, kept as changes because the defaults
//! of client and server differ and the role is known only at the start.

use std::sync::Arc;

use crate::crypto::algorithms::{apply, Preferences};
use crate::crypto::preferences::{
    known_cipher, known_compression, known_host_key, known_kex, known_mac,
};
use crate::driver::sync::Mutex;
use crate::messages::Role;

use super::guard::{Failure, Outcome};
use super::handle::Handle;
use super::security::{
    ssh_security_options, SSH_PRESET_COMPATIBLE, SSH_PRESET_LEGACY, SSH_PRESET_MODERN,
};

/// Changes beyond this many to one set of options are refused; nobody means that.
const MAX_CHANGES: usize = 256;

impl Handle for ssh_security_options {
    type Object = SecurityObject;
    const TAG: u8 = 4;
    const NOUN: &'static str = "ssh_security_options";
}

pub(crate) struct SecurityObject {
    /// Shared with the transport whose options these are.
    pub(crate) edits: Arc<Mutex<Edits>>,
}

/// One of the five lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Kex,
    HostKey,
    Cipher,
    Mac,
    Compression,
}

const LISTS: [List; 5] = [
    List::Kex,
    List::HostKey,
    List::Cipher,
    List::Mac,
    List::Compression,
];

impl List {
    pub(crate) fn of(self, preferences: &Preferences) -> &Vec<&'static str> {
        match self {
            List::Kex => &preferences.kex,
            List::HostKey => &preferences.host_key,
            List::Cipher => &preferences.cipher,
            List::Mac => &preferences.mac,
            List::Compression => &preferences.compression,
        }
    }

    fn of_mut(self, preferences: &mut Preferences) -> &mut Vec<&'static str> {
        match self {
            List::Kex => &mut preferences.kex,
            List::HostKey => &mut preferences.host_key,
            List::Cipher => &mut preferences.cipher,
            List::Mac => &mut preferences.mac,
            List::Compression => &mut preferences.compression,
        }
    }

    fn known(self) -> Vec<&'static str> {
        match self {
            List::Kex => known_kex(),
            List::HostKey => known_host_key(),
            List::Cipher => known_cipher(),
            List::Mac => known_mac(),
            List::Compression => known_compression(),
        }
    }
}

/// Where the changes begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Preset {
    Modern,
    #[default]
    Compatible,
    Legacy,
}

impl Preset {
    fn lists(self, role: Role) -> Preferences {
        match self {
            Preset::Modern => Preferences::modern(role),
            Preset::Compatible => Preferences::compatible(role),
            Preset::Legacy => Preferences::legacy(role),
        }
    }
}

/// The changes in their order.
#[derive(Clone, Default)]
pub(crate) struct Edits {
    preset: Preset,
    changes: Vec<(List, String)>,
    /// The role of the transport that has started with these options.
    pub(crate) started: Option<Role>,
}

impl Edits {
    /// Whether nothing was changed.
    pub(crate) fn is_untouched(&self) -> bool {
        self.preset == Preset::Compatible && self.changes.is_empty()
    }

    /// The lists that come out for a role.
    pub(crate) fn resolve(&self, role: Role) -> Outcome<Preferences> {
        let mut preferences = self.preset.lists(role);
        for list in LISTS {
            self.apply_to(list, &mut preferences)?;
        }
        Ok(preferences)
    }

    /// Makes the changes to one of the lists.
    fn apply_to(&self, list: List, preferences: &mut Preferences) -> Outcome<()> {
        for (_, change) in self.changes.iter().filter(|(changed, _)| *changed == list) {
            let changed = apply(list.of(preferences), &list.known(), change)
                .map_err(|unknown| Failure::invalid(unknown.to_string()))?;
            if changed.is_empty() {
                return Err(Failure::invalid("no algorithm is left in the list"));
            }
            *list.of_mut(preferences) = changed;
        }
        Ok(())
    }

    /// The lists as they are shown.
    pub(crate) fn shown(&self) -> Outcome<Preferences> {
        self.resolve(self.started.unwrap_or(Role::Client))
    }

    fn may_change(&self) -> Outcome<()> {
        match self.started {
            Some(_) => Err(Failure::state("the transport has been started")),
            None => Ok(()),
        }
    }

    /// Adds a change, which must make sense in both roles.
    pub(crate) fn change(&mut self, list: List, change: &str) -> Outcome<()> {
        self.may_change()?;
        let mut next = self.clone();
        if change.starts_with(['+', '-', '^']) {
            if next.changes.len() >= MAX_CHANGES {
                return Err(Failure::invalid("too many changes"));
            }
        } else {
            // A whole list makes what was done to it before void.
            next.changes.retain(|(known, _)| *known != list);
        }
        next.changes.push((list, change.to_owned()));
        for role in [Role::Client, Role::Server] {
            next.apply_to(list, &mut next.preset.lists(role))?;
        }
        *self = next;
        Ok(())
    }

    /// Goes to a preset.
    pub(crate) fn preset(&mut self, preset: i32) -> Outcome<()> {
        self.may_change()?;
        let preset = match preset {
            SSH_PRESET_MODERN => Preset::Modern,
            SSH_PRESET_COMPATIBLE => Preset::Compatible,
            SSH_PRESET_LEGACY => Preset::Legacy,
            _ => return Err(Failure::invalid("an unknown preset")),
        };
        self.preset = preset;
        self.changes.clear();
        Ok(())
    }

    /// Takes over the changes of others.
    pub(crate) fn replace(&mut self, other: &Edits) -> Outcome<()> {
        self.may_change()?;
        self.preset = other.preset;
        self.changes.clone_from(&other.changes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_apply_to_the_defaults_of_either_role() {
        let mut edits = Edits::default();
        edits.change(List::Kex, "-mlkem*").unwrap();
        let client = edits.resolve(Role::Client).unwrap().kex;
        let server = edits.resolve(Role::Server).unwrap().kex;
        assert!(client.iter().any(|name| name.starts_with("ecdh")));
        assert!(!server.iter().any(|name| name.starts_with("ecdh")));
        assert!(!client.iter().any(|name| name.starts_with("mlkem")));
    }

    #[test]
    fn unknown_names_and_empty_lists_change_nothing() {
        let mut edits = Edits::default();
        assert!(edits.change(List::Cipher, "aes256-ctr,rot13").is_err());
        assert!(edits.change(List::Cipher, "-*").is_err());
        assert!(edits.is_untouched());
        edits.change(List::Cipher, "aes256-ctr").unwrap();
        assert_eq!(edits.shown().unwrap().cipher, ["aes256-ctr"]);
        edits.change(List::Cipher, "+aes128-ctr").unwrap();
        assert_eq!(edits.shown().unwrap().cipher, ["aes256-ctr", "aes128-ctr"]);
    }

    #[test]
    fn presets() {
        let mut edits = Edits::default();
        edits.preset(SSH_PRESET_MODERN).unwrap();
        assert!(edits
            .shown()
            .unwrap()
            .kex
            .iter()
            .all(|name| !name.contains("diffie")));
        edits.preset(SSH_PRESET_LEGACY).unwrap();
        let legacy = edits.shown().unwrap();
        assert_eq!(legacy.kex.last(), Some(&"diffie-hellman-group1-sha1"));
        assert_eq!(legacy.cipher.last(), Some(&"3des-cbc"));
        assert_eq!(legacy.mac.last(), Some(&"hmac-sha1"));
        assert_eq!(legacy.host_key.last(), Some(&"ssh-rsa"));
        edits.change(List::Kex, "-*-sha1").unwrap();
        assert!(!edits
            .shown()
            .unwrap()
            .kex
            .iter()
            .any(|name| name.ends_with("sha1")));
        assert!(edits.preset(4).is_err());
        edits.preset(SSH_PRESET_COMPATIBLE).unwrap();
        assert!(edits.is_untouched());
        edits.started = Some(Role::Client);
        assert!(edits.change(List::Mac, "hmac-sha2-256").is_err());
    }
}
