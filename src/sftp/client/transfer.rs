//! Whole files up and down: `get` and `put`.
//!
//! A file is written from its beginning to its end, in place: one that was not finished is a prefix of the whole,
//! without holes, and can be resumed. The end of the source is where reading it ends, whatever its size was said to
//! be, so that a file that grows or shrinks meanwhile is copied as it is read.

use std::fs;
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, Timespec, Timestamps};

use super::file::File;
use super::operations::Sftp;
use super::session::Session;
use crate::driver::{Deadline, Timeout};
use crate::error::Error;
use crate::sftp::{Attributes, OpenFlags, StatusCode};

/// Bytes read from a source at a time.
const READ_BYTES: usize = 256 * 1024;
/// Permissions that are carried over: not the set-user-ID bits, which mean another user on another machine.
const PERMISSIONS: u32 = 0o777;

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The remote path of the file under way.
    pub path: &'a [u8],
    /// Bytes of it that are done, those of an earlier try included.
    pub done: u64,
    /// Its size as far as it is known; it may be wrong.
    pub total: Option<u64>,
    /// Files finished before.
    pub files: u64,
    /// Entries left out: symbolic links and what is neither file nor directory.
    pub skipped: u64,
}

/// Is told how far a transfer has come; false ends it with [`Error::Cancelled`].
pub type ProgressCallback<'a> = dyn FnMut(&Progress<'_>) -> bool + 'a;

/// How a transfer is done.
#[derive(Default)]
pub struct TransferOptions<'a> {
    /// Go on behind what the destination has.
    pub resume: bool,
    /// Carry permissions and times over.
    pub preserve: bool,
    /// In directories: follow symbolic links, which are left out otherwise.
    pub follow_symlinks: bool,
    /// Told after each piece.
    pub progress: Option<Box<ProgressCallback<'a>>>,
}

/// Where a download goes, piece by piece, in order.
pub trait Sink {
    /// Takes all of `data`.
    fn write(&mut self, data: &[u8]) -> Result<(), Error>;
}

/// Where an upload comes from.
pub trait Source {
    /// Gives the next bytes; 0 at the end.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error>;
}

impl Sink for fs::File {
    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.write_all(data).map_err(local("local write"))
    }
}

impl Source for fs::File {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match Read::read(self, buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => return other.map_err(local("local read")),
            }
        }
    }
}

/// Counts and tells.
pub(super) struct Meter<'o, 'c> {
    session: &'o Session,
    /// Those that came before the call: a later one ends it, even when nothing waits just then.
    cancels: u64,
    pub(super) options: &'o mut TransferOptions<'c>,
    pub(super) deadline: Deadline,
    pub(super) files: u64,
    pub(super) skipped: u64,
}

impl<'o, 'c> Meter<'o, 'c> {
    pub(super) fn new(
        sftp: &'o Sftp,
        options: &'o mut TransferOptions<'c>,
        timeout: Timeout,
    ) -> Self {
        let session = sftp.session();
        Meter {
            session,
            cancels: session.channel().cancels(),
            options,
            deadline: timeout.deadline(),
            files: 0,
            skipped: 0,
        }
    }

    /// What is left of the call's time.
    pub(super) fn left(&self) -> Timeout {
        self.deadline
            .remaining()
            .map_or(Timeout::Forever, Timeout::After)
    }

    /// An error when the call was cancelled.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.session.channel().cancels() == self.cancels {
            Ok(())
        } else {
            Err(Error::Cancelled)
        }
    }

    /// Tells how far it has come; an error when it shall not go on.
    pub(super) fn tell(&mut self, path: &[u8], done: u64, total: Option<u64>) -> Result<(), Error> {
        self.check()?;
        let (files, skipped) = (self.files, self.skipped);
        let Some(progress) = &mut self.options.progress else {
            return Ok(());
        };
        let go_on = progress(&Progress {
            path,
            done,
            total,
            files,
            skipped,
        });
        if go_on {
            Ok(())
        } else {
            Err(Error::Cancelled)
        }
    }
}

/// Found out before anything is made on the other side.
const DIRECTORY: Error = Error::Io {
    operation: "this is a directory, and not a transfer of directories",
    errno: libc::EISDIR,
};

impl Sftp {
    /// Downloads a file to a local path.
    pub fn get(
        &self,
        remote: &[u8],
        to: &Path,
        options: &mut TransferOptions<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut meter = Meter::new(self, options, timeout);
        let file = self.open_to_read(remote, &meter)?;
        let attributes = file.stat(meter.left())?;
        if attributes.is_directory() {
            return Err(DIRECTORY);
        }
        let mut local_file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(!meter.options.resume)
            .open(to)
            .map_err(local("local open"))?;
        self.get_open(&file, remote, &attributes, &mut local_file, &mut meter)
    }

    /// Downloads a file to an open local file: from its beginning to the local position, or, to resume, the rest of
    /// it to the local end.
    pub fn get_to_file(
        &self,
        remote: &[u8],
        to: &mut fs::File,
        options: &mut TransferOptions<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut meter = Meter::new(self, options, timeout);
        let file = self.open_to_read(remote, &meter)?;
        let attributes = file.stat(meter.left())?;
        self.get_open(&file, remote, &attributes, to, &mut meter)
    }

    /// Downloads a file from `offset` on to whatever takes its bytes.
    pub fn get_to_sink(
        &self,
        remote: &[u8],
        offset: u64,
        to: &mut dyn Sink,
        options: &mut TransferOptions<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut meter = Meter::new(self, options, timeout);
        let file = self.open_to_read(remote, &meter)?;
        let size = file.stat(meter.left())?.size;
        download(&file, remote, (offset, size), to, &mut meter)?;
        file.close(meter.left())
    }

    fn open_to_read(&self, remote: &[u8], meter: &Meter<'_, '_>) -> Result<File, Error> {
        self.open_file(remote, OpenFlags::READ, &Attributes::new(), meter.left())
    }

    /// Downloads an open remote file to an open local one.
    pub(super) fn get_open(
        &self,
        file: &File,
        remote: &[u8],
        attributes: &Attributes,
        to: &mut fs::File,
        meter: &mut Meter<'_, '_>,
    ) -> Result<(), Error> {
        let mut offset = 0;
        if meter.options.resume {
            offset = to
                .seek(std::io::SeekFrom::End(0))
                .map_err(local("local seek"))?;
            if attributes.size.is_some_and(|size| size < offset) {
                return Err(LONGER);
            }
        }
        download(file, remote, (offset, attributes.size), to, meter)?;
        if meter.options.preserve {
            preserve_locally(to, attributes)?;
        }
        // Closing brings no news of a file that was only read.
        file.release();
        Ok(())
    }

    /// Uploads a local file.
    pub fn put(
        &self,
        from: &Path,
        remote: &[u8],
        options: &mut TransferOptions<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut local_file = fs::File::open(from).map_err(local("local open"))?;
        self.put_from_file(&mut local_file, remote, options, timeout)
    }

    /// Uploads an open local file: from the local position on, or, to resume, from where the remote file ends.
    pub fn put_from_file(
        &self,
        from: &mut fs::File,
        remote: &[u8],
        options: &mut TransferOptions<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut meter = Meter::new(self, options, timeout);
        self.put_open(from, remote, &mut meter)
    }

    pub(super) fn put_open(
        &self,
        from: &mut fs::File,
        remote: &[u8],
        meter: &mut Meter<'_, '_>,
    ) -> Result<(), Error> {
        let metadata = from.metadata().map_err(local("local stat"))?;
        if metadata.is_dir() {
            return Err(DIRECTORY);
        }
        let size = metadata.is_file().then_some(metadata.len());
        let start = self.upload_start(remote, meter)?;
        if start > 0 {
            if size.is_some_and(|size| size < start) {
                return Err(LONGER);
            }
            from.seek(std::io::SeekFrom::Start(start))
                .map_err(local("local seek"))?;
        }
        let attributes = local_attributes(&metadata);
        let initial = Attributes {
            permissions: attributes.permissions,
            ..Attributes::new()
        };
        let file = self.open_to_write(remote, start, &initial, meter)?;
        upload(&file, remote, (start, size), from, meter)?;
        if meter.options.preserve {
            let attributes = Attributes {
                // It has the size that was read.
                size: None,
                ..attributes
            };
            file.setstat(&attributes, meter.left())?;
        }
        file.close(meter.left())
    }

    /// Uploads what `from` gives; to resume, it must begin where the remote file ends.
    pub fn put_from_source(
        &self,
        from: &mut dyn Source,
        size: Option<u64>,
        remote: &[u8],
        options: &mut TransferOptions<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let mut meter = Meter::new(self, options, timeout);
        let start = self.upload_start(remote, &meter)?;
        let file = self.open_to_write(remote, start, &Attributes::new(), &meter)?;
        upload(&file, remote, (start, size), from, &mut meter)?;
        file.close(meter.left())
    }

    /// Where an upload begins: at the end of what is there, to resume.
    fn upload_start(&self, remote: &[u8], meter: &Meter<'_, '_>) -> Result<u64, Error> {
        if !meter.options.resume {
            return Ok(0);
        }
        match self.stat(remote, meter.left()) {
            Ok(attributes) => attributes
                .size
                .ok_or(Error::Sftp("the server does not say how long the file is")),
            Err(Error::SftpStatus(status)) if status.code == StatusCode::NO_SUCH_FILE.0 => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn open_to_write(
        &self,
        remote: &[u8],
        start: u64,
        attributes: &Attributes,
        meter: &Meter<'_, '_>,
    ) -> Result<File, Error> {
        let mut flags = OpenFlags::WRITE | OpenFlags::CREATE;
        if start == 0 {
            flags = flags | OpenFlags::TRUNCATE;
        }
        let file = self.open_file(remote, flags, attributes, meter.left())?;
        file.seek(super::file::SeekFrom::Start(start), meter.left())?;
        Ok(file)
    }
}

/// The file from an offset to its end, whose place is known if not certain.
fn download(
    file: &File,
    remote: &[u8],
    (offset, size): (u64, Option<u64>),
    to: &mut dyn Sink,
    meter: &mut Meter<'_, '_>,
) -> Result<(), Error> {
    // Files whose size is not known to mean anything, such as those of /proc, are said to be empty.
    let expected = size.filter(|size| *size > 0);
    file.expect_all(offset, expected, meter.left())?;
    let mut done = offset;
    meter.tell(remote, done, size)?;
    loop {
        let data = file.read_chunk(meter.left())?;
        if data.is_empty() {
            return Ok(());
        }
        to.write(&data)?;
        done = done.saturating_add(u64::try_from(data.len()).unwrap_or(0));
        file.session().recycle(data);
        meter.tell(remote, done, size)?;
    }
}

fn upload(
    file: &File,
    remote: &[u8],
    (start, size): (u64, Option<u64>),
    from: &mut dyn Source,
    meter: &mut Meter<'_, '_>,
) -> Result<(), Error> {
    let mut buffer = vec![0; READ_BYTES];
    let mut done = start;
    meter.tell(remote, done, size)?;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return file.flush(meter.left());
        }
        let mut rest = buffer
            .get(..count)
            .ok_or(Error::ApiMisuse("a source gave more than was asked for"))?;
        while !rest.is_empty() {
            let taken = file.write(rest, meter.left())?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        done = done.saturating_add(u64::try_from(count).unwrap_or(0));
        meter.tell(remote, done, size)?;
    }
}

const LONGER: Error =
    Error::Sftp("what is there is longer than what is to be copied: it cannot be resumed");

/// Errors of the local file system.
pub(super) fn local(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::Io {
        operation,
        errno: error
            .raw_os_error()
            .unwrap_or(rustix::io::Errno::IO.raw_os_error()),
    }
}

pub(super) fn local_attributes(metadata: &fs::Metadata) -> Attributes {
    use std::os::unix::fs::MetadataExt;
    // Version 3 has unsigned seconds of 32 bits.
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    Attributes {
        size: metadata.is_file().then_some(metadata.len()),
        permissions: Some(metadata.mode() & PERMISSIONS),
        times: Some((seconds(metadata.atime()), seconds(metadata.mtime()))),
        ..Attributes::new()
    }
}

/// Gives a local file the permissions and times of a remote one.
pub(super) fn preserve_locally(file: impl AsFd, attributes: &Attributes) -> Result<(), Error> {
    let failed = |operation| move |errno: rustix::io::Errno| local(operation)(errno.into());
    if let Some(permissions) = attributes.permissions {
        let mode = Mode::from_raw_mode(permissions & PERMISSIONS);
        rustix::fs::fchmod(&file, mode).map_err(failed("chmod"))?;
    }
    if let Some((accessed, modified)) = attributes.times {
        let time = |seconds: u32| Timespec {
            tv_sec: i64::from(seconds),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time(accessed),
            last_modification: time(modified),
        };
        rustix::fs::futimens(&file, &times).map_err(failed("utime"))?;
    }
    Ok(())
}
