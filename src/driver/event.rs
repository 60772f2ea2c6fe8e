//! A flag that threads and poll loops can wait for: the seeds' `event`.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::{Arc, Weak};
use std::time::Instant;

use once_cell::sync::OnceCell;

use super::helm::{self, Steering};
use super::sync::atomic::{AtomicBool, Ordering};
use super::sync::{Condvar, Mutex};
use super::sys::{clock, signal::Signal};
use super::wait::{Deadline, Timeout};
use crate::error::Error;

/// A flag that stays set until it is reset. Clones are the same flag.
///
/// Its lock is a leaf: nothing else is locked while it is held.
#[derive(Clone, Default)]
pub struct Event {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    /// Made at the first question for it; readable exactly while the flag is set.
    descriptor: OnceCell<Signal>,
    /// Called each time the flag goes from clear to set.
    hook: Option<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct State {
    set: bool,
    /// Who has set the flag and was not taken since, in the order of their coming, each once.
    setters: VecDeque<Arc<Name>>,
    /// How many of them are gone.
    gone: usize,
    /// How often it was set, also where it was set before.
    sets: u64,
    /// Who waits for it somewhere else; told when the lock is free.
    visitor: Option<Event>,
    /// Whether who waits for it makes the rounds that set it.
    steering: Steering,
    /// Somebody does.
    is_steered: bool,
    /// When the last wait of a loop ended.
    left: Option<Instant>,
    /// When a caller left the helm to be back in a moment.
    left_helm: Option<Instant>,
    #[cfg(test)]
    visits: u64,
}

/// What it says of itself changes with the lock of its flag.
struct Name {
    number: u64,
    /// It is among those that were not taken.
    waits: AtomicBool,
    gone: AtomicBool,
}

impl State {
    fn add(&mut self, name: &Arc<Name>) {
        if !name.waits.swap(true, Ordering::Relaxed) {
            self.setters.push_back(Arc::clone(name));
        }
    }

    fn take(&mut self) -> Option<u64> {
        loop {
            let name = self.setters.pop_front()?;
            name.waits.store(false, Ordering::Relaxed);
            if !name.gone.load(Ordering::Relaxed) {
                return Some(name.number);
            }
            self.gone = self.gone.saturating_sub(1);
        }
    }

    /// Those that are gone go when they are the most, so that each costs little: where nobody takes, all are here.
    fn remove(&mut self, name: &Name) {
        if !name.waits.load(Ordering::Relaxed) {
            return;
        }
        name.gone.store(true, Ordering::Relaxed);
        self.gone += 1;
        if self.gone > self.setters.len() / 2 {
            let stays = |name: &Arc<Name>| !name.gone.load(Ordering::Relaxed);
            self.setters.retain(stays);
            self.gone = 0;
        }
    }
}

/// One of those that set a flag, by a name if the flag is to tell who did. Gone from the flag when dropped.
pub(crate) struct Setter {
    event: Event,
    name: Option<Arc<Name>>,
}

impl Setter {
    pub(crate) fn new(event: &Event, name: Option<u64>) -> Self {
        Setter {
            event: event.clone(),
            name: name.map(|number| {
                Arc::new(Name {
                    number,
                    waits: AtomicBool::new(false),
                    gone: AtomicBool::new(false),
                })
            }),
        }
    }

    pub(crate) fn set(&self) {
        self.event.set_by(self.name.as_ref());
    }

    pub(crate) fn is_of(&self, event: &Event) -> bool {
        self.event.is_same(event)
    }
}

impl Drop for Setter {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            self.event.inner.state.lock().remove(name);
        }
    }
}

/// A flag as long as somebody else keeps it.
pub(crate) struct WeakEvent(Weak<Inner>);

impl WeakEvent {
    pub(crate) fn get(&self) -> Option<Event> {
        self.0.upgrade().map(|inner| Event { inner })
    }
}

impl Event {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that calls `hook` each time it goes from clear to set: work can wait for it without a thread.
    /// The hook runs on the thread that sets the flag, which may hold the locks of a transport; so it only hands
    /// work on.
    pub(crate) fn with_hook(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Event {
            inner: Arc::new(Inner {
                hook: Some(Box::new(hook)),
                ..Inner::default()
            }),
        }
    }

    /// The same flag, without keeping it: what a hook keeps alive may know its event so.
    pub(crate) fn downgrade(&self) -> WeakEvent {
        WeakEvent(Arc::downgrade(&self.inner))
    }

    /// Sets the flag and wakes who waits.
    pub fn set(&self) {
        self.set_by(None);
    }

    fn set_by(&self, name: Option<&Arc<Name>>) {
        let mut state = self.inner.state.lock();
        if let Some(name) = name {
            state.add(name);
        }
        state.sets = state.sets.wrapping_add(1);
        let visitor = state.visitor.take();
        let was_set = std::mem::replace(&mut state.set, true);
        if !was_set {
            if let Some(descriptor) = self.inner.descriptor.get() {
                descriptor.raise();
            }
            self.inner.changed.notify_all();
        }
        drop(state);
        if let Some(seat) = visitor {
            seat.set();
        }
        if let Some(hook) = self.inner.hook.as_ref().filter(|_| !was_set) {
            hook();
        }
    }

    /// Clears the flag.
    pub fn reset(&self) {
        let mut state = self.inner.state.lock();
        if std::mem::take(&mut state.set) {
            if let Some(descriptor) = self.inner.descriptor.get() {
                descriptor.lower();
            }
        }
    }

    /// Whether both are the same flag.
    pub fn is_same(&self, other: &Event) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.inner.state.lock().set
    }

    /// Who has set the flag by name, one after another; each of them once, until it sets it again. The flag stays as it is.
    pub(crate) fn take_setter(&self) -> Option<u64> {
        self.inner.state.lock().take()
    }

    /// Waits until the flag is set; false when the time ran out first.
    pub fn wait(&self, timeout: Timeout) -> bool {
        let deadline = timeout.deadline();
        let mut state = self.inner.state.lock();
        while !state.set {
            if !deadline.wait(&self.inner.changed, &mut state) {
                return false;
            }
        }
        true
    }

    /// The same for the program's own loops: where the event is set again and again, who waits for it does the work that sets it.
    pub(crate) fn wait_in_loop(&self, timeout: Timeout) -> bool {
        if timeout == Timeout::NOW {
            return self.is_set();
        }
        let began = clock::now();
        let deadline = timeout.deadline();
        let steering = {
            let mut state = self.inner.state.lock();
            let away =
                |left: Option<Instant>| left.map(|left| began.saturating_duration_since(left));
            // Also through waits that found the event set, for these made no rounds.
            let longest = away(state.left).max(away(state.left_helm));
            state.steering.came_back(longest.unwrap_or_default());
            if !state.steering.is_worth_it() {
                state.left_helm = None;
            }
            // One at a time, for others could not wake two of them.
            let goes = !state.set && state.steering.is_worth_it() && !state.is_steered;
            state.is_steered |= goes;
            goes.then_some(state.steering)
        };
        if let Some(steering) = steering {
            let _going = Going(self);
            let learnt = helm::steer(self, deadline, steering);
            let mut state = self.inner.state.lock();
            state.steering = learnt.unwrap_or(state.steering);
            let comes_back = learnt.is_some() && state.steering.is_worth_it();
            state.left_helm = comes_back.then(clock::now);
            #[cfg(test)]
            {
                state.visits += u64::from(learnt.is_some());
            }
        }
        let is_set = self.sleep_in_loop(deadline);
        self.inner.state.lock().left = Some(clock::now());
        is_set
    }

    /// As [`wait`](Self::wait), and learns from it.
    fn sleep_in_loop(&self, deadline: Deadline) -> bool {
        if self.is_set() {
            return true;
        }
        let began = clock::now();
        let rest = deadline.remaining();
        let is_set = self.wait(rest.map_or(Timeout::Forever, Timeout::After));
        let after = clock::now().saturating_duration_since(began);
        let mut state = self.inner.state.lock();
        state.steering.slept(is_set.then_some(after));
        is_set
    }

    /// How often a caller was at the helm for it.
    #[cfg(test)]
    pub(super) fn visits(&self) -> u64 {
        self.inner.state.lock().visits
    }

    /// Who waits next in a loop goes to the helm.
    #[cfg(test)]
    pub(super) fn steer_next(&self) {
        let mut state = self.inner.state.lock();
        state.steering = Steering::eager();
        state.left = None;
        state.left_helm = None;
    }

    /// How often it was set, whether or not it was set already.
    pub(super) fn sets(&self) -> u64 {
        self.inner.state.lock().sets
    }

    /// Somebody waits for it at a seat, which is set with it. False when it is set.
    pub(super) fn enter(&self, seat: &Event) -> bool {
        let mut state = self.inner.state.lock();
        if !state.set {
            state.visitor = Some(seat.clone());
        }
        !state.set
    }

    pub(super) fn leave(&self) {
        self.inner.state.lock().visitor = None;
    }

    /// The descriptor, if it was asked for before.
    pub(crate) fn descriptor_made(&self) -> Option<BorrowedFd<'_>> {
        self.inner.descriptor.get().map(AsFd::as_fd)
    }

    /// A descriptor for a poll loop: readable while the flag is set. It belongs to the event; only poll it.
    pub fn descriptor(&self) -> Result<RawFd, Error> {
        let state = self.inner.state.lock();
        let made = self
            .inner
            .descriptor
            .get_or_try_init(|| Signal::new(state.set));
        made.map(Signal::number).map_err(|errno| Error::Io {
            operation: "eventfd",
            errno: errno.raw_os_error(),
        })
    }
}

/// A caller makes rounds for the event, until dropped.
struct Going<'a>(&'a Event);

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.0.inner.state.lock().is_steered = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn set_wakes_and_reset_clears() {
        let event = Event::new();
        assert!(!event.wait(Timeout::After(Duration::from_millis(1))));
        let other = event.clone();
        let thread = std::thread::spawn(move || other.wait(Timeout::Forever));
        event.set();
        assert!(thread.join().unwrap());
        event.reset();
        assert!(!event.is_set());
    }

    #[test]
    fn who_waits_at_a_seat_is_told_there() {
        let (event, seat) = (Event::new(), Event::new());
        assert!(event.enter(&seat));
        event.set();
        assert!(seat.is_set());
        seat.reset();
        assert!(!event.enter(&seat), "it is set");
        event.reset();
        assert!(event.enter(&seat));
        event.leave();
        event.set();
        assert!(!seat.is_set(), "nobody is there any more");
        assert_eq!(event.sets(), 2);
    }

    #[test]
    fn a_hook_is_called_once_for_each_setting() {
        let calls = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let event = Event::with_hook(move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        event.set();
        event.set();
        event.reset();
        event.set();
        assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 2);
    }

    #[test]
    fn setters_are_told_once_until_they_set_again() {
        let event = Event::new();
        let setters: Vec<_> = (0..3).map(|n| Setter::new(&event, Some(n))).collect();
        let taken = || std::iter::from_fn(|| event.take_setter()).collect::<Vec<_>>();
        event.set();
        Setter::new(&event, None).set();
        assert!(taken().is_empty());
        for n in [2, 0, 2, 1] {
            setters[n].set();
        }
        assert_eq!(event.take_setter(), Some(2));
        setters[2].set();
        assert_eq!(taken(), [0, 1, 2]);
        assert!(event.is_set(), "taking leaves the flag as it is");
        setters[1].set();
        event.reset();
        assert_eq!(taken(), [1], "and so does the flag leave who has set it");
    }

    #[test]
    fn a_setter_that_is_gone_is_not_told() {
        let event = Event::new();
        let mut setters: Vec<_> = (0..8).map(|n| Setter::new(&event, Some(n))).collect();
        setters.iter().for_each(Setter::set);
        assert_eq!(event.take_setter(), Some(0));
        setters.remove(2);
        setters.remove(0);
        assert_eq!(event.take_setter(), Some(1));
        assert_eq!(event.take_setter(), Some(3));
        setters.drain(1..).for_each(drop);
        assert_eq!(event.take_setter(), None);
    }

    #[test]
    fn nobody_has_to_take_them() {
        let event = Event::new();
        let waiting = || event.inner.state.lock().setters.len();
        let kept: Vec<_> = (0..10).map(|n| Setter::new(&event, Some(n))).collect();
        kept.iter().for_each(Setter::set);
        for n in 10..1000 {
            Setter::new(&event, Some(n)).set();
            assert!(waiting() <= 2 * kept.len() + 1);
        }
        drop(kept);
        assert_eq!(waiting(), 0);
    }

    #[test]
    fn the_descriptor_is_readable_while_set() {
        let event = Event::new();
        event.set();
        let fd = event.descriptor().unwrap();
        assert!(fd >= 0);
        let readable = |event: &Event| {
            let owned = event.inner.descriptor.get().unwrap();
            let mut polled = [rustix::event::PollFd::new(
                owned,
                rustix::event::PollFlags::IN,
            )];
            rustix::event::poll(&mut polled, Some(&rustix::event::Timespec::default())).unwrap()
                == 1
        };
        assert!(readable(&event));
        event.reset();
        assert!(!readable(&event));
        event.set();
        assert!(readable(&event));
    }
}
