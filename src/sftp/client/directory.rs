//! Listing a directory.

use std::collections::VecDeque;

use crate::driver::sync::Mutex;

use super::operations::{refused, Sftp, MISMATCH};
use super::table::{Answer, Expect};
use crate::driver::Timeout;
use crate::error::Error;
use crate::sftp::{Name, Request, StatusCode};

/// An open directory. Names are asked for as they are pulled, one reply ahead, so that an endless list
/// costs nothing but the caller's patience.
pub struct Directory {
    sftp: Sftp,
    handle: Vec<u8>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: VecDeque<Name>,
    /// READDIR under way.
    ahead: Option<u32>,
    ended: bool,
    closed: bool,
}

impl Directory {
    pub(super) fn new(sftp: Sftp, handle: Vec<u8>) -> Self {
        Directory {
            sftp,
            handle,
            state: Mutex::default(),
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
            let id = {
                let mut state = self.state.lock();
                if state.closed {
                    return Err(Error::Closed);
                }
                if let Some(name) = state.names.pop_front() {
                    return Ok(Some(name));
                }
                if state.ended {
                    return Ok(None);
                }
                state.ahead.take()
            };
            let id = match id {
                Some(id) => id,
                None => session.submit(Expect::Names, &self.request(), patience)?,
            };
            let answer = match session.wait_kept(id, patience) {
                Ok(answer) => answer,
                Err(error) => {
                    // The names in the reply belong to whoever asks again.
                    let mut state = self.state.lock();
                    match state.ahead {
                        None if !state.closed => state.ahead = Some(id),
                        _ => session.abandon(id),
                    }
                    return Err(error);
                }
            };
            self.take(answer)?;
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
                if names.is_empty() {
                    // Some servers end the list so; asking on would be asking for ever.
                    state.ended = true;
                }
                state.names.extend(names);
                Ok(())
            }
            Answer::Refused(StatusCode::EOF, _) => {
                state.ended = true;
                Ok(())
            }
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
        if let Some(id) = state.ahead.take() {
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
