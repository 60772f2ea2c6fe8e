//! One place that is listened on, as a task of an I/O thread.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::Inner;
use crate::driver::sync::{Mutex, Rank};
use crate::driver::{Engine, Next, Ready, Socket, Task, Worker};
use crate::forward::bind::Bound;

/// Most connections taken from one socket before the other tasks of the thread have their turn.
const ACCEPTS_PER_TURN: usize = 64;
/// How long to leave the sockets alone when the process has no descriptors or memory left. The poller would report them
/// all the time meanwhile, so it does not watch them.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// A task that accepts connections, until it is ended or its listener is gone.
pub(super) struct Place {
    key: u64,
    listener: Weak<Inner>,
    worker: Arc<Worker>,
    state: Mutex<State>,
}

struct State {
    /// `None` once it has ended.
    bound: Option<Bound>,
    /// Connections are waited for.
    watched: bool,
}

impl Place {
    pub(super) fn new(listener: &Arc<Inner>, bound: Bound, worker: Arc<Worker>) -> Arc<Self> {
        Arc::new(Place {
            key: Engine::new_key(),
            listener: Arc::downgrade(listener),
            worker,
            state: Mutex::ranked(
                State {
                    bound: Some(bound),
                    watched: false,
                },
                Rank::OUTER,
            ),
        })
    }

    /// Takes connections from now on.
    pub(super) fn start(self: &Arc<Self>) {
        self.worker.register(self.clone());
    }

    /// Listens no longer, from the return of this call on.
    pub(super) fn end(&self) {
        let bound = {
            let mut state = self.state.lock();
            self.unwatch(&mut state);
            state.bound.take()
        };
        drop(bound);
        // The I/O thread forgets it then.
        self.worker.attend(self.key);
    }

    /// False when the poller has no memory for it.
    fn watch(&self, state: &mut State) -> bool {
        if let (false, Some(bound)) = (state.watched, &state.bound) {
            state.watched = true;
            let mut sockets = bound.sockets.iter();
            let all = sockets.all(|socket| {
                let wanted = (true, false);
                let watched = self
                    .worker
                    .watch_descriptor(socket.as_fd(), self.key, wanted);
                watched.is_ok()
            });
            if !all {
                self.unwatch(state);
                return false;
            }
        }
        true
    }

    fn unwatch(&self, state: &mut State) {
        if let (true, Some(bound)) = (state.watched, &state.bound) {
            for socket in &bound.sockets {
                self.worker.unwatch_descriptor(socket.as_fd());
            }
        }
        state.watched = false;
    }

    fn accept(&self, listener: &Arc<Inner>) -> Next {
        let mut state = self.state.lock();
        let Some(bound) = &state.bound else {
            return Next::Gone;
        };
        let enough = bound
            .sockets
            .iter()
            .all(|socket| accept_some(socket, listener));
        if enough && self.watch(&mut state) {
            return Next::At(None);
        }
        listener.shortages.fetch_add(1, Ordering::Relaxed);
        self.unwatch(&mut state);
        Next::At(Some(Instant::now() + SHORTAGE_PAUSE))
    }
}

/// Takes what waits at a socket, up to a bound: the poller tells of the rest. False when something is short.
fn accept_some(socket: impl AsFd, listener: &Arc<Inner>) -> bool {
    for _ in 0..ACCEPTS_PER_TURN {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match rustix::net::acceptfrom_with(&socket, flags) {
            Ok((accepted, address)) => {
                let address = address.and_then(|address| SocketAddr::try_from(address).ok());
                // Who is refused sees the end of the connection at once, and no word: a flood is not worth more.
                if let Ok(admission) = listener.door.admit(address.map(ip)) {
                    if let Ok(accepted) = Socket::new(accepted) {
                        listener.push(accepted, admission);
                    }
                }
            }
            Err(Errno::AGAIN) => break,
            // Too few descriptors or too little memory, here or in the system; or a socket that is broken for good.
            Err(
                Errno::MFILE
                | Errno::NFILE
                | Errno::NOBUFS
                | Errno::NOMEM
                | Errno::BADF
                | Errno::INVAL
                | Errno::NOTSOCK
                | Errno::OPNOTSUPP
                | Errno::FAULT,
            ) => return false,
            // What became of the connection while it waited, or a filter's will: the next one.
            Err(_) => {}
        }
    }
    true
}

fn ip(address: SocketAddr) -> IpAddr {
    address.ip()
}

impl Task for Place {
    fn key(&self) -> u64 {
        self.key
    }

    fn turn(self: Arc<Self>, _: Ready, _: &mut Vec<u8>) -> Next {
        match self.listener.upgrade() {
            Some(listener) => self.accept(&listener),
            None => {
                self.end();
                Next::Gone
            }
        }
    }

    fn broken(self: Arc<Self>) {
        self.end();
    }
}
