//! Signature primitives, one file per algorithm family.
//!
//! Each file holds the portable provider (`portable`) and, with `fast-crypto`, the fast one (`fast`); both
//! have the same methods, and the names at the top of the file are those of the provider in use. Messages go
//! in whole, for each algorithm fixes its hash; signatures are raw, the blobs around them are the business of
//! [`keys`](crate::keys).

pub mod ecdsa;
pub mod ed25519;
pub mod rsa;
mod rsa_numbers;
