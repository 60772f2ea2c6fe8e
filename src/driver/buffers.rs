//! Buffers that are used again.
//!
//! An allocator gives memory at the end of its heap back to the kernel, and each page of it that is wanted again costs a
//! fault: of blocks of queues, which fill and empty all the time, a third of the CPU time of a client that receives over
//! sixteen channels (`docs/internals/profiles.md`).

use super::sync::Mutex;

/// Spare buffers of one kind. The last one given back is taken first, for it may still be in the cache. They are not wiped.
pub(crate) struct Buffers {
    spare: Mutex<Vec<Vec<u8>>>,
    most: usize,
}

impl Buffers {
    /// None yet, and never more than `most`.
    pub(crate) fn with_at_most(most: usize) -> Self {
        Buffers {
            spare: Mutex::default(),
            most,
        }
    }

    /// A buffer of any length, with anything in it.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.spare.lock().pop().unwrap_or_default()
    }

    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let mut spare = self.spare.lock();
        if spare.len() < self.most {
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_bound_are_kept_and_the_last_comes_first() {
        let buffers = Buffers::with_at_most(2);
        for size in 1..=3 {
            buffers.give(vec![0; size]);
        }
        let sizes: Vec<_> = (0..3).map(|_| buffers.take().len()).collect();
        assert_eq!(sizes, [2, 1, 0]);
    }
}
