//! Replies on their way to the client, in one buffer.

use super::failure::Failure;
use crate::codec::Writer;
use crate::sftp::{Attributes, FrameWriter, Name, PacketType, Reply, StatusCode};

/// Bytes of replies that wait before no further request is looked at.
pub const MAX_WAITING_BYTES: usize = 512 * 1024;

/// Encoded replies that the channel has not taken yet.
#[derive(Debug, Default)]
pub struct Replies {
    bytes: Vec<u8>,
    sent: usize,
}

impl Replies {
    /// What waits to be sent.
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// The first `count` of the waiting bytes have been sent.
    pub fn sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        } else if self.sent >= MAX_WAITING_BYTES {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Whether so much waits that the client must take some of it first.
    pub fn is_full(&self) -> bool {
        self.waiting().len() >= MAX_WAITING_BYTES
    }

    /// Gives back the memory while nothing waits.
    pub fn shrink(&mut self) {
        if self.bytes.is_empty() {
            *self = Self::default();
        }
    }

    /// Any packet.
    pub fn packet(&mut self, fill: impl FnOnce(&mut Writer<'_>)) {
        FrameWriter::write(&mut self.bytes, fill);
    }

    /// Any reply.
    pub fn reply(&mut self, id: u32, reply: &Reply<'_>) {
        self.packet(|w| reply.encode(id, w));
    }

    /// STATUS: what came of it.
    pub fn status(&mut self, id: u32, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => self.reply(id, &Reply::status(StatusCode::OK)),
            Err(Failure { code, text }) => self.reply(
                id,
                &Reply::Status {
                    code,
                    text: text.into_owned(),
                    language: String::from("en"),
                },
            ),
        }
    }

    /// What `outcome` holds, written by `write`, or STATUS.
    pub fn outcome<T>(
        &mut self,
        id: u32,
        outcome: Result<T, Failure>,
        write: impl FnOnce(&mut Self, T),
    ) {
        match outcome {
            Ok(value) => write(self, value),
            Err(failure) => self.status(id, Err(failure)),
        }
    }

    /// HANDLE.
    pub fn handle(&mut self, id: u32, outcome: Result<u32, Failure>) {
        self.outcome(id, outcome, |replies, number| {
            replies.reply(id, &Reply::Handle(&number.to_be_bytes()));
        });
    }

    /// ATTRS.
    pub fn attributes(&mut self, id: u32, outcome: Result<Attributes, Failure>) {
        self.outcome(id, outcome, |replies, attributes| {
            replies.reply(id, &Reply::Attrs(attributes));
        });
    }

    /// NAME with one path, as REALPATH and READLINK want it.
    pub fn path(&mut self, id: u32, outcome: Result<Vec<u8>, Failure>) {
        self.outcome(id, outcome, |replies, path| {
            let name = Name {
                long_name: path.clone(),
                file_name: path,
                attributes: Attributes::new(),
            };
            replies.reply(id, &Reply::Name(vec![name]));
        });
    }

    /// NAME, or EOF for none.
    pub fn names(&mut self, id: u32, outcome: Result<Vec<Name>, Failure>) {
        self.outcome(id, outcome, |replies, names| {
            if names.is_empty() {
                replies.status(id, Err(Failure::eof()));
            } else {
                replies.reply(id, &Reply::Name(names));
            }
        });
    }

    /// EXTENDED_REPLY.
    pub fn extended(
        &mut self,
        id: u32,
        outcome: Result<(), Failure>,
        fill: impl FnOnce(&mut Writer<'_>),
    ) {
        self.outcome(id, outcome, |replies, ()| {
            replies.packet(|w| {
                w.u8(PacketType::EXTENDED_REPLY.0).u32(id);
                fill(w);
            });
        });
    }

    /// DATA with these bytes; none are the end of the file.
    pub fn data_of(&mut self, id: u32, data: &[u8]) {
        if data.is_empty() {
            self.status(id, Err(Failure::eof()));
        } else {
            self.reply(id, &Reply::Data(data));
        }
    }

    /// DATA with the bytes that `read` appends to those that leave, at most `length`; none are the end of the file.
    pub fn data(
        &mut self,
        id: u32,
        length: usize,
        read: impl FnOnce(&mut Vec<u8>) -> Result<usize, Failure>,
    ) {
        let start = self.bytes.len();
        let head = start.saturating_add(DATA_HEAD_BYTES);
        // At once, so that the head does not make the buffer grow twice.
        self.bytes.reserve(DATA_HEAD_BYTES.saturating_add(length));
        let write_head = |bytes: &mut Vec<u8>, count: usize| {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            FrameWriter::write_head(bytes, PacketType::DATA, |w| _ = w.u32(id), count);
        };
        // What comes is hardly ever less than was asked for.
        write_head(&mut self.bytes, length);
        let outcome = read(&mut self.bytes);
        let count = outcome.as_ref().map_or(0, |count| (*count).min(length));
        if count == 0 {
            self.bytes.truncate(start);
            self.status(id, outcome.map(|_| ()).and(Err(Failure::eof())));
            return;
        }
        self.bytes.truncate(head.saturating_add(count));
        if count < length {
            let mut shorter = Vec::with_capacity(DATA_HEAD_BYTES);
            write_head(&mut shorter, count);
            if let Some(front) = self.bytes.get_mut(start..head) {
                front.copy_from_slice(&shorter);
            }
        }
    }
}

/// Length, type, id, length of the data.
const DATA_HEAD_BYTES: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sftp::FrameReader;

    fn packets(replies: &mut Replies) -> Vec<Vec<u8>> {
        let mut reader = FrameReader::new();
        reader.push(replies.waiting());
        replies.sent(replies.waiting().len());
        let mut packets = Vec::new();
        while let Some(packet) = reader.next().unwrap() {
            packets.push(packet.to_vec());
        }
        assert_eq!(reader.unread(), 0);
        packets
    }

    #[test]
    fn data_are_read_in_place_and_short_reads_are_short_packets() {
        let mut replies = Replies::default();
        replies.data(1, 10, |bytes| {
            bytes.extend_from_slice(b"abc");
            Ok(3)
        });
        replies.data(2, 10, |_| Ok(0));
        replies.data(3, 10, |_| Err(Failure::denied("no")));
        let packets = packets(&mut replies);
        assert_eq!(
            Reply::decode(&packets[0]).unwrap(),
            (1, Reply::Data(b"abc"))
        );
        for (packet, wanted) in packets[1..]
            .iter()
            .zip([(2, StatusCode::EOF), (3, StatusCode::PERMISSION_DENIED)])
        {
            let (id, Reply::Status { code, .. }) = Reply::decode(packet).unwrap() else {
                panic!("a status is wanted")
            };
            assert_eq!((id, code), wanted);
        }
    }

    #[test]
    fn parts_are_sent_and_memory_goes_back() {
        let mut replies = Replies::default();
        replies.handle(1, Ok(5));
        let all = replies.waiting().to_vec();
        replies.sent(4);
        assert_eq!(replies.waiting(), &all[4..]);
        replies.status(2, Ok(()));
        replies.sent(usize::MAX);
        assert!(replies.waiting().is_empty());
        replies.shrink();
        assert_eq!(replies.bytes.capacity(), 0);
    }
}
