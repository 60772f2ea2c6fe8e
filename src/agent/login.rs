//! Logging in with the keys of an agent and others, one after the other.

use std::collections::HashSet;

use super::client::Agent;
use super::session::{concerns_the_key, left, AgentSession};
use crate::auth::{AuthOutcome, ClientMethod};
use crate::driver::{Deadline, Timeout, Transport};
use crate::error::{Error, KeyFault};
use crate::keys::{Credential, PrivateKey, PublicKey};
use crate::messages::userauth::METHOD_PUBLICKEY;

/// Keys that are tried at most where the caller has no wish: sshd ends the connection with the sixth that it refuses.
pub const DEFAULT_TRIES: u32 = 5;

/// In which order keys are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As `ssh` does: those named that the agent has, in the agent's order, what else it has, the others that were named.
    AgentFirst,
    /// All that were named, as they were named, then what else the agent has.
    NamedFirst,
    /// Only those named.
    NamedOnly,
}

/// A key that the caller names.
pub enum Named {
    /// To be tried if the agent has it.
    Public(PublicKey),
    /// To be tried itself where the agent does not have it.
    Private(PrivateKey),
}

impl Named {
    fn public(&self) -> &PublicKey {
        match self {
            Named::Public(key) => key,
            Named::Private(key) => key.public(),
        }
    }
}

/// What to log in with.
pub struct Login {
    /// Whom to log in as.
    pub user: String,
    /// The agent, if there is one.
    pub agent: Option<Agent>,
    /// Keys that the caller names, the best first.
    pub named: Vec<Named>,
    /// In which order.
    pub order: Order,
    /// How many keys are tried at most.
    pub tries: u32,
}

impl Login {
    /// Tries one key after the other, until one is accepted or nothing is left to try. A key is tried once, and asked
    /// about before anybody signs with it. What an agent cannot do is passed over.
    ///
    /// # Errors
    /// What ended the session or the time; and where not a single key could be tried, why.
    pub fn run(&self, transport: &Transport, timeout: Timeout) -> Result<AuthOutcome, Error> {
        let deadline = timeout.deadline();
        // Ends with the login.
        let session = self
            .agent
            .as_ref()
            .map(|agent| AgentSession::beside(agent, transport, deadline));
        let held = match &session {
            Some(Ok(session)) => session.held(),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(Vec::new()),
        };
        let (held, trouble): (Vec<_>, _) = match held {
            Ok(held) => (held.into_iter().map(|held| held.credential).collect(), None),
            Err(error) => (Vec::new(), Some(error)),
        };
        self.run_with(transport, &held, trouble, deadline)
    }

    fn run_with(
        &self,
        transport: &Transport,
        held: &[Credential],
        mut trouble: Option<Error>,
        deadline: Deadline,
    ) -> Result<AuthOutcome, Error> {
        let mut last = None;
        let mut tried = 0;
        for key in self.candidates(held) {
            if tried >= self.tries {
                break;
            }
            let method = ClientMethod::PublicKey { key, probe: true };
            match transport.authenticate(&self.user, method, None, left(deadline)) {
                Ok(Some(outcome)) => {
                    tried += 1;
                    let go_on = match &outcome {
                        AuthOutcome::Success => false,
                        AuthOutcome::Partial { methods } | AuthOutcome::Failure { methods } => {
                            methods.iter().any(|method| method == METHOD_PUBLICKEY)
                        }
                    };
                    // A partial success stays one when what follows is refused.
                    if !matches!(
                        (&last, &outcome),
                        (
                            Some(AuthOutcome::Partial { .. }),
                            AuthOutcome::Failure { .. }
                        )
                    ) {
                        last = Some(outcome);
                    }
                    if !go_on {
                        break;
                    }
                }
                Ok(None) => return Err(Error::Bug("an attempt without an outcome")),
                Err(error) if concerns_the_key(&error) && transport.cause().is_none() => {
                    trouble.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match (last, trouble) {
            (Some(outcome), _) => Ok(outcome),
            (None, Some(error)) => Err(error),
            (None, None) => Err(KeyFault::None.into()),
        }
    }

    /// What is tried, each blob once.
    fn candidates(&self, held: &[Credential]) -> Vec<Credential> {
        let of_agent = |blob: &[u8]| held.iter().find(|held| held.blob() == blob).cloned();
        let named_held = || {
            let is_named = |held: &&Credential| {
                let mut named = self.named.iter();
                named.any(|named| named.public().blob() == held.blob())
            };
            held.iter().filter(is_named).cloned()
        };
        let named_here = || {
            self.named.iter().filter_map(|named| match named {
                Named::Private(key) => Some(Credential::from(key.clone())),
                Named::Public(_) => None,
            })
        };
        let either = || {
            self.named.iter().filter_map(|named| {
                of_agent(named.public().blob()).or_else(|| match named {
                    Named::Private(key) => Some(Credential::from(key.clone())),
                    Named::Public(_) => None,
                })
            })
        };
        let all: Vec<Credential> = match self.order {
            Order::AgentFirst => named_held()
                .chain(held.iter().cloned())
                .chain(named_here())
                .collect(),
            Order::NamedFirst => either().chain(held.iter().cloned()).collect(),
            Order::NamedOnly => either().collect(),
        };
        let mut seen = HashSet::new();
        all.into_iter()
            .filter(|key| seen.insert(key.blob().to_vec()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::TestRandom;
    use crate::keys::{ExternalSigner, KeyKind};
    use std::sync::Arc;

    struct Nobody;
    impl ExternalSigner for Nobody {
        fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, Error> {
            Err(Error::Cancelled)
        }
    }

    fn key() -> PrivateKey {
        PrivateKey::generate(KeyKind::Ed25519, 0, &mut TestRandom).unwrap()
    }

    fn held(key: &PrivateKey) -> Credential {
        Credential::new(key.public().blob(), Arc::new(Nobody)).unwrap()
    }

    #[test]
    fn each_order_tries_each_key_once() {
        let keys: Vec<_> = (0..4).map(|_| key()).collect();
        // The agent has 0, 1 and 2; named are 3, then 2 (private), then 1 (public).
        let agent: Vec<_> = keys[..3].iter().map(held).collect();
        let order = |order| {
            let login = Login {
                user: String::new(),
                agent: None,
                named: vec![
                    Named::Private(keys[3].clone()),
                    Named::Private(keys[2].clone()),
                    Named::Public(keys[1].public().clone()),
                ],
                order,
                tries: 9,
            };
            let found = login.candidates(&agent);
            let number = |found: &Credential| {
                keys.iter()
                    .position(|key| key.public().blob() == found.blob())
                    .unwrap()
            };
            let elsewhere: Vec<_> = found
                .iter()
                .filter(|key| key.signs_elsewhere())
                .map(number)
                .collect();
            // The agent signs with what it has.
            assert!(!elsewhere.contains(&3));
            found.iter().map(number).collect::<Vec<_>>()
        };
        assert_eq!(order(Order::AgentFirst), [1, 2, 0, 3]);
        assert_eq!(order(Order::NamedFirst), [3, 2, 1, 0]);
        assert_eq!(order(Order::NamedOnly), [3, 2, 1]);
    }
}
