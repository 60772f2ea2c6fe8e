//! The receiving half of one channel: window, queues, and where the data go.

use std::time::Instant;

use crate::connection::queue::{ReceiveQueue, WholeBlocks};
use crate::connection::types::{ChannelId, DataSink, Stream};
use crate::connection::window::{LocalWindow, WindowBudget};

/// What became of a piece of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    /// Some of it was queued: a reader will find it.
    pub(super) queued: bool,
    /// Bytes that nobody wants and that must be credited at once.
    pub(super) discarded: usize,
}

/// Window, queues and the application's wishes about them.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) window: LocalWindow,
    data: ReceiveQueue,
    stderr: ReceiveQueue,
    /// Bytes that the sink took and that were not reported as consumed yet.
    delivered: usize,
    /// Whether extended data of type 1 can mean anything on this channel.
    stderr_expected: bool,
    combine_stderr: bool,
    discard_stderr: bool,
    shut: bool,
}

impl Inbound {
    pub(super) fn new(window: LocalWindow, stderr_expected: bool) -> Self {
        Inbound {
            window,
            data: ReceiveQueue::default(),
            stderr: ReceiveQueue::default(),
            delivered: 0,
            stderr_expected,
            combine_stderr: false,
            discard_stderr: false,
            shut: false,
        }
    }

    /// Bytes queued for a stream.
    pub(super) fn buffered(&self, stream: Stream) -> usize {
        match stream {
            Stream::Data => self.data.len(),
            Stream::Stderr => self.stderr.len(),
        }
    }

    /// Bytes queued for both streams.
    fn queued(&self) -> usize {
        self.data.len() + self.stderr.len()
    }

    /// Whether the application has said that it reads no more.
    pub(super) fn is_shut(&self) -> bool {
        self.shut
    }

    /// Sorts data that passed the window: to a waiting reader, into a queue, or nowhere.
    pub(super) fn receive(
        &mut self,
        id: ChannelId,
        stream: Stream,
        data: &[u8],
        sink: &mut dyn DataSink,
    ) -> Received {
        let nothing = Received {
            queued: false,
            discarded: 0,
        };
        let stderr = stream == Stream::Stderr;
        let unwanted = stderr && (self.discard_stderr || !self.stderr_expected);
        if data.is_empty() {
            return nothing;
        }
        if self.shut || unwanted {
            return Received {
                discarded: data.len(),
                ..nothing
            };
        }
        let (stream, queue) = match stream {
            Stream::Stderr if !self.combine_stderr => (Stream::Stderr, &mut self.stderr),
            _ => (Stream::Data, &mut self.data),
        };
        let taken = if queue.is_empty() {
            sink.deliver(id, stream, data).min(data.len())
        } else {
            0
        };
        self.delivered += taken;
        let rest = data.get(taken..).unwrap_or_default();
        queue.push(rest, sink);
        Received {
            queued: !rest.is_empty(),
            ..nothing
        }
    }

    /// Moves queued bytes into `buf`; see [`ReceiveQueue::read`].
    pub(super) fn read(
        &mut self,
        stream: Stream,
        buf: &mut [u8],
        whole: &mut WholeBlocks,
    ) -> usize {
        match stream {
            Stream::Data => self.data.read(buf, whole),
            Stream::Stderr => self.stderr.read(buf, whole),
        }
    }

    /// The sink's bytes were consumed. Returns how many of them are believed.
    pub(super) fn delivered_consumed(&mut self, bytes: usize) -> usize {
        let bytes = bytes.min(self.delivered);
        self.delivered -= bytes;
        bytes
    }

    /// Counts consumed bytes; see [`LocalWindow::consume`].
    pub(super) fn consume(
        &mut self,
        bytes: usize,
        now: Instant,
        budget: &mut WindowBudget,
    ) -> Option<u32> {
        let queued = self.queued();
        self.window.consume(bytes, queued, now, budget)
    }

    /// Puts stderr into the data stream, or no longer. Returns the former setting.
    pub(super) fn set_combine_stderr(&mut self, combine: bool) -> bool {
        if combine {
            self.data.append(&mut self.stderr);
        }
        std::mem::replace(&mut self.combine_stderr, combine)
    }

    /// Throws stderr away from now on. Returns the bytes that were queued.
    pub(super) fn discard_stderr(&mut self) -> usize {
        self.discard_stderr = true;
        self.stderr.clear()
    }

    /// Throws everything away from now on. Returns the bytes that were queued.
    pub(super) fn shut(&mut self) -> usize {
        self.shut = true;
        self.data.clear() + self.stderr.clear()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inbound: &mut Inbound, buf: &mut [u8]) -> usize {
        let mut whole = WholeBlocks::default();
        let count = inbound.read(Stream::Data, buf, &mut whole);
        whole.copy_to(buf, drop);
        count
    }

    struct Takes(usize, Vec<(Stream, Vec<u8>)>);
    impl DataSink for Takes {
        fn deliver(&mut self, _: ChannelId, stream: Stream, data: &[u8]) -> usize {
            let count = self.0.min(data.len());
            self.1.push((stream, data[..count].to_vec()));
            count
        }
    }

    #[test]
    fn the_sink_is_asked_only_while_nothing_is_queued() {
        let mut inbound = Inbound::new(LocalWindow::new(1000), true);
        let mut sink = Takes(2, Vec::new());
        let id = ChannelId(1);
        assert!(inbound.receive(id, Stream::Data, b"abcd", &mut sink).queued);
        inbound.receive(id, Stream::Data, b"ef", &mut sink);
        assert!(!inbound.receive(id, Stream::Stderr, b"x", &mut sink).queued);
        assert_eq!(
            sink.1,
            [
                (Stream::Data, b"ab".to_vec()),
                (Stream::Stderr, b"x".to_vec())
            ]
        );
        let mut buf = [0; 8];
        assert_eq!(read(&mut inbound, &mut buf), 4);
        assert_eq!(&buf[..4], b"cdef");
        assert_eq!(inbound.delivered_consumed(100), 3);
        assert_eq!(inbound.delivered_consumed(100), 0);
    }

    #[test]
    fn combining_moves_stderr_behind_data() {
        let mut inbound = Inbound::new(LocalWindow::new(1000), true);
        let mut sink = Takes(0, Vec::new());
        let id = ChannelId(1);
        inbound.receive(id, Stream::Stderr, b"err", &mut sink);
        inbound.receive(id, Stream::Data, b"out", &mut sink);
        assert!(!inbound.set_combine_stderr(true));
        inbound.receive(id, Stream::Stderr, b"more", &mut sink);
        let mut buf = [0; 16];
        assert_eq!(read(&mut inbound, &mut buf), 10);
        assert_eq!(&buf[..10], b"outerrmore");
        assert!(inbound.set_combine_stderr(false));
    }

    #[test]
    fn unwanted_data_are_discarded() {
        let id = ChannelId(1);
        let mut sink = Takes(9, Vec::new());
        let mut inbound = Inbound::new(LocalWindow::new(1000), false);
        assert_eq!(
            inbound
                .receive(id, Stream::Stderr, b"err", &mut sink)
                .discarded,
            3
        );
        let mut inbound = Inbound::new(LocalWindow::new(1000), true);
        inbound.receive(id, Stream::Stderr, b"0123456789", &mut sink);
        assert_eq!(inbound.discard_stderr(), 1);
        assert_eq!(
            inbound
                .receive(id, Stream::Stderr, b"err", &mut sink)
                .discarded,
            3
        );
        inbound.receive(id, Stream::Data, b"0123456789", &mut sink);
        assert_eq!(inbound.shut(), 1);
        assert_eq!(
            inbound
                .receive(id, Stream::Data, b"abc", &mut sink)
                .discarded,
            3
        );
    }
}
