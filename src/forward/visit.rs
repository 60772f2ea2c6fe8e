//! A channel from where the server listens, whose program says in SOCKS where it wants to be connected to from here.
//!
//! ```text
//! Greeting --request--> Reaching --reached--> Answering --the answer is out--> a relay takes over
//!     '--no SOCKS, not permitted--> Leaving <--not reached--'
//! ```
//!
//! Names are looked up and targets reached elsewhere (`reach`): no turn waits for either. Locks: the visit's own is taken
//! before those of the transport; what an attempt has come to is a leaf.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::group::{Group, Place};
use super::reach;
use super::relay::{Mark, Relay};
use super::socks::{Dialogue, Failure, Step, Version};
use crate::config::Permitted;
use crate::connection::ForwardPoint;
use crate::driver::sync::{Mutex, Rank};
use crate::driver::{Channel, Next, Read, Ready, Request, Socket, Task, Waker};
use crate::error::Error;

/// How long a program has to say where it wants to go, and to take an answer.
const TALKING_TIME: Duration = Duration::from_secs(30);
/// Most bytes taken at a time from somebody who has not said yet where they go.
const PIECE_BYTES: usize = 1024;

/// A task that finds out where a channel leads. It ends with its group, its transport, or in a relay.
pub(super) struct Visit {
    mark: Mark,
    waker: Arc<Waker>,
    permitted: Arc<Permitted>,
    group: Arc<Group>,
    channel: Channel,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// What is to be said and has not been taken yet.
    reply: Vec<u8>,
    until: Instant,
}

enum Stage {
    Greeting(Dialogue, Place),
    /// With what came behind the request.
    Reaching(Version, Vec<u8>, Arc<Attempt>),
    /// It goes to the target once it knows that there is one.
    Answering(Reached, Vec<u8>),
    /// It goes once it knows why.
    Leaving,
    Over,
}

type Reached = (Place, Socket);

/// A target that is being reached. The place is taken until that is over, whoever still waits for it: attempts
/// are bounded too.
#[derive(Default)]
struct Attempt(Mutex<Option<(Place, Result<OwnedFd, Error>)>>);

/// Tells what an attempt has come to, also where it was never made.
struct Teller {
    attempt: Arc<Attempt>,
    place: Option<Place>,
    mark: Mark,
}

impl Teller {
    fn tell(&mut self, outcome: Result<OwnedFd, Error>) {
        if let Some(place) = self.place.take() {
            *self.attempt.0.lock() = Some((place, outcome));
            self.mark.attend();
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.tell(Err(Error::Resource("nothing was tried")));
    }
}

/// What a turn has found.
enum Found {
    /// Go on when something happens, or at this moment.
    Wait(Option<Instant>),
    GoOn,
    End,
}

impl Visit {
    /// Accepts a channel, and hears where it leads.
    pub(super) fn accept(
        place: Place,
        request: &Request,
        permitted: Arc<Permitted>,
    ) -> Result<(), Error> {
        let mark = Mark::new()?;
        let waker = Waker::new();
        let channel = request.accept_channel()?;
        channel.carry(Arc::clone(&waker))?;
        waker.attach(&mark.worker, mark.key);
        let visit = Arc::new(Visit {
            waker,
            permitted,
            group: Arc::clone(place.group()),
            channel,
            state: Mutex::ranked(
                State {
                    stage: Stage::Greeting(Dialogue::default(), place),
                    reply: Vec::new(),
                    until: Instant::now() + TALKING_TIME,
                },
                Rank::OUTER,
            ),
            mark,
        });
        visit.group.add(visit.mark.key, &visit.mark.worker);
        visit.mark.worker.register(visit.clone());
        Ok(())
    }

    fn step(&self, state: &mut State, scratch: &mut Vec<u8>) -> Found {
        let stage = std::mem::replace(&mut state.stage, Stage::Over);
        match stage {
            Stage::Greeting(dialogue, place) => self.greet(state, dialogue, place, scratch),
            Stage::Reaching(version, data, attempt) => {
                self.await_target(state, version, data, attempt)
            }
            Stage::Answering(reached, data) => {
                if state.reply.is_empty() {
                    self.hand_over(reached, &data);
                    return Found::End;
                }
                state.stage = Stage::Answering(reached, data);
                self.while_it_lasts(Some(state.until))
            }
            Stage::Leaving if state.reply.is_empty() => self.leave(),
            Stage::Leaving => {
                state.stage = Stage::Leaving;
                self.while_it_lasts(Some(state.until))
            }
            Stage::Over => Found::End,
        }
    }

    fn greet(
        &self,
        state: &mut State,
        mut dialogue: Dialogue,
        place: Place,
        scratch: &mut Vec<u8>,
    ) -> Found {
        // Whoever takes no answers is not listened to.
        let heard = if state.reply.is_empty() {
            self.hear(&mut dialogue, scratch)
        } else {
            Ok(Step::More)
        };
        let refuse = |state: &mut State, reply: Vec<u8>| {
            state.reply.extend(reply);
            state.stage = Stage::Leaving;
            Found::GoOn
        };
        match heard {
            Ok(Step::Connect {
                version,
                host,
                port,
                data,
            }) => {
                if !self.permitted.allows(&host, port) {
                    return refuse(state, version.refused(Failure::Prohibited));
                }
                let target = ForwardPoint::Tcp { host, port };
                if reach::check(&target).is_err() {
                    return refuse(state, version.refused(Failure::General));
                }
                let transport = place.group().transport().clone();
                let attempt = Arc::<Attempt>::default();
                let mut teller = Teller {
                    attempt: Arc::clone(&attempt),
                    place: Some(place),
                    mark: self.mark.clone(),
                };
                reach::reach(&transport, &target, move |outcome| teller.tell(outcome));
                state.stage = Stage::Reaching(version, data, attempt);
                Found::GoOn
            }
            Ok(Step::Fail(reply)) => refuse(state, reply),
            Ok(Step::Reply(reply)) => {
                state.reply.extend_from_slice(reply);
                state.stage = Stage::Greeting(dialogue, place);
                Found::GoOn
            }
            Ok(Step::More) => {
                state.stage = Stage::Greeting(dialogue, place);
                Found::Wait(Some(state.until))
            }
            Err(_) => refuse(state, Vec::new()),
        }
    }

    /// What the program says next; fails when it has nothing more to say.
    fn hear(&self, dialogue: &mut Dialogue, scratch: &mut Vec<u8>) -> Result<Step, Error> {
        // What came behind a greeting is heard already.
        let mut step = dialogue.hear(b"");
        while step == Step::More {
            if scratch.len() < PIECE_BYTES {
                scratch.resize(PIECE_BYTES, 0);
            }
            let buffer = scratch.get_mut(..PIECE_BYTES).unwrap_or_default();
            // What comes from here on is told.
            self.waker.begin_reading();
            step = match self.channel.read_now(buffer) {
                Ok(Read::Data(count)) => dialogue.hear(buffer.get(..count).unwrap_or_default()),
                Ok(Read::Eof) => return Err(Error::Closed),
                Err(Error::Timeout(_)) => return Ok(Step::More),
                Err(cause) => return Err(cause),
            };
        }
        Ok(step)
    }

    fn await_target(
        &self,
        state: &mut State,
        version: Version,
        data: Vec<u8>,
        attempt: Arc<Attempt>,
    ) -> Found {
        let outcome = attempt.0.lock().take();
        let Some((place, outcome)) = outcome else {
            state.stage = Stage::Reaching(version, data, attempt);
            // An attempt has a time of its own, and tells its end.
            return self.while_it_lasts(None);
        };
        let socket = outcome.and_then(|socket| Socket::new(socket).map_err(|(error, _)| error));
        state.until = Instant::now() + TALKING_TIME;
        match socket {
            Ok(socket) => {
                state.reply.extend_from_slice(version.granted());
                state.stage = Stage::Answering((place, socket), data);
            }
            Err(error) => {
                state.reply = version.refused(failure(&error));
                state.stage = Stage::Leaving;
            }
        }
        Found::GoOn
    }

    /// Waits on, unless the program has gone.
    fn while_it_lasts(&self, until: Option<Instant>) -> Found {
        // What it says meanwhile is not for us to read; that it goes is told from here on.
        self.waker.begin_reading();
        match self.channel.status(|status| status.closed) {
            Some(false) => Found::Wait(until),
            _ => self.leave(),
        }
    }

    /// Nothing comes of it.
    fn leave(&self) -> Found {
        self.group.count_failure();
        // Fails only where it is closed.
        let _ = self.channel.close();
        self.group.remove(self.mark.key);
        Found::End
    }

    /// A relay comes in the place of this task.
    fn hand_over(&self, (place, socket): Reached, data: &[u8]) {
        // There may be more of it, and its end, which nobody will tell again.
        self.waker.leave_rest();
        let carried = (self.channel.clone(), Arc::clone(&self.waker));
        Relay::follow(self.mark.clone(), place, socket, carried, data);
    }

    /// Says what there is to say, as much as is taken.
    fn say(&self, state: &mut State) -> Result<(), Error> {
        if !state.reply.is_empty() {
            let count = self.channel.write_now(&state.reply)?;
            state.reply.drain(..count.min(state.reply.len()));
        }
        Ok(())
    }

    fn time_is_up(&self, state: &State) -> bool {
        !matches!(state.stage, Stage::Reaching(..)) && Instant::now() >= state.until
    }
}

/// Why a target was not reached, in the words of SOCKS.
fn failure(error: &Error) -> Failure {
    match error {
        Error::Io { errno, .. } => match Errno::from_raw_os_error(*errno) {
            Errno::CONNREFUSED => Failure::Refused,
            Errno::NETUNREACH => Failure::Network,
            Errno::HOSTUNREACH | Errno::TIMEDOUT => Failure::Host,
            _ => Failure::General,
        },
        Error::Resolve { .. } | Error::Timeout(_) => Failure::Host,
        _ => Failure::General,
    }
}

impl Task for Visit {
    fn key(&self) -> u64 {
        self.mark.key
    }

    fn turn(self: Arc<Self>, _: Ready, scratch: &mut Vec<u8>) -> Next {
        let mut state = self.state.lock();
        let state = &mut *state;
        // That there is room is found out by writing; the flag is only taken down.
        let _ = self.waker.ready();
        loop {
            let is_over = self.group.is_closed() || self.time_is_up(state);
            let found = if is_over || self.say(state).is_err() {
                self.leave()
            } else {
                self.step(state, scratch)
            };
            match found {
                Found::GoOn => {}
                Found::Wait(until) => return Next::At(until),
                Found::End => {
                    state.stage = Stage::Over;
                    return Next::Gone;
                }
            }
        }
    }

    fn broken(self: Arc<Self>) {
        self.leave();
        self.state.lock().stage = Stage::Over;
        self.mark.attend();
    }
}
