//! What the fuzz targets run. Compiled for fuzzing (`--cfg fuzzing`, see `fuzz/`) and for tests, never into the library.
//!
//! Each target is a function over bytes. It must return for all of them, and what it asserts is more than that nothing
//! panics: that output and memory are in proportion to input, that what is printed reads back as the same, that nothing
//! is accepted twice in different forms. Memory is counted by the allocator of `fuzz/`, against [`Target::memory`].
//!
//! Nothing here reads a clock or the system's random numbers where it could matter: a finding must happen again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions
)]

mod auth;
mod connection;
mod kex;
mod keys;
mod local;
mod messages;
mod packet;
mod peer;
#[cfg(test)]
mod record;
mod session;
mod sftp;
#[cfg(test)]
mod tests;
mod text;

use arbitrary::Unstructured;

/// One fuzz target.
#[derive(Debug)]
pub struct Target {
    /// Its name: of the program, of the folder of its seeds.
    pub name: &'static str,
    /// What it does with some bytes.
    pub run: fn(&[u8]),
    /// Bytes that it may have allocated at one time, beside [`PER_BYTE`] for each byte of input.
    pub memory: usize,
}

/// Bytes of memory for each byte of input.
pub const PER_BYTE: usize = 64;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

const fn target(name: &'static str, run: fn(&[u8]), memory: usize) -> Target {
    Target { name, run, memory }
}

/// All targets, one in a line, as the scripts of `fuzz/` read it.
#[rustfmt::skip]
pub static TARGETS: &[Target] = &[
    target("ident", packet::ident, 64 * KIB),
    target("packet_plain", packet::plain, MIB),
    target("packet_ctr", packet::ctr, MIB),
    target("packet_ctr_etm", packet::ctr_etm, MIB),
    target("packet_cbc", packet::cbc, MIB),
    target("packet_gcm", packet::gcm, MIB),
    target("packet_chacha", packet::chacha, MIB),
    target("inflate", packet::inflate, 2 * MIB),
    target("kexinit", kex::kexinit, MIB),
    target("kex_reply", kex::reply, MIB),
    target("kex_init", kex::init, MIB),
    target("moduli", kex::moduli, MIB),
    target("algorithms", kex::algorithms, MIB),
    target("codec", messages::codec, MIB),
    target("messages", messages::messages, MIB),
    target("public_key", keys::public_key, MIB),
    target("certificate", keys::certificate, MIB),
    target("signature", keys::signature, MIB),
    target("private_key", keys::private_key, 2 * MIB),
    target("private_key_openssh", keys::openssh, 2 * MIB),
    target("private_key_pkcs1", keys::pkcs1, MIB),
    target("private_key_sec1", keys::sec1, MIB),
    target("private_key_pkcs8", keys::pkcs8, 2 * MIB),
    target("krl", keys::krl, MIB),
    target("known_hosts", text::known_hosts, MIB),
    target("authorized_keys", text::authorized_keys, MIB),
    target("ssh_config", text::ssh_config, 4 * MIB),
    target("auth_client", auth::client, MIB),
    target("auth_server", auth::server, MIB),
    target("connection_client", connection::client, MIB),
    target("connection_server", connection::server, MIB),
    target("endpoint_client_bytes", session::client_bytes, 4 * MIB),
    target("endpoint_server_bytes", session::server_bytes, 4 * MIB),
    target("endpoint_client_messages", session::client_messages, 4 * MIB),
    target("endpoint_server_messages", session::server_messages, 4 * MIB),
    target("sftp_messages", sftp::messages, MIB),
    target("sftp_client", sftp::client, MIB),
    target("sftp_server", sftp::server, 4 * MIB),
    target("agent", local::agent, MIB),
    target("socks", local::socks, 64 * KIB),
    target("x11", local::x11, 64 * KIB),
    target("c_packets", local::c_packets, 4 * MIB),
    target("c_transports", local::c_transports, 64 * MIB),
];

/// The target of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Bytes with their length in front; what is left where that is less.
fn piece<'a>(input: &mut Unstructured<'a>) -> &'a [u8] {
    let length = usize::from(number::<u16>(input)).min(input.len());
    input.bytes(length).unwrap_or_default()
}

/// A number; 0 where nothing is left.
fn number<T: for<'a> arbitrary::Arbitrary<'a> + Default>(input: &mut Unstructured<'_>) -> T {
    input.arbitrary().unwrap_or_default()
}
