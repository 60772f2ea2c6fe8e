//! The C face of the library: handles, panic guard, callbacks, errors, and one file per noun of the header.
//!
//! Every exported function runs inside [`guard`], looks its handles up in [`handle`], turns pointers into
//! slices in [`memory`], and calls the driver. The header is made from these files by cbindgen (`build.rs`),
//! in the order given there; the comments of exported items are the header's text, written for C programmers.

// The preconditions of all exported functions are the same and stand at the top of the header, once; a
// "Safety" section in each comment would repeat them in front of every C programmer.
#![allow(clippy::missing_safety_doc)]
// C functions take what C functions take; there are no named arguments to group them by.
#![allow(clippy::too_many_arguments)]

macro_rules! pending {
    ($value:expr $(, $argument:expr)* $(,)?) => {{
        $( let _ = $argument; )*
        $value
    }};
}

pub mod answer;
pub mod auth;
pub mod callbacks;
pub mod channel;
pub mod channel_request;
pub mod connection;
pub mod error;
pub mod event;
pub(crate) mod guard;
pub(crate) mod handle;
pub mod key;
pub mod log;
pub mod memory;
pub mod request;
pub mod security;
pub mod server;
pub mod status;
pub mod transport;
pub mod tuning;
pub mod version;
