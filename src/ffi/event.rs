//! `ssh_event`: something one thread waits for and another one makes happen.

use crate::ffi::status::ssh_status;

/// A flag that a call or the connection sets and that a thread or a poll loop waits for.
///
/// Functions that take an `ssh_event *` return at once when it is not NULL, and set the event when what
/// they began has succeeded or failed. One event may be given to any number of calls. The calls keep what
/// they need of it, so it may be freed at any time.
#[allow(non_camel_case_types)]
pub struct ssh_event {
    _opaque: [u8; 0],
}

/// Makes an event that is not set.
///
/// @return an event, freed with ssh_event_free(), or NULL when the machine has no descriptors left.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_event_new() -> *mut ssh_event {
    pending!(std::ptr::null_mut())
}

/// Frees an event. Threads that wait for it return with SSH_ERR_CLOSED.
///
/// @param event  the event; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_free(event: *mut ssh_event) {
    pending!((), event)
}

/// Waits until the event is set. The event stays set.
///
/// @param event       the event
/// @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_FOREVER waits on
/// @return SSH_OK when it is set, SSH_AGAIN when it is not and timeout_ms is 0, SSH_ERR_TIMEOUT,
///         SSH_ERR_CLOSED when it was freed meanwhile.
///
/// Any thread, any number at once. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_wait(event: *const ssh_event, timeout_ms: i32) -> ssh_status {
    pending!(super::status::SSH_ERR_INTERNAL, event, timeout_ms)
}

/// Whether the event is set.
///
/// @return false also when `event` is no event. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_is_set(event: *const ssh_event) -> bool {
    pending!(false, event)
}

/// Sets the event from the program's side, to wake its own waiters.
///
/// @return SSH_OK. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_set(event: *mut ssh_event) -> ssh_status {
    pending!(super::status::SSH_ERR_INTERNAL, event)
}

/// Takes the event back to not set, to be used again.
///
/// @return SSH_OK. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_reset(event: *mut ssh_event) -> ssh_status {
    pending!(super::status::SSH_ERR_INTERNAL, event)
}

/// A descriptor that is readable (POLLIN) exactly while the event is set, for poll(), epoll and the like.
/// Do not read from, write to or close it.
///
/// @return a descriptor that lives until the event is freed, or -1 when `event` is no event.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_fd(event: *const ssh_event) -> i32 {
    pending!(-1, event)
}
