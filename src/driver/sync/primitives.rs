//! What locks, flags and threads are made of: the standard library's, or in models the checker's
//! (`docs/internals/models.md`). This is the one place that chooses.

#[cfg(not(model))]
pub(crate) use std::{
    sync::{atomic, Condvar, Mutex, MutexGuard},
    thread_local,
};

#[cfg(model)]
pub(crate) use {
    crate::driver::models::time::Condvar,
    shuttle::{
        sync::{atomic, Mutex, MutexGuard},
        thread_local,
    },
};
