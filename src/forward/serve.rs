//! Doing what the peer asks for: connecting to a target, or listening for it.

use std::sync::Arc;

use super::group::{Group, Place};
use super::listener::{Listener, Purpose};
use super::reach;
use super::relay::Relay;
use crate::connection::{ForwardPoint, ForwardRequest, OpenKind, OpenRefusalReason};
use crate::driver::{Question, Request, Socket};
use crate::error::Error;

/// Says yes to a request to connect or to listen, and does what is asked. Where that cannot be done the request is
/// refused. Whether a target could be reached is known later, and the peer alone is told.
pub fn serve(request: Request) -> Result<(), Error> {
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
            connect(&Group::new(request.transport(), 1), request, &target);
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
pub(super) fn connect(group: &Arc<Group>, request: Request, target: &ForwardPoint) {
    let Some(place) = Place::take(group).filter(|_| !group.is_closed()) else {
        let shortage = OpenRefusalReason::RESOURCE_SHORTAGE.0;
        let _ = request.refuse_channel(shortage, String::from("too many connections"));
        return;
    };
    reach::reach(target, move |outcome| {
        let socket = outcome.and_then(|socket| Socket::new(socket).map_err(|(error, _)| error));
        let carried = match socket {
            Ok(socket) => Relay::accept(place, socket, &request),
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
    });
}

/// Most connections at once of one place that is listened on for a peer.
const MAX_CONNECTIONS: usize = 256;

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
    let weak = Arc::downgrade(&listener);
    let stop = move || {
        if let Some(listener) = weak.upgrade() {
            listener.end();
        }
    };
    transport.note_listening(bound.clone(), Box::new(stop));
    match &bound {
        ForwardPoint::Tcp { port, .. } => request.accept_port(*port)?,
        ForwardPoint::Unix { .. } => request.accept()?,
    }
    // Not before the answer is on its way: a channel must not overtake it.
    listener.start()
}
