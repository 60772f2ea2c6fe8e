//! What concerns the connection as a whole: global requests, noise, new keys, keepalive.

use std::time::{Duration, Instant};

use super::keepalive::KeepaliveCallback;
use super::serving::{Phase, Serving};
use super::transport::Transport;
use super::wait::{Deadline, Timeout};
use crate::connection::GlobalRequestId;
use crate::crypto::random::{Random, SystemRandom};
use crate::error::Error;
use crate::messages::MessageNumber;
use crate::packet::RekeyLimits;

impl Transport {
    /// Sends a global request. With `want_reply` waits for the answer and returns its data; a refusal is
    /// [`Error::RequestDenied`].
    pub fn global_request(
        &self,
        name: &str,
        data: &[u8],
        want_reply: bool,
        timeout: Timeout,
    ) -> Result<Vec<u8>, Error> {
        let deadline = timeout.deadline();
        match self.send_global(name, data, want_reply, |_, _| {})? {
            Some(number) => self.wait_global(number, deadline, "global request"),
            None => Ok(Vec::new()),
        }
    }

    /// Sends a global request and gives its number if a reply will come. `note` notes it before that can happen.
    pub(super) fn send_global(
        &self,
        name: &str,
        data: &[u8],
        want_reply: bool,
        note: impl FnOnce(&mut Serving, GlobalRequestId),
    ) -> Result<Option<GlobalRequestId>, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        let number = {
            let mut serving = shared.serving.lock();
            let services = serving.open_services()?;
            services.connection.advance(Instant::now());
            let out = &mut services.out;
            let number = services
                .connection
                .global_request(name, data, want_reply, out)?;
            if let Some(number) = number {
                serving.global_replies.insert(number, None);
                note(&mut serving, number);
            }
            number
        };
        shared.flush();
        Ok(number)
    }

    /// Waits for the reply to a global request.
    pub(super) fn wait_global(
        &self,
        number: GlobalRequestId,
        deadline: Deadline,
        what: &'static str,
    ) -> Result<Vec<u8>, Error> {
        let shared = &self.shared;
        let mut serving = shared.serving.lock();
        let outcome = shared.wait_for(&mut serving, &shared.progress, deadline, what, |serving| {
            let reply = serving.global_replies.get_mut(&number)?.take()?;
            Some(reply.map_err(|()| Error::RequestDenied))
        });
        if serving.global_replies.remove(&number) == Some(None) && outcome.is_err() {
            if let Some(services) = &mut serving.services {
                services.connection.abandon_global(number);
            }
        }
        outcome
    }

    /// Sends SSH_MSG_IGNORE with `count` random bytes.
    pub fn send_ignore(&self, count: usize) -> Result<(), Error> {
        if count > 32 * 1024 {
            return Err(Error::ApiMisuse("at most 32768 bytes"));
        }
        let mut data = vec![0; count];
        SystemRandom.fill(&mut data);
        self.shared.check_process()?;
        self.require_keyed()?;
        self.shared.serve(|services| {
            services.out.push(|w| {
                w.u8(MessageNumber::IGNORE.0).string(&data);
            });
            Ok(())
        })
    }

    fn require_keyed(&self) -> Result<(), Error> {
        let serving = self.shared.serving.lock();
        serving.alive()?;
        if serving.phase == Phase::Keyed {
            Ok(())
        } else {
            Err(Error::ApiMisuse("the transport is not negotiated"))
        }
    }

    /// Changes keys now; returns when both directions have switched. Not before a user is in: OpenSSH's server
    /// takes no key exchange while it authenticates.
    pub fn renegotiate_keys(&self, timeout: Timeout) -> Result<(), Error> {
        let shared = &self.shared;
        let deadline = timeout.deadline();
        let number = self.begin_rekey(None)?;
        let mut serving = shared.serving.lock();
        shared.wait_for(
            &mut serving,
            &shared.progress,
            deadline,
            "key exchange",
            |serving| (serving.key_exchanges >= number).then_some(Ok(())),
        )
    }

    /// Completed key exchanges, the first one included.
    pub fn key_exchanges(&self) -> u64 {
        self.shared.serving.lock().key_exchanges
    }

    /// Changes when keys are changed, also on a running transport for what we send.
    pub fn set_rekey_limits(&self, limits: RekeyLimits) -> Result<(), Error> {
        self.configure(|options| options.rekey = limits)
    }

    /// Turns keepalive on (an interval) or off (zero). `max_missed` replies missed in a row end the
    /// transport; 0 never does.
    pub fn set_keepalive(
        &self,
        interval: Duration,
        max_missed: u32,
        callback: Option<KeepaliveCallback>,
    ) -> Result<(), Error> {
        self.shared.check_process()?;
        let before = {
            let mut serving = self.shared.serving.lock();
            serving.alive()?;
            serving
                .keepalive
                .set(interval, max_missed, callback, Instant::now())
        };
        drop(before);
        self.shared.attend_now();
        Ok(())
    }
}
