//! Where a server is listened for: accepts connections, asks the policy about each, and hands on those that may come in.
//!
//! Each place that is listened on is a task of an I/O thread (`place`). Connections that were let in wait in a queue
//! for [`Listener::accept`] or the callback; they are no more than may be unauthenticated at once. A transport is made
//! only when one is taken out, so that a flood costs a descriptor for each connection and little more.
//!
//! Locks, in this order: that of a place, that of the queue. The policy's is a leaf.

mod place;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use crate::connection::ForwardPoint;
use crate::driver::sync::{Condvar, Mutex, Rank};
use crate::driver::sys::{fork, listening};
use crate::driver::{Admission, Door, Engine, Event, Socket, Timeout, Transport};
use crate::error::Error;
use crate::forward::bind::{self, Bound};
use crate::policy::{Counts, Limits};

use place::Place;

pub use bind::check;

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// Most places that one listener listens on.
const MAX_PLACES: usize = 64;

/// Gets the transports, one at a time.
pub type AcceptCallback = Arc<dyn Fn(Transport) + Send + Sync>;

/// Places that are listened on, with one policy. Clones are the same listener.
#[derive(Clone)]
pub struct Listener {
    inner: Arc<Inner>,
}

struct Inner {
    door: Arc<Door>,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Set while something can be taken out, and at the end.
    came: Event,
    /// Times that there were no descriptors or no memory left.
    shortages: AtomicU64,
    generation: u32,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Socket, Admission)>,
    callback: Option<AcceptCallback>,
    /// A job hands connections to the callback.
    delivering: bool,
    places: Vec<Arc<Place>>,
    stopped: bool,
    /// Raised by each cancel; waiting calls compare.
    cancels: u64,
}

impl Default for Listener {
    fn default() -> Self {
        Self::new()
    }
}

impl Listener {
    /// Listens nowhere yet.
    pub fn new() -> Self {
        fork::watch();
        Listener {
            inner: Arc::new(Inner {
                door: Arc::default(),
                queue: Mutex::ranked(Queue::default(), Rank::BEFORE_LEAVES),
                changed: Condvar::new(),
                came: Event::new(),
                shortages: AtomicU64::new(0),
                generation: fork::generation(),
            }),
        }
    }

    /// Listens at `point` too; returns it with the port that was chosen where it was 0.
    pub fn bind(&self, point: &ForwardPoint) -> Result<ForwardPoint, Error> {
        self.check_open()?;
        let (bound, point) = bind::listen(point)?;
        bound.set_backlog(BACKLOG);
        self.add(bound)?;
        Ok(point)
    }

    /// Listens at a socket of the caller's, which belongs to the listener from now on. On failure it stays the caller's.
    pub fn add_descriptor(&self, descriptor: RawFd) -> Result<(), Error> {
        self.check_open()?;
        // Before the socket is taken over, for after it nothing must fail.
        Engine::get()?;
        self.add(Bound::of(listening::take_over(descriptor)?))
    }

    fn add(&self, bound: Bound) -> Result<(), Error> {
        let worker = Engine::get()?.assign()?;
        let place = Place::new(&self.inner, bound, worker);
        self.inner.queue.lock().places.push(Arc::clone(&place));
        place.start();
        if !self.is_listening() {
            // It was stopped meanwhile.
            place.end();
        }
        Ok(())
    }

    fn check_open(&self) -> Result<(), Error> {
        self.check_process()?;
        let queue = self.inner.queue.lock();
        if queue.stopped {
            return Err(Error::Closed);
        }
        if queue.places.len() >= MAX_PLACES {
            return Err(Error::ApiMisuse("a listener listens at 64 places at most"));
        }
        Ok(())
    }

    fn check_process(&self) -> Result<(), Error> {
        if self.inner.generation == fork::generation() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }

    /// The next connection, as a transport that is not started.
    pub fn accept(&self, timeout: Timeout) -> Result<Transport, Error> {
        self.check_process()?;
        let deadline = timeout.deadline();
        let inner = &self.inner;
        let mut queue = inner.queue.lock();
        let cancels = queue.cancels;
        loop {
            if let Some((socket, admission)) = inner.take(&mut queue) {
                drop(queue);
                return Ok(Transport::from_admitted(socket, admission));
            }
            if queue.stopped {
                return Err(Error::Closed);
            }
            if queue.cancels != cancels {
                return Err(Error::Cancelled);
            }
            if !deadline.wait(&inner.changed, &mut queue) {
                return Err(Error::Timeout("accept"));
            }
        }
    }

    /// Set while [`accept`](Self::accept) has something to give, and once the listener is stopped.
    pub fn accept_event(&self) -> Event {
        self.inner.came.clone()
    }

    /// Has connections handed to `callback`, those that wait already first, or keeps them for [`accept`](Self::accept).
    pub fn set_callback(&self, callback: Option<AcceptCallback>) {
        let before = {
            let mut queue = self.inner.queue.lock();
            let before = std::mem::replace(&mut queue.callback, callback);
            self.inner.deliver(&mut queue);
            before
        };
        // The application's destroy hook may run here, without the lock.
        drop(before);
    }

    /// Changes the policy, for connections that come from now on.
    pub fn set_limits(&self, change: impl FnOnce(&mut Limits)) {
        self.inner.door.change(change);
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.inner.door.counts()
    }

    /// How often nothing could be accepted for want of descriptors or memory.
    pub fn shortages(&self) -> u64 {
        self.inner.shortages.load(Ordering::Relaxed)
    }

    /// Connections that were let in and that nobody has taken.
    pub fn waiting(&self) -> usize {
        self.inner.queue.lock().waiting.len()
    }

    /// Whether connections are taken: from the first place on, until it is stopped.
    pub fn is_listening(&self) -> bool {
        let queue = self.inner.queue.lock();
        !queue.stopped && !queue.places.is_empty()
    }

    /// Wakes the calls of [`accept`](Self::accept) that wait now.
    pub fn cancel(&self) {
        let mut queue = self.inner.queue.lock();
        queue.cancels = queue.cancels.wrapping_add(1);
        self.inner.changed.notify_all();
    }

    /// Listens nowhere any more. Connections that were let in before may still be taken.
    pub fn stop(&self) {
        if self.check_process().is_err() {
            return;
        }
        let places = {
            let mut queue = self.inner.queue.lock();
            queue.stopped = true;
            self.inner.changed.notify_all();
            self.inner.came.set();
            std::mem::take(&mut queue.places)
        };
        for place in places {
            place.end();
        }
    }

    /// Stops, and closes the connections that nobody has taken. Those that were taken go on.
    pub fn close(&self) {
        self.stop();
        let before = {
            let mut queue = self.inner.queue.lock();
            (std::mem::take(&mut queue.waiting), queue.callback.take())
        };
        drop(before);
    }
}

impl Inner {
    /// A connection has been let in.
    fn push(self: &Arc<Self>, socket: Socket, admission: Admission) {
        let mut queue = self.queue.lock();
        if queue.stopped {
            return;
        }
        queue.waiting.push_back((socket, admission));
        if queue.callback.is_some() {
            self.deliver(&mut queue);
        } else {
            self.changed.notify_one();
            self.came.set();
        }
    }

    fn take(&self, queue: &mut Queue) -> Option<(Socket, Admission)> {
        let taken = queue.waiting.pop_front();
        if queue.waiting.is_empty() && !queue.stopped {
            self.came.reset();
        }
        taken
    }

    /// Sees to it that what waits gets to the callback.
    fn deliver(self: &Arc<Self>, queue: &mut Queue) {
        if queue.delivering || queue.waiting.is_empty() || queue.callback.is_none() {
            return;
        }
        // Without an engine nothing could have been accepted.
        if let Ok(engine) = Engine::get() {
            queue.delivering = true;
            let inner = Arc::clone(self);
            engine.pool().spawn(Box::new(move || inner.hand_out()));
        }
    }

    /// Runs on the callback pool, once at a time.
    fn hand_out(&self) {
        let _over = Delivery(self);
        loop {
            let (callback, (socket, admission)) = {
                let mut queue = self.queue.lock();
                let callback = queue.callback.clone();
                let next = callback.and_then(|callback| Some((callback, self.take(&mut queue)?)));
                let Some(next) = next else {
                    queue.delivering = false;
                    return;
                };
                next
            };
            callback(Transport::from_admitted(socket, admission));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let places = std::mem::take(&mut self.queue.lock().places);
        for place in places {
            place.end();
        }
    }
}

/// Lets the next delivery begin where a callback panics in this one.
struct Delivery<'a>(&'a Inner);

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue.lock().delivering = false;
        }
    }
}
