//! What the connections of one forwarding share: their transport, their number and its bound, the counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;

use crate::driver::sync::Mutex;

use crate::driver::{Transport, Waker, Worker};

/// What a forwarding has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were carried, those under way included.
    pub connections: u64,
    /// Connections now, those that are being made included.
    pub active: u64,
    /// Connections that could not be made.
    pub failed: u64,
    /// Bytes from sockets into channels.
    pub sent: u64,
    /// Bytes from channels into sockets.
    pub received: u64,
}

/// The connections of one forwarding. Its lock is a leaf.
pub(super) struct Group {
    transport: Transport,
    max: AtomicUsize,
    active: AtomicUsize,
    connections: AtomicU64,
    failed: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    stopped: AtomicBool,
    closed: AtomicBool,
    /// The listener waits for a place.
    full: AtomicBool,
    /// The tasks that carry its connections, and whose they are.
    tasks: Mutex<HashMap<u64, Arc<Worker>>>,
    /// Of the listener, where this side listens.
    pub(super) waker: Arc<Waker>,
}

impl Group {
    pub(super) fn new(transport: Transport, max: usize) -> Arc<Self> {
        Arc::new(Group {
            transport,
            max: AtomicUsize::new(max),
            active: AtomicUsize::new(0),
            connections: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            full: AtomicBool::new(false),
            tasks: Mutex::default(),
            waker: Waker::new(),
        })
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(super) fn counts(&self) -> Counts {
        let active = self.active.load(Ordering::Relaxed);
        Counts {
            connections: self.connections.load(Ordering::Relaxed),
            active: u64::try_from(active).unwrap_or(u64::MAX),
            failed: self.failed.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        }
    }

    pub(super) fn count_failure(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, sent: usize, received: usize) {
        // Sizes fit into 64 bits everywhere.
        let add = |to: &AtomicU64, count: usize| {
            to.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed)
        };
        add(&self.sent, sent);
        add(&self.received, received);
    }

    pub(super) fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::SeqCst);
        self.waker.readable();
    }

    pub(super) fn is_listening(&self) -> bool {
        !self.stopped.load(Ordering::SeqCst)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Takes no new connections any more. Says whether it did before.
    pub(super) fn stop(&self) -> bool {
        let first = !self.stopped.swap(true, Ordering::SeqCst);
        self.waker.readable();
        first
    }

    /// Ends the connections.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for (key, worker) in tasks {
            worker.attend(key);
        }
    }

    pub(super) fn add(&self, key: u64, worker: &Arc<Worker>) {
        self.tasks.lock().insert(key, Arc::clone(worker));
        if self.is_closed() {
            worker.attend(key);
        }
    }

    pub(super) fn remove(&self, key: u64) {
        self.tasks.lock().remove(&key);
    }
}

/// A place among the connections of a group, given back when it is dropped.
pub(super) struct Place(Arc<Group>);

impl Place {
    /// `None` when all are taken; then the listener is told when that changes.
    pub(super) fn take_or_wait(group: &Arc<Group>) -> Option<Self> {
        group.full.store(false, Ordering::SeqCst);
        Self::take(group).or_else(|| {
            group.full.store(true, Ordering::SeqCst);
            // One may have been given back before that was known.
            Self::take(group)
        })
    }

    /// `None` when all are taken.
    pub(super) fn take(group: &Arc<Group>) -> Option<Self> {
        let max = group.max.load(Ordering::SeqCst);
        let taken = group
            .active
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |active| {
                (active < max).then(|| active.saturating_add(1))
            });
        taken.ok().map(|_| Place(Arc::clone(group)))
    }

    pub(super) fn group(&self) -> &Arc<Group> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
        if self.0.full.swap(false, Ordering::SeqCst) {
            self.0.waker.readable();
        }
    }
}
