//! Channels and requests that are begun without waiting, and how they went.

use super::channel::Channel;
use super::event::Event;
use crate::connection::{ChannelRequest, RequestId};
use crate::error::Error;

impl Channel {
    /// Sends a channel request and returns its number at once; `event` is set when
    /// [`request_outcome`](Self::request_outcome) is known.
    pub fn begin_request(
        &self,
        request: &ChannelRequest,
        event: Option<&Event>,
    ) -> Result<RequestId, Error> {
        self.send_request(request, true, |serving, number| {
            if let Some(entry) = serving.channels.get_mut(&self.handle.id) {
                entry.begun.push((number, event.cloned()));
            }
            number
        })
    }

    /// The answer to a request that was begun; `None` while there is none. Handed out once.
    pub fn request_outcome(&self, number: RequestId) -> Option<Result<(), Error>> {
        let mut serving = self.shared().serving.lock();
        let outcome = self.reply(&serving, number).or_else(|| {
            let cause = serving.ended.clone()?;
            Some(Err(cause))
        })?;
        serving.request_replies.remove(&number);
        if let Some(entry) = serving.channels.get_mut(&self.handle.id) {
            entry.begun.retain(|(begun, _)| *begun != number);
        }
        Some(outcome)
    }

    /// How the open went; `None` while the peer has not answered.
    pub fn open_outcome(&self) -> Option<Result<(), Error>> {
        let serving = self.shared().serving.lock();
        match serving.channels.get(&self.handle.id) {
            None => Some(Err(Error::Closed)),
            Some(entry) => match (&entry.opened, &serving.ended) {
                (Some(outcome), _) => Some(outcome.clone()),
                (None, Some(cause)) => Some(Err(cause.clone())),
                (None, None) => None,
            },
        }
    }
}
