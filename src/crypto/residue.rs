//! What functions leave on the stack when they have returned.
//!
//! Keys are wiped where they live, and that is not all: values are moved, compilers keep registers on the stack, and
//! the ciphers of other crates wipe their state but not what they computed it in. None of that is in use any more, and
//! it stays until another function happens to need the place; it even gets onto the heap, where a value with unused
//! bytes is moved there. So whatever has had a key in hand is followed by a function that takes the same place
//! on the stack and leaves zeros there.

/// How deep the functions go that seal and open packets: without optimisation, AES on wide vectors needs more than the half.
/// Its time is paid for each packet, a quarter of a microsecond; a full one takes sixty times as long to seal.
const PACKET: usize = 16 << 10;
/// How deep those go that make keys, sign, agree on secrets and read the files of keys. A thread that calls them has so much
/// room anyway.
const KEYS: usize = 32 << 10;

/// Runs what protects a packet.
pub(crate) fn after_packet<R>(work: impl FnOnce() -> R) -> R {
    let result = apart(work);
    scrub::<PACKET>();
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
