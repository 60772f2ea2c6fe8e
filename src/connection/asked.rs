//! The peer's channel requests (RFC 4254 §5.4, §6): who may make them, and who answers.

use crate::codec::DecodeError;
use crate::connection::channel::{Channel, Once, Setup, Tag};
use crate::connection::commands::send_replies;
use crate::connection::layer::{ConnectionLayer, Context};
use crate::connection::types::{
    ChannelId, ConnectionEvent, ConnectionLimits, ExitOutcome, RequestId,
};
use crate::error::Error;
use crate::messages::channel_request::{ChannelRequest, ChannelRequestMessage};
use crate::messages::connection::valid_name;
use crate::messages::open_kind::OpenKind;
use crate::messages::{MessageNumber, Role};

impl ConnectionLayer {
    pub(super) fn on_channel_request(
        &mut self,
        payload: &[u8],
        context: Context<'_>,
    ) -> Result<(), Error> {
        let message = ChannelRequestMessage::decode(payload)?;
        let id = ChannelId(message.recipient);
        let number = self.next_request_number();
        let Some(channel) = self.table.addressed_unless_closed(message.recipient)? else {
            return Ok(());
        };
        if let Some(since) = channel.agreed_at.take() {
            self.windows
                .observe_round_trip(context.now.saturating_duration_since(since));
        }
        if channel.sent.close {
            return Ok(());
        }
        match consider_request(channel, self.role, &message, &self.limits)? {
            Verdict::Ask(request, tag) => {
                if channel.questions.has_room() {
                    if let Some(charge) = self.question_budget.take(payload.len()) {
                        channel.note_asked(tag, &request);
                        channel
                            .questions
                            .ask(number, message.want_reply, charge, tag);
                        context.events.push_back(ConnectionEvent::RequestQuestion {
                            id,
                            request_id: RequestId(number),
                            request,
                            want_reply: message.want_reply,
                        });
                        return Ok(());
                    }
                }
            }
            Verdict::Done(Some(event)) => context.events.push_back(event(id)),
            Verdict::Done(None) | Verdict::Refuse => {}
        }
        if message.want_reply {
            channel.questions.refuse(&mut self.question_budget)?;
            send_replies(channel, &mut self.question_budget, context.out);
        }
        Ok(())
    }
}

impl Channel {
    /// Counts what the application is asked for against the bounds of the channel.
    fn note_asked(&mut self, tag: Tag, request: &ChannelRequest) {
        match tag {
            Tag::Program => self.setup.program = Once::Taken,
            Tag::Pty => self.setup.pty = Once::Taken,
            Tag::Plain => {}
        }
        if let ChannelRequest::Env { name, value } = request {
            self.setup.env_count += 1;
            self.setup.env_bytes += name.len() + value.len();
        }
    }
}

/// What becomes of a channel request.
enum Verdict {
    /// The application is asked.
    Ask(ChannelRequest, Tag),
    /// The layer has done what there is to do, and the application may want to know.
    Done(Option<fn(ChannelId) -> ConnectionEvent>),
    /// It is refused without asking.
    Refuse,
}

/// Sorts a request by what it is and which side may make it (RFC 4254 §6).
fn consider_request(
    channel: &mut Channel,
    role: Role,
    message: &ChannelRequestMessage<'_>,
    limits: &ConnectionLimits,
) -> Result<Verdict, Error> {
    let Some(name) = valid_name(message.name) else {
        return Ok(Verdict::Refuse);
    };
    let request = match ChannelRequest::decode(name, message.specific) {
        Ok(request) => request,
        Err(fault @ (DecodeError::Truncated | DecodeError::TrailingBytes)) => {
            return Err(Error::invalid(MessageNumber::CHANNEL_REQUEST)(fault));
        }
        Err(_) => return Ok(Verdict::Refuse),
    };
    let session = channel.kind == OpenKind::Session;
    Ok(match request {
        // On any channel, to either side.
        ChannelRequest::Other { .. } => Verdict::Ask(request, Tag::Plain),
        // Any reply says that we are alive.
        ChannelRequest::Keepalive => Verdict::Done(None),
        ChannelRequest::Eow => {
            let known = std::mem::replace(&mut channel.peer_stopped_reading, true);
            let news: fn(ChannelId) -> ConnectionEvent = ConnectionEvent::Writable;
            Verdict::Done((!known).then_some(news))
        }
        _ if !session => Verdict::Refuse,
        request => match role {
            Role::Server => to_server(&channel.setup, request, limits),
            Role::Client => to_client(channel, request),
        },
    })
}

/// What a client may request of a server on a session channel.
fn to_server(setup: &Setup, request: ChannelRequest, limits: &ConnectionLimits) -> Verdict {
    let tag = match &request {
        ChannelRequest::Shell | ChannelRequest::Exec(_) | ChannelRequest::Subsystem(_) => {
            (setup.program == Once::Free).then_some(Tag::Program)
        }
        ChannelRequest::Pty { .. } => (setup.pty == Once::Free).then_some(Tag::Pty),
        ChannelRequest::Env { name, value } => {
            let bytes = setup
                .env_bytes
                .saturating_add(name.len())
                .saturating_add(value.len());
            let fits = setup.env_count < limits.max_env && bytes <= limits.max_env_bytes;
            fits.then_some(Tag::Plain)
        }
        ChannelRequest::WindowChange { .. }
        | ChannelRequest::Signal(_)
        | ChannelRequest::X11(_)
        | ChannelRequest::AgentForward
        | ChannelRequest::Break { .. } => Some(Tag::Plain),
        _ => None,
    };
    match tag {
        Some(tag) => Verdict::Ask(request, tag),
        None => Verdict::Refuse,
    }
}

/// What a server may tell a client on a session channel.
fn to_client(channel: &mut Channel, request: ChannelRequest) -> Verdict {
    let outcome = match request {
        ChannelRequest::XonXoff(_) => return Verdict::Ask(request, Tag::Plain),
        ChannelRequest::ExitStatus(status) => ExitOutcome::Status(status),
        ChannelRequest::ExitSignal {
            signal,
            core_dumped,
            message,
            language,
        } => ExitOutcome::Signal {
            signal,
            core_dumped,
            message,
            language,
        },
        _ => return Verdict::Refuse,
    };
    // The first outcome counts; a program ends once.
    if channel.exit.is_some() {
        return Verdict::Refuse;
    }
    channel.exit = Some(outcome);
    Verdict::Done(Some(ConnectionEvent::Exit))
}
