//! Frames: `uint32 length || payload`.

use zeroize::Zeroizing;

use crate::codec::Writer;
use crate::error::{AgentFault, Error};

/// Longest payload that is taken or sent.
pub(super) const MAX_PAYLOAD: usize = 256 * 1024;
/// Bytes of the length.
const HEAD: usize = 4;

/// A request as it goes out. It may hold a private key, so it is wiped, and the buffer never moves while it is filled:
/// `room` is at least what `fill` writes.
pub(super) fn outgoing(
    room: usize,
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut frame = Zeroizing::new(Vec::with_capacity(HEAD.saturating_add(room)));
    frame.extend_from_slice(&[0; HEAD]);
    fill(&mut Writer::new(&mut frame))?;
    let length = frame.len().saturating_sub(HEAD);
    if length > MAX_PAYLOAD {
        return Err(Error::ApiMisuse("more than an agent takes"));
    }
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(head) = frame.first_chunk_mut::<HEAD>() {
        *head = length;
    }
    Ok(frame)
}

/// An answer on its way in. Memory is taken for what has come, never for what is promised.
#[derive(Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
}

impl Incoming {
    /// How many bytes are still wanted; `None` when the frame is whole.
    pub(super) fn wanted(&self) -> Result<Option<usize>, AgentFault> {
        let Some((head, body)) = self.bytes.split_first_chunk::<HEAD>() else {
            return Ok(Some(HEAD.saturating_sub(self.bytes.len())));
        };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length == 0 || length > MAX_PAYLOAD {
            return Err(AgentFault::Malformed(
                "the length of an answer is out of bounds",
            ));
        }
        Ok(length.checked_sub(body.len()).filter(|rest| *rest > 0))
    }

    /// Takes at most as many bytes as are wanted.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The payload of a whole frame.
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(HEAD..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_byte_by_byte() {
        let frame = outgoing(16, |w| {
            w.u8(11).string("x");
            Ok(())
        })
        .unwrap();
        let mut incoming = Incoming::default();
        for byte in frame.iter() {
            assert!(incoming.wanted().unwrap().is_some());
            incoming.push(&[*byte]);
        }
        assert_eq!(incoming.wanted(), Ok(None));
        assert_eq!(incoming.payload(), b"\x0b\0\0\0\x01x");
    }

    #[test]
    fn n1_lengths_out_of_bounds_are_refused_before_anything_is_read_for_them() {
        for length in [0_u32, 262_145, u32::MAX] {
            let mut incoming = Incoming::default();
            incoming.push(&length.to_be_bytes());
            assert!(matches!(incoming.wanted(), Err(AgentFault::Malformed(_))));
        }
        let mut incoming = Incoming::default();
        incoming.push(&262_144_u32.to_be_bytes());
        assert_eq!(incoming.wanted(), Ok(Some(MAX_PAYLOAD)));
        assert!(
            incoming.bytes.capacity() < 1024,
            "nothing is set aside for a promise"
        );
    }

    #[test]
    fn requests_have_a_bound_too() {
        let long = outgoing(0, |w| {
            w.raw(&[0; MAX_PAYLOAD + 1]);
            Ok(())
        });
        assert!(matches!(long, Err(Error::ApiMisuse(_))));
    }
}
