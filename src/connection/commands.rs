//! What the application may do with channels.

use std::time::Instant;

use crate::codec::Writer;
use crate::connection::channel::{Channel, Once, Phase, Tag};
use crate::connection::layer::ConnectionLayer;
use crate::connection::questions::{QuestionBudget, Reply};
use crate::connection::queue::WholeBlocks;
use crate::connection::types::{
    ChannelId, ChannelStatus, OpenRefusal, ReadOutcome, RequestId, Reservation, Stream,
};
use crate::connection::window::WindowBudget;
use crate::error::Error;
use crate::messages::channel_request::{ChannelRequest, ChannelRequestMessage};
use crate::messages::connection::{
    valid_name, ChannelClose, ChannelEof, ChannelFailure, ChannelOpen, ChannelOpenConfirmation,
    ChannelOpenFailure, ChannelSuccess, ChannelWindowAdjust, OpenRefusalReason,
};
use crate::messages::open_kind::OpenKind;
use crate::packet::PayloadQueue;

impl ConnectionLayer {
    /// Asks the peer to open a channel. [`Opened`](super::ConnectionEvent::Opened) or
    /// [`OpenFailed`](super::ConnectionEvent::OpenFailed) follows.
    ///
    /// # Errors
    /// `Limit` when there are too many channels, `Closed` when the connection is gone, `ApiMisuse` for a type name
    /// that RFC 4251 §6 does not allow.
    pub fn open(&mut self, kind: OpenKind, out: &mut PayloadQueue) -> Result<ChannelId, Error> {
        if self.lost {
            return Err(Error::Closed);
        }
        if !self.table.has_room() {
            return Err(Error::Limit("channels"));
        }
        if valid_name(kind.name().as_bytes()).is_none() {
            return Err(Error::ApiMisuse("not a channel type name"));
        }
        let window_bytes = self.windows.take_initial();
        let specific = Writer::collect(|w| kind.encode(w));
        let channel = Channel::opening(
            kind.clone(),
            self.role,
            window_bytes,
            self.latest,
            &self.limits,
        );
        let id = self.table.insert(channel);
        let message = ChannelOpen {
            kind: kind.name().as_bytes(),
            sender: id.0,
            window_bytes,
            max_packet_bytes: self.limits.max_packet,
            specific: &specific,
        };
        out.push(|w| message.encode(w));
        Ok(id)
    }

    /// Answers an [`OpenQuestion`](super::ConnectionEvent::OpenQuestion). After a refusal the number is gone.
    ///
    /// # Errors
    /// `Closed` when the connection is gone, `ApiMisuse` when nothing was asked.
    pub fn answer_open(
        &mut self,
        id: ChannelId,
        decision: Result<(), OpenRefusal>,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let max_packet_bytes = self.limits.max_packet;
        let channel = self.table.find(id)?;
        if channel.lost {
            return Err(Error::Closed);
        }
        if !matches!(channel.phase, Phase::Asked { .. }) {
            return Err(Error::ApiMisuse(
                "the peer did not ask to open this channel",
            ));
        }
        match decision {
            Ok(()) => {
                channel.drop_requests(&mut self.question_budget);
                channel.agreed_at = self.latest;
                let message = ChannelOpenConfirmation {
                    recipient: channel.peer_number,
                    sender: id.0,
                    window_bytes: channel.inbound.window.size(),
                    max_packet_bytes,
                    specific: &[],
                };
                out.push(|w| message.encode(w));
            }
            Err(refusal) => {
                refuse_open(channel.peer_number, &refusal, out);
                self.forget(id);
            }
        }
        Ok(())
    }

    /// Sends a channel request. With `want_reply`, [`RequestReply`](super::ConnectionEvent::RequestReply) follows
    /// unless the channel closes before.
    ///
    /// # Errors
    /// `Closed` when either side has closed the channel, `ApiMisuse` before it is open and for a bad name, `Limit` when the peer
    /// leaves too many requests without a reply.
    pub fn request(
        &mut self,
        id: ChannelId,
        request: &ChannelRequest,
        want_reply: bool,
        out: &mut PayloadQueue,
    ) -> Result<RequestId, Error> {
        if valid_name(request.name().as_bytes()).is_none() {
            return Err(Error::ApiMisuse("not a request name"));
        }
        let number = self.next_request_number();
        let since = self.latest;
        let channel = self.table.find(id)?;
        channel.check_sending()?;
        if want_reply {
            channel.own.check_room()?;
            channel.own.sent(number, since);
        }
        let specific = Writer::collect(|w| request.encode(w));
        let message = ChannelRequestMessage {
            recipient: channel.peer_number,
            name: request.name().as_bytes(),
            want_reply,
            specific: &specific,
        };
        out.push(|w| message.encode(w));
        Ok(RequestId(number))
    }

    /// Nobody waits for the reply to this request any more: it is swallowed when it comes.
    pub fn abandon(&mut self, request: RequestId) {
        for channel in self.table.iter_mut() {
            if channel.own.abandon(request.0) {
                return;
            }
        }
    }

    /// Answers a [`RequestQuestion`](super::ConnectionEvent::RequestQuestion), whether or not a reply is wanted.
    ///
    /// # Errors
    /// `Closed` when the channel was closed in the meantime, `ApiMisuse` when nothing was asked.
    pub fn answer_request(
        &mut self,
        id: ChannelId,
        request: RequestId,
        ok: bool,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let channel = self.table.find(id)?;
        if channel.is_closed() {
            return Err(Error::Closed);
        }
        let (tag, charge) = channel
            .questions
            .answer(request.0, ok)
            .ok_or(Error::ApiMisuse(
                "the peer did not request this, or it was answered",
            ))?;
        match (*tag, ok) {
            (Tag::Program, false) => channel.setup.program = Once::Free,
            (Tag::Pty, false) => channel.setup.pty = Once::Free,
            _ => {}
        }
        self.question_budget.give_back(charge);
        send_replies(channel, &mut self.question_budget, out);
        Ok(())
    }

    /// Takes at most `wanted` bytes from the peer's window. The caller sends exactly `bytes` of data, in messages
    /// of at most `max_packet`, before it sends EOF or CLOSE on this channel.
    ///
    /// # Errors
    /// `Closed` after EOF or CLOSE were sent, after the peer closed or said that it reads no more; `ApiMisuse`
    /// before the channel is open.
    pub fn reserve(
        &mut self,
        id: ChannelId,
        stream: Stream,
        wanted: usize,
    ) -> Result<Reservation, Error> {
        // RFC 4254 §5.2: both streams consume the same window.
        let _ = stream;
        let channel = self.table.find(id)?;
        channel.check_writing()?;
        let bytes = channel.remote.take(wanted);
        Ok(Reservation {
            recipient: channel.peer_number,
            bytes: usize::try_from(bytes).map_err(|_| Error::Bug("32-bit sizes"))?,
            max_packet: usize::try_from(channel.remote.max_packet())
                .map_err(|_| Error::Bug("32-bit sizes"))?,
        })
    }

    /// Reads what is queued. Works after either side has closed and after the connection is gone, until the
    /// queue is empty.
    ///
    /// # Errors
    /// `Closed` for a channel that was released.
    pub fn read(
        &mut self,
        id: ChannelId,
        stream: Stream,
        buf: &mut [u8],
        now: Instant,
        out: &mut PayloadQueue,
    ) -> Result<ReadOutcome, Error> {
        let mut whole = WholeBlocks::default();
        let outcome = self.read_later(id, stream, buf, &mut whole, now, out);
        whole.copy_to(buf, drop);
        outcome
    }

    /// The same for who holds a lock: most of the bytes are left in `whole`, to be
    /// [copied](WholeBlocks::copy_to) to `buf` without it.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub fn read_later(
        &mut self,
        id: ChannelId,
        stream: Stream,
        buf: &mut [u8],
        whole: &mut WholeBlocks,
        now: Instant,
        out: &mut PayloadQueue,
    ) -> Result<ReadOutcome, Error> {
        let channel = self.table.find(id)?;
        if buf.is_empty() {
            return Ok(ReadOutcome::Data(0));
        }
        let count = channel.inbound.read(stream, buf, whole);
        if count > 0 {
            credit(channel, &mut self.windows, count, now, out);
            return Ok(ReadOutcome::Data(count));
        }
        Ok(if channel.is_at_end() {
            ReadOutcome::Eof
        } else {
            ReadOutcome::WouldBlock
        })
    }

    /// The application has consumed bytes that the [`DataSink`](super::DataSink) took.
    pub fn consumed(&mut self, id: ChannelId, bytes: usize, now: Instant, out: &mut PayloadQueue) {
        if let Ok(channel) = self.table.find(id) {
            let bytes = channel.inbound.delivered_consumed(bytes);
            credit(channel, &mut self.windows, bytes, now, out);
        }
    }

    /// Bytes queued for a stream.
    pub fn buffered(&self, id: ChannelId, stream: Stream) -> usize {
        self.table
            .get(id)
            .map_or(0, |channel| channel.inbound.buffered(stream))
    }

    /// Sends EOF, once: no more data will be sent. Requests may still be.
    ///
    /// # Errors
    /// `ApiMisuse` before the channel is open. On a closed channel nothing happens.
    pub fn eof(&mut self, id: ChannelId, out: &mut PayloadQueue) -> Result<(), Error> {
        let channel = self.table.find(id)?;
        match channel.check_sending() {
            Err(Error::Closed) => return Ok(()),
            other => other?,
        }
        if !channel.sent.eof {
            channel.sent.eof = true;
            let recipient = channel.peer_number;
            out.push(|w| ChannelEof { recipient }.encode(w));
        }
        Ok(())
    }

    /// Closes the channel: sends CLOSE once. What is queued can still be read; what the peer still sends is
    /// dropped. A channel that is not open yet is given up, one that the peer asks for is refused.
    ///
    /// # Errors
    /// `Closed` for a channel that is gone.
    pub fn close(&mut self, id: ChannelId, out: &mut PayloadQueue) -> Result<(), Error> {
        let channel = self.table.find(id)?;
        if channel.lost {
            return Ok(());
        }
        match &mut channel.phase {
            Phase::Opening { abandoned, .. } => *abandoned = true,
            Phase::Asked { .. } => {
                let reason = OpenRefusalReason::ADMINISTRATIVELY_PROHIBITED;
                return self.answer_open(id, Err(OpenRefusal::new(reason, "refused")), out);
            }
            Phase::Agreed => {
                send_close(channel, out);
                channel.drop_requests(&mut self.question_budget);
            }
        }
        Ok(())
    }

    /// Puts stderr into the data stream, what is queued already included, or no longer. Returns the former
    /// setting.
    ///
    /// # Errors
    /// `Closed` for a channel that is gone.
    pub fn set_combine_stderr(&mut self, id: ChannelId, combine: bool) -> Result<bool, Error> {
        Ok(self.table.find(id)?.inbound.set_combine_stderr(combine))
    }

    /// Throws stderr away, what is queued already included, so that nobody has to read it.
    ///
    /// # Errors
    /// `Closed` for a channel that is gone.
    pub fn discard_stderr(
        &mut self,
        id: ChannelId,
        now: Instant,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let channel = self.table.find(id)?;
        let dropped = channel.inbound.discard_stderr();
        credit(channel, &mut self.windows, dropped, now, out);
        Ok(())
    }

    /// The application reads no more: reads are at their end, what comes is thrown away and credited, so that
    /// the peer is not held up.
    ///
    /// # Errors
    /// `Closed` for a channel that is gone.
    pub fn shutdown_read(
        &mut self,
        id: ChannelId,
        now: Instant,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let channel = self.table.find(id)?;
        let dropped = channel.inbound.shut();
        credit(channel, &mut self.windows, dropped, now, out);
        Ok(())
    }

    /// The application's handle is gone. Closes the channel if it is open and frees it when the peer's CLOSE has
    /// come; no event names it any more.
    pub fn release(&mut self, id: ChannelId, out: &mut PayloadQueue) {
        if self.close(id, out).is_err() {
            return;
        }
        let Ok(channel) = self.table.find(id) else {
            return;
        };
        channel.inbound.shut();
        channel.released = true;
        if channel.is_done() {
            self.forget(id);
        }
    }

    /// A look at a channel; `None` when it is gone.
    pub fn status(&self, id: ChannelId) -> Option<ChannelStatus<'_>> {
        self.table
            .get(id)
            .filter(|channel| !channel.released)
            .map(Channel::status)
    }
}

/// Counts consumed bytes and adjusts the peer's window when it is time.
pub(super) fn credit(
    channel: &mut Channel,
    windows: &mut WindowBudget,
    bytes: usize,
    now: Instant,
    out: &mut PayloadQueue,
) {
    if bytes == 0 || !channel.may_adjust() {
        return;
    }
    if let Some(bytes) = channel.inbound.consume(bytes, now, windows) {
        let message = ChannelWindowAdjust {
            recipient: channel.peer_number,
            bytes,
        };
        out.push(|w| message.encode(w));
    }
}

/// Sends the replies whose turn has come.
pub(super) fn send_replies(
    channel: &mut Channel,
    budget: &mut QuestionBudget,
    out: &mut PayloadQueue,
) {
    let recipient = channel.peer_number;
    while let Some(reply) = channel.questions.next_reply(budget) {
        match reply {
            Reply::Answer(true) => out.push(|w| ChannelSuccess { recipient }.encode(w)),
            Reply::Answer(false) | Reply::Refuse => {
                out.push(|w| ChannelFailure { recipient }.encode(w));
            }
        }
    }
}

/// Sends CLOSE unless it was sent. RFC 4254 §5.3: EOF need not come before it.
pub(super) fn send_close(channel: &mut Channel, out: &mut PayloadQueue) {
    if !channel.sent.close {
        channel.sent.close = true;
        let recipient = channel.peer_number;
        out.push(|w| ChannelClose { recipient }.encode(w));
    }
}

/// Sends OPEN_FAILURE.
pub(super) fn refuse_open(recipient: u32, refusal: &OpenRefusal, out: &mut PayloadQueue) {
    let message = ChannelOpenFailure {
        recipient,
        reason: refusal.reason,
        description: refusal.description.as_bytes(),
        language: b"",
    };
    out.push(|w| message.encode(w));
}
