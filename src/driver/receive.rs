//! The receiving path: from the socket into the channels, in batches.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use zeroize::Zeroize;

use super::entry::LentSink;
use super::sending::holds_secrets;
use super::serving::{After, Serving};
use super::shared::{Receiving, Shared};
use super::stream::Progress;
use crate::endpoint::{Inbound, Outbound, Step};
use crate::error::Error;
use crate::messages::MessageNumber;
use crate::packet::{OpenedPacket, PayloadPlace};

/// Most bytes read with one system call.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// A payload for the services that has been opened and not handed out.
struct Waiting {
    /// Where it is in the bytes received.
    range: Range<usize>,
    /// The sequence number of its packet.
    sequence: u32,
}

impl Shared {
    /// Reads what there is, but no more than so many times, opens it and hands it out; says how many bytes there were. `scratch` is the thread's buffer,
    /// so that an idle transport has none. What is to be said to it is sealed or queued, and the caller flushes it.
    pub(crate) fn receive(
        self: &Arc<Self>,
        scratch: &mut Vec<u8>,
        broken: bool,
        reads: usize,
    ) -> Result<usize, Error> {
        let mut total = 0_usize;
        let mut receiving = self.receiving.lock();
        let receiving = &mut *receiving;
        for _ in 0..reads {
            let kept = receiving.unopened.len();
            if scratch.len() < kept.saturating_add(READ_BYTES) {
                scratch.resize(kept.saturating_add(READ_BYTES), 0);
            }
            let (front, back) = scratch.split_at_mut(kept);
            let room = back.get_mut(..READ_BYTES).unwrap_or_default();
            let count = match self.stream.receive(room)? {
                Progress::WouldBlock if broken => return Err(Error::ConnectionLost),
                Progress::WouldBlock => break,
                Progress::Moved(0) => return Err(Error::ConnectionLost),
                Progress::Moved(count) => count,
            };
            total = total.saturating_add(count);
            if !self.is_authenticated_now() {
                self.unacknowledged.store(true, Ordering::Relaxed);
            }
            // Of a packet that comes byte by byte, each byte is copied twice, not all of it for each.
            let inbound = receiving.inbound.as_ref();
            let needed = inbound.map_or(0, |inbound| inbound.needed(kept));
            if kept > 0 && kept.saturating_add(count) < needed {
                let came = room.get(..count).unwrap_or_default();
                receiving.unopened.extend_from_slice(came);
                if count < READ_BYTES {
                    break;
                }
                continue;
            }
            front.copy_from_slice(&receiving.unopened);
            let filled = scratch
                .get_mut(..kept.saturating_add(count))
                .unwrap_or_default();
            let used = self.open_all(receiving, filled)?;
            receiving.unopened.clear();
            let rest = filled.get(used..).unwrap_or_default();
            if rest.is_empty() {
                receiving.unopened.shrink_to(0);
            } else {
                receiving.unopened.extend_from_slice(rest);
            }
            if count < READ_BYTES {
                break;
            }
        }
        Ok(total)
    }

    /// To be called before waiting for more. OpenSSH leaves Nagle's algorithm on until it has logged in, and sends several
    /// packets in a row: each waits for the acknowledgement of the one before, 40 ms if we let the kernel take its time.
    /// Whatever we send has it with it.
    pub(crate) fn acknowledge(&self) {
        if self.unacknowledged.swap(false, Ordering::Relaxed) {
            self.stream.acknowledge_now();
        }
    }

    /// Opens the packets in `bytes` and hands them out; returns the bytes used up. Before an error is
    /// returned everything in front of it has been handed out.
    fn open_all(
        self: &Arc<Self>,
        receiving: &mut Receiving,
        bytes: &mut [u8],
    ) -> Result<usize, Error> {
        let now = Instant::now();
        let mut start = 0;
        let mut batch: Vec<Waiting> = Vec::new();
        loop {
            let Some(inbound) = &mut receiving.inbound else {
                return Err(Error::Bug("bytes before the start"));
            };
            if self.is_authenticated_now() {
                inbound.start_decompression();
            }
            let unread = bytes.get_mut(start..).unwrap_or_default();
            let step = match inbound.next(unread, now, &mut receiving.actions) {
                Ok(step) => step,
                Err(error) => {
                    self.hand_out(bytes, &mut batch, now)?;
                    self.apply_unsent(receiving, now)?;
                    return Err(error);
                }
            };
            match step {
                Step::NeedMore => break,
                Step::Ident(count) => start += count,
                Step::Transport(packet) => {
                    self.dump_packet(unread, &packet);
                    start += packet.consumed;
                }
                Step::Service(packet) => {
                    let end = start + packet.consumed;
                    self.collect(receiving, bytes, start, &packet, &mut batch, now)?;
                    start = end;
                    continue;
                }
            }
            if !receiving.actions.is_empty() {
                self.hand_out(bytes, &mut batch, now)?;
                self.apply_unsent(receiving, now)?;
            }
        }
        self.hand_out(bytes, &mut batch, now)?;
        Ok(start)
    }

    /// Puts a payload for the services into the batch, which ends early where the payload must be dealt with
    /// before the next packet is opened.
    fn collect(
        self: &Arc<Self>,
        receiving: &mut Receiving,
        bytes: &mut [u8],
        start: usize,
        packet: &OpenedPacket,
        batch: &mut Vec<Waiting>,
        now: Instant,
    ) -> Result<(), Error> {
        let range = match &packet.payload {
            PayloadPlace::InPlace(range) => start + range.start..start + range.end,
            PayloadPlace::Inflated => {
                self.hand_out(bytes, batch, now)?;
                // What was inflated stays in the opener's buffer only until the next packet.
                let inbound = receiving.inbound.as_ref();
                let payload = inbound.map(Inbound::inflated).unwrap_or_default();
                let whole = Waiting {
                    range: 0..payload.len(),
                    sequence: packet.sequence,
                };
                if payload.first() == Some(&MessageNumber::USERAUTH_SUCCESS.0) {
                    let payload = payload.to_vec();
                    let mut batch = Vec::from([whole]);
                    return self.hand_out_success(receiving, &payload, &mut batch, now);
                }
                let is_secret = holds_secrets(payload);
                let outcome = self.hand_out(payload, &mut Vec::from([whole]), now);
                if let Some(inbound) = receiving.inbound.as_mut().filter(|_| is_secret) {
                    inbound.wipe_inflated();
                }
                return outcome;
            }
        };
        batch.push(Waiting {
            range: range.clone(),
            sequence: packet.sequence,
        });
        let payload = bytes.get(range.clone()).unwrap_or_default();
        if payload.first() == Some(&MessageNumber::USERAUTH_SUCCESS.0) {
            return self.hand_out_success(receiving, bytes, batch, now);
        }
        if Outbound::is_answer(payload) {
            // First this, for what the services say to it may be a request that is undecided again.
            self.peer_answered();
            return self.hand_out(bytes, batch, now);
        }
        if holds_secrets(payload) {
            let outcome = self.hand_out(bytes, batch, now);
            bytes.get_mut(range).unwrap_or_default().zeroize();
            return outcome;
        }
        Ok(())
    }

    /// Hands the payloads of a batch to the services, under one lock.
    fn hand_out(
        self: &Arc<Self>,
        bytes: &[u8],
        batch: &mut Vec<Waiting>,
        now: Instant,
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut after = Vec::new();
        let mut outcome = Ok(());
        {
            let mut serving = self.serving.lock();
            let serving = &mut *serving;
            for waiting in batch.drain(..) {
                let payload = bytes.get(waiting.range).unwrap_or_default();
                self.dump("IN", payload);
                outcome = serve_one(serving, payload, waiting.sequence, now, &mut after);
                if outcome.is_err() {
                    break;
                }
            }
            serving.settle(self, &mut after);
            if outcome.is_ok() {
                outcome = serving
                    .services()
                    .and_then(|services| services.check_bound());
            }
        }
        self.after(after);
        outcome
    }

    /// Client: what had to wait for the server's word may leave.
    fn peer_answered(self: &Arc<Self>) {
        let waited = self.with_sending(|sending| {
            let outbound = sending.outbound.as_mut();
            outbound.is_some_and(Outbound::peer_answered)
        });
        if waited {
            self.flush();
        }
    }

    /// USERAUTH_SUCCESS changes the compression of both directions: from the next packet of the peer, and
    /// from the next packet of ours, which nobody may seal in between.
    fn hand_out_success(
        self: &Arc<Self>,
        receiving: &mut Receiving,
        bytes: &[u8],
        batch: &mut Vec<Waiting>,
        now: Instant,
    ) -> Result<(), Error> {
        let mut after = Vec::new();
        let outcome = self.with_sending(|sending| {
            let mut serving = self.serving.lock();
            let serving = &mut *serving;
            let mut outcome = Ok(());
            for waiting in batch.drain(..) {
                let payload = bytes.get(waiting.range).unwrap_or_default();
                outcome = serve_one(serving, payload, waiting.sequence, now, &mut after);
                if outcome.is_err() {
                    break;
                }
            }
            if serving
                .services
                .as_ref()
                .is_some_and(|services| services.is_authenticated())
            {
                if let Some(outbound) = &mut sending.outbound {
                    outbound.peer_authenticated();
                }
                self.authenticated();
            }
            serving.settle(self, &mut after);
            outcome
        });
        if self.is_authenticated_now() {
            if let Some(inbound) = &mut receiving.inbound {
                inbound.start_decompression();
            }
        }
        self.after(after);
        outcome
    }

    fn dump_packet(self: &Arc<Self>, unread: &[u8], packet: &OpenedPacket) {
        if let PayloadPlace::InPlace(range) = &packet.payload {
            self.dump("IN", unread.get(range.clone()).unwrap_or_default());
        }
    }
}

fn serve_one(
    serving: &mut Serving,
    payload: &[u8],
    sequence: u32,
    now: Instant,
    after: &mut Vec<After>,
) -> Result<(), Error> {
    let Some(services) = &mut serving.services else {
        return Err(Error::Bug("payload before the start"));
    };
    services.handle(
        payload,
        sequence,
        now,
        &mut LentSink {
            channels: &mut serving.channels,
            after,
        },
    )
}
