//! The fuzz target of this module: a file, what is said of hosts by it, and what each change makes of it.

use std::sync::Arc;

use super::document::Document;
use super::edit::{self, NewLine};
use super::judge::{self, Verdict};
use super::{Entry, Host, Marker};
use crate::crypto::random::SeededRandom;
use crate::keys::PublicKey;

/// Most entries of one run that are asked about.
const MAX_ENTRIES: usize = 8;

fn document(bytes: &[u8]) -> Document {
    Document {
        path: None,
        bytes: Arc::new(bytes.to_vec()),
    }
}

fn entries(bytes: &[u8], host: &Host) -> Vec<Entry> {
    document(bytes).entries(Some(host.name())).collect()
}

/// The hosts that a file names as they are, and two that it may name.
fn hosts(document: &Document) -> Vec<Host> {
    let mut hosts = vec![
        Host::new("host.example.org", 22).unwrap(),
        Host::new("192.0.2.7", 2222).unwrap(),
    ];
    for entry in document.entries(None).take(MAX_ENTRIES) {
        let names = String::from_utf8_lossy(&entry.names).into_owned();
        let first = names.split(',').next().unwrap_or_default();
        hosts.extend(Host::new(first, 0));
    }
    hosts
}

/// Runs over the content of a file; `key` is one that may be in it.
pub(crate) fn run(data: &[u8], key: &PublicKey) {
    let file = document(data);
    for (line, _) in file.faults().take(100) {
        assert!(line > 0);
    }
    let mut keys: Vec<_> = file
        .entries(None)
        .take(MAX_ENTRIES)
        .filter_map(|entry| entry.key.usable())
        .collect();
    keys.push(key.clone());
    for host in hosts(&file) {
        for key in &keys {
            judged(&file, &host, key);
        }
        removed(data, &host);
        changed(data, &host, key);
    }
    hashed(data);
}

/// A revoked key is never a match, and a match has a line that says so.
fn judged(file: &Document, host: &Host, key: &PublicKey) {
    let found = judge::judge(std::slice::from_ref(file), host, key);
    let of_marker = |marker| {
        file.entries(Some(host.name()))
            .any(|entry| entry.marker == marker && entry.key.is(key))
    };
    match found.verdict {
        Verdict::Match => assert!(found.entry.is_some() && !of_marker(Marker::Revoked)),
        Verdict::Revoked => assert!(found.entry.is_some()),
        _ => assert!(!of_marker(Marker::None), "{:?}", found.verdict),
    }
    judge::judge_authority(std::slice::from_ref(file), host, key);
    let offered = ["ssh-ed25519", "rsa-sha2-512", "ecdsa-sha2-nistp256"];
    let mut order = judge::order(std::slice::from_ref(file), host, &offered);
    order.sort_unstable();
    let mut all = offered.to_vec();
    all.sort_unstable();
    assert_eq!(order, all, "the same algorithms, in another order");
}

/// What is left does not name the host, and what was marked is left.
fn removed(data: &[u8], host: &Host) {
    let (new, count) = edit::remove(data, host);
    assert_eq!(new.is_some(), count > 0);
    let Some(new) = new else { return };
    assert!(new.len() < data.len());
    let marked = |bytes: &[u8]| {
        let entries = entries(bytes, host).into_iter();
        entries.filter(|entry| entry.marker != Marker::None).count()
    };
    assert_eq!(marked(&new), entries(&new, host).len());
    assert_eq!(marked(&new), marked(data));
}

/// A line that was added or put in place of another is there, unless the key is revoked.
fn changed(data: &[u8], host: &Host, key: &PublicKey) {
    for hashed in [false, true] {
        let line = NewLine {
            marker: Marker::None,
            names: host.name(),
            key,
            comment: "a comment",
            hashed,
        };
        let mut random = SeededRandom::new(5);
        for change in [edit::add, edit::replace] {
            let Ok(new) = change(data, &line, &mut random) else {
                continue;
            };
            let new = new.unwrap_or_else(|| data.to_vec());
            let verdict = judge::judge(&[document(&new)], host, key).verdict;
            assert!(matches!(verdict, Verdict::Match | Verdict::Revoked));
            // Once more changes nothing.
            assert_eq!(change(&new, &line, &mut random), Ok(None));
        }
    }
}

/// Hashing changes what stands there, and not what it says.
fn hashed(data: &[u8]) {
    let (new, count) = edit::hash(data, &mut SeededRandom::new(6));
    assert_eq!(new.is_some(), count > 0);
    let Some(new) = new else { return };
    for host in hosts(&document(data)) {
        let keys = |bytes: &[u8]| -> Vec<_> {
            let entries = entries(bytes, &host).into_iter();
            let mut keys: Vec<_> = entries
                .map(|entry| (entry.marker.word(), entry.key.blob().to_vec()))
                .collect();
            keys.sort();
            keys.dedup();
            keys
        };
        assert_eq!(keys(&new), keys(data));
    }
    assert_eq!(edit::hash(&new, &mut SeededRandom::new(7)).1, 0);
}
