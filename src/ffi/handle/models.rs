//! Calls, frees and new handles at the same time, in orders that the checker chooses.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::{count, get, index_of, insert, pack, take, to_bits, Handle, FREE};
use super::{GENERATION_MASK, INDEX_BITS};
use crate::driver::models::check::Model;

const MODEL: Model = Model {
    schedules: 3000,
    patience: Duration::ZERO,
    io_threads: 0,
};

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

/// An object of which the model keeps a share, so that it can be looked at whatever the table does, and its handle.
struct Known {
    object: Arc<u64>,
    handle: usize,
}

impl Known {
    fn new(value: u64) -> Arc<Self> {
        let object = Arc::new(value);
        let handle = insert::<Apple>(Arc::clone(&object)).unwrap().addr();
        Arc::new(Known { object, handle })
    }

    fn handle(&self) -> *mut Apple {
        std::ptr::without_provenance_mut(self.handle)
    }

    /// What a call does: uses the object, which must be the right one and stay all the while.
    fn call(&self) -> bool {
        let Ok(pinned) = get(self.handle()) else {
            return false;
        };
        for _ in 0..2 {
            assert!(
                std::ptr::eq(&*pinned, &*self.object),
                "a handle leads to another object"
            );
            assert!(
                Arc::strong_count(&self.object) > 1,
                "the table has given up an object that a call uses"
            );
            shuttle::thread::yield_now();
        }
        true
    }

    fn free(&self) -> bool {
        match take(self.handle()) {
            Ok(share) => {
                assert!(std::ptr::eq(&*share, &*self.object));
                true
            }
            Err(_) => false,
        }
    }

    /// A handle of another type that somebody made up out of this one.
    fn made_up(&self) -> *mut Pear {
        let generation = (to_bits(self.handle()) >> INDEX_BITS) & GENERATION_MASK;
        pack(
            index_of(self.handle()),
            u32::try_from(generation).unwrap(),
            Pear::TAG,
        )
    }

    fn assert_gone(&self) {
        assert!(get(self.handle()).is_err());
        assert!(take(self.handle()).is_err());
        assert_eq!(
            Arc::strong_count(&self.object),
            1,
            "the table keeps an object without a handle"
        );
    }
}

/// Has the slot that was freed last be used next, which otherwise rests for a while.
fn wake_newest_slot() {
    FREE.lock().indices.rotate_right(1);
}

/// Enough slots that have been used, so that the next handle gets one of them.
fn use_slots() {
    while FREE.lock().indices.len() < 70 {
        let handles: Vec<_> = (0..80_u64)
            .map(|value| insert::<Apple>(Arc::new(value)).unwrap())
            .collect();
        for handle in handles {
            take(handle).unwrap();
        }
    }
}

fn assert_every_slot_is_free_once() {
    let free = FREE.lock();
    let different: HashSet<u32> = free.indices.iter().copied().collect();
    assert_eq!(different.len(), free.indices.len(), "a slot is free twice");
}

#[test]
fn one_of_those_who_free_frees_it_and_calls_end_in_peace() {
    MODEL.check(|| {
        let before = count();
        let known = Known::new(1);
        let users: Vec<_> = (0..2)
            .map(|_| {
                let known = Arc::clone(&known);
                shuttle::thread::spawn(move || {
                    let first = known.call();
                    let second = known.call();
                    assert!(first || !second, "what was freed is there again");
                })
            })
            .collect();
        let freeing: Vec<_> = (0..2)
            .map(|_| {
                let known = Arc::clone(&known);
                shuttle::thread::spawn(move || known.free())
            })
            .collect();
        let made_up = {
            let known = Arc::clone(&known);
            shuttle::thread::spawn(move || assert!(get(known.made_up()).is_err()))
        };
        let freed = freeing.into_iter().map(|thread| thread.join().unwrap());
        assert_eq!(freed.map(usize::from).sum::<usize>(), 1);
        for thread in users {
            thread.join().unwrap();
        }
        made_up.join().unwrap();
        known.assert_gone();
        assert_eq!(count(), before);
        assert_every_slot_is_free_once();
    });
}

#[test]
fn a_handle_never_leads_to_what_came_into_its_slot_later() {
    MODEL.check(|| {
        use_slots();
        let before = count();
        let known = Known::new(1);
        let stale: Vec<_> = (0..2)
            .map(|_| {
                let known = Arc::clone(&known);
                shuttle::thread::spawn(move || {
                    known.call();
                    known.call();
                    usize::from(known.free())
                })
            })
            .collect();
        let renewing = {
            let known = Arc::clone(&known);
            shuttle::thread::spawn(move || {
                let freed = known.free();
                wake_newest_slot();
                let next = Known::new(2);
                assert!(next.call(), "a new handle leads nowhere");
                (usize::from(freed), next)
            })
        };
        let freed: usize = stale.into_iter().map(|thread| thread.join().unwrap()).sum();
        let (freed_too, next) = renewing.join().unwrap();
        assert_eq!(freed + freed_too, 1);
        known.assert_gone();
        assert_ne!(known.handle, next.handle);
        assert!(next.call());
        assert_eq!(count(), before + 1);
        assert!(next.free());
        next.assert_gone();
        assert_eq!(count(), before);
        assert_every_slot_is_free_once();
    });
}

#[test]
fn handles_made_at_the_same_time_are_different() {
    MODEL.check(|| {
        use_slots();
        let making: Vec<_> = (0..3_u64)
            .map(|value| {
                shuttle::thread::spawn(move || {
                    let first = Known::new(value);
                    assert!(first.call());
                    assert!(first.free());
                    wake_newest_slot();
                    let second = Known::new(value);
                    assert!(!first.call());
                    second
                })
            })
            .collect();
        let made: Vec<_> = making
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        let different: HashSet<usize> = made.iter().map(|known| known.handle).collect();
        assert_eq!(different.len(), 3);
        for known in made {
            assert!(known.call());
            assert!(known.free());
            known.assert_gone();
        }
        assert_every_slot_is_free_once();
    });
}
