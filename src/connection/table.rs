//! The channels of one connection by our number.

use std::collections::{HashMap, VecDeque};

use crate::connection::channel::Channel;
use crate::connection::types::ChannelId;
use crate::error::{Error, PeerMisbehaved};

/// How many numbers of closed channels are kept.
const CLOSED_KEPT: usize = 128;

/// All channels whose number is taken.
#[derive(Debug)]
pub(super) struct ChannelTable {
    channels: HashMap<u32, Box<Channel>>,
    /// The numbers of those that both sides closed last.
    closed: VecDeque<u32>,
    next: u32,
    max: usize,
}

impl ChannelTable {
    pub(super) fn new(max: usize) -> Self {
        ChannelTable {
            channels: HashMap::new(),
            closed: VecDeque::new(),
            next: 0,
            max,
        }
    }

    /// Whether one more channel may be added.
    pub(super) fn has_room(&self) -> bool {
        self.channels.len() < self.max
    }

    /// Whether messages of the peer may mean another channel by this number.
    fn is_taken(&self, number: u32) -> bool {
        self.channels.contains_key(&number) || self.closed.contains(&number)
    }

    /// Adds a channel under the next free number. A counter, so that a number is not used again soon after its
    /// channel has gone.
    pub(super) fn insert(&mut self, channel: Channel) -> ChannelId {
        while self.is_taken(self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.channels.insert(id, Box::new(channel));
        ChannelId(id)
    }

    /// The channel that the application names.
    pub(super) fn get(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.get(&id.0).map(Box::as_ref)
    }

    /// The channel that the application names. A number that is gone is a closed channel.
    pub(super) fn find(&mut self, id: ChannelId) -> Result<&mut Channel, Error> {
        match self.channels.get_mut(&id.0) {
            Some(channel) if !channel.released => Ok(channel),
            _ => Err(Error::Closed),
        }
    }

    /// The channel that a message of the peer names.
    pub(super) fn addressed(&mut self, number: u32) -> Result<&mut Channel, PeerMisbehaved> {
        self.channels
            .get_mut(&number)
            .map(Box::as_mut)
            .ok_or(PeerMisbehaved::UnknownChannel(number))
    }

    /// The channel that a message of the peer names, and that both sides agreed on.
    pub(super) fn addressed_open(&mut self, number: u32) -> Result<&mut Channel, PeerMisbehaved> {
        let channel = self.addressed(number)?;
        if channel.is_agreed() {
            Ok(channel)
        } else {
            // C1: the peer cannot know the number yet, or has not been told that it may use it.
            Err(PeerMisbehaved::UnknownChannel(number))
        }
    }

    /// The channel that a message of the peer names, or `None` where the peer has closed it already.
    ///
    /// RFC 4254 §5.3 allows nothing after CLOSE. Peers of several threads say it all the same: one thread answers our
    /// CLOSE while another is about to send an adjustment, data or a request (Paramiko). Such a message changes nothing
    /// any more, and the other channels need not die of it.
    pub(super) fn addressed_unless_closed(
        &mut self,
        number: u32,
    ) -> Result<Option<&mut Channel>, PeerMisbehaved> {
        match self.channels.get_mut(&number) {
            Some(channel) if !channel.is_agreed() => Err(PeerMisbehaved::UnknownChannel(number)),
            Some(channel) => Ok((!channel.received.close).then_some(channel)),
            None if self.closed.contains(&number) => Ok(None),
            None => Err(PeerMisbehaved::UnknownChannel(number)),
        }
    }

    /// Frees a number.
    pub(super) fn remove(&mut self, id: ChannelId) -> Option<Box<Channel>> {
        let channel = self.channels.remove(&id.0)?;
        if channel.received.close {
            if self.closed.len() == CLOSED_KEPT {
                self.closed.pop_front();
            }
            self.closed.push_back(id.0);
        }
        Some(channel)
    }

    /// All channels.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.channels.values_mut().map(Box::as_mut)
    }

    /// Frees every number whose channel `done` says is done, after `last` has seen it.
    pub(super) fn remove_all(
        &mut self,
        done: impl Fn(&Channel) -> bool,
        mut last: impl FnMut(&Channel),
    ) {
        self.channels.retain(|_, channel| {
            let remove = done(channel);
            if remove {
                last(channel);
            }
            !remove
        });
    }

    /// How many numbers are taken.
    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    #[cfg(test)]
    pub(super) fn set_next(&mut self, next: u32) {
        self.next = next;
    }
}
