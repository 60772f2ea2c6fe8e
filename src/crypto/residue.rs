//! What functions leave on the stack when they have returned.
//!
//! Keys are wiped where they live, and that is not all: values are moved, compilers keep registers on the stack, and
//! the ciphers of other crates wipe their state but not what they computed it in. None of that is in use any more, and
//! it stays until another function happens to need the place; it even gets onto the heap, where a value with unused
//! bytes is moved there. So whatever has had a key in hand is followed by a function that takes the same place
//! on the stack and leaves zeros there.

/// How deep the functions go that seal or open a packet. To leave zeros there takes time for each packet, a quarter of a microsecond
/// for 16 KiB, which is a tenth of what AES-GCM takes for a full one. A test looks how deep they really go; there is as much room again
/// for a signal, in whose frame the kernel saves registers below all that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// They have no key in hand.
    Nowhere,
    /// Into a library that keeps what it computes in registers and in its own state.
    Shallow,
    /// Wherever they like.
    Deep,
}

/// Without optimisation each value has a place of its own. The compiler tells of its own only whether it makes a build to debug.
const OPTIMISED: bool = !cfg!(debug_assertions);
const SHALLOW: usize = 8 << 10;
const DEEP: usize = if OPTIMISED { 16 << 10 } else { 48 << 10 };
/// How deep a hash function goes, which keeps the end of what it hashes.
const HASH: usize = if OPTIMISED { 4 << 10 } else { 16 << 10 };
/// How deep those go that make keys, sign, agree on secrets and read the files of keys. A thread that calls them has so much
/// room anyway.
const KEYS: usize = 32 << 10;

/// Runs what protects a packet.
pub(crate) fn after_packet<R>(depth: Depth, work: impl FnOnce() -> R) -> R {
    let result = apart(work);
    match depth {
        Depth::Nowhere => {}
        Depth::Shallow => scrub::<SHALLOW>(),
        Depth::Deep => scrub::<DEEP>(),
    }
    result
}

/// Runs a hash function. To wipe at the end of the key exchange that it is a part of is too late: before that, the end of what was
/// hashed, which is the shared secret, got onto the heap in values that were moved there.
pub(crate) fn after_hash<R>(work: impl FnOnce() -> R) -> R {
    let result = apart(work);
    scrub::<HASH>();
    result
}

/// Runs what has to do with keys at length.
pub(crate) fn after_keys<R>(work: impl FnOnce() -> R) -> R {
    let result = apart(work);
    scrub::<KEYS>();
    result
}

/// A frame of its own, below the caller's: inlined, the work would leave its traces in that one.
#[inline(never)]
fn apart<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// The place is the same as that of `apart`, for the caller is.
#[inline(never)]
fn scrub<const ROOM: usize>() {
    let room = [0_u8; ROOM];
    // Somebody might look at it, so it is written.
    std::hint::black_box(&room);
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    /// What the stack is painted with.
    const PAINT: u8 = 0xa5;
    /// How far down it is.
    const PAINTED: usize = 128 << 10;

    #[inline(never)]
    fn paint() {
        let room = [PAINT; PAINTED];
        std::hint::black_box(&room);
    }

    /// How many bytes are wiped. The frames between those who wipe and the cipher are not counted.
    pub(crate) fn wiped(depth: super::Depth) -> usize {
        match depth {
            super::Depth::Nowhere => 0,
            super::Depth::Shallow => super::SHALLOW - 512,
            super::Depth::Deep => super::DEEP - 512,
        }
    }

    /// The same after a hash function.
    pub(crate) fn wiped_after_hash() -> usize {
        super::HASH - 512
    }

    /// How many bytes of the stack below its caller `work` has written to, or the looking itself, which goes down a little way.
    #[inline(never)]
    pub(crate) fn depth_of<R>(work: impl FnOnce() -> R) -> (R, usize) {
        let here = [0_u8; 16];
        let top = std::ptr::from_ref(std::hint::black_box(&here)).addr();
        let memory = File::open("/proc/self/mem").unwrap();
        let mut seen = vec![0; PAINTED];
        let from = u64::try_from(top - PAINTED).unwrap();
        paint();
        let result = super::apart(work);
        memory.read_exact_at(&mut seen, from).unwrap();
        let untouched = seen.iter().position(|byte| *byte != PAINT);
        (result, PAINTED - untouched.unwrap_or(PAINTED))
    }

    #[inline(never)]
    fn write_20_kib() {
        let room = [1_u8; 20 << 10];
        std::hint::black_box(&room);
    }

    #[test]
    fn the_depth_is_that_of_what_was_written() {
        let ((), shallow) = depth_of(|| ());
        assert!(shallow < 2 << 10, "{shallow}");
        let ((), deep) = depth_of(write_20_kib);
        assert!((20 << 10..24 << 10).contains(&deep), "{deep}");
    }
}
