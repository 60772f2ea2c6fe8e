//! Makes the C header and the pkg-config file in `OUT_DIR`, and tells the linker what the shared library is.
//!
//! `include/sshwire.h` in the tree is a copy of the header made here; a test compares the two and `make header`
//! renews it.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The files with exported items, in the order in which the header shows them.
const HEADER_SOURCES: &[&str] = &[
    "version",
    "status",
    "memory",
    "text",
    "error",
    "callbacks",
    "event",
    "key",
    "certificate",
    "certificate_issue",
    "key_public",
    "key_info",
    "key_fingerprint",
    "sshsig",
    "security",
    "transport",
    "stream",
    "tuning",
    "inspect",
    "known_hosts",
    "known_hosts_entry",
    "known_hosts_change",
    "config",
    "config_host",
    "daemon",
    "log",
    "auth",
    "connection",
    "channel",
    "channel_purpose",
    "channel_request",
    "begin",
    "port_forward",
    "forward",
    "session_forward",
    "agent",
    "agent_identities",
    "key_signer",
    "auth_agent",
    "request",
    "request_host_keys",
    "answer",
    "config_connect",
    "server",
    "certificate_use",
    "revocations",
    "authorized_keys",
    "subsystem",
    "listener",
    "listener_limits",
    "sftp_server",
    "sftp_operation",
    "sftp_operation_answer",
    "sftp",
    "sftp_path",
    "sftp_attributes",
    "sftp_dir",
    "sftp_file",
    "sftp_transfer",
    "message",
    "packetizer",
];

fn main() {
    // Set for all crates in `.cargo/config.toml`.
    println!("cargo::rustc-check-cfg=cfg(chacha20_avx512)");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-changed=sshwire.pc.in");
    println!("cargo:rerun-if-changed=src/ffi");
    header(&root, &out);
    pkg_config(&root, &out);
    link();
}

fn header(root: &Path, out: &Path) {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in HEADER_SOURCES {
        builder = builder.with_src(root.join("src/ffi").join(format!("{name}.rs")));
    }
    let bindings = builder
        .generate()
        .expect("src/ffi holds what C can express");
    bindings.write_to_file(out.join("sshwire.h"));
}

/// The version is filled in here, the prefix at installation.
fn pkg_config(root: &Path, out: &Path) {
    let template = fs::read_to_string(root.join("sshwire.pc.in")).expect("sshwire.pc.in");
    let version = env::var("CARGO_PKG_VERSION").expect("set by cargo");
    fs::write(
        out.join("sshwire.pc"),
        template.replace("@VERSION@", &version),
    )
    .expect("OUT_DIR can be written");
}

fn link() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    // GNU ld gives every exported symbol the soname as its version (--default-symver); lld knows no such
    // thing. The library must stay mapped: threads run in it and fork handlers point into it.
    for argument in [
        "-fuse-ld=bfd",
        "-Wl,-soname,libsshwire.so.0",
        "-Wl,--default-symver",
        "-Wl,-z,nodelete",
    ] {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
}
