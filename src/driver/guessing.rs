//! What a client guesses of a server (RFC 4253 §7): that it prefers what it has preferred before.
//!
//! A client that knows nothing of the server waits for its line, and for its KEXINIT, before it can begin the method: a round
//! trip. One that has been connected to it says all that at once, if both sides preferred the same then. Where that has changed,
//! the server passes over one message, and nothing is lost but that. So nothing is decided by what is remembered here, neither
//! algorithms nor host keys.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use super::stream::Stream;
use crate::transport::TransportConfig;

/// How many servers are remembered, one for each value of a byte. One more takes the place of another.
const PLACES: usize = 256;

/// Servers that prefer what a client of this process does. No lock, so that a forked child has none that is held for ever.
pub(super) struct Guessable([AtomicU64; PLACES]);

/// Those of this process.
pub(super) static GUESSABLE: Guessable = Guessable::new();

/// A server, by the way that leads there, and the method and host key algorithm that the client prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guess(NonZeroU64);

impl Guess {
    /// What would be guessed of the server at the other end.
    pub(super) fn about(stream: &Stream, config: &TransportConfig) -> Option<Self> {
        Some(Guess::new(&stream.destination()?, config.favourites()?))
    }

    fn new(destination: &str, favourites: (&str, &str)) -> Self {
        let mut hasher = DefaultHasher::new();
        (destination, favourites).hash(&mut hasher);
        Guess(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
    }
}

impl Guessable {
    const fn new() -> Self {
        Guessable([const { AtomicU64::new(0) }; PLACES])
    }

    fn place(&self, guess: Guess) -> Option<&AtomicU64> {
        let [first, ..] = guess.0.get().to_ne_bytes();
        self.0.get(usize::from(first))
    }

    /// Whether it was right when it was looked at last.
    pub(super) fn contains(&self, guess: Guess) -> bool {
        let held = self.place(guess).map(|place| place.load(Ordering::Relaxed));
        held == Some(guess.0.get())
    }

    /// It is right, or was, had it been made.
    pub(super) fn insert(&self, guess: Guess) {
        if let Some(place) = self.place(guess) {
            place.store(guess.0.get(), Ordering::Relaxed);
        }
    }

    /// It is wrong, or the connection for which it was made has come to nothing.
    pub(super) fn remove(&self, guess: Guess) {
        if let Some(place) = self.place(guess) {
            let held = guess.0.get();
            // Another one may have its place.
            let _ = place.compare_exchange(held, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_right_is_guessed_until_it_is_wrong() {
        let guessable = Guessable::new();
        let guess = |destination| Guess::new(destination, ("curve25519-sha256", "ssh-ed25519"));
        let (one, other) = (guess("::1 port 22"), guess("::1 port 2222"));
        assert!(!guessable.contains(one));
        guessable.insert(one);
        assert!(guessable.contains(one) && !guessable.contains(other));
        guessable.remove(other);
        assert!(guessable.contains(one));
        guessable.remove(one);
        assert!(!guessable.contains(one));
    }

    #[test]
    fn other_preferences_are_another_guess() {
        let guess = |favourites| Guess::new("::1 port 22", favourites);
        let one = guess(("curve25519-sha256", "ssh-ed25519"));
        assert_eq!(one, guess(("curve25519-sha256", "ssh-ed25519")));
        assert_ne!(one, guess(("curve25519-sha256", "rsa-sha2-512")));
        assert_ne!(one, guess(("mlkem768x25519-sha256", "ssh-ed25519")));
    }

    #[test]
    fn many_servers_take_the_places_of_others() {
        let guessable = Guessable::new();
        let guesses =
            (0..10 * PLACES).map(|port| Guess::new(&format!("::1 port {port}"), ("", "")));
        let guesses: Vec<Guess> = guesses.collect();
        for guess in &guesses {
            guessable.insert(*guess);
            assert!(guessable.contains(*guess));
        }
        let kept = guesses.iter().filter(|guess| guessable.contains(**guess));
        assert!((1..=PLACES).contains(&kept.count()));
    }
}
