//! What a transport runs over: a socket, callbacks of the application's, or a channel of another transport.
//!
//! A stream is used as a socket is, without waiting: [`Stream::receive`] and [`Stream::send`] move what can be
//! moved now. A socket is watched by the poller. The other kinds have a [`Waker`] in its place, which remembers
//! that there is something to read or room to write, and has the I/O thread look.

mod address;
mod callbacks;
mod channel;
mod waker;

use std::sync::Arc;
use std::time::Duration;

use super::engine::{Ready, Worker};
use super::event::Event;
use crate::error::Error;

pub(crate) use super::sys::socket::{Progress, Socket};
pub(crate) use address::AddressStream;
pub(crate) use callbacks::{guarded, CallbackStream};
pub use callbacks::{ByteStream, StreamFault};
pub(crate) use channel::ChannelStream;
pub(crate) use waker::Waker;

/// The stream of a transport.
///
/// [`receive`](Self::receive) is called by the holder of the transport's receiving lock, [`send`](Self::send) by
/// that of the sending lock, [`close`](Self::close) by the holder of both.
pub(crate) enum Stream {
    /// A connected stream socket.
    Socket(Socket),
    /// A TCP connection that is made in the background.
    Address(AddressStream),
    /// Functions of the application's.
    Callbacks(CallbackStream),
    /// A channel of another transport.
    Channel(ChannelStream),
}

impl Stream {
    /// The socket, where there is one by now.
    fn socket(&self) -> Option<&Socket> {
        match self {
            Stream::Socket(socket) => Some(socket),
            Stream::Address(address) => address.socket(),
            Stream::Callbacks(_) | Stream::Channel(_) => None,
        }
    }

    /// How many transports carry it.
    pub(crate) fn transports_below(&self) -> u16 {
        match self {
            Stream::Channel(channel) => channel.transports_below(),
            Stream::Socket(_) | Stream::Address(_) | Stream::Callbacks(_) => 0,
        }
    }

    /// Whether a caller can wait for it with [`wait`](Self::wait).
    pub(crate) fn has_socket(&self) -> bool {
        self.socket().is_some()
    }

    /// Sleeps until the socket is readable or writable, as wanted, `seat` is set, or time is over. The descriptor must not be
    /// closed meanwhile.
    pub(crate) fn wait(&self, seat: &Event, wanted: (bool, bool), time: Option<Duration>) -> Ready {
        match (self.socket(), seat.descriptor_made()) {
            (Some(socket), Some(wake)) => {
                let (readable, writable) = socket.wait(wake, wanted, time);
                Ready { readable, writable }
            }
            _ => Ready::default(),
        }
    }

    /// Has it be readable only when so many bytes are there, or the end; false where that cannot be.
    pub(crate) fn wake_at(&self, bytes: usize) -> bool {
        self.socket().is_some_and(|socket| socket.wake_at(bytes))
    }

    /// Address and port of the peer, for TCP.
    pub(crate) fn peer(&self) -> Option<(&str, u16)> {
        self.socket()?.peer()
    }

    /// Where the peer is, for a person.
    pub(crate) fn describe_peer(&self) -> String {
        match (self, self.peer()) {
            (_, Some((host, port))) => format!("{host} port {port}"),
            (Stream::Address(address), None) => address.describe(),
            (Stream::Channel(channel), None) => channel.describe(),
            (Stream::Callbacks(_), None) => String::from("a peer behind callbacks"),
            (Stream::Socket(_), None) => String::from("unknown peer"),
        }
    }

    /// What tells the way to this peer from others, for TCP.
    pub(crate) fn destination(&self) -> Option<String> {
        match self {
            Stream::Address(address) => Some(address.describe()),
            _ => self
                .peer()
                .map(|(host, port)| format!("{host} port {port}")),
        }
    }

    /// Whether it has not been closed by us.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Stream::Socket(socket) => socket.is_open(),
            Stream::Address(address) => address.is_open(),
            Stream::Callbacks(callbacks) => callbacks.is_open(),
            Stream::Channel(channel) => channel.is_open(),
        }
    }

    /// Why it can never be used, where that is known.
    pub(crate) fn check_usable(&self) -> Result<(), Error> {
        match self {
            Stream::Address(address) => address.check_usable(),
            _ => Ok(()),
        }
    }

    /// How far the making of the connection is: `None` while it is made.
    pub(crate) fn connected(&self) -> Option<Result<(), Error>> {
        match self {
            Stream::Address(address) => address.outcome(),
            _ => Some(Ok(())),
        }
    }

    /// Reads what there is. Nothing moved is the end.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Progress, Error> {
        match self {
            Stream::Socket(socket) => socket.receive(buffer),
            Stream::Address(address) => address.receive(buffer),
            Stream::Callbacks(callbacks) => callbacks.receive(buffer),
            Stream::Channel(channel) => channel.receive(buffer),
        }
    }

    /// Writes what is taken now.
    pub(crate) fn send(&self, bytes: &[u8]) -> Result<Progress, Error> {
        match self {
            Stream::Socket(socket) => socket.send(bytes),
            Stream::Address(address) => address.send(bytes),
            Stream::Callbacks(callbacks) => callbacks.send(bytes),
            Stream::Channel(channel) => channel.send(bytes),
        }
    }

    /// Has the kernel acknowledge what was just read.
    pub(crate) fn acknowledge_now(&self) {
        if let Some(socket) = self.socket() {
            socket.acknowledge_now();
        }
    }

    /// No more will be written: the peer sees the end after what it has been sent, where the stream can say so.
    pub(crate) fn finish_writing(&self) {
        match self {
            Stream::Channel(channel) => channel.finish_writing(),
            // Callbacks know no end of one direction; the peer learns it from the goodbye.
            Stream::Callbacks(_) => {}
            Stream::Socket(_) | Stream::Address(_) => {
                if let Some(socket) = self.socket() {
                    socket.finish_writing();
                }
            }
        }
    }

    /// Closes it. Never waits.
    pub(crate) fn close(&self) {
        match self {
            Stream::Socket(socket) => socket.close(),
            Stream::Address(address) => address.close(),
            Stream::Callbacks(callbacks) => callbacks.close(),
            Stream::Channel(channel) => channel.close(),
        }
    }

    /// In a forked child: closes what this process has a copy of, without a lock or a call.
    pub(crate) fn forget_in_child(&self) {
        if let Some(socket) = self.socket() {
            socket.close();
        }
    }

    /// What is known without asking the poller.
    pub(crate) fn ready(&self) -> Ready {
        match self {
            Stream::Socket(_) => Ready::default(),
            Stream::Address(address) => address.waker().ready(),
            Stream::Callbacks(callbacks) => callbacks.waker().ready(),
            Stream::Channel(channel) => channel.waker().ready(),
        }
    }

    /// Whether there is more to read that the poller will not tell of.
    pub(crate) fn has_more(&self) -> bool {
        match self {
            // A background connection's poller tells of everything once there is a socket.
            Stream::Socket(_) | Stream::Address(_) => false,
            Stream::Callbacks(callbacks) => callbacks.waker().is_readable(),
            Stream::Channel(channel) => channel.waker().is_readable(),
        }
    }

    /// Whether [`attach_again`](Self::attach_again) does, when it comes to that, what [`attach`](Self::attach) would do now.
    pub(crate) fn can_be_attached_later(&self) -> bool {
        matches!(self, Stream::Socket(_))
    }

    /// From now on the I/O thread is told when there is something to do, and, for sockets, if `read`, also when there is
    /// something to read.
    pub(crate) fn attach(&self, worker: &Arc<Worker>, key: u64, read: bool) -> Result<(), Error> {
        match self {
            Stream::Socket(socket) => worker.watch(socket, key, (read, false)),
            Stream::Address(address) => address.attach(worker, key, read),
            Stream::Callbacks(callbacks) => callbacks.attach(worker, key),
            Stream::Channel(channel) => {
                channel.waker().attach(worker, key);
                Ok(())
            }
        }
    }

    /// Changes what the I/O thread is told of. Fails when the stream is closed.
    pub(crate) fn set_interest(
        &self,
        worker: &Worker,
        key: u64,
        (read, write): (bool, bool),
    ) -> Result<(), Error> {
        match self {
            Stream::Socket(socket) => worker.watch_again(socket, key, (read, write)),
            Stream::Address(address) => address.set_interest(worker, key, (read, write)),
            // A waker tells each change once; that costs nothing while nobody cares.
            Stream::Callbacks(_) | Stream::Channel(_) => Ok(()),
        }
    }

    /// After [`detach`](Self::detach): it is told again of the socket, where there is one.
    pub(crate) fn attach_again(
        &self,
        worker: &Worker,
        key: u64,
        wanted: (bool, bool),
    ) -> Result<(), Error> {
        self.socket()
            .map_or(Ok(()), |socket| worker.watch(socket, key, wanted))
    }

    /// The I/O thread is not told of the socket any more.
    pub(crate) fn detach(&self, worker: &Worker) {
        if let Some(socket) = self.socket() {
            worker.unwatch(socket);
        }
    }
}
