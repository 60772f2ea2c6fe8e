//! Where callers wait: asleep, or at the socket, for changes that others make.

use std::sync::Arc;
use std::time::Duration;

use super::check::Model;
use crate::driver::condition::Condition;
use crate::driver::event::{Event, Setter};
use crate::driver::sync::{Mutex, Rank};
use crate::driver::wait::{Deadline, Timeout};

const MODEL: Model = Model {
    schedules: 3000,
    patience: Duration::ZERO,
    io_threads: 0,
};

/// The visitor's poll is a wait for its event: nothing else happens at this socket.
#[test]
fn no_change_is_missed_asleep_or_at_the_socket() {
    MODEL.check(|| {
        let state = Mutex::ranked(0, Rank::OUTER);
        let shared = Arc::new((state, Condition::default()));
        let visiting = {
            let shared = Arc::clone(&shared);
            shuttle::thread::spawn(move || {
                let (state, condition) = &*shared;
                let seat = Event::new();
                let mut state = state.lock();
                while *state < 3 {
                    condition.enter(&seat);
                    state.unlocked(|| {
                        assert!(seat.wait(Timeout::Forever));
                        condition.leave();
                        seat.reset();
                    });
                }
            })
        };
        let sleeping = {
            let shared = Arc::clone(&shared);
            shuttle::thread::spawn(move || {
                let (state, condition) = &*shared;
                let mut state = state.lock();
                while *state < 3 {
                    assert!(Deadline(None).wait(condition.sleepers(), &mut state));
                }
            })
        };
        let changing: Vec<_> = (0..3)
            .map(|number| {
                let shared = Arc::clone(&shared);
                shuttle::thread::spawn(move || {
                    let (state, condition) = &*shared;
                    let mut state = state.lock();
                    *state += 1;
                    // With the lock held and without, as the callers do.
                    if number == 0 {
                        drop(state);
                    }
                    condition.notify_all();
                })
            })
            .collect();
        for thread in changing {
            thread.join().unwrap();
        }
        visiting.join().unwrap();
        sleeping.join().unwrap();
    });
}

#[test]
fn an_event_wakes_all_and_each_setting_is_told_once() {
    MODEL.check(|| {
        let told = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = Arc::clone(&told);
        let event = Event::with_hook(move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        });
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let event = event.clone();
                shuttle::thread::spawn(move || assert!(event.wait(Timeout::Forever)))
            })
            .collect();
        let setting: Vec<_> = (0..2)
            .map(|_| {
                let event = event.clone();
                shuttle::thread::spawn(move || event.set())
            })
            .collect();
        for thread in waiting.into_iter().chain(setting) {
            thread.join().unwrap();
        }
        assert_eq!(told.load(std::sync::atomic::Ordering::SeqCst), 1);
    });
}

/// Who is taken, and does its work before it is taken again, has seen all that it was set for.
#[test]
fn no_setter_of_an_event_is_missed() {
    MODEL.check(|| {
        let event = Event::new();
        let work: Arc<[Mutex<u32>; 2]> = Arc::new([0, 0].map(|n| Mutex::ranked(n, Rank::OUTER)));
        let setting: Vec<_> = (0..2)
            .map(|number: usize| {
                let (setter, work) = (Setter::new(&event, Some(number as u64)), Arc::clone(&work));
                shuttle::thread::spawn(move || {
                    for _ in 0..2 {
                        *work[number].lock() += 1;
                        setter.set();
                    }
                    setter
                })
            })
            .collect();
        let mut done = 0;
        while done < 4 {
            assert!(event.wait(Timeout::Forever));
            event.reset();
            while let Some(number) = event.take_setter() {
                done += std::mem::take(&mut *work[number as usize].lock());
            }
        }
        for thread in setting {
            drop(thread.join().unwrap());
        }
    });
}
