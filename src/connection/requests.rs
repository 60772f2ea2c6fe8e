//! Our own requests whose replies are to come.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::error::{Error, PeerMisbehaved};

#[derive(Debug)]
struct Waiting {
    id: u64,
    abandoned: bool,
    since: Option<Instant>,
}

/// A reply, matched to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Matched {
    /// The request; `None` when whoever made it has given up waiting.
    pub(super) id: Option<u64>,
    /// How long the reply took, if the time of the request is known.
    pub(super) round_trip: Option<Duration>,
}

/// Requests in the order sent. RFC 4254 §4, §5.4: replies come in that order and carry no number, so a request
/// nobody waits for any more keeps its place until its reply has come.
#[derive(Debug)]
pub(super) struct OwnRequests {
    waiting: VecDeque<Waiting>,
    max: usize,
}

impl OwnRequests {
    pub(super) fn new(max: usize) -> Self {
        OwnRequests {
            waiting: VecDeque::new(),
            max,
        }
    }

    /// Whether one more request may be sent.
    pub(super) fn check_room(&self) -> Result<(), Error> {
        if self.waiting.len() < self.max {
            Ok(())
        } else {
            Err(Error::Limit("requests without a reply from the peer"))
        }
    }

    /// Records a request that was sent.
    pub(super) fn sent(&mut self, id: u64, since: Option<Instant>) {
        self.waiting.push_back(Waiting {
            id,
            abandoned: false,
            since,
        });
    }

    /// Nobody waits for this reply any more. Returns whether the request was known.
    pub(super) fn abandon(&mut self, id: u64) -> bool {
        let request = self.waiting.iter_mut().find(|waiting| waiting.id == id);
        let known = request.is_some();
        if let Some(request) = request {
            request.abandoned = true;
        }
        known
    }

    /// A reply came.
    pub(super) fn reply(&mut self, now: Instant) -> Result<Matched, PeerMisbehaved> {
        let request = self
            .waiting
            .pop_front()
            .ok_or(PeerMisbehaved::UnsolicitedReply)?;
        Ok(Matched {
            id: (!request.abandoned).then_some(request.id),
            round_trip: request
                .since
                .map(|since| now.saturating_duration_since(since)),
        })
    }

    /// No reply will come any more.
    pub(super) fn clear(&mut self) {
        self.waiting = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c8_an_abandoned_request_swallows_its_own_reply_only() {
        let mut own = OwnRequests::new(3);
        let now = Instant::now();
        own.sent(1, Some(now));
        own.sent(2, None);
        assert!(own.abandon(1));
        assert!(!own.abandon(7));
        let later = now + Duration::from_millis(5);
        let first = own.reply(later).unwrap();
        assert_eq!(
            first,
            Matched {
                id: None,
                round_trip: Some(Duration::from_millis(5))
            }
        );
        assert_eq!(
            own.reply(later).unwrap(),
            Matched {
                id: Some(2),
                round_trip: None
            }
        );
        assert_eq!(own.reply(later), Err(PeerMisbehaved::UnsolicitedReply));
    }

    #[test]
    fn requests_are_bounded_abandoned_ones_too() {
        let mut own = OwnRequests::new(1);
        own.check_room().unwrap();
        own.sent(1, None);
        own.abandon(1);
        assert!(own.check_room().is_err());
        own.clear();
        own.check_room().unwrap();
    }
}
