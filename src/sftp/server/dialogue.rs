//! The protocol of one session: INIT, then requests in and replies out.

use super::failure::Failure;
use super::replies::Replies;
use crate::codec::DecodeError;
use crate::sftp::{
    extension, ExtendedRequest, Extension, FrameError, FrameReader, Init, Limits, PacketType,
    Request, StatusCode, Version, MAX_PACKET_BYTES, VERSION,
};

/// Most bytes of a READ that are answered at once. The rest of a packet is room for its head, as in OpenSSH.
pub const MAX_READ_BYTES: u32 = 255 * 1024;

/// Requests whose answers leave together: enough to make little of sending, few enough to have the client at work meanwhile.
const SERVED_TOGETHER: usize = 16;

/// Carries out the requests of one session.
pub trait Backend: Send {
    /// The extensions it knows, with their versions.
    fn extensions(&self) -> Vec<(&'static str, &'static str)>;

    /// Most handles that may be open at once.
    fn max_handles(&self) -> u64;

    /// Whether it takes a further request now.
    fn is_ready(&self) -> bool;

    /// Carries out a request. It is answered here, or in a later [`advance`](Self::advance).
    fn serve(&mut self, id: u32, request: Request<'_>, replies: &mut Replies);

    /// Goes on with what was begun. True when it wants to be called again without waiting for anything.
    fn advance(&mut self, replies: &mut Replies) -> bool;

    /// How many requests have no answer yet.
    fn outstanding(&self) -> usize;
}

impl<B: Backend + ?Sized> Backend for Box<B> {
    fn extensions(&self) -> Vec<(&'static str, &'static str)> {
        (**self).extensions()
    }

    fn max_handles(&self) -> u64 {
        (**self).max_handles()
    }

    fn is_ready(&self) -> bool {
        (**self).is_ready()
    }

    fn serve(&mut self, id: u32, request: Request<'_>, replies: &mut Replies) {
        (**self).serve(id, request, replies);
    }

    fn advance(&mut self, replies: &mut Replies) -> bool {
        (**self).advance(replies)
    }

    fn outstanding(&self) -> usize {
        (**self).outstanding()
    }
}

/// Why a session cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A packet that is too long, or empty.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The first packet is not INIT, or broken.
    #[error("the session does not begin with SSH_FXP_INIT")]
    NoInit,
    /// INIT came twice.
    #[error("SSH_FXP_INIT came twice")]
    SecondInit,
    /// A packet too short to have an id, so that it cannot be answered.
    #[error("a packet without an id")]
    NoId,
    /// The client has closed its side in the middle of a packet.
    #[error("the last packet is cut off")]
    CutOff,
}

/// One session between bytes and a [`Backend`]. It does no I/O of its own.
///
/// Bytes of the client go into [`space`](Self::space); [`work`](Self::work) looks at what is there; what
/// [`replies`](Self::replies) then holds is to be sent. As long as much waits there, or the backend is
/// busy, no further request is looked at, so that both stay bounded whatever the client sends.
pub struct Dialogue<B> {
    reader: FrameReader,
    /// What is to be sent.
    pub replies: Replies,
    backend: B,
    begun: bool,
    /// There may be requests that have come and were not looked at.
    behind: bool,
}

impl<B: Backend> Dialogue<B> {
    /// A session that waits for INIT.
    pub fn new(backend: B) -> Self {
        Dialogue {
            reader: FrameReader::new(),
            replies: Replies::default(),
            backend,
            begun: false,
            behind: false,
        }
    }

    /// Room for bytes of the client.
    pub fn space(&mut self, wanted: usize) -> &mut [u8] {
        self.reader.space(wanted)
    }

    /// The first `count` bytes of the room were filled.
    pub fn filled(&mut self, count: usize) {
        self.reader.filled(count);
    }

    /// Whether bytes should be read from the client now: not before those that have come are used up.
    pub fn wants_bytes(&self) -> bool {
        !self.behind && !self.replies.is_full() && self.backend.is_ready()
    }

    /// Whether nothing is under way: no answer is owed and none waits.
    pub fn is_idle(&self) -> bool {
        self.backend.outstanding() == 0 && self.replies.waiting().is_empty()
    }

    /// Serves what has come, or some of it, so that the client has answers to work on. True when there is more to do
    /// without waiting for anything.
    ///
    /// # Errors
    /// When the session cannot go on. Replies to what came before are kept.
    pub fn work(&mut self) -> Result<bool, Fault> {
        let mut again = self.backend.advance(&mut self.replies);
        self.behind = true;
        let mut served = 0;
        while !self.replies.is_full() && self.backend.is_ready() {
            if served == SERVED_TOGETHER {
                return Ok(true);
            }
            served += 1;
            let Some(packet) = self.reader.next()? else {
                self.behind = false;
                return Ok(again);
            };
            if self.begun {
                serve(&mut self.backend, &mut self.replies, packet)?;
            } else {
                Init::decode(packet).map_err(|_| Fault::NoInit)?;
                self.begun = true;
                announce(&self.backend, &mut self.replies);
            }
            again |= !self.backend.is_ready() && self.backend.advance(&mut self.replies);
        }
        Ok(again)
    }

    /// The client sends no more. To be called once everything was served.
    ///
    /// # Errors
    /// When a part of a packet is left.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.reader.unread() > 0 {
            return Err(Fault::CutOff);
        }
        Ok(())
    }

    /// Gives back memory that an idle session does not need.
    pub fn shrink(&mut self) {
        self.reader.shrink();
        self.replies.shrink();
    }
}

/// Whatever version the client speaks, this is the one we do.
fn announce(backend: &impl Backend, replies: &mut Replies) {
    let extensions = backend
        .extensions()
        .into_iter()
        .chain([(extension::LIMITS, "1")])
        .map(|(name, data)| Extension {
            name: name.into(),
            data: data.into(),
        })
        .collect();
    let version = Version {
        version: VERSION,
        extensions,
    };
    replies.packet(|w| version.encode(w));
}

fn serve(backend: &mut impl Backend, replies: &mut Replies, packet: &[u8]) -> Result<(), Fault> {
    if packet.first() == Some(&PacketType::INIT.0) {
        return Err(Fault::SecondInit);
    }
    let (kind, id) = Request::decode_head(packet).map_err(|_| Fault::NoId)?;
    match Request::decode(packet) {
        Ok((_, Request::Extended(ExtendedRequest::Limits))) => {
            let limits = Limits {
                packet_bytes: u64::try_from(MAX_PACKET_BYTES).unwrap_or(0),
                read_bytes: u64::from(MAX_READ_BYTES),
                write_bytes: u64::from(MAX_READ_BYTES),
                open_handles: backend.max_handles(),
            };
            replies.extended(id, Ok(()), |w| limits.encode(w));
        }
        Ok((_, Request::Extended(ExtendedRequest::Other { .. }))) => {
            replies.status(id, Err(Failure::code(StatusCode::OP_UNSUPPORTED)));
        }
        Ok((_, request)) => backend.serve(id, request, replies),
        // The frame was whole, so the session may go on after the answer.
        Err(fault) => replies.status(id, Err(refusal(kind, fault))),
    }
    Ok(())
}

fn refusal(kind: PacketType, fault: DecodeError) -> Failure {
    match fault {
        DecodeError::TooLong => Failure::other("a field is too long"),
        DecodeError::BadValue if kind != PacketType::EXTENDED => {
            Failure::code(StatusCode::OP_UNSUPPORTED)
        }
        _ => Failure::code(StatusCode::BAD_MESSAGE),
    }
}
