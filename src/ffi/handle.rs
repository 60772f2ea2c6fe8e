//! Checked handles: what C sees as a pointer is a number that names a slot of a process-wide table.
//!
//! A handle is never an address. It holds the index of its slot, the generation the slot had when the
//! handle was made, and the type, with the top bits set so that it can be no valid address on 64-bit
//! machines. NULL, freed, foreign and made-up handles are therefore found out before anything is touched.
//!
//! Locks: `FREE` guards the list of free slots; each slot has a lock of its own, held only while an `Arc`
//! is cloned or moved. No two are ever held together except `FREE`, which is held alone. Both are the
//! standard library's, which keep no state outside themselves: a forked child can rely on the ones that
//! nobody held at the fork.
//!
//! Fork: the child handler bumps `FORKS`. A slot remembers the count at its making, and a slot made before
//! the last fork is not even locked, for a thread that is not in the child may hold that lock. Plain values
//! (keys, errors) may be used on: see [`Handle::SURVIVES_FORK`].

use std::any::Any;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError, TryLockError};

use super::guard::{Failure, Outcome};

/// Ties the C name of a noun to the Rust type behind it.
pub(crate) trait Handle {
    /// What a handle of this type leads to.
    type Object: Any + Send + Sync;
    /// The number of the type inside the handle; each noun has its own, 1 to 15.
    const TAG: u8;
    /// The noun, for messages.
    const NOUN: &'static str;
    /// Whether a handle made before a fork works in the child. Only for values without threads,
    /// descriptors or locks.
    const SURVIVES_FORK: bool = false;
}

// Bits from the low end: index, generation, tag, mark. On 64-bit machines the mark makes the number
// a non-canonical address.
#[cfg(target_pointer_width = "64")]
mod layout {
    pub(super) const INDEX_BITS: u32 = 24;
    pub(super) const GENERATION_BITS: u32 = 32;
    pub(super) const MARK: u64 = 0x5;
}
#[cfg(not(target_pointer_width = "64"))]
mod layout {
    pub(super) const INDEX_BITS: u32 = 14;
    pub(super) const GENERATION_BITS: u32 = 12;
    pub(super) const MARK: u64 = 0x3;
}
use layout::{GENERATION_BITS, INDEX_BITS, MARK};

const TAG_BITS: u32 = 4;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;

const CHUNK_SLOTS: usize = 1024;
const CHUNKS: usize = (1 << INDEX_BITS) / CHUNK_SLOTS;

type AnyObject = Arc<dyn Any + Send + Sync>;

#[derive(Default)]
struct Slot {
    /// `FORKS` when the object was put in; read without the lock.
    born: AtomicU32,
    state: Mutex<SlotState>,
}

#[derive(Default)]
struct SlotState {
    generation: u32,
    object: Option<AnyObject>,
}

struct Free {
    /// Slots that may be used again, oldest first, so that a number returns as late as possible.
    indices: std::collections::VecDeque<u32>,
    /// The first slot never used.
    next: usize,
    /// `FORKS` when the list was last written.
    born: u32,
}

static TABLE: [OnceLock<Box<[Slot]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];
static FREE: Mutex<Free> = Mutex::new(Free {
    indices: std::collections::VecDeque::new(),
    next: 0,
    born: 0,
});
static FORKS: AtomicU32 = AtomicU32::new(0);
static ATFORK: Once = Once::new();

/// How many forks lie between the first process and this one.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Puts an object into the table and returns its handle; NULL when 2^24 handles live.
pub(crate) fn insert<H: Handle>(object: Arc<H::Object>) -> Outcome<*mut H> {
    watch_forks();
    let index = take_free()?;
    let Some(slot) = slot(index) else {
        return Err(Failure::internal("a free slot outside the table"));
    };
    let mut state = lock(&slot.state);
    slot.born.store(forks(), Ordering::Release);
    state.object = Some(object);
    let generation = state.generation;
    drop(state);
    Ok(pack(index, generation, H::TAG))
}

/// The object behind a handle.
pub(crate) fn get<H: Handle>(handle: *const H) -> Outcome<Arc<H::Object>> {
    let (slot, generation) = find::<H>(handle)?;
    let state = enter::<H>(slot)?;
    if state.generation != generation {
        return Err(Failure::bad_handle(H::NOUN));
    }
    let object = state.object.clone();
    drop(state);
    object
        .and_then(|object| object.downcast().ok())
        .ok_or_else(|| Failure::bad_handle(H::NOUN))
}

/// The object behind a handle that may be NULL.
pub(crate) fn get_optional<H: Handle>(handle: *const H) -> Outcome<Option<Arc<H::Object>>> {
    if handle.is_null() {
        Ok(None)
    } else {
        get(handle).map(Some)
    }
}

/// Takes the object out of the table: the handle is dead from here on.
pub(crate) fn take<H: Handle>(handle: *mut H) -> Outcome<Arc<H::Object>> {
    let (slot, generation) = find::<H>(handle)?;
    let state = enter::<H>(slot)?;
    remove::<H>(handle, state, generation)
}

/// Takes an object of the parent process out of the child's copy of the table, for `atfork`.
pub(crate) fn take_inherited<H: Handle>(handle: *mut H) -> Outcome<Arc<H::Object>> {
    let (slot, generation) = find::<H>(handle)?;
    let Some(state) = try_lock(&slot.state) else {
        return Err(Failure::forked());
    };
    remove::<H>(handle, state, generation)
}

/// Whether the handle was made before the last fork of this process.
pub(crate) fn is_inherited<H: Handle>(handle: *const H) -> Outcome<bool> {
    let (slot, _) = find::<H>(handle)?;
    Ok(slot.born.load(Ordering::Acquire) != forks())
}

fn remove<H: Handle>(
    handle: *mut H,
    mut state: MutexGuard<'_, SlotState>,
    generation: u32,
) -> Outcome<Arc<H::Object>> {
    if state.generation != generation {
        return Err(Failure::bad_handle(H::NOUN));
    }
    let Some(object) = state.object.take() else {
        return Err(Failure::bad_handle(H::NOUN));
    };
    let last = u64::from(generation) >= GENERATION_MASK;
    state.generation = if last {
        0
    } else {
        generation.saturating_add(1)
    };
    drop(state);
    // A slot whose generations are used up is retired: its number would come back otherwise.
    if !last {
        give_free(index_of(handle));
    }
    object
        .downcast()
        .map_err(|_| Failure::internal("a slot holds another type than its handle says"))
}

fn find<H: Handle>(handle: *const H) -> Outcome<(&'static Slot, u32)> {
    let bits = to_bits(handle);
    let bad = || Failure::bad_handle(H::NOUN);
    let head = bits >> (INDEX_BITS + GENERATION_BITS);
    if head != (MARK << TAG_BITS) | u64::from(H::TAG) {
        return Err(bad());
    }
    let slot = slot(index_of(handle)).ok_or_else(bad)?;
    let generation = u32::try_from((bits >> INDEX_BITS) & GENERATION_MASK).map_err(|_| bad())?;
    Ok((slot, generation))
}

/// Locks a slot, unless its object came over from a parent process.
fn enter<H: Handle>(slot: &'static Slot) -> Outcome<MutexGuard<'static, SlotState>> {
    if slot.born.load(Ordering::Acquire) == forks() {
        return Ok(lock(&slot.state));
    }
    if H::SURVIVES_FORK {
        // The lock is held for a few instructions only, and one that a thread of the parent held at
        // the fork is never released here; waiting would be in vain.
        for _ in 0..1000 {
            if let Some(state) = try_lock(&slot.state) {
                return Ok(state);
            }
            std::thread::yield_now();
        }
    }
    Err(Failure::forked())
}

fn slot(index: u32) -> Option<&'static Slot> {
    let index = usize::try_from(index).ok()?;
    TABLE
        .get(index / CHUNK_SLOTS)?
        .get()?
        .get(index % CHUNK_SLOTS)
}

fn take_free() -> Outcome<u32> {
    let mut free = lock(&FREE);
    let forks = forks();
    if free.born != forks {
        // The parent's freed slots may carry locks that no thread of this process will release.
        free.indices = std::collections::VecDeque::new();
        free.next = free.next.div_ceil(CHUNK_SLOTS).saturating_mul(CHUNK_SLOTS);
        free.born = forks;
    }
    // Up to this many freed slots rest before one is used again.
    if free.indices.len() > 64 || free.next >= CHUNKS * CHUNK_SLOTS {
        if let Some(index) = free.indices.pop_front() {
            return Ok(index);
        }
    }
    let index = free.next;
    let chunk = TABLE.get(index / CHUNK_SLOTS).ok_or_else(|| {
        Failure::from(crate::error::Error::Resource("too many handles are alive"))
    })?;
    chunk.get_or_init(|| (0..CHUNK_SLOTS).map(|_| Slot::default()).collect());
    free.next = index.saturating_add(1);
    u32::try_from(index).map_err(|_| Failure::internal("slot index"))
}

fn give_free(index: u32) {
    let mut free = lock(&FREE);
    if free.born == forks() {
        free.indices.push_back(index);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn index_of<H>(handle: *const H) -> u32 {
    u32::try_from(to_bits(handle) & INDEX_MASK).unwrap_or(u32::MAX)
}

fn pack<H>(index: u32, generation: u32, tag: u8) -> *mut H {
    let head = (MARK << TAG_BITS) | (u64::from(tag) & TAG_MASK);
    let bits =
        (((head << GENERATION_BITS) | u64::from(generation)) << INDEX_BITS) | u64::from(index);
    std::ptr::without_provenance_mut(usize::try_from(bits).unwrap_or(0))
}

fn to_bits<H>(handle: *const H) -> u64 {
    u64::try_from(handle.addr()).unwrap_or(0)
}

// --- fork ---------------------------------------------------------------------------------------

thread_local! {
    // The free list's lock, held across fork() so that the child gets it in a known state.
    static HELD: std::cell::RefCell<Option<MutexGuard<'static, Free>>> =
        const { std::cell::RefCell::new(None) };
}

extern "C" fn before_fork() {
    let guard = lock(&FREE);
    let _ = HELD.try_with(|held| {
        if let Ok(mut held) = held.try_borrow_mut() {
            *held = Some(guard);
        } else {
            mem::drop(guard);
        }
    });
}

extern "C" fn after_fork_in_parent() {
    release();
}

extern "C" fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    release();
}

fn release() {
    let _ = HELD.try_with(|held| {
        if let Ok(mut held) = held.try_borrow_mut() {
            held.take();
        }
    });
}

fn watch_forks() {
    ATFORK.call_once(|| {
        // SAFETY: the three functions are extern "C", take nothing and do not unwind. The library is
        // linked with -z nodelete, so that they stay where they are.
        unsafe {
            libc::pthread_atfork(
                Some(before_fork),
                Some(after_fork_in_parent),
                Some(after_fork_in_child),
            );
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::status::SSH_ERR_BAD_HANDLE;

    struct Apple;
    impl Handle for Apple {
        type Object = u64;
        const TAG: u8 = 14;
        const NOUN: &'static str = "apple";
    }
    struct Pear;
    impl Handle for Pear {
        type Object = String;
        const TAG: u8 = 15;
        const NOUN: &'static str = "pear";
    }

    fn bad<T>(outcome: Outcome<T>) -> bool {
        matches!(outcome, Err(failure) if failure.status == SSH_ERR_BAD_HANDLE)
    }

    #[test]
    fn lives_and_dies() {
        let handle = insert::<Apple>(Arc::new(7)).unwrap();
        assert_eq!(*get(handle).unwrap(), 7);
        assert_eq!(*take(handle).unwrap(), 7);
        assert!(bad(get(handle)));
        assert!(bad(take(handle)));
        assert!(bad(get::<Apple>(std::ptr::null())));
        assert!(get_optional::<Apple>(std::ptr::null()).unwrap().is_none());
    }

    #[test]
    fn wrong_type_and_garbage_are_refused() {
        let handle = insert::<Apple>(Arc::new(7)).unwrap();
        assert!(bad(get::<Pear>(handle.cast())));
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..100_000 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            let made_up: *mut Pear =
                std::ptr::without_provenance_mut(usize::try_from(bits).unwrap());
            assert!(bad(get(made_up)));
        }
        // The right type and index with another generation.
        let other: *mut Apple = handle.map_addr(|addr| addr ^ (1 << (INDEX_BITS + 3)));
        assert!(bad(get(other)));
        take(handle).unwrap();
    }

    #[test]
    fn recycled_slots_are_never_the_old_handle() {
        let mut old = Vec::new();
        for value in 0..3000_u64 {
            let handle = insert::<Apple>(Arc::new(value)).unwrap();
            take(handle).unwrap();
            old.push(handle);
        }
        let live: Vec<_> = (0..500_u64)
            .map(|value| insert::<Apple>(Arc::new(value)).unwrap())
            .collect();
        assert!(old.iter().all(|handle| bad(get(*handle))));
        for handle in live {
            take(handle).unwrap();
        }
    }

    #[test]
    fn one_of_many_threads_takes_it() {
        for _ in 0..200 {
            let handle = insert::<Apple>(Arc::new(1)).unwrap().addr();
            let taken: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(move || {
                            let handle = std::ptr::without_provenance_mut::<Apple>(handle);
                            let _ = get(handle);
                            usize::from(take(handle).is_ok())
                        })
                    })
                    .collect();
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert_eq!(taken, 1);
        }
    }
}
