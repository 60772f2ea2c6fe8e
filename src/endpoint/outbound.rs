//! From payloads to the bytes of the stream.

use crate::codec::Writer;
use crate::connection::Stream;
use crate::error::Error;
use crate::messages::{DisconnectReason, MessageNumber, Role};
use crate::packet::{Counters, Sealer};
use crate::transport::TransportAction;

/// What `ssh_channel_write` puts before the data: number, recipient, (type,) length.
const DATA_HEAD_MAX: usize = 13;

/// Sees each payload before it is sealed and says what is sealed in its place.
#[cfg(test)]
pub(crate) type Tap = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>> + Send>;

/// The sending part: sealer and the sealed bytes that the stream has not taken yet.
pub struct Outbound {
    role: Role,
    sealer: Sealer,
    /// Our KEXINIT is out and our NEWKEYS is not: only transport payloads may be sealed
    /// (RFC 4253 §7.1).
    held: bool,
    compressing: bool,
    /// Client, delayed compression: what is out may be answered with USERAUTH_SUCCESS, and from there on the server
    /// inflates what comes. Until the answer is here, nobody knows how to seal anything else.
    undecided: bool,
    pending: Vec<u8>,
    /// Bytes of `pending` that the stream has taken.
    taken: usize,
    /// Capacity of `pending` that is kept while it is empty.
    kept: usize,
    /// `pending` has grown for a login that is over: when it is empty, its memory goes back.
    grown: bool,
    /// Makes a hostile or noisy peer of this side.
    #[cfg(test)]
    pub(crate) tap: Option<Tap>,
}

impl Outbound {
    /// Nothing sent yet.
    pub fn new(role: Role) -> Self {
        Outbound {
            role,
            sealer: Sealer::new(),
            held: false,
            compressing: false,
            undecided: false,
            pending: Vec::new(),
            taken: 0,
            kept: KEPT,
            grown: false,
            #[cfg(test)]
            tap: None,
        }
    }

    /// Applies what concerns this part, and hands back what does not.
    pub fn apply(&mut self, action: TransportAction) -> Result<Option<TransportAction>, Error> {
        match action {
            TransportAction::Raw(bytes) => self.pending.extend_from_slice(&bytes),
            TransportAction::Hold => self.held = true,
            TransportAction::Send(payload) => self.seal(&[&payload])?,
            TransportAction::SealKeys(keys) => {
                self.sealer.install(*keys);
                self.held = false;
                if self.compressing {
                    self.sealer.start_compression();
                }
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// Whether payloads of the services must wait for the end of a key exchange.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether this payload of the services may be sealed now; if not, it and all after it wait.
    pub fn takes(&self, payload: &[u8]) -> bool {
        !self.held && (!self.undecided || authenticates(payload))
    }

    /// Seals a payload of the services.
    pub fn seal_service(&mut self, payload: &[u8]) -> Result<(), Error> {
        if self.held {
            return Err(Error::Bug("service payload during key exchange"));
        }
        self.seal(&[payload])?;
        if self.role == Role::Server && payload.first() == Some(&MessageNumber::USERAUTH_SUCCESS.0)
        {
            self.grown = true;
            self.start_compression();
        }
        if self.role == Role::Client && self.sealer.delays_compression() {
            self.undecided = self.undecided || authenticates(payload);
        }
        Ok(())
    }

    /// Whether a payload of a server answers an authentication request. A banner does not.
    pub fn is_answer(payload: &[u8]) -> bool {
        matches!(
            payload.first().copied().map(MessageNumber),
            Some(
                MessageNumber::USERAUTH_FAILURE
                    | MessageNumber::USERAUTH_SUCCESS
                    | MessageNumber::USERAUTH_60
            )
        )
    }

    /// Client: the server has answered. Tells whether payloads may have waited for that.
    pub fn peer_answered(&mut self) -> bool {
        std::mem::take(&mut self.undecided)
    }

    /// Seals `data` as CHANNEL_DATA or CHANNEL_EXTENDED_DATA messages of at most `max_packet` bytes of data.
    pub fn seal_data(
        &mut self,
        recipient: u32,
        stream: Stream,
        data: &[u8],
        max_packet: usize,
    ) -> Result<(), Error> {
        if self.held {
            return Err(Error::Bug("channel data during key exchange"));
        }
        for chunk in data.chunks(max_packet.max(1)) {
            let mut head = [0; DATA_HEAD_MAX];
            let head = data_head(&mut head, recipient, stream, chunk.len())?;
            self.seal(&[head, chunk])?;
        }
        Ok(())
    }

    /// Says goodbye with a reason and no detail (RFC 4253 §11.1). Allowed at any time.
    pub fn seal_disconnect(&mut self, reason: DisconnectReason) -> Result<(), Error> {
        let payload = Writer::collect(|w| {
            let text = reason.name().unwrap_or("closed");
            w.u8(MessageNumber::DISCONNECT.0)
                .u32(reason.0)
                .string(text)
                .string("");
        });
        self.seal(&[&payload])
    }

    /// Client: USERAUTH_SUCCESS has come, so delayed compression begins with our next packet.
    pub fn peer_authenticated(&mut self) {
        self.undecided = false;
        self.grown = true;
        if self.pending.is_empty() {
            self.give_back();
        }
        if self.role == Role::Client {
            self.start_compression();
        }
    }

    fn start_compression(&mut self) {
        if !self.compressing {
            self.compressing = true;
            self.sealer.start_compression();
        }
    }

    fn seal(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        // After a stream, what comes next is for itself.
        self.kept = self.kept.max(KEPT);
        #[cfg(test)]
        if let Some(tap) = &mut self.tap {
            for payload in tap(&parts.concat()) {
                self.sealer.seal(&[&payload], &mut self.pending)?;
            }
            return Ok(());
        }
        self.sealer.seal(parts, &mut self.pending)
    }

    /// What has been sealed since the last change of keys.
    pub fn counters(&self) -> Counters {
        self.sealer.counters()
    }

    /// Packets and bytes of all that was sealed so far.
    pub fn total(&self) -> Counters {
        self.sealer.total()
    }

    /// Bytes that the stream has not taken yet.
    pub fn pending(&self) -> &[u8] {
        self.pending.get(self.taken..).unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.pending.capacity()
    }

    /// The stream took so many bytes of [`pending`](Self::pending).
    pub fn taken(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count);
        if self.taken >= self.pending.len() {
            self.pending.clear();
            self.taken = 0;
            self.give_back();
        } else if self.taken > self.pending.len() / 2 {
            // Fewer bytes are moved than have left.
            self.pending.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// Much is going to be sent, so that it is worth keeping memory for it.
    pub fn begin_stream(&mut self) {
        self.kept = KEPT_IF_BUSY;
    }

    /// Nothing is going to be sent for a while: gives all memory back, now or when everything has left.
    pub fn end_stream(&mut self) {
        self.kept = 0;
        if self.pending.is_empty() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if std::mem::take(&mut self.grown) {
            self.pending = Vec::new();
        }
        if self.pending.capacity() > self.kept {
            self.pending.shrink_to(self.kept);
        }
    }

    /// Takes all bytes for the stream.
    pub fn take_pending(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.drain(..self.taken.min(bytes.len()));
        self.taken = 0;
        bytes
    }

    /// Throws away what the stream will never take.
    pub fn discard(&mut self) {
        self.pending = Vec::new();
        self.taken = 0;
    }
}

/// Capacity that is kept between writes.
const KEPT: usize = 128 * 1024;
/// The same while much is sent.
const KEPT_IF_BUSY: usize = 512 * 1024;

/// Whether a payload of a client may be answered with USERAUTH_SUCCESS.
fn authenticates(payload: &[u8]) -> bool {
    matches!(
        payload.first().copied().map(MessageNumber),
        Some(MessageNumber::USERAUTH_REQUEST | MessageNumber::USERAUTH_INFO_RESPONSE)
    )
}

fn data_head(
    head: &mut [u8; DATA_HEAD_MAX],
    recipient: u32,
    stream: Stream,
    length: usize,
) -> Result<&[u8], Error> {
    let length = u32::try_from(length).map_err(|_| Error::Bug("data longer than 4 GiB"))?;
    let [number, to @ .., _, _, _, _, _, _, _, _] = head;
    to.copy_from_slice(&recipient.to_be_bytes());
    let used = match stream {
        Stream::Data => {
            *number = MessageNumber::CHANNEL_DATA.0;
            let [_, _, _, _, _, size @ .., _, _, _, _] = head;
            size.copy_from_slice(&length.to_be_bytes());
            DATA_HEAD_MAX - 4
        }
        Stream::Stderr => {
            *number = MessageNumber::CHANNEL_EXTENDED_DATA.0;
            let [_, _, _, _, _, kind @ .., _, _, _, _] = head;
            // SSH_EXTENDED_DATA_STDERR (RFC 4254 §5.2)
            kind.copy_from_slice(&1_u32.to_be_bytes());
            let [_, _, _, _, _, _, _, _, _, size @ ..] = head;
            size.copy_from_slice(&length.to_be_bytes());
            DATA_HEAD_MAX
        }
    };
    head.get(..used).ok_or(Error::Bug("head of a data message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_data_messages() {
        let mut head = [0; DATA_HEAD_MAX];
        assert_eq!(
            data_head(&mut head, 7, Stream::Data, 300).unwrap(),
            [94, 0, 0, 0, 7, 0, 0, 1, 44]
        );
        assert_eq!(
            data_head(&mut head, 7, Stream::Stderr, 2).unwrap(),
            [95, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2]
        );
    }
}
