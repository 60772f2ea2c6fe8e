//! A directory served to a hostile client, in memory.

mod hostile;
mod permissions;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::codec::Writer;
use crate::sftp::server::dialogue::{Dialogue, Fault};
use crate::sftp::{Attributes, FrameReader, FrameWriter, Init, Reply};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A session on `top/root`, with `top/secret` beside it.
struct Rig {
    top: PathBuf,
    dialogue: Dialogue<DirectoryBackend>,
}

impl Rig {
    fn new(options: DirectoryOptions) -> Self {
        let name = format!(
            "sshwire-sftp-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let top = std::env::temp_dir().join(name);
        fs::create_dir_all(top.join("root/sub/deep")).unwrap();
        fs::write(top.join("secret"), "secret").unwrap();
        fs::write(top.join("root/file"), "content").unwrap();
        let directory = Directory::open(&top.join("root")).unwrap();
        let mut dialogue = Dialogue::new(directory.backend(options));
        push(&mut dialogue, |w| {
            let init = Init {
                version: 3,
                extensions: Vec::new(),
            };
            init.encode(w);
        });
        dialogue.work().unwrap();
        let sent = dialogue.replies.waiting().len();
        dialogue.replies.sent(sent);
        Rig { top, dialogue }
    }

    fn ask(&mut self, request: Request<'_>) -> Vec<u8> {
        push(&mut self.dialogue, |w| request.encode(7, w));
        while self.dialogue.work().unwrap() {}
        let mut reader = FrameReader::new();
        reader.push(self.dialogue.replies.waiting());
        let sent = self.dialogue.replies.waiting().len();
        self.dialogue.replies.sent(sent);
        reader.next().unwrap().unwrap().to_vec()
    }

    fn code(&mut self, request: Request<'_>) -> StatusCode {
        let packet = self.ask(request);
        match Reply::decode(&packet).unwrap() {
            (7, Reply::Status { code, .. }) => code,
            _ => StatusCode::OK,
        }
    }

    fn open(&mut self, path: &str, flags: OpenFlags) -> Result<Vec<u8>, StatusCode> {
        let packet = self.ask(Request::Open {
            path: path.as_bytes(),
            flags,
            attributes: Attributes::new(),
        });
        match Reply::decode(&packet).unwrap().1 {
            Reply::Handle(handle) => Ok(handle.to_vec()),
            Reply::Status { code, .. } => Err(code),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.top);
    }
}

fn push(dialogue: &mut Dialogue<DirectoryBackend>, fill: impl FnOnce(&mut Writer<'_>)) {
    let mut packet = Vec::new();
    FrameWriter::write(&mut packet, fill);
    dialogue.space(packet.len())[..packet.len()].copy_from_slice(&packet);
    dialogue.filled(packet.len());
}

#[test]
fn nothing_leads_out() {
    let mut rig = Rig::new(DirectoryOptions::default());
    let root = rig.top.join("root");
    symlink(rig.top.join("secret"), root.join("absolute")).unwrap();
    symlink("../secret", root.join("relative")).unwrap();
    symlink("../..", root.join("sub/up")).unwrap();
    for path in ["/absolute", "/relative", "/sub/up/secret", "/sub/up"] {
        let path = path.as_bytes();
        assert_ne!(rig.code(Request::Stat { path }), StatusCode::OK);
        assert_ne!(rig.code(Request::Opendir { path }), StatusCode::OK);
        assert_ne!(rig.code(Request::Realpath { path }), StatusCode::OK);
        let attributes = Attributes {
            permissions: Some(0o600),
            size: Some(0),
            ..Attributes::new()
        };
        assert_ne!(
            rig.code(Request::Setstat { path, attributes }),
            StatusCode::OK
        );
    }
    for path in [
        "/absolute",
        "/relative",
        "/sub/up/secret",
        "../secret",
        "/../secret",
    ] {
        for flags in [OpenFlags::READ, OpenFlags::WRITE | OpenFlags::CREATE] {
            let _ = rig.open(path, flags);
        }
    }
    // "..", cut at the top, made a file of that name inside; the one outside is as it was.
    assert!(root.join("secret").exists());
    assert_eq!(fs::read(rig.top.join("secret")).unwrap(), b"secret");
    // Where an absolute link leads is not told.
    let path = b"/absolute";
    assert_eq!(
        rig.code(Request::Readlink { path }),
        StatusCode::PERMISSION_DENIED
    );
    let symlink = |target: &'static [u8]| Request::Symlink {
        target,
        link: b"/sub/new",
    };
    assert_ne!(rig.code(symlink(b"../../secret")), StatusCode::OK);
    assert_eq!(rig.code(symlink(b"/file")), StatusCode::OK);
    assert_eq!(
        fs::read_link(root.join("sub/new")).unwrap(),
        PathBuf::from("../file")
    );
}

#[test]
fn handles_are_limited_checked_and_closed_once() {
    let mut rig = Rig::new(DirectoryOptions {
        max_handles: 2,
        ..DirectoryOptions::default()
    });
    let one = rig.open("/file", OpenFlags::READ).unwrap();
    rig.open("/file", OpenFlags::READ).unwrap();
    assert_eq!(rig.open("/file", OpenFlags::READ), Err(StatusCode::FAILURE));
    assert_eq!(rig.code(Request::Close { handle: &one }), StatusCode::OK);
    assert_eq!(
        rig.code(Request::Close { handle: &one }),
        StatusCode::FAILURE
    );
    let packet = rig.ask(Request::Opendir { path: b"/" });
    let (_, Reply::Handle(handle)) = Reply::decode(&packet).unwrap() else {
        panic!("a handle is wanted")
    };
    let (offset, length) = (0, 10);
    let read = Request::Read {
        handle,
        offset,
        length,
    };
    assert_eq!(rig.code(read), StatusCode::FAILURE);
}

/// One client has several channels, and is one client.
#[test]
fn handles_of_all_channels_of_a_client_count() {
    let options = DirectoryOptions {
        max_handles: 2,
        open: Some(Arc::default()),
        ..DirectoryOptions::default()
    };
    let mut one = Rig::new(options.clone());
    let mut other = Rig::new(options);
    one.open("/file", OpenFlags::READ).unwrap();
    let handle = other.open("/file", OpenFlags::READ).unwrap();
    for rig in [&mut one, &mut other] {
        assert_eq!(rig.open("/file", OpenFlags::READ), Err(StatusCode::FAILURE));
    }
    // A file that is not there takes no place, and what is closed gives its own back: by itself, or with its channel.
    assert_eq!(
        other.code(Request::Close { handle: &handle }),
        StatusCode::OK
    );
    one.open("/nothing", OpenFlags::READ).unwrap_err();
    one.open("/file", OpenFlags::READ).unwrap();
    drop(one);
    other.open("/file", OpenFlags::READ).unwrap();
    other.open("/file", OpenFlags::READ).unwrap();
}

#[test]
fn reading_past_every_end_and_copying_onto_itself_ends() {
    let mut rig = Rig::new(DirectoryOptions::default());
    let both = OpenFlags::READ | OpenFlags::WRITE;
    let handle = rig.open("/file", both).unwrap();
    for offset in [7, u64::MAX] {
        let length = u32::MAX;
        let handle = &handle;
        let read = Request::Read {
            handle,
            offset,
            length,
        };
        assert_eq!(rig.code(read), StatusCode::EOF);
    }
    let handle = &handle[..];
    let write = Request::Write {
        handle,
        offset: u64::MAX,
        data: b"x",
    };
    assert_eq!(rig.code(write), StatusCode::FAILURE);
    let copy = |to_offset, length| {
        Request::Extended(ExtendedRequest::CopyData {
            from_handle: handle,
            from_offset: 0,
            length,
            to_handle: handle,
            to_offset,
        })
    };
    assert_eq!(rig.code(copy(3, 0)), StatusCode::FAILURE);
    assert_eq!(rig.code(copy(7, 0)), StatusCode::OK);
    assert_eq!(
        fs::read(rig.top.join("root/file")).unwrap(),
        b"contentcontent"
    );
    // To the end of the file that is read: it has an end, which does not move on with what is written.
    let append = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::APPEND;
    let handle = &rig.open("/file", append).unwrap()[..];
    let copy = Request::Extended(ExtendedRequest::CopyData {
        from_handle: handle,
        from_offset: 0,
        length: (1 << 62) - 1,
        to_handle: handle,
        to_offset: 1 << 62,
    });
    assert_eq!(rig.code(copy), StatusCode::EOF);
    assert_eq!(
        fs::read(rig.top.join("root/file")).unwrap().len(),
        4 * b"content".len()
    );
}

#[test]
fn read_only_changes_nothing_and_rename_replaces_nothing() {
    let mut rig = Rig::new(DirectoryOptions {
        read_only: true,
        ..DirectoryOptions::default()
    });
    let denied = StatusCode::PERMISSION_DENIED;
    assert_eq!(rig.code(Request::Remove { path: b"/file" }), denied);
    assert_eq!(
        rig.open("/file", OpenFlags::READ | OpenFlags::WRITE),
        Err(denied)
    );
    let mut rig = Rig::new(DirectoryOptions::default());
    fs::write(rig.top.join("root/other"), "other").unwrap();
    let (old, new) = (&b"/file"[..], &b"/other"[..]);
    assert_eq!(rig.code(Request::Rename { old, new }), StatusCode::FAILURE);
    let replace = Request::Extended(ExtendedRequest::PosixRename { old, new });
    assert_eq!(rig.code(replace), StatusCode::OK);
    assert_eq!(fs::read(rig.top.join("root/other")).unwrap(), b"content");
}

#[test]
fn sessions_begin_with_one_init() {
    let directory = Directory::open(&std::env::temp_dir()).unwrap();
    let mut dialogue = Dialogue::new(directory.backend(DirectoryOptions::default()));
    push(&mut dialogue, |w| Request::Stat { path: b"/" }.encode(1, w));
    assert_eq!(dialogue.work(), Err(Fault::NoInit));
    let mut rig = Rig::new(DirectoryOptions::default());
    push(&mut rig.dialogue, |w| _ = w.u8(1).u32(3));
    assert_eq!(rig.dialogue.work(), Err(Fault::SecondInit));
}
