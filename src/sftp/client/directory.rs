//! Listing a directory.

use std::collections::VecDeque;

use crate::driver::sync::{Mutex, Rank};

use super::operations::{refused, Sftp, MISMATCH};
use super::session::Patience;
use super::table::{Answer, Expect};
use crate::driver::Timeout;
use crate::error::Error;
use crate::sftp::{Name, Request, StatusCode};

/// Requests under way at once: a short list comes in one round trip, its end included.
const AHEAD: usize = 2;

/// An open directory. Names are asked for as they are pulled, a few replies at a time, so that an endless list
/// costs nothing but the caller's patience.
pub struct Directory {
    sftp: Sftp,
    handle: Vec<u8>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: VecDeque<Name>,
    /// READDIRs under way.
    ahead: VecDeque<u32>,
    /// Nothing more is to be asked for.
    ended: bool,
    closed: bool,
}

impl Directory {
    pub(super) fn new(sftp: Sftp, handle: Vec<u8>) -> Self {
        Directory {
            sftp,
            handle,
            state: Mutex::ranked(State::default(), Rank::OUTERMOST),
        }
    }

    /// The session it belongs to.
    pub fn sftp(&self) -> &Sftp {
        &self.sftp
    }

    /// The next name, `None` at the end. The names `.` and `..` come as the server sends them.
    pub fn next(&self, timeout: Timeout) -> Result<Option<Name>, Error> {
        let session = self.sftp.session();
        let patience = self.sftp.patience(timeout);
        loop {
            let front = {
                let mut state = self.state.lock();
                if state.closed {
                    return Err(Error::Closed);
                }
                if let Some(name) = state.names.pop_front() {
                    return Ok(Some(name));
                }
                let front = state.ahead.pop_front();
                if front.is_none() && state.ended {
                    return Ok(None);
                }
                front
            };
            let id = match front {
                Some(id) => id,
                None => session.submit(Expect::Names, &self.request(), patience)?,
            };
            // Names that have come are given out even if no more can be asked for now.
            let _ = self.ask_ahead(patience);
            match session.wait_kept(id, patience) {
                Ok(answer) => self.take(answer)?,
                Err(error) => {
                    // The names in the reply belong to whoever asks again.
                    self.keep(id, VecDeque::push_front);
                    return Err(error);
                }
            }
        }
    }

    /// Has as many requests under way as are wanted beside the one that is waited for.
    fn ask_ahead(&self, patience: Patience<'_>) -> Result<(), Error> {
        loop {
            let state = self.state.lock();
            if state.ended || state.closed || state.ahead.len() + 1 >= AHEAD {
                return Ok(());
            }
            drop(state);
            let id = self
                .sftp
                .session()
                .submit(Expect::Names, &self.request(), patience)?;
            self.keep(id, VecDeque::push_back);
        }
    }

    fn keep(&self, id: u32, add: impl FnOnce(&mut VecDeque<u32>, u32)) {
        let mut state = self.state.lock();
        if state.closed {
            self.sftp.session().abandon(id);
        } else {
            add(&mut state.ahead, id);
        }
    }

    fn request(&self) -> Request<'_> {
        Request::Readdir {
            handle: &self.handle,
        }
    }

    fn take(&self, answer: Answer) -> Result<(), Error> {
        let mut state = self.state.lock();
        match answer {
            Answer::Names(names) => {
                // Some servers end the list with no names; asking on would be asking for ever.
                state.ended |= names.is_empty();
                state.names.extend(names);
                Ok(())
            }
            Answer::Refused(StatusCode::EOF, _) => {
                state.ended = true;
                Ok(())
            }
            // Asked for behind the end.
            Answer::Refused(..) if state.ended => Ok(()),
            Answer::Refused(code, text) => Err(refused("readdir", b"", code, text)),
            _ => Err(MISMATCH),
        }
    }

    /// Closes the directory. Idempotent.
    pub fn close(&self, timeout: Timeout) -> Result<(), Error> {
        if !self.begin_close() {
            return Ok(());
        }
        let patience = self.sftp.patience(timeout);
        let request = Request::Close {
            handle: &self.handle,
        };
        self.sftp
            .ask("close", b"", Expect::Status, &request, patience)
            .map(|_| ())
    }

    fn begin_close(&self) -> bool {
        let mut state = self.state.lock();
        for id in state.ahead.drain(..) {
            self.sftp.session().abandon(id);
        }
        state.names.clear();
        !std::mem::replace(&mut state.closed, true)
    }

    /// Closes the directory without waiting for the answer.
    pub fn release(&self) {
        self.sftp.release();
        if self.begin_close() {
            let request = Request::Close {
                handle: &self.handle,
            };
            self.sftp
                .session()
                .submit_unwatched(Expect::Status, &request);
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.release();
    }
}
