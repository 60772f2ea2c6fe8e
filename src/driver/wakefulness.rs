//! Whether a caller who waits for an answer stays awake for it.
//!
//! A peer nearby answers within some microseconds, and to be put to sleep and woken again takes longer than that, most of all on
//! a virtual processor that has nothing else to do. So where the last answers came at once, the next one is looked for a
//! moment before the caller sleeps, and the processor is offered to others in between. A moment in vain makes the next one
//! rarer, so that where it does not help it costs next to nothing.
//!
//! Only for answers: in a stream of data the other side is busy, and time spent awake is lost to both.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use once_cell::race::OnceNonZeroUsize;

/// How long to stay awake.
pub(super) const AWAKE: Duration = Duration::from_micros(150);
/// An answer that took no longer, sleep and waking included, would probably have come within that.
const SOON: Duration = Duration::from_micros(300);
/// How many such answers it takes at first.
const FEW: u32 = 4;
/// How many it takes after many moments in vain.
const MANY: u32 = 4096;

/// The right to stay awake. At most half of the processors are kept so by one process, whatever its peers do, and where there
/// is only one, to stay awake would be to keep a peer on the same machine from answering. A child that is forked while others
/// stay awake counts them for ever, and sleeps.
pub(super) struct Vigil(());

static VIGILS: AtomicUsize = AtomicUsize::new(0);

impl Vigil {
    pub(super) fn begin() -> Option<Self> {
        // Nobody waits for who counts them: in a forked child that thread may not exist.
        static PROCESSORS: OnceNonZeroUsize = OnceNonZeroUsize::new();
        let count = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let most = PROCESSORS.get_or_init(count).get() / 2;
        // Threads of a checker have no time to lose.
        (cfg!(not(model)) && one_more(&VIGILS, most)).then_some(Vigil(()))
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        VIGILS.fetch_sub(1, Ordering::Relaxed);
    }
}

fn one_more(count: &AtomicUsize, most: usize) -> bool {
    let more = |now: usize| (now < most).then(|| now.saturating_add(1));
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        .is_ok()
}

/// What was learnt from the last answers of one peer.
#[derive(Debug)]
pub(super) struct Wakefulness {
    /// Answers in a row that came soon.
    soon: u32,
    /// How many it takes.
    wanted: u32,
}

impl Default for Wakefulness {
    fn default() -> Self {
        Wakefulness {
            soon: 0,
            wanted: FEW,
        }
    }
}

impl Wakefulness {
    /// Whether the next answer is worth staying awake for.
    pub(super) fn is_worth_it(&self) -> bool {
        self.soon >= self.wanted
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
        if self.is_worth_it() {
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
        self.soon = if answer.is_some_and(|after| after <= SOON) {
            self.soon.saturating_add(1)
        } else {
            0
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    /// How many of so many answers were waited for awake, where each takes `asleep` for one who sleeps, and `awake` for one
    /// who does not.
    fn awake(answers: u32, asleep: Duration, awake: Duration) -> u32 {
        let mut wakefulness = Wakefulness::default();
        let mut count = 0;
        for _ in 0..answers {
            let tried = wakefulness.is_worth_it();
            count += u32::from(tried);
            let in_time = tried && awake <= AWAKE;
            wakefulness.waited(Some(if in_time { awake } else { asleep }), !in_time);
        }
        count
    }

    #[test]
    fn as_many_as_half_of_the_processors() {
        let count = AtomicUsize::new(0);
        assert!(!one_more(&count, 0));
        assert!(one_more(&count, 2) && one_more(&count, 2));
        assert!(!one_more(&count, 2));
        count.fetch_sub(1, Ordering::Relaxed);
        assert!(one_more(&count, 2));
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
                assert!(!wakefulness.is_worth_it());
                wakefulness.waited(Some(micros(20)), true);
            }
            assert!(wakefulness.is_worth_it());
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
            wakefulness.waited(Some(micros(20)), !wakefulness.is_worth_it());
            for _ in 0..100 {
                tries += u32::from(wakefulness.is_worth_it());
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
        assert!(wakefulness.is_worth_it());
        wakefulness.waited(None, false);
        assert!(wakefulness.is_worth_it());
    }

    #[test]
    fn one_slow_answer_is_forgiven() {
        let mut wakefulness = Wakefulness::default();
        for round in 0..100 {
            for _ in 0..100 {
                let awake = wakefulness.is_worth_it();
                wakefulness.waited(Some(micros(20)), !awake);
            }
            assert!(wakefulness.is_worth_it(), "round {round}");
            wakefulness.waited(Some(micros(5000)), true);
            assert!(!wakefulness.is_worth_it());
        }
    }
}
