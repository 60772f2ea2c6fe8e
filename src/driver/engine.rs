//! The process's few I/O threads. Each waits on an epoll instance of its own for the transports it was
//! given; a transport stays with its thread, so its packets never wander between caches, unless a loop of the
//! program's does the thread's work (`helm.rs`).

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::buffers::Buffers;
use super::helm::{self, Helm};
use super::pool::Pool;
use super::rounds::Rounds;
use super::seats::Seats;
use super::stream::Socket;
use super::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use super::sync::{Mutex, MutexGuard, Rank};
use super::sys::poller::{Found, Poller, WAKE_KEY};
use super::sys::{fork::PerProcess, thread};
use crate::error::Error;

/// Most I/O threads by default.
const MAX_DEFAULT_THREADS: usize = 4;
/// Most buffers to read into that are kept.
const MAX_SPARE_BUFFERS: usize = 8;
/// Most blocks of queues that are kept, for all connections together.
const MAX_SPARE_BLOCKS: usize = 64;

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
pub(super) enum Command {
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
    /// Who makes the rounds.
    helm: Helm,
    rounds: Mutex<Rounds>,
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

    /// The same, if it has been started.
    pub(super) fn started() -> Option<&'static Engine> {
        ENGINE.get()
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

    /// The I/O threads.
    pub(super) fn workers(&self) -> &[Arc<Worker>] {
        &self.workers
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
            helm: Helm::default(),
            rounds: Mutex::ranked(Rounds::new(), Rank::HELM),
        });
        let started = Arc::clone(&worker);
        thread::spawn("sshwire-io", move || started.run())
            .map_err(|_| Error::Resource("an I/O thread could not be started"))?;
        Ok(worker)
    }

    /// The I/O thread.
    fn run(&self) {
        let mut scratch = Vec::new();
        let mut found = Vec::new();
        let _here = helm::enter();
        while !self.rounds.lock().are_over() {
            self.helm.wait_for_turn();
            let time = self.pause();
            found.clear();
            self.poller.wait(&mut found, time);
            self.make_round(&found, &mut scratch);
        }
    }

    /// Who makes the rounds, if not its thread.
    pub(super) fn helm(&self) -> &Helm {
        &self.helm
    }

    /// Who is at the helm is about to wait at the poller, and for so long at most.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.rounds.lock().pause(self)
    }

    /// One round by who is at the helm, and has [paused](Self::pause) before: with what the poller has found since.
    pub(super) fn make_round(&self, found: &[Found], scratch: &mut Vec<u8>) {
        let gone = {
            let mut rounds = self.rounds.lock();
            rounds.make_one(self, found, scratch);
            rounds.forgotten()
        };
        drop(gone);
    }

    /// What who makes the rounds waits on.
    pub(super) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Tasks that callers have left.
    pub(super) fn left(&self) -> MutexGuard<'_, Vec<u64>> {
        self.left.lock()
    }

    /// Whether they are to be looked at.
    pub(super) fn looks(&self) -> bool {
        self.looks.load(Ordering::SeqCst)
    }

    /// With the lock of [`left`](Self::left) held.
    pub(super) fn stop_looking(&self) {
        self.looks.store(false, Ordering::SeqCst);
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
    pub(super) fn lies_down(&self) -> bool {
        let mut commands = self.commands.lock();
        commands.sees = !commands.list.is_empty();
        commands.sees
    }

    /// The thread is awake.
    pub(super) fn gets_up(&self) -> Vec<Command> {
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
