//! What a client guesses of a server (RFC 4253 §7): that it prefers what it has preferred before.
//!
//! A client that knows nothing of the server waits for its line, and for its KEXINIT, before it can begin the method: a round
//! trip. One that has been connected to it says all that at once, if both sides preferred the same then. Where that has changed,
//! the server passes over one message, and it is not guessed again. Nothing is decided by what is remembered here, neither
//! algorithms nor host keys.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use super::stream::Stream;
use crate::transport::TransportConfig;

/// How many servers are remembered: so many for each value of what a number is sorted by.
const PLACES: usize = 64;
const WAYS: usize = 4;

/// Servers that prefer what a client of this process does, and those of which that was guessed in vain. No lock, so that a forked
/// child has none that is held for ever.
pub(super) struct Guessable([[AtomicU64; WAYS]; PLACES]);

/// Those of this process.
pub(super) static GUESSABLE: Guessable = Guessable::new();

/// A server, by the way that leads there, and the method and host key algorithm that the client prefers. Never odd: odd is what
/// stands for one that is not to be guessed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guess(NonZeroU64);

impl Guess {
    /// What would be guessed of the server at the other end.
    pub(super) fn about(stream: &Stream, config: &TransportConfig) -> Option<Self> {
        Guess::new(&stream.destination()?, config.favourites()?)
    }

    fn new(destination: &str, favourites: (&str, &str)) -> Option<Self> {
        let mut hasher = DefaultHasher::new();
        (destination, favourites).hash(&mut hasher);
        NonZeroU64::new(hasher.finish() & !1).map(Guess)
    }

    fn right(self) -> u64 {
        self.0.get()
    }

    fn wrong(self) -> u64 {
        self.0.get() | 1
    }
}

impl Guessable {
    const fn new() -> Self {
        Guessable([const { [const { AtomicU64::new(0) }; WAYS] }; PLACES])
    }

    /// The places that it may have, and the one that it gets where all are taken by others.
    fn places(&self, guess: Guess) -> Option<(&[AtomicU64; WAYS], &AtomicU64)> {
        let [sorted, way, ..] = guess.0.get().to_be_bytes().map(usize::from);
        let ways = self.0.get(sorted % PLACES)?;
        Some((ways, ways.get(way % WAYS)?))
    }

    /// Whether it was right when it was looked at last.
    pub(super) fn contains(&self, guess: Guess) -> bool {
        self.places(guess).is_some_and(|(ways, _)| {
            let holds = |wanted| {
                ways.iter()
                    .any(|place| place.load(Ordering::Relaxed) == wanted)
            };
            holds(guess.right()) && !holds(guess.wrong())
        })
    }

    /// It is right, or would have been, had it been made. What was once wrong is not guessed again.
    pub(super) fn insert(&self, guess: Guess) {
        self.put(guess, guess.right());
    }

    /// It was made and is wrong, or the connection has come to nothing.
    pub(super) fn refuse(&self, guess: Guess) {
        self.put(guess, guess.wrong());
    }

    fn put(&self, guess: Guess, value: u64) {
        let Some((ways, last)) = self.places(guess) else {
            return;
        };
        let load = |place: &AtomicU64| place.load(Ordering::Relaxed);
        if ways.iter().any(|place| load(place) == guess.wrong()) {
            return;
        }
        let own = ways.iter().find(|place| load(place) == guess.right());
        let free = || ways.iter().find(|place| load(place) == 0);
        own.or_else(free)
            .unwrap_or(last)
            .store(value, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(destination: &str) -> Guess {
        Guess::new(destination, ("curve25519-sha256", "ssh-ed25519")).unwrap()
    }

    #[test]
    fn what_was_right_is_guessed_until_it_is_wrong() {
        let guessable = Guessable::new();
        let (one, other) = (guess("::1 port 22"), guess("::1 port 2222"));
        assert!(!guessable.contains(one));
        guessable.insert(one);
        assert!(guessable.contains(one) && !guessable.contains(other));
        guessable.refuse(other);
        assert!(guessable.contains(one));
        guessable.refuse(one);
        assert!(!guessable.contains(one));
        // Not every second time either.
        guessable.insert(one);
        assert!(!guessable.contains(one));
    }

    #[test]
    fn other_preferences_are_another_guess() {
        let guess = |favourites| Guess::new("::1 port 22", favourites).unwrap();
        let one = guess(("curve25519-sha256", "ssh-ed25519"));
        assert_eq!(one, guess(("curve25519-sha256", "ssh-ed25519")));
        assert_ne!(one, guess(("curve25519-sha256", "rsa-sha2-512")));
        assert_ne!(one, guess(("mlkem768x25519-sha256", "ssh-ed25519")));
    }

    #[test]
    fn many_servers_take_the_places_of_others() {
        let guessable = Guessable::new();
        let guesses: Vec<Guess> = (0..2560)
            .map(|port| guess(&format!("::1 port {port}")))
            .collect();
        for guess in &guesses {
            guessable.insert(*guess);
            assert!(guessable.contains(*guess));
        }
        let kept = guesses.iter().filter(|guess| guessable.contains(**guess));
        assert_eq!(kept.count(), PLACES * WAYS);
    }

    #[test]
    fn some_tens_of_servers_do_not_get_in_each_others_way() {
        let guessable = Guessable::new();
        let guesses: Vec<Guess> = (0..32)
            .map(|port| guess(&format!("192.0.2.1 port {port}")))
            .collect();
        for guess in &guesses {
            guessable.insert(*guess);
        }
        assert!(guesses.iter().all(|guess| guessable.contains(*guess)));
    }
}
