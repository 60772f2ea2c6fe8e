//! One connection: a socket on one side, a channel on the other.
//!
//! ```text
//! Greeting --SOCKS request--> Opening --the peer agrees--> Running --both directions over--> Over
//!                              (listener)                    ^  |                              ^
//!                       target reached, channel accepted ----'  '--channel closed--> Draining -'
//!                       (or said by a visitor: `visit`)
//! ```
//!
//! Locks: the relay's own is taken before those of the transport. What wakes a relay takes none of its locks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::driver::sync::{Mutex, Rank};

use super::group::{Group, Place};
use super::listener::{direct, Originator};
use super::pipe::Pipe;
use super::socks::{Dialogue, Failure, Step, Version};
use super::x11::{Checked, SetupCheck};
use crate::connection::{ForwardPoint, OpenKind};
use crate::driver::{
    Channel, Engine, Next, Progress, Read, Ready, Request, Socket, Task, Waker, Worker,
};
use crate::error::Error;

/// Most bytes moved at a time: what is sealed at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Most moves in each direction before the others have their turn.
const MOVES_PER_TURN: usize = 8;
/// How long a program has to say where it wants to go.
const GREETING_TIME: Duration = Duration::from_secs(30);
/// How long the peer has to open the channel.
const OPENING_TIME: Duration = Duration::from_secs(60);
/// How long a program has to end its side once the peer has ended its own.
const DRAINING_TIME: Duration = Duration::from_secs(2);

/// By what a task is known, and to whom.
#[derive(Clone)]
pub(super) struct Mark {
    pub(super) key: u64,
    pub(super) worker: Arc<Worker>,
}

impl Mark {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Mark {
            key: Engine::new_key(),
            worker: Engine::get()?.assign()?,
        })
    }

    /// Gives the task a turn.
    pub(super) fn attend(&self) {
        self.worker.attend(self.key);
    }
}

/// A task that carries a connection.
pub(super) struct Relay {
    mark: Mark,
    waker: Arc<Waker>,
    state: Mutex<State>,
    group: Arc<Group>,
}

struct State {
    socket: Socket,
    /// What the poller was asked for: reading, writing.
    watched: (bool, bool),
    /// The poller has said that there is something to read, and not all of it was read.
    readable: bool,
    /// From the socket into the channel.
    up: Pipe,
    /// From the channel into the socket.
    down: Pipe,
    stage: Stage,
    /// Of an X11 connection whose cookie was not seen yet.
    check: Option<SetupCheck>,
    counted: bool,
    _place: Place,
}

enum Stage {
    Greeting {
        dialogue: Dialogue,
        originator: Originator,
        until: Instant,
    },
    Opening {
        channel: Channel,
        socks: Option<Version>,
        until: Instant,
    },
    Running(Channel),
    /// The channel is closed, and what it brought is in the socket. To close that with something unread in it would
    /// take back what it has not sent yet.
    Draining(Instant),
    Over,
}

/// What a turn has found.
enum Found {
    /// Go on when something happens, or at this moment.
    Wait(Option<Instant>),
    /// The next stage may have something to do at once.
    GoOn,
    /// The connection is over; `clean` unless bytes may be missing.
    End { clean: bool },
}

impl Relay {
    /// Carries the connection over a channel that is opened for it.
    pub(super) fn open(place: Place, socket: Socket, kind: OpenKind) -> Result<(), Error> {
        let waker = Waker::new();
        let channel = place.group().transport().begin_carried(kind, &waker)?;
        Self::start(place, socket, waker, opening(channel, None), None)
    }

    /// Carries it to where the program at its other end says.
    pub(super) fn greet(place: Place, socket: Socket, originator: Originator) -> Result<(), Error> {
        let stage = Stage::Greeting {
            dialogue: Dialogue::default(),
            originator,
            until: Instant::now() + GREETING_TIME,
        };
        Self::start(place, socket, Waker::new(), stage, None)
    }

    /// Carries it over a channel that the peer has asked for, and that is accepted by this.
    /// `check` has a look at what the channel brings first.
    pub(super) fn accept(
        place: Place,
        socket: Socket,
        request: &Request,
        check: Option<SetupCheck>,
    ) -> Result<(), Error> {
        let waker = Waker::new();
        let channel = request.accept_channel()?;
        channel.carry(Arc::clone(&waker))?;
        Self::start(place, socket, waker, Stage::Running(channel), check)
    }

    fn start(
        place: Place,
        socket: Socket,
        waker: Arc<Waker>,
        stage: Stage,
        check: Option<SetupCheck>,
    ) -> Result<(), Error> {
        let mark = Mark::new()?;
        waker.attach(&mark.worker, mark.key);
        Self::start_as(mark, place, socket, waker, stage, check, b"");
        Ok(())
    }

    /// Carries a connection over a channel that another task has had, in whose place this one comes; `first` are the first
    /// bytes for the socket.
    pub(super) fn follow(
        mark: Mark,
        place: Place,
        socket: Socket,
        (channel, waker): (Channel, Arc<Waker>),
        first: &[u8],
    ) {
        place.group().count_bytes(0, first.len());
        let stage = Stage::Running(channel);
        Self::start_as(mark, place, socket, waker, stage, None, first);
    }

    fn start_as(
        mark: Mark,
        place: Place,
        socket: Socket,
        waker: Arc<Waker>,
        stage: Stage,
        check: Option<SetupCheck>,
        first: &[u8],
    ) {
        let mut down = Pipe::new();
        down.keep(first);
        let group = Arc::clone(place.group());
        let relay = Arc::new(Relay {
            mark,
            waker,
            state: Mutex::ranked(
                State {
                    socket,
                    watched: (false, false),
                    readable: true,
                    up: Pipe::new(),
                    down,
                    stage,
                    check,
                    counted: false,
                    _place: place,
                },
                Rank::OUTER,
            ),
            group,
        });
        relay.group.add(relay.mark.key, &relay.mark.worker);
        relay.mark.worker.register(relay.clone());
    }

    // ---- stages ----------------------------------------------------------------------------------------

    fn step(&self, state: &mut State, scratch: &mut Vec<u8>) -> Found {
        match &state.stage {
            Stage::Greeting { until, .. } => {
                let until = *until;
                self.greet_step(state, scratch, until)
            }
            Stage::Opening { .. } => self.opening_step(state),
            Stage::Running(channel) => {
                let channel = channel.clone();
                self.running_step(state, &channel, scratch)
            }
            Stage::Draining(until) => {
                let until = *until;
                drain(state, scratch, until)
            }
            Stage::Over => Found::End { clean: true },
        }
    }

    fn greet_step(&self, state: &mut State, scratch: &mut Vec<u8>, until: Instant) -> Found {
        let Stage::Greeting {
            dialogue,
            originator,
            ..
        } = &mut state.stage
        else {
            return Found::GoOn;
        };
        if Instant::now() >= until {
            return self.failed();
        }
        let buffer = chunk(scratch);
        let mut heard = match state.socket.receive(buffer) {
            Ok(Progress::Moved(0)) | Err(_) => return self.failed(),
            Ok(Progress::WouldBlock) => return Found::Wait(Some(until)),
            Ok(Progress::Moved(count)) => dialogue.hear(buffer.get(..count).unwrap_or_default()),
        };
        while let Step::Reply(reply) = heard {
            state.down.keep(reply);
            heard = dialogue.hear(b"");
        }
        match heard {
            Step::Connect {
                version,
                host,
                port,
                data,
            } => {
                let target = ForwardPoint::Tcp { host, port };
                let kind = direct(&target, originator);
                match self.group.transport().begin_carried(kind, &self.waker) {
                    Ok(channel) => {
                        state.up.keep(&data);
                        state.stage = opening(channel, Some(version));
                        Found::GoOn
                    }
                    Err(_) => {
                        state.down.keep(&version.refused(Failure::General));
                        self.refuse(state)
                    }
                }
            }
            Step::Fail(reply) => {
                state.down.keep(&reply);
                self.refuse(state)
            }
            Step::More | Step::Reply(_) => match self.send_kept(state) {
                Ok(()) => Found::Wait(Some(until)),
                Err(_) => self.failed(),
            },
        }
    }

    fn opening_step(&self, state: &mut State) -> Found {
        let Stage::Opening {
            channel,
            socks,
            until,
        } = &state.stage
        else {
            return Found::GoOn;
        };
        // From here on the answer is told.
        self.waker.begin_reading();
        match channel.open_outcome() {
            Some(Ok(())) => {
                // There may be data with it.
                self.waker.leave_rest();
                if let Some(version) = socks {
                    state.down.keep(version.granted());
                }
                state.stage = Stage::Running(channel.clone());
                Found::GoOn
            }
            None if Instant::now() < *until => Found::Wait(Some(*until)),
            outcome => {
                if let Some(version) = socks {
                    let failure = match outcome {
                        Some(Err(Error::ChannelOpenRefused { reason: 1, .. })) => {
                            Failure::Prohibited
                        }
                        Some(Err(Error::ChannelOpenRefused { reason: 2, .. })) => Failure::Refused,
                        _ => Failure::General,
                    };
                    state.down.keep(&version.refused(failure));
                }
                self.refuse(state)
            }
        }
    }

    /// Says what there is to say, and ends. An answer is so short that the socket takes it.
    fn refuse(&self, state: &mut State) -> Found {
        let said = self.send_kept(state);
        self.group.count_failure();
        Found::End {
            clean: said.is_ok() && state.down.is_empty(),
        }
    }

    fn failed(&self) -> Found {
        self.group.count_failure();
        Found::End { clean: false }
    }

    // ---- carrying --------------------------------------------------------------------------------------

    fn running_step(&self, state: &mut State, channel: &Channel, scratch: &mut Vec<u8>) -> Found {
        if !std::mem::replace(&mut state.counted, true) {
            self.group.count_connection();
        }
        let mut more = false;
        for _ in 0..MOVES_PER_TURN {
            let Ok(up) = self.move_up(state, channel, scratch) else {
                // The socket is broken, and with it both directions.
                return Found::End { clean: false };
            };
            let Ok(down) = self.move_down(state, channel, scratch) else {
                return Found::End { clean: false };
            };
            more = up || down;
            if !more {
                break;
            }
        }
        if state.up.take_end() {
            // Fails only where nothing can be written anyway.
            let _ = channel.finish_writing();
        }
        if state.down.take_end() {
            state.socket.finish_writing();
        }
        if !state.down.is_over() {
            return Found::Wait(more.then(Instant::now));
        }
        // From here on the end is told.
        self.waker.begin_reading();
        match self.is_closed(channel) {
            Some(clean) if state.up.is_over() || !clean => Found::End { clean },
            None if state.up.is_over() => Found::End { clean: true },
            None => Found::Wait(more.then(Instant::now)),
            Some(_) => {
                let _ = channel.close();
                state.up.give_up();
                state.stage = Stage::Draining(Instant::now() + DRAINING_TIME);
                Found::GoOn
            }
        }
    }

    /// Whether the channel is closed, and then whether the peer has closed it itself: what it sent is then complete.
    fn is_closed(&self, channel: &Channel) -> Option<bool> {
        let look = channel.status(|status| (status.closed, status.peer_finished));
        let (closed, finished) = look.unwrap_or((true, false));
        closed.then_some(finished)
    }

    /// Socket to channel, one chunk. Says whether there may be more to move; fails when the socket is broken.
    fn move_up(
        &self,
        state: &mut State,
        channel: &Channel,
        scratch: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        if !state.up.is_empty() {
            let kept = state.up.kept().len();
            match channel.write_now(state.up.kept()) {
                Ok(count) => {
                    state.up.passed(count);
                    self.group.count_bytes(count, 0);
                    return Ok(count == kept);
                }
                Err(_) => state.up.give_up(),
            }
        }
        if !state.readable || !state.up.wants_more() {
            return Ok(false);
        }
        let buffer = chunk(scratch);
        let count = match state.socket.receive(buffer)? {
            Progress::WouldBlock => {
                state.readable = false;
                return Ok(false);
            }
            Progress::Moved(0) => {
                state.readable = false;
                state.up.end();
                return Ok(false);
            }
            Progress::Moved(count) => count,
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if !state.up.drains() {
            match channel.write_now(bytes) {
                Ok(written) => {
                    state.up.keep(bytes.get(written..).unwrap_or_default());
                    self.group.count_bytes(written, 0);
                }
                // The peer reads no more. What is still said on this side is thrown away, so that its end is seen.
                Err(_) => state.up.give_up(),
            }
        }
        Ok(state.up.is_empty())
    }

    /// Channel to socket, one chunk.
    fn move_down(
        &self,
        state: &mut State,
        channel: &Channel,
        scratch: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        self.send_kept(state)?;
        if !state.down.wants_more() {
            return Ok(false);
        }
        if !self.waker.is_readable() {
            return Ok(false);
        }
        let buffer = chunk(scratch);
        self.waker.begin_reading();
        let count = match channel.read_now(buffer) {
            Ok(Read::Data(count)) => count,
            Ok(Read::Eof) => {
                state.down.end();
                return Ok(false);
            }
            Err(Error::Timeout(_)) => return Ok(false),
            // The session is over, maybe in the middle of something.
            Err(cause) => return Err(cause),
        };
        // More data, or the end that was told together with these.
        self.waker.leave_rest();
        self.group.count_bytes(0, count);
        let bytes = buffer.get(..count).unwrap_or_default();
        if let Some(check) = &mut state.check {
            match check.hear(bytes) {
                Checked::More => return Ok(true),
                Checked::Good(setup) => {
                    state.check = None;
                    state.down.keep(&setup);
                    self.send_kept(state)?;
                    return Ok(state.down.is_empty());
                }
                Checked::Bad => return Err(Error::RequestDenied),
            }
        }
        let taken = match state.socket.send(bytes)? {
            Progress::Moved(taken) => taken,
            Progress::WouldBlock => 0,
        };
        state.down.keep(bytes.get(taken..).unwrap_or_default());
        Ok(taken == count)
    }

    /// Gives the socket what is kept for it, as much as it takes.
    fn send_kept(&self, state: &mut State) -> Result<(), Error> {
        while !state.down.is_empty() {
            match state.socket.send(state.down.kept())? {
                Progress::Moved(count) => state.down.passed(count),
                Progress::WouldBlock => break,
            }
        }
        Ok(())
    }

    // ---- turns -----------------------------------------------------------------------------------------

    /// Has the poller wait for what can be dealt with, and for nothing else: it would come back at once. False when it has
    /// no memory for it.
    fn watch(&self, state: &mut State) -> bool {
        let reading = match state.stage {
            Stage::Greeting { .. } => true,
            Stage::Running(_) | Stage::Draining(_) => !state.readable && state.up.wants_more(),
            Stage::Opening { .. } | Stage::Over => false,
        };
        let wanted = (reading, !state.down.is_empty());
        let before = std::mem::replace(&mut state.watched, wanted);
        if before == wanted {
            return true;
        }
        let worker = &self.mark.worker;
        match (before, wanted) {
            (_, (false, false)) => {
                worker.unwatch(&state.socket);
                true
            }
            ((false, false), _) => worker.watch(&state.socket, self.mark.key, wanted).is_ok(),
            _ => worker
                .watch_again(&state.socket, self.mark.key, wanted)
                .is_ok(),
        }
    }

    fn finish(&self, state: &mut State, clean: bool) -> Next {
        if state.watched != (false, false) {
            self.mark.worker.unwatch(&state.socket);
        }
        if !clean {
            state.socket.reset_when_closed();
        }
        state.socket.close();
        let stage = std::mem::replace(&mut state.stage, Stage::Over);
        if let Stage::Opening { channel, .. } | Stage::Running(channel) = stage {
            // Fails only where it is closed.
            let _ = channel.close();
        }
        self.group.remove(self.mark.key);
        Next::Gone
    }
}

impl Task for Relay {
    fn key(&self) -> u64 {
        self.mark.key
    }

    fn turn(self: Arc<Self>, ready: Ready, scratch: &mut Vec<u8>) -> Next {
        let mut state = self.state.lock();
        let state = &mut *state;
        // That there is room is found out by writing; the flag is only taken down.
        let _ = self.waker.ready();
        state.readable |= ready.readable;
        if self.group.is_closed() {
            return self.finish(state, false);
        }
        loop {
            match self.step(state, scratch) {
                Found::GoOn => {}
                Found::Wait(until) if self.watch(state) => return Next::At(until),
                Found::Wait(_) => return self.finish(state, false),
                Found::End { clean } => return self.finish(state, clean),
            }
        }
    }

    fn broken(self: Arc<Self>) {
        let mut state = self.state.lock();
        self.finish(&mut state, false);
        self.mark.attend();
    }
}

fn drain(state: &mut State, scratch: &mut Vec<u8>, until: Instant) -> Found {
    if Instant::now() >= until {
        return Found::End { clean: true };
    }
    for _ in 0..MOVES_PER_TURN {
        match state.socket.receive(chunk(scratch)) {
            Ok(Progress::Moved(0)) | Err(_) => return Found::End { clean: true },
            Ok(Progress::Moved(_)) => {}
            Ok(Progress::WouldBlock) => {
                state.readable = false;
                return Found::Wait(Some(until));
            }
        }
    }
    Found::Wait(Some(Instant::now()))
}

fn opening(channel: Channel, socks: Option<Version>) -> Stage {
    Stage::Opening {
        channel,
        socks,
        until: Instant::now() + OPENING_TIME,
    }
}

/// The part of the I/O thread's buffer that is used.
fn chunk(scratch: &mut Vec<u8>) -> &mut [u8] {
    if scratch.len() < CHUNK_BYTES {
        scratch.resize(CHUNK_BYTES, 0);
    }
    scratch.get_mut(..CHUNK_BYTES).unwrap_or_default()
}
