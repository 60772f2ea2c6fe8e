//! Channels that we open, channels that the peer has opened, and questions to be pulled.

use std::sync::Arc;
use std::time::Instant;

use super::channel::Channel;
use super::entry::ChannelEntry;
use super::event::Event;
use super::inside;
use super::request::Request;
use super::transport::Transport;
use super::wait::Timeout;
use crate::connection::{ChannelId, OpenKind};
use crate::error::Error;

impl Channel {
    /// Somebody has the channel, or needs it no longer: it does not come out of `accept` any more.
    pub fn claim(&self) {
        if self.handle.shared.check_process().is_err() {
            return;
        }
        let mut serving = self.handle.shared.serving.lock();
        serving
            .accepted
            .retain(|waiting| *waiting != self.handle.id);
        if serving.accepted.is_empty() && serving.ended.is_none() {
            serving.begun.channels_taken();
        }
        if let Some(entry) = serving.channels.get_mut(&self.handle.id) {
            entry.unclaimed = false;
        }
    }
}

impl Transport {
    /// Opens a channel and waits for the peer's answer.
    pub fn open_channel(&self, kind: OpenKind, timeout: Timeout) -> Result<Channel, Error> {
        let shared = &self.shared;
        let deadline = timeout.deadline();
        let channel = self.begin_channel(kind, None)?;
        let id = ChannelId(channel.id());
        let mut serving = shared.serving.lock();
        let Some(waits) = serving
            .channels
            .get(&id)
            .map(|entry| Arc::clone(&entry.waits))
        else {
            return Err(Error::Closed);
        };
        let outcome = shared.wait_for(
            &mut serving,
            &waits.changed,
            deadline,
            "channel open",
            |serving| {
                serving
                    .channels
                    .get_mut(&id)
                    .map_or(Some(Err(Error::Closed)), |entry| entry.opened.clone())
            },
        );
        drop(serving);
        outcome.map(|()| channel)
    }

    /// Begins to open a channel; `event` is set when [`Channel::open_outcome`] is known.
    pub fn begin_channel(&self, kind: OpenKind, event: Option<&Event>) -> Result<Channel, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        let id = {
            let mut serving = shared.serving.lock();
            let services = serving.open_services()?;
            services.connection.advance(Instant::now());
            let id = services.connection.open(kind, &mut services.out)?;
            let mut entry = ChannelEntry::new();
            entry.open_event = event.cloned();
            serving.channels.insert(id, entry);
            id
        };
        // From here on the handle sees to it that the channel goes when the open fails.
        let channel = shared.channel(id)?;
        shared.flush();
        Ok(channel)
    }

    /// Takes the next channel that the peer has opened.
    pub fn accept(&self, timeout: Timeout) -> Result<Channel, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        if timeout != Timeout::NOW {
            // What opens a channel is the answer to a question, and questions wait for this callback.
            inside::refuse(shared.key, "accept inside a callback")?;
        }
        let deadline = timeout.deadline();
        let id = {
            let mut serving = shared.serving.lock();
            let taken = shared.wait_for(
                &mut serving,
                &shared.progress,
                deadline,
                "accept",
                |serving| serving.accepted.pop_front().map(Ok),
            );
            if serving.accepted.is_empty() && serving.ended.is_none() {
                serving.begun.channels_taken();
            }
            taken?
        };
        let channel = shared.channel(id)?;
        channel.claim();
        Ok(channel)
    }

    /// Takes the next question that has no callback.
    pub fn next_request(&self, timeout: Timeout) -> Result<Request, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        let deadline = timeout.deadline();
        let mut serving = shared.serving.lock();
        let request = shared.wait_for(
            &mut serving,
            &shared.progress,
            deadline,
            "request",
            |serving| serving.pulled.pop_front().map(Ok),
        );
        if serving.pulled.is_empty() && serving.ended.is_none() {
            if let Some(event) = shared.request_event() {
                event.reset();
            }
        }
        request
    }
}
