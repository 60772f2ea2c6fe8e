//! The one error type of the protocol and the driver, who is at fault for each case, and the one
//! mapping from an error to the disconnect reason that is sent to the peer (RFC 4253 §11.1).

mod host_key;

use std::fmt;

pub use host_key::{HostKeyFault, KnownHostsFault, KnownKeys};

use crate::codec::DecodeError;
use crate::messages::{DisconnectReason, MessageNumber};

/// The system's words for an error number. The number stays where programs look for it: a person has no use for it.
pub(crate) fn reason(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let words = text.split(" (os error").next();
    words.unwrap_or_default().to_owned()
}

/// What went wrong there. That there is a connection to be made goes without saying.
fn at_a_place(cause: &Error) -> String {
    match cause {
        Error::Io {
            operation: "connect",
            errno,
        } => reason(*errno),
        cause => cause.to_string(),
    }
}

/// What went wrong, and at whose fault.
///
/// Errors are cheap to clone, for the cause that ended a transport is given to every waiter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on the stream or on a file.
    #[error("{operation}: {}", reason(*errno))]
    Io {
        /// What was being done, for a person.
        operation: &'static str,
        /// The system's error number.
        errno: i32,
    },
    /// The operating system refused an operation on a file that has a name.
    #[error("{operation} {path}: {}", reason(*errno))]
    File {
        /// What was being done, for a person.
        operation: &'static str,
        /// The file, safe to show.
        path: String,
        /// The system's error number.
        errno: i32,
    },
    /// No address of the peer could be resolved.
    #[error("cannot resolve {host}: {detail}")]
    Resolve {
        /// The host name asked for.
        host: String,
        /// The resolver's text.
        detail: String,
    },
    /// The stream ended without the peer having said goodbye.
    #[error("connection lost")]
    ConnectionLost,
    /// The transport below, whose channel carries this one, has ended, and why.
    #[error("connection lost: the transport below has ended: {0}")]
    Below(Box<Error>),
    /// What went wrong with one of the hosts of a way, or on the way to it.
    #[error("{place}: {}", at_a_place(cause))]
    At {
        /// The host, as a person knows it.
        place: String,
        /// What went wrong.
        cause: Box<Error>,
    },
    /// The application's stream failed, with the status that it gave.
    #[error("the {operation} function of the stream failed with {status}")]
    Stream {
        /// What was being done.
        operation: &'static str,
        /// A negative number of the application's choice.
        status: i32,
    },
    /// The application's stream returned what it must not.
    #[error("the {0} function of the stream returned a number that cannot be")]
    StreamNonsense(&'static str),
    /// Another function of the application's returned what it must not.
    #[error("{0}")]
    Callback(&'static str),
    /// The peer's identification line was refused (RFC 4253 §4.2).
    #[error("identification refused: {0}")]
    Identification(IdentificationFault),
    /// The bytes of a message are not what the RFC says they are.
    #[error("malformed {number}: {fault}")]
    InvalidMessage {
        /// The message that was being read.
        number: MessageNumber,
        /// What is wrong with its bytes.
        fault: DecodeError,
    },
    /// The peer broke a rule of the protocol.
    #[error("the peer broke the protocol: {0}")]
    PeerMisbehaved(PeerMisbehaved),
    /// A packet failed its authentication check.
    #[error("message authentication failed")]
    Mac,
    /// Compressed data were corrupt or inflated past the limit.
    #[error("decompression failed")]
    Compression,
    /// The two sides have no algorithm in common for one list of KEXINIT (RFC 4253 §7.1).
    #[error("{0}")]
    NoCommonAlgorithm(Box<NoCommonAlgorithm>),
    /// Key exchange failed.
    #[error("key exchange failed: {0}")]
    KeyExchange(KexFault),
    /// The host key, or the signature made with it, was refused.
    #[error("host key refused: {0}")]
    HostKey(HostKeyFault),
    /// The peer sent SSH_MSG_DISCONNECT. The description is capped and has control characters escaped.
    #[error("disconnected by the peer: {reason} ({description})")]
    Disconnected {
        /// The reason as sent.
        reason: DisconnectReason,
        /// The text as sent, capped and escaped.
        description: String,
    },
    /// Credentials were refused.
    #[error("authentication failed; methods that may continue: {}", methods.join(","))]
    AuthFailed {
        /// The methods the server says may continue.
        methods: Vec<String>,
    },
    /// Nothing of what a configuration names, and of what was asked for, has let the user in.
    #[error("{0}")]
    Login(Box<LoginFault>),
    /// The peer asked for more attempts or time than it is given.
    #[error("no more authentication attempts: {0}")]
    AuthLimit(&'static str),
    /// The peer refused to open a channel (RFC 4254 §5.1).
    #[error("channel open refused: {description} (reason {reason})")]
    ChannelOpenRefused {
        /// The reason code as sent.
        reason: u32,
        /// The text as sent, capped and escaped.
        description: String,
    },
    /// The peer answered a channel or global request with a failure.
    #[error("request denied by the peer")]
    RequestDenied,
    /// An SFTP server refused a request.
    #[error("{0}")]
    SftpStatus(Box<SftpStatus>),
    /// An SFTP server broke its protocol, or ended.
    #[error("SFTP: {0}")]
    Sftp(&'static str),
    /// The peer offered a service we do not know, or asked for one.
    #[error("service not available: {0}")]
    ServiceNotAvailable(String),
    /// A bound set against hostile peers was reached.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// A private or public key could not be read, made or used.
    #[error("{0}")]
    Key(KeyFault),
    /// An agent could not be reached, broke its protocol, or said no.
    #[error("{0}")]
    Agent(AgentFault),
    /// A certificate does not say what it would have to.
    #[error("certificate refused: {0}")]
    Certificate(Box<CertificateFault>),
    /// A configuration says what makes no sense.
    #[error("{0}")]
    Config(Box<ConfigFault>),
    /// The same of a key in a file that has a name.
    #[error("{path}: {fault}")]
    KeyFile {
        /// The file, safe to show.
        path: String,
        /// What is wrong with the key in it.
        fault: KeyFault,
    },
    /// A deadline of the caller's passed, and nothing has ended by that.
    #[error("timed out: {0}")]
    Timeout(&'static str),
    /// A time that the session had is over, and the session with it.
    #[error("timed out: {0}")]
    Expired(&'static str),
    /// New keys must be negotiated before more is read (packetizer only).
    #[error("new keys are needed")]
    RekeyNeeded,
    /// Another thread cancelled the call.
    #[error("cancelled")]
    Cancelled,
    /// The transport or channel was closed by this side.
    #[error("closed")]
    Closed,
    /// The call does not fit the state of the object.
    #[error("misuse: {0}")]
    ApiMisuse(&'static str),
    /// The call would wait for something that only its own thread can bring about.
    #[error("the call would deadlock: {0}")]
    WouldDeadlock(&'static str),
    /// The process was forked and the handle belongs to the parent.
    #[error("the handle belongs to the parent process")]
    Forked,
    /// The machine ran out of something.
    #[error("out of resources: {0}")]
    Resource(&'static str),
    /// An invariant of this library does not hold. Please report it.
    #[error("internal error: {0}")]
    Bug(&'static str),
}

/// Why an identification line was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentificationFault {
    /// The line is longer than 255 bytes.
    #[error("line too long")]
    TooLong,
    /// The line does not have the form `SSH-protoversion-softwareversion`.
    #[error("malformed line")]
    Malformed,
    /// The protocol version is not 2.0.
    #[error("protocol version {0} is not supported")]
    Version(String),
    /// Text came before the line where none may.
    #[error("text before the identification line")]
    UnexpectedText,
    /// More text came before the line than is allowed.
    #[error("too much text before the identification line")]
    TooMuchText,
}

/// A rule of the protocol that the peer broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerMisbehaved {
    /// packet_length is out of bounds or no multiple of the block size (RFC 4253 §6).
    #[error("bad packet length")]
    PacketLength,
    /// padding_length is out of bounds (RFC 4253 §6).
    #[error("bad padding length")]
    PaddingLength,
    /// A packet without a payload.
    #[error("empty payload")]
    EmptyPayload,
    /// A message that is not allowed in this phase, or not from this role.
    #[error("{0} is not allowed here")]
    UnexpectedMessage(MessageNumber),
    /// A message that strict key exchange forbids.
    #[error("{0} during strict key exchange")]
    StrictKex(MessageNumber),
    /// The sequence number would wrap during the first key exchange.
    #[error("sequence number wrapped during key exchange")]
    SequenceWrapped,
    /// A channel message for a channel that is not open.
    #[error("message for unknown channel {0}")]
    UnknownChannel(u32),
    /// Data beyond the window (RFC 4254 §5.2).
    #[error("channel window exceeded")]
    WindowExceeded,
    /// Data beyond the maximum packet size (RFC 4254 §5.2).
    #[error("channel maximum packet size exceeded")]
    PacketSizeExceeded,
    /// WINDOW_ADJUST past 2^32 - 1.
    #[error("channel window overflow")]
    WindowOverflow,
    /// A message on a channel after EOF or CLOSE.
    #[error("message after EOF or CLOSE")]
    AfterClose,
    /// A reply that answers no request.
    #[error("reply without request")]
    UnsolicitedReply,
    /// Rekeying too often, or not at all when asked.
    #[error("rekeying rules broken: {0}")]
    Rekey(&'static str),
    /// Anything else, said in words.
    #[error("{0}")]
    Other(&'static str),
}

/// Why key exchange failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KexFault {
    /// The peer's public value is malformed or forbidden.
    #[error("bad public value from the peer")]
    BadPublicValue,
    /// A group that is too small, too large or malformed.
    #[error("bad group from the peer")]
    BadGroup,
    /// Our own signature did not verify and was not sent.
    #[error("signing with the host key failed")]
    Signing,
    /// The peer did not finish in time.
    #[error("the peer did not finish the key exchange in time")]
    Timeout,
    /// A primitive failed.
    #[error("a cryptographic operation failed")]
    Crypto,
}

/// Why a key could not be read, made or used. Four different errors for four different remedies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The bytes are no key, or a broken one.
    #[error("malformed key: {0}")]
    Malformed(&'static str),
    /// The format or algorithm is known but not supported.
    #[error("unsupported key: {0}")]
    Unsupported(String),
    /// The key is encrypted and no passphrase was given.
    #[error("the key is encrypted and no passphrase was given")]
    PassphraseMissing,
    /// The passphrase does not fit.
    #[error("wrong passphrase")]
    PassphraseWrong,
    /// The file of a private key is open to others than its owner.
    #[error("others than its owner may read this private key (mode {mode:04o}); \"chmod 600\" puts that right")]
    Exposed {
        /// The permissions of the file.
        mode: u32,
    },
    /// Signing failed.
    #[error("signing failed")]
    Signing,
    /// There is no key to log in with.
    #[error("no key to log in with: the agent has none, and none was given")]
    None,
    /// The application's signer failed, with a status of its choice.
    #[error("the signer failed with {0}")]
    Signer(i32),
    /// A signature over a file or a message does not hold.
    #[error("bad signature: {0}")]
    BadSignature(&'static str),
    /// A line of the file of allowed signers makes no sense.
    #[error("line {line} of the allowed signers: {fault}")]
    AllowedSigners {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// What is wrong with an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentFault {
    /// Nobody has said where it is.
    #[error("no agent: SSH_AUTH_SOCK is not set. Start one with ssh-agent, or name its socket")]
    Nowhere,
    /// There is none where it should be.
    #[error("no agent at {path}: {}", std::io::Error::from_raw_os_error(*errno))]
    Unreachable {
        /// The socket, safe to show.
        path: String,
        /// The system's error number.
        errno: i32,
    },
    /// It went away.
    #[error("the agent closed the connection")]
    Gone,
    /// Its answer is not what the protocol says it is.
    #[error("the agent broke its protocol: {0}")]
    Malformed(&'static str),
    /// It said no.
    #[error("the agent refused {0}")]
    Refused(&'static str),
}

/// Why a certificate does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It is of the other kind.
    #[error("it is for a {found}, a {wanted} showed it")]
    Kind {
        /// `user` or `host`.
        wanted: &'static str,
        /// `user` or `host`.
        found: &'static str,
    },
    /// It is too late.
    #[error("it has expired at {0}")]
    Expired(String),
    /// It is too early.
    #[error("it is not valid before {0}")]
    NotYetValid(String),
    /// It names nobody, and would hold for everybody.
    #[error("it names no principals")]
    NoPrincipals,
    /// One of the names cannot be one.
    #[error("it names a principal with a comma or a control character, \"{0}\"")]
    BadPrincipal(String),
    /// It names others.
    #[error("it is not for {wanted} but for {found}")]
    Principal {
        /// Who it would have to name.
        wanted: String,
        /// Who it names.
        found: String,
    },
    /// An option that must be understood, and is not.
    #[error("it has an unknown critical option, {0}")]
    UnknownOption(String),
    /// An option with a value that means nothing.
    #[error("its option {0} is malformed")]
    BadOption(&'static str),
    /// The connection comes from elsewhere.
    #[error("it is good from {allowed} only, not from {found}")]
    SourceAddress {
        /// The addresses it names.
        allowed: String,
        /// The address of the peer, or what is known instead.
        found: String,
    },
    /// The authority is not one that is trusted here.
    #[error("its authority {0} is not trusted")]
    Authority(String),
    /// The authority used an algorithm that does not count.
    #[error("its authority signed with {0}, which is not accepted")]
    Algorithm(String),
    /// The authority has not signed it.
    #[error("the signature of its authority is bad")]
    Signature,
    /// It, its key or its authority must not be trusted any more.
    #[error("revoked: {0}")]
    Revoked(&'static str),
    /// The security key does not attest what is wanted.
    #[error("the security key must verify its user")]
    NotVerified,
}

/// The lists of both sides for the algorithm that could not be agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCommonAlgorithm {
    /// Which list of KEXINIT, in words: "key exchange", "cipher client to server", ...
    pub list: &'static str,
    /// Our names in order of preference.
    pub local: Vec<String>,
    /// The peer's names, capped.
    pub peer: Vec<String>,
}

impl fmt::Display for NoCommonAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no common {} algorithm; local: {}; peer: {}",
            self.list,
            self.local.join(","),
            self.peer.join(",")
        )
    }
}

/// What was tried to log in, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFault {
    /// The user and the host, safe to show.
    pub who: String,
    /// What was tried, such as "publickey (2 keys)".
    pub tried: Vec<String>,
    /// The methods that the server allows.
    pub methods: Vec<String>,
    /// What the server has said when it ended the session instead of refusing, safe to show.
    pub ended: Option<String>,
    /// What was not tried, why not, and what to do about it.
    pub notes: Vec<String>,
}

impl fmt::Display for LoginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tried = match self.tried.as_slice() {
            [] => "there was nothing to log in with".to_owned(),
            tried => format!("refused {}", tried.join(", ")),
        };
        write!(f, "{}: {tried}; the server ", self.who)?;
        match (&self.ended, self.methods.as_slice()) {
            (Some(text), _) => write!(f, "ended the session ({text})")?,
            (None, []) => f.write_str("allows nothing more")?,
            (None, methods) => write!(f, "allows {}", methods.join(", "))?,
        }
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}

/// What makes no sense in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {text}")]
pub struct ConfigFault {
    /// `file:line`, or other words for where it is written.
    pub place: String,
    /// What is wrong and what to do.
    pub text: String,
}

/// What an SFTP server said about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpStatus {
    /// What was asked for, in words.
    pub operation: &'static str,
    /// The path it was asked for, safe to show; empty where there is none.
    pub path: String,
    /// The code as sent.
    pub code: u32,
    /// What the code means, in our words.
    pub meaning: String,
    /// The text as sent, capped and escaped; may be empty.
    pub text: String,
}

impl fmt::Display for SftpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if !self.path.is_empty() {
            write!(f, " {}", self.path)?;
        }
        write!(f, ": {}", self.meaning)?;
        if self.text.is_empty() || self.text.eq_ignore_ascii_case(&self.meaning) {
            return Ok(());
        }
        write!(f, " ({})", self.text)
    }
}

impl Error {
    /// A message of this number has malformed bytes.
    pub fn invalid(number: MessageNumber) -> impl Fn(DecodeError) -> Error {
        move |fault| Error::InvalidMessage { number, fault }
    }

    /// The reason of the SSH_MSG_DISCONNECT that this error makes us send; `None` where nothing is sent
    /// (the stream is gone, the peer has already left, or binary packets have not begun).
    ///
    /// The peer learns this number and no detail of ours.
    pub fn disconnect_reason(&self) -> Option<DisconnectReason> {
        match self {
            Error::At { cause, .. } => cause.disconnect_reason(),
            Error::Io { .. }
            | Error::Resolve { .. }
            | Error::ConnectionLost
            | Error::Below(_)
            | Error::Stream { .. }
            | Error::StreamNonsense(_)
            | Error::Disconnected { .. }
            | Error::Identification(_)
            | Error::Forked => None,
            Error::InvalidMessage { .. } | Error::PeerMisbehaved(_) => {
                Some(DisconnectReason::PROTOCOL_ERROR)
            }
            Error::Mac => Some(DisconnectReason::MAC_ERROR),
            Error::Compression => Some(DisconnectReason::COMPRESSION_ERROR),
            Error::NoCommonAlgorithm(_) | Error::KeyExchange(_) => {
                Some(DisconnectReason::KEY_EXCHANGE_FAILED)
            }
            Error::HostKey(HostKeyFault::WrongAlgorithm | HostKeyFault::BadSignature) => {
                Some(DisconnectReason::KEY_EXCHANGE_FAILED)
            }
            Error::HostKey(_) => Some(DisconnectReason::HOST_KEY_NOT_VERIFIABLE),
            Error::AuthFailed { .. } | Error::Login(_) | Error::AuthLimit(_) => {
                Some(DisconnectReason::NO_MORE_AUTH_METHODS_AVAILABLE)
            }
            Error::ServiceNotAvailable(_) => Some(DisconnectReason::SERVICE_NOT_AVAILABLE),
            Error::Limit(_) => Some(DisconnectReason::PROTOCOL_ERROR),
            Error::Timeout(_)
            | Error::Expired(_)
            | Error::File { .. }
            | Error::Config(_)
            | Error::RekeyNeeded
            | Error::Cancelled
            | Error::Closed
            | Error::ChannelOpenRefused { .. }
            | Error::RequestDenied
            | Error::SftpStatus(_)
            | Error::Sftp(_)
            | Error::Key(_)
            | Error::Agent(_)
            | Error::Callback(_)
            | Error::Certificate(_)
            | Error::KeyFile { .. }
            | Error::ApiMisuse(_)
            | Error::WouldDeadlock(_)
            | Error::Resource(_)
            | Error::Bug(_) => Some(DisconnectReason::BY_APPLICATION),
        }
    }
}

impl From<PeerMisbehaved> for Error {
    fn from(case: PeerMisbehaved) -> Self {
        Error::PeerMisbehaved(case)
    }
}
impl From<KexFault> for Error {
    fn from(fault: KexFault) -> Self {
        Error::KeyExchange(fault)
    }
}
impl From<AgentFault> for Error {
    fn from(fault: AgentFault) -> Self {
        Error::Agent(fault)
    }
}
impl From<CertificateFault> for Error {
    fn from(fault: CertificateFault) -> Self {
        Error::Certificate(Box::new(fault))
    }
}
impl From<KeyFault> for Error {
    fn from(fault: KeyFault) -> Self {
        Error::Key(fault)
    }
}
