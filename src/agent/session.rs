//! An agent as one login uses it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::client::Agent;
use super::message::Constraints;
use crate::driver::{Deadline, Timeout, Transport};
use crate::error::Error;
use crate::keys::{Credential, PrivateKey};

/// How long the agent has for what it need not ask anybody about.
const QUICK: Duration = Duration::from_secs(5);

/// An agent that knows which session its signatures are for, so that it can hold keys to their destinations. Agents that
/// do not know of that, or will not hear of it, are used as they are.
pub struct AgentSession {
    agent: Agent,
    /// Whether the connection was made for this login, and ends with it.
    is_own: bool,
    deadline: Deadline,
}

/// A key that an agent has.
pub struct Held {
    /// The key or certificate, with the agent to sign.
    pub credential: Credential,
    /// The agent's text for it, not cleaned for a terminal.
    pub comment: String,
}

impl AgentSession {
    /// A connection of its own to the agent at a socket.
    pub(crate) fn connect(
        socket: &Path,
        transport: &Transport,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        Self::begin(
            Agent::connect(socket, quick(deadline))?,
            true,
            transport,
            deadline,
        )
    }

    /// Another connection to an agent, or the same where the application has given the stream.
    pub(super) fn beside(
        agent: &Agent,
        transport: &Transport,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        match agent.connect_again(quick(deadline))? {
            Some(own) => Self::begin(own, true, transport, deadline),
            None => Self::begin(agent.clone(), false, transport, deadline),
        }
    }

    fn begin(
        agent: Agent,
        is_own: bool,
        transport: &Transport,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let session = AgentSession {
            agent,
            is_own,
            deadline,
        };
        if let Some(proof) = transport.session_proof() {
            match session.agent.bind(&proof, quick(deadline)) {
                Ok(()) | Err(Error::Agent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(session)
    }

    /// The keys that it has, those left out that nobody knows how to use.
    pub fn held(&self) -> Result<Vec<Held>, Error> {
        let found = self.agent.identities(quick(self.deadline))?;
        let usable = found.into_iter().filter_map(|identity| {
            // A person may be asked: the signature may take as long as the login.
            let signer = self.agent.signer(&identity.blob, left(self.deadline));
            let credential = Credential::new(&identity.blob, Arc::new(signer)).ok()?;
            Some(Held {
                credential,
                comment: identity.comment,
            })
        });
        Ok(usable.collect())
    }

    /// Has it keep a key.
    pub(crate) fn add(&self, key: &PrivateKey, constraints: Constraints) -> Result<(), Error> {
        self.agent.add(key, None, constraints, quick(self.deadline))
    }
}

impl Drop for AgentSession {
    fn drop(&mut self) {
        if self.is_own {
            // Ends what may still be asked of it.
            self.agent.close();
        }
    }
}

/// Whether an error means that this key cannot be used, and another might.
pub(crate) fn concerns_the_key(error: &Error) -> bool {
    matches!(
        error,
        Error::Agent(_) | Error::Key(_) | Error::Callback(_) | Error::NoCommonAlgorithm(_)
    )
}

pub(super) fn left(deadline: Deadline) -> Timeout {
    deadline
        .remaining()
        .map_or(Timeout::Forever, Timeout::After)
}

fn quick(deadline: Deadline) -> Timeout {
    let left = deadline.remaining().unwrap_or(QUICK);
    Timeout::After(left.min(QUICK))
}
