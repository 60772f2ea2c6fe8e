//! What a transport handle leads to: the driver's transport, and what only the C face keeps beside it.
//!
//! Locks: each field has a lock of its own; none is held while another is taken, while the driver is called,
//! or while something of the program's is dropped.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::connection::GlobalRequestId;
use crate::driver::sync::{Mutex, Rank};
use crate::driver::{self, KeepaliveCallback, LogLevel, RequestKind, Timeout, Transport};
use crate::known_hosts::Attached;
use crate::messages::Role;
use crate::sftp::server::Tally;

use super::callbacks::Userdata;
use super::channel::ssh_channel;
use super::channel_object::ChannelObject;
use super::dispatch::{self, Callbacks, RequestCall};
use super::guard::{Failure, Outcome};
use super::handle::{self, Handle};
use super::security_object::Edits;
use super::status::{ssh_status, SSH_AGAIN};
use super::time;
use super::transport::ssh_transport;

pub(crate) const DEFAULT_AUTH_MS: i32 = 30_000;
pub(crate) const DEFAULT_CHANNEL_MS: i32 = 60_000;

impl Handle for ssh_transport {
    type Object = TransportObject;
    const TAG: u8 = 5;
    const NOUN: &'static str = "ssh_transport";
}

pub(crate) struct TransportObject {
    pub(crate) driver: Transport,
    /// The host and port that it was made to lead to, where it was made from an address.
    pub(crate) address: Option<(String, u16)>,
    /// The known hosts that decide about its server's key.
    pub(crate) known_hosts: Mutex<Option<Arc<Attached>>>,
    /// The one handle, as a number; 0 before it is made and once it is freed.
    handle: AtomicUsize,
    /// Callbacks set on the transport, and those of its server.
    pub(crate) callbacks: Mutex<Callbacks>,
    pub(crate) server_callbacks: Mutex<Callbacks>,
    pub(crate) security: Arc<Mutex<Edits>>,
    channels: Mutex<HashMap<u32, KnownChannel>>,
    pub(crate) userdata: Mutex<Option<Userdata>>,
    /// Kept here too, so that the driver never drops the last one under a lock of its own.
    pub(crate) keepalive: Mutex<Option<KeepaliveCallback>>,
    /// How the last authentication call ended.
    pub(crate) auth: Mutex<Result<ssh_status, Failure>>,
    /// SFTP channels that are served, and the files that they have open.
    pub(crate) sftp_channels: Arc<Tally>,
    pub(crate) sftp_files: Arc<Tally>,
    pub(crate) auth_ms: AtomicI32,
    pub(crate) channel_ms: AtomicI32,
    pub(crate) begun: Mutex<Begun>,
    /// Those that it runs over and that nobody else frees, the first one first.
    below: Mutex<Vec<Lower>>,
}

/// A transport that the library has a handle of. Dropped, it ends and the handle is freed.
pub(crate) struct Lower(*mut ssh_transport);

// SAFETY: a handle is a number that any thread may use.
unsafe impl Send for Lower {}

impl Lower {
    pub(crate) fn new(handle: *mut ssh_transport) -> Self {
        Lower(handle)
    }

    /// The handle, which is somebody else's from now on.
    pub(crate) fn keep(self) -> *mut ssh_transport {
        std::mem::ManuallyDrop::new(self).0
    }
}

impl Drop for Lower {
    fn drop(&mut self) {
        if let Ok(object) = handle::take(self.0) {
            object.freed();
        }
    }
}

/// What was begun and has not been told the end of.
#[derive(Default)]
pub(crate) struct Begun {
    /// Global requests, in the order of the wire.
    pub(crate) global: VecDeque<GlobalRequestId>,
    /// The latest key exchange.
    pub(crate) keys: Option<u64>,
}

/// A channel's one handle.
struct KnownChannel {
    handle: usize,
    object: Weak<ChannelObject>,
    /// Whether the program was given the channel and frees the handle.
    owned: bool,
}

impl TransportObject {
    pub(crate) fn new_handle(driver: Transport) -> Outcome<*mut ssh_transport> {
        Self::new_handle_to(driver, None)
    }

    /// A handle of a transport to an address.
    pub(crate) fn new_handle_to(
        driver: Transport,
        address: Option<&str>,
    ) -> Outcome<*mut ssh_transport> {
        let address = address.map(driver::split_address).transpose()?;
        let object = Arc::new(TransportObject {
            driver,
            address: address.map(|(host, port)| (host.to_owned(), port)),
            known_hosts: Mutex::default(),
            handle: AtomicUsize::new(0),
            callbacks: Mutex::default(),
            server_callbacks: Mutex::default(),
            security: Arc::default(),
            channels: Mutex::ranked(HashMap::new(), Rank::OUTER),
            userdata: Mutex::default(),
            keepalive: Mutex::default(),
            auth: Mutex::new(Ok(SSH_AGAIN)),
            sftp_channels: Arc::default(),
            sftp_files: Arc::default(),
            auth_ms: AtomicI32::new(DEFAULT_AUTH_MS),
            channel_ms: AtomicI32::new(DEFAULT_CHANNEL_MS),
            begun: Mutex::ranked(Begun::default(), Rank::OUTER),
            below: Mutex::default(),
        });
        let handle = handle::insert::<ssh_transport>(Arc::clone(&object))?;
        object.handle.store(handle.addr(), Ordering::Release);
        Ok(handle)
    }

    /// The handle the program made; NULL once it is freed.
    pub(crate) fn handle(&self) -> *mut ssh_transport {
        std::ptr::without_provenance_mut(self.handle.load(Ordering::Acquire))
    }

    /// Has transports end when this one is freed.
    pub(crate) fn set_below(&self, below: Vec<Lower>) {
        let before = std::mem::replace(&mut *self.below.lock(), below);
        drop(before);
    }

    /// The timeout of calls on channels.
    pub(crate) fn channel_timeout(&self, timeout_ms: i32) -> Outcome<Timeout> {
        let default = Timeout::from_ms(self.channel_ms.load(Ordering::Relaxed));
        time::timeout(timeout_ms, default)
    }

    /// Settles everything that is decided at the start.
    pub(crate) fn prepare(self: &Arc<Self>, role: Role, timeout_ms: i32) -> Outcome<()> {
        let preferences = self.security.lock().resolve(role)?;
        let handshake = match timeout_ms {
            super::transport::SSH_TIMEOUT_DEFAULT => None,
            ms => Some(time::limit(time::timeout(ms, Timeout::Forever)?)),
        };
        self.driver.configure(|options| {
            options.preferences = Some(preferences);
            if let Some(handshake) = handshake {
                // Zero would end the session before it begins.
                options.handshake_timeout = handshake.max(Duration::from_millis(1));
            }
        })?;
        self.security.lock().started = Some(role);
        self.install_callbacks();
        Ok(())
    }

    /// Tells the driver which kinds have somebody to ask. To be called whenever that changes.
    pub(crate) fn install_callbacks(self: &Arc<Self>) {
        for (number, kind) in dispatch::KINDS {
            let callback = self.call_for(*number).map(|call| self.closure(call));
            let callback = match (callback, kind) {
                (None, RequestKind::AuthKeyAsked)
                    if self
                        .call_for(super::request::SSH_REQUEST_AUTH_KEY_PROVEN)
                        .is_some() =>
                {
                    // Whoever judges proven keys only wants the proof.
                    let invite: driver::RequestCallback = Arc::new(|request| {
                        let _ = request.accept();
                    });
                    Some(invite)
                }
                (callback, _) => callback,
            };
            self.driver.set_callback(*kind, callback);
        }
    }

    /// Who is asked questions of this kind.
    fn call_for(&self, kind: i32) -> Option<RequestCall> {
        let own = self.callbacks.lock().find(kind);
        own.or_else(|| self.server_callbacks.lock().find(kind))
    }

    fn closure(self: &Arc<Self>, call: RequestCall) -> driver::RequestCallback {
        let transport = Arc::downgrade(self);
        Arc::new(move |request| dispatch::deliver(&transport, &call, request))
    }

    // ---- channels ------------------------------------------------------------------------------------

    /// The handle of a channel: always the same for the same channel. `give` hands it to the program.
    pub(crate) fn channel_handle(
        self: &Arc<Self>,
        driver: driver::Channel,
        give: bool,
    ) -> Outcome<*mut ssh_channel> {
        let id = driver.id();
        // Declared before the lock is taken, so dropped after it is released: this may be the last one.
        let known_object;
        let mut channels = self.channels.lock();
        if let Some(known) = channels.get_mut(&id) {
            known_object = known.object.upgrade();
            if known_object
                .as_ref()
                .is_some_and(|object| !object.is_freed())
            {
                known.owned |= give;
                let handle = known.handle;
                drop(channels);
                return Ok(std::ptr::without_provenance_mut(handle));
            }
        }
        let object = Arc::new(ChannelObject::new(driver, self));
        let handle = handle::insert::<ssh_channel>(Arc::clone(&object))?;
        let known = KnownChannel {
            handle: handle.addr(),
            object: Arc::downgrade(&object),
            owned: give,
        };
        channels.insert(id, known);
        Ok(handle)
    }

    /// The channel's handle was freed by the program.
    pub(crate) fn forget_channel(&self, id: u32, object: &Arc<ChannelObject>) {
        let mut channels = self.channels.lock();
        if channels
            .get(&id)
            .is_some_and(|known| known.object.as_ptr() == Arc::as_ptr(object))
        {
            channels.remove(&id);
        }
    }

    /// A handle that was only lent ends, unless the program was given the channel meanwhile.
    pub(crate) fn take_back(&self, id: u32, handle: *mut ssh_channel) {
        let lent = {
            let mut channels = self.channels.lock();
            let lent = channels
                .get(&id)
                .is_some_and(|known| known.handle == handle.addr() && !known.owned);
            if lent {
                channels.remove(&id);
            }
            lent
        };
        if lent {
            if let Ok(object) = handle::take(handle) {
                object.set_freed();
                let userdata = object.userdata.lock().take();
                drop((object, userdata));
            }
        }
    }

    // ---- end -----------------------------------------------------------------------------------------

    /// The handle is gone: ends the session and lets go of everything of the program's.
    pub(crate) fn freed(self: &Arc<Self>) {
        self.handle.store(0, Ordering::Release);
        self.driver.release();
        self.let_go();
        let channels = std::mem::take(&mut *self.channels.lock());
        for known in channels.into_values().filter(|known| !known.owned) {
            // Nobody was given these, so nobody else frees them.
            let handle = std::ptr::without_provenance_mut::<ssh_channel>(known.handle);
            drop(handle::take(handle));
        }
        let mut below = std::mem::take(&mut *self.below.lock());
        // From the inside out.
        while below.pop().is_some() {}
    }

    fn let_go(&self) {
        for (_, kind) in dispatch::KINDS {
            self.driver.set_callback(*kind, None);
        }
        self.driver.set_banner_callback(None);
        self.driver.clear_subsystems();
        self.driver.set_log(LogLevel::Error, None);
        let callbacks = std::mem::take(&mut *self.callbacks.lock());
        let server_callbacks = std::mem::take(&mut *self.server_callbacks.lock());
        let keepalive = self.keepalive.lock().take();
        let userdata = self.userdata.lock().take();
        drop((callbacks, server_callbacks, keepalive, userdata));
    }
}

/// Ends a transport in which a panic goes through a call, for nobody knows what it left behind.
struct EndOnPanic<'a>(&'a TransportObject);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.driver.release();
        }
    }
}

/// Runs a call on a transport.
pub(crate) fn with<T>(
    handle: *const ssh_transport,
    body: impl FnOnce(&Arc<TransportObject>) -> Outcome<T>,
) -> Outcome<T> {
    let object = handle::get(handle)?.share();
    let _end = EndOnPanic(&object);
    body(&object)
}
