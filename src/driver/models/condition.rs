//! Where callers wait: asleep, or at the socket, for changes that others make.

use std::sync::Arc;
use std::time::Duration;

use super::check::Model;
use crate::driver::attendance::Condition;
use crate::driver::event::Event;
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
