//! The fuzz targets of the C ABI: random calls, with handles that are live, freed, of another type, or no handles at
//! all. What a C program does wrong must come to a status, and no call may come to `SSH_ERR_INTERNAL`.

mod packets;
mod transports;

use std::ffi::c_void;

use arbitrary::Unstructured;

pub(crate) use packets::run as packets;
pub(crate) use transports::run as transports;

use super::error::{ssh_error, ssh_error_free};
use super::status::{ssh_status, SSH_ERR_INTERNAL};

/// What a handle is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noun {
    Packetizer,
    Message,
    Transport,
    Channel,
    Event,
    Request,
}

/// All handles of one run, the freed ones too.
#[derive(Default)]
struct Handles {
    all: Vec<(Noun, *mut c_void, bool)>,
    error: *mut ssh_error,
}

impl Handles {
    /// Keeps a new handle, unless none was made.
    fn keep<T>(&mut self, noun: Noun, handle: *mut T) {
        if !handle.is_null() {
            self.all.push((noun, handle.cast(), true));
        }
    }

    /// One of the handles: of this noun nearly always, and rarely any, or none.
    fn pick<T>(&self, noun: Noun, input: &mut Unstructured<'_>) -> *mut T {
        let choice: u8 = input.arbitrary().unwrap_or_default();
        let of_noun = |entry: &&(Noun, *mut c_void, bool)| entry.0 == noun;
        let found = match choice {
            0xff => return std::ptr::null_mut(),
            0xfe => return std::ptr::without_provenance_mut(0x1234_5678),
            0xf0..=0xfd => self.all.get(usize::from(choice & 15)),
            _ => {
                let count = self.all.iter().filter(of_noun).count();
                let index = usize::from(choice) % count.max(1);
                self.all.iter().filter(of_noun).nth(index)
            }
        };
        found.map_or(std::ptr::null_mut(), |entry| entry.1.cast())
    }

    /// Takes note that a handle is freed; one that is freed twice changes nothing.
    fn freed<T>(&mut self, noun: Noun, handle: *mut T) {
        for entry in &mut self.all {
            entry.2 &= entry.0 != noun || entry.1 != handle.cast();
        }
    }

    /// Where an error goes; freed with the next.
    fn error(&mut self) -> *mut *mut ssh_error {
        // SAFETY: a handle, or NULL.
        unsafe { ssh_error_free(self.error) };
        self.error = std::ptr::null_mut();
        &raw mut self.error
    }

    /// A status that may be.
    #[track_caller]
    fn check(&self, status: ssh_status) -> ssh_status {
        assert_ne!(status, SSH_ERR_INTERNAL);
        status
    }

    /// A status of a call on this handle; one that is not live is refused.
    #[track_caller]
    fn check_on<T>(&self, noun: Noun, handle: *mut T, status: ssh_status) {
        self.check(status);
        if !self.is_live(noun, handle) {
            assert!(status < 0, "{status} on a handle that is none");
        }
    }

    /// Whether it is one of the handles, and not freed.
    fn is_live<T>(&self, noun: Noun, handle: *mut T) -> bool {
        self.all
            .iter()
            .any(|(kind, pointer, live)| *live && *kind == noun && *pointer == handle.cast())
    }
}
