//! What other programs on this machine say: agents, and programs whose connections are forwarded.

/// An agent's answers.
pub(super) fn agent(data: &[u8]) {
    crate::agent::fuzzing::run(data, &super::auth::user_key());
}

/// A program that speaks SOCKS.
pub(super) fn socks(data: &[u8]) {
    crate::forward::fuzzing::socks(data);
}

/// A program that shows windows.
pub(super) fn x11(data: &[u8]) {
    crate::forward::fuzzing::x11(data);
}

/// A program in C with two packetizers.
pub(super) fn c_packets(data: &[u8]) {
    crate::ffi::fuzzing::packets(data);
}

/// A program in C with a client and a server.
pub(super) fn c_transports(data: &[u8]) {
    crate::ffi::fuzzing::transports(data);
}
