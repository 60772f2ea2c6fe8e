//! User authentication (RFC 4252, RFC 4256), client and server. Sans-I/O.
