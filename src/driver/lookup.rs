//! Host names that are looked up. The system's resolver knows no deadline, so each name has a job of a pool of their own, which
//! is left behind when it is late.
//!
//! A peer that names many hosts for which nobody answers would have all threads of that pool. So one connection has a few names
//! looked up at a time; the others wait for their turn, as long as somebody still wants to know. Names that peers want have
//! a pool apart from those of the application, where a connection's next name comes behind all that are waiting already.

use std::collections::VecDeque;
use std::net::{SocketAddr, ToSocketAddrs};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{mpsc, Arc, Weak};

use super::engine::Engine;
use super::pool::Job;
use super::sync::Mutex;
use super::wait::Deadline;
use crate::error::Error;

/// What came of it.
pub(super) type Found = Result<Vec<SocketAddr>, Error>;

/// Most names of one connection that are looked up at once.
const MOST_AT_ONCE: usize = 32;

const LATE: Error = Error::Timeout("name resolution");

/// A host name that is being looked up.
pub(super) struct Lookup {
    told: mpsc::Receiver<Found>,
    /// As long as it is there, somebody wants to know.
    _asker: Arc<()>,
}

impl Lookup {
    /// `turns` are those of the peer who has named the host; who names it himself waits for nobody. `wake` is called when there
    /// is something to [`look`](Self::look) at.
    pub(super) fn begin(
        host: &str,
        port: u16,
        turns: Option<&Arc<Turns>>,
        wake: impl FnOnce() + Send + 'static,
    ) -> Result<Self, Error> {
        let (tell, told) = mpsc::channel();
        let asker = Arc::new(());
        if let Ok(ip) = host.parse() {
            // The other end is here.
            let _ = tell.send(Ok(vec![SocketAddr::new(ip, port)]));
        } else {
            let host = host.to_owned();
            let name = Name {
                asker: Arc::downgrade(&asker),
                look_up: Box::new(move || {
                    // The asker may have gone.
                    let _ = tell.send(resolve(&host, port));
                    wake();
                }),
            };
            match turns {
                Some(turns) => turns.queue(name)?,
                None => Engine::get()?
                    .lookups()
                    .try_spawn(Box::new(|| name.run()))?,
            }
        }
        Ok(Lookup {
            told,
            _asker: asker,
        })
    }

    /// What was found; `None` while the resolver is at work and there is time.
    pub(super) fn look(&self, deadline: Deadline) -> Option<Found> {
        match self.told.try_recv() {
            Ok(found) => Some(found),
            Err(mpsc::TryRecvError::Disconnected) => {
                Some(Err(Error::Bug("the resolver went away")))
            }
            Err(mpsc::TryRecvError::Empty) if deadline.has_passed() => Some(Err(LATE)),
            Err(mpsc::TryRecvError::Empty) => None,
        }
    }

    pub(super) fn wait(self, deadline: Deadline) -> Found {
        let found = match deadline.remaining() {
            None => self.told.recv().map_err(|_| None),
            Some(time) => self.told.recv_timeout(time).map_err(Some),
        };
        match found {
            Ok(found) => found,
            Err(Some(mpsc::RecvTimeoutError::Timeout)) => Err(LATE),
            Err(_) => Err(Error::Bug("the resolver went away")),
        }
    }
}

/// A name, and who wants to know.
struct Name {
    asker: Weak<()>,
    look_up: Job,
}

impl Name {
    fn is_wanted(&self) -> bool {
        self.asker.strong_count() > 0
    }

    fn run(self) {
        if self.is_wanted() {
            // A panic is a bug of ours; the names of others have their turn.
            let _ = catch_unwind(AssertUnwindSafe(self.look_up));
        }
    }
}

/// The names of one connection. Its lock is a leaf.
#[derive(Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: VecDeque<Name>,
}

impl Turns {
    fn queue(self: &Arc<Self>, name: Name) -> Result<(), Error> {
        {
            let mut state = self.state.lock();
            if state.running >= MOST_AT_ONCE {
                // So those who wait are no more than those who ask.
                state.waiting.retain(Name::is_wanted);
                state.waiting.push_back(name);
                return Ok(());
            }
            state.running += 1;
        }
        let begun = self.spawn(name);
        if begun.is_err() {
            self.state.lock().running -= 1;
        }
        begun
    }

    fn spawn(self: &Arc<Self>, name: Name) -> Result<(), Error> {
        let turns = Arc::clone(self);
        Engine::get()?
            .targets()
            .try_spawn(Box::new(move || turns.run(name)))
    }

    fn run(self: &Arc<Self>, name: Name) {
        name.run();
        if let Some(next) = self.next() {
            // Does not fail: this thread is one that will come to it.
            if self.spawn(next).is_err() {
                self.state.lock().running -= 1;
            }
        }
    }

    fn next(&self) -> Option<Name> {
        let mut state = self.state.lock();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.running -= 1;
        }
        next
    }
}

fn resolve(host: &str, port: u16) -> Found {
    let unresolved = |detail: String| Error::Resolve {
        host: host.to_owned(),
        detail,
    };
    let found = (host, port)
        .to_socket_addrs()
        .map_err(|error| unresolved(error.to_string()))?;
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(unresolved(String::from("no address")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::pool::MAX_THREADS;
    use super::*;
    use std::sync::{Barrier, PoisonError};
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(60);
    /// Tests that want many threads of the pool at once: each might wait for those that the other has.
    static MANY: std::sync::Mutex<()> = std::sync::Mutex::new(());

    /// Asks for a name, and says when it is looked up.
    fn ask(turns: &Arc<Turns>, look_up: impl FnOnce() + Send + 'static) -> Arc<()> {
        let asker = Arc::new(());
        turns
            .queue(Name {
                asker: Arc::downgrade(&asker),
                look_up: Box::new(look_up),
            })
            .unwrap();
        asker
    }

    #[test]
    fn many_names_of_one_peer_keep_neither_the_application_nor_other_peers_waiting() {
        let _alone = MANY.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, has_begun) = mpsc::channel();
        let mut releases = Vec::new();
        let mut askers = Vec::new();
        let greedy: Vec<_> = (0..MAX_THREADS / MOST_AT_ONCE)
            .map(|_| Arc::new(Turns::default()))
            .collect();
        for turns in &greedy {
            for _ in 0..MOST_AT_ONCE {
                let (release, released) = mpsc::channel::<()>();
                let begun = begun.clone();
                askers.push(ask(turns, move || {
                    begun.send(()).unwrap();
                    let _ = released.recv();
                }));
                releases.push(release);
            }
        }
        for _ in 0..MAX_THREADS {
            has_begun.recv_timeout(LONG).unwrap();
        }
        let (tell, told) = mpsc::channel();
        let says = |what: &'static str| {
            let tell = tell.clone();
            move || tell.send(what).unwrap()
        };
        for turns in &greedy {
            askers.push(ask(turns, says("one more of the greedy peer's")));
        }
        askers.push(ask(&Arc::default(), says("another peer's")));
        let own = Lookup::begin("localhost", 22, None, says("the application's")).unwrap();
        assert_eq!(told.recv_timeout(LONG), Ok("the application's"));
        assert!(own.wait(Deadline(None)).is_ok());
        drop(releases.remove(0));
        assert_eq!(told.recv_timeout(LONG), Ok("another peer's"));
        assert_eq!(told.recv_timeout(LONG), Ok("one more of the greedy peer's"));
        releases.clear();
    }

    #[test]
    fn a_peer_has_a_few_names_at_a_time_and_those_that_nobody_wants_are_left_out() {
        let _alone = MANY.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = Arc::new(Turns::default());
        let (tell, told) = mpsc::channel();
        let all_begun = Arc::new(Barrier::new(MOST_AT_ONCE + 1));
        let mut askers = Vec::new();
        let ask_for = |number: usize| {
            let (tell, all_begun) = (tell.clone(), Arc::clone(&all_begun));
            ask(&turns, move || {
                if number < MOST_AT_ONCE {
                    all_begun.wait();
                    all_begun.wait();
                }
                tell.send(number).unwrap();
            })
        };
        askers.extend((0..MOST_AT_ONCE + 8).map(ask_for));
        all_begun.wait();
        let waiting = |turns: &Turns| {
            let state = turns.state.lock();
            (state.running, state.waiting.len())
        };
        assert_eq!(waiting(&turns), (MOST_AT_ONCE, 8));
        askers.truncate(MOST_AT_ONCE + 4);
        askers.push(ask_for(MOST_AT_ONCE + 8));
        assert_eq!(waiting(&turns), (MOST_AT_ONCE, 5));
        // Gone while it waits, and noticed when its turn comes.
        askers.remove(MOST_AT_ONCE);
        all_begun.wait();
        drop(tell);
        let mut looked_up: Vec<_> = (0..MOST_AT_ONCE + 4)
            .map(|_| told.recv_timeout(LONG).unwrap())
            .collect();
        looked_up.sort_unstable();
        let expected: Vec<_> = (0..MOST_AT_ONCE)
            .chain(MOST_AT_ONCE + 1..MOST_AT_ONCE + 4)
            .chain([MOST_AT_ONCE + 8])
            .collect();
        assert_eq!(looked_up, expected);
    }
}
