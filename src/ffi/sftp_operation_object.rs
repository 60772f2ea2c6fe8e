//! What an operation handle leads to, and the way from a session to the program's callbacks.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Weak};

use crate::driver::sync::Mutex;
use crate::driver::Channel;
use crate::sftp::server::{Application, Operation, OperationKind, OperationRequest, VirtualPath};
use crate::sftp::Name;

use super::callbacks::{ssh_destroy_callback, Userdata};
use super::channel::ssh_channel;
use super::guard::{Failure, Outcome};
use super::handle::{self, Handle};
use super::memory::LentBytes;
use super::sftp_operation::{self as header, ssh_sftp_callback, ssh_sftp_operation};
use super::transport_object::TransportObject;

impl Handle for ssh_sftp_operation {
    type Object = OperationObject;
    const TAG: u8 = 21;
    const NOUN: &'static str = "ssh_sftp_operation";
}

pub(crate) struct OperationObject {
    pub(crate) request: OperationRequest,
    pub(crate) channel: Arc<ServedChannel>,
    pub(crate) path: Option<LentBytes>,
    pub(crate) new_path: Option<LentBytes>,
    pub(crate) target: Option<LentBytes>,
    pub(crate) notes: Mutex<Notes>,
}

/// Parts of an answer that is being made.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) names: Vec<Name>,
    pub(crate) name_bytes: usize,
    pub(crate) buffer: Vec<u8>,
}

impl OperationObject {
    fn new(request: OperationRequest, channel: Arc<ServedChannel>) -> Self {
        let lent = |path: &VirtualPath| Some(LentBytes::new(path.as_bytes()));
        let (path, new_path, target) = match request.operation() {
            Operation::Open { path, .. }
            | Operation::Path { path, .. }
            | Operation::Opendir(path) => (lent(path), None, None),
            Operation::Paths { from, to, .. } => (lent(from), lent(to), None),
            Operation::Symlink { target, link } => (lent(link), None, Some(LentBytes::new(target))),
            Operation::Close(_)
            | Operation::Read { .. }
            | Operation::Write { .. }
            | Operation::File { .. } => (None, None, None),
        };
        OperationObject {
            request,
            channel,
            path,
            new_path,
            target,
            notes: Mutex::default(),
        }
    }
}

/// The numbers of the kinds.
const KINDS: &[(i32, OperationKind)] = &[
    (header::SSH_SFTP_OP_OPEN, OperationKind::Open),
    (header::SSH_SFTP_OP_CLOSE, OperationKind::Close),
    (header::SSH_SFTP_OP_READ, OperationKind::Read),
    (header::SSH_SFTP_OP_WRITE, OperationKind::Write),
    (header::SSH_SFTP_OP_LSTAT, OperationKind::Lstat),
    (header::SSH_SFTP_OP_STAT, OperationKind::Stat),
    (header::SSH_SFTP_OP_FSTAT, OperationKind::Fstat),
    (header::SSH_SFTP_OP_SETSTAT, OperationKind::Setstat),
    (header::SSH_SFTP_OP_FSETSTAT, OperationKind::Fsetstat),
    (header::SSH_SFTP_OP_LSETSTAT, OperationKind::Lsetstat),
    (header::SSH_SFTP_OP_OPENDIR, OperationKind::Opendir),
    (header::SSH_SFTP_OP_READDIR, OperationKind::Readdir),
    (header::SSH_SFTP_OP_REMOVE, OperationKind::Remove),
    (header::SSH_SFTP_OP_MKDIR, OperationKind::Mkdir),
    (header::SSH_SFTP_OP_RMDIR, OperationKind::Rmdir),
    (header::SSH_SFTP_OP_REALPATH, OperationKind::Realpath),
    (header::SSH_SFTP_OP_RENAME, OperationKind::Rename),
    (header::SSH_SFTP_OP_POSIX_RENAME, OperationKind::PosixRename),
    (header::SSH_SFTP_OP_READLINK, OperationKind::Readlink),
    (header::SSH_SFTP_OP_SYMLINK, OperationKind::Symlink),
    (header::SSH_SFTP_OP_HARDLINK, OperationKind::Hardlink),
    (header::SSH_SFTP_OP_FSYNC, OperationKind::Fsync),
    (header::SSH_SFTP_OP_STATVFS, OperationKind::StatVfs),
    (header::SSH_SFTP_OP_FSTATVFS, OperationKind::FStatVfs),
];

/// The number of a kind.
pub(crate) fn number(kind: OperationKind) -> i32 {
    KINDS
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or(header::SSH_SFTP_OP_ANY, |(number, _)| *number)
}

/// A callback with its userdata.
#[derive(Clone)]
pub(crate) struct OperationCall {
    function: unsafe extern "C" fn(*mut ssh_sftp_operation, *mut c_void),
    userdata: Userdata,
}

/// Callbacks by the numbers of their kinds.
pub(crate) type OperationCalls = HashMap<i32, OperationCall>;

/// Checks the arguments of a setter and makes the callback.
pub(crate) fn call(
    kind: i32,
    callback: ssh_sftp_callback,
    userdata: *mut c_void,
    destroy: ssh_destroy_callback,
) -> Outcome<Option<OperationCall>> {
    let known = kind == header::SSH_SFTP_OP_ANY || KINDS.iter().any(|(number, _)| *number == kind);
    if !known {
        return Err(Failure::invalid("an unknown kind of operation"));
    }
    let userdata = Userdata::new(userdata, destroy);
    // Without a function the userdata has no use, and ends here.
    Ok(callback.map(|function| OperationCall { function, userdata }))
}

/// Sets or removes a callback; what was there is to be dropped without a lock.
pub(crate) fn replace(
    calls: &Mutex<OperationCalls>,
    kind: i32,
    call: Option<OperationCall>,
) -> Option<OperationCall> {
    let mut calls = calls.lock();
    match call {
        Some(call) => calls.insert(kind, call),
        None => calls.remove(&kind),
    }
}

/// A channel that files are served on. A handle for it is made when the program asks.
pub(crate) struct ServedChannel {
    driver: Channel,
    transport: Weak<TransportObject>,
}

impl ServedChannel {
    pub(crate) fn new(driver: Channel, transport: &Arc<TransportObject>) -> Arc<Self> {
        Arc::new(ServedChannel {
            driver,
            transport: Arc::downgrade(transport),
        })
    }

    /// The channel's one handle.
    pub(crate) fn handle(&self) -> Outcome<*mut ssh_channel> {
        match self.transport.upgrade() {
            Some(transport) => transport.channel_handle(self.driver.clone(), false),
            None => Ok(std::ptr::null_mut()),
        }
    }
}

/// The program, as one session knows it.
pub(crate) struct Program {
    pub(crate) calls: OperationCalls,
    pub(crate) channel: Arc<ServedChannel>,
}

impl Program {
    fn find(&self, kind: OperationKind) -> Option<&OperationCall> {
        self.calls.get(&number(kind)).or_else(|| {
            // A program that answers everything alike seldom knows links.
            let any = kind != OperationKind::Realpath;
            any.then(|| self.calls.get(&header::SSH_SFTP_OP_ANY))
                .flatten()
        })
    }
}

impl Application for Program {
    fn knows(&self, kind: OperationKind) -> bool {
        self.find(kind).is_some()
    }

    fn ask(&self, request: OperationRequest) {
        // What cannot be handed over fails, by being dropped.
        let Some(call) = self.find(request.operation().kind()) else {
            return;
        };
        let object = Arc::new(OperationObject::new(request, Arc::clone(&self.channel)));
        let Ok(handle) = handle::insert::<ssh_sftp_operation>(object) else {
            return;
        };
        // SAFETY: the program says that the function may be called with this userdata from any thread until
        // destroy is called, which the clone held here prevents; the handle is new and now the callback's.
        unsafe { (call.function)(handle, call.userdata.pointer()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_distinct() {
        for (index, (a, kind)) in KINDS.iter().enumerate() {
            assert!(KINDS
                .iter()
                .skip(index + 1)
                .all(|(b, other)| a != b && kind != other));
            assert_eq!(number(*kind), *a);
        }
    }
}
