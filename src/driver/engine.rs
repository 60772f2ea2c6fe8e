//! The process's few I/O threads. Each waits on an epoll instance of its own for the transports it was
//! given; a transport stays with its thread, so its packets never wander between caches.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::buffers::Buffers;
use super::pool::Pool;
use super::seats::Seats;
use super::stream::Socket;
use super::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use super::sync::{Mutex, MutexGuard};
use super::sys::poller::{Poller, WAKE_KEY};
use super::sys::{clock, fork::PerProcess, thread};
use crate::error::Error;

/// Most I/O threads by default.
const MAX_DEFAULT_THREADS: usize = 4;
/// Time between two looks at the tasks that callers have left. A caller that stays away for two of them is not coming back soon.
const LOOK_AFTER: Duration = Duration::from_millis(2);
/// The part of a wait by which it may be too long, so that tasks whose time is about the same share one waking.
const SLACK: u32 = 32;
/// Most that this makes.
const MAX_SLACK: Duration = Duration::from_secs(1);
/// Least that is worth it.
const MIN_SLACK: Duration = Duration::from_millis(32);
/// A timer that is so much too early is set again.
const FAR: Duration = Duration::from_secs(2);
/// Most buffers to read into that are kept.
const MAX_SPARE_BUFFERS: usize = 8;
/// Most blocks of queues that are kept, for all connections together.
const MAX_SPARE_BLOCKS: usize = 64;
/// Looks at nothing before they stop.
const QUIET_LOOKS: u32 = 8;

static ENGINE: PerProcess<Engine> = PerProcess::new();
static WANTED_THREADS: AtomicUsize = AtomicUsize::new(0);
static NEXT_KEY: AtomicU64 = AtomicU64::new(WAKE_KEY + 1);

/// The I/O threads and the callback pool of this process.
pub(crate) struct Engine {
    workers: Vec<Arc<Worker>>,
    next: AtomicUsize,
    pool: Pool,
    /// Work on files, which may take as long as their disk does.
    files: Pool,
    lookups: Pool,
    /// Looks up the names that peers want to reach.
    targets: Pool,
    connects: Pool,
    seats: Seats,
    /// To read into, used for a moment by whoever is at a socket.
    buffers: Buffers,
    /// Blocks of queues.
    blocks: Buffers,
}

/// What an I/O thread can be asked to do.
enum Command {
    /// Take care of this from now on.
    Register(Arc<dyn Task>),
    /// Look at its deadlines and at what waits to be sent.
    Attend(u64),
    /// End: the engine could not be started.
    Stop,
}

/// What an I/O thread was asked to do and has not done.
#[derive(Default)]
struct Commands {
    list: Vec<Command>,
    /// It looks at them before it sleeps: it is awake, or has been woken.
    sees: bool,
}

/// What an I/O thread takes care of: a transport, a connection that is forwarded, a socket that listens for such.
pub(crate) trait Task: Send + Sync {
    /// The number under which it is known to its I/O thread; see [`Engine::new_key`].
    fn key(&self) -> u64;
    /// One turn: does what can be done without waiting. `scratch` is the thread's buffer.
    fn turn(self: Arc<Self>, ready: Ready, scratch: &mut Vec<u8>) -> Next;
    /// A caller who took care of it has left a moment ago; says whether to look again. See [`Worker::look_after`].
    fn look_after(&self) -> bool {
        false
    }
    /// A turn has panicked: ends for that cause, soon.
    fn broken(self: Arc<Self>);
}

/// The part of an I/O thread that others see.
pub(crate) struct Worker {
    poller: Poller,
    commands: Mutex<Commands>,
    /// Tasks that callers took care of a moment ago.
    left: Mutex<Vec<u64>>,
    /// The thread looks at those regularly.
    looks: AtomicBool,
}

/// What a poll found out about a task.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ready {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// What a task wants of its I/O thread next.
pub(crate) enum Next {
    /// To be attended at this moment at the latest.
    At(Option<Instant>),
    /// To be forgotten: its descriptor is closed.
    Gone,
}

/// Sets the number of I/O threads; has an effect before the first transport starts.
pub fn set_io_threads(count: usize) -> Result<(), Error> {
    if count == 0 || count > 64 {
        return Err(Error::ApiMisuse("the number of I/O threads is 1 to 64"));
    }
    WANTED_THREADS.store(count, Ordering::Relaxed);
    Ok(())
}

/// Runs work that may wait for files: soon, or as soon as there is a thread for it.
pub(crate) fn spawn_file_work(job: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    Engine::get()?.files().spawn(Box::new(job));
    Ok(())
}

impl Engine {
    /// The engine of this process, started at first use.
    pub(crate) fn get() -> Result<&'static Engine, Error> {
        ENGINE.get_or_try_init(Engine::start)
    }

    fn start() -> Result<Engine, Error> {
        let count = match WANTED_THREADS.load(Ordering::Relaxed) {
            0 => std::thread::available_parallelism()
                .map_or(1, |cores| cores.get().min(MAX_DEFAULT_THREADS)),
            wanted => wanted,
        };
        let first = Worker::start()?;
        let mut workers = vec![Arc::clone(&first)];
        while workers.len() < count {
            match Worker::start() {
                Ok(worker) => workers.push(worker),
                Err(error) => {
                    // The next call tries anew; what is there must not stay for each of them.
                    for worker in &workers {
                        worker.tell(Command::Stop);
                    }
                    return Err(error);
                }
            }
        }
        Ok(Engine {
            workers,
            next: AtomicUsize::new(0),
            pool: Pool::new("sshwire-callback", &first),
            files: Pool::new("sshwire-files", &first),
            lookups: Pool::new("sshwire-lookup", &first),
            targets: Pool::new("sshwire-targets", &first),
            connects: Pool::new("sshwire-connect", &first),
            seats: Seats::new(),
            buffers: Buffers::with_at_most(MAX_SPARE_BUFFERS),
            blocks: Buffers::with_at_most(MAX_SPARE_BLOCKS),
        })
    }

    /// Ends the I/O threads at the end of a model.
    #[cfg(model)]
    pub(crate) fn stop(&self) {
        for worker in &self.workers {
            worker.tell(Command::Stop);
        }
    }

    /// A number that names a task to its I/O thread.
    pub(crate) fn new_key() -> u64 {
        NEXT_KEY.fetch_add(1, Ordering::Relaxed)
    }

    /// The I/O thread whose turn it is to get a task.
    pub(crate) fn assign(&self) -> Result<Arc<Worker>, Error> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(self.workers.len())
            .and_then(|index| self.workers.get(index))
            .cloned()
            .ok_or(Error::Bug("no I/O thread"))
    }

    /// The pool for work on files, apart from that of the callbacks, so that neither keeps the other waiting.
    pub(crate) fn files(&self) -> &Pool {
        &self.files
    }

    /// The pool for looking up names, which the system does in its own time: a callback may wait for one.
    pub(crate) fn lookups(&self) -> &Pool {
        &self.lookups
    }

    /// The same for names that peers want to reach: there may be many for which nobody answers.
    pub(crate) fn targets(&self) -> &Pool {
        &self.targets
    }

    /// The pool of the one job that carries all connections in the making.
    pub(crate) fn connects(&self) -> &Pool {
        &self.connects
    }

    /// What callers need who wait at a socket.
    pub(crate) fn seats(&self) -> &Seats {
        &self.seats
    }

    /// What callers read into.
    pub(crate) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// What queues have no more use for.
    pub(crate) fn blocks(&self) -> &Buffers {
        &self.blocks
    }

    /// The pool of the application's callbacks.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Worker {
    fn start() -> Result<Arc<Worker>, Error> {
        let poller = Poller::new().map_err(|(operation, errno)| Error::Io {
            operation,
            errno: errno.raw_os_error(),
        })?;
        let worker = Arc::new(Worker {
            poller,
            commands: Mutex::default(),
            left: Mutex::default(),
            looks: AtomicBool::new(false),
        });
        let mut run = Run {
            worker: Arc::clone(&worker),
            tasks: HashMap::new(),
            timers: BTreeSet::new(),
            began: clock::now(),
            next_look: None,
            quiet_looks: 0,
        };
        thread::spawn("sshwire-io", move || run.until_stopped())
            .map_err(|_| Error::Resource("an I/O thread could not be started"))?;
        Ok(worker)
    }

    fn tell(&self, command: Command) {
        let mut commands = self.commands.lock();
        commands.list.push(command);
        self.wake(commands);
    }

    /// Has the thread look at everything before it sleeps again.
    fn wake(&self, mut commands: MutexGuard<'_, Commands>) {
        let sees = std::mem::replace(&mut commands.sees, true);
        // Not with the lock held, which is the first thing that it takes.
        drop(commands);
        if !sees {
            self.poller.wake();
        }
    }

    /// The thread is about to sleep. Says whether there is something that it has to look at first: whoever comes later wakes it.
    fn lies_down(&self) -> bool {
        let mut commands = self.commands.lock();
        commands.sees = !commands.list.is_empty();
        commands.sees
    }

    /// The thread is awake.
    fn gets_up(&self) -> Vec<Command> {
        let mut commands = self.commands.lock();
        commands.sees = true;
        std::mem::take(&mut commands.list)
    }

    /// Takes care of a task from now on: it has its first turn soon. Commands are looked at before events, so it is
    /// known when the first event of a descriptor comes that is watched after this.
    pub(crate) fn register(&self, task: Arc<dyn Task>) {
        self.tell(Command::Register(task));
    }

    /// The same, but its first turn comes when the I/O thread is awake the next time: see to it that it is.
    pub(crate) fn register_later(&self, task: Arc<dyn Task>) {
        self.commands.lock().list.push(Command::Register(task));
    }

    /// Has the I/O thread give a task a turn. A leaf: may be called with
    /// any lock held.
    pub(crate) fn attend(&self, key: u64) {
        self.tell(Command::Attend(key));
    }

    /// A caller that took care of a task has left it, perhaps for a moment: looks after it until it is back, or the task says
    /// that it need not. A leaf but for the wake-up.
    pub(crate) fn look_after(&self, key: u64) {
        self.left.lock().push(key);
        if !self.looks.swap(true, Ordering::SeqCst) {
            self.wake(self.commands.lock());
        }
    }

    /// Waits for a socket to be readable, writable or both.
    pub(crate) fn watch(
        &self,
        socket: &Socket,
        key: u64,
        wanted: (bool, bool),
    ) -> Result<(), Error> {
        socket.with_descriptor(|fd| self.poller.watch(fd, key, wanted))
    }

    /// The same for a descriptor of another kind.
    pub(crate) fn watch_descriptor(
        &self,
        descriptor: BorrowedFd<'_>,
        key: u64,
        wanted: (bool, bool),
    ) -> Result<(), Errno> {
        self.poller.watch(descriptor, key, wanted)
    }

    /// Stops waiting for a descriptor.
    pub(crate) fn unwatch_descriptor(&self, descriptor: BorrowedFd<'_>) {
        self.poller.unwatch(descriptor);
    }

    /// Changes what a socket is waited for.
    pub(crate) fn watch_again(
        &self,
        socket: &Socket,
        key: u64,
        wanted: (bool, bool),
    ) -> Result<(), Error> {
        socket.with_descriptor(|fd| self.poller.watch_again(fd, key, wanted))
    }

    /// Stops waiting for a socket. To close its descriptor is not enough: a forked child may hold the same
    /// file, and then this thread would be woken for it for ever.
    pub(crate) fn unwatch(&self, socket: &Socket) {
        // Fails only when it is closed.
        let _ = socket.with_descriptor(|fd| {
            self.poller.unwatch(fd);
            Ok(())
        });
    }
}

/// A moment not before `at` that other deadlines have been given too, and later by no more than a small part of the wait.
/// The keepalives of thousands of idle connections would otherwise wake the thread once for each.
fn shared_moment(began: Instant, now: Instant, at: Instant) -> Instant {
    let slack = (at.saturating_duration_since(now) / SLACK).min(MAX_SLACK);
    if slack < MIN_SLACK {
        return at;
    }
    // A power of two, so that the moments of long waits are among those of shorter ones.
    let bits = slack.as_millis().checked_ilog2().unwrap_or(0);
    let step = 1_u128 << bits;
    let since = at.saturating_duration_since(began).as_millis();
    let shared = since
        .checked_div(step)
        .and_then(|steps| steps.checked_add(1)?.checked_mul(step))
        .and_then(|millis| u64::try_from(millis).ok())
        .and_then(|millis| began.checked_add(Duration::from_millis(millis)));
    shared.unwrap_or(at)
}

/// When a task is attended to next.
#[derive(Clone, Copy)]
struct Timer {
    wanted: Instant,
    /// Not before that, and shared with others.
    at: Instant,
}

/// The moment for which a timer takes the place of one that is set. One that is earlier than needed is harmless, and to leave it saves
/// work for every packet. Where it is earlier by far (a session has been set up, and only its keepalive is left), it would cost a
/// turn that finds nothing, with a connection's memory that nothing has touched for a while.
fn worth_setting(old: Option<Timer>, new: Option<Instant>) -> Option<Instant> {
    new.filter(|new| {
        old.is_none_or(|old| {
            let is_earlier = *new < old.at && *new != old.wanted;
            is_earlier || new.saturating_duration_since(old.at) >= FAR
        })
    })
}

/// The part of an I/O thread that only it sees.
struct Run {
    worker: Arc<Worker>,
    tasks: HashMap<u64, Entry>,
    timers: BTreeSet<(Instant, u64)>,
    /// What shared moments are counted from.
    began: Instant,
    /// When to look at the tasks that callers have left.
    next_look: Option<Instant>,
    /// Looks in a row that found none.
    quiet_looks: u32,
}

struct Entry {
    task: Arc<dyn Task>,
    timer: Option<Timer>,
}

impl Run {
    fn until_stopped(&mut self) {
        let mut scratch = Vec::new();
        let mut found = Vec::new();
        loop {
            let is_wanted = self.worker.lies_down();
            if self.next_look.is_none() && self.worker.looks.load(Ordering::SeqCst) {
                self.next_look = Some(clock::now() + LOOK_AFTER);
            }
            let timeout = [self.timers.first().map(|(at, _)| *at), self.next_look]
                .into_iter()
                .flatten()
                .min()
                .map(|at| at.saturating_duration_since(clock::now()));
            let timeout = if is_wanted {
                Some(Duration::ZERO)
            } else {
                timeout
            };
            found.clear();
            self.worker.poller.wait(&mut found, timeout);
            // Before the commands: whatever is in the list was registered earlier.
            let left = self
                .next_look
                .filter(|at| *at <= clock::now())
                .map(|_| std::mem::take(&mut *self.worker.left.lock()));
            for command in self.worker.gets_up() {
                match command {
                    Command::Register(task) => {
                        let key = task.key();
                        self.tasks.insert(key, Entry { task, timer: None });
                        self.attend(key, Ready::default(), &mut scratch);
                    }
                    Command::Attend(key) => self.attend(key, Ready::default(), &mut scratch),
                    Command::Stop => return,
                }
            }
            for &(key, (readable, writable)) in &found {
                self.attend(key, Ready { readable, writable }, &mut scratch);
            }
            let now = clock::now();
            while let Some((at, key)) = self.timers.first().copied() {
                if at > now {
                    break;
                }
                self.timers.remove(&(at, key));
                if let Some(entry) = self.tasks.get_mut(&key) {
                    entry.timer = None;
                }
                self.attend(key, Ready::default(), &mut scratch);
            }
            if let Some(keys) = left {
                self.look_after(keys, now);
            }
        }
    }

    /// Looks at the tasks that callers have left, and whether to do so again.
    fn look_after(&mut self, mut keys: Vec<u64>, now: Instant) {
        keys.retain(|key| {
            let entry = self.tasks.get(key);
            entry.is_some_and(|entry| entry.task.look_after())
        });
        let mut left = self.worker.left.lock();
        left.append(&mut keys);
        self.quiet_looks = if left.is_empty() {
            self.quiet_looks + 1
        } else {
            0
        };
        if self.quiet_looks < QUIET_LOOKS {
            self.next_look = Some(now + LOOK_AFTER);
        } else {
            // With the lock held: who adds a task after this finds that nobody looks.
            self.worker.looks.store(false, Ordering::SeqCst);
            self.next_look = None;
            self.quiet_looks = 0;
        }
    }

    fn attend(&mut self, key: u64, ready: Ready, scratch: &mut Vec<u8>) {
        let Some(entry) = self.tasks.get_mut(&key) else {
            return;
        };
        let task = Arc::clone(&entry.task);
        let attended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Arc::clone(&task).turn(ready, scratch)
        }));
        let next = attended.unwrap_or_else(|_| {
            task.broken();
            Next::At(Some(clock::now()))
        });
        let timer = match next {
            Next::At(timer) => timer,
            Next::Gone => {
                if let Some(timer) = entry.timer {
                    self.timers.remove(&(timer.at, key));
                }
                self.tasks.remove(&key);
                return;
            }
        };
        if let Some(wanted) = worth_setting(entry.timer, timer) {
            let at = shared_moment(self.began, clock::now(), wanted);
            if let Some(old) = entry.timer.replace(Timer { wanted, at }) {
                self.timers.remove(&(old.at, key));
            }
            self.timers.insert((at, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_set_again_for_an_earlier_moment_and_for_one_that_is_far_later() {
        let now = Instant::now();
        let second = |count| now + Duration::from_secs(count);
        let set_for = |wanted| Timer {
            wanted,
            at: shared_moment(now, now, wanted),
        };
        assert_eq!(worth_setting(None, None), None);
        assert_eq!(worth_setting(None, Some(second(15))), Some(second(15)));
        let old = set_for(second(15));
        assert!(old.at > old.wanted);
        assert_eq!(worth_setting(Some(old), None), None);
        for (new, is_set) in [
            (second(14), true),
            // It is what the timer was set for.
            (second(15), false),
            // It would come late.
            (old.at - Duration::from_millis(1), true),
            (second(16), false),
            (second(60), true),
        ] {
            let expected = is_set.then_some(new);
            assert_eq!(worth_setting(Some(old), Some(new)), expected, "{new:?}");
        }
    }

    #[test]
    fn deadlines_that_are_far_share_moments_and_are_never_early() {
        let began = Instant::now();
        let now = began + Duration::from_millis(12_345);
        let mut moments = BTreeSet::new();
        for each in 0..1000_u64 {
            let at = now + Duration::from_secs(60) + Duration::from_micros(each * 10_007);
            let moment = shared_moment(began, now, at);
            assert!(moment >= at);
            assert!(moment <= at + MAX_SLACK);
            moments.insert(moment);
        }
        // They are ten seconds in all; a step is at most one, and half of one at least.
        assert!((10..=21).contains(&moments.len()), "{}", moments.len());
    }

    #[test]
    fn a_wait_becomes_longer_by_a_small_part_at_most() {
        let began = Instant::now();
        let now = began + Duration::from_millis(777);
        for millis in [1, 50, 500, 1_023, 1_024, 5_000, 31_999, 32_000, 3_600_000] {
            let wait = Duration::from_millis(millis);
            let moment = shared_moment(began, now, now + wait);
            assert!(moment >= now + wait, "{millis}");
            assert!(moment <= now + wait + wait / SLACK, "{millis}");
        }
        let short = now + Duration::from_millis(900);
        assert_eq!(shared_moment(began, now, short), short);
    }

    #[test]
    fn a_deadline_that_is_over_or_out_of_reach_stays() {
        let began = Instant::now();
        let now = began + Duration::from_secs(5);
        assert_eq!(shared_moment(began, now, began), began);
        let far = now + Duration::from_secs(1 << 40);
        let moment = shared_moment(began, now, far);
        assert!(moment >= far && moment <= far + MAX_SLACK);
    }
}
