//! Messages: of every number, well-formed and not, fitting what is under way or not.

use super::automaton::{Automaton, Channel, Side, Stage};
use super::dice::Dice;

/// A payload that is being written, with the data types of RFC 4251 §5.
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new(number: u8) -> Self {
        Message(vec![number])
    }

    pub(super) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(super) fn uint32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn string(self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        self.uint32(text.len() as u32).raw(text)
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Who makes messages up: the peer, which sees what the automaton knows.
pub(super) struct Speaker<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) automaton: &'a Automaton,
    /// The side that hears.
    pub(super) victim: Side,
    /// The peer's next channel number.
    pub(super) next: &'a mut u32,
    /// The peer's last KEXINIT.
    pub(super) kexinit: &'a [u8],
    /// Fields fit too.
    pub(super) fits: bool,
}

/// Messages that we know by name.
pub(super) const KNOWN: [u8; 42] = [
    1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 30, 31, 32, 33, 34, 50, 51, 52, 53, 60, 61, 80, 81, 82, 90, 91,
    92, 93, 94, 95, 96, 97, 98, 99, 100, 192, 193, 50, 80, 90, 94, 98,
];

impl Speaker<'_> {
    /// Any number, anything behind it.
    pub(super) fn noise(&mut self) -> Vec<u8> {
        let number = self.dice.roll(256) as u8;
        let length = self.dice.roll(40);
        let bytes: Vec<u8> = (0..length).map(|_| self.dice.roll(256) as u8).collect();
        Message::new(number).raw(&bytes).done()
    }

    /// A known number with fields of the right form.
    pub(super) fn any(&mut self) -> Vec<u8> {
        let number = *self.dice.pick(&KNOWN);
        // DISCONNECT ends everything, so it is rare.
        match number {
            1 if self.dice.roll(10) > 0 => self.made(2),
            _ => self.made(number),
        }
    }

    /// What an honest peer may say at this point.
    pub(super) fn fitting(&mut self) -> Vec<u8> {
        let (login, transport) = (&self.automaton.login, &self.automaton.transport);
        let numbers: Vec<u8> = match self.victim {
            _ if transport.takes_announcement() && self.dice.roll(3) == 0 => vec![7],
            Side::Client if transport.wants_success() => vec![52],
            _ if login.authenticated => self.of_channels(),
            Side::Server if !login.requested => vec![5],
            Side::Server if login.dialogue.is_some() => vec![61, 61, 50],
            Side::Server => vec![50],
            Side::Client if login.wants_accept() => vec![6],
            Side::Client if login.is_asked() && self.dice.roll(12) == 0 => vec![7],
            Side::Client if login.query().is_some() => vec![60, 60, 51],
            Side::Client if login.wants_dialogue() => vec![60, 60, 51, 52],
            Side::Client if login.is_asked() => vec![51, 52, 52],
            Side::Client if login.requested => vec![53, 2],
            Side::Client => vec![2, 4],
        };
        self.fits = true;
        let number = *self.dice.pick(&numbers);
        let payload = self.made(number);
        self.fits = false;
        payload
    }

    /// Channels for which a message of this number is expected.
    fn expected(&self, number: u8) -> Vec<u32> {
        let fits = |channel: &Channel| {
            let open = channel.stage == Stage::Open && !channel.heard.close;
            match number {
                91 | 92 => channel.stage == Stage::Asked,
                94..=96 => open && !channel.heard.eof,
                99 | 100 => open && channel.is_asked(),
                _ => open,
            }
        };
        let open = self.automaton.channels.open.iter();
        open.filter(|(_, channel)| fits(channel))
            .map(|(number, _)| *number)
            .collect()
    }

    fn of_channels(&mut self) -> Vec<u8> {
        let mut numbers = match self.victim {
            Side::Server => vec![80, 90, 90, 192, 2],
            Side::Client => vec![80, 90, 2],
        };
        if self.automaton.channels.is_asked() {
            numbers.extend([81, 81, 82]);
        }
        for number in [
            91, 91, 92, 93, 94, 94, 94, 95, 96, 97, 98, 98, 98, 99, 99, 99, 100, 100,
        ] {
            if !self.expected(number).is_empty() {
                numbers.push(number);
            }
        }
        numbers
    }

    /// A message that was right, and that is damaged: cut, longer, or with one bit that differs.
    pub(super) fn damaged(&mut self, mut payload: Vec<u8>) -> Vec<u8> {
        match self.dice.roll(3) {
            0 => payload.truncate(self.dice.roll(payload.len().max(2) - 1) + 1),
            1 => payload.push(self.dice.roll(256) as u8),
            _ if payload.len() > 1 => {
                let at = 1 + self.dice.roll(payload.len() - 1);
                payload[at] ^= 1 << self.dice.roll(8);
            }
            _ => payload.push(0),
        }
        payload
    }

    /// A message of this number with fields of the right form.
    pub(super) fn made(&mut self, number: u8) -> Vec<u8> {
        let message = Message::new(number);
        match number {
            0..=49 | 192 | 193 => self.of_transport(number, message),
            50..=79 => self.of_login(number, message),
            80..=127 => self.of_connection(number, message),
            _ => message,
        }
        .done()
    }

    fn of_transport(&mut self, number: u8, message: Message) -> Message {
        let random = self.dice.roll(256) as u8;
        match number {
            1 => message.uint32(11).string("bye").string(""),
            2 | 192 | 193 => message.string([random; 5]),
            3 => message.uint32(u32::from(random)),
            4 => message.byte(random & 1).string("text").string(""),
            5 | 6 => {
                let names = [
                    "ssh-userauth",
                    "ssh-userauth",
                    "ssh-userauth",
                    "ssh-connection",
                    "x",
                ];
                message.string(self.dice.pick(&names))
            }
            7 => message
                .uint32(2)
                .string("server-sig-algs")
                .string("ssh-ed25519")
                .string("x@example.com")
                .string(""),
            // Another cookie, so that it is not the one that the peer has signed.
            20 => message
                .raw(&[random; 16])
                .raw(self.kexinit.get(17..).unwrap_or_default()),
            30 => message.string([random; 32]),
            31 if random & 1 == 1 => message.string([1; 40]).string([random; 32]),
            31 | 33 => message.string([1; 51]).string([random; 32]).string([2; 83]),
            32 => message.string([random & 127; 256]),
            34 => message.uint32(2048).uint32(3072).uint32(8192),
            _ => message,
        }
    }

    fn of_login(&mut self, number: u8, message: Message) -> Message {
        match number {
            50 => self.request(message),
            51 => message
                .string("password,publickey,keyboard-interactive")
                .byte(self.dice.roll(2) as u8),
            53 => message.string("welcome").string(""),
            60 => self.method_message(message),
            61 => {
                let prompts = self.automaton.login.dialogue.unwrap_or(1);
                let answers = prompts + u32::from(self.dice.roll(8) == 0);
                (0..answers).fold(message.uint32(answers), |message, _| {
                    message.string("secret")
                })
            }
            _ => message,
        }
    }

    fn request(&mut self, message: Message) -> Message {
        let service = match self.dice.roll(20) {
            _ if self.fits => "ssh-connection",
            0 => "ssh-userauth",
            1 => "x",
            _ => "ssh-connection",
        };
        let user = *self.dice.pick(&["user", "user", "user", "root", ""]);
        let message = message.string(user).string(service);
        match self.dice.roll(7) {
            0 => message.string("none"),
            1 => message.string("password").byte(0).string("secret"),
            2 => message
                .string("password")
                .byte(1)
                .string("old")
                .string("new"),
            3 => {
                let blob = Message(Vec::new())
                    .string("ssh-ed25519")
                    .string([7; 32])
                    .done();
                message
                    .string("publickey")
                    .byte(0)
                    .string("ssh-ed25519")
                    .string(blob)
            }
            4 => {
                let blob = Message(Vec::new())
                    .string("ssh-ed25519")
                    .string([7; 32])
                    .done();
                let signature = Message(Vec::new())
                    .string("ssh-ed25519")
                    .string([7; 64])
                    .done();
                message
                    .string("publickey")
                    .byte(1)
                    .string("ssh-ed25519")
                    .string(blob)
                    .string(signature)
            }
            5 => message.string("keyboard-interactive").string("").string(""),
            _ => message.string("hostbased").string("x"),
        }
    }

    /// Number 60 as the method wants it that is under way, or another one.
    fn method_message(&mut self, message: Message) -> Message {
        let login = &self.automaton.login;
        match login.query() {
            Some(asked) if self.fits || self.dice.roll(6) > 0 => return message.raw(asked),
            _ => {}
        }
        if !login.wants_dialogue() && (self.fits || self.dice.roll(6) > 0) {
            return message.string("change it").string("");
        }
        let prompts = self.dice.roll(3) as u32;
        let head = message.string("").string("").string("").uint32(prompts);
        (0..prompts).fold(head, |message, _| message.string("Password: ").byte(0))
    }

    /// A number of a channel that the other side may know, or not.
    fn channel(&mut self, number: u8) -> u32 {
        let open: Vec<u32> = match self.fits {
            true => self.expected(number),
            false => self.automaton.channels.open.keys().copied().collect(),
        };
        match self.dice.roll(20) {
            _ if self.fits && !open.is_empty() => *self.dice.pick(&open),
            0 => self.dice.roll(6) as u32,
            1 => u32::MAX,
            _ if open.is_empty() => self.dice.roll(3) as u32,
            _ => *self.dice.pick(&open),
        }
    }

    fn of_connection(&mut self, number: u8, message: Message) -> Message {
        match number {
            80 => return self.global_request(message),
            81 => return message.raw(&[7; 4][..self.dice.roll(5)]),
            82 => return message,
            90 => return self.open(message),
            _ => {}
        }
        let channel = self.channel(number);
        let message = message.uint32(channel);
        match number {
            91 => {
                *self.next += 1;
                let packet = self.packet();
                message
                    .uint32(*self.next)
                    .uint32(self.amount())
                    .uint32(packet)
            }
            92 => message.uint32(2).string("no").string(""),
            93 => message.uint32(self.amount()),
            94 => message.string(self.data(channel)),
            95 => {
                let kind = *self.dice.pick(&[1, 1, 1, 0, 2]);
                message.uint32(kind).string(self.data(channel))
            }
            98 => self.channel_request(message),
            _ => message,
        }
    }

    /// A maximum packet size.
    fn packet(&mut self) -> u32 {
        match self.fits {
            true => *self.dice.pick(&[1, 100, 32768, 32768]),
            false => *self.dice.pick(&[0, 1, 100, 32768]),
        }
    }

    fn amount(&mut self) -> u32 {
        if self.fits {
            return self.dice.roll(10_000) as u32;
        }
        *self
            .dice
            .pick(&[0, 1, 1000, 100_000, u32::MAX / 2, u32::MAX - 1, u32::MAX])
    }

    /// Data about as long as what may be sent.
    fn data(&mut self, channel: u32) -> Vec<u8> {
        let known = self.automaton.channels.open.get(&channel);
        let (window, packet) = known.map_or((10, 10), |known| (known.window, known.max_packet));
        let most = window.min(packet) as usize;
        let length = match self.dice.roll(12) {
            _ if self.fits => self.dice.roll(most + 1),
            0 => most,
            1 => most + 1,
            2 => packet as usize + 1,
            3 => 0,
            _ => self.dice.roll(most + 1),
        };
        vec![7; length]
    }

    fn global_request(&mut self, message: Message) -> Message {
        let want_reply = self.dice.roll(2) as u8;
        let name = *self.dice.pick(&[
            "tcpip-forward",
            "cancel-tcpip-forward",
            "keepalive@openssh.com",
            "hostkeys-00@openssh.com",
            "hostkeys-prove-00@openssh.com",
            "streamlocal-forward@openssh.com",
            "x@example.com",
            "no-more-sessions@openssh.com",
        ]);
        // The last one forbids sessions for good.
        let name = match self.dice.roll(8) > 0 && name.starts_with("no-more") {
            true => "x@example.com",
            false => name,
        };
        let message = message.string(name).byte(want_reply);
        match name {
            "tcpip-forward" | "cancel-tcpip-forward" => message.string("localhost").uint32(2222),
            "streamlocal-forward@openssh.com" => message.string("/tmp/x"),
            "hostkeys-00@openssh.com" | "hostkeys-prove-00@openssh.com" => message.string("key"),
            _ => message,
        }
    }

    fn open(&mut self, message: Message) -> Message {
        *self.next += 1;
        let kind = *self.dice.pick(&[
            "session",
            "session",
            "session",
            "direct-tcpip",
            "forwarded-tcpip",
            "x11",
            "auth-agent@openssh.com",
            "x@example.com",
        ]);
        let packet = self.packet();
        let message = message
            .string(kind)
            .uint32(*self.next)
            .uint32(self.amount())
            .uint32(packet);
        match kind {
            "direct-tcpip" | "forwarded-tcpip" => message
                .string("localhost")
                .uint32(80)
                .string("localhost")
                .uint32(2222),
            "x11" => message.string("localhost").uint32(2222),
            "x@example.com" => message.string("anything"),
            _ => message,
        }
    }

    fn channel_request(&mut self, message: Message) -> Message {
        let want_reply = self.dice.roll(2) as u8;
        let name = *self.dice.pick(&[
            "shell",
            "exec",
            "subsystem",
            "env",
            "pty-req",
            "window-change",
            "signal",
            "x11-req",
            "exit-status",
            "exit-signal",
            "xon-xoff",
            "eow@openssh.com",
            "keepalive@openssh.com",
            "x@example.com",
            "break",
            "auth-agent-req@openssh.com",
        ]);
        let message = message.string(name).byte(want_reply);
        match name {
            "exec" | "subsystem" | "signal" => message.string("INT"),
            "env" => message.string("NAME").string("value"),
            "pty-req" => {
                let size = message
                    .string("xterm")
                    .uint32(80)
                    .uint32(24)
                    .uint32(0)
                    .uint32(0);
                size.string([0])
            }
            "window-change" => message.uint32(80).uint32(24).uint32(0).uint32(0),
            "x11-req" => message.byte(0).string("MIT").string("00").uint32(0),
            "exit-status" | "break" => message.uint32(7),
            "exit-signal" => message.string("TERM").byte(0).string("").string(""),
            "xon-xoff" => message.byte(1),
            "x@example.com" => message.string("anything"),
            _ => message,
        }
    }
}
