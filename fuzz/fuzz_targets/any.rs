//! All targets in one program, which `FUZZ_TARGET` chooses from: forty programs of the same library take long to link
//! and have gigabytes.

#![no_main]

use std::sync::OnceLock;

use sshwire::fuzzing::{find, Target};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        find(&name).expect("FUZZ_TARGET is the name of a target")
    });
    sshwire_fuzz::run(target, data);
});
