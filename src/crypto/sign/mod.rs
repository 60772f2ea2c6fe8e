//! Signature primitives, one file per algorithm family.
