//! What needs `unsafe` or a bare system call: the socket's descriptor, fork, and lent buffers.

pub mod exit;
pub mod fork;
pub mod lent;
pub mod socket;
pub mod thread;
