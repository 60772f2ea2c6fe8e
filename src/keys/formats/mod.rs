//! File formats of keys.
