//! The connection protocol (RFC 4254): channels, windows, requests. Extensions as in OpenSSH PROTOCOL §2.

use std::collections::BTreeMap;

use super::wire::{has_form, Fields};
use super::{accept, free, refuse, unimplemented, Ruling, Saying, Side, MALFORMED};

/// How far both sides have agreed on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Stage {
    /// We have said OPEN.
    Asked,
    /// CONFIRMATION was said.
    Open,
}

/// What one side has said of its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Ends {
    pub(in super::super) eof: bool,
    pub(in super::super) close: bool,
}

/// A channel by our number, until both sides have said CLOSE.
#[derive(Debug, Clone)]
pub(in super::super) struct Channel {
    pub(in super::super) stage: Stage,
    /// A session that we have opened: what comes as type 1 is its standard error.
    takes_stderr: bool,
    theirs: u32,
    /// What the peer may send.
    pub(in super::super) window: u32,
    pub(in super::super) max_packet: u32,
    /// What we may send.
    their_window: u32,
    their_max_packet: u32,
    pub(in super::super) heard: Ends,
    pub(in super::super) said: Ends,
    /// Our requests without a reply.
    asked: u32,
    /// The peer's requests that we have to reply to, and those that we may.
    owed: u32,
    owed_free: u32,
    /// Bytes that we have heard and that are for the application.
    pub(in super::super) bytes: usize,
}

/// An OPEN of the peer that is not answered.
#[derive(Debug, Clone)]
struct Pending {
    theirs: u32,
    window: u32,
    max_packet: u32,
    /// We must not agree to it.
    hopeless: bool,
    takes_stderr: bool,
    /// Whether it must be answered.
    owed: bool,
}

pub(in super::super) struct Channels {
    us: Side,
    pub(in super::super) open: BTreeMap<u32, Channel>,
    pending: Vec<Pending>,
    asked: u32,
    owed: u32,
    owed_free: u32,
    no_more_sessions: bool,
    /// The peer has given two channels the same number: from here on nobody can tell which one we mean.
    pub(in super::super) confused: bool,
}

const UNKNOWN: Ruling = refuse("RFC 4254 §5: a channel is named by the recipient's number of it");
const CLOSED: Ruling = refuse("RFC 4254 §5.3: no message after CLOSE");

impl Channels {
    pub(super) fn new(us: Side) -> Self {
        Channels {
            us,
            open: BTreeMap::new(),
            pending: Vec::new(),
            asked: 0,
            owed: 0,
            owed_free: 0,
            no_more_sessions: false,
            confused: false,
        }
    }

    /// Whether we wait for the reply to a global request.
    pub(in super::super) fn is_asked(&self) -> bool {
        self.asked > 0
    }

    pub(super) fn heard(&mut self, number: u8, payload: &[u8]) -> Ruling {
        match number {
            80 => self.global_request(payload),
            81 | 82 => self.global_reply(number, payload),
            90 => self.open_request(payload),
            91 => self.confirmation(payload),
            92 => self.open_failure(payload),
            93 => self.adjust(payload),
            94 | 95 => self.data(number, payload),
            96 => self.eof(payload),
            97 => self.close(payload),
            98 => self.request(payload),
            99 | 100 => self.reply(payload),
            _ => unimplemented("RFC 4253 §11.4: unrecognized messages"),
        }
    }

    fn global_request(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let (name, want_reply) = (fields.string(), fields.boolean());
        let (Some(name), Some(want_reply)) = (name, want_reply) else {
            return MALFORMED;
        };
        let form = match name {
            b"tcpip-forward" | b"cancel-tcpip-forward" => Some("su"),
            b"streamlocal-forward@openssh.com" | b"cancel-streamlocal-forward@openssh.com" => {
                Some("s")
            }
            b"no-more-sessions@openssh.com" => {
                self.no_more_sessions |= self.us == Side::Server;
                None
            }
            _ => None,
        };
        if form.is_some_and(|form| !has_form(fields, form)) {
            self.owed_free += u32::from(want_reply);
            return MALFORMED;
        }
        if name.starts_with(b"hostkeys-") {
            self.owed_free += u32::from(want_reply);
            return free("PROTOCOL §2.5: a list of keys that need not be keys");
        }
        self.owed += u32::from(want_reply);
        accept("RFC 4254 §4: replied to where a reply is wanted")
    }

    fn global_reply(&mut self, number: u8, payload: &[u8]) -> Ruling {
        if number == 82 && payload.len() != 1 {
            return MALFORMED;
        }
        match self.asked.checked_sub(1) {
            Some(asked) => {
                self.asked = asked;
                accept("RFC 4254 §4: replies come in the order of the requests")
            }
            None => refuse("RFC 4254 §4: it answers a request, and there is none"),
        }
    }

    fn open_request(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let kind = fields.string();
        let (theirs, window, max_packet) = (fields.uint32(), fields.uint32(), fields.uint32());
        let (Some(kind), Some(theirs), Some(window), Some(max_packet)) =
            (kind, theirs, window, max_packet)
        else {
            return MALFORMED;
        };
        let form = match kind {
            b"session" | b"auth-agent@openssh.com" => Some(""),
            b"direct-tcpip" | b"forwarded-tcpip" => Some("susu"),
            b"x11" => Some("su"),
            _ => None,
        };
        let readable = form.is_none_or(|form| has_form(fields, form));
        // RFC 4254 §6.1, §7.2: a client opens sessions and direct channels, a server the others, if it was asked to.
        let hopeless = match (self.us, kind) {
            (Side::Client, _) => true,
            (_, b"session") => self.no_more_sessions,
            (_, b"x11" | b"forwarded-tcpip" | b"auth-agent@openssh.com") => true,
            _ => false,
        };
        self.confused |= self.is_used(theirs);
        self.pending.push(Pending {
            theirs,
            window,
            max_packet,
            hopeless: hopeless || !readable,
            takes_stderr: form.is_none(),
            owed: readable,
        });
        match readable {
            _ if self.confused => {
                free("RFC 4254 §5.1: the number of another channel of the peer's")
            }
            true => accept("RFC 4254 §5.1: answered with CONFIRMATION or FAILURE"),
            false => MALFORMED,
        }
    }

    /// Whether the peer names a channel so already.
    fn is_used(&self, theirs: u32) -> bool {
        self.pending.iter().any(|open| open.theirs == theirs)
            || self.open.values().any(|channel| channel.is_named(theirs))
    }

    fn confirmation(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let (ours, theirs) = (fields.uint32(), fields.uint32());
        let (window, max_packet) = (fields.uint32(), fields.uint32());
        let (Some(ours), Some(theirs), Some(window), Some(max_packet)) =
            (ours, theirs, window, max_packet)
        else {
            return MALFORMED;
        };
        let known = self.open.get(&ours);
        if known.is_none_or(|channel| channel.stage != Stage::Asked) {
            return refuse("RFC 4254 §5.1: it answers OPEN, and there is none");
        }
        // All that we open are sessions, which have no more fields (RFC 4254 §6.1).
        if fields.end().is_none() {
            return MALFORMED;
        }
        self.confused |= self.is_used(theirs);
        let Some(channel) = self.open.get_mut(&ours) else {
            return UNKNOWN;
        };
        channel.stage = Stage::Open;
        channel.theirs = theirs;
        channel.their_window = window;
        channel.their_max_packet = max_packet;
        match max_packet {
            _ if self.confused => {
                free("RFC 4254 §5.1: the number of another channel of the peer's")
            }
            0 => free("RFC 4254 §5.1: nothing could ever be sent"),
            _ => accept("RFC 4254 §5.1: the channel is open"),
        }
    }

    fn open_failure(&mut self, payload: &[u8]) -> Ruling {
        if !has_form(Fields::of(payload), "uuss") {
            return MALFORMED;
        }
        let ours = Fields::of(payload).uint32().unwrap_or_default();
        match self.open.get(&ours).map(|channel| channel.stage) {
            Some(Stage::Asked) => {
                self.open.remove(&ours);
                accept("RFC 4254 §5.1: the channel is not opened")
            }
            _ => refuse("RFC 4254 §5.1: it answers OPEN, and there is none"),
        }
    }

    /// The open channel that a message names, if its peer may still say something of it.
    fn named(&mut self, fields: &mut Fields<'_>) -> Result<&mut Channel, Ruling> {
        let ours = fields.uint32().ok_or(MALFORMED)?;
        match self.open.get_mut(&ours) {
            Some(channel) if channel.stage == Stage::Asked => Err(UNKNOWN),
            Some(channel) if channel.heard.close => Err(CLOSED),
            Some(channel) => Ok(channel),
            None => Err(UNKNOWN),
        }
    }

    fn adjust(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let channel = match self.named(&mut fields) {
            Ok(channel) => channel,
            Err(ruling) => return ruling,
        };
        let Some(bytes) = fields.uint32().filter(|_| fields.end().is_some()) else {
            return MALFORMED;
        };
        match channel.their_window.checked_add(bytes) {
            Some(sum) => {
                channel.their_window = sum;
                accept("RFC 4254 §5.2: more may be sent")
            }
            None => refuse("RFC 4254 §5.2: the window MUST NOT be increased above 2^32 - 1"),
        }
    }

    fn data(&mut self, number: u8, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let us = self.us;
        let channel = match self.named(&mut fields) {
            Ok(channel) => channel,
            Err(ruling) => return ruling,
        };
        let kind = match number {
            95 => fields.uint32(),
            _ => None,
        };
        let data = fields.string().filter(|_| fields.end().is_some());
        let Some(data) = data.filter(|_| kind.is_some() || number == 94) else {
            return MALFORMED;
        };
        if channel.heard.eof {
            return refuse("RFC 4254 §5.3: no more data after EOF");
        }
        let length = data.len() as u32;
        if length > channel.max_packet || length > channel.window {
            return refuse("RFC 4254 §5.2: no more than window and maximum packet size");
        }
        channel.window -= length;
        // RFC 4254 §5.2: type 1 is what a program says on its standard error.
        let wanted = match kind {
            None => true,
            Some(kind) => kind == 1 && (channel.takes_stderr || us == Side::Client),
        };
        if wanted && !channel.said.close {
            channel.bytes += data.len();
        }
        accept("RFC 4254 §5.2: within the window")
    }

    fn eof(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        match self.named(&mut fields) {
            Err(ruling) => ruling,
            Ok(_) if fields.end().is_none() => MALFORMED,
            Ok(channel) if channel.heard.eof => free("RFC 4254 §5.3: EOF again says nothing new"),
            Ok(channel) => {
                channel.heard.eof = true;
                accept("RFC 4254 §5.3: no more data will come")
            }
        }
    }

    fn close(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        match self.named(&mut fields) {
            Err(ruling) => ruling,
            Ok(_) if fields.end().is_none() => MALFORMED,
            Ok(channel) => {
                channel.heard.close = true;
                // Replies that wait for the end of a key exchange are said yet; no more are due.
                channel.owed_free += std::mem::take(&mut channel.owed);
                self.forget_closed();
                accept("RFC 4254 §5.3: answered with CLOSE unless that was said")
            }
        }
    }

    /// RFC 4254 §5.3: closed for a side that has both sent and received CLOSE.
    fn forget_closed(&mut self) {
        self.open
            .retain(|_, channel| !(channel.heard.close && channel.said.close));
    }

    fn request(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let channel = match self.named(&mut fields) {
            Ok(channel) => channel,
            Err(ruling) => return ruling,
        };
        let (Some(name), Some(want_reply)) = (fields.string(), fields.boolean()) else {
            return MALFORMED;
        };
        let form = match name {
            b"pty-req" => Some("suuuus"),
            b"x11-req" => Some("bssu"),
            b"env" => Some("ss"),
            b"shell" | b"auth-agent-req@openssh.com" | b"eow@openssh.com" => Some(""),
            b"exec" | b"subsystem" | b"signal" => Some("s"),
            b"window-change" => Some("uuuu"),
            b"xon-xoff" => Some("b"),
            b"exit-status" | b"break" => Some("u"),
            b"exit-signal" => Some("sbss"),
            _ => None,
        };
        let good = form.is_none_or(|form| has_form(fields, form));
        let reply = u32::from(want_reply && !channel.said.close);
        match good {
            true => channel.owed += reply,
            false => channel.owed_free += reply,
        }
        match good {
            true => accept("RFC 4254 §5.4: replied to where a reply is wanted"),
            false => MALFORMED,
        }
    }

    fn reply(&mut self, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let channel = match self.named(&mut fields) {
            Ok(channel) => channel,
            Err(ruling) => return ruling,
        };
        if fields.end().is_none() {
            return MALFORMED;
        }
        match channel.asked.checked_sub(1) {
            Some(asked) => {
                channel.asked = asked;
                accept("RFC 4254 §5.4: it answers a request")
            }
            None => refuse("RFC 4254 §5.4: it answers a request, and there is none"),
        }
    }

    pub(super) fn said(&mut self, number: u8, payload: &[u8]) -> Saying {
        let mut fields = Fields::of(payload);
        match number {
            80 => {
                fields.string();
                self.asked += u32::from(fields.boolean() == Some(true));
                return Ok(());
            }
            81 | 82 => {
                let owed = [&mut self.owed, &mut self.owed_free];
                return pay(owed, "RFC 4254 §4: a reply without a request");
            }
            90 => return self.say_open(fields),
            91 => return self.say_confirmation(fields),
            92 => {
                let theirs = fields.uint32().unwrap_or_default();
                return self.answer(theirs).map(drop);
            }
            _ => {}
        }
        let theirs = fields
            .uint32()
            .ok_or("a channel message without a number")?;
        let named = |channel: &&mut Channel| channel.is_named(theirs);
        let channel = self
            .open
            .values_mut()
            .find(named)
            .ok_or("RFC 4254 §5: a channel that is not open")?;
        if channel.said.close {
            return Err("RFC 4254 §5.3: after our CLOSE");
        }
        channel.say(number, fields)?;
        self.forget_closed();
        Ok(())
    }

    fn say_open(&mut self, mut fields: Fields<'_>) -> Saying {
        let _ = fields.string();
        let (ours, window) = (fields.uint32(), fields.uint32());
        let ours = ours.ok_or("RFC 4254 §5.1: the sender's number")?;
        let channel = Channel::new(
            Stage::Asked,
            (
                window.unwrap_or_default(),
                fields.uint32().unwrap_or_default(),
            ),
            (0, 0, 0),
        );
        match self.open.insert(ours, channel) {
            Some(_) => Err("RFC 4254 §5.1: a number that is in use"),
            None => Ok(()),
        }
    }

    /// Takes the OPEN that we answer.
    fn answer(&mut self, theirs: u32) -> Result<Pending, &'static str> {
        let at = self.pending.iter().position(|open| open.theirs == theirs);
        at.map(|at| self.pending.remove(at))
            .ok_or("RFC 4254 §5.1: an answer without OPEN")
    }

    fn say_confirmation(&mut self, mut fields: Fields<'_>) -> Saying {
        let (theirs, ours) = (fields.uint32(), fields.uint32());
        let (window, max_packet) = (fields.uint32(), fields.uint32());
        let asked = self.answer(theirs.unwrap_or_default())?;
        if asked.hopeless {
            return Err("RFC 4254 §6.1, §6.3.2, §7.2: a channel that this side may not open");
        }
        let mut channel = Channel::new(
            Stage::Open,
            (window.unwrap_or_default(), max_packet.unwrap_or_default()),
            (asked.theirs, asked.window, asked.max_packet),
        );
        channel.takes_stderr = asked.takes_stderr;
        match self.open.insert(ours.unwrap_or_default(), channel) {
            Some(_) => Err("RFC 4254 §5.1: a number that is in use"),
            None => Ok(()),
        }
    }

    pub(super) fn owes(&self) -> Option<String> {
        if self.owed > 0 {
            return Some("a reply to a global request".to_owned());
        }
        if let Some(open) = self.pending.iter().find(|open| open.owed) {
            return Some(format!("an answer to the OPEN of channel {}", open.theirs));
        }
        self.open.iter().find_map(|(ours, channel)| {
            let what = match channel {
                _ if channel.heard.close => "CLOSE",
                _ if channel.owed > 0 && !channel.said.close => "a reply to a request",
                _ => return None,
            };
            Some(format!("{what} on channel {ours}"))
        })
    }
}

impl Channel {
    /// Whether we wait for the reply to a request.
    pub(in super::super) fn is_asked(&self) -> bool {
        self.asked > 0
    }

    /// Whether this is the peer's number of it.
    fn is_named(&self, theirs: u32) -> bool {
        self.stage == Stage::Open && self.theirs == theirs
    }

    fn new(
        stage: Stage,
        (window, max_packet): (u32, u32),
        (theirs, their_window, their_max_packet): (u32, u32, u32),
    ) -> Self {
        Channel {
            stage,
            takes_stderr: false,
            theirs,
            window,
            max_packet,
            their_window,
            their_max_packet,
            heard: Ends::default(),
            said: Ends::default(),
            asked: 0,
            owed: 0,
            owed_free: 0,
            bytes: 0,
        }
    }

    fn say(&mut self, number: u8, mut fields: Fields<'_>) -> Saying {
        match number {
            93 => {
                let bytes = fields.uint32().unwrap_or_default();
                let sum = self.window.checked_add(bytes);
                self.window = sum.ok_or("RFC 4254 §5.2: a window above 2^32 - 1")?;
            }
            94 | 95 if self.said.eof => return Err("RFC 4254 §5.3: data after our EOF"),
            94 | 95 => {
                if number == 95 {
                    fields.uint32();
                }
                let length = fields.string().unwrap_or_default().len() as u32;
                if length > self.their_max_packet {
                    return Err("RFC 4254 §5.2: more than the maximum packet size");
                }
                let left = self.their_window.checked_sub(length);
                self.their_window = left.ok_or("RFC 4254 §5.2: more than the window")?;
            }
            96 if self.said.eof => return Err("RFC 4254 §5.3: EOF again"),
            96 => self.said.eof = true,
            97 => self.said.close = true,
            98 => {
                fields.string();
                self.asked += u32::from(fields.boolean() == Some(true));
            }
            _ => {
                let owed = [&mut self.owed, &mut self.owed_free];
                pay(owed, "RFC 4254 §5.4: a reply without a request")?;
            }
        }
        Ok(())
    }
}

/// One reply less to give: of those that are due, or of those that may be given.
fn pay(owed: [&mut u32; 2], otherwise: &'static str) -> Saying {
    for count in owed {
        if *count > 0 {
            *count -= 1;
            return Ok(());
        }
    }
    Err(otherwise)
}
