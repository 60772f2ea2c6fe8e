//! An open file: position, reading with read-ahead, attributes.
//!
//! Calls on one file take turns. What a turn works on, the [`Core`], is owned by the call while it runs, so that
//! no lock is held while it waits for the server.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::driver::sync::{Condvar, Mutex, Rank};

use super::operations::{refused, Sftp, MALFORMED, MISMATCH};
use super::read_ahead::ReadAhead;
use super::session::{Patience, Session};
use super::table::{Answer, Expect};
use super::write_behind::WriteBehind;
use crate::driver::Timeout;
use crate::error::Error;
use crate::sftp::{
    extension, Attributes, ExtendedRequest, OpenFlags, Request, StatVfs, StatusCode,
};

/// Where a seek counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeekFrom {
    /// The beginning.
    Start(u64),
    /// The position.
    Current(i64),
    /// The end, which the server is asked for.
    End(i64),
}

/// An open file. Any number of threads may use it; their calls take turns.
pub struct File {
    pub(super) sftp: Sftp,
    pub(super) handle: Vec<u8>,
    pub(super) flags: OpenFlags,
    state: Mutex<State>,
    idle: Condvar,
    /// Closed or released: calls under way end.
    gone: AtomicBool,
}

struct State {
    /// Not there while a call works on it.
    core: Option<Box<Core>>,
    closed: bool,
    /// Released during a call, which closes it at its end.
    released: bool,
}

/// What a call on a file works on.
pub(super) struct Core {
    pub(super) position: u64,
    pub(super) ahead: ReadAhead,
    pub(super) behind: WriteBehind,
    /// Bytes written and not sent yet, for they do not fill a packet, and where they go.
    pub(super) tail: Vec<u8>,
    pub(super) tail_offset: u64,
    /// The file's size before the second of a run of writes, or the request that asks for it.
    pub(super) size_before: SizeBefore,
    /// Why a write failed, until the program is told.
    pub(super) write_error: Option<Error>,
}

/// How long the file was before the second of a run of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SizeBefore {
    Unknown,
    Asked(u32),
    Known(u64),
}

/// A call's turn. The core goes back when it ends.
pub(super) struct Turn<'a> {
    file: &'a File,
    core: Option<Box<Core>>,
    pub(super) patience: Patience<'a>,
}

impl Turn<'_> {
    pub(super) fn core(&mut self) -> Result<&mut Core, Error> {
        self.core
            .as_deref_mut()
            .ok_or(Error::Bug("a turn without a core"))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.file.state.lock();
        state.core = self.core.take();
        if state.released {
            self.file.close_unwatched(&mut state);
        }
        self.file.idle.notify_one();
    }
}

impl File {
    pub(super) fn new(sftp: Sftp, handle: Vec<u8>, flags: OpenFlags) -> Self {
        let window = sftp.window();
        let empty = flags.contains(OpenFlags::TRUNCATE) || flags.contains(OpenFlags::EXCLUSIVE);
        let core = Core {
            position: 0,
            ahead: ReadAhead::new(sftp.inner.read_bytes, window),
            behind: WriteBehind::new(window, sftp.inner.write_bytes, sftp.inner.pipes_files),
            tail: Vec::new(),
            tail_offset: 0,
            size_before: if empty {
                SizeBefore::Known(0)
            } else {
                SizeBefore::Unknown
            },
            write_error: None,
        };
        File {
            sftp,
            handle,
            flags,
            state: Mutex::ranked(
                State {
                    core: Some(Box::new(core)),
                    closed: false,
                    released: false,
                },
                Rank::OUTERMOST,
            ),
            idle: Condvar::new(),
            gone: AtomicBool::new(false),
        }
    }

    /// The session it belongs to.
    pub fn sftp(&self) -> &Sftp {
        &self.sftp
    }

    pub(super) fn session(&self) -> &Session {
        self.sftp.session()
    }

    /// Waits for the turn of this call.
    pub(super) fn turn(&self, timeout: Timeout) -> Result<Turn<'_>, Error> {
        self.session().channel().check_process()?;
        let patience = self.session().patience(timeout, &self.gone);
        let mut state = self.state.lock();
        loop {
            if state.closed || state.released {
                return Err(Error::Closed);
            }
            if let Some(core) = state.core.take() {
                return Ok(Turn {
                    file: self,
                    core: Some(core),
                    patience,
                });
            }
            if !patience.deadline.wait(&self.idle, &mut state) {
                return Err(Error::Timeout("another call on the file"));
            }
        }
    }

    // ---- reading --------------------------------------------------------------------------------------------

    /// Reads at the position: at least one byte, 0 at the end of the file.
    pub fn read(&self, buffer: &mut [u8], timeout: Timeout) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        let core = turn.core()?;
        self.flush_core(core, patience)?;
        self.drop_ahead(core, |ahead, position| ahead.go_to(position));
        let mut count = 0;
        while count < buffer.len() {
            let rest = buffer.get_mut(count..).unwrap_or_default();
            let wanted = rest.len();
            if core.ahead.is_ready() {
                count += core.ahead.read(rest);
                continue;
            }
            match self.next_chunk(core, wanted, count == 0, patience) {
                Ok(true) => {}
                Ok(false) => break,
                // What was read is given out first; the cause comes again with the next read.
                Err(_) if count > 0 => break,
                Err(error) => return Err(error),
            }
        }
        core.ahead.served();
        core.position = core
            .position
            .saturating_add(u64::try_from(count).unwrap_or(0));
        if core.ahead.front().is_some() {
            self.go_on_ahead(core, patience);
        }
        Ok(count)
    }

    /// Reads the next piece of the file, as large as it came; empty at the end. For transfers.
    pub(super) fn read_chunk(&self, timeout: Timeout) -> Result<Vec<u8>, Error> {
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        let core = turn.core()?;
        if !core.ahead.is_ready() && !self.next_chunk(core, 1, true, patience)? {
            return Ok(Vec::new());
        }
        let data = core.ahead.take_ready();
        core.position = core
            .position
            .saturating_add(u64::try_from(data.len()).unwrap_or(0));
        self.go_on_ahead(core, patience);
        Ok(data)
    }

    /// All of the file will be read from `position` on.
    pub(super) fn expect_all(
        &self,
        position: u64,
        size: Option<u64>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut turn = self.turn(timeout)?;
        let core = turn.core()?;
        core.position = position;
        self.drop_ahead(core, |ahead, position| ahead.drop_all(position));
        core.ahead.expect_all(size);
        Ok(())
    }

    /// Makes the next bytes ready. False at the end of the file, and where they have not come and the caller does
    /// not want to wait.
    fn next_chunk(
        &self,
        core: &mut Core,
        wanted: usize,
        wait: bool,
        patience: Patience<'_>,
    ) -> Result<bool, Error> {
        if !wait && core.ahead.front().is_none() {
            return Ok(false);
        }
        if wait {
            self.ask_ahead(core, wanted, patience)?;
        }
        let Some(id) = core.ahead.front() else {
            return Err(Error::Bug("nothing was asked for"));
        };
        let answer = match self.session().poll(id) {
            Some(answer) => answer,
            None if !wait => return Ok(false),
            None => {
                core.ahead.waited();
                self.ask_ahead(core, wanted, patience)?;
                self.session().wait_kept(id, patience)?
            }
        };
        match answer {
            Answer::Data(data) => {
                if let Some(used) = core.ahead.take_used() {
                    self.session().recycle(used);
                }
                if let Some((offset, length)) = core.ahead.filled(data) {
                    match self.ask_data(offset, length, patience) {
                        Ok(id) => core.ahead.refill(id, offset, length),
                        // There are bytes to read now. What lies behind the gap is asked for again with it.
                        Err(_) => self.drop_ahead(core, |ahead, _| ahead.drop_behind_ready()),
                    }
                }
                Ok(true)
            }
            Answer::Refused(code, text) => {
                self.drop_ahead(core, |ahead, _| ahead.drop_rest());
                if code == StatusCode::EOF {
                    Ok(false)
                } else {
                    Err(refused("read", b"", code, text))
                }
            }
            _ => Err(MISMATCH),
        }
    }

    fn ask_ahead(
        &self,
        core: &mut Core,
        wanted: usize,
        patience: Patience<'_>,
    ) -> Result<(), Error> {
        while let Some((offset, length)) = core.ahead.next_request(wanted) {
            let request = self.read_request(offset, length);
            let id = self
                .session()
                .queue(Expect::Data(length), &request, patience)?;
            core.ahead.sent(id, offset, length);
        }
        // The program may work on what it has before it waits for more.
        self.session().send_held()
    }

    /// Sends the requests that a read has made room for before the program works on its data.
    fn go_on_ahead(&self, core: &mut Core, patience: Patience<'_>) {
        // The read has its data: what is in the way of more is for the next one to tell.
        let _ = self.ask_ahead(core, 0, patience);
    }

    fn read_request(&self, offset: u64, length: u32) -> Request<'_> {
        Request::Read {
            handle: &self.handle,
            offset,
            length,
        }
    }

    fn ask_data(&self, offset: u64, length: u32, patience: Patience<'_>) -> Result<u32, Error> {
        let request = self.read_request(offset, length);
        self.session()
            .submit(Expect::Data(length), &request, patience)
    }

    pub(super) fn drop_ahead(
        &self,
        core: &mut Core,
        drop: impl FnOnce(&mut ReadAhead, u64) -> Vec<u32>,
    ) {
        for id in drop(&mut core.ahead, core.position) {
            self.session().abandon(id);
        }
    }

    /// Reads at `offset` as much as there is, up to the buffer's length; the position stays.
    pub fn read_at(
        &self,
        buffer: &mut [u8],
        offset: u64,
        timeout: Timeout,
    ) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        let core = turn.core()?;
        self.flush_core(core, patience)?;
        let mut once = ReadAhead::new(self.sftp.inner.read_bytes, self.sftp.window());
        once.go_to(offset);
        std::mem::swap(&mut core.ahead, &mut once);
        let outcome = self.read_at_once(core, buffer, patience);
        let ids = core.ahead.drop_all(0);
        std::mem::swap(&mut core.ahead, &mut once);
        for id in ids {
            self.session().abandon(id);
        }
        outcome
    }

    fn read_at_once(
        &self,
        core: &mut Core,
        buffer: &mut [u8],
        patience: Patience<'_>,
    ) -> Result<usize, Error> {
        let mut count = 0;
        while count < buffer.len() {
            let rest = buffer.get_mut(count..).unwrap_or_default();
            let wanted = rest.len();
            if core.ahead.is_ready() {
                count += core.ahead.read(rest);
                continue;
            }
            match self.next_chunk(core, wanted, true, patience) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) if count > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    // ---- position -------------------------------------------------------------------------------------------

    /// Where the next read or write begins.
    pub fn tell(&self, timeout: Timeout) -> Result<u64, Error> {
        Ok(self.turn(timeout)?.core()?.position)
    }

    /// Moves the position; returns the new one.
    pub fn seek(&self, to: SeekFrom, timeout: Timeout) -> Result<u64, Error> {
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        let core = turn.core()?;
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => core.position.checked_add_signed(distance),
            SeekFrom::End(distance) => {
                self.flush_core(core, patience)?;
                let size = self.stat_core(patience)?.size;
                let size =
                    size.ok_or(Error::Sftp("the server does not say how long the file is"))?;
                size.checked_add_signed(distance)
            }
        };
        let position =
            position.ok_or(Error::ApiMisuse("a position before the file's beginning"))?;
        core.position = position;
        Ok(position)
    }

    // ---- attributes and file system -------------------------------------------------------------------------

    /// The file's attributes, after everything written.
    pub fn stat(&self, timeout: Timeout) -> Result<Attributes, Error> {
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        self.flush_core(turn.core()?, patience)?;
        self.stat_core(patience)
    }

    pub(super) fn stat_core(&self, patience: Patience<'_>) -> Result<Attributes, Error> {
        let request = Request::Fstat {
            handle: &self.handle,
        };
        match self
            .sftp
            .ask("fstat", b"", Expect::Attrs, &request, patience)?
        {
            Answer::Attrs(attributes) => Ok(attributes),
            _ => Err(MISMATCH),
        }
    }

    /// Sets attributes, after everything written.
    pub fn setstat(&self, attributes: &Attributes, timeout: Timeout) -> Result<(), Error> {
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        let core = turn.core()?;
        self.flush_core(core, patience)?;
        self.drop_ahead(core, |ahead, position| ahead.drop_all(position));
        self.set_core(attributes, patience)
    }

    pub(super) fn set_core(
        &self,
        attributes: &Attributes,
        patience: Patience<'_>,
    ) -> Result<(), Error> {
        let request = Request::Fsetstat {
            handle: &self.handle,
            attributes: attributes.clone(),
        };
        self.sftp
            .ask("fsetstat", b"", Expect::Status, &request, patience)
            .map(|_| ())
    }

    /// State of the file system that holds the file.
    pub fn statvfs(&self, timeout: Timeout) -> Result<StatVfs, Error> {
        self.sftp.require(extension::FSTATVFS)?;
        let mut turn = self.turn(timeout)?;
        let patience = turn.patience;
        self.flush_core(turn.core()?, patience)?;
        let request = Request::Extended(ExtendedRequest::FStatVfs {
            handle: &self.handle,
        });
        match self
            .sftp
            .ask("fstatvfs", b"", Expect::Extended, &request, patience)?
        {
            Answer::Extended(data) => StatVfs::decode(&data).map_err(|_| MALFORMED),
            _ => Err(MISMATCH),
        }
    }

    // ---- the end --------------------------------------------------------------------------------------------

    /// Sends what was written, waits for it to be confirmed, and closes. The handle is closed also when this
    /// fails.
    pub fn close(&self, timeout: Timeout) -> Result<(), Error> {
        let mut turn = match self.turn(timeout) {
            Err(Error::Closed) if self.state.lock().closed => return Ok(()),
            other => other?,
        };
        let patience = turn.patience;
        let flushed = self.flush_core(turn.core()?, patience);
        self.forget(turn.core()?);
        self.state.lock().closed = true;
        let request = Request::Close {
            handle: &self.handle,
        };
        let closed = self
            .sftp
            .ask("close", b"", Expect::Status, &request, patience);
        drop(turn);
        self.idle.notify_all();
        flushed.and(closed.map(|_| ()))
    }

    /// Closes without waiting: calls under way return [`Error::Closed`]. What has been written is sent as far as
    /// it goes, and nobody hears how it went.
    pub fn release(&self) {
        self.gone.store(true, Ordering::Release);
        let mut state = self.state.lock();
        state.released = true;
        self.close_unwatched(&mut state);
        drop(state);
        self.idle.notify_all();
        if self.session().channel().check_process().is_ok() {
            self.session().wake();
        }
    }

    /// Nobody will wait for what is under way.
    fn forget(&self, core: &mut Core) {
        let asked = match core.size_before {
            SizeBefore::Asked(id) => Some(id),
            _ => None,
        };
        let reads = core.ahead.drop_rest();
        for id in reads.into_iter().chain(core.behind.drop_all()).chain(asked) {
            self.session().abandon(id);
        }
    }

    /// Closes when no call is at work.
    fn close_unwatched(&self, state: &mut State) {
        let Some(mut core) = state.core.take() else {
            return;
        };
        if std::mem::replace(&mut state.closed, true) {
            return;
        }
        self.forget(&mut core);
        if !core.tail.is_empty() {
            let request = Request::Write {
                handle: &self.handle,
                offset: core.tail_offset,
                data: &core.tail,
            };
            self.session().submit_unwatched(Expect::Status, &request);
        }
        let request = Request::Close {
            handle: &self.handle,
        };
        self.session().submit_unwatched(Expect::Status, &request);
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.release();
    }
}
