//! What a request handle leads to: the driver's question, with its text ready to be lent out.

use std::ffi::CString;
use std::sync::{Arc, Weak};

use zeroize::Zeroizing;

use crate::auth::{AuthQuestionKind, Prompts};
use crate::codec::Writer;
use crate::connection::{ChannelRequest, ForwardPoint, OpenKind};
use crate::driver::sync::Mutex;
use crate::driver::{Question, Request};
use crate::keys::{Attendance, Certificate, PublicKey};

use super::handle::Handle;
use super::memory::LentBytes;
use super::request::ssh_request;
use super::text::for_terminal;
use super::transport_object::TransportObject;

impl Handle for ssh_request {
    type Object = RequestObject;
    const TAG: u8 = 7;
    const NOUN: &'static str = "ssh_request";
}

pub(crate) struct RequestObject {
    pub(crate) driver: Request,
    pub(crate) transport: Weak<TransportObject>,
    pub(crate) lent: Lent,
    /// Answers to prompts noted so far.
    pub(crate) notes: Mutex<Vec<Zeroizing<Vec<u8>>>>,
}

/// The parts of a question; those that its kind does not have are empty.
#[derive(Default)]
pub(crate) struct Lent {
    pub(crate) username: Option<CString>,
    pub(crate) partial_successes: u32,
    pub(crate) password: Option<LentBytes>,
    pub(crate) key: Option<PublicKey>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) attendance: Option<Attendance>,
    pub(crate) algorithm: Option<CString>,
    pub(crate) submethods: Option<CString>,
    pub(crate) title: Option<CString>,
    pub(crate) instructions: Option<CString>,
    pub(crate) prompts: Vec<(CString, bool)>,
    pub(crate) answers: Vec<LentBytes>,
    pub(crate) channel_kind: Option<CString>,
    pub(crate) destination: Option<(CString, u16)>,
    pub(crate) origin: Option<(CString, u16)>,
    pub(crate) command: Option<LentBytes>,
    pub(crate) original_command: Option<LentBytes>,
    pub(crate) name: Option<CString>,
    pub(crate) value: Option<LentBytes>,
    pub(crate) data: Option<LentBytes>,
    pub(crate) term: Option<CString>,
    pub(crate) size: Option<[u32; 4]>,
    pub(crate) modes: Option<LentBytes>,
    pub(crate) break_length_ms: u32,
    /// The screen, and whether one connection only is wanted.
    pub(crate) x11: Option<(u32, bool)>,
    pub(crate) wants_reply: bool,
}

/// What cannot be shown to C as it is.
struct Unfit;

/// Text by which the program decides. A NUL inside would hide the rest from it, so such a question is refused.
fn exact(text: impl Into<Vec<u8>>) -> Result<Option<CString>, Unfit> {
    CString::new(text).map(Some).map_err(|_| Unfit)
}

fn shown(text: &str, lines: bool) -> CString {
    // No control character is left, NUL among them.
    CString::new(for_terminal(text, lines)).unwrap_or_default()
}

fn address(host: &str, port: u32) -> Result<Option<(CString, u16)>, Unfit> {
    let host = CString::new(host).map_err(|_| Unfit)?;
    Ok(Some((host, u16::try_from(port).map_err(|_| Unfit)?)))
}

impl RequestObject {
    /// `None` refuses the question: it holds what C text cannot carry.
    pub(crate) fn new(driver: Request, transport: Weak<TransportObject>) -> Option<Self> {
        let lent = Lent::new(driver.question()).ok()?;
        let notes = lent.prompts.iter().map(|_| Zeroizing::default()).collect();
        Some(RequestObject {
            driver,
            transport,
            lent,
            notes: Mutex::new(notes),
        })
    }

    pub(crate) fn transport(&self) -> Option<Arc<TransportObject>> {
        self.transport.upgrade()
    }
}

impl Lent {
    fn new(question: &Question) -> Result<Self, Unfit> {
        let mut lent = Lent::default();
        match question {
            Question::HostKey { shown, host } => {
                lent.name = host.as_deref().map(exact).transpose()?.flatten();
                lent.key = Some(shown.key.clone());
                lent.certificate = shown.certificate.clone();
            }
            // Keys alone, which are asked for one by one.
            Question::HostKeys(_) => {}
            Question::Prompts(prompts) => lent.prompts(prompts),
            Question::Secret { about, prompts, .. } => {
                lent.name = exact(about.as_str())?;
                lent.prompts(prompts);
            }
            Question::Auth {
                user,
                partial_successes,
                kind,
                ..
            } => {
                lent.username = exact(user.as_str())?;
                lent.partial_successes = *partial_successes;
                lent.auth(kind)?;
            }
            Question::ChannelOpen { kind, .. } => lent.open(kind)?,
            Question::Channel {
                request,
                want_reply,
                wanted,
                ..
            } => {
                lent.original_command = wanted.as_deref().map(LentBytes::new);
                lent.wants_reply = *want_reply;
                lent.channel(request)?;
            }
            Question::Forward {
                request,
                want_reply,
                ..
            } => {
                lent.wants_reply = *want_reply;
                lent.name = exact(request.name())?;
                lent.destination = match request.point() {
                    ForwardPoint::Tcp { host, port } => address(host, u32::from(*port))?,
                    ForwardPoint::Unix { path } => address(path, 0)?,
                };
            }
            Question::Global {
                name,
                data,
                want_reply,
                ..
            } => {
                lent.wants_reply = *want_reply;
                lent.name = exact(name.as_str())?;
                lent.data = Some(LentBytes::new(data));
            }
        }
        Ok(lent)
    }

    fn prompts(&mut self, prompts: &Prompts) {
        self.title = Some(shown(&prompts.name, false));
        self.instructions = Some(shown(&prompts.instruction, true));
        self.prompts = prompts
            .prompts
            .iter()
            .map(|prompt| (shown(&prompt.text, false), prompt.echo))
            .collect();
    }

    fn auth(&mut self, kind: &AuthQuestionKind) -> Result<(), Unfit> {
        match kind {
            AuthQuestionKind::Methods | AuthQuestionKind::None => {}
            AuthQuestionKind::Password(password) => self.password = Some(LentBytes::new(password)),
            AuthQuestionKind::KeyAsked {
                key,
                algorithm,
                certificate,
            }
            | AuthQuestionKind::KeyProven {
                key,
                algorithm,
                certificate,
                ..
            } => {
                self.key = Some(key.clone());
                self.certificate = certificate.clone();
                if let AuthQuestionKind::KeyProven { attendance, .. } = kind {
                    self.attendance = *attendance;
                }
                self.algorithm = exact(algorithm.as_str())?;
            }
            AuthQuestionKind::InteractiveStart { submethods } => {
                self.submethods = exact(submethods.as_str())?;
            }
            AuthQuestionKind::InteractiveAnswers { answers } => {
                self.answers = answers
                    .iter()
                    .map(|answer| LentBytes::new(answer))
                    .collect();
            }
        }
        Ok(())
    }

    fn open(&mut self, kind: &OpenKind) -> Result<(), Unfit> {
        self.channel_kind = exact(kind.name())?;
        match kind {
            OpenKind::Session | OpenKind::AuthAgent => {}
            OpenKind::DirectStreamlocal { path } | OpenKind::ForwardedStreamlocal { path } => {
                self.destination = address(path, 0)?;
            }
            OpenKind::DirectTcpip {
                host,
                port,
                originator,
                originator_port,
            }
            | OpenKind::ForwardedTcpip {
                host,
                port,
                originator,
                originator_port,
            } => {
                self.destination = address(host, *port)?;
                self.origin = address(originator, *originator_port)?;
            }
            OpenKind::X11 {
                originator,
                originator_port,
            } => {
                self.origin = address(originator, *originator_port)?;
            }
            OpenKind::Other { data, .. } => self.data = Some(LentBytes::new(data)),
        }
        Ok(())
    }

    fn channel(&mut self, request: &ChannelRequest) -> Result<(), Unfit> {
        match request {
            ChannelRequest::Pty {
                term,
                columns,
                rows,
                width_px,
                height_px,
                modes,
            } => {
                self.term = exact(term.as_str())?;
                self.size = Some([*columns, *rows, *width_px, *height_px]);
                let mut encoded = Vec::new();
                modes.encode(&mut Writer::new(&mut encoded));
                self.modes = Some(LentBytes::new(&encoded));
            }
            ChannelRequest::WindowChange {
                columns,
                rows,
                width_px,
                height_px,
            } => {
                self.size = Some([*columns, *rows, *width_px, *height_px]);
            }
            ChannelRequest::Exec(command) => self.command = Some(LentBytes::new(command)),
            ChannelRequest::Subsystem(name) | ChannelRequest::Signal(name) => {
                self.name = exact(name.as_str())?;
            }
            ChannelRequest::Env { name, value } => {
                self.name = exact(name.as_slice())?;
                self.value = Some(LentBytes::new(value));
            }
            ChannelRequest::X11(x11) => {
                self.name = exact(x11.protocol.as_str())?;
                self.value = Some(LentBytes::new(x11.cookie.as_bytes()));
                self.x11 = Some((x11.screen, x11.single));
            }
            ChannelRequest::Break { length_ms } => self.break_length_ms = *length_ms,
            ChannelRequest::Other { name, data } => {
                self.name = exact(name.as_str())?;
                self.data = Some(LentBytes::new(data));
            }
            other => self.name = exact(other.name())?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Prompt;

    #[test]
    fn names_with_nul_are_refused_and_commands_are_not() {
        let hidden = ChannelRequest::Subsystem("sftp\0evil".into());
        assert!(Lent::default().channel(&hidden).is_err());
        let mut lent = Lent::default();
        assert!(lent
            .channel(&ChannelRequest::Exec(b"a\0b".to_vec()))
            .is_ok());
        let mut length = 0;
        lent.command.unwrap().lend(&mut length);
        assert_eq!(length, 3);
    }

    #[test]
    fn x10_ports_out_of_range_are_refused() {
        let open = OpenKind::DirectTcpip {
            host: "h".into(),
            port: 65_536,
            originator: "o".into(),
            originator_port: 1,
        };
        assert!(Lent::default().open(&open).is_err());
    }

    #[test]
    fn prompts_are_safe_to_show() {
        let Ok(lent) = Lent::new(&Question::Prompts(Prompts {
            name: "a\x1b]0;x\x07".into(),
            instruction: "one\r\ntwo".into(),
            prompts: vec![Prompt {
                text: "Pass\0word: ".into(),
                echo: false,
            }],
        })) else {
            panic!("prompts are always shown");
        };
        assert_eq!(lent.title.unwrap().to_str().unwrap(), "a\\u{1b}]0;x\\u{7}");
        assert_eq!(lent.instructions.unwrap().to_str().unwrap(), "one\ntwo");
        assert_eq!(lent.prompts[0].0.to_str().unwrap(), "Pass\\u{0}word: ");
    }
}
