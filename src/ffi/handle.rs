//! Checked handles: what C sees as a pointer is a number that names a slot of a process-wide table.
//!
//! A handle is never an address. It holds the index of its slot, the generation the slot had when the
//! handle was made, and the type, with the top bits set so that it can be no valid address on 64-bit
//! machines. NULL, freed, foreign and made-up handles are therefore found out before anything is touched.
//!
//! A call pins the slot while it uses the object: one atomic addition at the start, one subtraction at the end,
//! both on the word that also holds generation and state. Freeing a handle marks the slot dead, which stops
//! new calls; the last call to end gives up the table's share of the object and bumps the generation.
//!
//! ```text
//! word:   generation (32 bits) | EMPTY | DEAD | pins (30 bits)
//! EMPTY --insert--> live --take--> DEAD --last pin gone--> EMPTY, next generation
//! ```
//!
//! The only lock is that of the list of free slots, `FREE`. It keeps no state outside itself, and it is held across
//! fork(), so that a child finds it open.
//!
//! Fork: the child handler bumps `FORKS`. A slot remembers the count at its making, and one made before the last
//! fork leads nowhere, except to plain values (keys, errors): see [`Handle::SURVIVES_FORK`].

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Arc, Once};

use once_cell::race::OnceBox;

use crate::driver::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::driver::sync::{Mutex, MutexGuard};
use crate::error::Error;

use super::guard::{Failure, Outcome};

/// Ties the C name of a noun to the Rust type behind it.
pub(crate) trait Handle {
    /// What a handle of this type leads to.
    type Object: Send + Sync + 'static;
    /// The number of the type inside the handle; each noun has its own, 1 to 31.
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
    pub(super) const GENERATION_BITS: u32 = 11;
    pub(super) const MARK: u64 = 0x3;
}
use layout::{GENERATION_BITS, INDEX_BITS, MARK};

const TAG_BITS: u32 = 5;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;

const CHUNK_SLOTS: usize = 1024;
const CHUNKS: usize = (1 << INDEX_BITS) / CHUNK_SLOTS;

const EMPTY: u64 = 1 << 31;
const DEAD: u64 = 1 << 30;
const PINS: u64 = DEAD - 1;
const GENERATION_SHIFT: u32 = 32;

struct Slot {
    /// `FORKS` when the object was put in.
    born: AtomicU32,
    word: AtomicU64,
    /// Written only while the slot is EMPTY and off the free list, read only while it is pinned.
    share: UnsafeCell<Option<Share>>,
}

// SAFETY: `share` is written by the one thread that took the slot off the free list or turned it from DEAD to
// EMPTY, and read by threads that pinned it while it was live; `word` orders the two. What the share leads to is
// Send and Sync by the bound on `Handle::Object`.
unsafe impl Sync for Slot {}
// SAFETY: as above.
unsafe impl Send for Slot {}

/// The table's share of an object: an `Arc` whose type is known by the tag.
struct Share {
    object: NonNull<()>,
    tag: u8,
    release: unsafe fn(NonNull<()>),
}

impl Drop for Share {
    fn drop(&mut self) {
        // SAFETY: `object` came from `Arc::into_raw` of the type that `release` was made for, once.
        unsafe { (self.release)(self.object) }
    }
}

unsafe fn give_up<T>(object: NonNull<()>) {
    // SAFETY: the caller passes what `Arc::<T>::into_raw` gave, once.
    drop(unsafe { Arc::from_raw(object.cast::<T>().as_ptr()) });
}

impl Slot {
    fn new() -> Self {
        Slot {
            born: AtomicU32::new(0),
            word: AtomicU64::new(EMPTY),
            share: UnsafeCell::new(None),
        }
    }
}

struct Free {
    /// Slots that may be used again, oldest first, so that a number returns as late as possible.
    indices: VecDeque<u32>,
    /// The first slot never used.
    next: usize,
    /// Slots in use that were taken since the last fork.
    used: usize,
    /// `FORKS` when the list was last written.
    born: u32,
}

/// Null pointers at first, so that it takes no room in the library.
static TABLE: [OnceBox<[Slot; CHUNK_SLOTS]>; CHUNKS] = [const { OnceBox::new() }; CHUNKS];
static FREE: Mutex<Free> = Mutex::new(Free {
    indices: VecDeque::new(),
    next: 0,
    used: 0,
    born: 0,
});
static FORKS: AtomicU32 = AtomicU32::new(0);
static ATFORK: Once = Once::new();

/// How many forks lie between the first process and this one.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Puts an object into the table and returns its handle; fails when 2^24 handles live.
pub(crate) fn insert<H: Handle>(object: Arc<H::Object>) -> Outcome<*mut H> {
    watch_forks();
    let index = take_free()?;
    let Some(slot) = slot(index) else {
        return Err(Failure::internal("a free slot outside the table"));
    };
    let object = NonNull::new(Arc::into_raw(object).cast_mut().cast::<()>())
        .ok_or_else(|| Failure::internal("an object without an address"))?;
    let share = Share {
        object,
        tag: H::TAG,
        release: give_up::<H::Object>,
    };
    // SAFETY: the slot is EMPTY and was taken off the free list by us: nobody reads or writes it.
    unsafe { *slot.share.get() = Some(share) };
    slot.born.store(forks(), Ordering::Relaxed);
    // Turns EMPTY off and leaves pins of calls with old handles as they are. Releases what was written above.
    let before = slot.word.fetch_xor(EMPTY, Ordering::AcqRel);
    Ok(pack(index, generation_of(before), H::TAG))
}

/// An object in use by a call; it stays until the call ends, whatever happens to the handle.
pub(crate) struct Pinned<H: Handle> {
    pin: Pin,
    object: NonNull<H::Object>,
    _handle: PhantomData<H>,
}

impl<H: Handle> Deref for Pinned<H> {
    type Target = H::Object;

    fn deref(&self) -> &H::Object {
        // SAFETY: the table's share of the object is given up only when nothing pins the slot.
        unsafe { self.object.as_ref() }
    }
}

impl<H: Handle> Pinned<H> {
    /// A share of the object that outlives the call.
    pub(crate) fn share(&self) -> Arc<H::Object> {
        let object = self.object.as_ptr().cast_const();
        // SAFETY: the pointer came from `Arc::into_raw`, and the table's share is alive while we pin it.
        unsafe {
            Arc::increment_strong_count(object);
            Arc::from_raw(object)
        }
    }
}

/// One pin on a slot.
struct Pin {
    slot: &'static Slot,
    index: u32,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let before = self.slot.word.fetch_sub(1, Ordering::AcqRel);
        if before & DEAD != 0 && before & PINS == 1 {
            reclaim(self.slot, self.index, before - 1);
        }
    }
}

/// Empties a dead slot, unless somebody has pinned it meanwhile: then that one's end will do it.
fn reclaim(slot: &'static Slot, index: u32, dead: u64) {
    let generation = generation_of(dead);
    let last = u64::from(generation) >= GENERATION_MASK;
    let next = if last { 0 } else { u64::from(generation) + 1 };
    let empty = (next << GENERATION_SHIFT) | EMPTY;
    if slot
        .word
        .compare_exchange(dead, empty, Ordering::AcqRel, Ordering::Relaxed)
        .is_err()
    {
        return;
    }
    // SAFETY: we turned the slot from DEAD without pins to EMPTY, and it is not on the free list yet: nobody
    // else reads or writes it.
    let share = unsafe { (*slot.share.get()).take() };
    give_free(slot, index, last);
    // May call the program's destroy functions: last, with nothing held.
    drop(share);
}

/// The object behind a handle.
pub(crate) fn get<H: Handle>(handle: *const H) -> Outcome<Pinned<H>> {
    let (slot, generation) = find::<H>(handle)?;
    if !H::SURVIVES_FORK && is_foreign(slot) {
        return Err(Failure::forked());
    }
    pin(handle, slot, generation)
}

/// The object behind a handle that may be NULL.
pub(crate) fn get_optional<H: Handle>(handle: *const H) -> Outcome<Option<Pinned<H>>> {
    if handle.is_null() {
        Ok(None)
    } else {
        get(handle).map(Some)
    }
}

/// A handle as a number, by which the driver may name what it belongs to.
pub(crate) fn number<H: Handle>(handle: *const H) -> u64 {
    to_bits(handle)
}

/// The handle with this number, if it is one now.
pub(crate) fn numbered<H: Handle>(number: u64) -> Option<*mut H> {
    let handle: *mut H = std::ptr::without_provenance_mut(usize::try_from(number).ok()?);
    get(handle.cast_const()).is_ok().then_some(handle)
}

/// Ends a handle and returns a share of its object.
pub(crate) fn take<H: Handle>(handle: *mut H) -> Outcome<Arc<H::Object>> {
    end(get(handle)?)
}

/// Ends a handle that came over from a parent process, for `atfork`.
pub(crate) fn take_inherited<H: Handle>(handle: *mut H) -> Outcome<Arc<H::Object>> {
    let (slot, generation) = find::<H>(handle)?;
    end(pin(handle, slot, generation)?)
}

/// Whether the handle was made before the last fork of this process.
pub(crate) fn is_inherited<H: Handle>(handle: *const H) -> Outcome<bool> {
    let (slot, _) = find::<H>(handle)?;
    Ok(is_foreign(slot))
}

fn end<H: Handle>(pinned: Pinned<H>) -> Outcome<Arc<H::Object>> {
    let object = pinned.share();
    let before = pinned.pin.slot.word.fetch_or(DEAD, Ordering::AcqRel);
    if before & DEAD != 0 {
        // Another thread was faster.
        return Err(Failure::bad_handle(H::NOUN));
    }
    Ok(object)
}

fn pin<H: Handle>(handle: *const H, slot: &'static Slot, generation: u32) -> Outcome<Pinned<H>> {
    let before = slot.word.fetch_add(1, Ordering::AcqRel);
    let pin = Pin {
        slot,
        index: index_of(handle),
    };
    if before & (EMPTY | DEAD) != 0 || generation_of(before) != generation {
        return Err(Failure::bad_handle(H::NOUN));
    }
    // SAFETY: the slot was live when we pinned it, so nobody writes the share until the pin is gone.
    match unsafe { &*slot.share.get() } {
        Some(share) if share.tag == H::TAG => Ok(Pinned {
            pin,
            object: share.object.cast(),
            _handle: PhantomData,
        }),
        // The handle's own tag was right, so this one was made up.
        _ => Err(Failure::bad_handle(H::NOUN)),
    }
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

fn is_foreign(slot: &Slot) -> bool {
    slot.born.load(Ordering::Relaxed) != forks()
}

fn generation_of(word: u64) -> u32 {
    u32::try_from(word >> GENERATION_SHIFT).unwrap_or(0)
}

fn slot(index: u32) -> Option<&'static Slot> {
    let index = usize::try_from(index).ok()?;
    TABLE
        .get(index / CHUNK_SLOTS)?
        .get()?
        .get(index % CHUNK_SLOTS)
}

fn take_free() -> Outcome<u32> {
    let mut free = FREE.lock();
    let forks = forks();
    if free.born != forks {
        // The parent's freed slots may carry pins of threads that this process does not have.
        free.indices = VecDeque::new();
        free.next = free.next.div_ceil(CHUNK_SLOTS).saturating_mul(CHUNK_SLOTS);
        free.used = 0;
        free.born = forks;
    }
    // Up to this many freed slots rest before one is used again.
    if free.indices.len() > 64 || free.next >= CHUNKS * CHUNK_SLOTS {
        if let Some(index) = free.indices.pop_front() {
            free.used = free.used.saturating_add(1);
            return Ok(index);
        }
    }
    let index = free.next;
    let chunk = TABLE
        .get(index / CHUNK_SLOTS)
        .ok_or_else(|| Failure::from(Error::Resource("too many handles are alive")))?;
    chunk.get_or_try_init(|| {
        let slots: Box<[Slot]> = (0..CHUNK_SLOTS).map(|_| Slot::new()).collect();
        slots
            .try_into()
            .map_err(|_| Failure::internal("slots of a chunk"))
    })?;
    free.next = index.saturating_add(1);
    free.used = free.used.saturating_add(1);
    u32::try_from(index).map_err(|_| Failure::internal("slot index"))
}

/// Counts an empty slot as unused, and lets it be used again unless its generations are used up: its numbers would come
/// back otherwise.
fn give_free(slot: &Slot, index: u32, last: bool) {
    let mut free = FREE.lock();
    if free.born != forks() {
        return;
    }
    if !is_foreign(slot) {
        free.used = free.used.saturating_sub(1);
    }
    if !last {
        free.indices.push_back(index);
    }
}

/// How many handles there are of this process's own making.
pub(crate) fn count() -> usize {
    let free = FREE.lock();
    if free.born == forks() {
        free.used
    } else {
        0
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
    let guard = FREE.lock();
    let _ = HELD.try_with(|held| {
        if let Ok(mut held) = held.try_borrow_mut() {
            *held = Some(guard);
        } else {
            drop(guard);
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

#[cfg(all(test, model))]
mod models;

#[cfg(all(test, not(model)))]
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
