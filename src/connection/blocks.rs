//! Blocks of memory for queues, a few of which are kept for the next queue that fills.
//!
//! Queues of a busy connection fill and empty all the time. An allocator gives memory at the end of its heap back to the
//! kernel each time, and each page of it that is wanted again costs a fault: a third of the CPU time of a client that
//! receives over sixteen channels (`docs/internals/profiles.md`).

use std::sync::Mutex;

/// Size of a block. Below the allocator's threshold for mapped memory.
pub(super) const BLOCK_BYTES: usize = 64 * 1024;
/// Most blocks that are kept, for all connections of the process together. They are not wiped, no more than what is freed.
const MAX_SPARE: usize = 64;

/// Nobody waits for it: who does not get it asks the allocator. So it may be held for ever, as it may be in a child after
/// `fork`.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// An empty block.
pub(super) fn take() -> Vec<u8> {
    let spare = SPARE.try_lock().ok().and_then(|mut spare| spare.pop());
    spare.unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES))
}

/// Keeps what was a block, or frees it.
pub(super) fn give_back(mut block: Vec<u8>) {
    if block.capacity() < BLOCK_BYTES {
        return;
    }
    block.clear();
    if let Ok(mut spare) = SPARE.try_lock() {
        if spare.len() < MAX_SPARE {
            spare.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_bound_are_kept_and_they_are_empty() {
        let taken: Vec<Vec<u8>> = (0..2 * MAX_SPARE).map(|_| take()).collect();
        for mut block in taken {
            block.extend_from_slice(b"data");
            give_back(block);
        }
        give_back(Vec::with_capacity(BLOCK_BYTES / 2));
        assert!(SPARE.lock().expect("lock").len() <= MAX_SPARE);
        let again = take();
        assert_eq!((again.len(), again.capacity()), (0, BLOCK_BYTES));
    }
}
