//! The connection protocol (RFC 4254): channels, windows, channel requests, global requests. Sans-I/O.
