//! Randomness, which comes into the protocol as an argument so that tests can repeat a run.

use std::convert::Infallible;

use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20::ChaCha20Legacy;
use rand_core::{TryCryptoRng, TryRng};

/// A source of random bytes fit for keys.
pub trait Random: Send {
    /// Fills `out` whole.
    fn fill(&mut self, out: &mut [u8]);
}

/// The operating system's generator.
///
/// Where the system has no bytes to give, the call tries again until it has: it never returns bytes
/// that are not random, and never ends the process. On the systems that are served this happens only
/// before the kernel's pool is ready for the first time after boot, when the system call itself waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        while getrandom::fill(out).is_err() {
            std::hint::spin_loop();
        }
    }
}

/// A generator that gives the same bytes for the same seed. For tests and fuzzing only: whoever knows
/// the seed knows every key made with it.
pub struct SeededRandom {
    stream: ChaCha20Legacy,
}

impl SeededRandom {
    /// The generator for one seed.
    pub fn new(seed: u64) -> Self {
        let mut key = [0u8; 32];
        for (to, from) in key.iter_mut().zip(seed.to_le_bytes()) {
            *to = from;
        }
        SeededRandom {
            stream: ChaCha20Legacy::new(&key.into(), &[0u8; 8].into()),
        }
    }
}

impl Random for SeededRandom {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(0);
        // The stream ends after 2^70 bytes, which no test reaches; after it the bytes would be zero.
        let _ = self.stream.try_apply_keystream(out);
    }
}

/// Lends a [`Random`] to the crates that ask for the traits of `rand_core`.
pub(crate) struct AsRng<'a>(pub(crate) &'a mut dyn Random);

impl TryRng for AsRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for AsRng<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_bytes_differ() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        SystemRandom.fill(&mut a);
        SystemRandom.fill(&mut b);
        assert_ne!(a, b);
        assert_ne!(a, [0; 32]);
        SystemRandom.fill(&mut []);
    }

    #[test]
    fn seeded_bytes_repeat() {
        let run = |seed| {
            let mut random = SeededRandom::new(seed);
            let (mut a, mut b) = ([0; 5], [0; 300]);
            random.fill(&mut a);
            random.fill(&mut b);
            (a, b)
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
