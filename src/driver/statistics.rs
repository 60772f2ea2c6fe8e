//! What a transport has carried.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::transport::Transport;
use crate::endpoint::{Inbound, Outbound};
use crate::packet::Counters;

/// Counted since the transport was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets and their bytes on the wire; the bytes of a packet count once it is sealed, whether it has left or not.
    pub sent: Counters,
    /// Packets that were taken, and their bytes.
    pub received: Counters,
    /// Key exchanges, the first one included.
    pub key_exchanges: u64,
    /// What the last keepalive that was answered took.
    pub round_trip: Option<Duration>,
    /// Writes that had to wait until the peer gave more window.
    pub window_stalls: u64,
    /// Channels there are now, those of which one side is still open included.
    pub channels: usize,
}

impl Transport {
    /// What it has carried so far. May be asked after its end, too.
    pub fn statistics(&self) -> Statistics {
        let shared = &self.shared;
        let received = shared.receiving.lock().inbound.as_ref().map(Inbound::total);
        // Lets go through `with_sending`: somebody may leave a flush to us meanwhile.
        let sent = shared.with_sending(|sending| sending.outbound.as_ref().map(Outbound::total));
        let serving = shared.serving.lock();
        Statistics {
            sent: sent.unwrap_or_default(),
            received: received.unwrap_or_default(),
            key_exchanges: serving.key_exchanges,
            round_trip: serving.keepalive.round_trip(),
            window_stalls: shared.window_stalls.load(Ordering::Relaxed),
            channels: serving.channels.len(),
        }
    }
}
