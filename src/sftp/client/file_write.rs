//! Writing to an open file: write-behind, and what happens when a write fails.

use super::file::{Core, File, SizeBefore};
use super::operations::{refused, MISMATCH};
use super::session::Patience;
use super::table::{Answer, Expect};
use super::write_behind::Failure;
use crate::driver::sys::clock;
use crate::driver::Timeout;
use crate::error::Error;
use crate::sftp::{extension, Attributes, ExtendedRequest, OpenFlags, Request};

/// What failed where what was written behind the failure could not be cut off.
const WRITE_LEAVING_A_HOLE: &str = "write (the file keeps a hole there)";

impl File {
    /// Writes at the position. The data are sent in the background: a failure is told by one of the next calls,
    /// at the latest by [`fsync`](Self::fsync), [`flush`](Self::flush) or [`close`](Self::close), and the position
    /// then is where the first write that failed began. Returns how many bytes were taken.
    pub fn write(&self, data: &[u8], timeout: Timeout) -> Result<usize, Error> {
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        let core = turn.core()?;
        self.write_core(core, data, patience)
    }

    fn write_core(
        &self,
        core: &mut Core,
        data: &[u8],
        patience: Patience<'_>,
    ) -> Result<usize, Error> {
        self.drop_ahead(core, |ahead, position| ahead.drop_all(position));
        self.reap(core)?;
        if core.behind.has_failed() {
            self.settle(core, patience)?;
        }
        if let Some(error) = core.write_error.take() {
            return Err(error);
        }
        let tail_end = core
            .tail_offset
            .saturating_add(u64::try_from(core.tail.len()).unwrap_or(0));
        if tail_end != core.position {
            // A run of writes is contiguous, so that what a failure leaves can be told and mended.
            self.flush_core(core, patience)?;
            core.tail_offset = core.position;
        }
        let mut taken = 0;
        while taken < data.len() {
            match self.take_some(core, data.get(taken..).unwrap_or_default(), patience) {
                Ok(count) => taken += count,
                // The rest was not taken; why comes with the next call.
                Err(error @ Error::SftpStatus(_)) if taken > 0 => {
                    core.write_error = Some(error);
                    break;
                }
                Err(_) if taken > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Takes as much as fits into the packet being filled, and sends it if it should go.
    fn take_some(
        &self,
        core: &mut Core,
        data: &[u8],
        patience: Patience<'_>,
    ) -> Result<usize, Error> {
        let full = self.packet_bytes();
        if core.tail.len() >= full {
            self.send_tail(core, patience)?;
        }
        let count = data.len().min(full.saturating_sub(core.tail.len()));
        core.tail
            .extend_from_slice(data.get(..count).unwrap_or_default());
        core.position = core
            .position
            .saturating_add(u64::try_from(count).unwrap_or(0));
        if core.tail.len() >= full || core.behind.is_empty() {
            // The bytes are taken: a failure to send them now is one of the session, or is tried again.
            let sent = self.send_tail(core, patience);
            match sent {
                Ok(()) | Err(Error::Timeout(_) | Error::Cancelled) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    fn packet_bytes(&self) -> usize {
        usize::try_from(self.sftp.inner.write_bytes).unwrap_or(usize::MAX)
    }

    /// Sends the packet being filled once the window has room.
    fn send_tail(&self, core: &mut Core, patience: Patience<'_>) -> Result<(), Error> {
        if core.tail.is_empty() {
            return Ok(());
        }
        // A server may work on several writes at once, and each would go to the end as it comes.
        let one_by_one = self.flags.contains(OpenFlags::APPEND);
        while !core.behind.has_room() || (one_by_one && !core.behind.is_empty()) {
            core.behind.waited();
            self.confirm_front(core, patience)?;
            self.reap(core)?;
            if core.behind.has_failed() {
                self.settle(core, patience)?;
                return core.write_error.take().map_or(Ok(()), Err);
            }
        }
        // A write alone leaves no hole.
        let alone = core.behind.is_empty();
        if core.size_before == SizeBefore::Unknown && !alone {
            let request = Request::Fstat {
                handle: &self.handle,
            };
            let id = self.session().submit(Expect::Attrs, &request, patience)?;
            core.size_before = SizeBefore::Asked(id);
        }
        // It may take its time to leave, which is the line's.
        let sent_at = clock::now();
        let request = Request::Write {
            handle: &self.handle,
            offset: core.tail_offset,
            data: &core.tail,
        };
        let id = self.session().submit(Expect::Status, &request, patience)?;
        let length = u32::try_from(core.tail.len()).unwrap_or(u32::MAX);
        core.behind.sent(id, core.tail_offset, length, sent_at);
        core.tail_offset = core.tail_offset.saturating_add(u64::from(length));
        core.tail.clear();
        Ok(())
    }

    /// Waits for the oldest write.
    fn confirm_front(&self, core: &mut Core, patience: Patience<'_>) -> Result<(), Error> {
        let Some(id) = core.behind.front() else {
            return Ok(());
        };
        let answer = self.session().wait_kept(id, patience)?;
        confirm(core, answer)
    }

    /// Takes the confirmations that have come.
    fn reap(&self, core: &mut Core) -> Result<(), Error> {
        while let Some(id) = core.behind.front() {
            match self.session().poll(id) {
                Some(answer) => confirm(core, answer)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Sends everything written and waits until it is confirmed.
    pub(super) fn flush_core(&self, core: &mut Core, patience: Patience<'_>) -> Result<(), Error> {
        if core.tail.is_empty() && core.behind.is_empty() && core.write_error.is_none() {
            return Ok(());
        }
        if !core.behind.has_failed() {
            self.send_tail(core, patience)?;
        }
        self.settle(core, patience)?;
        core.write_error.take().map_or(Ok(()), Err)
    }

    /// Waits for all writes. Where one failed, sees to it that the file has no hole behind the last good byte, and
    /// puts the position there.
    fn settle(&self, core: &mut Core, patience: Patience<'_>) -> Result<(), Error> {
        while !core.behind.is_empty() {
            self.confirm_front(core, patience)?;
        }
        let before = match std::mem::replace(&mut core.size_before, SizeBefore::Unknown) {
            SizeBefore::Asked(id) => match self.session().wait_kept(id, patience) {
                Ok(Answer::Attrs(attributes)) => attributes.size,
                Ok(_) => None,
                Err(error) => {
                    core.size_before = SizeBefore::Asked(id);
                    return Err(error);
                }
            },
            SizeBefore::Known(size) => Some(size),
            SizeBefore::Unknown => None,
        };
        let Some(failure) = core.behind.failure() else {
            core.behind.settled();
            return Ok(());
        };
        core.tail.clear();
        core.tail_offset = failure.from;
        core.position = failure.from;
        match self.mend(failure, before, patience) {
            Ok(()) => {}
            Err(Error::SftpStatus(_)) => {
                if let Some(Error::SftpStatus(status)) = &mut core.write_error {
                    status.operation = WRITE_LEAVING_A_HOLE;
                }
            }
            Err(error) => {
                // The next call tries again.
                core.size_before = before.map_or(SizeBefore::Unknown, SizeBefore::Known);
                return Err(error);
            }
        }
        core.behind.settled();
        Ok(())
    }

    /// Cuts a file that our own writes made longer back to the last byte in front of the gap.
    fn mend(
        &self,
        failure: Failure,
        before: Option<u64>,
        patience: Patience<'_>,
    ) -> Result<(), Error> {
        let Some(before) = before.filter(|_| failure.may_leave_hole()) else {
            return Ok(());
        };
        let size = self.stat_core(patience)?.size.unwrap_or(0);
        // What reaches no further than the gap or the old end has no hole. What reaches further than our writes is
        // somebody else's, and not ours to cut.
        if size <= failure.until.max(before) || size > failure.last_end {
            return Ok(());
        }
        let attributes = Attributes {
            size: Some(failure.from.max(before)),
            ..Attributes::new()
        };
        self.set_core(&attributes, patience)
    }

    /// Sends everything written and waits until the server has confirmed it.
    pub fn flush(&self, timeout: Timeout) -> Result<(), Error> {
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        self.flush_core(turn.core()?, patience)
    }

    /// As [`flush`](Self::flush), and has the server put it on disk.
    pub fn fsync(&self, timeout: Timeout) -> Result<(), Error> {
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        self.flush_core(turn.core()?, patience)?;
        self.sftp.require(extension::FSYNC)?;
        let request = Request::Extended(ExtendedRequest::Fsync {
            handle: &self.handle,
        });
        self.sftp
            .ask("fsync", b"", Expect::Status, &request, patience)
            .map(|_| ())
    }

    /// Writes at `offset` and waits until it is confirmed; the position stays. Returns how many bytes are in the
    /// file: less than all only when an error follows, which the next call tells.
    pub fn write_at(&self, data: &[u8], offset: u64, timeout: Timeout) -> Result<usize, Error> {
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        let core = turn.core()?;
        self.flush_core(core, patience)?;
        let position = core.position;
        core.position = offset;
        core.tail_offset = offset;
        let outcome = self
            .write_core(core, data, patience)
            .and_then(|_| self.flush_core(core, patience));
        let reached = core.position.saturating_sub(offset);
        core.position = position;
        // What could not be sent in time is not written later. Writes under way are waited for by the next write, for
        // it does not continue them.
        core.tail.clear();
        match outcome {
            Ok(()) => Ok(data.len()),
            Err(Error::SftpStatus(_)) if reached > 0 => {
                Ok(usize::try_from(reached).unwrap_or(data.len()))
            }
            Err(error) => Err(error),
        }
    }

    /// Has the server copy `length` bytes (0: to the end) of another file into this one. The positions stay.
    pub fn copy_from(
        &self,
        from: &File,
        from_offset: u64,
        length: u64,
        offset: u64,
        timeout: Timeout,
    ) -> Result<(), Error> {
        self.sftp.require(extension::COPY_DATA)?;
        if !std::ptr::eq(self.session(), from.session()) {
            return Err(Error::ApiMisuse("files of two sessions"));
        }
        from.flush(timeout)?;
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        let core = turn.core()?;
        self.flush_core(core, patience)?;
        self.drop_ahead(core, |ahead, position| ahead.drop_all(position));
        let request = Request::Extended(ExtendedRequest::CopyData {
            from_handle: &from.handle,
            from_offset,
            length,
            to_handle: &self.handle,
            to_offset: offset,
        });
        self.sftp
            .ask("copy-data", b"", Expect::Status, &request, patience)
            .map(|_| ())
    }
}

fn confirm(core: &mut Core, answer: Answer) -> Result<(), Error> {
    match answer {
        Answer::Ok => {
            core.behind.confirmed(true, clock::now());
            Ok(())
        }
        Answer::Refused(code, text) => {
            core.behind.confirmed(false, clock::now());
            if core.write_error.is_none() {
                core.write_error = Some(refused("write", b"", code, text));
            }
            Ok(())
        }
        _ => Err(MISMATCH),
    }
}
