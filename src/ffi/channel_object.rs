//! What a channel handle leads to.

use std::collections::VecDeque;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Weak};

use crate::connection::{ExitOutcome, OpenKind, RequestId, Stream};
use crate::driver::sync::{Mutex, Rank};
use crate::driver::{Channel, Event, Timeout};

use super::callbacks::Userdata;
use super::channel::{
    ssh_channel, SSH_CHANNEL_CLOSED, SSH_CHANNEL_EOF, SSH_CHANNEL_READABLE,
    SSH_CHANNEL_STDERR_READABLE, SSH_CHANNEL_WRITABLE,
};
use super::guard::{Failure, Outcome};
use super::handle::{self, Handle};
use super::memory;
use super::time;
use super::transport::SSH_TIMEOUT_FOREVER;
use super::transport_object::{TransportObject, DEFAULT_CHANNEL_MS};

impl Handle for ssh_channel {
    type Object = ChannelObject;
    const TAG: u8 = 6;
    const NOUN: &'static str = "ssh_channel";
}

pub(crate) struct ChannelObject {
    pub(crate) driver: Channel,
    pub(crate) transport: Weak<TransportObject>,
    freed: AtomicBool,
    /// An SFTP session runs over it.
    serves_sftp: AtomicBool,
    pub(crate) timeout_ms: AtomicI32,
    pub(crate) userdata: Mutex<Option<Userdata>>,
    /// The event given last, to be taken away when another is given.
    pub(crate) event: Mutex<Option<Event>>,
    /// Requests whose answers were not told yet, oldest first.
    pub(crate) begun: Mutex<VecDeque<RequestId>>,
    /// What the channel is for; `None` when it was gone before there was a handle.
    pub(crate) purpose: Option<Purpose>,
}

/// What a channel is for, as strings to be lent.
pub(crate) struct Purpose {
    pub(crate) kind: CString,
    pub(crate) destination: Option<(CString, u16)>,
    pub(crate) origin: Option<(CString, u16)>,
}

impl Purpose {
    fn new(kind: &OpenKind) -> Self {
        let place = |host: &str, port: u32| {
            Some((memory::c_string(host), u16::try_from(port).unwrap_or(0)))
        };
        let (destination, origin) = match kind {
            OpenKind::DirectTcpip {
                host,
                port,
                originator,
                originator_port,
            }
            | OpenKind::ForwardedTcpip {
                host,
                port,
                originator,
                originator_port,
            } => (place(host, *port), place(originator, *originator_port)),
            OpenKind::X11 {
                originator,
                originator_port,
            } => (None, place(originator, *originator_port)),
            OpenKind::DirectStreamlocal { path } | OpenKind::ForwardedStreamlocal { path } => {
                (place(path, 0), None)
            }
            OpenKind::Session | OpenKind::AuthAgent | OpenKind::Other { .. } => (None, None),
        };
        Purpose {
            kind: memory::c_string(kind.name()),
            destination,
            origin,
        }
    }
}

impl ChannelObject {
    pub(crate) fn new(driver: Channel, transport: &Arc<TransportObject>) -> Self {
        let purpose = driver.status(|status| Purpose::new(status.kind));
        ChannelObject {
            driver,
            transport: Arc::downgrade(transport),
            freed: AtomicBool::new(false),
            serves_sftp: AtomicBool::new(false),
            timeout_ms: AtomicI32::new(SSH_TIMEOUT_FOREVER),
            userdata: Mutex::default(),
            event: Mutex::default(),
            begun: Mutex::ranked(VecDeque::new(), Rank::OUTER),
            purpose,
        }
    }

    pub(crate) fn is_freed(&self) -> bool {
        self.freed.load(Ordering::Acquire)
    }

    /// Leaves the channel to an SFTP session, which ends it.
    pub(crate) fn set_serves_sftp(&self) {
        self.serves_sftp.store(true, Ordering::Release);
    }

    /// Whether something other than the program ends the channel: a transport or an SFTP session over it.
    pub(crate) fn is_carrying(&self) -> bool {
        self.serves_sftp.load(Ordering::Acquire) || self.driver.carries()
    }

    pub(crate) fn set_freed(&self) {
        self.freed.store(true, Ordering::Release);
    }

    /// What a call that may have waited comes to when the handle was freed meanwhile.
    pub(crate) fn unless_freed<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        if self.is_freed() {
            Err(Failure::closed("the channel was freed during the call"))
        } else {
            outcome
        }
    }

    /// The timeout of reads and writes.
    pub(crate) fn data_timeout(&self, timeout_ms: i32) -> Outcome<Timeout> {
        let default = Timeout::from_ms(self.timeout_ms.load(Ordering::Relaxed));
        time::timeout(timeout_ms, default)
    }

    /// The timeout of requests that wait for an answer.
    pub(crate) fn request_timeout(&self, timeout_ms: i32) -> Outcome<Timeout> {
        match self.transport.upgrade() {
            Some(transport) => transport.channel_timeout(timeout_ms),
            None => time::timeout(timeout_ms, Timeout::from_ms(DEFAULT_CHANNEL_MS)),
        }
    }

    /// Which conditions hold now.
    pub(crate) fn conditions(&self) -> u32 {
        let buffered = |stream| self.driver.buffered(stream) > 0;
        let transport_ended = self.driver.transport().cause().is_some();
        let state = self.driver.status(|status| {
            (
                status.eof_received || status.closed,
                status.closed,
                // Writing does not wait: it takes a byte or fails.
                !status.is_writable() || status.remote_window > 0,
            )
        });
        // A channel that the connection has forgotten is closed.
        let (eof, closed, writable) = state.unwrap_or((true, true, true));
        let closed = closed || transport_ended;
        let mut mask = 0;
        if buffered(Stream::Data) || eof || closed {
            mask |= SSH_CHANNEL_READABLE;
        }
        if buffered(Stream::Stderr) || eof || closed {
            mask |= SSH_CHANNEL_STDERR_READABLE;
        }
        if writable || closed {
            mask |= SSH_CHANNEL_WRITABLE;
        }
        if eof || closed {
            mask |= SSH_CHANNEL_EOF;
        }
        if closed {
            mask |= SSH_CHANNEL_CLOSED;
        }
        mask
    }

    /// How the program on the other side ended, as far as is known now.
    pub(crate) fn exit(&self) -> Option<ExitOutcome> {
        self.driver.status(|status| status.exit.cloned()).flatten()
    }
}

/// Runs a call on a channel.
pub(crate) fn with<T>(
    handle: *const ssh_channel,
    body: impl FnOnce(&ChannelObject) -> Outcome<T>,
) -> Outcome<T> {
    let pinned = handle::get(handle)?;
    body(&pinned)
}
