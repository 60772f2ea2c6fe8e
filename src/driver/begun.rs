//! What is begun without waiting for its end, and how it went.

use std::time::Instant;

use super::channel::Channel;
use super::event::Event;
use super::transport::Transport;
use crate::connection::{ChannelRequest, GlobalRequestId, RequestId};
use crate::error::Error;

/// Events of what concerns a connection as a whole.
#[derive(Default)]
pub(crate) struct Begun {
    /// Of global requests, until their answers are there.
    global: Vec<(GlobalRequestId, Event)>,
    /// Of key exchanges: set when so many have been completed.
    keys: Vec<(u64, Event)>,
    /// Set while channels wait to be accepted.
    accept: Option<Event>,
}

impl Begun {
    /// The answer to a global request is there.
    pub(crate) fn answered(&mut self, id: GlobalRequestId) {
        self.global.retain(|(begun, event)| {
            let is_it = *begun == id;
            if is_it {
                event.set();
            }
            !is_it
        });
    }

    /// So many key exchanges have been completed.
    pub(crate) fn keyed(&mut self, exchanges: u64) {
        self.keys.retain(|(awaited, event)| {
            let done = *awaited <= exchanges;
            if done {
                event.set();
            }
            !done
        });
    }

    /// A channel waits to be accepted.
    pub(crate) fn channel_came(&self) {
        if let Some(event) = &self.accept {
            event.set();
        }
    }

    /// No channel waits any more.
    pub(crate) fn channels_taken(&self) {
        if let Some(event) = &self.accept {
            event.reset();
        }
    }

    /// Nothing more will come.
    pub(crate) fn ended(&mut self) {
        let global = self.global.drain(..).map(|(_, event)| event);
        for event in global.chain(self.keys.drain(..).map(|(_, event)| event)) {
            event.set();
        }
        self.channel_came();
    }
}

impl Transport {
    /// Sends a global request that wants a reply, and returns its number at once; `event` is set when
    /// [`global_outcome`](Self::global_outcome) is known.
    pub fn begin_global_request(
        &self,
        name: &str,
        data: &[u8],
        event: Option<&Event>,
    ) -> Result<GlobalRequestId, Error> {
        let number = self
            .send_global(name, data, true, |serving, number| {
                let event = event.cloned().map(|event| (number, event));
                serving.begun.global.extend(event);
            })?
            .ok_or(Error::Bug("a request that wants a reply has a number"))?;
        Ok(number)
    }

    /// The answer to a request that was begun, and the data in it; `None` while there is none. Handed out once.
    pub fn global_outcome(&self, number: GlobalRequestId) -> Option<Result<Vec<u8>, Error>> {
        let mut serving = self.shared.serving.lock();
        match serving.global_replies.get_mut(&number)?.take() {
            Some(reply) => {
                serving.global_replies.remove(&number);
                Some(reply.map_err(|()| Error::RequestDenied))
            }
            None => serving.ended.clone().map(Err),
        }
    }

    /// Begins to change keys. Returns the number of the key exchange for [`rekey_outcome`](Self::rekey_outcome), and
    /// sets `event` when that is known.
    pub fn begin_rekey(&self, event: Option<&Event>) -> Result<u64, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        let number = {
            let mut serving = shared.serving.lock();
            serving.open_services()?;
            let number = serving.key_exchanges.saturating_add(1);
            let event = event.cloned().map(|event| (number, event));
            serving.begun.keys.extend(event);
            number
        };
        {
            let now = Instant::now();
            let mut receiving = shared.receiving.lock();
            let receiving = &mut *receiving;
            let Some(inbound) = &mut receiving.inbound else {
                return Err(Error::Bug("keyed without a transport layer"));
            };
            inbound.rekey(now, &mut receiving.actions)?;
            shared.apply(receiving, now)?;
        }
        shared.attend_now();
        Ok(number)
    }

    /// How a key exchange that was begun went; `None` while it is under way.
    pub fn rekey_outcome(&self, number: u64) -> Option<Result<(), Error>> {
        let serving = self.shared.serving.lock();
        if serving.key_exchanges >= number {
            return Some(Ok(()));
        }
        serving.ended.clone().map(Err)
    }

    /// An event that is set while channels wait for [`accept`](Self::accept), and when the transport ends.
    pub fn accept_event(&self) -> Event {
        let mut serving = self.shared.serving.lock();
        let pending = !serving.accepted.is_empty() || serving.ended.is_some();
        let event = serving.begun.accept.get_or_insert_default();
        if pending {
            event.set();
        }
        event.clone()
    }
}

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
