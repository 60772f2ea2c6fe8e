//! Whole sessions in memory: an endpoint that is fed bytes, and one whose peer holds the right keys and says what the
//! input wants.

use std::time::{Duration, Instant};

use arbitrary::Unstructured;

use super::peer::Peer;
use super::{number, piece};
use crate::codec::Writer;
use crate::messages::{MessageNumber, Role};

const MAX_STEPS: usize = 256;
/// Most bytes that wait for the stream after so many bytes of the peer's: some answers each.
const MAX_PENDING: usize = 256 * 1024;

pub(super) fn client_bytes(data: &[u8]) {
    bytes(Role::Client, data);
}

pub(super) fn server_bytes(data: &[u8]) {
    bytes(Role::Server, data);
}

fn bytes(role: Role, data: &[u8]) {
    if let Some((mut peer, now)) = replay(role, data) {
        over(&mut peer, now);
    }
}

/// The first byte says how the rest is cut. The endpoint's random numbers are always the same, so a recorded session
/// comes to life again, keys included.
pub(super) fn replay(role: Role, data: &[u8]) -> Option<(Peer, Instant)> {
    let (first, data) = data.split_first()?;
    let mut now = Instant::now();
    let mut peer = Peer::new(role, first & 1 == 1, now);
    for piece in data.chunks(usize::from(first >> 1).pow(2).max(1)) {
        now += Duration::from_millis(1);
        peer.receive(piece, now);
        peer.serve(now);
        let said = peer.endpoint.poll_transmit().len();
        assert!(said <= MAX_PENDING, "{said} bytes said to {}", piece.len());
        if peer.failed.is_some() {
            break;
        }
    }
    Some((peer, now))
}

/// Nothing is left of a connection that is over.
fn over(peer: &mut Peer, now: Instant) {
    peer.endpoint.stream_ended();
    peer.drive(now);
    let services = peer.endpoint.services();
    let crate::endpoint::Services {
        connection, out, ..
    } = services;
    for id in 0..1024 {
        connection.release(crate::connection::ChannelId(id), out);
    }
    assert_eq!(connection.channel_count(), 0);
}

pub(super) fn client_messages(data: &[u8]) {
    messages(Role::Client, data);
}

pub(super) fn server_messages(data: &[u8]) {
    messages(Role::Server, data);
}

/// How far honest sides get before the first hostile message: not at all, keyed, logged in, a channel is open.
fn advance(pair: &mut Pair, stage: u8) {
    if stage.is_multiple_of(4) {
        return;
    }
    pair.carry();
    if stage % 4 >= 2 {
        let now = pair.now;
        pair.client().log_in(3, now);
        pair.carry();
    }
    if stage % 4 == 3 {
        let open = [0_u8, 0, 0];
        let now = pair.now;
        let client = pair.client();
        // "open", "for a session" as `Asked::command` reads it.
        let act = [3_u8].iter().chain(&open).copied().collect::<Vec<_>>();
        client.act(&mut Unstructured::new(&act), now);
        pair.carry();
        let accept = [3_u8, 1, 0, 1];
        let now = pair.now;
        pair.server().act(&mut Unstructured::new(&accept), now);
        pair.carry();
    }
}

/// The victim and a peer that says more than it should.
struct Pair {
    victim: Peer,
    hostile: Peer,
    now: Instant,
}

impl Pair {
    fn client(&mut self) -> &mut Peer {
        match self.victim.role {
            Role::Client => &mut self.victim,
            Role::Server => &mut self.hostile,
        }
    }

    fn server(&mut self) -> &mut Peer {
        match self.victim.role {
            Role::Server => &mut self.victim,
            Role::Client => &mut self.hostile,
        }
    }

    /// Carries bytes in both directions until there are none.
    fn carry(&mut self) {
        for _ in 0..1000 {
            self.now += Duration::from_millis(1);
            self.victim.drive(self.now);
            self.hostile.drive(self.now);
            let up = self.hostile.endpoint.poll_transmit();
            let down = self.victim.endpoint.poll_transmit();
            if up.is_empty() && down.is_empty() {
                return;
            }
            self.victim.receive(&up, self.now);
            assert!(down.len() <= MAX_PENDING, "{} bytes said", down.len());
            self.hostile.receive(&down, self.now);
        }
        panic!("two sides that never come to rest");
    }

    fn step(&mut self, input: &mut Unstructured<'_>) {
        match number::<u8>(input) % 8 {
            0..=2 => {
                let payload = piece(input);
                self.say(payload);
            }
            3 | 4 => {
                let payload = made_up(input);
                self.say(&payload);
            }
            5 => self.victim.act(input, self.now),
            6 => self.hostile.act(input, self.now),
            _ => {
                self.now += Duration::from_secs(number::<u8>(input).into());
                let outcome = self.victim.endpoint.handle_timeout(self.now);
                self.victim.keep(outcome);
            }
        }
        self.carry();
    }

    /// Has the peer seal a payload, whatever its own state allows.
    fn say(&mut self, payload: &[u8]) {
        if !payload.is_empty() {
            let _ = self.hostile.endpoint.inject(payload);
        }
    }
}

fn messages(role: Role, data: &[u8]) {
    let mut input = Unstructured::new(data);
    let settings: u8 = number(&mut input);
    let compressed = settings & 8 != 0;
    let now = Instant::now();
    let mut pair = Pair {
        victim: Peer::new(role, compressed, now),
        hostile: Peer::new(role.peer(), compressed, now),
        now,
    };
    advance(&mut pair, settings);
    for _ in 0..MAX_STEPS {
        if input.is_empty() || pair.victim.failed.is_some() {
            break;
        }
        pair.step(&mut input);
    }
    let now = pair.now;
    over(&mut pair.victim, now);
}

/// A message of the right form with fields that the input chooses, so that most of them get past the parsers.
fn made_up(input: &mut Unstructured<'_>) -> Vec<u8> {
    const NUMBERS: [MessageNumber; 20] = [
        MessageNumber::IGNORE,
        MessageNumber::DEBUG,
        MessageNumber::UNIMPLEMENTED,
        MessageNumber::EXT_INFO,
        MessageNumber::PING,
        MessageNumber::USERAUTH_REQUEST,
        MessageNumber::USERAUTH_FAILURE,
        MessageNumber::GLOBAL_REQUEST,
        MessageNumber::REQUEST_SUCCESS,
        MessageNumber::REQUEST_FAILURE,
        MessageNumber::CHANNEL_OPEN,
        MessageNumber::CHANNEL_OPEN_CONFIRMATION,
        MessageNumber::CHANNEL_OPEN_FAILURE,
        MessageNumber::CHANNEL_WINDOW_ADJUST,
        MessageNumber::CHANNEL_DATA,
        MessageNumber::CHANNEL_EXTENDED_DATA,
        MessageNumber::CHANNEL_EOF,
        MessageNumber::CHANNEL_CLOSE,
        MessageNumber::CHANNEL_REQUEST,
        MessageNumber::CHANNEL_SUCCESS,
    ];
    let number = input
        .choose(&NUMBERS)
        .copied()
        .unwrap_or(MessageNumber::IGNORE);
    Writer::collect(|w| {
        w.u8(number.0);
        fields(number, input, w);
    })
}

fn channel(input: &mut Unstructured<'_>) -> u32 {
    input.int_in_range(0..=5).unwrap_or_default()
}

fn fields(kind: MessageNumber, input: &mut Unstructured<'_>, w: &mut Writer<'_>) {
    match kind {
        MessageNumber::IGNORE | MessageNumber::PING => {
            w.string(piece(input));
        }
        MessageNumber::DEBUG => {
            w.bool(true).string(piece(input)).string("");
        }
        MessageNumber::UNIMPLEMENTED => {
            w.u32(number(input));
        }
        MessageNumber::EXT_INFO => {
            let names = ["server-sig-algs", "ping@openssh.com", "what"];
            let name = input.choose(&names).copied().unwrap_or_default();
            w.u32(1).string(name).string(piece(input));
        }
        MessageNumber::USERAUTH_REQUEST => userauth(input, w),
        MessageNumber::USERAUTH_FAILURE => {
            w.string("password,publickey").bool(false);
        }
        MessageNumber::GLOBAL_REQUEST => {
            let names = [
                "tcpip-forward",
                "cancel-tcpip-forward",
                "keepalive@openssh.com",
                "x",
            ];
            let name = input.choose(&names).copied().unwrap_or_default();
            w.string(name)
                .bool(number(input))
                .string(piece(input))
                .u32(number(input));
        }
        MessageNumber::CHANNEL_OPEN => {
            let names = ["session", "direct-tcpip", "forwarded-tcpip", "x11"];
            let name = input.choose(&names).copied().unwrap_or_default();
            w.string(name).u32(channel(input)).u32(number(input));
            w.u32(number(input));
            if name != "session" {
                w.string(piece(input)).u32(number(input));
            }
            if name.ends_with("tcpip") {
                w.string(piece(input)).u32(number(input));
            }
        }
        _ => channel_fields(kind, input, w),
    }
}

fn userauth(input: &mut Unstructured<'_>, w: &mut Writer<'_>) {
    let methods = ["none", "password", "publickey", "keyboard-interactive"];
    let method = input.choose(&methods).copied().unwrap_or_default();
    w.string("user").string("ssh-connection").string(method);
    match method {
        "password" => {
            w.bool(false).string(piece(input));
        }
        "publickey" => {
            w.bool(false).string("ssh-ed25519").string(piece(input));
        }
        "keyboard-interactive" => {
            w.string("").string(piece(input));
        }
        _ => {}
    }
}

fn channel_fields(kind: MessageNumber, input: &mut Unstructured<'_>, w: &mut Writer<'_>) {
    if !matches!(
        kind,
        MessageNumber::REQUEST_SUCCESS | MessageNumber::REQUEST_FAILURE
    ) {
        w.u32(channel(input));
    }
    match kind {
        MessageNumber::CHANNEL_OPEN_CONFIRMATION => {
            w.u32(channel(input)).u32(number(input)).u32(number(input));
        }
        MessageNumber::CHANNEL_OPEN_FAILURE => {
            w.u32(2).string(piece(input)).string("");
        }
        MessageNumber::CHANNEL_WINDOW_ADJUST => {
            w.u32(number(input));
        }
        MessageNumber::CHANNEL_DATA => {
            w.string(piece(input));
        }
        MessageNumber::CHANNEL_EXTENDED_DATA => {
            w.u32(channel(input)).string(piece(input));
        }
        MessageNumber::CHANNEL_REQUEST => {
            let names = [
                "exec",
                "shell",
                "env",
                "signal",
                "exit-status",
                "subsystem",
                "what",
            ];
            let name = input.choose(&names).copied().unwrap_or_default();
            w.string(name).bool(number(input));
            match name {
                "env" => {
                    w.string(piece(input)).string(piece(input));
                }
                "exit-status" => {
                    w.u32(number(input));
                }
                "shell" => {}
                _ => {
                    w.string(piece(input));
                }
            }
        }
        _ => {}
    }
}
