//! A transport as its threads share it: three locks and the paths between them.
//!
//! | lock | guards | held for long by |
//! |---|---|---|
//! | `receiving` | opener, transport layer, bytes not opened yet | the I/O thread: opening, key exchange |
//! | `sending` | sealer, sealed bytes the socket has not taken | whoever writes: sealing, the write call |
//! | `serving` | authentication, channels, who waits for what | nobody: bookkeeping and copies only |
//!
//! They are taken in this order, any of them may be skipped, and none is held while a callback runs or a
//! thread sleeps (a condition variable of `serving` releases it).
//!
//! The paths are in files of their own: [`receive`](super::receive), `sending`, `attending` (a turn of the I/O thread),
//! `answering` (commands to the services), `calling` (callbacks and log), `ending`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attendance::{For, Interest};
use super::baton::Baton;
use super::condition::Condition;
use super::engine::{Engine, Worker};
use super::entry::ChannelInterest;
use super::event::Event;
use super::gathering::Gathering;
use super::log::LogTarget;
use super::lookup::Turns;
use super::options::TransportOptions;
use super::pool::Job;
use super::sending::Sent;
use super::serving::Serving;
use super::stream::Stream;
use super::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use super::sync::{Lock, Mutex, MutexGuard, Rank};
use super::sys::fork;
use super::wait::Deadline;
use crate::endpoint::{Inbound, Outbound};
use crate::error::Error;
use crate::packet::RekeyLimits;
use crate::transport::TransportAction;
use once_cell::sync::OnceCell;

/// Guarded by the receiving lock.
pub(crate) struct Receiving {
    /// Made at the start.
    pub(crate) inbound: Option<Inbound>,
    /// The beginning of a packet whose rest has not come.
    pub(crate) unopened: Vec<u8>,
    pub(crate) actions: Vec<TransportAction>,
}

/// Guarded by the sending lock.
pub(crate) struct Sending {
    /// Made at the start.
    pub(crate) outbound: Option<Outbound>,
    pub(crate) rekey: RekeyLimits,
    /// Sealed bytes have left. Who waits for that is told when the lock is free, for it is what they take first.
    pub(crate) room_came: bool,
    pub(crate) gathering: Gathering,
    /// Sealed bytes that wait for more of their kind.
    pub(crate) gathered: usize,
}

impl Sending {
    /// Sealed bytes that the socket has not taken.
    pub(crate) fn pending_bytes(&self) -> usize {
        let outbound = self.outbound.as_ref();
        outbound.map_or(0, |outbound| outbound.pending().len())
    }

    /// Whether the socket has taken all that was sealed.
    pub(crate) fn is_all_sent(&self) -> bool {
        let outbound = self.outbound.as_ref();
        outbound.is_some_and(|outbound| outbound.pending().is_empty())
    }

    /// Whether all that is sealed and has not left waits for more of its kind.
    pub(crate) fn is_all_gathered(&self) -> bool {
        let outbound = self.outbound.as_ref();
        outbound
            .is_some_and(|outbound| self.gathered > 0 && outbound.pending().len() == self.gathered)
    }
}

/// Log lines on their way to the sink, in order; a leaf lock, but for the pool.
#[derive(Default)]
pub(crate) struct LogLines {
    pub(crate) lines: VecDeque<Job>,
    pub(crate) running: bool,
}

/// How the end goes on after the cause is known.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    No,
    /// Bytes may still be on their way out, until this moment.
    Lingering(Instant),
    Closed,
}

pub(crate) struct Shared {
    pub(crate) key: u64,
    /// How many transports its stream goes through.
    pub(crate) below: u16,
    pub(crate) stream: Stream,
    pub(crate) receiving: Mutex<Receiving>,
    pub(crate) sending: Mutex<Sending>,
    pub(crate) serving: Mutex<Serving>,
    /// With `serving`: anything of the transport itself has changed.
    pub(crate) progress: Condition,
    /// Raised when sealed bytes have left or a key exchange is over; with `room_changed`.
    pub(crate) room: Mutex<u64>,
    pub(crate) room_changed: Condition,
    /// Somebody was told that there is no room and did not wait for it: events must say when there is.
    pub(crate) room_missed: AtomicBool,
    pub(crate) wants_flush: AtomicBool,
    /// A callback that runs has said something that has not been sent.
    pub(crate) left_by_callback: AtomicBool,
    pub(crate) is_authenticated: AtomicBool,
    /// Bytes of the handshake have come, and nothing has been sent since.
    pub(crate) unacknowledged: AtomicBool,
    pub(crate) has_ended: AtomicBool,
    /// The exit of the process does not wait for it.
    pub(crate) daemon: AtomicBool,
    /// Raised by each cancel; waiting calls compare.
    pub(crate) cancels: AtomicU64,
    pub(crate) sent: Sent,
    pub(crate) baton: Baton,
    /// Writes that had to wait for a peer's window.
    pub(crate) window_stalls: AtomicU64,
    pub(crate) interest: Mutex<Interest>,
    pub(crate) ending: Mutex<Ending>,
    pub(crate) worker: OnceCell<Arc<Worker>>,
    pub(crate) generation: u32,
    pub(crate) started_at: OnceCell<Instant>,
    pub(crate) login_grace: OnceCell<Duration>,
    pub(crate) request_event: OnceCell<Event>,
    /// Names of hosts that the peer has given, once there is one.
    pub(crate) lookups: OnceCell<Arc<Turns>>,
    pub(crate) log: LogTarget,
    pub(crate) log_lines: Mutex<LogLines>,
    pub(crate) hexdump: AtomicBool,
    pub(crate) names: Mutex<Names>,
}

/// Names of a transport; a leaf lock.
pub(crate) struct Names {
    pub(crate) name: String,
    pub(crate) log_channel: String,
}

impl Shared {
    pub(crate) fn new(stream: Stream, options: TransportOptions) -> Arc<Self> {
        fork::watch();
        let key = Engine::new_key();
        let below = stream.transports_below();
        let receiving = Receiving {
            inbound: None,
            unopened: Vec::new(),
            actions: Vec::new(),
        };
        let sending = Sending {
            outbound: None,
            rekey: options.rekey,
            room_came: false,
            gathering: Gathering::default(),
            gathered: 0,
        };
        let serving = Serving::new(options);
        Arc::new(Shared {
            key,
            below,
            stream,
            receiving: Mutex::ranked(receiving, Rank::of_transport(below, Lock::Receiving)),
            sending: Mutex::ranked(sending, Rank::of_transport(below, Lock::Sending)),
            serving: Mutex::ranked(serving, Rank::of_transport(below, Lock::Serving)),
            progress: Condition::default(),
            room: Mutex::ranked(0, Rank::ROOM),
            room_changed: Condition::default(),
            room_missed: AtomicBool::new(false),
            wants_flush: AtomicBool::new(false),
            left_by_callback: AtomicBool::new(false),
            is_authenticated: AtomicBool::new(false),
            unacknowledged: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            daemon: AtomicBool::new(true),
            cancels: AtomicU64::new(0),
            sent: Sent::default(),
            baton: Baton::default(),
            window_stalls: AtomicU64::new(0),
            interest: Mutex::ranked(Interest::default(), Rank::BEFORE_LEAVES),
            ending: Mutex::new(Ending::No),
            worker: OnceCell::new(),
            generation: fork::generation(),
            started_at: OnceCell::new(),
            login_grace: OnceCell::new(),
            request_event: OnceCell::new(),
            lookups: OnceCell::new(),
            log: LogTarget::off(),
            log_lines: Mutex::ranked(LogLines::default(), Rank::BEFORE_LEAVES),
            hexdump: AtomicBool::new(false),
            names: Mutex::new(Names {
                name: format!("ssh-transport-{key}"),
                log_channel: String::from("sshwire.transport"),
            }),
        })
    }

    /// Refuses objects of a parent process.
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        if self.generation == fork::generation() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }

    pub(crate) fn set_started(&self, now: Instant, login_grace: Option<Duration>) {
        let _ = self.started_at.set(now);
        if let Some(grace) = login_grace {
            let _ = self.login_grace.set(grace);
        }
    }

    pub(crate) fn login_deadline(&self) -> Option<Instant> {
        self.started_at.get()?.checked_add(*self.login_grace.get()?)
    }

    /// The event that tells of questions to pull.
    pub(crate) fn request_event(&self) -> Option<&Event> {
        self.request_event.get()
    }

    pub(crate) fn set_request_event(&self, event: Event) {
        let _ = self.request_event.set(event);
    }

    pub(crate) fn authenticated(&self) {
        self.is_authenticated.store(true, Ordering::Release);
    }

    /// Gives the transport to an I/O thread. `visited` says that a caller is going to wait at the socket at once.
    pub(crate) fn register(self: &Arc<Self>, visited: bool) -> Result<(), Error> {
        let worker = Engine::get()?.assign()?;
        let worker = self.worker.get_or_init(|| worker);
        if self.stream.has_socket() {
            // The peer's first bytes wake the I/O thread, and for deadlines a few milliseconds do not matter.
            worker.register_later(self.clone());
            if visited {
                self.await_caller();
            }
            self.attach(worker)?;
            self.attend_first(worker);
            Ok(())
        } else {
            worker.register(self.clone());
            self.interest.lock().watch_is_told();
            self.stream.attach(worker, self.key, true)
        }
    }

    pub(crate) fn attend_now(&self) {
        self.attend_soon();
    }

    pub(crate) fn attend_soon(&self) {
        if let Some(worker) = self.worker.get() {
            worker.attend(self.key);
        }
    }

    // ---- waiting -------------------------------------------------------------------------------------

    pub(crate) fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Acquire)
    }

    /// Wakes every call that is blocked on this transport.
    pub(crate) fn cancel(&self) {
        self.cancels.fetch_add(1, Ordering::AcqRel);
        self.wake_all(&self.serving.lock());
    }

    pub(crate) fn wake_all(&self, serving: &Serving) {
        self.progress.notify_all();
        for entry in serving.channels.values() {
            entry.waits.notify_all();
            entry.changed(ChannelInterest::CANCELLED);
        }
        self.raise_room();
    }

    /// Waits under the serving lock until `look` finds what the caller wants, the transport ends, the call is
    /// cancelled, or time runs out.
    pub(crate) fn wait_for<R>(
        self: &Arc<Self>,
        serving: &mut MutexGuard<'_, Serving>,
        condition: &Condition,
        deadline: Deadline,
        what: &'static str,
        mut look: impl FnMut(&mut Serving) -> Option<Result<R, Error>>,
    ) -> Result<R, Error> {
        let cancels = self.cancels();
        loop {
            if let Some(found) = look(serving) {
                return found;
            }
            serving.alive()?;
            if self.cancels() != cancels {
                return Err(Error::Cancelled);
            }
            if !self.sleep(condition, serving, deadline, For::Answer) {
                return Err(Error::Timeout(what));
            }
        }
    }

    pub(crate) fn room_mark(&self) -> u64 {
        *self.room.lock()
    }

    /// Waits until there may be room to send since `mark` was taken, or somebody has cancelled since `cancels` was; false when time ran
    /// out.
    pub(crate) fn wait_for_room(
        self: &Arc<Self>,
        mark: u64,
        deadline: Deadline,
        cancels: u64,
    ) -> bool {
        let mut room = self.room.lock();
        // A cancel is counted before it takes the lock.
        while *room == mark && self.cancels() == cancels {
            if !self.sleep(&self.room_changed, &mut room, deadline, For::Room) {
                return false;
            }
        }
        true
    }

    /// Has the events of channels set once there is room again. To be called with the sending lock held, under
    /// which the lack of room was seen, so that its end cannot be missed.
    pub(crate) fn miss_room(&self) {
        self.room_missed.store(true, Ordering::SeqCst);
    }

    /// Has writers that wait for room or for their turn look again.
    pub(crate) fn raise_room(&self) {
        *self.room.lock() += 1;
        self.room_changed.notify_all();
        self.baton.dismiss();
    }

    /// Has one writer that waits for room look again. Many would only meet at the sending lock. Each that is woken sends, of
    /// which the next one hears, or calls this in its turn.
    pub(crate) fn pass_room_on(&self) {
        *self.room.lock() += 1;
        self.room_changed.notify_one();
    }

    /// There may be room. Not to be called with the serving lock held.
    pub(crate) fn tell_room(&self) {
        if self.has_ended.load(Ordering::Acquire) {
            // Those who wait for the goodbye to leave wait for no room, and pass nothing on.
            self.raise_room();
        } else {
            self.pass_room_on();
        }
        if self.room_missed.swap(false, Ordering::SeqCst) {
            self.serving.lock().room_came();
        }
    }

    /// Whether the descriptor has been closed.
    pub(crate) fn is_finished(&self) -> bool {
        !self.stream.is_open()
    }

    /// Whether an I/O thread takes care of it.
    pub(crate) fn is_registered(&self) -> bool {
        self.worker.get().is_some()
    }

    pub(crate) fn is_authenticated_now(&self) -> bool {
        self.is_authenticated.load(Ordering::Acquire)
    }
}
