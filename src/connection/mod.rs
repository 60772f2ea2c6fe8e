//! The connection protocol (RFC 4254): channels, windows, channel requests, global requests. Sans-I/O.
//!
//! [`ConnectionLayer`] is one object for both roles. Payloads of the peer go into
//! [`handle`](ConnectionLayer::handle), commands of the application into the other methods; payloads to send come
//! out in a [`PayloadQueue`](crate::packet::PayloadQueue), news in a queue of [`ConnectionEvent`]s.
//!
//! - **Errors of `handle` end the connection**: the peer broke the protocol. Errors of the other methods concern
//!   the one call.
//! - **Questions** ([`OpenQuestion`](ConnectionEvent::OpenQuestion), [`RequestQuestion`](ConnectionEvent::RequestQuestion),
//!   [`GlobalQuestion`](ConnectionEvent::GlobalQuestion)) must all be answered, those without `want_reply` too:
//!   the unanswered ones are counted against a bound. They may be answered in any order; the replies leave in the
//!   order that RFC 4254 §4 and §5.4 ask for.
//! - **Outgoing data** do not pass through the layer: [`reserve`](ConnectionLayer::reserve) takes bytes from the
//!   peer's window and the caller seals the messages, so that data are copied once.
//! - **Incoming data** go straight into the buffer of a waiting reader through [`DataSink`] or into the channel's
//!   queue, which the window bounds.
//! - A channel's number stays taken until both sides have sent CLOSE and [`release`](ConnectionLayer::release) was
//!   called. A channel is gone without `release` only after [`OpenFailed`](ConnectionEvent::OpenFailed) and after a
//!   refusing [`answer_open`](ConnectionLayer::answer_open).

mod asked;
mod channel;
mod commands;
mod forward;
mod global;
mod inbound;
mod layer;
mod questions;
mod queue;
mod receive;
mod requests;
mod table;
mod types;
mod window;

#[cfg(test)]
mod tests;

pub use crate::messages::channel_request::{ChannelRequest, PtyModes, X11Request};
pub use crate::messages::connection::OpenRefusalReason;
pub use crate::messages::forward::{ForwardPoint, ForwardRequest};
pub use crate::messages::open_kind::OpenKind;
pub use forward::is_same_host;
pub use layer::ConnectionLayer;
pub use queue::WholeBlocks;
pub use types::{
    data_header, ChannelId, ChannelStatus, ConnectionEvent, ConnectionLimits, DataSink,
    ExitOutcome, GlobalRequestId, NoSink, OpenRefusal, ReadOutcome, RequestId, Reservation, Stream,
    BLOCK_BYTES,
};
