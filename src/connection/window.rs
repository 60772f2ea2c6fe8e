//! Windows (RFC 4254 §5.2): what the peer may still send to us, how that grows, and what we may send.
//!
//! `docs/internals/flow-control.md` says why the rules are what they are.

use std::time::{Duration, Instant};

use crate::connection::types::ConnectionLimits;
use crate::error::PeerMisbehaved;

/// The window that every channel gets, however many there are.
const FLOOR_BYTES: u32 = 64 * 1024;
/// A window may double when it was used up within this many round trips.
const GROWTH_ROUND_TRIPS: u32 = 4;
/// Round trips below this are noise of the scheduler.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_micros(100);
/// Round trips above this say that somebody slept, not how long the way is.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(5);

/// What all windows of one connection share: the sum that is given out, and the round trip.
#[derive(Debug)]
pub(super) struct WindowBudget {
    committed: u64,
    channels: u64,
    total: u64,
    initial: u32,
    max: u32,
    max_channels: u64,
    round_trip: Option<Duration>,
}

impl WindowBudget {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        WindowBudget {
            committed: 0,
            channels: 0,
            total: limits.window_total,
            initial: limits.window_initial.max(1),
            max: limits.window_max.max(limits.window_initial),
            max_channels: u64::try_from(limits.max_channels).unwrap_or(u64::MAX),
            round_trip: None,
        }
    }

    /// Records a round trip. The shortest counts: waiting in queues only makes them longer.
    pub(super) fn observe_round_trip(&mut self, sample: Duration) {
        if sample <= LONGEST_ROUND_TRIP {
            let sample = sample.max(SHORTEST_ROUND_TRIP);
            self.round_trip = Some(self.round_trip.map_or(sample, |known| known.min(sample)));
        }
    }

    /// The shortest round trip seen.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// What can be given out while every channel that may still come gets its floor.
    fn spare(&self) -> u64 {
        let to_come = self.max_channels.saturating_sub(self.channels);
        self.total
            .saturating_sub(self.committed)
            .saturating_sub(to_come.saturating_mul(u64::from(FLOOR_BYTES)))
    }

    /// The window of a new channel: the usual one as long as half of the spare bytes cover it.
    pub(super) fn take_initial(&mut self) -> u32 {
        let half = u32::try_from(self.spare() / 2).unwrap_or(u32::MAX);
        let size = self.initial.min(half.max(FLOOR_BYTES));
        self.channels += 1;
        self.committed += u64::from(size);
        size
    }

    /// The window of a freed channel.
    pub(super) fn give_back(&mut self, size: u32) {
        self.channels = self.channels.saturating_sub(1);
        self.committed = self.committed.saturating_sub(u64::from(size));
    }

    /// How far a window of `size` may grow now.
    fn grow(&mut self, size: u32) -> u32 {
        let half = u32::try_from(self.spare() / 2).unwrap_or(u32::MAX);
        let growth = self.max.saturating_sub(size).min(size).min(half);
        self.committed += u64::from(growth);
        growth
    }
}

/// What the peer may send on one channel.
///
/// Always `remaining` + bytes queued or delivered and not consumed + `credit` = `size`.
#[derive(Debug)]
pub(super) struct LocalWindow {
    size: u32,
    remaining: u32,
    /// Consumed by the application and not yet announced to the peer.
    credit: u32,
    /// Since when, and how much, the application has consumed in the current measurement.
    epoch: Option<(Instant, u64)>,
}

impl LocalWindow {
    pub(super) fn new(size: u32) -> Self {
        LocalWindow {
            size,
            remaining: size,
            credit: 0,
            epoch: None,
        }
    }

    /// The size that the window has grown to.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// Takes a message of the peer out of the window.
    pub(super) fn receive(&mut self, length: usize, max_packet: u32) -> Result<(), PeerMisbehaved> {
        let length = u32::try_from(length).map_err(|_| PeerMisbehaved::PacketSizeExceeded)?;
        if length > max_packet {
            return Err(PeerMisbehaved::PacketSizeExceeded);
        }
        self.remaining = self
            .remaining
            .checked_sub(length)
            .ok_or(PeerMisbehaved::WindowExceeded)?;
        Ok(())
    }

    /// The application has consumed `bytes` and `queued` are still unread. Returns by how much to adjust the
    /// peer's view now, if it is time.
    pub(super) fn consume(
        &mut self,
        bytes: usize,
        queued: usize,
        now: Instant,
        budget: &mut WindowBudget,
    ) -> Option<u32> {
        // More than the peer could send cannot have been consumed; the invariant holds whatever we are told.
        let outstanding = self
            .size
            .saturating_sub(self.remaining)
            .saturating_sub(self.credit);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(outstanding);
        if bytes == 0 {
            return None;
        }
        self.credit += bytes;
        let epoch = self.epoch.get_or_insert((now, 0));
        epoch.1 += u64::from(bytes);
        // A quarter keeps the peer from running dry before the adjustment arrives, and adjustments rare.
        if self.credit < (self.size / 4).max(1) {
            return None;
        }
        let growth = self.growth(queued, now, budget);
        self.size += growth;
        let adjust = self.credit + growth;
        self.credit = 0;
        self.remaining += adjust;
        Some(adjust)
    }

    /// By how much the window grows: it doubles when a whole window was consumed within a few round trips, which
    /// is the mark of a peer that waits for adjustments, and the application has kept up with it all the time.
    fn growth(&mut self, queued: usize, now: Instant, budget: &mut WindowBudget) -> u32 {
        let (Some((since, bytes)), Some(round_trip)) = (self.epoch, budget.round_trip) else {
            return 0;
        };
        let lags = u32::try_from(queued).map_or(true, |queued| queued > self.size / 2);
        if lags {
            self.epoch = None;
            return 0;
        }
        if bytes < u64::from(self.size) {
            return 0;
        }
        self.epoch = None;
        if now.saturating_duration_since(since) <= round_trip.saturating_mul(GROWTH_ROUND_TRIPS) {
            budget.grow(self.size)
        } else {
            0
        }
    }
}

/// What we may send on one channel.
#[derive(Debug)]
pub(super) struct RemoteWindow {
    bytes: u32,
    max_packet: u32,
}

impl RemoteWindow {
    /// Nothing may be sent before the peer has said how much.
    pub(super) fn closed() -> Self {
        RemoteWindow {
            bytes: 0,
            max_packet: 1,
        }
    }

    /// What the peer announced; its packet size is clamped to ours. `None` for a packet size of 0, with which
    /// nothing could ever be sent.
    pub(super) fn announced(bytes: u32, max_packet: u32, limit: u32) -> Option<Self> {
        let max_packet = max_packet.min(limit.max(1));
        (max_packet > 0).then_some(RemoteWindow { bytes, max_packet })
    }

    /// Bytes that may be sent.
    pub(super) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Most bytes in one message.
    pub(super) fn max_packet(&self) -> u32 {
        self.max_packet
    }

    /// Takes at most `wanted` bytes.
    pub(super) fn take(&mut self, wanted: usize) -> u32 {
        let taken = u32::try_from(wanted).unwrap_or(u32::MAX).min(self.bytes);
        self.bytes -= taken;
        taken
    }

    /// SSH_MSG_CHANNEL_WINDOW_ADJUST. Returns whether the window opened from 0.
    pub(super) fn adjust(&mut self, bytes: u32) -> Result<bool, PeerMisbehaved> {
        let was_empty = self.bytes == 0;
        // RFC 4254 §5.2: the window MUST NOT be increased above 2^32 - 1 bytes.
        self.bytes = self
            .bytes
            .checked_add(bytes)
            .ok_or(PeerMisbehaved::WindowOverflow)?;
        Ok(was_empty && self.bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u32 = 1024 * 1024;

    fn budget() -> WindowBudget {
        WindowBudget::new(&ConnectionLimits::default())
    }

    /// Lets a peer that is limited only by the window send for `rounds` round trips; returns the window's size.
    fn run(
        window: &mut LocalWindow,
        budget: &mut WindowBudget,
        rounds: u32,
        per_round: u32,
    ) -> u32 {
        let mut now = Instant::now();
        for _ in 0..rounds {
            now += Duration::from_millis(100);
            let mut left = per_round.min(window.remaining);
            while left > 0 {
                let piece = left.min(32_768);
                window
                    .receive(usize::try_from(piece).unwrap(), 65_536)
                    .unwrap();
                window.consume(usize::try_from(piece).unwrap(), 0, now, budget);
                left -= piece;
                assert!(window.remaining + window.credit <= window.size);
            }
        }
        window.size
    }

    #[test]
    fn a_window_that_is_the_bottleneck_grows_to_the_bound() {
        let mut budget = budget();
        budget.observe_round_trip(Duration::from_millis(100));
        let mut window = LocalWindow::new(budget.take_initial());
        assert_eq!(run(&mut window, &mut budget, 100, u32::MAX), 64 * MIB);
        assert_eq!(budget.committed, u64::from(64 * MIB));
        budget.give_back(window.size());
        assert_eq!(budget.committed, 0);
    }

    #[test]
    fn a_slow_stream_does_not_grow_the_window() {
        let mut budget = budget();
        budget.observe_round_trip(Duration::from_millis(100));
        let mut window = LocalWindow::new(budget.take_initial());
        assert_eq!(run(&mut window, &mut budget, 400, MIB / 4), 2 * MIB);
    }

    #[test]
    fn an_application_that_lags_does_not_grow_the_window() {
        let mut budget = budget();
        budget.observe_round_trip(Duration::from_secs(1));
        let mut window = LocalWindow::new(2 * MIB);
        let now = Instant::now();
        for _ in 0..100 {
            window.receive(65_536, 65_536).unwrap();
            window.consume(65_536, 1_100_000, now, &mut budget);
        }
        assert_eq!(window.size(), 2 * MIB);
    }

    #[test]
    fn without_a_round_trip_the_window_stays() {
        let mut budget = budget();
        budget.observe_round_trip(Duration::from_secs(3600));
        let mut window = LocalWindow::new(budget.take_initial());
        assert_eq!(run(&mut window, &mut budget, 100, u32::MAX), 2 * MIB);
    }

    #[test]
    fn every_channel_gets_a_window_and_the_sum_is_bounded() {
        let limits = ConnectionLimits::default();
        let mut budget = WindowBudget::new(&limits);
        let sizes: Vec<u32> = (0..limits.max_channels)
            .map(|_| budget.take_initial())
            .collect();
        assert!(sizes.iter().all(|size| *size >= FLOOR_BYTES));
        assert!(sizes
            .iter()
            .take(16)
            .all(|size| *size == limits.window_initial));
        assert!(
            budget.committed <= limits.window_total,
            "{}",
            budget.committed
        );
        budget.grow(64 * MIB);
        assert!(budget.committed <= limits.window_total);
    }

    #[test]
    fn w1_w2_the_bounds_are_exact() {
        let mut window = LocalWindow::new(100);
        assert_eq!(
            window.receive(101, 200),
            Err(PeerMisbehaved::WindowExceeded)
        );
        assert_eq!(
            window.receive(51, 50),
            Err(PeerMisbehaved::PacketSizeExceeded)
        );
        assert_eq!(window.receive(100, 100), Ok(()));
        assert_eq!(window.receive(0, 100), Ok(()));
        assert_eq!(window.receive(1, 100), Err(PeerMisbehaved::WindowExceeded));
    }

    #[test]
    fn nothing_is_credited_twice() {
        let mut budget = budget();
        let mut window = LocalWindow::new(100);
        window.receive(60, 100).unwrap();
        assert_eq!(
            window.consume(1000, 0, Instant::now(), &mut budget),
            Some(60)
        );
        assert_eq!(window.consume(1, 0, Instant::now(), &mut budget), None);
        assert_eq!(window.remaining, 100);
    }

    #[test]
    fn w3_the_remote_window_does_not_overflow() {
        let mut window = RemoteWindow::announced(0, 8, 100).unwrap();
        assert_eq!(window.adjust(0), Ok(false));
        assert_eq!(window.adjust(u32::MAX), Ok(true));
        assert_eq!(window.adjust(0), Ok(false));
        assert_eq!(window.adjust(1), Err(PeerMisbehaved::WindowOverflow));
        assert_eq!(window.take(10), 10);
        assert_eq!(window.adjust(10), Ok(false));
        assert_eq!(window.take(usize::MAX), u32::MAX);
        assert_eq!(window.take(5), 0);
    }

    #[test]
    fn c5_packet_sizes() {
        assert!(RemoteWindow::announced(1, 0, 100).is_none());
        assert_eq!(RemoteWindow::announced(1, 1, 100).unwrap().max_packet(), 1);
        assert_eq!(
            RemoteWindow::announced(1, u32::MAX, 100)
                .unwrap()
                .max_packet(),
            100
        );
    }
}
