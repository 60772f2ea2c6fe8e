//! A stream that is a channel of another transport: how one jumps from host to host.
//!
//! The transport above is the one that uses this stream, the transport below the one that carries the channel. Bytes
//! go from one to the other by calls, with no socket and no thread between them. Locks of the transport above are
//! taken before those of the transport below, never the other way round: the transport below tells the one above
//! through the [`Waker`], which takes none of its locks.

use std::sync::Arc;

use super::{Progress, Waker};
use crate::driver::channel::{Channel, Read};
use crate::driver::sync::atomic::{AtomicBool, Ordering};
use crate::error::Error;

/// A channel with the waker that its transport tells.
pub(crate) struct ChannelStream {
    channel: Channel,
    waker: Arc<Waker>,
    open: AtomicBool,
}

impl ChannelStream {
    /// Takes the channel over: nobody else may read or write it from now on. Its standard error, where it has any,
    /// is thrown away, so that it cannot fill the window that it shares with the data.
    pub(crate) fn new(channel: Channel) -> Result<Self, Error> {
        let waker = Waker::new();
        channel.carry(Arc::clone(&waker))?;
        Ok(ChannelStream {
            channel,
            waker,
            open: AtomicBool::new(true),
        })
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn transports_below(&self) -> u16 {
        self.channel.transports_below().saturating_add(1)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn describe(&self) -> String {
        let below = self.channel.transport().name();
        format!("channel {} of {below}", self.channel.id())
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Progress, Error> {
        self.waker.begin_reading();
        match self.channel.read_now(buffer) {
            Ok(Read::Data(count)) => {
                // The end may have been told together with these data.
                if count == buffer.len() || self.channel.peer_has_ended() {
                    self.waker.leave_rest();
                }
                Ok(Progress::Moved(count))
            }
            Ok(Read::Eof) => {
                self.waker.leave_rest();
                Ok(Progress::Moved(0))
            }
            Err(Error::Timeout(_)) => Ok(Progress::WouldBlock),
            Err(cause) => {
                self.waker.leave_rest();
                Err(Error::Below(Box::new(cause)))
            }
        }
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> Result<Progress, Error> {
        match self.channel.write_now(bytes) {
            Ok(0) => Ok(Progress::WouldBlock),
            Ok(count) => Ok(Progress::Moved(count)),
            // Reading finds out why, after it has read what came before.
            Err(_) => Err(Error::ConnectionLost),
        }
    }

    pub(crate) fn finish_writing(&self) {
        // Fails only where nothing can be written anyway.
        let _ = self.channel.finish_writing();
    }

    pub(crate) fn close(&self) {
        if self.open.swap(false, Ordering::AcqRel) {
            // Fails only where it is closed.
            let _ = self.channel.close();
        }
    }
}

impl Drop for ChannelStream {
    fn drop(&mut self) {
        self.close();
    }
}
