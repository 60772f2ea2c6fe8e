//! The SFTP client.
//!
//! [`Sftp`] is one session over a channel; [`File`] and [`Directory`] are what it has opened. All may be used from
//! any number of threads. `table`, `read_ahead` and `write_behind` decide without I/O; `session` moves the bytes.

mod directory;
mod file;
mod file_write;
#[cfg(any(test, fuzzing))]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::as_conversions
)]
pub(crate) mod fuzzing;
mod operations;
mod pace;
mod read_ahead;
mod session;
mod small_file;
mod small_files;
mod table;
#[cfg(test)]
mod tests;
mod transfer;
mod tree;
mod write_behind;

pub use directory::Directory;
pub use file::{File, SeekFrom};
pub use operations::Sftp;
pub use transfer::{Progress, ProgressCallback, Sink, Source, TransferOptions};
