//! A [`Dialogue`] over a channel, run by the library: the channel's event brings a thread of the file pool
//! when there is something to do, and an idle session has none.

use std::sync::{Arc, OnceLock};

use crate::driver::sync::Mutex;

use super::dialogue::{Backend, Dialogue, Fault};
use crate::connection::{ChannelRequest, Stream};
use crate::driver::{spawn_file_work, Channel, ChannelInterest, Event, Read, Timeout, WeakEvent};
use crate::error::Error;

/// Most bytes read from the channel at a time.
const READ_BYTES: usize = 256 * 1024;
/// Rounds after which another session gets the thread.
const ROUNDS: usize = 256;

/// How a session ended: `Ok` when the client was done.
pub type SessionEnd = Result<(), SessionFault>;
/// Told once how the session ended.
pub type EndedCallback = Box<dyn FnOnce(SessionEnd) + Send>;

/// Why a session ended before the client was done.
#[derive(Debug, Clone)]
pub enum SessionFault {
    /// The client broke SFTP.
    Protocol(Fault),
    /// The channel or its transport ended.
    Channel(Error),
}

/// Who is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody; the event will bring a thread.
    Idle,
    /// A thread is at work, or on its way.
    Running,
    /// The same, and something has happened since it looked.
    RunningAgain,
    Ended,
}

/// Guarded by a lock that is a leaf: it is held to change the phase and to pass the dialogue on.
struct Work {
    phase: Phase,
    /// With the thread while one is at work.
    dialogue: Option<Dialogue<Box<dyn Backend>>>,
    ended: Option<EndedCallback>,
}

/// A running session. It keeps itself, the channel and the backend alive until its end.
pub struct Session {
    channel: Channel,
    /// Weak, for it keeps the session.
    event: OnceLock<WeakEvent>,
    work: Mutex<Work>,
}

/// What came of a round.
enum Round {
    Again,
    Wait,
    End(SessionEnd),
}

impl Session {
    /// Serves a channel whose subsystem request was accepted. `backend` is given an event that it sets when a
    /// request that it could not answer at once has its answer. `ended` is told the end.
    pub fn start(
        channel: Channel,
        backend: impl FnOnce(&Event) -> Box<dyn Backend>,
        ended: EndedCallback,
    ) -> Result<(), Error> {
        let session = Arc::new(Session {
            channel,
            event: OnceLock::new(),
            work: Mutex::new(Work {
                phase: Phase::Running,
                dialogue: None,
                ended: Some(ended),
            }),
        });
        let hooked = Arc::clone(&session);
        // The session is kept by its event, and the event by the channel, until the end takes it away there.
        let event = Event::with_hook(move || hooked.wake());
        session.event.get_or_init(|| event.downgrade());
        session.work.lock().dialogue = Some(Dialogue::new(backend(&event)));
        let interest = ChannelInterest {
            readable: true,
            writable: true,
            eof: true,
            closed: true,
            ..ChannelInterest::default()
        };
        session.channel.set_event(&event, interest)?;
        Arc::clone(&session).spawn()
    }

    fn event(&self) -> Option<Event> {
        self.event.get().and_then(WeakEvent::get)
    }

    fn spawn(self: Arc<Self>) -> Result<(), Error> {
        spawn_file_work(move || self.run())
    }

    /// Something may be there to do. Called under the locks of the transport.
    fn wake(self: &Arc<Self>) {
        {
            let mut work = self.work.lock();
            match work.phase {
                Phase::Idle => work.phase = Phase::Running,
                Phase::Running => {
                    work.phase = Phase::RunningAgain;
                    return;
                }
                Phase::RunningAgain | Phase::Ended => return,
            }
        }
        if Arc::clone(self).spawn().is_err() {
            // There is no engine, nor can there be one: nothing that could call this.
            self.work.lock().phase = Phase::Idle;
        }
    }

    fn run(self: Arc<Self>) {
        let Some(mut dialogue) = self.work.lock().dialogue.take() else {
            return;
        };
        let _end = EndOnPanic(Arc::clone(&self));
        for _ in 0..ROUNDS {
            match self.round(&mut dialogue) {
                Round::Again => {}
                Round::End(end) => {
                    self.end(end);
                    return;
                }
                Round::Wait => {
                    dialogue.shrink();
                    let mut work = self.work.lock();
                    if work.phase == Phase::Running {
                        work.phase = Phase::Idle;
                        work.dialogue = Some(dialogue);
                        return;
                    }
                    work.phase = Phase::Running;
                }
            }
        }
        self.work.lock().dialogue = Some(dialogue);
        let _ = self.spawn();
    }

    /// Serves, sends and reads as far as goes without waiting.
    fn round(&self, dialogue: &mut Dialogue<Box<dyn Backend>>) -> Round {
        // Before looking, so that what comes after the look sets it again.
        if let Some(event) = self.event() {
            event.reset();
        }
        let again = match dialogue.work() {
            Ok(again) => again,
            Err(fault) => {
                // What was answered before goes out first, as far as there is room.
                let _ = self.send(dialogue);
                return Round::End(Err(SessionFault::Protocol(fault)));
            }
        };
        let outcome = self.send(dialogue).and_then(|sent| {
            if dialogue.wants_bytes() && dialogue.replies.waiting().is_empty() {
                Ok((sent, self.receive(dialogue)?))
            } else {
                self.check_open()?;
                Ok((sent, Received::Nothing))
            }
        });
        match outcome {
            Err(error) => Round::End(Err(SessionFault::Channel(error))),
            Ok((_, Received::Eof)) if !again && dialogue.is_idle() => {
                Round::End(dialogue.finish().map_err(SessionFault::Protocol))
            }
            Ok((sent, received)) if again || sent || received == Received::Bytes => Round::Again,
            Ok(_) => Round::Wait,
        }
    }

    /// True when something was sent.
    fn send(&self, dialogue: &mut Dialogue<Box<dyn Backend>>) -> Result<bool, Error> {
        let mut sent = false;
        while !dialogue.replies.waiting().is_empty() {
            let waiting = dialogue.replies.waiting();
            match self.channel.write_some(Stream::Data, waiting, Timeout::NOW) {
                Ok(count) => {
                    dialogue.replies.sent(count);
                    sent = true;
                }
                Err(Error::Timeout(_)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    fn receive(&self, dialogue: &mut Dialogue<Box<dyn Backend>>) -> Result<Received, Error> {
        let wanted = self.channel.buffered(Stream::Data).clamp(1, READ_BYTES);
        let space = dialogue.space(wanted);
        match self.channel.read(Stream::Data, space, Timeout::NOW) {
            Ok(Read::Data(count)) => {
                dialogue.filled(count);
                Ok(Received::Bytes)
            }
            Ok(Read::Eof) => Ok(Received::Eof),
            Err(Error::Timeout(_)) => Ok(Received::Nothing),
            Err(error) => Err(error),
        }
    }

    /// A client that is gone leaves nobody to work for.
    fn check_open(&self) -> Result<(), Error> {
        match self.channel.status(|status| status.closed) {
            Some(false) if self.channel.transport().cause().is_none() => Ok(()),
            _ => Err(Error::Closed),
        }
    }

    fn end(&self, end: SessionEnd) {
        if let Some(event) = self.event() {
            let _ = self.channel.set_event(&event, ChannelInterest::default());
        }
        let ended = {
            let mut work = self.work.lock();
            work.phase = Phase::Ended;
            work.ended.take()
        };
        let status = u32::from(end.is_err());
        // Each of these fails only where the client is gone.
        let exit = ChannelRequest::ExitStatus(status);
        let _ = self.channel.request(&exit, false, Timeout::NOW);
        let _ = self.channel.send_eof();
        let _ = self.channel.close();
        if let Some(ended) = ended {
            ended(end);
        }
    }
}

/// A backend that panics takes its dialogue with it; the client must not wait for answers that cannot come.
struct EndOnPanic(Arc<Session>);

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let cause = Error::Bug("a panic while files were served");
            self.0.end(Err(SessionFault::Channel(cause)));
        }
    }
}

/// What reading brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    Nothing,
    Bytes,
    Eof,
}
