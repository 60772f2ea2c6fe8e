//! What goes into and comes out of the connection layer.

use crate::codec::Writer;
use crate::messages::channel_request::ChannelRequest;
use crate::messages::connection::{ChannelExtendedData, OpenRefusalReason};
use crate::messages::forward::ForwardRequest;
use crate::messages::open_kind::OpenKind;
use crate::messages::MessageNumber;

/// Our number of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub u32);

/// A channel request, ours or the peer's. Never used twice on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A global request, ours or the peer's. Never used twice on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalRequestId(pub u64);

/// One of the two streams of a channel in one direction. They share one window (RFC 4254 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// SSH_MSG_CHANNEL_DATA.
    Data,
    /// SSH_MSG_CHANNEL_EXTENDED_DATA of type 1.
    Stderr,
}

/// Bounds against peers that ask for much. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most channels at once, those that wait for an answer included.
    pub max_channels: usize,
    /// A channel's window at first.
    pub window_initial: u32,
    /// Where a channel's window stops growing.
    pub window_max: u32,
    /// Bound on the sum of all windows; each channel gets at least a small one below it.
    pub window_total: u64,
    /// Most data bytes that we take in one message, and most that we send in one.
    pub max_packet: u32,
    /// Most `env` requests on one channel.
    pub max_env: usize,
    /// Most bytes of names and values of environment variables on one channel.
    pub max_env_bytes: usize,
    /// Most requests that wait for an answer, of each side, on one channel; the same for global requests.
    pub max_pending_requests: usize,
    /// Most bytes that the peer's unanswered questions of one connection may hold.
    pub max_pending_bytes: usize,
    /// Most places at once that the server listens on for the client.
    pub max_forwards: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        ConnectionLimits {
            max_channels: 1000,
            window_initial: 2 * 1024 * 1024,
            window_max: 64 * 1024 * 1024,
            window_total: 192 * 1024 * 1024,
            max_packet: 64 * 1024,
            max_env: 256,
            max_env_bytes: 128 * 1024,
            max_pending_requests: 256,
            max_pending_bytes: 4 * 1024 * 1024,
            max_forwards: 256,
        }
    }
}

/// A reason not to open a channel (RFC 4254 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRefusal {
    /// The code, see [`OpenRefusalReason`].
    pub reason: u32,
    /// Text for a person on the other side.
    pub description: String,
}

impl OpenRefusal {
    /// A refusal.
    pub fn new(reason: OpenRefusalReason, description: &str) -> Self {
        OpenRefusal {
            reason: reason.0,
            description: description.to_owned(),
        }
    }
}

/// Leave to send data, taken from the peer's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The peer's number for the channel.
    pub recipient: u32,
    /// Bytes that may be sent now; 0 when the window is empty or nothing was wanted.
    pub bytes: usize,
    /// Most data bytes in one message, at least 1.
    pub max_packet: usize,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// So many bytes are in the buffer; 0 only for an empty buffer.
    Data(usize),
    /// Nothing is there yet.
    WouldBlock,
    /// Nothing will come any more.
    Eof,
}

/// How the program at the other end went (RFC 4254 §6.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitOutcome {
    /// `exit-status`
    Status(u32),
    /// `exit-signal`. All texts are capped and escaped.
    Signal {
        /// The signal's name without "SIG".
        signal: String,
        /// Whether a core was dumped.
        core_dumped: bool,
        /// Text for a person.
        message: String,
        /// The language of the text.
        language: String,
    },
}

/// A look at a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelStatus<'a> {
    /// What the channel is for.
    pub kind: &'a OpenKind,
    /// Both sides agreed on the channel and neither has sent CLOSE.
    pub open: bool,
    /// The peer has sent EOF or CLOSE, or the connection is gone.
    pub eof_received: bool,
    /// The peer itself has sent EOF or CLOSE: what it sent is complete.
    pub peer_finished: bool,
    /// The peer itself has sent CLOSE.
    pub peer_closed: bool,
    /// We have sent EOF or CLOSE.
    pub eof_sent: bool,
    /// One side has sent CLOSE, or the connection is gone.
    pub closed: bool,
    /// The peer said that it reads no more (`eow@openssh.com`).
    pub peer_stopped_reading: bool,
    /// How the program went, once known.
    pub exit: Option<&'a ExitOutcome>,
    /// Bytes that we may send now.
    pub remote_window: u32,
    /// Most data bytes in one message to the peer.
    pub remote_max_packet: u32,
    /// The size our window has grown to.
    pub local_window: u32,
    /// The peer's number; only meaningful while `open`.
    pub recipient: u32,
}

impl ChannelStatus<'_> {
    /// Whether data may still be sent, window permitting.
    pub fn is_writable(&self) -> bool {
        self.open && !self.eof_sent && !self.closed
    }
}

/// Size of a block of memory in which data are queued. Below the threshold from which allocators map memory.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// Takes data on their way into a channel's queue, and has the memory for it.
pub trait DataSink {
    /// Takes a prefix of `data`, maybe nothing, into the buffer of a waiting reader and returns its length.
    ///
    /// Called only while nothing is queued for that stream. Whoever implements this tells the layer with
    /// [`consumed`](super::ConnectionLayer::consumed) about the bytes taken.
    fn deliver(&mut self, id: ChannelId, stream: Stream, data: &[u8]) -> usize;

    /// An empty block of memory for data that are queued, with room for [`BLOCK_BYTES`](super::BLOCK_BYTES).
    fn block(&mut self) -> Vec<u8> {
        Vec::with_capacity(BLOCK_BYTES)
    }
}

/// No reader waits: everything is queued.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl DataSink for NoSink {
    fn deliver(&mut self, _: ChannelId, _: Stream, _: &[u8]) -> usize {
        0
    }
}

/// News for the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The peer agreed to our open.
    Opened(ChannelId),
    /// The peer refused our open; the number is free again.
    OpenFailed {
        /// The channel that never was.
        id: ChannelId,
        /// The code, see [`OpenRefusalReason`].
        reason: u32,
        /// The peer's text, capped and escaped.
        description: String,
    },
    /// The peer wants to open a channel; answer with [`answer_open`](super::ConnectionLayer::answer_open).
    OpenQuestion {
        /// The number the channel will have.
        id: ChannelId,
        /// What it is for.
        kind: OpenKind,
    },
    /// Data were queued.
    Readable(ChannelId),
    /// The peer's window opened from 0, or the peer reads no more and writing will fail.
    Writable(ChannelId),
    /// The peer sent EOF.
    Eof(ChannelId),
    /// The peer sent CLOSE; no reply to our requests will come any more.
    Closed(ChannelId),
    /// The exit status or signal is known.
    Exit(ChannelId),
    /// The peer requests something; answer with [`answer_request`](super::ConnectionLayer::answer_request), also
    /// when no reply is wanted.
    RequestQuestion {
        /// The channel.
        id: ChannelId,
        /// To be named in the answer.
        request_id: RequestId,
        /// What is requested.
        request: ChannelRequest,
        /// Whether the peer will learn the answer.
        want_reply: bool,
    },
    /// The answer to a request of ours.
    RequestReply {
        /// The channel.
        id: ChannelId,
        /// Our request.
        request_id: RequestId,
        /// CHANNEL_SUCCESS or CHANNEL_FAILURE.
        ok: bool,
    },
    /// The peer requests something of the whole connection; answer with
    /// [`answer_global`](super::ConnectionLayer::answer_global), also when no reply is wanted.
    GlobalQuestion {
        /// To be named in the answer.
        id: GlobalRequestId,
        /// The request's name.
        name: String,
        /// Its fields as they are.
        data: Vec<u8>,
        /// Whether the peer will learn the answer.
        want_reply: bool,
    },
    /// The client wants us to listen somewhere, or to stop it; answer with
    /// [`answer_global`](super::ConnectionLayer::answer_global), also when no reply is wanted. Where a port is to be
    /// chosen, the data of the answer are the port.
    ForwardQuestion {
        /// To be named in the answer.
        id: GlobalRequestId,
        /// What is requested.
        request: ForwardRequest,
        /// Whether the peer will learn the answer.
        want_reply: bool,
    },
    /// Client: the server has told its host keys, the first time. Nothing is proven, and they may be of any type.
    HostKeys {
        /// Their blobs, at least one.
        keys: Vec<Vec<u8>>,
    },
    /// Server: the client wants proof that these host keys are ours; answer with
    /// [`answer_global`](super::ConnectionLayer::answer_global).
    ProveHostKeys {
        /// To be named in the answer.
        id: GlobalRequestId,
        /// Their blobs, at least one.
        keys: Vec<Vec<u8>>,
    },
    /// The answer to a global request of ours.
    GlobalReply {
        /// Our request.
        id: GlobalRequestId,
        /// REQUEST_SUCCESS with its fields, or REQUEST_FAILURE.
        answer: Result<Vec<u8>, ()>,
    },
}

/// Writes everything of a data message but the data: the caller appends exactly `length` bytes.
pub fn data_header(w: &mut Writer<'_>, stream: Stream, recipient: u32, length: u32) {
    match stream {
        Stream::Data => w.u8(MessageNumber::CHANNEL_DATA.0).u32(recipient),
        Stream::Stderr => w
            .u8(MessageNumber::CHANNEL_EXTENDED_DATA.0)
            .u32(recipient)
            .u32(ChannelExtendedData::STDERR),
    };
    w.u32(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::connection::ChannelData;

    #[test]
    fn headers_are_those_of_the_messages() {
        let mut payload = Vec::new();
        data_header(&mut Writer::new(&mut payload), Stream::Data, 7, 2);
        payload.extend_from_slice(b"ab");
        assert_eq!(
            ChannelData::decode(&payload).unwrap(),
            ChannelData {
                recipient: 7,
                data: b"ab"
            }
        );

        let mut payload = Vec::new();
        data_header(&mut Writer::new(&mut payload), Stream::Stderr, 7, 2);
        payload.extend_from_slice(b"ab");
        let message = ChannelExtendedData::decode(&payload).unwrap();
        assert_eq!(
            message,
            ChannelExtendedData {
                recipient: 7,
                data_type: 1,
                data: b"ab"
            }
        );
    }
}
