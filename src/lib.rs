//! libsshwire: SSH-2, client and server, behind a C ABI.
//!
//! The layers, each using only what stands below it:
//!
//! ```text
//! ffi          handles, panic guard, callbacks, errors: the C face
//! config       ssh_config files: what a user has set up for a host
//! sftp         SFTP version 3: codec, client and server over a Channel
//! authorized_keys  which keys let a user in, and with which restrictions
//! known_hosts  which keys a host is known to have; the files they stand in
//! forward      forwarding of connections: listening, connecting, carrying; SOCKS
//! listener     where a server is listened for: accepting, under the policy
//! agent        client of authentication agents
//! driver       Transport and Channel with threads, sockets, timers, deadlines
//! policy       who may connect to a server: caps, penalties; sans-I/O
//! endpoint     routes between the three protocol layers; sans-I/O from here down
//! connection   channels, windows, requests (RFC 4254)
//! auth         user authentication (RFC 4252, 4256)
//! transport    identification, key exchanges, rekeying (RFC 4253)
//! kex          negotiation, methods, exchange hash, strict kex
//! packet       framing, sealing and opening, sequence numbers, compression
//! keys         public and private keys, signatures, file formats
//! crypto       ciphers, MACs, hashes, agreement; tables of algorithms by name
//! messages     one struct per SSH_MSG_*
//! codec        the data types of RFC 4251 §5
//! ```

#![deny(unsafe_op_in_unsafe_fn, missing_docs)]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::as_conversions
    )
)]

pub mod agent;
pub mod auth;
pub mod authorized_keys;
pub mod codec;
pub mod config;
#[cfg(test)]
mod conformance;
pub mod connection;
pub mod crypto;
pub mod driver;
pub mod endpoint;
pub mod error;
pub mod ffi;
pub mod forward;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod kex;
pub mod keys;
pub mod known_hosts;
pub mod listener;
pub mod messages;
pub mod packet;
pub mod policy;
pub mod sftp;
pub mod transport;

pub use error::Error;
