//! Whether a caller who waits for an answer stays awake for it.
//!
//! A peer nearby answers within some microseconds, and to be put to sleep and woken again takes longer than that, most of all on
//! a virtual processor that has nothing else to do. So where the last answers came at once, the next one is looked for a
//! moment before the caller sleeps, and the processor is offered to others in between. A moment in vain makes the next one
//! rarer, so that where it does not help it costs next to nothing.
//!
//! A connection that is being made has no answers behind it. Those of the ones before stand in for them: a program that makes one
//! after the other to a peer nearby is kept by this more than by anything else, for each takes three answers and lets nothing else be
//! done meanwhile.
//!
//! Only for answers: in a stream of data the other side is busy, and time spent awake is lost to both.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use once_cell::race::OnceNonZeroUsize;

/// How long to stay awake.
pub(super) const AWAKE: Duration = Duration::from_micros(150);
/// The same while a connection is made: the peer has something to compute for each of its answers.
pub(super) const AWAKE_IN_SETUP: Duration = Duration::from_micros(300);
/// An answer that took no longer than so many times that, sleep and waking included, would probably have come within it.
const SOON: u32 = 2;
/// How many such answers it takes at first.
const FEW: u32 = 4;
/// How many it takes after many moments in vain.
const MANY: u32 = 4096;

/// The right to stay awake. At most half of the processors are kept so by one process, whatever its peers do, and where there
/// is only one, to stay awake would be to keep a peer on the same machine from answering. A child that is forked while others
/// stay awake counts them for ever, and sleeps.
pub(super) struct Vigil(&'static AtomicUsize);

static VIGILS: AtomicUsize = AtomicUsize::new(0);

impl Vigil {
    pub(super) fn begin() -> Option<Self> {
        // Nobody waits for who counts them: in a forked child that thread may not exist.
        static PROCESSORS: OnceNonZeroUsize = OnceNonZeroUsize::new();
        let count = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let most = PROCESSORS.get_or_init(count).get() / 2;
        // Threads of a checker have no time to lose.
        let may = cfg!(not(model));
        may.then(|| Self::one_of(&VIGILS, most)).flatten()
    }

    /// One more that `count` counts, if these are not all yet.
    fn one_of(count: &'static AtomicUsize, most: usize) -> Option<Self> {
        let more = |now: usize| (now < most).then(|| now.saturating_add(1));
        let begun = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        // Made only where it counts, for it is counted off again when it is dropped.
        begun.is_ok().then(|| Vigil(count))
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What was learnt from the last answers of one peer.
#[derive(Debug)]
pub(super) struct Wakefulness {
    /// How long to stay awake.
    awake: Duration,
    /// Answers in a row that came soon.
    soon: u32,
    /// How many it takes.
    wanted: u32,
}

impl Default for Wakefulness {
    fn default() -> Self {
        Wakefulness {
            awake: AWAKE,
            soon: 0,
            wanted: FEW,
        }
    }
}

impl Wakefulness {
    /// How long to stay awake for the next answer, if it is worth that.
    pub(super) fn worth(&self) -> Option<Duration> {
        (self.soon >= self.wanted).then_some(self.awake)
    }

    /// Much was sent or came at once: what is waited for next is no answer.
    pub(super) fn streams(&mut self) {
        self.soon = 0;
    }

    /// The answer took so long, or had not come when the caller left. `slept` tells whether the caller had to sleep in the end.
    pub(super) fn waited(&mut self, answer: Option<Duration>, slept: bool) {
        if answer.is_none() && !slept {
            // Somebody else called the caller away at once, which says nothing about the peer.
            return;
        }
        if self.worth().is_some() {
            self.wanted = if slept {
                self.wanted.saturating_mul(2).min(MANY)
            } else {
                (self.wanted / 2).max(FEW)
            };
            if slept {
                self.soon = 0;
                return;
            }
        }
        self.soon = if answer.is_some_and(|after| after <= self.awake.saturating_mul(SOON)) {
            self.soon.saturating_add(1)
        } else {
            0
        };
    }
}

/// What clients of this process have learnt while they made connections. Two that learn at the same time may forget what one of
/// them has: it is no more than a guess. No lock, so that a forked child has none that is held for ever.
pub(super) struct Setups(AtomicU64);

/// Those of this process.
pub(super) static SETUPS: Setups = Setups::new();

impl Setups {
    const fn new() -> Self {
        Setups(AtomicU64::new(0))
    }

    fn get(&self) -> Wakefulness {
        let [s0, s1, s2, s3, w0, w1, w2, w3] = self.0.load(Ordering::Relaxed).to_be_bytes();
        Wakefulness {
            awake: AWAKE_IN_SETUP,
            soon: u32::from_be_bytes([s0, s1, s2, s3]),
            // Nothing has been learnt at first.
            wanted: u32::from_be_bytes([w0, w1, w2, w3]).max(FEW),
        }
    }

    /// As [`Wakefulness::worth`].
    pub(super) fn worth(&self) -> Option<Duration> {
        self.get().worth()
    }

    /// As [`Wakefulness::waited`].
    pub(super) fn waited(&self, answer: Option<Duration>, slept: bool) {
        let mut learnt = self.get();
        learnt.waited(answer, slept);
        let Wakefulness { soon, wanted, .. } = learnt;
        let both = u64::from(soon) << 32 | u64::from(wanted);
        self.0.store(both, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_learn_from_those_before_them() {
        let setups = Setups::new();
        for _ in 0..FEW {
            assert!(setups.worth().is_none());
            setups.waited(Some(micros(100)), true);
        }
        assert!(setups.worth().is_some());
        // In vain: twice as many are wanted.
        setups.waited(Some(micros(2_000)), true);
        for _ in 0..2 * FEW {
            assert!(setups.worth().is_none());
            setups.waited(Some(micros(100)), true);
        }
        assert!(setups.worth().is_some());
        setups.waited(Some(micros(20)), false);
        assert!(setups.worth().is_some());
    }

    fn micros(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    /// How many of so many answers were waited for awake, where each takes `asleep` for one who sleeps, and `awake` for one
    /// who does not.
    fn awake(answers: u32, asleep: Duration, awake: Duration) -> u32 {
        let mut wakefulness = Wakefulness::default();
        let mut count = 0;
        for _ in 0..answers {
            let tried = wakefulness.worth().is_some();
            count += u32::from(tried);
            let in_time = tried && awake <= AWAKE;
            wakefulness.waited(Some(if in_time { awake } else { asleep }), !in_time);
        }
        count
    }

    #[test]
    fn as_many_as_half_of_the_processors() {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let begin = |most| Vigil::one_of(&COUNT, most);
        assert!(begin(0).is_none());
        let (one, other) = (begin(2), begin(2));
        assert!(one.is_some() && other.is_some());
        // Who is refused has not been counted, nor is counted off.
        for _ in 0..3 {
            assert!(begin(2).is_none());
            assert_eq!(COUNT.load(Ordering::Relaxed), 2);
        }
        drop(one);
        assert!(begin(2).is_some());
        drop(other);
        assert_eq!(COUNT.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn for_a_peer_that_answers_at_once() {
        assert_eq!(awake(1000, micros(100), micros(20)), 996);
    }

    #[test]
    fn not_for_a_peer_far_away() {
        assert_eq!(awake(100_000, micros(400), micros(380)), 0);
    }

    #[test]
    fn seldom_for_a_peer_that_just_misses_it() {
        let tries = awake(100_000, micros(250), micros(160));
        assert!((1..=40).contains(&tries), "{tries}");
    }

    #[test]
    fn not_in_a_stream() {
        let mut wakefulness = Wakefulness::default();
        for _ in 0..100 {
            for _ in 0..FEW {
                assert!(wakefulness.worth().is_none());
                wakefulness.waited(Some(micros(20)), true);
            }
            assert!(wakefulness.worth().is_some());
            wakefulness.waited(Some(micros(20)), false);
            wakefulness.streams();
        }
    }

    /// A program that looks for an answer again and again, for a short time each.
    #[test]
    fn seldom_for_an_answer_that_comes_many_looks_later() {
        let mut wakefulness = Wakefulness::default();
        let mut tries = 0;
        for _ in 0..1000 {
            wakefulness.waited(Some(micros(20)), wakefulness.worth().is_none());
            for _ in 0..100 {
                tries += u32::from(wakefulness.worth().is_some());
                wakefulness.waited(None, true);
            }
        }
        assert_eq!(tries, 0);
    }

    #[test]
    fn to_be_called_away_at_once_changes_nothing() {
        let mut wakefulness = Wakefulness::default();
        for _ in 0..FEW {
            wakefulness.waited(Some(micros(20)), true);
            wakefulness.waited(None, false);
        }
        assert!(wakefulness.worth().is_some());
        wakefulness.waited(None, false);
        assert!(wakefulness.worth().is_some());
    }

    #[test]
    fn one_slow_answer_is_forgiven() {
        let mut wakefulness = Wakefulness::default();
        for round in 0..100 {
            for _ in 0..100 {
                let awake = wakefulness.worth().is_some();
                wakefulness.waited(Some(micros(20)), !awake);
            }
            assert!(wakefulness.worth().is_some(), "round {round}");
            wakefulness.waited(Some(micros(5000)), true);
            assert!(wakefulness.worth().is_none());
        }
    }
}
