//! The threaded transport: sockets, timers, locks and deadlines around the sans-I/O endpoint.
//!
//! [`Transport`] and [`Channel`] are cheap clones of shared objects; every method may be called from any
//! thread. What blocks takes a [`Timeout`], ends with the cause when the transport dies, and can be cancelled
//! with [`Transport::cancel`]. Questions to the application are [`Request`]s.

mod address;
mod admission;
mod answering;
mod asking;
mod attendance;
mod attending;
mod authenticating;
mod baton;
mod begun;
mod buffers;
mod calling;
mod carrying;
mod channel;
mod condition;
mod connect;
mod daemon;
mod ending;
mod engine;
mod entry;
mod event;
mod forward;
mod gathering;
mod global;
mod guessing;
mod helm;
mod host_key;
mod inside;
mod keepalive;
mod log;
mod lookup;
mod low_water;
#[cfg(model)]
pub(crate) mod models;
mod opening;
mod options;
mod packetizer;
mod permitting;
pub(crate) mod person;
mod pool;
mod reach;
mod receive;
mod request;
mod rotation;
mod rounds;
mod seats;
mod sending;
mod serving;
mod settling;
mod shared;
mod statistics;
mod stream;
mod subsystem;
pub(crate) mod sync;
pub mod sys;
#[cfg(test)]
pub(crate) mod tests;
mod transport;
mod user_keys;
mod wait;
mod wakefulness;
mod writing;

pub(crate) use address::split as split_address;
pub(crate) use admission::{Admission, Door};
pub use channel::{Channel, Read};
pub(crate) use condition::Condition;
pub(crate) use connect::begin as begin_connect;
pub use engine::set_io_threads;
pub(crate) use engine::spawn_file_work;
pub(crate) use engine::{Engine, Next, Ready, Task, Worker};
pub use entry::ChannelInterest;
pub use event::Event;
pub(crate) use event::WeakEvent;
pub use forward::ForwardHandler;
pub use host_key::{HostKeyJudge, Judged};
pub use keepalive::KeepaliveCallback;
pub use log::{LogLevel, LogSink, LogTarget, PROCESS_LOG};
pub use options::TransportOptions;
pub use packetizer::{IdleCallback, Packetizer, Received, Sent};
pub(crate) use pool::Job;
pub use reach::Reach;
pub use request::{Question, Request, RequestKind};
pub use rotation::{HostKeyChange, KeyUpdates};
pub use serving::{BannerCallback, RequestCallback};
pub use statistics::Statistics;
pub(crate) use stream::{guarded, Progress, Socket, Waker};
pub use stream::{ByteStream, StreamFault};
pub use subsystem::SubsystemHandler;
pub use transport::Transport;
pub use user_keys::UserKeys;
pub use wait::Timeout;
pub(crate) use wait::{unix_time, Deadline};
