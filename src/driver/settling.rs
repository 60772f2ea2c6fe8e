//! What the layers tell, handed to whom it concerns.

use std::sync::Arc;
use std::time::Instant;

use super::entry::{ChannelEntry, ChannelInterest};
use super::guessing::GUESSABLE;
use super::log::LogLevel;
use super::request::Question;
use super::serving::{After, Phase, Serving};
use super::shared::Shared;
use crate::auth::{AuthOutcome, ClientAuthEvent, ServerAuthEvent};
use crate::connection::{ChannelId, ConnectionEvent};
use crate::endpoint::{self, Services};
use crate::error::Error;
use crate::messages::Role;
use crate::transport::TransportEvent;

/// Most bytes of banners that are kept.
const MAX_BANNER_BYTES: usize = 64 * 1024;

impl Serving {
    /// Hands events of the layers to whom they concern. Runs under the lock, so that questions keep their
    /// order; what must not run under it is pushed to `after`.
    pub(crate) fn settle(&mut self, shared: &Arc<Shared>, after: &mut Vec<After>) {
        self.settling = true;
        self.hand_on(shared, after);
        self.settling = false;
        if self.jobs_wait {
            after.push(After::Call);
        }
    }

    fn hand_on(&mut self, shared: &Arc<Shared>, after: &mut Vec<After>) {
        while let Some(event) = self.services.as_mut().and_then(Services::poll_event) {
            match event {
                endpoint::Event::Transport(event) => self.transport_event(shared, event),
                endpoint::Event::ClientAuth(event) => self.client_event(shared, event, after),
                endpoint::Event::ServerAuth(event) => self.server_event(shared, event, after),
                endpoint::Event::Connection(ConnectionEvent::ProveHostKeys { id, keys }) => {
                    after.push(After::Prove(self.proof_job(id, &keys)));
                }
                endpoint::Event::Connection(ConnectionEvent::Readable(id)) => {
                    self.with_channel(id, |entry| {
                        after.push(After::Readable(Arc::clone(&entry.waits)));
                        entry.changed(ChannelInterest::READABLE);
                    });
                }
                endpoint::Event::Connection(event) => self.connection_event(shared, event),
            }
        }
    }

    fn transport_event(&mut self, shared: &Arc<Shared>, event: TransportEvent) {
        match event {
            TransportEvent::BannerLine(line) => self.tell_banner(shared, line),
            TransportEvent::HostKey(shown) => self.host_key_shown(shared, shown),
            TransportEvent::Keyed { first, guessable } => {
                self.key_exchanges += 1;
                self.begun.keyed(self.key_exchanges);
                if first {
                    self.phase = Phase::Keyed;
                    let guessed = self.learn(guessable);
                    if guessed {
                        let outcome = if guessable { "right" } else { "wrong" };
                        shared.log(LogLevel::Debug, || {
                            format!("the guess of what the server prefers was {outcome}")
                        });
                    }
                    self.setup_deadline = match (self.role, shared.login_deadline()) {
                        (Role::Server, Some(at)) => Some((at, "login grace time")),
                        _ => None,
                    };
                    if !self.host_key.is_asked() {
                        self.started();
                    }
                }
                shared.log(LogLevel::Info, || String::from("keys exchanged"));
                shared.progress.notify_all();
            }
            TransportEvent::Debug { message, .. } => {
                shared.log(LogLevel::Debug, || {
                    format!("peer says: {}", super::log::quoted(&message))
                });
            }
            _ => {}
        }
    }

    /// What is guessed of this server is right, or not. Whether it has been guessed.
    pub(crate) fn learn(&mut self, right: bool) -> bool {
        let Some((guess, made)) = self.guess.take() else {
            return false;
        };
        if right {
            GUESSABLE.insert(guess);
        } else if made {
            GUESSABLE.refuse(guess);
        }
        made
    }

    /// Negotiation is over, well or badly.
    pub(crate) fn started(&mut self) {
        if let Some(event) = self.start_event.take() {
            event.set();
        }
    }

    fn tell_banner(&mut self, shared: &Arc<Shared>, text: String) {
        if let Some(callback) = self.banner.clone() {
            self.push_job(shared, Box::new(move || callback(&text)));
        }
    }

    fn client_event(
        &mut self,
        shared: &Arc<Shared>,
        event: ClientAuthEvent,
        after: &mut Vec<After>,
    ) {
        match event {
            ClientAuthEvent::Banner { message, .. } => {
                if self.banner_text.len().saturating_add(message.len()) <= MAX_BANNER_BYTES {
                    self.banner_text.push_str(&message);
                }
                self.tell_banner(shared, message);
            }
            ClientAuthEvent::Prompts(prompts) => self.ask(shared, Question::Prompts(prompts)),
            ClientAuthEvent::Sign(job) => {
                if job.key.signs_elsewhere() {
                    self.attempt.pause();
                }
                after.push(After::Sign(job));
            }
            ClientAuthEvent::Outcome(outcome) => {
                if !self.attempt.running {
                    return;
                }
                match &outcome {
                    Ok(AuthOutcome::Success) => {
                        self.attempt.methods.clear();
                        shared.log(LogLevel::Info, || String::from("authenticated"));
                    }
                    Ok(AuthOutcome::Partial { methods }) => {
                        self.attempt.methods.clone_from(methods)
                    }
                    Ok(AuthOutcome::Failure { methods }) => {
                        self.attempt.methods.clone_from(methods);
                        self.exception = Some(Error::AuthFailed {
                            methods: methods.clone(),
                        });
                    }
                    Err(error) => self.exception = Some(error.clone()),
                }
                self.finish_attempt(outcome);
                shared.progress.notify_all();
            }
        }
    }

    pub(crate) fn finish_attempt(&mut self, outcome: Result<AuthOutcome, Error>) {
        self.attempt.running = false;
        self.attempt.deadline = None;
        self.attempt.outcome = Some(outcome);
        if let Some(event) = self.attempt.event.take() {
            event.set();
        }
    }

    fn server_event(
        &mut self,
        shared: &Arc<Shared>,
        event: ServerAuthEvent,
        after: &mut Vec<After>,
    ) {
        match event {
            ServerAuthEvent::Question(question) => self.ask(
                shared,
                Question::Auth {
                    id: question.id,
                    user: question.user,
                    partial_successes: question.partial_successes,
                    kind: question.kind,
                },
            ),
            ServerAuthEvent::Verify(job) => after.push(After::Verify(job)),
            ServerAuthEvent::KeyRefused { user, shown, fault } => {
                shared.log(LogLevel::Warning, || {
                    let user = super::log::quoted(&user);
                    format!("user {user}: {shown} refused: {fault}")
                });
            }
            ServerAuthEvent::Authenticated {
                user,
                method,
                permissions,
            } => {
                self.setup_deadline = None;
                self.permissions = permissions;
                if let Some(admission) = self.admission.take() {
                    admission.authenticated();
                }
                shared.authenticated();
                self.tell_host_keys();
                shared.log(LogLevel::Info, || {
                    format!(
                        "user {} in by {}",
                        super::log::quoted(&user),
                        super::log::quoted(&method)
                    )
                });
                shared.progress.notify_all();
            }
        }
    }

    /// The socket or the end of a key exchange lets channels write again, which the connection layer does not see.
    pub(crate) fn room_came(&self) {
        for entry in self.channels.values() {
            entry.changed(ChannelInterest::WRITABLE);
        }
    }

    fn connection_event(&mut self, shared: &Arc<Shared>, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Opened(id) => self.opened(id, Ok(())),
            ConnectionEvent::OpenFailed {
                id,
                reason,
                description,
            } => self.opened(
                id,
                Err(Error::ChannelOpenRefused {
                    reason,
                    description,
                }),
            ),
            ConnectionEvent::Writable(id) => self.with_channel(id, |entry| {
                entry.waits.writable.notify_all();
                entry.changed(ChannelInterest::WRITABLE);
            }),
            ConnectionEvent::Eof(id) => self.with_channel(id, |entry| {
                entry.waits.notify_all();
                entry.changed(ChannelInterest::EOF);
            }),
            ConnectionEvent::Closed(id) => {
                self.with_channel(id, |entry| entry.ended());
                self.end_forwards_of(shared, id);
                // Writers that wait for room to send want to know, too.
                shared.raise_room();
            }
            ConnectionEvent::Exit(id) => {
                self.with_channel(id, |entry| entry.waits.changed.notify_all());
            }
            ConnectionEvent::RequestReply { id, request_id, ok } => {
                if let Some(reply) = self.request_replies.get_mut(&request_id) {
                    *reply = Some(ok);
                }
                self.with_channel(id, |entry| {
                    entry.replied(request_id);
                    entry.waits.changed.notify_all();
                });
            }
            ConnectionEvent::GlobalReply { id, answer } => {
                if let Some(told) = self.keepalive.answered(id, Instant::now()) {
                    if let Some(told) = told {
                        self.push_job(shared, told);
                    }
                } else if self.is_proof(shared, id, &answer) {
                    // Looked at on the callback pool.
                } else if let Some(reply) = self.global_replies.get_mut(&id) {
                    *reply = Some(answer);
                    self.begun.answered(id);
                }
                shared.progress.notify_all();
            }
            ConnectionEvent::HostKeys { keys } => self.host_keys_told(shared, keys),
            // `settle` deals with them.
            ConnectionEvent::Readable(_) | ConnectionEvent::ProveHostKeys { .. } => {}
            ConnectionEvent::OpenQuestion { .. }
            | ConnectionEvent::RequestQuestion { .. }
            | ConnectionEvent::GlobalQuestion { .. }
            | ConnectionEvent::ForwardQuestion { .. } => self.connection_question(shared, event),
        }
    }

    fn connection_question(&mut self, shared: &Arc<Shared>, event: ConnectionEvent) {
        let question = match event {
            ConnectionEvent::OpenQuestion { id, kind } => {
                self.channels.insert(id, ChannelEntry::new());
                return self.ask_open(shared, id, kind);
            }
            ConnectionEvent::RequestQuestion {
                id,
                request_id,
                request,
                want_reply,
            } => Question::Channel {
                id,
                request_id,
                request,
                want_reply,
                wanted: None,
            },
            ConnectionEvent::GlobalQuestion {
                id,
                name,
                data,
                want_reply,
            } => Question::Global {
                id,
                name,
                data,
                want_reply,
            },
            ConnectionEvent::ForwardQuestion {
                id,
                request,
                want_reply,
            } => Question::Forward {
                id,
                request,
                want_reply,
            },
            // News, and no question.
            _ => return,
        };
        self.ask(shared, question);
    }

    fn opened(&mut self, id: ChannelId, outcome: Result<(), Error>) {
        self.with_channel(id, |entry| {
            entry.changed(match &outcome {
                Ok(()) => ChannelInterest::WRITABLE,
                Err(_) => ChannelInterest::ALL,
            });
            entry.opened = Some(outcome);
            if let Some(above) = &entry.above {
                above.readable();
            }
            if let Some(event) = entry.open_event.take() {
                event.set();
            }
            entry.waits.changed.notify_all();
        });
    }

    fn with_channel(&mut self, id: ChannelId, run: impl FnOnce(&mut ChannelEntry)) {
        if let Some(entry) = self.channels.get_mut(&id) {
            run(entry);
        }
    }
}
