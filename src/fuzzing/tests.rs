//! Every target over its seeds, and over damaged ones, in the ordinary test profile.

use std::path::{Path, PathBuf};

use super::{find, TARGETS};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn every_target_has_a_program() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in TARGETS {
        assert!(
            std::ptr::eq(find(target.name).unwrap(), target),
            "named once"
        );
        let source = folder().join(format!("fuzz_targets/{}.rs", target.name));
        let source = std::fs::read_to_string(source).unwrap_or_default();
        assert!(
            source.contains(&format!("fuzz!({:?})", target.name)),
            "{}",
            target.name
        );
        assert!(
            manifest.contains(&format!("name = {:?}", target.name)),
            "{}",
            target.name
        );
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len() + 1);
}

/// The seeds in the tree, by target.
fn seeds() -> Vec<(&'static super::Target, PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for target in TARGETS {
        let folder = folder().join("seeds").join(target.name);
        // Their seeds are the fixtures.
        if target.name.starts_with("private_key") {
            continue;
        }
        let files = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}; make -C fuzz seeds", folder.display()));
        for file in files {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            found.push((target, path, bytes));
        }
    }
    found
}

/// Found by fuzzing: what is read of it is longer than the bound, for it was escaped, and shorter when it is read again.
#[test]
fn an_exit_signal_that_is_escaped_beyond_its_bound() {
    let signal = crate::codec::Writer::collect(|w| {
        w.u8(98).u32(0).string("exit-signal").bool(false);
        w.string([0; 46]).bool(true).string([0; 300]).string("");
    });
    run(find("messages").unwrap(), "an exit-signal", &signal);
}

/// Runs a target, and says over which input where it fails.
fn run(target: &super::Target, what: &str, bytes: &[u8]) {
    let run = std::panic::AssertUnwindSafe(|| (target.run)(bytes));
    if std::panic::catch_unwind(run).is_err() {
        panic!(
            "{} over {what}: {:?}",
            target.name,
            bytes.escape_ascii().to_string()
        );
    }
}

#[test]
fn every_target_over_its_seeds() {
    let seeds = seeds();
    let total: usize = seeds.iter().map(|(_, _, bytes)| bytes.len()).sum();
    assert!(total <= 1 << 20, "the seeds have {total} bytes");
    for (target, path, bytes) in &seeds {
        run(target, &path.display().to_string(), bytes);
    }
}

/// Cut, and with a byte or two that differ: what a fuzzer tries first.
#[test]
fn every_target_over_damaged_seeds() {
    let mut dice = 1_u64;
    let mut roll = |sides: usize| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(dice >> 33).unwrap() % sides.max(1)
    };
    for (target, path, bytes) in seeds() {
        // Threads take their time.
        let rounds = if target.name == "c_transports" { 1 } else { 12 };
        for round in 0..rounds {
            let mut damaged = bytes.clone();
            if round % 3 == 0 {
                damaged.truncate(roll(bytes.len()));
            } else if !bytes.is_empty() {
                for _ in 0..round % 3 {
                    damaged[roll(bytes.len())] ^= 1 << roll(8);
                }
            }
            run(target, &format!("{} damaged", path.display()), &damaged);
        }
    }
}

#[test]
fn keys_of_the_fixtures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        for target in [
            "public_key",
            "certificate",
            "known_hosts",
            "authorized_keys",
            "krl",
        ] {
            run(find(target).unwrap(), &name, &bytes);
        }
        // A key of 9216 bits takes its time.
        if !name.starts_with("rsa9216") {
            run(find("private_key").unwrap(), &name, &bytes);
        }
    }
}

/// Recorded sessions come to life again: the seeds reach what is behind the keys.
#[test]
fn recorded_sessions_log_in() {
    use crate::messages::Role;
    for (role, target) in [
        (Role::Client, "endpoint_client_bytes"),
        (Role::Server, "endpoint_server_bytes"),
    ] {
        for name in ["plain", "compressed"] {
            let path = folder().join("seeds").join(target).join(name);
            let bytes = std::fs::read(path).unwrap();
            let (peer, _) = super::session::replay(role, &bytes).unwrap();
            assert_eq!(peer.failed, None, "{target} {name}");
            assert!(peer.authenticated && peer.keyed, "{target} {name}");
        }
    }
}

/// Hostile messages begin where they are said to begin.
#[test]
fn stages_of_a_session() {
    use crate::messages::Role;
    for role in [Role::Client, Role::Server] {
        for compressed in [0, 8] {
            let stages =
                [0, 1, 2, 3].map(|stage| super::session::reached(role, stage + compressed));
            let expected = [
                (false, false, 0),
                (true, false, 0),
                (true, true, 0),
                (true, true, 1),
            ];
            assert_eq!(stages, expected, "{role:?}");
        }
    }
}

/// Not a test: makes the seeds anew.
#[test]
#[ignore = "writes into the tree; make -C fuzz seeds"]
fn record_seeds() {
    super::record::write(&folder().join("seeds"));
}

/// What is recorded is what is in the tree, so that nobody changes seeds by hand. Some key exchange methods take random
/// numbers of their own.
#[test]
fn seeds_are_those_that_are_recorded() {
    for (target, name, bytes) in super::record::seeds().all {
        let path = folder().join("seeds").join(target).join(&name);
        let found = std::fs::read(&path).unwrap_or_default();
        let same = match target {
            "kex_init" | "kex_reply" => !found.is_empty(),
            _ => found == bytes,
        };
        assert!(same, "{}; make -C fuzz seeds", path.display());
    }
}
