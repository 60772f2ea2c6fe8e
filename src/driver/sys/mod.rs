//! What needs `unsafe` or a bare system call: the stream's descriptor, fork, and lent buffers.

pub mod fork;
pub mod lent;
pub mod stream;
pub mod thread;
