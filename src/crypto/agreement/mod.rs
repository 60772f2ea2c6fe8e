//! Key agreement primitives, one file per primitive.
