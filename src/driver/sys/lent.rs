//! A buffer that a blocked reader lends to the I/O thread, so that data are copied once.

use crate::driver::sync::MutexGuard;
use std::ptr::NonNull;

/// Where a blocked reader's buffer is put. Part of a state behind a mutex: the buffer is written to and
/// taken back only with that mutex held.
#[derive(Default)]
pub struct LentSlot {
    buffer: Option<Lent>,
}

struct Lent {
    at: NonNull<u8>,
    len: usize,
    filled: usize,
}

// SAFETY: the pointer is used only through `LentSlot::fill`, under the mutex that guards the slot, and only
// while the lender is inside `lend`, which keeps the buffer borrowed.
unsafe impl Send for Lent {}

impl LentSlot {
    /// Whether a reader has lent a buffer.
    pub fn is_lent(&self) -> bool {
        self.buffer.is_some()
    }

    /// Copies as much of `data` as fits into the lent buffer and says how much that was; 0 if none is lent.
    pub fn fill(&mut self, data: &[u8]) -> usize {
        let Some(lent) = &mut self.buffer else {
            return 0;
        };
        let count = data.len().min(lent.len.saturating_sub(lent.filled));
        // SAFETY: `at..at+len` is the buffer that `lend` holds borrowed mutably until the slot is emptied;
        // `filled + count <= len`; `data` cannot overlap it, for it is exclusively borrowed.
        unsafe {
            std::ptr::copy_nonoverlapping(data.as_ptr(), lent.at.as_ptr().add(lent.filled), count);
        }
        lent.filled += count;
        count
    }
}

/// Lends `buffer` to whoever holds the mutex, while `wait` waits (releasing the mutex); returns how much was
/// filled. `slot` must find the same slot each time; while another reader has lent that one, nothing is lent and
/// the result is 0.
pub fn lend<T>(
    guard: &mut MutexGuard<'_, T>,
    buffer: &mut [u8],
    slot: impl Fn(&mut T) -> Option<&mut LentSlot>,
    wait: impl FnOnce(&mut MutexGuard<'_, T>),
) -> usize {
    let Some(place) = slot(guard) else { return 0 };
    if place.is_lent() {
        // Another reader was faster: wait for what it leaves.
        wait(guard);
        return 0;
    }
    place.buffer = Some(Lent {
        at: NonNull::from(&mut *buffer).cast(),
        len: buffer.len(),
        filled: 0,
    });
    // `wait` is a condition variable of `driver::sync`, which does not unwind; were it to, the process
    // must not go on with a dangling buffer in the slot.
    let bomb = AbortOnUnwind;
    wait(guard);
    std::mem::forget(bomb);
    slot(guard)
        .and_then(|place| place.buffer.take())
        .map_or(0, |lent| lent.filled)
}

struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sync::Mutex;

    #[test]
    fn a_lent_buffer_is_filled_up_to_its_length() {
        let state = Mutex::new(LentSlot::default());
        let mut buffer = [0; 4];
        let mut guard = state.lock();
        let filled = lend(
            &mut guard,
            &mut buffer,
            |slot| Some(slot),
            |slot| {
                assert_eq!(slot.fill(b"abc"), 3);
                assert_eq!(slot.fill(b"de"), 1);
                assert_eq!(slot.fill(b"f"), 0);
            },
        );
        assert!(!guard.is_lent());
        assert_eq!(filled, 4);
        assert_eq!(&buffer, b"abcd");
    }

    #[test]
    fn a_second_reader_waits_too() {
        let state = Mutex::new(LentSlot::default());
        let (mut first, mut second) = ([0; 4], [0; 4]);
        let mut waited = false;
        let mut guard = state.lock();
        lend(
            &mut guard,
            &mut first,
            |slot| Some(slot),
            |guard| {
                let filled = lend(guard, &mut second, |slot| Some(slot), |_| waited = true);
                assert_eq!(filled, 0);
            },
        );
        assert!(waited);
    }
}
