//! Which requests are under way, and what came of them. No I/O.

use std::collections::HashMap;

use crate::codec::Writer;
use crate::error::Error;
use crate::sftp::{Attributes, FrameWriter, Name, Reply, Request, StatusCode};

/// Most requests that wait for their reply at once.
pub(super) const MAX_OUTSTANDING: usize = 4096;
/// Most buffers kept for data to come, and how large one must be to be worth it.
const MAX_SPARE: usize = 8;
const MIN_SPARE_BYTES: usize = 16 * 1024;
/// Why a reply is refused that nobody waits for.
const UNASKED: Error = Error::Sftp("a reply that answers no request");

/// What kind of reply a request may get, beside STATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// STATUS only.
    Status,
    Handle,
    /// At most so many bytes.
    Data(u32),
    Names,
    Attrs,
    Extended,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Ok,
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<Name>),
    Attrs(Attributes),
    Extended(Vec<u8>),
    /// Any status but OK, with the server's text.
    Refused(StatusCode, String),
}

#[derive(Debug)]
enum Entry {
    Waiting(Expect),
    Answered(Answer),
    /// The caller has gone; the reply is still to come.
    Abandoned(Expect),
}

/// The requests under way, by their id.
///
/// A request is begun, answered, and taken or abandoned. An id comes back only after 2^32 others, and never
/// while its request is under way. Replies are kept only for requests that somebody waits for, each within
/// the bounds of what was asked.
#[derive(Debug, Default)]
pub(super) struct RequestTable {
    next_id: u32,
    entries: HashMap<u32, Entry>,
    waiting: usize,
    /// Buffers of data that have been used up. Filling one costs less than having the system find new memory.
    spare: Vec<Vec<u8>>,
}

impl RequestTable {
    /// Whether there is room for another request.
    pub(super) fn has_room(&self) -> bool {
        self.waiting < MAX_OUTSTANDING
    }

    /// Whether any reply is still to come.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// A new id, for which a reply of that kind may come.
    pub(super) fn begin(&mut self, expect: Expect) -> u32 {
        while self.entries.contains_key(&self.next_id) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.entries.insert(id, Entry::Waiting(expect));
        self.waiting += 1;
        id
    }

    /// Matches a packet from the server with its request. What must be sent because of it - closing a handle that
    /// nobody waits for any more - is appended to `out`.
    ///
    /// # Errors
    /// After an error the stream is no longer to be trusted.
    pub(super) fn receive(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let (id, reply) =
            Reply::decode(packet).map_err(|_| Error::Sftp("a malformed reply from the server"))?;
        let entry = self.entries.get_mut(&id).ok_or(UNASKED)?;
        let (expect, abandoned) = match entry {
            Entry::Waiting(expect) => (*expect, false),
            Entry::Abandoned(expect) => (*expect, true),
            Entry::Answered(_) => return Err(UNASKED),
        };
        if !abandoned {
            *entry = Entry::Answered(answer(expect, reply, &mut self.spare)?);
            self.waiting = self.waiting.saturating_sub(1);
            return Ok(());
        }
        self.entries.remove(&id);
        self.waiting = self.waiting.saturating_sub(1);
        if let Answer::Handle(handle) = answer(expect, reply, &mut Vec::new())? {
            // The open timed out or was cancelled. Its handle must not stay open for the rest of the session.
            let id = self.begin(Expect::Status);
            self.abandon(id);
            FrameWriter::write(out, |w: &mut Writer<'_>| {
                Request::Close { handle: &handle }.encode(id, w);
            });
        }
        Ok(())
    }

    /// Whether the reply has come.
    pub(super) fn is_answered(&self, id: u32) -> bool {
        matches!(self.entries.get(&id), Some(Entry::Answered(_)))
    }

    /// Takes the reply, if it has come.
    pub(super) fn take(&mut self, id: u32) -> Option<Answer> {
        if !self.is_answered(id) {
            return None;
        }
        match self.entries.remove(&id) {
            Some(Entry::Answered(answer)) => Some(answer),
            _ => None,
        }
    }

    /// Gives the buffer of data back that have been used up.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() >= MIN_SPARE_BYTES && self.spare.len() < MAX_SPARE {
            self.spare.push(buffer);
        }
    }

    /// Holds no more memory than it must.
    pub(super) fn shrink(&mut self) {
        self.spare = Vec::new();
    }

    /// Nobody will take the reply. Gives the handle in one that is there already, which has to be closed.
    pub(super) fn abandon(&mut self, id: u32) -> Option<Vec<u8>> {
        let entry = self.entries.get_mut(&id)?;
        if let Entry::Waiting(expect) = *entry {
            *entry = Entry::Abandoned(expect);
            return None;
        }
        match self.take(id) {
            Some(Answer::Handle(handle)) => Some(handle),
            _ => None,
        }
    }
}

/// Checks a reply against what may come.
fn answer(expect: Expect, reply: Reply<'_>, spare: &mut Vec<Vec<u8>>) -> Result<Answer, Error> {
    Ok(match (reply, expect) {
        (Reply::Status { code, .. }, Expect::Status) if code == StatusCode::OK => Answer::Ok,
        (Reply::Status { code, .. }, _) if code == StatusCode::OK => {
            return Err(Error::Sftp("success without the reply asked for"));
        }
        (Reply::Status { code, text, .. }, _) => Answer::Refused(code, text),
        (Reply::Handle(handle), Expect::Handle) => Answer::Handle(handle.to_vec()),
        (Reply::Data(data), Expect::Data(most)) => {
            if data.is_empty() || u32::try_from(data.len()).map_or(true, |length| length > most) {
                return Err(Error::Sftp("more data than asked for, or none"));
            }
            Answer::Data(copied(data, spare))
        }
        (Reply::Name(names), Expect::Names) => Answer::Names(names),
        (Reply::Attrs(attributes), Expect::Attrs) => Answer::Attrs(attributes),
        (Reply::Extended(data), Expect::Extended) => Answer::Extended(data.to_vec()),
        _ => return Err(Error::Sftp("a reply of the wrong type")),
    })
}

/// Small data get a buffer of their size: a large one behind each would be more than was asked for.
fn copied(data: &[u8], spare: &mut Vec<Vec<u8>>) -> Vec<u8> {
    if data.len() < MIN_SPARE_BYTES {
        return data.to_vec();
    }
    let Some(mut buffer) = spare.pop() else {
        return data.to_vec();
    };
    buffer.clear();
    buffer.extend_from_slice(data);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(id: u32, reply: &Reply<'_>) -> Vec<u8> {
        Writer::collect(|w| reply.encode(id, w))
    }

    fn receive(table: &mut RequestTable, id: u32, reply: &Reply<'_>) -> Result<(), Error> {
        table.receive(&packet(id, reply), &mut Vec::new())
    }

    #[test]
    fn replies_come_in_any_order() {
        let mut table = RequestTable::default();
        let one = table.begin(Expect::Data(4));
        let two = table.begin(Expect::Status);
        receive(&mut table, two, &Reply::status(StatusCode::OK)).unwrap();
        assert_eq!(table.take(one), None);
        assert_eq!(table.take(two), Some(Answer::Ok));
        receive(&mut table, one, &Reply::Data(b"abcd")).unwrap();
        assert_eq!(table.take(one), Some(Answer::Data(b"abcd".to_vec())));
        assert!(!table.is_waiting() && table.entries.is_empty());
    }

    #[test]
    fn buffers_are_used_again_within_bounds() {
        let mut table = RequestTable::default();
        for _ in 0..2 * MAX_SPARE {
            table.recycle(Vec::with_capacity(MIN_SPARE_BYTES));
            table.recycle(Vec::with_capacity(10));
        }
        assert_eq!(table.spare.len(), MAX_SPARE);
        for (data, left) in [(&b"x"[..], MAX_SPARE), (&[7; 40_000], MAX_SPARE - 1)] {
            let id = table.begin(Expect::Data(40_000));
            receive(&mut table, id, &Reply::Data(data)).unwrap();
            assert_eq!(table.take(id), Some(Answer::Data(data.to_vec())));
            assert_eq!(table.spare.len(), left);
        }
        table.shrink();
        assert!(table.spare.is_empty());
    }

    #[test]
    fn a_handle_that_nobody_took_is_given_to_who_abandons_it() {
        let mut table = RequestTable::default();
        let id = table.begin(Expect::Handle);
        receive(&mut table, id, &Reply::Handle(b"h")).unwrap();
        assert_eq!(table.abandon(id), Some(b"h".to_vec()));
        assert_eq!(table.abandon(id), None);
        let id = table.begin(Expect::Status);
        receive(&mut table, id, &Reply::status(StatusCode::OK)).unwrap();
        assert_eq!(table.abandon(id), None);
        let id = table.begin(Expect::Handle);
        assert_eq!(table.abandon(id), None);
        assert!(table.is_waiting());
    }

    #[test]
    fn replies_never_asked_for_are_refused() {
        let mut table = RequestTable::default();
        assert_eq!(receive(&mut table, 9, &Reply::Data(b"x")), Err(UNASKED));
        let id = table.begin(Expect::Data(1));
        receive(&mut table, id, &Reply::Data(b"x")).unwrap();
        assert_eq!(receive(&mut table, id, &Reply::Data(b"x")), Err(UNASKED));
        table.take(id);
        assert_eq!(receive(&mut table, id, &Reply::Data(b"x")), Err(UNASKED));
        assert!(table.entries.is_empty());
    }

    #[test]
    fn wrong_types_and_too_much_data_are_refused() {
        for (expect, reply) in [
            (Expect::Status, Reply::Handle(b"h")),
            (Expect::Handle, Reply::Data(b"x")),
            (Expect::Attrs, Reply::Name(Vec::new())),
            (Expect::Data(3), Reply::Data(b"abcd")),
            (Expect::Data(3), Reply::Data(b"")),
            (Expect::Data(3), Reply::status(StatusCode::OK)),
            (Expect::Extended, Reply::Attrs(Attributes::new())),
        ] {
            let mut table = RequestTable::default();
            let id = table.begin(expect);
            assert!(receive(&mut table, id, &reply).is_err(), "{reply:?}");
            let mut table = RequestTable::default();
            let id = table.begin(expect);
            table.abandon(id);
            assert!(receive(&mut table, id, &reply).is_err(), "abandoned");
        }
        let mut table = RequestTable::default();
        assert!(table.receive(&[3, 0, 0, 0, 0], &mut Vec::new()).is_err());
    }

    #[test]
    fn a_refusal_fits_every_request() {
        let mut table = RequestTable::default();
        let id = table.begin(Expect::Handle);
        receive(&mut table, id, &Reply::status(StatusCode::NO_SUCH_FILE)).unwrap();
        assert!(matches!(
            table.take(id),
            Some(Answer::Refused(StatusCode::NO_SUCH_FILE, _))
        ));
    }

    #[test]
    fn a_handle_that_nobody_waits_for_is_closed() {
        let mut table = RequestTable::default();
        let id = table.begin(Expect::Handle);
        table.abandon(id);
        let mut out = Vec::new();
        table
            .receive(&packet(id, &Reply::Handle(b"h")), &mut out)
            .unwrap();
        let (close, request) = Request::decode(&out[4..]).unwrap();
        assert_eq!(request, Request::Close { handle: b"h" });
        receive(&mut table, close, &Reply::status(StatusCode::OK)).unwrap();
        assert!(table.entries.is_empty());
    }

    #[test]
    fn ids_under_way_are_not_used_again() {
        let mut table = RequestTable {
            next_id: u32::MAX,
            ..RequestTable::default()
        };
        assert_eq!(table.begin(Expect::Status), u32::MAX);
        assert_eq!(table.begin(Expect::Status), 0);
        table.next_id = u32::MAX;
        assert_eq!(table.begin(Expect::Status), 1);
    }

    #[test]
    fn requests_are_bounded() {
        let mut table = RequestTable::default();
        for _ in 0..MAX_OUTSTANDING {
            assert!(table.has_room());
            table.begin(Expect::Status);
        }
        assert!(!table.has_room());
    }
}
