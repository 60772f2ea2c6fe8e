//! Forwarding of connections: what listens, connects and carries data, so that the application need not.
//!
//! Nothing here has a thread. A place that is listened on (`listener`) and each connection (`relay`) are tasks of the
//! engine's I/O threads: a turn does what can be done without waiting. A connection holds at most one buffer in each
//! direction, reads nothing more while that one cannot be passed on, and so holds up nobody but itself.

pub(crate) mod bind;
#[cfg(any(test, fuzzing))]
#[allow(clippy::indexing_slicing)]
pub(crate) mod fuzzing;
mod group;
mod listener;
mod pipe;
mod reach;
mod relay;
mod serve;
mod session;
mod socks;
#[cfg(test)]
mod tests;
mod visit;
mod x11;

use std::sync::Arc;

use crate::config::Permitted;
use crate::connection::ForwardPoint;
use crate::driver::{Request, Timeout, Transport};
use crate::error::Error;
use crate::messages::Role;

use group::Group;
use listener::{Listener, Purpose};

pub use bind::check as check_listen;
pub use group::Counts;
pub use reach::check as check_target;
pub use serve::{serve, serve_agent, serve_x11};
pub use session::{request_agent, request_x11, Display};

/// Most connections at once by default.
const DEFAULT_CONNECTIONS: usize = 256;

/// One forwarding: a place that is listened on, on this side or the other, and the connections that came from there.
/// Dropping it ends both.
pub struct Forward {
    group: Arc<Group>,
    /// Where it is listened on, with the port that was chosen.
    bound: ForwardPoint,
    /// `None` where the server listens.
    listener: Option<Arc<Listener>>,
}

impl Forward {
    /// Listens here; the server connects to `target`.
    pub fn local(
        transport: &Transport,
        listen: &ForwardPoint,
        target: ForwardPoint,
    ) -> Result<Self, Error> {
        reach::check(&target)?;
        Self::listen(transport, listen, Purpose::Direct(target))
    }

    /// Listens here for programs that speak SOCKS (4, 4a or 5) and say where the server is to connect to.
    pub fn dynamic(transport: &Transport, listen: &ForwardPoint) -> Result<Self, Error> {
        Self::listen(transport, listen, Purpose::Socks)
    }

    fn listen(
        transport: &Transport,
        listen: &ForwardPoint,
        purpose: Purpose,
    ) -> Result<Self, Error> {
        transport.require(Role::Client)?;
        transport.require_certain_host_key()?;
        let group = Group::new(transport.clone(), DEFAULT_CONNECTIONS);
        let (listener, bound) = Listener::bind(&group, listen, |_| purpose)?;
        listener.start()?;
        Ok(Forward {
            group,
            bound,
            listener: Some(listener),
        })
    }

    /// The server listens; this side connects to `target`, and only when that works does the channel open.
    pub fn remote(
        transport: &Transport,
        listen: ForwardPoint,
        target: ForwardPoint,
        timeout: Timeout,
    ) -> Result<Self, Error> {
        reach::check(&target)?;
        Self::remotely(transport, listen, timeout, move |group, request| {
            serve::connect(group, request, &target, None);
        })
    }

    /// The server listens for programs that speak SOCKS (4, 4a or 5); this side connects to where they say, as far as that
    /// is permitted.
    pub fn remote_dynamic(
        transport: &Transport,
        listen: ForwardPoint,
        permitted: Permitted,
        timeout: Timeout,
    ) -> Result<Self, Error> {
        let permitted = Arc::new(permitted);
        Self::remotely(transport, listen, timeout, move |group, request| {
            serve::visit(group, request, &permitted);
        })
    }

    /// The server listens, and `take` gets what comes in there.
    fn remotely(
        transport: &Transport,
        listen: ForwardPoint,
        timeout: Timeout,
        take: impl Fn(&Arc<Group>, Request) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let group = Group::new(transport.clone(), DEFAULT_CONNECTIONS);
        let handler = {
            let group = Arc::clone(&group);
            Arc::new(move |request: Request| take(&group, request))
        };
        let bound = transport.request_forward(listen, Some(handler), timeout)?;
        Ok(Forward {
            group,
            bound,
            listener: None,
        })
    }

    /// Where it is listened on.
    pub fn bound(&self) -> &ForwardPoint {
        &self.bound
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.group.counts()
    }

    /// At most so many connections at once: more wait until one ends, or are refused where the server listens.
    pub fn set_max_connections(&self, max: usize) {
        self.group.set_max(max);
    }

    /// Whether new connections are still taken.
    pub fn is_listening(&self) -> bool {
        self.group.is_listening() && self.group.transport().cause().is_none()
    }

    /// No new connections; those that there are go on. Does not wait for the server.
    pub fn stop(&self) {
        let first = self.group.stop();
        match &self.listener {
            Some(listener) => listener.end(),
            None if first => {
                // Fails only when the session is over, or the forward was cancelled elsewhere.
                let _ = self.group.transport().cancel_forward_now(&self.bound);
            }
            None => {}
        }
    }

    /// Ends the connections too.
    pub fn close(&self) {
        self.stop();
        self.group.close();
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.close();
    }
}
