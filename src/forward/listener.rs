//! A place that is listened on: takes connections as long as there is room for them.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::driver::sync::{Mutex, Rank};
use once_cell::sync::OnceCell;
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::bind::{self, Bound};
use super::group::{Group, Place};
use super::relay::Relay;
use crate::connection::{ForwardPoint, OpenKind};
use crate::driver::{Engine, Next, Ready, Socket, Task, Worker};
use crate::error::Error;

/// Most connections taken in one turn.
const ACCEPTS_PER_TURN: usize = 16;
/// How long to wait when the process has no descriptors or memory left.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// What becomes of a connection.
pub(super) enum Purpose {
    /// The server connects to this.
    Direct(ForwardPoint),
    /// The program says where the server is to connect to.
    Socks,
    /// The client is told of it, as one that came in here.
    Forwarded(ForwardPoint),
    /// The client's agent answers.
    Agent,
    /// The client's display shows it; with `true` only one connection.
    X11(bool),
}

impl Purpose {
    /// The channel for a connection from `originator`; `None` where the program is to speak first.
    fn kind(&self, originator: &Originator) -> Option<OpenKind> {
        Some(match self {
            Purpose::Socks => return None,
            Purpose::Agent => OpenKind::AuthAgent,
            Purpose::X11(_) => OpenKind::X11 {
                originator: originator.host.clone(),
                originator_port: u32::from(originator.port),
            },
            Purpose::Direct(target) => direct(target, originator),
            Purpose::Forwarded(ForwardPoint::Tcp { host, port }) => OpenKind::ForwardedTcpip {
                host: host.clone(),
                port: u32::from(*port),
                originator: originator.host.clone(),
                originator_port: u32::from(originator.port),
            },
            Purpose::Forwarded(ForwardPoint::Unix { path }) => {
                OpenKind::ForwardedStreamlocal { path: path.clone() }
            }
        })
    }
}

/// Who connected.
#[derive(Debug, Clone)]
pub(super) struct Originator {
    host: String,
    port: u16,
}

impl Originator {
    fn of(address: Option<SocketAddr>) -> Self {
        match address {
            Some(address) => Originator {
                host: address.ip().to_string(),
                port: address.port(),
            },
            // RFC 4254 §7.2 wants an address; a UNIX socket's peer has none.
            None => Originator {
                host: String::from("127.0.0.1"),
                port: 0,
            },
        }
    }
}

/// The channel that has the server connect to a target.
pub(super) fn direct(target: &ForwardPoint, originator: &Originator) -> OpenKind {
    match target {
        ForwardPoint::Tcp { host, port } => OpenKind::DirectTcpip {
            host: host.clone(),
            port: u32::from(*port),
            originator: originator.host.clone(),
            originator_port: u32::from(originator.port),
        },
        ForwardPoint::Unix { path } => OpenKind::DirectStreamlocal { path: path.clone() },
    }
}

/// A task that accepts connections. It ends with its group or its transport, and with it the sockets.
pub(super) struct Listener {
    key: u64,
    group: Arc<Group>,
    purpose: Purpose,
    worker: OnceCell<Arc<Worker>>,
    state: Mutex<State>,
}

struct State {
    /// `None` once it has ended.
    bound: Option<Bound>,
    /// Connections are waited for.
    watched: bool,
}

impl Listener {
    /// Listens at `point`, but takes no connections yet; returns the place with the port that was chosen.
    pub(super) fn bind(
        group: &Arc<Group>,
        point: &ForwardPoint,
        purpose: impl FnOnce(&ForwardPoint) -> Purpose,
    ) -> Result<(Arc<Self>, ForwardPoint), Error> {
        let (sockets, place) = bind::listen(point)?;
        let listener = Arc::new(Listener {
            key: Engine::new_key(),
            group: Arc::clone(group),
            purpose: purpose(&place),
            worker: OnceCell::new(),
            state: Mutex::ranked(
                State {
                    bound: Some(sockets),
                    watched: false,
                },
                Rank::OUTER,
            ),
        });
        Ok((listener, place))
    }

    /// Takes connections from now on.
    pub(super) fn start(self: &Arc<Self>) -> Result<(), Error> {
        let worker = Engine::get()?.assign()?;
        self.group.waker.attach(&worker, self.key);
        self.group.transport().tell_end(&self.group.waker);
        let worker = self.worker.get_or_init(|| worker);
        worker.register(self.clone());
        Ok(())
    }

    /// Listens no longer, from the return of this call on.
    pub(super) fn end(&self) {
        self.group.stop();
        let mut state = self.state.lock();
        self.watch(&mut state, false);
        state.bound = None;
    }

    /// False when the poller has no memory for it.
    fn watch(&self, state: &mut State, wanted: bool) -> bool {
        let (Some(worker), Some(bound)) = (self.worker.get(), &state.bound) else {
            return true;
        };
        if state.watched == wanted {
            return true;
        }
        state.watched = wanted;
        let mut all = true;
        for socket in &bound.sockets {
            if wanted {
                let watched = worker.watch_descriptor(socket.as_fd(), self.key, (true, false));
                all &= watched.is_ok();
            } else {
                worker.unwatch_descriptor(socket.as_fd());
            }
        }
        all
    }

    fn accept(self: &Arc<Self>, state: &mut State) -> Next {
        let Some(bound) = &state.bound else {
            return Next::Gone;
        };
        for socket in &bound.sockets {
            for _ in 0..ACCEPTS_PER_TURN {
                let Some(place) = Place::take_or_wait(&self.group) else {
                    // The end of a connection brings us back.
                    self.watch(state, false);
                    return Next::At(None);
                };
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                match rustix::net::acceptfrom_with(socket, flags) {
                    Ok((accepted, address)) => {
                        let address =
                            address.and_then(|address| SocketAddr::try_from(address).ok());
                        if let Ok(accepted) = Socket::new(accepted) {
                            self.begin(place, accepted, &Originator::of(address));
                        }
                    }
                    Err(Errno::AGAIN) => break,
                    // It went away while it waited.
                    Err(Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::PERM) => {}
                    Err(_) => {
                        self.watch(state, false);
                        return Next::At(Some(Instant::now() + SHORTAGE_PAUSE));
                    }
                }
            }
        }
        if self.watch(state, true) {
            return Next::At(None);
        }
        self.watch(state, false);
        Next::At(Some(Instant::now() + SHORTAGE_PAUSE))
    }

    fn begin(&self, place: Place, socket: Socket, originator: &Originator) {
        let begun = match self.purpose.kind(originator) {
            Some(kind) => Relay::open(place, socket, kind),
            None => Relay::greet(place, socket, originator.clone()),
        };
        if begun.is_err() {
            self.group.count_failure();
        }
        if matches!(self.purpose, Purpose::X11(true)) {
            self.group.stop();
        }
    }
}

impl Task for Listener {
    fn key(&self) -> u64 {
        self.key
    }

    fn turn(self: Arc<Self>, _: Ready, _: &mut Vec<u8>) -> Next {
        self.group.waker.begin_reading();
        if self.group.is_listening() && self.group.transport().cause().is_none() {
            return self.accept(&mut self.state.lock());
        }
        self.end();
        Next::Gone
    }

    fn broken(self: Arc<Self>) {
        self.group.stop();
    }
}
