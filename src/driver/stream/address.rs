//! A TCP connection that is made in the background while its transport may already be started.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use once_cell::sync::OnceCell;

use super::{Progress, Socket, Waker};
use crate::driver::connect;
use crate::driver::engine::Worker;
use crate::driver::event::Event;
use crate::driver::sync::Mutex;
use crate::driver::wait::Timeout;
use crate::error::Error;

/// The stream of a transport to an address.
pub(crate) struct AddressStream {
    inner: Arc<Inner>,
}

struct Inner {
    address: String,
    socket: OnceCell<Socket>,
    failure: OnceCell<Error>,
    /// Set when the connection is made, or cannot be.
    event: Event,
    closed: AtomicBool,
    waker: Arc<Waker>,
    /// A leaf. Held while the socket is put in place, so that it misses no wish.
    watch: Mutex<Watch>,
}

/// What the transport wants to be told, before there is a socket to watch.
#[derive(Default)]
struct Watch {
    thread: Option<(Arc<Worker>, u64)>,
    read: bool,
    write: bool,
}

impl AddressStream {
    /// Begins to connect; `event` is set when that is over.
    pub(crate) fn new(address: &str, timeout: Timeout, event: Event) -> Result<Self, Error> {
        let inner = Arc::new(Inner {
            address: address.to_owned(),
            socket: OnceCell::new(),
            failure: OnceCell::new(),
            event,
            closed: AtomicBool::new(false),
            waker: Waker::new(),
            watch: Mutex::default(),
        });
        let told = Arc::downgrade(&inner);
        connect::begin(
            address,
            timeout,
            None,
            Box::new(move |outcome| {
                // Nobody is left to use it otherwise.
                if let Some(inner) = told.upgrade() {
                    inner.settle(outcome);
                }
            }),
        )?;
        Ok(AddressStream { inner })
    }

    pub(crate) fn socket(&self) -> Option<&Socket> {
        self.inner.socket.get()
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.inner.waker
    }

    pub(crate) fn describe(&self) -> String {
        crate::driver::log::quoted(&self.inner.address)
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.inner.closed.load(Ordering::Acquire)
    }

    pub(crate) fn check_usable(&self) -> Result<(), Error> {
        self.inner.failure.get().cloned().map_or(Ok(()), Err)
    }

    /// `None` while the connection is being made.
    pub(crate) fn outcome(&self) -> Option<Result<(), Error>> {
        match (self.inner.socket.get(), self.inner.failure.get()) {
            (Some(_), _) => Some(Ok(())),
            (None, Some(failure)) => Some(Err(failure.clone())),
            (None, None) => None,
        }
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Progress, Error> {
        self.inner.waker.begin_reading();
        match self.socket() {
            Some(socket) => socket.receive(buffer),
            None => self.check_usable().map(|()| Progress::WouldBlock),
        }
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> Result<Progress, Error> {
        match self.socket() {
            Some(socket) => socket.send(bytes),
            None => Ok(Progress::WouldBlock),
        }
    }

    pub(crate) fn attach(&self, worker: &Arc<Worker>, key: u64, read: bool) -> Result<(), Error> {
        self.inner.waker.attach(worker, key);
        let mut watch = self.inner.watch.lock();
        watch.thread = Some((Arc::clone(worker), key));
        watch.read = read;
        self.inner.apply(&watch)
    }

    pub(crate) fn set_interest(
        &self,
        worker: &Worker,
        key: u64,
        (read, write): (bool, bool),
    ) -> Result<(), Error> {
        let mut watch = self.inner.watch.lock();
        watch.read = read;
        watch.write = write;
        match self.socket() {
            Some(socket) => worker.watch_again(socket, key, (read, write)),
            None => Ok(()),
        }
    }

    pub(crate) fn close(&self) {
        let _watch = self.inner.watch.lock();
        self.inner.closed.store(true, Ordering::Release);
        if let Some(socket) = self.socket() {
            socket.close();
        }
    }
}

impl Inner {
    /// The connection is made, or cannot be.
    fn settle(&self, outcome: Result<OwnedFd, Error>) {
        let made = outcome.and_then(|fd| Socket::new(fd).map_err(|(error, _)| error));
        let watch = self.watch.lock();
        let settled = made.and_then(|socket| {
            if self.closed.load(Ordering::Acquire) {
                return Ok(());
            }
            let _ = self.socket.set(socket);
            self.apply(&watch)
        });
        if let Err(error) = settled {
            let _ = self.failure.set(error);
        }
        drop(watch);
        self.event.set();
        self.waker.readable();
    }

    /// Has the socket watched, once there are both a socket and somebody to watch it.
    fn apply(&self, watch: &Watch) -> Result<(), Error> {
        match (&watch.thread, self.socket.get()) {
            (Some((worker, key)), Some(socket)) => {
                worker.watch(socket, *key, (watch.read, watch.write))
            }
            _ => Ok(()),
        }
    }
}
