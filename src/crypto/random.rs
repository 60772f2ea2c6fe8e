//! Randomness, which comes into the protocol as an argument so that tests can repeat a run.

/// A source of random bytes fit for keys.
pub trait Random: Send {
    /// Fills `out` whole.
    fn fill(&mut self, out: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;
