//! The backend for files that an application makes up: each request becomes an [`Operation`], which the application
//! answers at once or later, from any thread.
//!
//! What the client may rely on is seen to here: a CLOSE waits for what is under way with its handle, and nothing is
//! begun with a handle after its CLOSE. What the application may rely on, too: each file that it opened is closed exactly
//! once, also when the client goes away, and is not used after that.

use std::collections::HashMap;
use std::sync::Arc;

use crate::driver::Event;
use crate::sftp::server::dialogue::{Backend, MAX_READ_BYTES};
use crate::sftp::server::failure::Failure;
use crate::sftp::server::handles::Handles;
use crate::sftp::server::operation::{Answer, FileTag, Operation, OperationKind};
use crate::sftp::server::outstanding::{Application, Asked, FileNumber, Outstanding};
use crate::sftp::server::path::VirtualPath;
use crate::sftp::server::replies::Replies;
use crate::sftp::{extension, Attributes, ExtendedRequest, Request, StatusCode};

/// Most bytes of operations that wait for their answers.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// How a session is served.
#[derive(Debug, Clone)]
pub struct VirtualOptions {
    /// What would change something is refused.
    pub read_only: bool,
    /// Most files and directories that are open at once.
    pub max_handles: usize,
    /// Most operations that wait for their answers; then no further request is looked at.
    pub max_operations: usize,
    /// Where relative paths begin.
    pub home: VirtualPath,
}

impl Default for VirtualOptions {
    fn default() -> Self {
        VirtualOptions {
            read_only: false,
            max_handles: 256,
            max_operations: 64,
            home: VirtualPath::root(),
        }
    }
}

/// What a handle leads to.
#[derive(Debug, Clone, Copy)]
struct OpenFile {
    number: FileNumber,
    tag: FileTag,
}

/// Serves what an application makes up to one client.
pub struct VirtualBackend {
    waiting: Arc<Outstanding>,
    options: VirtualOptions,
    handles: Handles<OpenFile>,
    /// Operations under way with each file.
    busy: HashMap<FileNumber, usize>,
    /// Files whose CLOSE waits for what is under way with them, by its request's id.
    closing: HashMap<FileNumber, (u32, FileTag)>,
    /// Files that are being opened.
    opening: usize,
    waiting_bytes: usize,
    outstanding: usize,
}

impl VirtualBackend {
    /// A backend whose session is told by `event` of answers that come later.
    pub fn new(application: Arc<dyn Application>, options: VirtualOptions, event: &Event) -> Self {
        VirtualBackend {
            waiting: Outstanding::new(application, event),
            handles: Handles::new(options.max_handles),
            options,
            busy: HashMap::new(),
            closing: HashMap::new(),
            opening: 0,
            waiting_bytes: 0,
            outstanding: 0,
        }
    }

    /// A request as an operation with the file it is about. `None` for what no application is asked.
    fn operation(&mut self, request: Request<'_>) -> Result<Option<Planned>, Failure> {
        use OperationKind as Kind;
        let none = Attributes::new;
        Ok(Some(match request {
            Request::Open {
                path,
                flags,
                attributes,
            } => {
                let path = self.path(path)?;
                Planned::free(Operation::Open {
                    path,
                    flags,
                    attributes,
                })
            }
            Request::Opendir { path } => Planned::free(Operation::Opendir(self.path(path)?)),
            Request::Read {
                handle,
                offset,
                length,
            } => {
                let length = usize::try_from(length.min(MAX_READ_BYTES)).unwrap_or(0);
                self.with_file(handle, |file| Operation::Read {
                    file,
                    offset,
                    length,
                })?
            }
            Request::Write {
                handle,
                offset,
                data,
            } => self.with_file(handle, |file| Operation::Write {
                file,
                offset,
                data: data.to_vec(),
            })?,
            Request::Fstat { handle } => self.on_file(Kind::Fstat, handle, none())?,
            Request::Readdir { handle } => self.on_file(Kind::Readdir, handle, none())?,
            Request::Fsetstat { handle, attributes } => {
                self.on_file(Kind::Fsetstat, handle, attributes)?
            }
            Request::Lstat { path } => {
                self.on_path(self.either(Kind::Lstat, Kind::Stat), path, none())?
            }
            Request::Stat { path } => {
                self.on_path(self.either(Kind::Stat, Kind::Lstat), path, none())?
            }
            Request::Setstat { path, attributes } => {
                self.on_path(Kind::Setstat, path, attributes)?
            }
            Request::Mkdir { path, attributes } => self.on_path(Kind::Mkdir, path, attributes)?,
            Request::Remove { path } => self.on_path(Kind::Remove, path, none())?,
            Request::Rmdir { path } => self.on_path(Kind::Rmdir, path, none())?,
            Request::Realpath { path } => self.on_path(Kind::Realpath, path, none())?,
            Request::Readlink { path } => self.on_path(Kind::Readlink, path, none())?,
            Request::Rename { old, new } => self.between(Kind::Rename, old, new)?,
            Request::Symlink { target, link } => Planned::free(Operation::Symlink {
                target: target.to_vec(),
                link: self.path(link)?,
            }),
            Request::Extended(request) => return self.extended(request),
            // Not an operation like the others: see `close`.
            Request::Close { .. } => return Ok(None),
        }))
    }

    fn extended(&mut self, request: ExtendedRequest<'_>) -> Result<Option<Planned>, Failure> {
        use OperationKind as Kind;
        Ok(Some(match request {
            ExtendedRequest::PosixRename { old, new } => {
                self.between(Kind::PosixRename, old, new)?
            }
            ExtendedRequest::Hardlink { old, new } => self.between(Kind::Hardlink, old, new)?,
            ExtendedRequest::Fsync { handle } => {
                self.on_file(Kind::Fsync, handle, Attributes::new())?
            }
            ExtendedRequest::FStatVfs { handle } => {
                self.on_file(Kind::FStatVfs, handle, Attributes::new())?
            }
            ExtendedRequest::StatVfs { path } => {
                self.on_path(Kind::StatVfs, path, Attributes::new())?
            }
            ExtendedRequest::Lsetstat { path, attributes } => {
                self.on_path(Kind::Lsetstat, path, attributes)?
            }
            _ => return Ok(None),
        }))
    }

    fn path(&self, path: &[u8]) -> Result<VirtualPath, Failure> {
        VirtualPath::new(&self.options.home, path)
    }

    /// STAT and LSTAT are the same where there are no links; an application may know one of them only.
    fn either(&self, kind: OperationKind, other: OperationKind) -> OperationKind {
        if !self.waiting.knows(kind) && self.waiting.knows(other) {
            other
        } else {
            kind
        }
    }

    fn on_path(
        &self,
        kind: OperationKind,
        path: &[u8],
        attributes: Attributes,
    ) -> Result<Planned, Failure> {
        Ok(Planned::free(Operation::Path {
            kind,
            path: self.path(path)?,
            attributes,
        }))
    }

    fn between(&self, kind: OperationKind, from: &[u8], to: &[u8]) -> Result<Planned, Failure> {
        Ok(Planned::free(Operation::Paths {
            kind,
            from: self.path(from)?,
            to: self.path(to)?,
        }))
    }

    fn on_file(
        &mut self,
        kind: OperationKind,
        handle: &[u8],
        attributes: Attributes,
    ) -> Result<Planned, Failure> {
        self.with_file(handle, |file| Operation::File {
            kind,
            file,
            attributes,
        })
    }

    fn with_file(
        &mut self,
        handle: &[u8],
        make: impl FnOnce(FileTag) -> Operation,
    ) -> Result<Planned, Failure> {
        let file = *self.handles.get(handle)?;
        Ok(Planned {
            operation: make(file.tag),
            file: Some(file.number),
        })
    }

    /// What is answered without the application: refusals, and what needs none.
    fn settle(&self, operation: &Operation) -> Option<Answer> {
        if self.options.read_only && operation.changes() {
            let text = "these files are served read-only";
            return Some(Answer::Failed(Failure::denied(text)));
        }
        match operation {
            Operation::Path {
                kind: OperationKind::Realpath,
                path,
                ..
            } if !self.waiting.knows(OperationKind::Realpath) => {
                Some(Answer::Path(path.as_bytes().to_vec()))
            }
            // Nothing can be told apart from the end.
            Operation::Read { length: 0, .. } => Some(Answer::Data(Vec::new())),
            Operation::Open { .. } | Operation::Opendir(_)
                if self
                    .handles
                    .len()
                    .saturating_add(self.closing.len())
                    .saturating_add(self.opening)
                    >= self.options.max_handles =>
            {
                Some(Answer::Failed(Failure::other("too many open files")))
            }
            _ if !self.waiting.knows(operation.kind()) => {
                Some(Answer::Failed(Failure::code(StatusCode::OP_UNSUPPORTED)))
            }
            _ => None,
        }
    }

    /// Asks the application; its answer, if there is one already, waits in the state.
    fn ask(&mut self, id: u32, planned: Planned) {
        let Planned { operation, file } = planned;
        let (kind, cost) = (operation.kind(), operation.cost());
        self.opening += usize::from(matches!(kind, OperationKind::Open | OperationKind::Opendir));
        self.waiting_bytes = self.waiting_bytes.saturating_add(cost);
        self.outstanding += 1;
        if let Some(number) = file {
            *self.busy.entry(number).or_default() += 1;
        }
        let asked = Asked {
            id,
            kind,
            file,
            cost,
        };
        self.waiting.ask(asked, operation);
    }

    /// CLOSE: the handle is gone at once, the file when nothing is under way with it any more.
    fn close(&mut self, id: u32, handle: &[u8], replies: &mut Replies) {
        match self.handles.remove(handle) {
            Err(failure) => replies.status(id, Err(failure)),
            Ok(file) if self.busy.contains_key(&file.number) => {
                self.closing.insert(file.number, (id, file.tag));
                self.outstanding += 1;
            }
            Ok(file) => self.close_now(id, file.tag, replies),
        }
    }

    fn close_now(&mut self, id: u32, tag: FileTag, replies: &mut Replies) {
        if self.waiting.knows(OperationKind::Close) {
            self.ask(id, Planned::free(Operation::Close(tag)));
        } else {
            replies.status(id, Ok(()));
        }
    }

    /// An answer of the application's becomes a reply.
    fn answered(&mut self, asked: Asked, answer: Answer, replies: &mut Replies) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(asked.cost);
        let opens = matches!(asked.kind, OperationKind::Open | OperationKind::Opendir);
        self.opening = self.opening.saturating_sub(usize::from(opens));
        let id = asked.id;
        match answer {
            Answer::File(tag) => self.opened(id, tag, replies),
            answer => reply(id, answer, replies),
        }
        let Some(number) = asked.file else { return };
        let left = self
            .busy
            .get(&number)
            .map_or(0, |busy| busy.saturating_sub(1));
        if left > 0 {
            self.busy.insert(number, left);
            return;
        }
        self.busy.remove(&number);
        if let Some((id, tag)) = self.closing.remove(&number) {
            self.outstanding = self.outstanding.saturating_sub(1);
            self.close_now(id, tag, replies);
        }
    }

    fn opened(&mut self, id: u32, tag: FileTag, replies: &mut Replies) {
        // There is room: it was kept since the operation was asked for.
        let outcome = self.handles.insert_with(|number| OpenFile { number, tag });
        if outcome.is_err() {
            self.waiting.close_unasked(tag);
        }
        replies.handle(id, outcome);
    }
}

/// An operation, and the file that it is under way with.
struct Planned {
    operation: Operation,
    file: Option<FileNumber>,
}

impl Planned {
    /// With no open file.
    fn free(operation: Operation) -> Self {
        Planned {
            operation,
            file: None,
        }
    }
}

fn reply(id: u32, answer: Answer, replies: &mut Replies) {
    match answer {
        Answer::Done => replies.status(id, Ok(())),
        Answer::Failed(failure) => replies.status(id, Err(failure)),
        Answer::Data(data) => replies.data_of(id, &data),
        Answer::Attributes(attributes) => replies.attributes(id, Ok(attributes)),
        Answer::Path(path) => replies.path(id, Ok(path)),
        Answer::Names(names) => replies.names(id, Ok(names)),
        Answer::StatVfs(values) => replies.extended(id, Ok(()), |w| values.encode(w)),
        Answer::File(_) => replies.status(id, Err(Failure::code(StatusCode::FAILURE))),
    }
}

impl Backend for VirtualBackend {
    fn extensions(&self) -> Vec<(&'static str, &'static str)> {
        [
            (OperationKind::PosixRename, extension::POSIX_RENAME, "1"),
            (OperationKind::StatVfs, extension::STATVFS, "2"),
            (OperationKind::FStatVfs, extension::FSTATVFS, "2"),
            (OperationKind::Hardlink, extension::HARDLINK, "1"),
            (OperationKind::Fsync, extension::FSYNC, "1"),
            (OperationKind::Lsetstat, extension::LSETSTAT, "1"),
        ]
        .into_iter()
        .filter(|(kind, ..)| self.waiting.knows(*kind))
        .map(|(_, name, version)| (name, version))
        .collect()
    }

    fn max_handles(&self) -> u64 {
        u64::try_from(self.options.max_handles).unwrap_or(u64::MAX)
    }

    fn is_ready(&self) -> bool {
        self.outstanding < self.options.max_operations && self.waiting_bytes < MAX_WAITING_BYTES
    }

    fn outstanding(&self) -> usize {
        self.outstanding
    }

    fn serve(&mut self, id: u32, request: Request<'_>, replies: &mut Replies) {
        if let Request::Close { handle } = request {
            self.close(id, handle, replies);
        } else {
            match self.operation(request) {
                Ok(Some(planned)) => match self.settle(&planned.operation) {
                    Some(answer) => reply(id, answer, replies),
                    None => self.ask(id, planned),
                },
                Ok(None) => replies.status(id, Err(Failure::code(StatusCode::OP_UNSUPPORTED))),
                Err(failure) => replies.status(id, Err(failure)),
            }
        }
        self.advance(replies);
    }

    fn advance(&mut self, replies: &mut Replies) -> bool {
        while !replies.is_full() {
            let Some((asked, answer)) = self.waiting.next() else {
                return false;
            };
            self.answered(asked, answer, replies);
        }
        // What is left goes on when the client has taken some of the replies.
        false
    }
}

impl Drop for VirtualBackend {
    fn drop(&mut self) {
        let closing = self.closing.drain();
        let open = self
            .handles
            .drain()
            .map(|file| (file.number, file.tag))
            .chain(closing.map(|(number, (_, tag))| (number, tag)))
            .collect();
        self.waiting.end(open);
    }
}

#[cfg(test)]
mod tests;
