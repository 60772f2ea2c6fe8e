//! The C face of the library: handles, panic guard, callbacks, errors, and one file per noun of the header.
//!
//! Every exported function runs inside `guard`, looks its handles up in `handle`, turns pointers into
//! slices in [`memory`], and calls the driver. The header is made from these files by cbindgen (`build.rs`),
//! in the order given there; the comments of exported items are the header's text, written for C programmers.

// The preconditions of all exported functions are the same and stand at the top of the header, once; a
// "Safety" section in each comment would repeat them in front of every C programmer.
#![allow(clippy::missing_safety_doc)]
// C functions take what C functions take; there are no named arguments to group them by.
#![allow(clippy::too_many_arguments)]

pub mod agent;
pub mod agent_identities;
pub mod answer;
pub mod auth;
pub mod auth_agent;
pub mod authorized_keys;
pub mod begin;
pub mod callbacks;
pub mod certificate;
pub mod certificate_issue;
pub mod certificate_use;
pub mod channel;
mod channel_object;
pub mod channel_purpose;
pub mod channel_request;
pub mod config;
pub mod config_connect;
pub mod config_host;
pub mod connection;
pub mod daemon;
mod dispatch;
pub mod error;
pub mod event;
pub mod forward;
#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod fuzzing;
pub(crate) mod guard;
pub(crate) mod handle;
pub mod inspect;
pub mod key;
mod key_file;
pub mod key_fingerprint;
pub mod key_info;
pub mod key_public;
pub mod key_signer;
pub mod known_hosts;
pub mod known_hosts_change;
pub mod known_hosts_entry;
pub mod listener;
pub mod listener_limits;
pub mod log;
pub mod memory;
pub mod message;
mod moduli_file;
pub mod packetizer;
pub mod port_forward;
pub mod request;
mod request_host_keys;
mod request_object;
pub mod revocations;
pub mod security;
mod security_object;
pub mod server;
mod server_object;
pub mod session_forward;
pub mod sftp;
pub mod sftp_attributes;
pub mod sftp_dir;
pub mod sftp_file;
mod sftp_object;
pub mod sftp_operation;
pub mod sftp_operation_answer;
mod sftp_operation_object;
pub mod sftp_path;
pub mod sftp_server;
pub mod sftp_transfer;
pub mod sshsig;
pub mod status;
pub mod stream;
pub mod subsystem;
mod text;
mod time;
pub mod transport;
mod transport_object;
pub mod tuning;
pub mod version;
