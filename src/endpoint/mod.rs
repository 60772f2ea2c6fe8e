//! Joins the three protocol layers. Thin: it routes, it decides nothing.
//!
//! An endpoint has three parts that the driver may guard with three locks, so that one thread seals while
//! another opens: [`Inbound`] (opener and transport layer), [`Outbound`] (sealer and the bytes for the
//! stream) and [`Services`] (authentication and connection). [`Endpoint`] holds all three and is the whole
//! protocol in memory: tests and fuzzers drive it with bytes and a clock of their own.
//!
//! Order of use: [`Endpoint::start`] once, then any mix of [`Endpoint::receive`],
//! [`Endpoint::handle_timeout`] and commands through [`Endpoint::command`]; after each of them
//! [`Endpoint::poll_transmit`] and [`Endpoint::poll_event`] until both are empty, and sleep no longer than
//! [`Endpoint::poll_timeout`].

mod inbound;
mod outbound;
mod services;
#[cfg(test)]
mod tests;

pub use inbound::{Inbound, Step};
pub use outbound::Outbound;
pub use services::{Event, ServiceConfig, Services};

use std::time::Instant;

use crate::connection::{ChannelId, DataSink, Stream};
use crate::crypto::random::Random;
use crate::error::Error;
use crate::packet::PayloadPlace;
use crate::transport::{TransportAction, TransportConfig, TransportEvent};
use std::sync::Arc;

/// Nothing is taken directly: all data are queued in the connection layer.
struct QueueAll;

impl DataSink for QueueAll {
    fn deliver(&mut self, _: ChannelId, _: Stream, _: &[u8]) -> usize {
        0
    }
}

/// The whole protocol of one side, in memory.
pub struct Endpoint {
    inbound: Inbound,
    outbound: Outbound,
    services: Services,
    unread: Vec<u8>,
    actions: Vec<TransportAction>,
    /// What ended it.
    failed: Option<Error>,
}

impl Endpoint {
    /// An endpoint that has not said anything yet.
    pub fn new(
        transport: Arc<TransportConfig>,
        services: ServiceConfig,
        random: Box<dyn Random>,
    ) -> Self {
        let role = transport.role;
        Endpoint {
            inbound: Inbound::new(transport, random),
            outbound: Outbound::new(role),
            services: Services::new(role, services),
            unread: Vec::new(),
            actions: Vec::new(),
            failed: None,
        }
    }

    /// Says the identification line.
    pub fn start(&mut self, now: Instant) -> Result<(), Error> {
        self.inbound.start(&mut self.actions);
        self.apply(now)
    }

    /// Takes bytes of the stream. After an error the endpoint is dead and gives the same error again: send
    /// what [`poll_transmit`](Self::poll_transmit) still has and close the stream.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Error> {
        self.check_failed()?;
        self.unread.extend_from_slice(bytes);
        let outcome = self.receive_unread(now);
        self.keep_failure(outcome)
    }

    fn receive_unread(&mut self, now: Instant) -> Result<(), Error> {
        let mut unread = std::mem::take(&mut self.unread);
        let mut start = 0;
        let outcome = loop {
            let rest = unread.get_mut(start..).unwrap_or_default();
            match self.inbound.next(rest, now, &mut self.actions) {
                Ok(Step::NeedMore) => break Ok(()),
                Ok(Step::Ident(count)) => start += count,
                Ok(Step::Transport(packet)) => start += packet.consumed,
                Ok(Step::Service(packet)) => {
                    let payload = match &packet.payload {
                        PayloadPlace::InPlace(range) => rest.get(range.clone()).unwrap_or_default(),
                        PayloadPlace::Inflated => self.inbound.inflated(),
                    };
                    start += packet.consumed;
                    let sequence = packet.sequence;
                    let handled = self.services.handle(payload, sequence, now, &mut QueueAll);
                    if let Err(error) = handled {
                        break Err(error);
                    }
                    if Outbound::is_answer(payload) {
                        self.outbound.peer_answered();
                    }
                }
                Err(error) => break Err(error),
            }
            if let Err(error) = self.apply(now) {
                break Err(error);
            }
        };
        unread.drain(..start);
        self.unread = unread;
        let applied = self.apply(now);
        outcome.and(applied)
    }

    /// Lets time pass: starts rekeys that are due, ends what took too long.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.check_failed()?;
        let outcome = self
            .inbound
            .handle_timeout(now, &mut self.actions)
            .and_then(|()| self.services.handle_timeout(now))
            .and_then(|()| self.apply(now));
        self.keep_failure(outcome)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.inbound.poll_timeout(), self.services.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The stream has ended or broken. What was received stays readable; the connection is over.
    pub fn stream_ended(&mut self) {
        self.services.connection.connection_lost();
    }

    /// Starts a key exchange, unless one is under way.
    pub fn rekey(&mut self, now: Instant) -> Result<(), Error> {
        self.check_failed()?;
        let begun = self.inbound.rekey(now, &mut self.actions);
        let outcome = begun.and_then(|()| self.apply(now));
        self.keep_failure(outcome)
    }

    /// Gives a command to the services and sends what it caused.
    pub fn command<R>(
        &mut self,
        now: Instant,
        run: impl FnOnce(&mut Services) -> Result<R, Error>,
    ) -> Result<R, Error> {
        // An error of the command concerns the one call; what follows from it concerns the connection.
        let result = run(&mut self.services)?;
        if self.failed.is_none() {
            let outcome = self.apply(now);
            self.keep_failure(outcome)?;
        }
        Ok(result)
    }

    /// Writes channel data as far as window and key exchange allow; returns the bytes taken.
    pub fn write(&mut self, id: ChannelId, stream: Stream, data: &[u8]) -> Result<usize, Error> {
        if self.outbound.is_held() {
            // A writer must hear at once that the channel is closed, and not when new keys are there.
            self.services.connection.reserve(id, stream, 0)?;
            return Ok(0);
        }
        let reservation = self.services.connection.reserve(id, stream, data.len())?;
        let data = data.get(..reservation.bytes).unwrap_or_default();
        self.outbound
            .seal_data(reservation.recipient, stream, data, reservation.max_packet)?;
        Ok(data.len())
    }

    /// Bytes for the stream, empty when there are none.
    pub fn poll_transmit(&mut self) -> Vec<u8> {
        self.outbound.take_pending()
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.services.poll_event()
    }

    /// The services, to ask them things.
    pub fn services(&mut self) -> &mut Services {
        &mut self.services
    }

    /// Seals a payload with the right keys, whatever the state allows, as a hostile peer would.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn inject(&mut self, payload: &[u8]) -> Result<(), Error> {
        let action = TransportAction::Send(payload.to_vec());
        self.outbound.apply(action).map(drop)
    }

    /// Keeps the payloads that are sealed from now on.
    #[cfg(test)]
    pub(crate) fn record_sent(&mut self) -> Arc<std::sync::Mutex<Vec<Vec<u8>>>> {
        let record = Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = Arc::clone(&record);
        self.outbound.tap = Some(Box::new(move |payload| {
            kept.lock().unwrap().push(payload.to_vec());
            vec![payload.to_vec()]
        }));
        record
    }

    fn apply(&mut self, now: Instant) -> Result<(), Error> {
        for action in std::mem::take(&mut self.actions) {
            if let Some(action) = self.outbound.apply(action)? {
                match action {
                    TransportAction::Reply(payload) => self.services.reply(payload)?,
                    TransportAction::Event(event) => self.transport_event(event, now),
                    // In memory nobody is held up by a signature.
                    TransportAction::Sign(job) => {
                        let actions = &mut self.actions;
                        self.inbound.provide_signature(job.sign(), now, actions)?;
                    }
                    _ => return Err(Error::Bug("an action was not routed")),
                }
            }
        }
        if self.services.is_authenticated() {
            self.inbound.start_decompression();
            self.outbound.peer_authenticated();
        }
        let queue = &mut self.services.out;
        while let Some(payload) = queue.pop_if(|payload| self.outbound.takes(payload)) {
            self.outbound.seal_service(&payload)?;
        }
        self.services.check_bound()?;
        let sealed = self.outbound.counters();
        self.inbound.check_limits(sealed, now, &mut self.actions)?;
        if self.actions.is_empty() {
            Ok(())
        } else {
            self.apply(now)
        }
    }

    fn transport_event(&mut self, event: TransportEvent, now: Instant) {
        let transport = self.inbound.transport();
        self.services.transport_event(event, transport, now);
    }

    fn check_failed(&self) -> Result<(), Error> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Says goodbye after an error, once.
    fn keep_failure(&mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        if let (Err(error), None) = (&outcome, &self.failed) {
            self.failed = Some(error.clone());
            if let Some(reason) = error.disconnect_reason() {
                // The stream is about to close; a failure to say goodbye changes nothing.
                let _ = self.outbound.seal_disconnect(reason);
            }
            self.services.connection.connection_lost();
        }
        outcome
    }
}
