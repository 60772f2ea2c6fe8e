//! A session and the requests that concern paths.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::driver::sync::Mutex;

use super::directory::Directory;
use super::file::File;
use super::session::{Patience, Session};
use super::table::{Answer, Expect};
use crate::codec::printable;
use crate::connection::{ChannelRequest, OpenKind};
use crate::driver::{Channel, Timeout, Transport};
use crate::error::{Error, SftpStatus};
use crate::packet::PeerHabits;
use crate::sftp::{
    extension, Attributes, ExtendedRequest, Extension, Init, Limits, Name, OpenFlags, Request,
    StatVfs, StatusCode, UsersGroups, Version, MAX_PACKET_BYTES, MAX_PATH_BYTES, VERSION,
};

/// Bytes of one READ or WRITE where the server does not say what it takes: every server takes that much.
const DEFAULT_CHUNK_BYTES: u32 = 32 * 1024;
/// Bytes of one READ, and of one WRITE, for a server that has its files behind a pipe: with them it reads or writes the next ones
/// while it sends or receives those before (`profiles.md`, "SFTP with sshd").
const PIPED_READ_BYTES: u32 = 32 * 1024;
const PIPED_WRITE_BYTES: u32 = 64 * 1024;
/// What a packet holds beside the data of a READ's reply or a WRITE, handle included.
const PACKET_OVERHEAD_BYTES: u64 = 1024;
/// Bytes asked for ahead, or written and not confirmed, for one file.
const DEFAULT_WINDOW_BYTES: u64 = 16 * 1024 * 1024;
/// Most characters of a path in a message.
const MAX_SHOWN_PATH: usize = 256;
/// Most numbers in one request for names of users or groups.
const MAX_IDS: usize = 4096;

/// An SFTP session. Clones are the same session.
#[derive(Clone)]
pub struct Sftp {
    pub(super) inner: Arc<Inner>,
    /// The handle has been released: calls under way on it end.
    gone: Arc<AtomicBool>,
}

pub(super) struct Inner {
    pub(super) session: Session,
    extensions: Vec<Extension>,
    /// Bytes of one READ and one WRITE.
    pub(super) read_bytes: u32,
    pub(super) write_bytes: u32,
    /// As [`PeerHabits::pipes_files`] of the server.
    pub(super) pipes_files: bool,
    limits: Limits,
    window_bytes: Mutex<u64>,
}

impl Sftp {
    /// Opens a session channel, starts the subsystem `sftp` on it, and agrees on the version.
    pub fn open(transport: &Transport, timeout: Timeout) -> Result<Self, Error> {
        let deadline = timeout.deadline();
        let left = || {
            deadline
                .remaining()
                .map_or(Timeout::Forever, Timeout::After)
        };
        let channel = transport.open_channel(OpenKind::Session, left())?;
        let subsystem = ChannelRequest::Subsystem(String::from("sftp"));
        channel.request(&subsystem, true, left())?;
        Self::over(channel, left())
    }

    /// Agrees on the version over a channel that leads to an SFTP server.
    pub fn over(channel: Channel, timeout: Timeout) -> Result<Self, Error> {
        let session = Session::new(channel)?;
        let gone = AtomicBool::new(false);
        let (extensions, limits) = exchange(&session, session.patience(timeout, &gone))
            .inspect_err(|error| session.end(error.clone()))?;
        let habits = session.channel().transport().peer_habits();
        let chunks = Chunks::of(&limits, habits);
        let inner = Inner {
            read_bytes: chunks.read_bytes,
            write_bytes: chunks.write_bytes,
            pipes_files: habits.pipes_files,
            session,
            extensions,
            limits,
            window_bytes: Mutex::new(DEFAULT_WINDOW_BYTES),
        };
        Ok(Sftp {
            inner: Arc::new(inner),
            gone: Arc::default(),
        })
    }

    pub(super) fn session(&self) -> &Session {
        &self.inner.session
    }

    /// The channel it runs over.
    pub fn channel(&self) -> &Channel {
        self.session().channel()
    }

    /// Ends the session and closes its channel; calls under way return [`Error::Closed`].
    pub fn close(&self) {
        if self.channel().check_process().is_ok() {
            self.session().end(Error::Closed);
        }
    }

    pub(super) fn patience(&self, timeout: Timeout) -> Patience<'_> {
        self.session().patience(timeout, &self.gone)
    }

    /// The same session for something opened on it, which outlives this handle.
    pub(super) fn child(&self) -> Self {
        Sftp {
            inner: Arc::clone(&self.inner),
            gone: Arc::default(),
        }
    }

    /// Gives this handle and its clones up: calls under way return [`Error::Closed`]. The session ends when the
    /// files and directories opened on it are gone, too. Waits for nothing.
    pub fn release(&self) {
        self.gone.store(true, Ordering::Release);
        if self.channel().check_process().is_ok() {
            self.session().wake();
        }
    }

    /// What the server has announced.
    pub fn extensions(&self) -> &[Extension] {
        &self.inner.extensions
    }

    /// Whether the server has announced an extension.
    pub fn has_extension(&self, name: &str) -> bool {
        self.inner
            .extensions
            .iter()
            .any(|extension| extension.name == name.as_bytes())
    }

    /// What the server said of its limits; zeros where it said nothing.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// Sets how many bytes are asked for ahead, or written and not confirmed, for each file opened from now on.
    pub fn set_window(&self, bytes: u64) {
        *self.inner.window_bytes.lock() = bytes.max(1);
    }

    pub(super) fn window(&self) -> u64 {
        *self.inner.window_bytes.lock()
    }

    // ---- files and directories ------------------------------------------------------------------------------

    /// Opens a file.
    pub fn open_file(
        &self,
        path: &[u8],
        flags: OpenFlags,
        attributes: &Attributes,
        timeout: Timeout,
    ) -> Result<File, Error> {
        self.open_file_patiently(path, flags, attributes, self.patience(timeout))
    }

    pub(super) fn open_file_patiently(
        &self,
        path: &[u8],
        flags: OpenFlags,
        attributes: &Attributes,
        patience: Patience<'_>,
    ) -> Result<File, Error> {
        let request = Request::Open {
            path: checked(path)?,
            flags,
            attributes: attributes.clone(),
        };
        match self.ask("open", path, Expect::Handle, &request, patience)? {
            Answer::Handle(handle) => Ok(File::new(self.child(), handle, flags)),
            _ => Err(MISMATCH),
        }
    }

    /// Opens a directory to list it.
    pub fn open_directory(&self, path: &[u8], timeout: Timeout) -> Result<Directory, Error> {
        let patience = self.patience(timeout);
        let request = Request::Opendir {
            path: checked(path)?,
        };
        match self.ask("opendir", path, Expect::Handle, &request, patience)? {
            Answer::Handle(handle) => Ok(Directory::new(self.child(), handle)),
            _ => Err(MISMATCH),
        }
    }

    // ---- requests with a status -----------------------------------------------------------------------------

    /// Removes a file.
    pub fn remove(&self, path: &[u8], timeout: Timeout) -> Result<(), Error> {
        self.order("remove", path, Request::Remove { path }, timeout)
    }

    /// Makes a directory.
    pub fn mkdir(
        &self,
        path: &[u8],
        attributes: &Attributes,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let attributes = attributes.clone();
        self.order("mkdir", path, Request::Mkdir { path, attributes }, timeout)
    }

    /// Removes an empty directory.
    pub fn rmdir(&self, path: &[u8], timeout: Timeout) -> Result<(), Error> {
        self.order("rmdir", path, Request::Rmdir { path }, timeout)
    }

    /// Renames; fails where the new name exists, with most servers.
    pub fn rename(&self, old: &[u8], new: &[u8], timeout: Timeout) -> Result<(), Error> {
        checked(new)?;
        self.order("rename", old, Request::Rename { old, new }, timeout)
    }

    /// Renames and replaces what has the new name.
    pub fn posix_rename(&self, old: &[u8], new: &[u8], timeout: Timeout) -> Result<(), Error> {
        checked(new)?;
        self.extended_order(
            "posix-rename",
            old,
            ExtendedRequest::PosixRename { old, new },
            timeout,
        )
    }

    /// Gives a file a further name.
    pub fn hardlink(&self, old: &[u8], new: &[u8], timeout: Timeout) -> Result<(), Error> {
        checked(new)?;
        self.extended_order(
            "hardlink",
            old,
            ExtendedRequest::Hardlink { old, new },
            timeout,
        )
    }

    /// Makes a symbolic link `link` that says `target`.
    pub fn symlink(&self, target: &[u8], link: &[u8], timeout: Timeout) -> Result<(), Error> {
        checked(target)?;
        self.order("symlink", link, Request::Symlink { target, link }, timeout)
    }

    /// Sets attributes.
    pub fn setstat(
        &self,
        path: &[u8],
        attributes: &Attributes,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let attributes = attributes.clone();
        self.order(
            "setstat",
            path,
            Request::Setstat { path, attributes },
            timeout,
        )
    }

    /// Sets attributes of a symbolic link itself.
    pub fn lsetstat(
        &self,
        path: &[u8],
        attributes: &Attributes,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let attributes = attributes.clone();
        self.extended_order(
            "lsetstat",
            path,
            ExtendedRequest::Lsetstat { path, attributes },
            timeout,
        )
    }

    // ---- requests with an answer ----------------------------------------------------------------------------

    /// Attributes of a path, symbolic links followed.
    pub fn stat(&self, path: &[u8], timeout: Timeout) -> Result<Attributes, Error> {
        self.attributes("stat", path, Request::Stat { path }, timeout)
    }

    /// Attributes of a path, symbolic links not followed.
    pub fn lstat(&self, path: &[u8], timeout: Timeout) -> Result<Attributes, Error> {
        self.attributes("lstat", path, Request::Lstat { path }, timeout)
    }

    /// What a symbolic link says.
    pub fn readlink(&self, path: &[u8], timeout: Timeout) -> Result<Vec<u8>, Error> {
        self.one_name("readlink", path, Request::Readlink { path }, timeout)
    }

    /// The absolute path of a path.
    pub fn realpath(&self, path: &[u8], timeout: Timeout) -> Result<Vec<u8>, Error> {
        self.one_name("realpath", path, Request::Realpath { path }, timeout)
    }

    /// The absolute path of a path that may begin with `~` or `~user`.
    pub fn expand_path(&self, path: &[u8], timeout: Timeout) -> Result<Vec<u8>, Error> {
        self.require(extension::EXPAND_PATH)?;
        let request = Request::Extended(ExtendedRequest::ExpandPath { path });
        self.one_name("expand-path", path, request, timeout)
    }

    /// The home directory of a user; of the own user for an empty name.
    pub fn home_directory(&self, user: &[u8], timeout: Timeout) -> Result<Vec<u8>, Error> {
        self.require(extension::HOME_DIRECTORY)?;
        let request = Request::Extended(ExtendedRequest::HomeDirectory { user });
        self.one_name("home-directory", user, request, timeout)
    }

    /// State of the file system that holds `path`.
    pub fn statvfs(&self, path: &[u8], timeout: Timeout) -> Result<StatVfs, Error> {
        self.require(extension::STATVFS)?;
        let request = ExtendedRequest::StatVfs {
            path: checked(path)?,
        };
        let data = self.extended_answer("statvfs", path, request, timeout)?;
        StatVfs::decode(&data).map_err(|_| MALFORMED)
    }

    /// Names of users and groups by their numbers; empty for numbers without a name.
    pub fn users_groups_by_id(
        &self,
        users: &[u32],
        groups: &[u32],
        timeout: Timeout,
    ) -> Result<UsersGroups, Error> {
        self.require(extension::USERS_GROUPS_BY_ID)?;
        if users.len() > MAX_IDS || groups.len() > MAX_IDS {
            return Err(Error::ApiMisuse("at most 4096 users and 4096 groups"));
        }
        let request = ExtendedRequest::UsersGroupsById {
            users: users.to_vec(),
            groups: groups.to_vec(),
        };
        let data = self.extended_answer("users-groups-by-id", b"", request, timeout)?;
        UsersGroups::decode(&data, users.len(), groups.len()).map_err(|_| MALFORMED)
    }

    // ---- behind the requests --------------------------------------------------------------------------------

    /// Refuses what the server has not announced, as the server would.
    pub(super) fn require(&self, name: &'static str) -> Result<(), Error> {
        if self.has_extension(name) {
            return Ok(());
        }
        Err(refused(
            name,
            b"",
            StatusCode::OP_UNSUPPORTED,
            String::from("the server does not offer this extension"),
        ))
    }

    /// Sends a request about `path` and waits for its answer; a refusal is an error that names both.
    pub(super) fn ask(
        &self,
        operation: &'static str,
        path: &[u8],
        expect: Expect,
        request: &Request<'_>,
        patience: Patience<'_>,
    ) -> Result<Answer, Error> {
        match self.session().call(expect, request, patience)? {
            Answer::Refused(code, text) => Err(refused(operation, path, code, text)),
            answer => Ok(answer),
        }
    }

    fn order(
        &self,
        operation: &'static str,
        path: &[u8],
        request: Request<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        checked(path)?;
        let patience = self.patience(timeout);
        self.ask(operation, path, Expect::Status, &request, patience)
            .map(|_| ())
    }

    fn extended_order(
        &self,
        operation: &'static str,
        path: &[u8],
        request: ExtendedRequest<'_>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let name = std::str::from_utf8(request.name()).unwrap_or_default();
        if !self.has_extension(name) {
            self.require(operation)?;
        }
        self.order(operation, path, Request::Extended(request), timeout)
    }

    fn attributes(
        &self,
        operation: &'static str,
        path: &[u8],
        request: Request<'_>,
        timeout: Timeout,
    ) -> Result<Attributes, Error> {
        checked(path)?;
        let patience = self.patience(timeout);
        match self.ask(operation, path, Expect::Attrs, &request, patience)? {
            Answer::Attrs(attributes) => Ok(attributes),
            _ => Err(MISMATCH),
        }
    }

    fn one_name(
        &self,
        operation: &'static str,
        path: &[u8],
        request: Request<'_>,
        timeout: Timeout,
    ) -> Result<Vec<u8>, Error> {
        checked(path)?;
        let patience = self.patience(timeout);
        match self.ask(operation, path, Expect::Names, &request, patience)? {
            Answer::Names(names) => match <[Name; 1]>::try_from(names) {
                Ok([name]) => Ok(name.file_name),
                Err(_) => Err(Error::Sftp("not exactly one name in the reply")),
            },
            _ => Err(MISMATCH),
        }
    }

    pub(super) fn extended_answer(
        &self,
        operation: &'static str,
        path: &[u8],
        request: ExtendedRequest<'_>,
        timeout: Timeout,
    ) -> Result<Vec<u8>, Error> {
        let patience = self.patience(timeout);
        let request = Request::Extended(request);
        match self.ask(operation, path, Expect::Extended, &request, patience)? {
            Answer::Extended(data) => Ok(data),
            _ => Err(MISMATCH),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.session.channel().check_process().is_ok() {
            self.session.end(Error::Closed);
        }
    }
}

/// The table lets only the replies through that were asked for.
pub(super) const MISMATCH: Error = Error::Bug("an answer of the wrong kind");
pub(super) const MALFORMED: Error = Error::Sftp("a malformed extended reply");

/// INIT and VERSION, then the server's limits.
fn exchange(session: &Session, patience: Patience<'_>) -> Result<(Vec<Extension>, Limits), Error> {
    let init = Init {
        version: VERSION,
        extensions: Vec::new(),
    };
    session.send_raw(|w| init.encode(w))?;
    let packet = session.first_packet(patience)?;
    let version =
        Version::decode(&packet).map_err(|_| Error::Sftp("a malformed SSH_FXP_VERSION"))?;
    if version.version != VERSION {
        return Err(Error::Sftp("the server does not speak version 3"));
    }
    let mut limits = Limits::default();
    let offered = version
        .extensions
        .iter()
        .any(|extension| extension.name == extension::LIMITS.as_bytes());
    if offered {
        let request = Request::Extended(ExtendedRequest::Limits);
        if let Answer::Extended(data) = session.call(Expect::Extended, &request, patience)? {
            limits = Limits::decode(&data).map_err(|_| MALFORMED)?;
        }
    }
    Ok((version.extensions, limits))
}

/// Bytes of one READ and one WRITE.
#[derive(Debug, PartialEq, Eq)]
struct Chunks {
    read_bytes: u32,
    write_bytes: u32,
}

impl Chunks {
    /// For a server with such limits and habits.
    fn of(limits: &Limits, habits: PeerHabits) -> Self {
        let most = |piped: u32| if habits.pipes_files { piped } else { u32::MAX };
        Chunks {
            read_bytes: chunk_bytes(limits.read_bytes, limits).min(most(PIPED_READ_BYTES)),
            write_bytes: chunk_bytes(limits.write_bytes, limits).min(most(PIPED_WRITE_BYTES)),
        }
    }
}

/// Bytes of one READ or WRITE for a server that takes `limit` of them (0: it does not say) in packets that it limits,
/// too.
fn chunk_bytes(limit: u64, limits: &Limits) -> u32 {
    let wanted = match limit {
        0 => u64::from(DEFAULT_CHUNK_BYTES),
        bytes => bytes,
    };
    let packet = match limits.packet_bytes {
        0 => u64::MAX,
        bytes => bytes,
    };
    let most = u64::try_from(MAX_PACKET_BYTES)
        .unwrap_or(u64::MAX)
        .min(packet)
        .saturating_sub(PACKET_OVERHEAD_BYTES);
    u32::try_from(wanted.min(most).max(1)).unwrap_or(u32::MAX)
}

/// Refuses paths that no server takes.
pub(super) fn checked(path: &[u8]) -> Result<&[u8], Error> {
    if path.len() > MAX_PATH_BYTES {
        return Err(Error::ApiMisuse("a path of more than 32 KiB"));
    }
    Ok(path)
}

pub(super) fn refused(
    operation: &'static str,
    path: &[u8],
    code: StatusCode,
    text: String,
) -> Error {
    Error::SftpStatus(Box::new(SftpStatus {
        operation,
        path: printable(path, MAX_SHOWN_PATH),
        code: code.0,
        meaning: code.to_string(),
        text,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_at_a_time_as_suits_the_server() {
        let piping = PeerHabits {
            pipes_files: true,
            ..PeerHabits::default()
        };
        let plain = PeerHabits::default();
        let most = 255 * 1024;
        // What it announces for a packet and for READ and WRITE, its habits, and what it gets.
        for (packet, data, habits, read_bytes, write_bytes) in [
            (256 * 1024, most, plain, most, most),
            (
                256 * 1024,
                most,
                piping,
                PIPED_READ_BYTES,
                PIPED_WRITE_BYTES,
            ),
            (0, 0, plain, DEFAULT_CHUNK_BYTES, DEFAULT_CHUNK_BYTES),
            (0, 0, piping, DEFAULT_CHUNK_BYTES, DEFAULT_CHUNK_BYTES),
            (0, 1000, piping, 1000, 1000),
            (34_000, most, piping, PIPED_READ_BYTES, 34_000 - 1024),
        ] {
            let limits = Limits {
                packet_bytes: packet,
                read_bytes: u64::from(data),
                write_bytes: u64::from(data),
                ..Limits::default()
            };
            let chunks = Chunks {
                read_bytes,
                write_bytes,
            };
            assert_eq!(Chunks::of(&limits, habits), chunks);
        }
    }
}
