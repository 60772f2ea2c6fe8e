//! What needs `unsafe` or a bare system call: the socket's descriptor, fork, lent buffers, memory to read into.

pub mod clock;
pub mod exit;
pub mod file;
pub mod fork;
pub mod lent;
pub mod listening;
pub mod socket;
pub mod thread;
