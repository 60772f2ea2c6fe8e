//! The place of a connection among those whose user is not in, which tells the policy what became of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::sync::Mutex;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, KexFault};
use crate::policy::{Counts, Fault, Gate, Limits, Refusal, Source};

/// The policy of a listener, shared with the transports that came through it. Its lock is a leaf.
#[derive(Debug, Default)]
pub(crate) struct Door {
    gate: Mutex<Gate>,
}

impl Door {
    /// Decides about a connection from `peer`.
    pub(crate) fn admit(self: &Arc<Self>, peer: Option<IpAddr>) -> Result<Admission, Refusal> {
        let now = Instant::now();
        let source = self.gate.lock().admit(peer, &mut SystemRandom, now)?;
        Ok(Admission {
            door: Some(Arc::clone(self)),
            source,
        })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Limits)) {
        change(&mut self.gate.lock().limits);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.gate.lock().counts()
    }
}

/// Given back in one of three ways; dropped, it is given back without a fault of the peer's.
#[derive(Debug)]
pub(crate) struct Admission {
    /// `None` once it has been given back.
    door: Option<Arc<Door>>,
    source: Option<Source>,
}

impl Admission {
    /// A user is in.
    pub(crate) fn authenticated(mut self) {
        if let Some(door) = self.door.take() {
            door.gate.lock().authenticated(self.source);
        }
    }

    /// The transport has ended before that. `tried` is whether an attempt to log in has failed.
    pub(crate) fn ended(mut self, cause: &Error, tried: bool) {
        self.leave(fault(cause, tried));
    }

    fn leave(&mut self, fault: Option<Fault>) {
        if let Some(door) = self.door.take() {
            door.gate.lock().left(self.source, fault, Instant::now());
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.leave(None);
    }
}

/// What the peer has to answer for.
fn fault(cause: &Error, tried: bool) -> Option<Fault> {
    match cause {
        // Our own doing.
        Error::Closed
        | Error::Cancelled
        | Error::Forked
        | Error::ApiMisuse(_)
        | Error::WouldDeadlock(_)
        | Error::Callback(_)
        | Error::Resource(_)
        | Error::Bug(_) => None,
        Error::Timeout(_) | Error::Expired(_) | Error::KeyExchange(KexFault::Timeout) => {
            Some(Fault::GraceExceeded)
        }
        Error::AuthLimit(_) => Some(Fault::AuthFailed),
        // It has gone, or we have nothing to say to each other.
        Error::ConnectionLost
        | Error::Below(_)
        | Error::Stream { .. }
        | Error::Io { .. }
        | Error::Disconnected { .. }
        | Error::NoCommonAlgorithm(_) => Some(match tried {
            true => Fault::AuthFailed,
            false => Fault::NoAuth,
        }),
        _ => Some(Fault::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PeerMisbehaved;

    #[test]
    fn the_cause_of_the_end_says_what_the_peer_has_to_answer_for() {
        for (cause, tried, expected) in [
            (Error::Closed, true, None),
            (Error::Bug("ours"), false, None),
            (Error::ConnectionLost, false, Some(Fault::NoAuth)),
            (Error::ConnectionLost, true, Some(Fault::AuthFailed)),
            (Error::AuthLimit("failures"), true, Some(Fault::AuthFailed)),
            (
                Error::Expired("login grace time"),
                true,
                Some(Fault::GraceExceeded),
            ),
            (
                PeerMisbehaved::EmptyPayload.into(),
                false,
                Some(Fault::Protocol),
            ),
            (Error::Mac, false, Some(Fault::Protocol)),
        ] {
            assert_eq!(fault(&cause, tried), expected, "{cause}");
        }
    }

    #[test]
    fn a_place_is_given_back_once_in_whichever_way() {
        let door = Arc::new(Door::default());
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        let places = [(); 4].map(|()| door.admit(peer).unwrap());
        assert_eq!(door.counts().unauthenticated, 4);
        let [one, two, three, four] = places;
        one.authenticated();
        two.ended(&Error::Closed, false);
        drop(three);
        assert_eq!(door.counts().unauthenticated, 1);
        assert_eq!(door.counts().penalized, 0);
        four.ended(&Error::Mac, false);
        assert_eq!(door.counts().unauthenticated, 0);
        assert_eq!(door.counts().penalized, 1);
    }
}
