//! Makes the seeds in `fuzz/seeds`: `cargo test --lib record_seeds -- --ignored`, which `make -C fuzz seeds` does. They
//! come from sessions of the library with itself and from what its writers write, and are the same each time.

mod files;
mod sessions;
mod small;

use std::fs;
use std::path::Path;

use crate::codec::Writer;

/// The seeds of all targets.
#[derive(Default)]
pub(super) struct Seeds {
    pub(super) all: Vec<(&'static str, String, Vec<u8>)>,
}

impl Seeds {
    /// One seed of a target.
    pub(super) fn add(&mut self, target: &'static str, name: impl Into<String>, bytes: Vec<u8>) {
        self.all.push((target, name.into(), bytes));
    }
}

/// Bytes with their length in front, as [`super::piece`] reads them.
pub(super) fn piece(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&length.to_le_bytes(), bytes].concat()
}

/// A step of that number, with bytes.
pub(super) fn step(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind][..], &piece(bytes)].concat()
}

/// What a writer writes.
pub(super) fn written(fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    Writer::collect(fill)
}

pub(super) fn seeds() -> Seeds {
    let mut seeds = Seeds::default();
    small::add(&mut seeds);
    files::add(&mut seeds);
    sessions::add(&mut seeds);
    seeds
}

/// Writes them to a folder; what was there before is gone.
pub(super) fn write(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    for (target, name, bytes) in seeds().all {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
}
