//! What needs `unsafe` or a bare system call: the socket's descriptor, fork, lent buffers, memory to read into.

pub mod clock;
pub mod exit;
pub mod file;
pub mod fork;
pub mod lent;
pub mod listening;
#[cfg(not(model))]
pub mod poller;
#[cfg(not(model))]
pub mod signal;
#[cfg(not(model))]
pub mod socket;
#[cfg(not(model))]
pub mod thread;

// In models the system is made of the checker's own locks.
#[cfg(model)]
pub mod model;
#[cfg(model)]
pub use model::{poller, signal, socket, thread};
