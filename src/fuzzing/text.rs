//! The files that users keep: known hosts, authorized keys, configuration.

use std::path::{Path, PathBuf};

use super::keys;
use crate::authorized_keys::{AuthorizedKeys, Candidate, Expiry};
use crate::config::{Config, ForwardKind, Local, Resolved, Surroundings, Trust};
use crate::error::Error;
use crate::keys::ShownKey;

/// The content of a known_hosts file.
pub(super) fn known_hosts(data: &[u8]) {
    crate::known_hosts::fuzzing::run(data, &keys::known()[0]);
}

/// The content of an authorized_keys file.
pub(super) fn authorized_keys(data: &[u8]) {
    let Ok(file) = AuthorizedKeys::load(data) else {
        return;
    };
    assert!(file.warnings().len() <= 256);
    for warning in file.warnings() {
        assert!(warning.len() < 1024 && !warning.contains(char::is_control));
    }
    for key in file.keys() {
        assert!(!key.comment.contains(char::is_control));
    }
    let own = file.keys().iter().take(8).map(|key| key.key.clone());
    for key in own.chain([keys::known()[0].clone()]) {
        for address in [None, Some("192.0.2.7".parse().unwrap())] {
            judge(&file, &key.clone().into(), address);
        }
    }
}

fn judge(file: &AuthorizedKeys, shown: &ShownKey, address: Option<std::net::IpAddr>) {
    let unix_time = |expiry: &Expiry| Some(u64::from(expiry.fields[0]) * 31_556_952);
    let candidate = Candidate {
        user: "user",
        shown,
        attendance: None,
        is_proven: true,
        address,
        name: address.map(|_| "client.example.org"),
        now: 1_700_000_000,
        unix_time: &unix_time,
    };
    match file.judge(&candidate) {
        Ok((index, _)) => {
            let line = &file.keys()[index];
            assert_eq!(line.key, shown.key);
            assert!(!line.options.is_authority, "a plain key is no certificate");
            assert!(address.is_some() || line.options.from.is_none());
        }
        Err(reason) => assert!(reason.len() < 4096),
    }
}

/// A machine that has one more file than the one that is read, and nothing of the real one.
struct Nowhere<'a> {
    included: &'a [u8],
}

impl Surroundings for Nowhere<'_> {
    fn local(&self) -> Result<Local, Error> {
        Ok(Local {
            user: "me".into(),
            uid: 1000,
            home: "/home/me".into(),
            host_name: "here.example.org".into(),
        })
    }

    fn read(&self, path: &Path, _: Trust) -> Result<Option<Vec<u8>>, Error> {
        Ok((path == Path::new("/included")).then(|| self.included.to_vec()))
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, Error> {
        let fits = crate::codec::matches_pattern_exactly(pattern.as_bytes(), b"/included");
        Ok(fits
            .then(|| PathBuf::from("/included"))
            .into_iter()
            .collect())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "SOCKET").then(|| "/run/socket".to_owned())
    }

    fn home_of(&self, user: &str) -> Option<String> {
        (user == "root").then(|| "/root".to_owned())
    }

    fn service(&self, name: &str) -> Option<u16> {
        (name == "http").then_some(80)
    }

    fn run(&self, command: &str) -> Result<Option<bool>, String> {
        Ok(Some(command.len().is_multiple_of(2)))
    }
}

/// A destination in the first line, a configuration, and behind a NUL one more that it may include.
pub(super) fn ssh_config(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let destination = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut files = lines
        .next()
        .unwrap_or_default()
        .splitn(2, |byte| *byte == 0);
    let first = files.next().unwrap_or_default();
    let machine = Nowhere {
        included: files.next().unwrap_or_default(),
    };
    let mut config = Config::default();
    config.load_text("config", first).unwrap();
    let Ok(resolved) = config.resolve(&destination, &machine) else {
        return;
    };
    assert!(resolved.remarks().len() <= 1000);
    for remark in resolved.remarks() {
        assert!(!remark.why.contains(char::is_control));
    }
    look(&resolved);
    for hop in resolved.jumps() {
        let _ = config.resolve_jump(hop, &machine).map(|hop| look(&hop));
    }
    reads_back(&resolved, &destination, &machine);
}

fn look(resolved: &Resolved) {
    assert!(!resolved.host_name().contains('\0'));
    let _ = (resolved.port(), resolved.user(), resolved.rekey_limit());
    for kind in [
        ForwardKind::Local,
        ForwardKind::Remote,
        ForwardKind::Dynamic,
    ] {
        assert!(resolved.forwards(kind).len() <= 1000);
    }
}

/// What was resolved, written as a file of its own, comes to the same algorithms.
fn reads_back(resolved: &Resolved, destination: &str, machine: &Nowhere<'_>) {
    const LISTS: [&str; 4] = ["Ciphers", "MACs", "KexAlgorithms", "HostKeyAlgorithms"];
    let text: String = LISTS
        .iter()
        .filter_map(|name| Some(format!("{name} {}\n", resolved.text(name)?)))
        .collect();
    let mut config = Config::default();
    config.load_text("again", text.as_bytes()).unwrap();
    let again = config.resolve(destination, machine).unwrap();
    for name in LISTS {
        assert_eq!(again.text(name), resolved.text(name), "{name}");
    }
}
