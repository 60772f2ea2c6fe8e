//! The peer's channel messages.

use crate::codec::{printable, DecodeError};
use crate::connection::channel::{Channel, Phase};
use crate::connection::commands::{credit, refuse_open, send_close};
use crate::connection::layer::{ConnectionLayer, Context};
use crate::connection::types::{
    ChannelId, ConnectionEvent, DataSink, OpenRefusal, RequestId, Stream,
};
use crate::connection::window::{LocalWindow, RemoteWindow};
use crate::error::{Error, PeerMisbehaved};
use crate::messages::connection::{
    valid_name, ChannelClose, ChannelData, ChannelEof, ChannelExtendedData, ChannelFailure,
    ChannelOpen, ChannelOpenConfirmation, ChannelOpenFailure, ChannelSuccess, ChannelWindowAdjust,
    OpenRefusalReason,
};
use crate::messages::open_kind::OpenKind;
use crate::messages::transport::Ignore;
use crate::messages::{MessageNumber, Role};

/// Most bytes of the peer's reason for refusing a channel that are kept.
const MAX_DESCRIPTION_BYTES: usize = 1024;

impl ConnectionLayer {
    pub(super) fn on_data(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
        sink: &mut dyn DataSink,
    ) -> Result<(), Error> {
        let message = ChannelData::decode(payload)?;
        self.on_stream(
            message.recipient,
            Some(Stream::Data),
            message.data,
            context,
            sink,
        )
    }

    pub(super) fn on_extended_data(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
        sink: &mut dyn DataSink,
    ) -> Result<(), Error> {
        let message = ChannelExtendedData::decode(payload)?;
        let stderr = message.data_type == ChannelExtendedData::STDERR;
        let stream = stderr.then_some(Stream::Stderr);
        self.on_stream(message.recipient, stream, message.data, context, sink)
    }

    /// Data of either kind; `None` is an extended type that has no meaning.
    fn on_stream(
        &mut self,
        number: u32,
        stream: Option<Stream>,
        data: &[u8],
        context: Context<'_>,
        sink: &mut dyn DataSink,
    ) -> Result<(), Error> {
        let id = ChannelId(number);
        let Some(channel) = self.table.addressed_unless_closed(number)? else {
            return Ok(());
        };
        if channel.received.eof {
            return Err(PeerMisbehaved::AfterClose.into());
        }
        if let Some(since) = channel.agreed_at.take() {
            self.windows
                .observe_round_trip(context.now.saturating_duration_since(since));
        }
        channel
            .inbound
            .window
            .receive(data.len(), self.limits.max_packet)?;
        if channel.sent.close {
            // The peer has sent this before it saw our CLOSE. Nobody wants it, and no adjustment may follow
            // our CLOSE; the window that was given out is the bound.
            return Ok(());
        }
        let received = match stream {
            Some(stream) => channel.inbound.receive(id, stream, data, sink),
            None => {
                credit(
                    channel,
                    &mut self.windows,
                    data.len(),
                    context.now,
                    context.out,
                );
                return Ok(());
            }
        };
        credit(
            channel,
            &mut self.windows,
            received.discarded,
            context.now,
            context.out,
        );
        if received.queued {
            let event = ConnectionEvent::Readable(id);
            if context.events.back() != Some(&event) {
                context.events.push_back(event);
            }
        }
        Ok(())
    }

    pub(super) fn on_window_adjust(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        let message = ChannelWindowAdjust::decode(payload)?;
        let Some(channel) = self.table.addressed_unless_closed(message.recipient)? else {
            return Ok(());
        };
        // W3: harmless after EOF and our CLOSE, as long as the sum is in range.
        let opened = channel.remote.adjust(message.bytes)?;
        if opened && channel.check_writing().is_ok() {
            let id = ChannelId(message.recipient);
            context.events.push_back(ConnectionEvent::Writable(id));
        }
        Ok(())
    }

    pub(super) fn on_eof(&mut self, payload: &[u8], context: Context<'_>) -> Result<(), Error> {
        let message = ChannelEof::decode(payload)?;
        let Some(channel) = self.table.addressed_unless_closed(message.recipient)? else {
            return Ok(());
        };
        if std::mem::replace(&mut channel.received.eof, true) {
            // Said twice it says nothing new. Programs over Go's SFTP client do so now and then when they end.
            return Ok(());
        }
        if !channel.sent.close {
            context
                .events
                .push_back(ConnectionEvent::Eof(ChannelId(message.recipient)));
        }
        Ok(())
    }

    pub(super) fn on_close(&mut self, payload: &[u8], context: Context<'_>) -> Result<(), Error> {
        let message = ChannelClose::decode(payload)?;
        let id = ChannelId(message.recipient);
        let channel = self.table.addressed_open(message.recipient)?;
        if std::mem::replace(&mut channel.received.close, true) {
            return Err(PeerMisbehaved::AfterClose.into());
        }
        if self.role == Role::Server && self.habits.overlooks_its_end && channel.sent.close {
            context.out.push_vec(Ignore { data: b"" }.encode());
        }
        // RFC 4254 §5.3: a CLOSE MUST be answered by a CLOSE, unless one was sent already.
        send_close(channel, context.out);
        channel.drop_requests(&mut self.question_budget);
        if channel.released {
            self.forget(id);
        } else {
            context.events.push_back(ConnectionEvent::Closed(id));
        }
        Ok(())
    }

    pub(super) fn on_channel_reply(
        &mut self,
        payload: &[u8],
        ok: bool,
        context: Context<'_>,
    ) -> Result<(), Error> {
        let number = if ok {
            ChannelSuccess::decode(payload)?.recipient
        } else {
            ChannelFailure::decode(payload)?.recipient
        };
        let Some(channel) = self.table.addressed_unless_closed(number)? else {
            return Ok(());
        };
        if channel.sent.close {
            // The requests were forgotten with our CLOSE; their replies may still be under way.
            return Ok(());
        }
        let matched = channel.own.reply(context.now)?;
        if let Some(sample) = matched.round_trip {
            self.windows.observe_round_trip(sample);
        }
        if let Some(request) = matched.id {
            context.events.push_back(ConnectionEvent::RequestReply {
                id: ChannelId(number),
                request_id: RequestId(request),
                ok,
            });
        }
        Ok(())
    }

    pub(super) fn on_confirmation(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        let message = ChannelOpenConfirmation::decode(payload)?;
        let id = ChannelId(message.recipient);
        let limit = self.limits.max_packet;
        let channel = self.table.addressed(message.recipient)?;
        let Phase::Opening { since, abandoned } = channel.phase else {
            return Err(PeerMisbehaved::UnsolicitedReply.into());
        };
        let specific_allowed = matches!(channel.kind, OpenKind::Other { .. });
        if !message.specific.is_empty() && !specific_allowed {
            let number = MessageNumber::CHANNEL_OPEN_CONFIRMATION;
            return Err(Error::invalid(number)(DecodeError::TrailingBytes));
        }
        channel.remote =
            RemoteWindow::announced(message.window_bytes, message.max_packet_bytes, limit)
                .ok_or(PeerMisbehaved::Other("maximum packet size of 0"))?;
        channel.peer_number = message.sender;
        channel.phase = Phase::Agreed;
        if let Some(since) = since {
            self.windows
                .observe_round_trip(context.now.saturating_duration_since(since));
        }
        if abandoned {
            send_close(channel, context.out);
        } else {
            context.events.push_back(ConnectionEvent::Opened(id));
        }
        Ok(())
    }

    pub(super) fn on_open_failure(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        let message = ChannelOpenFailure::decode(payload)?;
        let id = ChannelId(message.recipient);
        let channel = self.table.addressed(message.recipient)?;
        if !matches!(channel.phase, Phase::Opening { .. }) {
            return Err(PeerMisbehaved::UnsolicitedReply.into());
        }
        let silent = channel.released;
        self.forget(id);
        if !silent {
            context.events.push_back(ConnectionEvent::OpenFailed {
                id,
                reason: message.reason,
                description: printable(message.description, MAX_DESCRIPTION_BYTES),
            });
        }
        Ok(())
    }

    pub(super) fn on_open(&mut self, payload: &[u8], context: Context<'_>) -> Result<(), Error> {
        let message = ChannelOpen::decode(payload)?;
        match self.consider_open(&message, payload.len())? {
            Ok((id, kind)) => {
                context
                    .events
                    .push_back(ConnectionEvent::OpenQuestion { id, kind });
            }
            Err(refusal) => refuse_open(message.sender, &refusal, context.out),
        }
        Ok(())
    }

    /// Whether the application is to be asked about an open. The outer error ends the connection, the inner one
    /// refuses the channel.
    #[allow(clippy::type_complexity)]
    fn consider_open(
        &mut self,
        message: &ChannelOpen<'_>,
        length: usize,
    ) -> Result<Result<(ChannelId, OpenKind), OpenRefusal>, Error> {
        let refuse = |reason, text: &str| Ok(Err(OpenRefusal::new(reason, text)));
        let prohibited = OpenRefusalReason::ADMINISTRATIVELY_PROHIBITED;
        let Some(name) = valid_name(message.kind) else {
            return refuse(
                OpenRefusalReason::UNKNOWN_CHANNEL_TYPE,
                "unknown channel type",
            );
        };
        if !self.may_open(name) {
            return refuse(prohibited, "channel type not allowed");
        }
        let kind = match OpenKind::decode(name, message.specific) {
            Ok(kind) => kind,
            Err(fault @ (DecodeError::Truncated | DecodeError::TrailingBytes)) => {
                return Err(Error::invalid(MessageNumber::CHANNEL_OPEN)(fault));
            }
            Err(_) => return refuse(OpenRefusalReason::CONNECT_FAILED, "bad address"),
        };
        if !self.was_requested(&kind) {
            return refuse(prohibited, "nobody asked for this");
        }
        let limit = self.limits.max_packet;
        let Some(remote) =
            RemoteWindow::announced(message.window_bytes, message.max_packet_bytes, limit)
        else {
            return refuse(prohibited, "maximum packet size of 0");
        };
        let shortage = OpenRefusalReason::RESOURCE_SHORTAGE;
        if !self.table.has_room() {
            return refuse(shortage, "too many channels");
        }
        let Some(charge) = self.question_budget.take(length) else {
            return refuse(shortage, "too many unanswered requests");
        };
        let windows = (LocalWindow::new(self.windows.take_initial()), remote);
        let limits = &self.limits;
        let channel = Channel::asked(
            kind.clone(),
            self.role,
            message.sender,
            windows,
            charge,
            limits,
        );
        Ok(Ok((self.table.insert(channel), kind)))
    }

    /// Whether the peer's role allows it to open a channel of this type.
    fn may_open(&self, kind: &str) -> bool {
        if self.allowed_opens.contains(kind) {
            return true;
        }
        match (self.role, kind) {
            // Looked at again once the address is known.
            (Role::Client, "forwarded-tcpip" | "forwarded-streamlocal@openssh.com") => {
                !self.forwards.is_empty()
            }
            // RFC 4254 §6.1, §7.2: clients SHOULD reject these.
            (Role::Client, _) => false,
            (Role::Server, "session") => !self.global.no_more_sessions,
            // These go from the server to the client (RFC 4254 §6.3.2, §7.2; OpenSSH PROTOCOL).
            (
                Role::Server,
                "x11"
                | "forwarded-tcpip"
                | "auth-agent@openssh.com"
                | "agent-connect"
                | "forwarded-streamlocal@openssh.com",
            ) => false,
            (Role::Server, _) => true,
        }
    }
}
