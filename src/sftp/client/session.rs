//! The table over a channel: sending requests, reading replies, waiting with a deadline.
//!
//! There is no thread behind it. Whoever waits for a reply works for everybody: it sends what is queued, reads what
//! has come and hands it out; one of the waiting threads (`sleeping`) sleeps on the channel's event, or at the socket for what
//! sets it, the others on `changed`. Lock order: `state`, then the locks of the transport. Nobody sleeps with `state` held.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::driver::sync::{Condvar, Mutex, MutexGuard, Rank};

use super::table::{Answer, Expect, RequestTable};
use crate::codec::Writer;
use crate::connection::Stream;
use crate::driver::{Channel, ChannelInterest, Condition, Deadline, Event, Read, Timeout};
use crate::error::Error;
use crate::sftp::{FrameReader, FrameWriter, Request};

/// Bytes read from the channel at a time: at first, and where so many come.
const FIRST_READ_BYTES: usize = 8 * 1024;
const MAX_READ_BYTES: usize = 256 * 1024;
/// Bytes that are read before those who wait for them are woken.
const READS_PER_TURN: usize = 8;
/// Queued bytes above which a new request waits until some have left.
const MAX_QUEUED_BYTES: usize = 512 * 1024;
/// Requests and bytes that leave together where the caller has many: enough to make little of the system calls, few enough to
/// have the server at work meanwhile.
const SENT_TOGETHER: usize = 16;
const TOGETHER_BYTES: usize = 32 * 1024;

pub(super) struct Session {
    channel: Channel,
    /// Set when the channel can be read or written, has ended, or its transport's calls are cancelled.
    event: Event,
    /// Where the thread that sleeps on the event may be found.
    at_socket: Arc<Condition>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    table: RequestTable,
    frames: FrameReader,
    /// Bytes to read at a time. Grows while that fills up, so that an idle session and small replies need little.
    read_bytes: usize,
    /// Packets on their way; those before `sent` have left.
    queue: Vec<u8>,
    sent: usize,
    /// Requests queued since it was last tried to send them.
    held: usize,
    /// A thread sleeps on the event.
    sleeping: bool,
    /// Why the session has ended.
    ended: Option<Error>,
}

/// How long a call may take, which cancels it has seen, and whether its handle has been freed.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) deadline: Deadline,
    cancels: u64,
    gone: &'a AtomicBool,
}

impl Session {
    pub(super) fn new(channel: Channel) -> Result<Self, Error> {
        let at_socket = Arc::new(Condition::default());
        let told = Arc::clone(&at_socket);
        let event = Event::with_hook(move || told.notify_visitor());
        let interest = ChannelInterest {
            readable: true,
            writable: true,
            eof: true,
            closed: true,
            cancelled: true,
        };
        channel.set_event(&event, interest)?;
        Ok(Session {
            channel,
            event,
            at_socket,
            state: Mutex::ranked(
                State {
                    table: RequestTable::default(),
                    frames: FrameReader::new(),
                    read_bytes: FIRST_READ_BYTES,
                    queue: Vec::new(),
                    sent: 0,
                    held: 0,
                    sleeping: false,
                    ended: None,
                },
                Rank::OUTER,
            ),
            changed: Condvar::new(),
        })
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The terms of a call on a handle; `gone` is set when that is freed, followed by [`wake`](Self::wake).
    pub(super) fn patience<'a>(&self, timeout: Timeout, gone: &'a AtomicBool) -> Patience<'a> {
        Patience {
            deadline: timeout.deadline(),
            cancels: self.channel.cancels(),
            gone,
        }
    }

    /// Has all waiting calls look at their terms again.
    pub(super) fn wake(&self) {
        let _state = self.state.lock();
        self.event.set();
        self.changed.notify_all();
    }

    /// Why nothing more can be done, if so: ended, cancelled, or out of time.
    pub(super) fn check(&self, patience: Patience<'_>, what: &'static str) -> Result<(), Error> {
        if patience.gone.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        if self.channel.cancels() != patience.cancels {
            return Err(Error::Cancelled);
        }
        if patience.deadline.has_passed() {
            return Err(Error::Timeout(what));
        }
        Ok(())
    }

    /// Ends the session. Waiting calls return with the cause.
    pub(super) fn end(&self, cause: Error) {
        let mut state = self.state.lock();
        self.finish(&mut state, cause);
    }

    fn finish(&self, state: &mut State, cause: Error) {
        if state.ended.is_none() {
            state.ended = Some(cause);
            state.queue = Vec::new();
            state.sent = 0;
        }
        // Fails only where it is closed already.
        let _ = self.channel.close();
        self.event.set();
        self.changed.notify_all();
    }

    /// Sends a request and waits for what comes of it.
    pub(super) fn call(
        &self,
        expect: Expect,
        request: &Request<'_>,
        patience: Patience<'_>,
    ) -> Result<Answer, Error> {
        let id = self.submit(expect, request, patience)?;
        self.wait(id, patience)
    }

    /// Sends a request; its reply is to be waited for, or abandoned.
    pub(super) fn submit(
        &self,
        expect: Expect,
        request: &Request<'_>,
        patience: Patience<'_>,
    ) -> Result<u32, Error> {
        let (mut state, id) = self.begin(expect, request, patience)?;
        self.send(&mut state)?;
        Ok(id)
    }

    /// The same for a caller with many requests: it leaves together with others, at the latest when one waits for a reply.
    pub(super) fn queue(
        &self,
        expect: Expect,
        request: &Request<'_>,
        patience: Patience<'_>,
    ) -> Result<u32, Error> {
        let (mut state, id) = self.begin(expect, request, patience)?;
        self.send_some(&mut state)?;
        Ok(id)
    }

    /// Sends what [`queue`](Self::queue) has kept back.
    pub(super) fn send_held(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.held > 0 && state.ended.is_none() {
            self.send(&mut state)?;
        }
        Ok(())
    }

    /// Queues a request as soon as there is room for it.
    fn begin(
        &self,
        expect: Expect,
        request: &Request<'_>,
        patience: Patience<'_>,
    ) -> Result<(MutexGuard<'_, State>, u32), Error> {
        self.channel.check_process()?;
        let mut state = self.state.lock();
        loop {
            if let Some(cause) = &state.ended {
                return Err(cause.clone());
            }
            if state.table.has_room() && state.queue.len() - state.sent < MAX_QUEUED_BYTES {
                break;
            }
            self.turn(&mut state, patience, "sftp request")?;
        }
        let id = state.table.begin(expect);
        FrameWriter::write(&mut state.queue, |w| request.encode(id, w));
        Ok((state, id))
    }

    /// Sends a request whose reply nobody will wait for, without waiting for anything.
    pub(super) fn submit_unwatched(&self, expect: Expect, request: &Request<'_>) {
        // An error is kept for the next call.
        let _ = self.begin_unwatched(expect, request, Self::send);
    }

    /// The same, with others as in [`queue`](Self::queue).
    pub(super) fn queue_unwatched(&self, expect: Expect, request: &Request<'_>) {
        let _ = self.begin_unwatched(expect, request, Self::send_some);
    }

    fn begin_unwatched(
        &self,
        expect: Expect,
        request: &Request<'_>,
        send: impl FnOnce(&Self, &mut State) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.channel.check_process()?;
        let mut state = self.state.lock();
        // Callers hold a handle each, so that the bound on handles bounds this.
        if state.ended.is_some() {
            return Ok(());
        }
        let id = state.table.begin(expect);
        FrameWriter::write(&mut state.queue, |w| request.encode(id, w));
        state.table.abandon(id);
        send(self, &mut state)
    }

    /// Waits for what comes of a request. When it fails the request is abandoned.
    pub(super) fn wait(&self, id: u32, patience: Patience<'_>) -> Result<Answer, Error> {
        let outcome = self.wait_kept(id, patience);
        if outcome.is_err() {
            self.abandon(id);
        }
        outcome
    }

    /// Waits for what comes of a request, which stays under way when time runs out.
    pub(super) fn wait_kept(&self, id: u32, patience: Patience<'_>) -> Result<Answer, Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = state.table.take(id) {
                return Ok(answer);
            }
            if let Some(cause) = &state.ended {
                return Err(cause.clone());
            }
            if let Err(error) = self.turn(&mut state, patience, "sftp reply") {
                // A server may answer and go: what it said before counts.
                return state.table.take(id).ok_or(error);
            }
        }
    }

    /// The reply to a request, if somebody has read it already.
    pub(super) fn poll(&self, id: u32) -> Option<Answer> {
        self.state.lock().table.take(id)
    }

    /// Gives the buffer of data back that have been used up.
    pub(super) fn recycle(&self, buffer: Vec<u8>) {
        self.state.lock().table.recycle(buffer);
    }

    pub(super) fn abandon(&self, id: u32) {
        let handle = self.state.lock().table.abandon(id);
        if let Some(handle) = handle {
            // Another thread has read the answer in the meantime.
            let close = Request::Close { handle: &handle };
            self.submit_unwatched(Expect::Status, &close);
        }
    }

    /// Reads the server's first packet, which has no id.
    pub(super) fn first_packet(&self, patience: Patience<'_>) -> Result<Vec<u8>, Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(cause) = &state.ended {
                return Err(cause.clone());
            }
            self.event.reset();
            self.send(&mut state)?;
            let moved = self.fill(&mut state)?;
            match state.frames.next() {
                Ok(Some(packet)) => return Ok(packet.to_vec()),
                Ok(None) => {}
                Err(_) => return Err(self.broken(&mut state, "a bad packet length")),
            }
            if !moved {
                self.check(patience, "sftp version")?;
                self.sleep(&mut state, patience);
            }
        }
    }

    /// Sends bytes that are no request.
    pub(super) fn send_raw(&self, fill: impl FnOnce(&mut Writer<'_>)) -> Result<(), Error> {
        let mut state = self.state.lock();
        FrameWriter::write(&mut state.queue, fill);
        self.send(&mut state)
    }

    /// One round of work for everybody, then a rest until there may be more to do.
    fn turn(
        &self,
        state: &mut MutexGuard<'_, State>,
        patience: Patience<'_>,
        what: &'static str,
    ) -> Result<(), Error> {
        self.channel.check_process()?;
        if !state.sleeping {
            // Who sleeps on the event must see what it was set for; nobody else has to.
            self.event.reset();
        }
        self.send(state)?;
        if self.receive(state)? {
            return Ok(());
        }
        self.check(patience, what)?;
        self.sleep(state, patience);
        Ok(())
    }

    fn sleep(&self, state: &mut MutexGuard<'_, State>, patience: Patience<'_>) {
        if state.sleeping {
            patience.deadline.wait(&self.changed, state);
            return;
        }
        state.sleeping = true;
        state.unlocked(|| {
            self.channel
                .sleep_until(&self.event, &self.at_socket, patience.deadline);
        });
        state.sleeping = false;
        // Another one must take its place, or sees what it saw.
        self.changed.notify_all();
    }

    /// Sends what is queued when it is worth it.
    fn send_some(&self, state: &mut State) -> Result<(), Error> {
        state.held = state.held.saturating_add(1);
        if state.held < SENT_TOGETHER && state.queue.len() - state.sent < TOGETHER_BYTES {
            return Ok(());
        }
        self.send(state)
    }

    /// Sends what is queued, as much as goes.
    fn send(&self, state: &mut State) -> Result<(), Error> {
        state.held = 0;
        while state.sent < state.queue.len() {
            let rest = state.queue.get(state.sent..).unwrap_or_default();
            match self.channel.write_some(Stream::Data, rest, Timeout::NOW) {
                Ok(0) | Err(Error::Timeout(_)) => break,
                Ok(count) => state.sent += count,
                Err(Error::Cancelled) => break,
                Err(error) => return Err(self.lost(state, error)),
            }
        }
        if state.sent == state.queue.len() {
            state.queue.clear();
            state.sent = 0;
            // Where replies are to come, more requests are, too, and to have memory given back and got again costs more than to
            // fill it.
            if !state.table.is_waiting() {
                state.queue.shrink_to(MAX_QUEUED_BYTES);
            }
        } else if state.sent > MAX_QUEUED_BYTES {
            state.queue.drain(..state.sent);
            state.sent = 0;
        }
        Ok(())
    }

    /// Reads what has come and hands it out; whether anything came.
    fn receive(&self, state: &mut State) -> Result<bool, Error> {
        let mut any = false;
        for _ in 0..READS_PER_TURN {
            if !self.fill(state)? {
                break;
            }
            any = true;
            if let Err(error) = hand_out(state) {
                self.finish(state, error.clone());
                return Err(error);
            }
        }
        if any {
            self.changed.notify_all();
            if state.sleeping {
                // What it waits for may have been read by us.
                self.event.set();
            }
            if !state.table.is_waiting() && state.read_bytes > FIRST_READ_BYTES {
                state.frames.shrink();
                state.table.shrink();
                state.read_bytes = FIRST_READ_BYTES;
            }
            // Gives memory back, too, when nothing is under way any more.
            self.send(state)?;
        }
        Ok(any)
    }

    /// Reads from the channel once; false when there is nothing now.
    fn fill(&self, state: &mut State) -> Result<bool, Error> {
        let space = state.frames.space(state.read_bytes);
        let room = space.len();
        match self.channel.read(Stream::Data, space, Timeout::NOW) {
            Ok(Read::Data(0)) | Err(Error::Timeout(_) | Error::Cancelled) => Ok(false),
            Ok(Read::Data(count)) => {
                state.frames.filled(count);
                if count == room {
                    state.read_bytes = MAX_READ_BYTES.min(state.read_bytes.saturating_mul(4));
                }
                Ok(true)
            }
            Ok(Read::Eof) => Err(self.broken(state, "the server has ended")),
            Err(error) => Err(self.lost(state, error)),
        }
    }

    fn broken(&self, state: &mut State, why: &'static str) -> Error {
        self.lost(state, Error::Sftp(why))
    }

    fn lost(&self, state: &mut State, error: Error) -> Error {
        self.finish(state, error);
        state.ended.clone().unwrap_or(Error::Closed)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self
            .channel
            .set_event(&self.event, ChannelInterest::default());
    }
}

fn hand_out(state: &mut State) -> Result<(), Error> {
    let State {
        table,
        frames,
        queue,
        ..
    } = state;
    while let Some(packet) = frames
        .next()
        .map_err(|_| Error::Sftp("a bad packet length"))?
    {
        table.receive(packet, queue)?;
    }
    Ok(())
}
