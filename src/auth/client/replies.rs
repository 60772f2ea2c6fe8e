//! What each message of the server does to the attempt under way.

use std::collections::VecDeque;

use super::{
    finish, unexpected, Attempt, ClientAuth, ClientAuthEvent, Dialogue, Fallback, MethodReply,
    Service, State, Step,
};
use crate::auth::methods::keyboard_interactive;
use crate::auth::{AuthOutcome, SERVICE_USERAUTH};
use crate::error::{Error, PeerMisbehaved};
use crate::keys::Credential;
use crate::messages::service::ServiceAccept;
use crate::messages::userauth::{
    UserauthBanner, UserauthPasswdChangereq, UserauthPkOk, METHOD_KEYBOARD_INTERACTIVE,
    METHOD_PASSWORD,
};
use crate::messages::MessageNumber;
use crate::packet::PayloadQueue;

/// Most banners of one connection that are passed on.
const MAX_BANNERS: u32 = 64;
/// Where the text of a banner is cut.
const MAX_BANNER_BYTES: usize = 16 * 1024;
/// Where a language tag is cut.
const MAX_LANGUAGE_BYTES: usize = 64;

impl ClientAuth {
    pub(super) fn service_accept(
        &mut self,
        payload: &[u8],
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let number = MessageNumber::SERVICE_ACCEPT;
        let accept = ServiceAccept::decode(payload).map_err(Error::invalid(number))?;
        if self.service != Service::Requested {
            return Err(unexpected(number));
        }
        if accept.service != SERVICE_USERAUTH {
            return Err(PeerMisbehaved::Other("accepted a service that was not asked for").into());
        }
        self.service = Service::Accepted;
        if let State::ExpectServiceAccept(pending) = &mut self.state {
            let pending = pending.take();
            self.state = State::Idle {
                dialogue_left_open: false,
            };
            self.begin_deferred(pending, out, events);
        }
        Ok(())
    }

    pub(super) fn banner(
        &mut self,
        payload: &[u8],
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let number = MessageNumber::USERAUTH_BANNER;
        let banner = UserauthBanner::decode(payload).map_err(Error::invalid(number))?;
        match self.state {
            State::Fresh => return Err(unexpected(number)),
            // One that was on its way when the server decided.
            State::Authenticated => return Ok(()),
            _ => {}
        }
        self.banners += 1;
        if self.banners > MAX_BANNERS {
            return Err(Error::Limit("banners"));
        }
        events.push_back(banner_event(banner.message, banner.language));
        Ok(())
    }

    pub(super) fn failure(
        &mut self,
        partial: bool,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        match self.take_state() {
            State::ExpectReply(attempt) => self.refused(attempt, partial, out, events),
            State::ExpectLateReply { next, .. } => self.begin_deferred(next, out, events),
            // A server that ends a dialogue by itself, because the user took too long.
            State::ExpectAnswers { dialogue, .. } => {
                let attempt = Attempt {
                    user: String::new(),
                    step: Step::Interactive(dialogue),
                };
                self.refused(attempt, partial, out, events);
            }
            State::Idle {
                dialogue_left_open: true,
            } => {}
            state => {
                self.state = state;
                return Err(PeerMisbehaved::UnsolicitedReply.into());
            }
        }
        Ok(())
    }

    /// FAILURE to an attempt that still counts. The state is idle.
    fn refused(
        &mut self,
        attempt: Attempt,
        partial: bool,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) {
        let methods = self.methods.clone();
        if partial {
            return finish(events, AuthOutcome::Partial { methods });
        }
        match attempt.step {
            Step::Password {
                password,
                fallback: true,
            } if self.only_interactive_is_allowed() => {
                out.push_vec(keyboard_interactive::request(&attempt.user, ""));
                let fallback = Some(Fallback { password, methods });
                let step = Step::Interactive(Dialogue {
                    rounds: 0,
                    fallback,
                });
                self.state = State::ExpectReply(Attempt {
                    user: attempt.user,
                    step,
                });
            }
            Step::Interactive(Dialogue {
                fallback: Some(Fallback { methods, .. }),
                ..
            }) => {
                finish(events, AuthOutcome::Failure { methods });
            }
            _ => finish(events, AuthOutcome::Failure { methods }),
        }
    }

    fn only_interactive_is_allowed(&self) -> bool {
        let lists = |name: &str| self.methods.iter().any(|method| method == name);
        lists(METHOD_KEYBOARD_INTERACTIVE) && !lists(METHOD_PASSWORD)
    }

    pub(super) fn success(&mut self, events: &mut VecDeque<ClientAuthEvent>) -> Result<(), Error> {
        match self.take_state() {
            // Nothing was asked for that SUCCESS could answer (RFC 4252 §7: PK_OK or FAILURE).
            State::ExpectReply(Attempt {
                step: Step::Query { .. },
                ..
            })
            | State::ExpectLateReply {
                expected: MethodReply::PkOk,
                ..
            } => {
                return Err(unexpected(MessageNumber::USERAUTH_SUCCESS));
            }
            State::ExpectReply(_) => {}
            State::ExpectLateReply { user, next, .. } => {
                // The caller who waits asked to be someone else, and no further request would be answered.
                if next.is_some_and(|next| next.user != user) {
                    return Err(Error::Timeout("an attempt for another user succeeded late"));
                }
            }
            state => {
                self.state = state;
                return Err(unexpected(MessageNumber::USERAUTH_SUCCESS));
            }
        }
        if self.refuse_trivial && !self.credential_shown {
            return Err(Error::AuthFailed {
                methods: Vec::new(),
            });
        }
        self.state = State::Authenticated;
        finish(events, AuthOutcome::Success);
        Ok(())
    }

    /// Message 60, whose meaning depends on the method.
    pub(super) fn method_reply(
        &mut self,
        payload: &[u8],
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        match self.take_state() {
            State::ExpectReply(Attempt { user, step }) => match step {
                Step::Password { .. } => self.password_change(payload, events),
                Step::Query { key, algorithm } => {
                    self.key_accepted(payload, user, key, algorithm, events)
                }
                Step::Interactive(dialogue) => {
                    self.info_request(payload, user, dialogue, out, events)
                }
                Step::None | Step::Signed => Err(unexpected(MessageNumber::USERAUTH_60)),
            },
            State::ExpectLateReply { expected, next, .. } => {
                // Read even though nobody wants to know any more: what cannot be read answers nothing.
                let dialogue_left_open = match expected {
                    MethodReply::Nothing => return Err(unexpected(MessageNumber::USERAUTH_60)),
                    MethodReply::PasswdChangereq => {
                        read_password_change(payload)?;
                        false
                    }
                    MethodReply::PkOk => {
                        read_key_accepted(payload)?;
                        false
                    }
                    MethodReply::InfoRequest => {
                        keyboard_interactive::read_prompts(payload)?;
                        true
                    }
                };
                self.state = State::Idle { dialogue_left_open };
                self.begin_deferred(next, out, events);
                Ok(())
            }
            state => {
                self.state = state;
                Err(unexpected(MessageNumber::USERAUTH_60))
            }
        }
    }

    /// PASSWD_CHANGEREQ. Passwords are not changed here: the user is shown why, and the attempt has failed.
    fn password_change(
        &mut self,
        payload: &[u8],
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let request = read_password_change(payload)?;
        events.push_back(banner_event(request.prompt, request.language));
        finish(
            events,
            AuthOutcome::Failure {
                methods: self.methods.clone(),
            },
        );
        Ok(())
    }

    /// PK_OK.
    fn key_accepted(
        &mut self,
        payload: &[u8],
        user: String,
        key: Credential,
        algorithm: &'static str,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let ok = read_key_accepted(payload)?;
        if ok.algorithm == algorithm.as_bytes() && ok.blob == key.blob() {
            self.sign(user, key, algorithm, events);
            return Ok(());
        }
        finish(
            events,
            AuthOutcome::Failure {
                methods: self.methods.clone(),
            },
        );
        Ok(())
    }

    /// INFO_REQUEST.
    fn info_request(
        &mut self,
        payload: &[u8],
        user: String,
        mut dialogue: Dialogue,
        out: &mut PayloadQueue,
        events: &mut VecDeque<ClientAuthEvent>,
    ) -> Result<(), Error> {
        let asked = keyboard_interactive::read_prompts(payload)?;
        dialogue.rounds += 1;
        if dialogue.rounds > keyboard_interactive::MAX_ROUNDS {
            return Err(Error::Limit("keyboard-interactive rounds"));
        }
        let first_round = dialogue.rounds == 1;
        let prompts = asked.prompts.len();
        let answers: &[&[u8]] = match (&dialogue.fallback, asked.prompts.as_slice()) {
            // RFC 4256 §3.4: the server waits for a response to no prompts as well.
            (_, []) => &[],
            // The safe form of answering with a password: nothing else than one hidden prompt can get it.
            (Some(fallback), [prompt]) if first_round && !prompt.echo => &[&fallback.password],
            (Some(fallback), _) => {
                let methods = fallback.methods.clone();
                self.state = State::Idle {
                    dialogue_left_open: true,
                };
                finish(events, AuthOutcome::Failure { methods });
                return Ok(());
            }
            (None, _) => {
                events.push_back(ClientAuthEvent::Prompts(asked));
                self.state = State::ExpectAnswers {
                    user,
                    dialogue,
                    prompts,
                };
                return Ok(());
            }
        };
        out.push_vec(keyboard_interactive::write_answers(answers));
        self.credential_shown |= prompts > 0;
        self.state = State::ExpectReply(Attempt {
            user,
            step: Step::Interactive(dialogue),
        });
        Ok(())
    }
}

fn read_password_change(payload: &[u8]) -> Result<UserauthPasswdChangereq<'_>, Error> {
    UserauthPasswdChangereq::decode(payload).map_err(Error::invalid(MessageNumber::USERAUTH_60))
}

fn read_key_accepted(payload: &[u8]) -> Result<UserauthPkOk<'_>, Error> {
    UserauthPkOk::decode(payload).map_err(Error::invalid(MessageNumber::USERAUTH_60))
}

fn banner_event(message: &[u8], language: &[u8]) -> ClientAuthEvent {
    ClientAuthEvent::Banner {
        message: lossy_capped(message, MAX_BANNER_BYTES),
        language: lossy_capped(language, MAX_LANGUAGE_BYTES),
    }
}

/// At most `cap` bytes of the peer's text, with what is no UTF-8 replaced.
fn lossy_capped(bytes: &[u8], cap: usize) -> String {
    String::from_utf8_lossy(bytes.get(..cap).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_made_utf8() {
        assert_eq!(lossy_capped(b"a\xffb", 10), "a\u{fffd}b");
        assert_eq!(lossy_capped("aä".as_bytes(), 2), "a\u{fffd}");
        assert_eq!(lossy_capped(b"\x1b[0m", 4), "\x1b[0m");
    }
}
