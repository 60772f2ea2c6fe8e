//! From "host:port" to a connected socket, within one deadline.
//!
//! The addresses of a host are tried in their order, IPv6 and IPv4 in turn, each a little after the one before
//! unless that one fails at once: a silent address costs a quarter of a second and not the whole deadline (the idea
//! of RFC 8305). The first to answer wins.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{eventfd, poll, EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::address::split;
use super::engine::Engine;
use super::lookup::{Lookup, Turns};
use super::reach::Reach;
use super::sync::{Mutex, Rank};
use super::sys::fork::PerProcess;
use super::wait::{Deadline, Timeout};
use crate::codec::printable;
use crate::error::Error;

/// How long an address is alone in the race before the next one joins.
const HEAD_START: Duration = Duration::from_millis(250);

/// Told how it ended.
pub(crate) type Done = Box<dyn FnOnce(Result<OwnedFd, Error>) + Send>;

/// Connects to the first address of `address` that answers. Forms: `host`, `host:port`, `[v6]`,
/// `[v6]:port`, and a bare IPv6 address.
pub(crate) fn connect(address: &str, timeout: Timeout) -> Result<OwnedFd, Error> {
    let (host, port) = split(address)?;
    connect_by(host, port, &Reach::default(), timeout.deadline())
}

/// The same by a certain way.
pub(crate) fn connect_by(
    host: &str,
    port: u16,
    reach: &Reach,
    deadline: Deadline,
) -> Result<OwnedFd, Error> {
    let mut found = Lookup::begin(host, port, None, || ())?.wait(deadline)?;
    found.retain(|address| reach.fits(address));
    if found.is_empty() {
        return Err(Error::Resolve {
            host: printable(host.as_bytes(), 255),
            detail: String::from("it has no address of the kind that is wanted"),
        });
    }
    let mut race = Race::new(found, deadline);
    race.reach = reach.clone();
    race_to_the_end(race)
}

fn race_to_the_end(mut race: Race) -> Result<OwnedFd, Error> {
    loop {
        if let Some(outcome) = race.step(Instant::now()) {
            return outcome;
        }
        let mut polled: Vec<_> = race
            .descriptors()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT))
            .collect();
        sleep(&mut polled, race.wake_at());
    }
}

/// Does the same in the background; `turns` are those of the peer who has named the address, if it was one. Fails at once only for
/// what is no address.
pub(crate) fn begin(
    address: &str,
    timeout: Timeout,
    turns: Option<&Arc<Turns>>,
    done: Done,
) -> Result<(), Error> {
    let (host, port) = split(address)?;
    let deadline = timeout.deadline();
    let connector = Connector::get()?;
    let lookup = Lookup::begin(host, port, turns, || connector.wake())?;
    let stage = Stage::Looking(lookup, deadline);
    connector.submit(Entry { stage, done })
}

/// Attempts to connect to one of several addresses.
struct Race {
    waiting: VecDeque<SocketAddr>,
    running: Vec<OwnedFd>,
    next_start: Instant,
    deadline: Deadline,
    last: Error,
    reach: Reach,
}

impl Race {
    fn new(addresses: Vec<SocketAddr>, deadline: Deadline) -> Self {
        Race {
            waiting: in_turn(addresses),
            running: Vec::new(),
            next_start: Instant::now(),
            deadline,
            last: Error::Resource("the host has no address"),
            reach: Reach::default(),
        }
    }

    /// Looks at what runs and starts what is due; the outcome, once there is one.
    fn step(&mut self, now: Instant) -> Option<Result<OwnedFd, Error>> {
        for socket in std::mem::take(&mut self.running) {
            match state(&socket) {
                None => self.running.push(socket),
                Some(Ok(())) => return Some(Ok(socket)),
                Some(Err(errno)) => self.lost(errno, now),
            }
        }
        if self.deadline.has_passed() {
            return Some(Err(Error::Timeout("connect")));
        }
        while self.running.is_empty() || now >= self.next_start {
            let Some(address) = self.waiting.pop_front() else {
                break;
            };
            match start(&address, &self.reach) {
                Ok((socket, true)) => return Some(Ok(socket)),
                Ok((socket, false)) => {
                    self.running.push(socket);
                    self.next_start = now + HEAD_START;
                }
                Err(errno) => self.lost(errno, now),
            }
        }
        self.running.is_empty().then(|| Err(self.last.clone()))
    }

    /// One is out of the race; the next one need not wait.
    fn lost(&mut self, errno: Errno, now: Instant) {
        self.next_start = now;
        self.last = Error::Io {
            operation: "connect",
            errno: errno.raw_os_error(),
        };
    }

    fn wake_at(&self) -> Option<Instant> {
        let start = (!self.waiting.is_empty()).then_some(self.next_start);
        [start, self.deadline.0].into_iter().flatten().min()
    }

    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.running.iter().map(AsFd::as_fd)
    }
}

/// The resolver's order, but with the two families in turn, so that one that leads nowhere does not take all time.
fn in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut all = VecDeque::new();
    while !first.is_empty() || !second.is_empty() {
        all.extend(first.pop_front());
        all.extend(second.pop_front());
    }
    all
}

/// Begins to connect; true when that is done already.
fn start(address: &SocketAddr, reach: &Reach) -> Result<(OwnedFd, bool), Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    if let Some(from) = reach.from {
        rustix::net::bind(&socket, &SocketAddr::new(from, 0))?;
    }
    if reach.keepalive {
        rustix::net::sockopt::set_socket_keepalive(&socket, true)?;
    }
    match rustix::net::connect(&socket, address) {
        Ok(()) => Ok((socket, true)),
        // A signal does not end the attempt either.
        Err(Errno::INPROGRESS | Errno::INTR) => Ok((socket, false)),
        Err(errno) => Err(errno),
    }
}

/// How an attempt went; `None` while it goes on.
fn state(socket: &OwnedFd) -> Option<Result<(), Errno>> {
    let mut polled = [PollFd::new(socket, PollFlags::OUT)];
    match poll(&mut polled, Some(&Timespec::default())) {
        Ok(count) if count > 0 => {
            Some(rustix::net::sockopt::socket_error(socket).and_then(|outcome| outcome))
        }
        _ => None,
    }
}

/// Sleeps until a descriptor is ready or the time has come. May return early.
fn sleep(polled: &mut [PollFd<'_>], until: Option<Instant>) {
    let time = until.map(|at| at.saturating_duration_since(Instant::now()));
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    if let Err(errno) = poll(polled, time.as_ref()) {
        if errno != Errno::INTR {
            // Want of kernel memory passes.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Where a connection that nobody waits for is.
enum Stage {
    Looking(Lookup, Deadline),
    Racing(Race),
}

impl Stage {
    /// Goes on as far as it can; the outcome, once there is one.
    fn step(&mut self, now: Instant) -> Option<Result<OwnedFd, Error>> {
        if let Stage::Looking(lookup, deadline) = self {
            match lookup.look(*deadline)? {
                Ok(addresses) => *self = Stage::Racing(Race::new(addresses, *deadline)),
                Err(error) => return Some(Err(error)),
            }
        }
        match self {
            Stage::Racing(race) => race.step(now),
            Stage::Looking(..) => None,
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        match self {
            Stage::Looking(_, deadline) => deadline.0,
            Stage::Racing(race) => race.wake_at(),
        }
    }

    fn race(&self) -> Option<&Race> {
        match self {
            Stage::Looking(..) => None,
            Stage::Racing(race) => Some(race),
        }
    }
}

/// Carries all connections that nobody waits for, on one thread, which leaves when there is none.
struct Connector {
    wake: OwnedFd,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    entries: Vec<Entry>,
    running: bool,
}

struct Entry {
    stage: Stage,
    done: Done,
}

impl Entry {
    /// Goes on as far as it can; itself, unless it is done.
    fn step(mut self, now: Instant) -> Option<Self> {
        match self.stage.step(now) {
            Some(outcome) => {
                (self.done)(outcome);
                None
            }
            None => Some(self),
        }
    }
}

static CONNECTOR: PerProcess<Connector> = PerProcess::new();

impl Connector {
    fn get() -> Result<&'static Connector, Error> {
        CONNECTOR.get_or_try_init(|| {
            let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
            Ok(Connector {
                wake: wake.map_err(|errno| Error::Io {
                    operation: "eventfd",
                    errno: errno.raw_os_error(),
                })?,
                queue: Mutex::ranked(Queue::default(), Rank::BEFORE_LEAVES),
            })
        })
    }

    fn submit(&'static self, entry: Entry) -> Result<(), Error> {
        let engine = Engine::get()?;
        let mut queue = self.queue.lock();
        if queue.running {
            self.wake();
        } else {
            engine.connects().try_spawn(Box::new(|| self.run()))?;
            queue.running = true;
        }
        queue.entries.push(entry);
        Ok(())
    }

    /// Has the thread look at everything again, if there is one.
    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn run(&self) {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            {
                let mut queue = self.queue.lock();
                entries.append(&mut queue.entries);
                if entries.is_empty() {
                    queue.running = false;
                    return;
                }
            }
            let now = Instant::now();
            let mut racing = Vec::with_capacity(entries.len());
            for entry in entries {
                // A panic is a bug of ours; the connections of others go on.
                let stepped = catch_unwind(AssertUnwindSafe(|| entry.step(now)));
                racing.extend(stepped.ok().flatten());
            }
            entries = racing;
            if !entries.is_empty() {
                self.sleep(&entries);
            }
        }
    }

    fn sleep(&self, entries: &[Entry]) {
        let races = entries.iter().filter_map(|entry| entry.stage.race());
        let sockets = races.flat_map(Race::descriptors);
        let mut polled: Vec<_> = sockets
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT))
            .collect();
        polled.push(PollFd::new(&self.wake, PollFlags::IN));
        let until = entries
            .iter()
            .filter_map(|entry| entry.stage.wake_at())
            .min();
        sleep(&mut polled, until);
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
    use std::sync::mpsc;

    fn soon() -> Deadline {
        Timeout::After(Duration::from_secs(20)).deadline()
    }

    /// Begins to connect in the background, with time enough.
    fn begin_soon(address: &str, done: Done) {
        let time = Timeout::After(Duration::from_secs(60));
        begin(address, time, None, done).unwrap();
    }

    /// An address of loopback where nobody listens as long as its socket is held.
    fn refusing() -> (SocketAddr, OwnedFd) {
        let held = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        rustix::net::bind(&held, &any).unwrap();
        let address = rustix::net::getsockname(&held).unwrap();
        (SocketAddr::try_from(address).unwrap(), held)
    }

    /// An address of loopback that does not answer: its queue of connections is full.
    fn silent() -> (SocketAddr, OwnedFd, Vec<OwnedFd>) {
        let (address, listener) = refusing();
        rustix::net::listen(&listener, 0).unwrap();
        let mut queued = Vec::new();
        loop {
            assert!(queued.len() < 64, "the queue has no end");
            let (socket, _) = start(&address, &Reach::default()).unwrap();
            let mut polled = [PollFd::new(&socket, PollFlags::OUT)];
            let patience = Timespec::try_from(Duration::from_millis(300)).unwrap();
            let full = poll(&mut polled, Some(&patience)).unwrap() == 0;
            queued.push(socket);
            if full {
                return (address, listener, queued);
            }
        }
    }

    #[test]
    fn a_refusing_address_and_a_silent_one_are_passed_over() {
        let (silent, _listener, _queued) = silent();
        let good = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (refusing, _held) = refusing();
        let addresses = vec![refusing, silent, good.local_addr().unwrap()];
        let socket = TcpStream::from(race_to_the_end(Race::new(addresses, soon())).unwrap());
        assert_eq!(socket.peer_addr().unwrap(), good.local_addr().unwrap());
    }

    #[test]
    fn the_last_failure_and_the_deadline_are_told() {
        let (refusing, _held) = refusing();
        let error = race_to_the_end(Race::new(vec![refusing; 2], soon())).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Io {
                    errno: libc::ECONNREFUSED,
                    ..
                }
            ),
            "{error}"
        );
        let (silent, _listener, _queued) = silent();
        let deadline = Timeout::After(Duration::from_millis(400)).deadline();
        let error = race_to_the_end(Race::new(vec![silent, silent], deadline)).unwrap_err();
        assert_eq!(error, Error::Timeout("connect"));
    }

    #[test]
    fn families_take_turns() {
        let v4 = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let v6 = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let mixed = in_turn(vec![v6(1), v6(2), v6(3), v4(1)]);
        assert_eq!(mixed, [v6(1), v4(1), v6(2), v6(3)]);
    }

    #[test]
    fn literals_of_both_families_connect_also_in_the_background() {
        for host in ["127.0.0.1", "::1"] {
            let Ok(listener) = TcpListener::bind((host, 0)) else {
                // A machine may be without IPv6, but not one that is to check everything.
                assert!(host == "::1" && std::env::var_os("CI").is_none(), "{host}");
                eprintln!("LEFT OUT: no {host}");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let address = format!("[{host}]:{port}");
            let (tell, told) = mpsc::channel();
            connect(&address, Timeout::After(Duration::from_secs(20))).unwrap();
            let done = Box::new(move |outcome: Result<OwnedFd, Error>| tell.send(outcome).unwrap());
            begin_soon(&address, done);
            told.recv().unwrap().unwrap();
        }
        assert!(begin("host:", Timeout::Forever, None, Box::new(|_| ())).is_err());
    }

    #[test]
    fn many_races_are_run_at_once() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, told) = mpsc::channel();
        for _ in 0..100 {
            let tell = tell.clone();
            let done = Box::new(move |outcome: Result<OwnedFd, Error>| tell.send(outcome).unwrap());
            begin_soon(&address, done);
        }
        for _ in 0..100 {
            told.recv_timeout(Duration::from_secs(30)).unwrap().unwrap();
        }
    }

    /// More names than the pool has threads: no lookup may wait for another that cannot begin.
    #[test]
    fn any_number_of_names_is_looked_up_at_once() {
        const MANY: usize = 400;
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        // A form that only the resolver understands, and for which it asks nobody.
        let address = format!("127.1:{}", listener.local_addr().unwrap().port());
        std::thread::spawn(move || listener.incoming().flatten().take(MANY).for_each(drop));
        let (tell, told) = mpsc::channel();
        for _ in 0..MANY {
            let tell = tell.clone();
            let done = Box::new(move |outcome: Result<OwnedFd, Error>| tell.send(outcome).unwrap());
            begin_soon(&address, done);
        }
        for _ in 0..MANY {
            told.recv_timeout(Duration::from_secs(90)).unwrap().unwrap();
        }
    }

    /// Callbacks may connect by name, all at once: what they wait for must not wait for a thread of theirs.
    #[test]
    fn callbacks_that_look_up_names_do_not_wait_for_each_other() {
        const MANY: usize = 300;
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("127.1:{}", listener.local_addr().unwrap().port());
        std::thread::spawn(move || listener.incoming().flatten().take(MANY).for_each(drop));
        let (tell, told) = mpsc::channel();
        for _ in 0..MANY {
            let (tell, address) = (tell.clone(), address.clone());
            Engine::get().unwrap().pool().spawn(Box::new(move || {
                let outcome = connect(&address, Timeout::After(Duration::from_secs(20)));
                tell.send(outcome.map(drop)).unwrap();
            }));
        }
        for _ in 0..MANY {
            told.recv_timeout(Duration::from_secs(90)).unwrap().unwrap();
        }
    }

    #[test]
    fn a_panic_ends_no_connection_but_its_own() {
        let (tell, told) = mpsc::channel();
        let (refusing, _held) = refusing();
        for round in 0..2 {
            let tell = tell.clone();
            let done = Box::new(move |_: Result<OwnedFd, Error>| {
                assert!(round == 1, "on purpose");
                tell.send(()).unwrap();
            });
            begin_soon(&refusing.to_string(), done);
        }
        told.recv_timeout(Duration::from_secs(90)).unwrap();
    }

    #[test]
    fn a_name_that_is_none_is_told_in_the_background() {
        let (tell, told) = mpsc::channel();
        let done = Box::new(move |outcome: Result<OwnedFd, Error>| tell.send(outcome).unwrap());
        begin_soon("no such name:1", done);
        let error = told
            .recv_timeout(Duration::from_secs(90))
            .unwrap()
            .unwrap_err();
        assert!(matches!(error, Error::Resolve { .. }), "{error}");
    }
}
