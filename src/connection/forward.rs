//! Where the server listens for us: the client's table of forwards, and which opens it lets through.
//!
//! A `forwarded-*` channel is let through only for a place that was asked for and has not been cancelled. The
//! request is entered before it is sent, for the first connection may come with the answer to it.

use crate::codec::{DecodeError, Writer};
use crate::connection::layer::ConnectionLayer;
use crate::connection::types::GlobalRequestId;
use crate::error::Error;
use crate::messages::forward::{decode_bound_port, ForwardPoint, ForwardRequest};
use crate::messages::open_kind::OpenKind;
use crate::messages::Role;
use crate::packet::PayloadQueue;

/// The places that were asked for, those still without an answer included.
#[derive(Debug)]
pub(super) struct Forwards {
    live: Vec<Forward>,
    max: usize,
}

#[derive(Debug)]
struct Forward {
    /// The request that asked for it.
    id: GlobalRequestId,
    point: ForwardPoint,
    answered: bool,
    /// Nobody waits for the answer any more: a forward that is granted all the same is cancelled.
    given_up: bool,
}

/// What the answer to a global request of ours means for the table.
pub(super) enum Answered {
    /// Whoever made the request learns it.
    Tell,
    /// Nobody wants it any more; the server is to stop listening here, if it has begun to.
    GivenUp(Option<ForwardPoint>),
}

impl Forwards {
    pub(super) fn new(max: usize) -> Self {
        Forwards {
            live: Vec::new(),
            max,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Nobody waits for the answer to this request any more. Says whether it asked for a forward, whose answer is
    /// then still of interest here.
    pub(super) fn give_up(&mut self, id: GlobalRequestId) -> bool {
        let found = self.live.iter_mut().find(|forward| forward.id == id);
        if let Some(forward) = found {
            forward.given_up = true;
            return true;
        }
        false
    }

    /// The server has answered a request; `answer` is its data.
    ///
    /// # Errors
    /// It was to choose a port and told none.
    pub(super) fn answered(
        &mut self,
        id: GlobalRequestId,
        answer: Result<&[u8], ()>,
    ) -> Result<Answered, DecodeError> {
        let Some(index) = self.live.iter().position(|forward| forward.id == id) else {
            return Ok(Answered::Tell);
        };
        let Some(forward) = self.live.get_mut(index) else {
            return Ok(Answered::Tell);
        };
        forward.answered = true;
        let given_up = forward.given_up;
        if let (Ok(data), ForwardPoint::Tcp { port, .. }) = (answer, &mut forward.point) {
            *port = decode_bound_port(*port, data)?;
        }
        if answer.is_ok() && !given_up {
            return Ok(Answered::Tell);
        }
        let forward = self.live.swap_remove(index);
        Ok(if given_up {
            Answered::GivenUp(answer.is_ok().then_some(forward.point))
        } else {
            Answered::Tell
        })
    }
}

impl ConnectionLayer {
    /// Asks the server to listen somewhere, and lets `forwarded-*` channels of that place through. Where the server
    /// is to choose the port, nothing comes through before it has told which.
    ///
    /// # Errors
    /// `ApiMisuse` for a place that is forwarded already, `Limit` when there are too many, and those of
    /// [`global_request`](Self::global_request).
    pub fn request_forward(
        &mut self,
        point: ForwardPoint,
        out: &mut PayloadQueue,
    ) -> Result<GlobalRequestId, Error> {
        let known = self.forwards.live.iter().any(|live| live.point == point);
        if known && !is_open_choice(&point) {
            return Err(Error::ApiMisuse("this is forwarded already"));
        }
        if self.forwards.live.len() >= self.forwards.max {
            return Err(Error::Limit("forwards"));
        }
        let request = ForwardRequest::Listen(point);
        let id = self
            .forward_request(&request, true, out)?
            .ok_or(Error::Bug("a reply was asked for"))?;
        let ForwardRequest::Listen(point) = request else {
            return Err(Error::Bug("it was made two lines above"));
        };
        self.forwards.live.push(Forward {
            id,
            point,
            answered: false,
            given_up: false,
        });
        Ok(id)
    }

    /// Asks the server to listen there no longer, and lets nothing of that place through from now on. Returns the
    /// request that had asked for it, and this one if its reply is wanted.
    ///
    /// # Errors
    /// `ApiMisuse` for a place that is not forwarded, and those of [`global_request`](Self::global_request).
    pub fn cancel_forward(
        &mut self,
        point: &ForwardPoint,
        want_reply: bool,
        out: &mut PayloadQueue,
    ) -> Result<(GlobalRequestId, Option<GlobalRequestId>), Error> {
        let found = self
            .forwards
            .live
            .iter()
            .position(|live| live.answered && live.point == *point);
        let Some(index) = found else {
            return Err(Error::ApiMisuse("nothing is forwarded from there"));
        };
        let request = ForwardRequest::Cancel(point.clone());
        let number = self.forward_request(&request, want_reply, out)?;
        let forward = self.forwards.live.swap_remove(index);
        Ok((forward.id, number))
    }

    /// Where the server listens because of this request.
    pub fn forward_point(&self, id: GlobalRequestId) -> Option<&ForwardPoint> {
        let found = self.forwards.live.iter().find(|live| live.id == id)?;
        found.answered.then_some(&found.point)
    }

    /// The request that a `forwarded-*` channel comes from: one that somebody still wants.
    pub fn forward_of(&self, kind: &OpenKind) -> Option<GlobalRequestId> {
        let live = self.forwards.live.iter();
        let mut live = live.filter(|forward| !forward.given_up);
        let found = match kind {
            OpenKind::ForwardedTcpip { host, port, .. } => {
                let fits = |forward: &&Forward, same: fn(&str, &str) -> bool| {
                    matches!(&forward.point, ForwardPoint::Tcp { host: asked, port: live }
                        if u32::from(*live) == *port && *live != 0 && same(asked, host))
                };
                // Two names of one address may both be asked for: the one that was told goes first.
                let exact = live.clone().find(|forward| fits(forward, str::eq));
                exact.or_else(|| live.find(|forward| fits(forward, is_same_host)))
            }
            OpenKind::ForwardedStreamlocal { path } => live.find(
                |forward| matches!(&forward.point, ForwardPoint::Unix { path: asked } if asked == path),
            ),
            _ => None,
        };
        found.map(|forward| forward.id)
    }

    pub(super) fn forward_request(
        &mut self,
        request: &ForwardRequest,
        want_reply: bool,
        out: &mut PayloadQueue,
    ) -> Result<Option<GlobalRequestId>, Error> {
        let data = Writer::collect(|w| request.encode(w));
        self.global_request(request.name(), &data, want_reply, out)
    }

    /// Whether a channel that only an own request may cause was requested.
    pub(super) fn was_requested(&self, kind: &OpenKind) -> bool {
        if self.role == Role::Server || self.allowed_opens.contains(kind.name()) {
            return true;
        }
        match kind {
            OpenKind::ForwardedTcpip { .. } | OpenKind::ForwardedStreamlocal { .. } => {
                self.forward_of(kind).is_some()
            }
            _ => true,
        }
    }
}

fn is_open_choice(point: &ForwardPoint) -> bool {
    matches!(point, ForwardPoint::Tcp { port: 0, .. })
}

/// Whether the address of an open means the one that was asked for. Servers repeat it as they got it, but for
/// other names of "all addresses" and "the loopback".
pub fn is_same_host(asked: &str, told: &str) -> bool {
    const ALL: [&str; 4] = ["", "*", "0.0.0.0", "::"];
    const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
    asked == told
        || [&ALL[..], &LOOPBACK[..]]
            .iter()
            .any(|names| names.contains(&asked) && names.contains(&told))
}
