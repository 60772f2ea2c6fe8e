//! A small reference automaton of the SSH protocol, written from the RFCs: which message may come now, and what it changes.
//!
//! It watches one side of a connection, "us", from outside: every payload that we hear, and every payload that we say. Of
//! what we hear it tells what must become of it ([`Verdict`]); of what we say it tells whether we may. It shares nothing
//! with the implementation that it judges: it reads the bytes by itself ([`wire`]), and knows the numbers by heart.
//!
//! To be read beside RFC 4251 to 4254, 4256, 4419, 8308 and OpenSSH's PROTOCOL; each rule names its section. What the
//! RFCs leave open is open here too ([`Verdict::Free`], [`Verdict::Refuse`]), and so are bounds on resources.
//!
//! - [`transport`]: key exchange, extension negotiation, messages that are nobody's (1 to 49, 128 to 255)
//! - [`login`]: services and user authentication (5, 6, 50 to 79)
//! - [`channels`]: the connection protocol (80 to 127)

mod channels;
mod login;
mod transport;
mod wire;

pub(super) use channels::{Channel, Stage};

use channels::Channels;
use login::Login;
use transport::Transport;

/// A side of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Client,
    Server,
}

/// What must become of a message that we hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It is taken, and the connection goes on.
    Accept,
    /// It ends the connection as it is meant to (DISCONNECT).
    Over,
    /// It breaks the protocol: the connection ends, and nothing comes of it.
    End,
    /// It is answered with UNIMPLEMENTED and the number of its packet, and nothing else comes of it.
    Unimplemented,
    /// Nothing may come of it. Whether the connection ends is not said.
    Refuse,
    /// Nothing is said about it: the connection ends, or it is taken.
    Free,
}

/// A verdict, and where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ruling {
    pub(super) verdict: Verdict,
    pub(super) rule: &'static str,
}

const fn ruling(verdict: Verdict, rule: &'static str) -> Ruling {
    Ruling { verdict, rule }
}
const fn accept(rule: &'static str) -> Ruling {
    ruling(Verdict::Accept, rule)
}
const fn end(rule: &'static str) -> Ruling {
    ruling(Verdict::End, rule)
}
const fn refuse(rule: &'static str) -> Ruling {
    ruling(Verdict::Refuse, rule)
}
const fn free(rule: &'static str) -> Ruling {
    ruling(Verdict::Free, rule)
}
const fn unimplemented(rule: &'static str) -> Ruling {
    ruling(Verdict::Unimplemented, rule)
}

/// Fields that are not those of the message. RFC 4251 §5 defines their form and not what a broken one leads to.
const MALFORMED: Ruling = refuse("RFC 4251 §5: fields that cannot be read mean nothing");

/// Whether we may say something, and which rule forbids it.
pub(super) type Saying = Result<(), &'static str>;

/// Both directions of one connection as one side of it sees them.
pub(super) struct Automaton {
    us: Side,
    pub(super) transport: Transport,
    pub(super) login: Login,
    pub(super) channels: Channels,
}

impl Automaton {
    /// After both identification lines, before the first message.
    pub(super) fn new(us: Side) -> Self {
        Automaton {
            us,
            transport: Transport::new(us),
            login: Login::default(),
            channels: Channels::new(us),
        }
    }

    /// Judges a message that we hear, and moves on as if it was treated so. `authentic` tells that a message of a key
    /// exchange is one that an honest peer made for this very exchange, for its signature cannot be judged by its form.
    pub(super) fn heard(&mut self, payload: &[u8], authentic: bool) -> Ruling {
        let sequence = self.transport.next_sequence();
        let ruling = self.judge(payload, authentic);
        self.transport.note_heard(payload, ruling.verdict, sequence);
        ruling
    }

    fn judge(&mut self, payload: &[u8], authentic: bool) -> Ruling {
        let Some(number) = payload.first().copied() else {
            return end("RFC 4253 §6: a payload begins with a message number (RFC 4251 §7)");
        };
        if let Some(ruling) = self.transport.judge_first(number, payload, authentic) {
            return ruling;
        }
        // From here on we have keys, and the peer is not exchanging new ones.
        match number {
            7 => self.transport.announced(payload, &self.login),
            5 | 6 | 50..=79 => {
                self.login.held = self.transport.is_held();
                self.login.heard(self.us, number, payload)
            }
            80..=127 if !self.login.may_use_channels() => {
                // The server MUST disconnect; nothing is said of the client, where it is no less an error.
                end("RFC 4252 §6: receiving one of them before authentication is complete is an error")
            }
            80..=127 => {
                let ruling = self.channels.heard(number, payload);
                match ruling.verdict {
                    Verdict::Accept if !self.login.authenticated => {
                        free("RFC 4252 §5.1: accepted, but nobody has told the client yet")
                    }
                    _ => ruling,
                }
            }
            128..=191 if self.us == Side::Server && !self.login.may_use_channels() => {
                end("RFC 4252 §6, RFC 4251 §7: client protocols run after authentication")
            }
            192 | 193 => self.transport.ping(number, payload),
            _ => unimplemented("RFC 4253 §11.4: unrecognized messages"),
        }
    }

    /// Judges a message that we say, and moves on.
    pub(super) fn said(&mut self, payload: &[u8]) -> Saying {
        let number = *payload.first().ok_or("an empty payload")?;
        self.transport.may_say(number, payload)?;
        match number {
            5 | 6 | 50..=79 => self.login.said(self.us, number, payload),
            80..=127 if !self.login.authenticated => Err("RFC 4252 §6: before authentication"),
            80..=127 => self.channels.said(number, payload),
            _ => Ok(()),
        }
    }

    /// Whether our own messages, apart from those of the key exchange, must wait for it to end (RFC 4253 §7.1).
    pub(super) fn is_held(&self) -> bool {
        self.transport.is_held()
    }

    /// What we have to say as soon as we may say anything.
    pub(super) fn owes_at_once(&self) -> Option<String> {
        self.transport.owes().or_else(|| self.login.owes())
    }

    /// What we have to say in the end, when the application has answered everything.
    pub(super) fn owes(&self) -> Option<String> {
        self.owes_at_once().or_else(|| self.channels.owes())
    }
}
