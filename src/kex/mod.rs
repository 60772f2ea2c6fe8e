//! Key exchange (RFC 4253 §7 and §8): negotiation, methods, exchange hash, key derivation, strict key exchange.
//!
//! Everything here is about one exchange; when an exchange runs is the transport layer's business.

mod derive;
mod exchange_hash;
pub mod methods;
mod moduli;
mod negotiate;
mod strict;

pub use derive::{derive_keys, SharedSecret};
pub use exchange_hash::Transcript;
pub use moduli::{Moduli, Modulus};
pub(crate) use negotiate::no_strict_kex;
pub use negotiate::{negotiate, DirectionAlgorithms, Negotiated};
pub use strict::{is_strict, strict_marker};
