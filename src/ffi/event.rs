//! `ssh_event`: something one thread waits for and another one makes happen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::driver::{Event, Timeout};
use crate::error::Error;

use super::channel::ssh_channel;
use super::guard::{self, Failure, Outcome};
use super::handle::{self, Handle};
use super::status::{ssh_status, SSH_AGAIN, SSH_OK};
use super::time;

/// A flag that a call or the connection sets and that a thread or a poll loop waits for.
///
/// Functions that take an `ssh_event *` return at once when it is not NULL, and set the event when what
/// they began has succeeded or failed. One event may be given to any number of calls. The calls keep what
/// they need of it, so it may be freed at any time.
#[allow(non_camel_case_types)]
pub struct ssh_event {
    _opaque: [u8; 0],
}

/// What an event handle leads to.
pub(crate) struct EventObject {
    pub(crate) driver: Event,
    freed: AtomicBool,
}

impl Handle for ssh_event {
    type Object = EventObject;
    const TAG: u8 = 2;
    const NOUN: &'static str = "ssh_event";
}

/// A handle of an event of the driver's.
pub(crate) fn new_handle(driver: Event) -> Outcome<*mut ssh_event> {
    handle::insert(Arc::new(EventObject {
        driver,
        freed: AtomicBool::new(false),
    }))
}

/// The driver's event behind a handle that may be NULL.
pub(crate) fn optional(event: *const ssh_event) -> Outcome<Option<Event>> {
    Ok(handle::get_optional(event)?.map(|object| object.driver.clone()))
}

/// Makes an event that is not set.
///
/// @return an event, freed with ssh_event_free(), or NULL when memory is short.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_event_new() -> *mut ssh_event {
    guard::value(std::ptr::null_mut(), || new_handle(Event::new()))
}

/// Frees an event. Threads that wait for it return with SSH_ERR_CLOSED.
///
/// @param event  the event; NULL is fine
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_free(event: *mut ssh_event) {
    guard::value((), || {
        let object = handle::take(event)?;
        object.freed.store(true, Ordering::Release);
        // Wakes who waits; they find out why.
        object.driver.set();
        Ok(())
    })
}

/// Waits until the event is set. The event stays set.
///
/// A loop that waits for one event again and again, each time for a moment, does the library's own work in this call: it receives
/// and decrypts what sets the event, and no other thread has to wake it. So one loop around all channels is the quickest
/// way to serve many connections that have little to say. A wait with a time limit may be late then by the work under way,
/// which is some milliseconds where many peers exchange keys; all of it is done on the caller's stack, as in ssh_channel_read().
///
/// @param event       the event
/// @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_DEFAULT is SSH_TIMEOUT_FOREVER
/// @return SSH_OK when it is set, SSH_AGAIN when it is not and timeout_ms is 0, SSH_ERR_TIMEOUT,
///         SSH_ERR_CLOSED when it was freed meanwhile.
///
/// Any thread, any number at once. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_wait(event: *const ssh_event, timeout_ms: i32) -> ssh_status {
    guard::status(|| {
        let object = handle::get(event)?;
        let timeout = time::timeout(timeout_ms, Timeout::Forever)?;
        let set = object.driver.wait_in_loop(timeout);
        if object.freed.load(Ordering::Acquire) {
            return Err(Failure::closed("the event was freed during the call"));
        }
        match set {
            true => Ok(SSH_OK),
            false if timeout == Timeout::NOW => Ok(SSH_AGAIN),
            false => Err(Error::Timeout("event").into()),
        }
    })
}

/// Whether the event is set.
///
/// @return false also when `event` is no event. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_is_set(event: *const ssh_event) -> bool {
    guard::value(false, || Ok(handle::get(event)?.driver.is_set()))
}

/// Sets the event from the program's side, to wake its own waiters.
///
/// @return SSH_OK. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_set(event: *mut ssh_event) -> ssh_status {
    guard::status(|| {
        handle::get(event)?.driver.set();
        Ok(SSH_OK)
    })
}

/// Takes the event back to not set, to be used again.
///
/// @return SSH_OK. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_reset(event: *mut ssh_event) -> ssh_status {
    guard::status(|| {
        handle::get(event)?.driver.reset();
        Ok(SSH_OK)
    })
}

/// A descriptor that is readable (POLLIN) exactly while the event is set, for poll(), epoll and the like.
/// Do not read from, write to or close it.
///
/// @return a descriptor that lives until the event is freed, or -1 when `event` is no event or the process has no
///         descriptors left.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_fd(event: *const ssh_event) -> i32 {
    guard::value(-1, || Ok(handle::get(event)?.driver.descriptor()?))
}

/// Takes a channel from the event: one for which ssh_channel_set_event() has had the event set since the channel was taken
/// last. So a loop with one event for many channels need not look at each of them:
///
///   for (;;) {
///       ssh_event_wait(event, SSH_TIMEOUT_FOREVER);
///       ssh_event_reset(event);
///       while ((channel = ssh_event_take_channel(event)) != NULL)
///           serve(channel, ssh_channel_get_userdata(channel));
///   }
///
/// Channels come in the order in which they set the event, each once until it sets the event again. So read and write with
/// timeout 0 until a call says something else than SSH_OK: a channel that is left readable comes when there is more, not
/// before. The event stays set or not, as it is: take until NULL after each ssh_event_reset(), or call
/// ssh_event_set() to come back to those that are left. What else sets the event (ssh_event_set(), a call that was begun
/// with it) names no channel. One that was freed, or that has another event or none since, does not come.
///
/// @param event  the event
/// @return the program's own handle of the channel, not a new one, so not to be freed for this; NULL when no channel is
///         left, and when `event` is no event.
///
/// Any thread. A channel may come to a second thread while the first one still serves it, so let one thread take, or have a
/// lock for each channel. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_event_take_channel(event: *mut ssh_event) -> *mut ssh_channel {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(event)?;
        while let Some(number) = object.driver.take_setter() {
            // Of one that another thread frees just now there may be a name left.
            if let Some(channel) = handle::numbered(number) {
                return Ok(channel);
            }
        }
        Ok(std::ptr::null_mut())
    })
}
