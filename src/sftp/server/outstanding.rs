//! Operations on their way to an application and their answers on the way back: what a session and its operations share.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::failure::Failure;
use super::operation::{Answer, FileTag, Operation, OperationKind};
use crate::driver::sync::Mutex;
use crate::driver::{Event, WeakEvent};
use crate::error::Error;
use crate::sftp::StatusCode;

/// The application, as far as a session needs it.
pub trait Application: Send + Sync {
    /// Whether it has something to say to operations of this kind.
    fn knows(&self, kind: OperationKind) -> bool;

    /// Asks it. Called with no lock held, one operation of a session at a time and in their order.
    fn ask(&self, request: OperationRequest);
}

/// A handle's number in a session, never given twice.
pub(super) type FileNumber = u32;

/// An operation that has no answer yet.
#[derive(Debug)]
pub(super) struct Asked {
    /// The request's.
    pub(super) id: u32,
    pub(super) kind: OperationKind,
    pub(super) file: Option<FileNumber>,
    pub(super) cost: usize,
}

/// A file whose client is gone, and which is closed when so many answers are there.
#[derive(Debug)]
struct Orphan {
    tag: FileTag,
    waits_for: usize,
}

#[derive(Debug, Default)]
struct State {
    asked: HashMap<u64, Asked>,
    answers: VecDeque<(u64, Answer)>,
    next_ticket: u64,
    /// The session is asking, and will look at the answers afterwards without being told.
    asking: bool,
    /// The session is over.
    gone: bool,
    orphans: HashMap<FileNumber, Orphan>,
}

impl State {
    /// The session is over and an answer has come: the file that is to be closed now.
    fn settle_late(&mut self, ticket: u64, answer: &Answer) -> Option<FileTag> {
        let asked = self.asked.remove(&ticket)?;
        if let Answer::File(tag) = answer {
            return Some(*tag);
        }
        let number = asked.file?;
        let orphan = self.orphans.get_mut(&number)?;
        orphan.waits_for = orphan.waits_for.saturating_sub(1);
        if orphan.waits_for > 0 {
            return None;
        }
        self.orphans.remove(&number).map(|orphan| orphan.tag)
    }
}

/// What a session and its operations share. The lock is a leaf.
pub(super) struct Outstanding {
    application: Arc<dyn Application>,
    state: Mutex<State>,
    /// Weak, for it keeps the session.
    event: WeakEvent,
}

impl Outstanding {
    /// Nothing asked yet. `event` is set when an answer comes that nobody is about to look for.
    pub(super) fn new(application: Arc<dyn Application>, event: &Event) -> Arc<Self> {
        Arc::new(Outstanding {
            application,
            state: Mutex::default(),
            event: event.downgrade(),
        })
    }

    /// Whether the application has something to say to operations of this kind.
    pub(super) fn knows(&self, kind: OperationKind) -> bool {
        self.application.knows(kind)
    }

    /// Asks the application. Its answer, which may be there already, comes out of [`next`](Self::next).
    pub(super) fn ask(self: &Arc<Self>, asked: Asked, operation: Operation) {
        let ticket = {
            let mut state = self.state.lock();
            state.next_ticket += 1;
            let ticket = state.next_ticket;
            state.asked.insert(ticket, asked);
            state.asking = true;
            ticket
        };
        self.application
            .ask(OperationRequest::new(self, ticket, operation));
        self.state.lock().asking = false;
    }

    /// The next answer, and what it is the answer to.
    pub(super) fn next(&self) -> Option<(Asked, Answer)> {
        let mut state = self.state.lock();
        while let Some((ticket, answer)) = state.answers.pop_front() {
            if let Some(asked) = state.asked.remove(&ticket) {
                return Some((asked, answer));
            }
        }
        None
    }

    /// The session is over. Files are closed now, or when the last operation that is under way with them has its answer.
    pub(super) fn end(self: &Arc<Self>, open: Vec<(FileNumber, FileTag)>) {
        let mut close = Vec::new();
        {
            let mut state = self.state.lock();
            state.gone = true;
            while let Some((ticket, answer)) = state.answers.pop_front() {
                state.asked.remove(&ticket);
                if let Answer::File(tag) = answer {
                    close.push(tag);
                }
            }
            for (number, tag) in open {
                let waiting = state
                    .asked
                    .values()
                    .filter(|asked| asked.file == Some(number));
                match waiting.count() {
                    0 => close.push(tag),
                    waits_for => _ = state.orphans.insert(number, Orphan { tag, waits_for }),
                }
            }
        }
        for tag in close {
            self.close_unasked(tag);
        }
    }

    fn answer(self: &Arc<Self>, ticket: u64, answer: Answer) {
        let (close, wake) = {
            let mut state = self.state.lock();
            if state.gone {
                (state.settle_late(ticket, &answer), false)
            } else {
                state.answers.push_back((ticket, answer));
                (None, !state.asking)
            }
        };
        if let Some(tag) = close {
            self.close_unasked(tag);
        }
        if let Some(event) = wake.then(|| self.event.get()).flatten() {
            event.set();
        }
    }

    /// Closes a file for a client that is gone.
    pub(super) fn close_unasked(self: &Arc<Self>, tag: FileTag) {
        if self.application.knows(OperationKind::Close) {
            let ticket = {
                let mut state = self.state.lock();
                state.next_ticket += 1;
                state.next_ticket
            };
            self.application
                .ask(OperationRequest::new(self, ticket, Operation::Close(tag)));
        }
    }
}

/// An operation on its way to the application. Dropped without an answer it has failed.
pub struct OperationRequest {
    outstanding: Arc<Outstanding>,
    ticket: u64,
    operation: Operation,
    answered: AtomicBool,
}

impl OperationRequest {
    fn new(outstanding: &Arc<Outstanding>, ticket: u64, operation: Operation) -> Self {
        OperationRequest {
            outstanding: Arc::clone(outstanding),
            ticket,
            operation,
            answered: AtomicBool::new(false),
        }
    }

    /// What is asked.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Answers it. The first answer counts.
    ///
    /// # Errors
    /// `ApiMisuse` when it has its answer, or for an answer that does not fit; then it still waits for one.
    pub fn answer(&self, answer: Answer) -> Result<(), Error> {
        answer.check(&self.operation)?;
        if self.answered.swap(true, Ordering::AcqRel) {
            return Err(Error::ApiMisuse("the operation was answered before"));
        }
        self.outstanding.answer(self.ticket, answer);
        Ok(())
    }

    /// Whether it has its answer.
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }
}

impl Drop for OperationRequest {
    fn drop(&mut self) {
        if !*self.answered.get_mut() {
            let failure = Failure::code(StatusCode::FAILURE);
            self.outstanding
                .answer(self.ticket, Answer::Failed(failure));
        }
    }
}
