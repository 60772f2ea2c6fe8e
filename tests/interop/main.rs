//! libsshwire against SSH implementations that are not ours, over loopback.
//!
//! What is tested are the C programs of `examples-c/` and the probes of `tests/interop/probes/`, built from the
//! installed header, library and `.pc`: what a user gets, not what the Rust modules offer each other.
//! `tests/peers/setup.sh` provides the peers. One that is absent is named on standard error and its checks are left
//! out; under `CI=true` that is a failure.

mod agent;
mod algorithms;
mod aliases;
mod audit;
mod auth;
mod authorized_keys;
mod certificates;
mod config;
mod connect;
mod connect_keys;
mod doubtful_hosts;
mod dropbear;
mod events;
mod exec;
mod flood;
mod forward;
mod forward_socks;
mod generated;
mod guesses;
mod host_keys;
mod jump;
mod keys;
mod known_hosts;
mod libssh;
mod login;
mod newest;
mod packets;
mod paramiko;
mod peers;
mod process;
mod pty;
mod rekey;
mod relay;
mod revoked_hosts;
mod session_forward;
mod sessions;
mod sftp_client;
mod sftp_clients;
mod sftp_hostile;
mod sftp_server;
mod ssh_commands;
mod ssh_host_keys;
mod ssh_messages;
mod ssh_program;
mod ssh_session;
mod ssh_switches;
mod virtual_files;
