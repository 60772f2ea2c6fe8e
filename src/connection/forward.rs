//! Where the server listens for us: the client's table of forwards, and which opens it lets through.
//!
//! A `forwarded-*` channel is let through only for a place that was asked for and has not been cancelled. The
//! request is entered before it is sent, for the first connection may come with the answer to it.

use crate::connection::layer::ConnectionLayer;
use crate::error::Error;
use crate::messages::connection::OpenKind;
use crate::messages::forward::ForwardPoint;
use crate::messages::Role;

/// The places that were asked for, those still without an answer included.
#[derive(Debug)]
pub(super) struct Forwards {
    points: Vec<ForwardPoint>,
    max: usize,
}

impl Forwards {
    pub(super) fn new(max: usize) -> Self {
        Forwards {
            points: Vec::new(),
            max,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

impl ConnectionLayer {
    /// Lets `forwarded-*` channels of this place through. The port 0 stands for one that the server chooses, and
    /// lets nothing through until [`forward_bound`](Self::forward_bound).
    ///
    /// # Errors
    /// `ApiMisuse` for a place that is forwarded already, `Limit` when there are too many.
    pub fn add_forward(&mut self, point: ForwardPoint) -> Result<(), Error> {
        if self.forwards.points.contains(&point) && !is_open_choice(&point) {
            return Err(Error::ApiMisuse("this is forwarded already"));
        }
        if self.forwards.points.len() >= self.forwards.max {
            return Err(Error::Limit("forwards"));
        }
        self.forwards.points.push(point);
        Ok(())
    }

    /// The server has chosen a port for a place that was added with port 0.
    pub fn forward_bound(&mut self, host: &str, bound: u16) {
        let chosen = ForwardPoint::Tcp {
            host: host.to_owned(),
            port: bound,
        };
        let asked = self
            .forwards
            .points
            .iter_mut()
            .find(|point| matches!(point, ForwardPoint::Tcp { host: h, port: 0 } if h == host));
        if let Some(asked) = asked {
            *asked = chosen;
        }
    }

    /// Lets nothing of this place through any more. Says whether it was known.
    pub fn remove_forward(&mut self, point: &ForwardPoint) -> bool {
        let found = self.forwards.points.iter().position(|known| known == point);
        if let Some(index) = found {
            self.forwards.points.swap_remove(index);
        }
        found.is_some()
    }

    /// Whether a channel that only an own request may cause was requested.
    pub(super) fn was_requested(&self, kind: &OpenKind) -> bool {
        if self.role == Role::Server || self.allowed_opens.contains(kind.name()) {
            return true;
        }
        match kind {
            OpenKind::ForwardedTcpip { host, port, .. } => {
                self.forwards.points.iter().any(|point| {
                    matches!(point, ForwardPoint::Tcp { host: asked, port: live }
                    if u32::from(*live) == *port && *live != 0 && is_same_host(asked, host))
                })
            }
            OpenKind::ForwardedStreamlocal { path } => {
                self.forwards.points.iter().any(
                    |point| matches!(point, ForwardPoint::Unix { path: asked } if asked == path),
                )
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
