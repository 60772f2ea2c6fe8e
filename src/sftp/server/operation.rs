//! What an application that serves files of its own is asked, and what it may answer.

use super::failure::Failure;
use super::path::VirtualPath;
use crate::error::Error;
use crate::sftp::{Attributes, Name, OpenFlags, StatVfs};

/// What the application called an open file or directory when it opened it; the library only hands it back.
pub type FileTag = usize;

/// What kind of operation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is the operation of its name
pub enum OperationKind {
    Open,
    Close,
    Read,
    Write,
    Lstat,
    Fstat,
    Setstat,
    Fsetstat,
    Opendir,
    Readdir,
    Remove,
    Mkdir,
    Rmdir,
    Realpath,
    Stat,
    Rename,
    Readlink,
    Symlink,
    PosixRename,
    Hardlink,
    Fsync,
    StatVfs,
    FStatVfs,
    Lsetstat,
}

/// An operation. Paths are clean and absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Answer: [`Answer::File`].
    Open {
        /// The file.
        path: VirtualPath,
        /// How.
        flags: OpenFlags,
        /// For a new file.
        attributes: Attributes,
    },
    /// Opens a directory. Answer: [`Answer::File`].
    Opendir(VirtualPath),
    /// The file will not be used any more, whatever the answer is.
    Close(FileTag),
    /// Answer: [`Answer::Data`].
    Read {
        /// The file.
        file: FileTag,
        /// Where.
        offset: u64,
        /// At most so many bytes, at least one.
        length: usize,
    },
    /// Writes all of it.
    Write {
        /// The file.
        file: FileTag,
        /// Where.
        offset: u64,
        /// What.
        data: Vec<u8>,
    },
    /// What is to be known about a path, a file, or a whole file system; or what is to be removed, made or read there.
    Path {
        /// Which of the operations with one path.
        kind: OperationKind,
        /// The path.
        path: VirtualPath,
        /// What to set, for a new directory, or nothing.
        attributes: Attributes,
    },
    /// The same with an open file.
    File {
        /// Which of the operations with an open file.
        kind: OperationKind,
        /// The file or directory.
        file: FileTag,
        /// What to set, or nothing.
        attributes: Attributes,
    },
    /// From one path to another.
    Paths {
        /// RENAME, POSIX_RENAME or HARDLINK.
        kind: OperationKind,
        /// The existing one.
        from: VirtualPath,
        /// The new one.
        to: VirtualPath,
    },
    /// Makes a symbolic link.
    Symlink {
        /// What the link says, as the client said it.
        target: Vec<u8>,
        /// The link.
        link: VirtualPath,
    },
}

impl Operation {
    /// The kind.
    pub fn kind(&self) -> OperationKind {
        match self {
            Operation::Open { .. } => OperationKind::Open,
            Operation::Opendir(_) => OperationKind::Opendir,
            Operation::Close(_) => OperationKind::Close,
            Operation::Read { .. } => OperationKind::Read,
            Operation::Write { .. } => OperationKind::Write,
            Operation::Symlink { .. } => OperationKind::Symlink,
            Operation::Path { kind, .. }
            | Operation::File { kind, .. }
            | Operation::Paths { kind, .. } => *kind,
        }
    }

    /// Whether it would change something.
    pub fn changes(&self) -> bool {
        use OperationKind::*;
        match self {
            Operation::Open { flags, .. } => flags.0 & (OpenFlags::ALL.0 & !OpenFlags::READ.0) != 0,
            _ => !matches!(
                self.kind(),
                Opendir
                    | Close
                    | Read
                    | Lstat
                    | Fstat
                    | Readdir
                    | Realpath
                    | Stat
                    | Readlink
                    | StatVfs
                    | FStatVfs
                    | Fsync
            ),
        }
    }

    /// Bytes that it keeps while it waits for its answer.
    pub fn cost(&self) -> usize {
        const OVERHEAD: usize = 512;
        let content = match self {
            Operation::Write { data, .. } => data.len(),
            Operation::Read { length, .. } => *length,
            _ => 0,
        };
        content.saturating_add(OVERHEAD)
    }
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is open, and is called so.
    File(FileTag),
    /// What was read; nothing is the end of the file.
    Data(Vec<u8>),
    /// What is known.
    Attributes(Attributes),
    /// A path.
    Path(Vec<u8>),
    /// Some names; none is the end of the directory.
    Names(Vec<Name>),
    /// Of the file system.
    StatVfs(StatVfs),
    /// It was not done.
    Failed(Failure),
}

impl Answer {
    /// Whether it is one for this operation.
    ///
    /// # Errors
    /// `ApiMisuse` with what is wrong.
    pub fn check(&self, operation: &Operation) -> Result<(), Error> {
        use OperationKind::*;
        let kind = operation.kind();
        let fits = match self {
            Answer::Failed(_) => true,
            Answer::File(_) => matches!(kind, Open | Opendir),
            Answer::Attributes(_) => matches!(kind, Lstat | Stat | Fstat),
            Answer::Path(_) => matches!(kind, Realpath | Readlink),
            Answer::Names(_) => kind == Readdir,
            Answer::StatVfs(_) => matches!(kind, OperationKind::StatVfs | FStatVfs),
            Answer::Data(data) => match operation {
                Operation::Read { length, .. } if data.len() > *length => {
                    return Err(Error::ApiMisuse("more data than were asked for"));
                }
                _ => kind == Read,
            },
            Answer::Done => !matches!(
                kind,
                Open | Opendir
                    | Read
                    | Lstat
                    | Stat
                    | Fstat
                    | Realpath
                    | Readlink
                    | Readdir
                    | OperationKind::StatVfs
                    | FStatVfs
            ),
        };
        if fits {
            Ok(())
        } else {
            Err(Error::ApiMisuse("the answer does not fit the operation"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(kind: OperationKind) -> Operation {
        Operation::Path {
            kind,
            path: VirtualPath::root(),
            attributes: Attributes::new(),
        }
    }

    #[test]
    fn what_changes_something() {
        let open = |flags| Operation::Open {
            path: VirtualPath::root(),
            flags,
            attributes: Attributes::new(),
        };
        assert!(!open(OpenFlags::READ).changes());
        assert!(open(OpenFlags::READ | OpenFlags::CREATE).changes());
        assert!(open(OpenFlags::WRITE).changes());
        for (kind, changes) in [
            (OperationKind::Stat, false),
            (OperationKind::Readlink, false),
            (OperationKind::Remove, true),
            (OperationKind::Setstat, true),
            (OperationKind::Mkdir, true),
        ] {
            assert_eq!(path(kind).changes(), changes, "{kind:?}");
        }
    }

    #[test]
    fn answers_fit_their_operation() {
        let read = Operation::Read {
            file: 1,
            offset: 0,
            length: 2,
        };
        assert!(Answer::Data(vec![1, 2]).check(&read).is_ok());
        assert!(Answer::Data(vec![1, 2, 3]).check(&read).is_err());
        assert!(Answer::Done.check(&read).is_err());
        assert!(Answer::Failed(Failure::eof()).check(&read).is_ok());
        assert!(Answer::Done.check(&path(OperationKind::Remove)).is_ok());
        assert!(Answer::Done.check(&path(OperationKind::Stat)).is_err());
        assert!(Answer::File(1)
            .check(&Operation::Opendir(VirtualPath::root()))
            .is_ok());
        assert!(Answer::File(1).check(&path(OperationKind::Stat)).is_err());
    }
}
