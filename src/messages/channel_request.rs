//! Channel requests (RFC 4254 §5.4) and the request types of RFC 4254 §6, RFC 4335 and OpenSSH.

use crate::codec::{printable, DecodeError, Reader, Writer};
use crate::error::Error;
use crate::messages::connection::{decode_whole, rest, MAX_NAME_BYTES};
use crate::messages::MessageNumber;

/// Longest terminal name that is looked at; terminfo names are far shorter.
pub const MAX_TERM_BYTES: usize = 256;
/// Longest X11 cookie that is looked at, in hexadecimal.
pub const MAX_COOKIE_BYTES: usize = 512;
/// Most encoded terminal modes in one request: one for each opcode there is.
pub const MAX_MODES: usize = 256;
/// Most bytes of an exit-signal's text that are kept.
pub const MAX_EXIT_TEXT_BYTES: usize = 1024;
/// TTY_OP_END (RFC 4254 §8).
const TTY_OP_END: u8 = 0;
/// Opcodes from here on have no defined argument and end the list (RFC 4254 §8).
const FIRST_UNDEFINED_OPCODE: u8 = 160;

/// SSH_MSG_CHANNEL_REQUEST, the part that all requests share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelRequestMessage<'a> {
    /// The receiver's number for the channel.
    pub recipient: u32,
    /// The request type, unchecked.
    pub name: &'a [u8],
    /// Whether CHANNEL_SUCCESS or CHANNEL_FAILURE must follow.
    pub want_reply: bool,
    /// The fields that the request type defines; see [`ChannelRequest`].
    pub specific: &'a [u8],
}

impl<'a> ChannelRequestMessage<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::CHANNEL_REQUEST, payload, |r| {
            Ok(ChannelRequestMessage {
                recipient: r.u32()?,
                name: r.string()?,
                want_reply: r.bool()?,
                specific: rest(r)?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::CHANNEL_REQUEST.0)
            .u32(self.recipient)
            .string(self.name)
            .bool(self.want_reply)
            .raw(self.specific);
    }
}

/// The terminal modes of a pty request (RFC 4254 §8): opcode and argument, in the order sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PtyModes(Vec<(u8, u32)>);

impl PtyModes {
    /// No modes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a mode. Opcodes outside 1..=159 carry no argument and are ignored.
    pub fn set(&mut self, opcode: u8, value: u32) {
        if !(1..FIRST_UNDEFINED_OPCODE).contains(&opcode) {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == opcode) {
            Some(mode) => mode.1 = value,
            None => self.0.push((opcode, value)),
        }
    }

    /// The argument of a mode; the last one counts where a peer repeats itself.
    pub fn get(&self, opcode: u8) -> Option<u32> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| *known == opcode)
            .map(|(_, value)| *value)
    }

    /// The modes in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u32)> + '_ {
        self.0.iter().copied()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads encoded modes, with or without the closing TTY_OP_END.
    ///
    /// # Errors
    /// `BadValue` for a cut argument, `TooLong` for more modes than there are opcodes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let mut modes = Vec::new();
        while !r.is_empty() {
            let opcode = r.u8()?;
            // RFC 4254 §8: opcodes 160 to 255 cause parsing to stop.
            if opcode == TTY_OP_END || opcode >= FIRST_UNDEFINED_OPCODE {
                break;
            }
            if modes.len() == MAX_MODES {
                return Err(DecodeError::TooLong);
            }
            modes.push((opcode, r.u32().map_err(|_| DecodeError::BadValue)?));
        }
        Ok(PtyModes(modes))
    }

    /// Writes encoded modes, closed by TTY_OP_END.
    pub fn encode(&self, w: &mut Writer<'_>) {
        for (opcode, value) in &self.0 {
            w.u8(*opcode).u32(*value);
        }
        w.u8(TTY_OP_END);
    }
}

/// The fields of `x11-req`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X11Request {
    /// Only one connection is wanted.
    pub single: bool,
    /// The authentication protocol of X.
    pub protocol: String,
    /// Its data, in hexadecimal.
    pub cookie: String,
    /// The screen.
    pub screen: u32,
}

/// A channel request with its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelRequest {
    /// `pty-req` (RFC 4254 §6.2).
    Pty {
        /// The value of TERM.
        term: String,
        /// Width in characters.
        columns: u32,
        /// Height in rows.
        rows: u32,
        /// Width in pixels.
        width_px: u32,
        /// Height in pixels.
        height_px: u32,
        /// Terminal modes.
        modes: PtyModes,
    },
    /// `shell` (RFC 4254 §6.5).
    Shell,
    /// `exec` (RFC 4254 §6.5), the command as bytes.
    Exec(Vec<u8>),
    /// `subsystem` (RFC 4254 §6.5).
    Subsystem(String),
    /// `env` (RFC 4254 §6.4).
    Env {
        /// The variable's name.
        name: Vec<u8>,
        /// The variable's value.
        value: Vec<u8>,
    },
    /// `window-change` (RFC 4254 §6.7).
    WindowChange {
        /// Width in characters.
        columns: u32,
        /// Height in rows.
        rows: u32,
        /// Width in pixels.
        width_px: u32,
        /// Height in pixels.
        height_px: u32,
    },
    /// `signal` (RFC 4254 §6.9), the name without "SIG".
    Signal(String),
    /// `break` (RFC 4335).
    Break {
        /// How long, in milliseconds.
        length_ms: u32,
    },
    /// `x11-req` (RFC 4254 §6.3.1).
    X11(X11Request),
    /// `auth-agent-req@openssh.com`: the client's agent may be used from the server.
    AgentForward,
    /// `exit-status` (RFC 4254 §6.10).
    ExitStatus(u32),
    /// `exit-signal` (RFC 4254 §6.10).
    ExitSignal {
        /// The signal's name without "SIG".
        signal: String,
        /// Whether a core was dumped.
        core_dumped: bool,
        /// Text for a person, capped and escaped when it came from a peer.
        message: String,
        /// The language of the text.
        language: String,
    },
    /// `xon-xoff` (RFC 4254 §6.8): whether the client may do flow control with ^S and ^Q.
    XonXoff(bool),
    /// `eow@openssh.com`: the sender will not read any more data.
    Eow,
    /// `keepalive@openssh.com`: any reply says that the peer is alive.
    Keepalive,
    /// Any other request.
    Other {
        /// The request's name.
        name: String,
        /// Its fields as they are.
        data: Vec<u8>,
    },
}

impl ChannelRequest {
    /// The name on the wire.
    pub fn name(&self) -> &str {
        match self {
            ChannelRequest::Pty { .. } => "pty-req",
            ChannelRequest::Shell => "shell",
            ChannelRequest::Exec(_) => "exec",
            ChannelRequest::Subsystem(_) => "subsystem",
            ChannelRequest::Env { .. } => "env",
            ChannelRequest::WindowChange { .. } => "window-change",
            ChannelRequest::Signal(_) => "signal",
            ChannelRequest::Break { .. } => "break",
            ChannelRequest::X11(_) => "x11-req",
            ChannelRequest::AgentForward => "auth-agent-req@openssh.com",
            ChannelRequest::ExitStatus(_) => "exit-status",
            ChannelRequest::ExitSignal { .. } => "exit-signal",
            ChannelRequest::XonXoff(_) => "xon-xoff",
            ChannelRequest::Eow => "eow@openssh.com",
            ChannelRequest::Keepalive => "keepalive@openssh.com",
            ChannelRequest::Other { name, .. } => name,
        }
    }

    /// Reads the fields of the request `name`.
    ///
    /// # Errors
    /// `Truncated` and `TrailingBytes` for fields that are not those of the request; `TooLong`, `NotUtf8`
    /// and `BadValue` for values that we refuse.
    pub fn decode(name: &str, specific: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(specific);
        let request = match name {
            "pty-req" => return decode_pty(r),
            "shell" => ChannelRequest::Shell,
            "exec" => ChannelRequest::Exec(r.string()?.to_vec()),
            "subsystem" => {
                let name = r.string()?;
                r.finish()?;
                return Ok(ChannelRequest::Subsystem(capped_text(
                    name,
                    MAX_TERM_BYTES,
                )?));
            }
            "env" => ChannelRequest::Env {
                name: r.string()?.to_vec(),
                value: r.string()?.to_vec(),
            },
            "window-change" => ChannelRequest::WindowChange {
                columns: r.u32()?,
                rows: r.u32()?,
                width_px: r.u32()?,
                height_px: r.u32()?,
            },
            "signal" => {
                let signal = r.string()?;
                r.finish()?;
                return Ok(ChannelRequest::Signal(capped_text(signal, MAX_NAME_BYTES)?));
            }
            "break" => ChannelRequest::Break {
                length_ms: r.u32()?,
            },
            "x11-req" => {
                let single = r.bool()?;
                let (protocol, cookie, screen) = (r.string()?, r.string()?, r.u32()?);
                r.finish()?;
                return Ok(ChannelRequest::X11(X11Request {
                    single,
                    protocol: capped_text(protocol, MAX_NAME_BYTES)?,
                    cookie: hexadecimal(cookie, MAX_COOKIE_BYTES)?,
                    screen,
                }));
            }
            "auth-agent-req@openssh.com" => ChannelRequest::AgentForward,
            "exit-status" => ChannelRequest::ExitStatus(r.u32()?),
            "exit-signal" => ChannelRequest::ExitSignal {
                signal: printable(r.string()?, MAX_NAME_BYTES),
                core_dumped: r.bool()?,
                message: printable(r.string()?, MAX_EXIT_TEXT_BYTES),
                language: printable(r.string()?, MAX_NAME_BYTES),
            },
            "xon-xoff" => ChannelRequest::XonXoff(r.bool()?),
            "eow@openssh.com" => ChannelRequest::Eow,
            // OpenSSH sends no fields today; a later one may, and any answer will do.
            "keepalive@openssh.com" => return Ok(ChannelRequest::Keepalive),
            _ => ChannelRequest::Other {
                name: name.to_owned(),
                data: rest(&mut r)?.to_vec(),
            },
        };
        r.finish()?;
        Ok(request)
    }

    /// Writes the fields of the request.
    pub fn encode(&self, w: &mut Writer<'_>) {
        match self {
            ChannelRequest::Pty {
                term,
                columns,
                rows,
                width_px,
                height_px,
                modes,
            } => {
                w.string(term)
                    .u32(*columns)
                    .u32(*rows)
                    .u32(*width_px)
                    .u32(*height_px);
                w.string_with(|w| modes.encode(w));
            }
            ChannelRequest::Shell
            | ChannelRequest::AgentForward
            | ChannelRequest::Eow
            | ChannelRequest::Keepalive => {}
            ChannelRequest::X11(x11) => {
                w.bool(x11.single)
                    .string(&x11.protocol)
                    .string(&x11.cookie)
                    .u32(x11.screen);
            }
            ChannelRequest::Exec(command) => {
                w.string(command);
            }
            ChannelRequest::Subsystem(name) | ChannelRequest::Signal(name) => {
                w.string(name);
            }
            ChannelRequest::Env { name, value } => {
                w.string(name).string(value);
            }
            ChannelRequest::WindowChange {
                columns,
                rows,
                width_px,
                height_px,
            } => {
                w.u32(*columns).u32(*rows).u32(*width_px).u32(*height_px);
            }
            ChannelRequest::Break { length_ms: value } | ChannelRequest::ExitStatus(value) => {
                w.u32(*value);
            }
            ChannelRequest::ExitSignal {
                signal,
                core_dumped,
                message,
                language,
            } => {
                w.string(signal)
                    .bool(*core_dumped)
                    .string(message)
                    .string(language);
            }
            ChannelRequest::XonXoff(allowed) => {
                w.bool(*allowed);
            }
            ChannelRequest::Other { data, .. } => {
                w.raw(data);
            }
        }
    }
}

/// The structure is checked before the values, so that a broken message is told from a refused one.
fn decode_pty(mut r: Reader<'_>) -> Result<ChannelRequest, DecodeError> {
    let term = r.string()?;
    let (columns, rows, width_px, height_px) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?);
    let modes = r.string()?;
    r.finish()?;
    let term = capped_text(term, MAX_TERM_BYTES)?;
    let modes = PtyModes::decode(modes)?;
    Ok(ChannelRequest::Pty {
        term,
        columns,
        rows,
        width_px,
        height_px,
        modes,
    })
}

/// Text that an application may use as a name: short, UTF-8, without control characters.
fn capped_text(bytes: &[u8], cap: usize) -> Result<String, DecodeError> {
    if bytes.len() > cap {
        return Err(DecodeError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(DecodeError::BadValue);
    }
    Ok(text.to_owned())
}

/// Bytes in hexadecimal (RFC 4254 §6.3.1), possibly none. An application turns the digits into bytes by pairs.
fn hexadecimal(digits: &[u8], cap: usize) -> Result<String, DecodeError> {
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(DecodeError::BadValue);
    }
    capped_text(digits, cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<ChannelRequest> {
        let mut modes = PtyModes::new();
        modes.set(1, 3);
        modes.set(128, 38_400);
        modes.set(0, 1);
        modes.set(160, 1);
        modes.set(128, 9600);
        vec![
            ChannelRequest::Pty {
                term: "xterm-256color".into(),
                columns: 80,
                rows: 24,
                width_px: 0,
                height_px: u32::MAX,
                modes,
            },
            ChannelRequest::Shell,
            ChannelRequest::Exec(b"ls \xff".to_vec()),
            ChannelRequest::Subsystem("sftp".into()),
            ChannelRequest::Env {
                name: b"LANG".to_vec(),
                value: b"C".to_vec(),
            },
            ChannelRequest::WindowChange {
                columns: 1,
                rows: 2,
                width_px: 3,
                height_px: 4,
            },
            ChannelRequest::Signal("TERM".into()),
            ChannelRequest::Break { length_ms: 500 },
            ChannelRequest::ExitStatus(255),
            ChannelRequest::ExitSignal {
                signal: "SEGV".into(),
                core_dumped: true,
                message: "it fell".into(),
                language: "en".into(),
            },
            ChannelRequest::XonXoff(true),
            ChannelRequest::Eow,
        ]
    }

    #[test]
    fn requests_round_trip_and_are_strict() {
        for request in all() {
            let specific = Writer::collect(|w| request.encode(w));
            assert_eq!(
                ChannelRequest::decode(request.name(), &specific).unwrap(),
                request
            );
            for end in 0..specific.len() {
                let cut = ChannelRequest::decode(request.name(), &specific[..end]);
                assert_eq!(cut, Err(DecodeError::Truncated), "{request:?} cut at {end}");
            }
            let mut longer = specific.clone();
            longer.push(0);
            let long = ChannelRequest::decode(request.name(), &longer);
            assert_eq!(long, Err(DecodeError::TrailingBytes), "{request:?}");
        }
        let other = ChannelRequest::decode("x@example.org", b"any").unwrap();
        assert_eq!(Writer::collect(|w| other.encode(w)), b"any");
        assert_eq!(
            ChannelRequest::decode("keepalive@openssh.com", b"any"),
            Ok(ChannelRequest::Keepalive)
        );
    }

    #[test]
    fn the_message_is_cut_in_the_fixed_part_only() {
        let message = ChannelRequestMessage {
            recipient: 5,
            name: b"shell",
            want_reply: true,
            specific: b"",
        };
        let payload = Writer::collect(|w| message.encode(w));
        assert_eq!(ChannelRequestMessage::decode(&payload).unwrap(), message);
        for end in 0..payload.len() {
            assert!(ChannelRequestMessage::decode(&payload[..end]).is_err());
        }
    }

    #[test]
    fn modes_with_and_without_end() {
        let with = [1, 0, 0, 0, 3, 0];
        let without = [1, 0, 0, 0, 3];
        assert_eq!(PtyModes::decode(&with).unwrap().get(1), Some(3));
        assert_eq!(
            PtyModes::decode(&with).unwrap(),
            PtyModes::decode(&without).unwrap()
        );
        assert!(PtyModes::decode(&[]).unwrap().is_empty());
        assert!(PtyModes::decode(&[0]).unwrap().is_empty());
        // An undefined opcode stops parsing, whatever follows it.
        let undefined = [1, 0, 0, 0, 3, 200, 9];
        assert_eq!(PtyModes::decode(&undefined).unwrap().iter().count(), 1);
    }

    #[test]
    fn modes_are_bounded() {
        assert_eq!(
            PtyModes::decode(&[1, 0, 0, 3]),
            Err(DecodeError::BadValue),
            "odd length"
        );
        let many = [1, 0, 0, 0, 3].repeat(1000);
        assert_eq!(PtyModes::decode(&many), Err(DecodeError::TooLong));
        let most = [1, 0, 0, 0, 3].repeat(MAX_MODES);
        assert_eq!(PtyModes::decode(&most).unwrap().iter().count(), MAX_MODES);
    }

    #[test]
    fn cookies_are_hexadecimal() {
        let decoded = |cookie: &str| {
            let fields = Writer::collect(|w| {
                w.bool(false)
                    .string("MIT-MAGIC-COOKIE-1")
                    .string(cookie)
                    .u32(0);
            });
            ChannelRequest::decode("x11-req", &fields)
        };
        let longest = "a0".repeat(MAX_COOKIE_BYTES / 2);
        for cookie in ["00112233445566778899aabbccddeeff", "AbCd", "", &longest] {
            match decoded(cookie) {
                Ok(ChannelRequest::X11(x11)) => assert_eq!(x11.cookie, cookie),
                other => panic!("{cookie}: {other:?}"),
            }
        }
        let odd = &longest[1..];
        for cookie in ["1", "abc", odd, "0x", "xy", "1 ", " 1", "+1", "a\0", "éé"] {
            assert_eq!(decoded(cookie), Err(DecodeError::BadValue), "{cookie}");
        }
        let longer = "a0".repeat(MAX_COOKIE_BYTES / 2 + 1);
        assert_eq!(decoded(&longer), Err(DecodeError::TooLong));
    }

    #[test]
    fn long_texts_are_refused_or_capped() {
        let term = Writer::collect(|w| {
            w.string(vec![b'x'; 65_536])
                .u32(1)
                .u32(1)
                .u32(0)
                .u32(0)
                .string("");
        });
        assert_eq!(
            ChannelRequest::decode("pty-req", &term),
            Err(DecodeError::TooLong)
        );
        let signal = Writer::collect(|w| {
            w.string("SEGV")
                .bool(false)
                .string(vec![b'x'; 200 * 1024])
                .string("");
        });
        match ChannelRequest::decode("exit-signal", &signal).unwrap() {
            ChannelRequest::ExitSignal { message, .. } => {
                assert!(message.len() <= MAX_EXIT_TEXT_BYTES + 4);
            }
            other => panic!("{other:?}"),
        }
    }
}
