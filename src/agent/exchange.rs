//! One request and its answer over a stream, and the connection of a forwarded agent, which is asked one thing only.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use super::frame::Incoming;
use super::message::Request;
use super::stream::{AgentStream, UnixSocket};
use crate::codec::Writer;
use crate::driver::Timeout;
use crate::error::{AgentFault, Error};
use crate::transport::SessionProof;

/// The extension that binds a connection to a session.
const SESSION_BIND: &str = "session-bind@openssh.com";
/// The longest single wait, after which cancelling and the deadline are looked at.
pub(super) const WAIT: Duration = Duration::from_secs(1);
/// Bytes read at a time.
const READ_BYTES: usize = 4096;

/// Sends a frame and reads one. `patience` says how long to wait now, or why not to wait any more.
pub(super) fn talk(
    stream: &dyn AgentStream,
    frame: &[u8],
    patience: impl Fn() -> Result<Duration, Error>,
) -> Result<Incoming, Error> {
    let mut rest = frame;
    while !rest.is_empty() {
        match stream.write(rest, patience()?)? {
            Some(0) => return Err(AgentFault::Gone.into()),
            Some(count) => rest = rest.get(count..).unwrap_or_default(),
            None => {}
        }
    }
    let mut answer = Incoming::default();
    let mut buffer = [0; READ_BYTES];
    while let Some(wanted) = answer.wanted()? {
        let room = buffer.get_mut(..wanted.min(READ_BYTES)).unwrap_or_default();
        match stream.read(room, patience()?)? {
            Some(0) => return Err(AgentFault::Gone.into()),
            Some(count) => answer.push(room.get(..count).unwrap_or_default()),
            None => {}
        }
    }
    Ok(answer)
}

/// A connection to the agent at `socket` for programs on the other side of a session, to which its user forwards it. The
/// agent is told of that, so that it can hold keys to their destinations; one that does not know of it is used as it is.
pub fn connect_forwarded(
    socket: &Path,
    proof: Option<&SessionProof>,
    timeout: Timeout,
) -> Result<OwnedFd, Error> {
    let deadline = timeout.deadline();
    let stream = UnixSocket::connect(socket, deadline)?;
    let Some(proof) = proof else {
        return Ok(stream.into_descriptor());
    };
    let data = binding(proof, true);
    let request = bind_request(&data);
    let patience = || match deadline.remaining() {
        Some(left) if left.is_zero() => Err(Error::Timeout("the agent")),
        left => Ok(left.unwrap_or(WAIT).min(WAIT)),
    };
    match talk(&stream, &request.frame()?, patience) {
        // Whatever it says.
        Ok(_) => Ok(stream.into_descriptor()),
        Err(error @ Error::Timeout(_)) => Err(error),
        // Not every agent says no to what it does not know; some hang up.
        Err(_) => Ok(UnixSocket::connect(socket, deadline)?.into_descriptor()),
    }
}

/// What an agent is told of a session.
pub(super) fn binding(proof: &SessionProof, forwarding: bool) -> Vec<u8> {
    Writer::collect(|w| {
        w.string(&proof.host_key)
            .string(&proof.session_id)
            .string(&proof.signature)
            .bool(forwarding);
    })
}

/// The request that binds a connection to a session.
pub(super) fn bind_request(data: &[u8]) -> Request<'_> {
    Request::Extension {
        name: SESSION_BIND,
        data,
    }
}
