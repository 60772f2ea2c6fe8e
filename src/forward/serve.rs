//! Doing what the peer asks for: connecting to a target, or listening for it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::group::{Group, Place};
use super::listener::{Listener, Purpose};
use super::reach;
use super::relay::Relay;
use super::visit::Visit;
use super::x11::SetupCheck;
use crate::agent::connect_forwarded;
use crate::config::Permitted;
use crate::connection::{
    ChannelId, ChannelRequest, ForwardPoint, ForwardRequest, OpenKind, OpenRefusalReason,
};
use crate::driver::{Engine, Job, Question, Request, Socket, Timeout};
use crate::error::Error;

/// Says yes to a request to connect or to listen, and does what is asked. Where that cannot be done the request is
/// refused. Whether a target could be reached is known later, and the peer alone is told.
pub fn serve(request: Request) -> Result<(), Error> {
    check_unanswered(&request)?;
    match request.question() {
        Question::ChannelOpen { kind, .. } => {
            let target = match kind {
                OpenKind::DirectTcpip { host, port, .. } => ForwardPoint::Tcp {
                    host: host.clone(),
                    port: u16::try_from(*port).unwrap_or(0),
                },
                OpenKind::DirectStreamlocal { path } => ForwardPoint::Unix { path: path.clone() },
                _ => return Err(Error::ApiMisuse("this kind of channel has no target")),
            };
            reach::check(&target)?;
            connect(&Group::new(request.transport(), 1), request, &target, None);
            Ok(())
        }
        Question::Forward {
            request: ForwardRequest::Listen(point),
            ..
        } => {
            let point = point.clone();
            listen(&request, &point)
        }
        _ => Err(Error::ApiMisuse(
            "only requests to connect or to listen are served",
        )),
    }
}

/// Connects to the target, and opens the channel when that works.
pub(super) fn connect(
    group: &Arc<Group>,
    request: Request,
    target: &ForwardPoint,
    check: Option<SetupCheck>,
) {
    if let Some((place, request)) = admit(group, request) {
        reach::reach(group.transport(), target, move |outcome| {
            carry(place, &request, outcome, check)
        });
    }
}

/// Opens the channel to hear what it is for, and connects to where it says.
pub(super) fn visit(group: &Arc<Group>, request: Request, permitted: &Arc<Permitted>) {
    let Some((place, request)) = admit(group, request) else {
        return;
    };
    // Where there is no thread for it, the request is refused by being dropped; a channel that is open is closed so.
    if Visit::accept(place, &request, Arc::clone(permitted)).is_err() {
        group.count_failure();
    }
}

/// How long an agent has to hear whom it is forwarded to.
const AGENT_TIME: Duration = Duration::from_secs(5);

/// Connects to an agent, tells it which session it is forwarded over, and opens the channel when that works.
pub(super) fn connect_agent(group: &Arc<Group>, request: Request, agent: &str) {
    let Some((place, request)) = admit(group, request) else {
        return;
    };
    let agent = PathBuf::from(agent);
    // The agent may take its time, for which an I/O thread has none. Where there is no other, the request is refused by
    // being dropped.
    if let Ok(engine) = Engine::get() {
        let _ = engine.pool().try_spawn(Box::new(move || {
            let proof = request.transport().session_proof();
            let time = Timeout::After(AGENT_TIME);
            let outcome = connect_forwarded(&agent, proof.as_ref(), time);
            carry(place, &request, outcome, None);
        }));
    }
}

/// A place for the connection that is asked for, unless too many are taken.
fn admit(group: &Arc<Group>, request: Request) -> Option<(Place, Request)> {
    match Place::take(group).filter(|_| !group.is_closed()) {
        Some(place) => Some((place, request)),
        None => {
            let shortage = OpenRefusalReason::RESOURCE_SHORTAGE.0;
            let _ = request.refuse_channel(shortage, String::from("too many connections"));
            None
        }
    }
}

/// Opens the channel to what was reached, or refuses it.
fn carry(
    place: Place,
    request: &Request,
    outcome: Result<OwnedFd, Error>,
    check: Option<SetupCheck>,
) {
    let socket = outcome.and_then(|socket| Socket::new(socket).map_err(|(error, _)| error));
    let carried = match socket {
        Ok(socket) => Relay::accept(place, socket, request, check),
        Err(error) => {
            place.group().count_failure();
            Err(error)
        }
    };
    if carried.is_err() && !request.is_answered() {
        // Fails only when the session is over.
        let failed = OpenRefusalReason::CONNECT_FAILED.0;
        let _ = request.refuse_channel(failed, String::from("connect failed"));
    }
}

/// Most connections at once of one place that is listened on for a peer.
const MAX_CONNECTIONS: usize = 256;

/// Says yes to a request to forward the agent, and listens at `path`, for programs that want to use it, as long as the session
/// lasts.
pub fn serve_agent(request: &Request, path: &ForwardPoint) -> Result<(), Error> {
    let Question::Channel {
        id,
        request: ChannelRequest::AgentForward,
        ..
    } = request.question()
    else {
        return Err(Error::ApiMisuse("the request is not about an agent"));
    };
    check_unanswered(request)?;
    let group = Group::new(request.transport(), MAX_CONNECTIONS);
    let (listener, _) = Listener::bind(&group, path, |_| Purpose::Agent)?;
    listen_for_session(request, *id, &listener)
}

/// Nothing is bound or counted for a request that has its answer.
fn check_unanswered(request: &Request) -> Result<(), Error> {
    match request.is_answered() {
        true => Err(Error::ApiMisuse("the request was answered before")),
        false => Ok(()),
    }
}

/// Says yes and takes connections until the session on this channel is over.
fn listen_for_session(
    request: &Request,
    channel: ChannelId,
    listener: &Arc<Listener>,
) -> Result<(), Error> {
    let (transport, kind) = (request.transport(), request.kind());
    transport.note_session_listening(channel, kind, ending(listener))?;
    if let Err(error) = request.accept() {
        transport.forget_session_listening(channel, kind);
        return Err(error);
    }
    let started = listener.start();
    if started.is_err() {
        // The answer has gone, but the place need not be taken for nothing.
        transport.forget_session_listening(channel, kind);
    }
    started
}

/// What ends it, if it is still there.
fn ending(listener: &Arc<Listener>) -> Job {
    let weak = Arc::downgrade(listener);
    Box::new(move || {
        if let Some(listener) = weak.upgrade() {
            listener.end();
        }
    })
}

/// The first display number that is tried: those below are left to displays of the machine.
const FIRST_DISPLAY: u16 = 10;
/// How many are tried.
const MOST_DISPLAYS: u16 = 1000;
/// The port of display 0.
const X11_PORT: u16 = 6000;

/// Says yes to a request to forward X11, and listens on loopback as a display, whose number is returned, as long as the session
/// lasts.
pub fn serve_x11(request: &Request) -> Result<u16, Error> {
    let Question::Channel {
        id,
        request: ChannelRequest::X11(asked),
        ..
    } = request.question()
    else {
        return Err(Error::ApiMisuse("the request is not about X11"));
    };
    check_unanswered(request)?;
    let single = asked.single;
    let group = Group::new(request.transport(), MAX_CONNECTIONS);
    let mut failure = Error::Resource("no display number is free");
    for display in FIRST_DISPLAY..FIRST_DISPLAY + MOST_DISPLAYS {
        let point = ForwardPoint::Tcp {
            host: String::from("localhost"),
            port: X11_PORT + display,
        };
        match Listener::bind(&group, &point, |_| Purpose::X11(single)) {
            Ok((listener, _)) => {
                listen_for_session(request, *id, &listener)?;
                return Ok(display);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Listens for the client.
fn listen(request: &Request, point: &ForwardPoint) -> Result<(), Error> {
    let transport = request.transport();
    let group = Group::new(transport.clone(), MAX_CONNECTIONS);
    let (listener, bound) =
        match Listener::bind(&group, point, |bound| Purpose::Forwarded(bound.clone())) {
            Ok(bound) => bound,
            Err(error) => {
                request.refuse()?;
                return Err(error);
            }
        };
    transport.note_listening(bound.clone(), ending(&listener));
    match &bound {
        ForwardPoint::Tcp { port, .. } => request.accept_port(*port)?,
        ForwardPoint::Unix { .. } => request.accept()?,
    }
    // Not before the answer is on its way: a channel must not overtake it.
    listener.start()
}
