//! The server's side of SFTP: a sans-I/O [`Dialogue`] between bytes and a [`Backend`], the backend that serves a
//! directory, and the [`Session`] that runs a dialogue over a channel.

mod accounts;
mod dialogue;
mod directory;
mod failure;
mod handles;
mod long_name;
mod operation;
mod outstanding;
mod path;
mod replies;
mod session;
mod tally;
mod virtual_files;

pub use dialogue::{Backend, Dialogue, Fault, MAX_READ_BYTES};
pub use directory::{Directory, DirectoryBackend, DirectoryOptions};
pub use failure::Failure;
pub use handles::Handles;
pub use long_name::{long_name, Shown};
pub use operation::{Answer, FileTag, Operation, OperationKind};
pub use outstanding::{Application, OperationRequest};
pub use path::VirtualPath;
pub use replies::{Replies, MAX_WAITING_BYTES};
pub use session::{EndedCallback, Session, SessionEnd, SessionFault};
pub use tally::{Taken, Tally};
pub use virtual_files::{VirtualBackend, VirtualOptions};
