//! What the system refuses to the server. The threads of these tests give up what the superuser may.

use nix::unistd::{getuid, setfsuid, Uid};

use super::*;

/// This thread has no powers over files until the value is dropped.
struct Powerless(Uid);

impl Powerless {
    const NOBODY: u32 = 65534;

    fn new() -> Self {
        let user = match getuid() {
            root if root.is_root() => Uid::from_raw(Self::NOBODY),
            user => user,
        };
        Powerless(setfsuid(user))
    }
}

impl Drop for Powerless {
    fn drop(&mut self) {
        setfsuid(self.0);
    }
}

/// A session whose files belong to the powerless user.
fn own(rig: &Rig) {
    if getuid().is_root() {
        for path in ["", "root", "root/file", "root/sub"] {
            let path = rig.top.join(path);
            std::os::unix::fs::chown(path, Some(Powerless::NOBODY), Some(Powerless::NOBODY))
                .unwrap();
        }
    }
}

fn status(packet: &[u8]) -> (StatusCode, String) {
    match Reply::decode(packet).unwrap().1 {
        Reply::Status { code, text, .. } => (code, text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_are_given_to_nobody_else_and_it_is_said_so() {
    let mut rig = Rig::new(DirectoryOptions::default());
    symlink("file", rig.top.join("root/link")).unwrap();
    own(&rig);
    let _powerless = Powerless::new();
    let handle = &rig.open("/file", OpenFlags::READ).unwrap();
    let path = &b"/file"[..];
    let given = |owner| Attributes {
        owner: Some(owner),
        ..Attributes::new()
    };
    let attributes = || given((12345, 12345));
    for request in [
        Request::Setstat {
            path,
            attributes: attributes(),
        },
        Request::Setstat {
            path: b"/sub",
            attributes: attributes(),
        },
        Request::Fsetstat {
            handle,
            attributes: attributes(),
        },
        Request::Extended(ExtendedRequest::Lsetstat {
            path: b"/link",
            attributes: attributes(),
        }),
    ] {
        let (code, text) = status(&rig.ask(request));
        assert_eq!(code, StatusCode::PERMISSION_DENIED);
        assert!(text.contains("owner"), "{text}");
    }
    // As they are: nothing to refuse.
    let packet = rig.ask(Request::Stat { path });
    let (_, Reply::Attrs(found)) = Reply::decode(&packet).unwrap() else {
        panic!("attributes are wanted")
    };
    assert_ne!(found.owner.unwrap().0, 12345);
    for owner in [found.owner.unwrap(), (u32::MAX, u32::MAX)] {
        let attributes = given(owner);
        assert_eq!(
            rig.code(Request::Setstat { path, attributes }),
            StatusCode::OK
        );
    }
}

#[test]
fn what_cannot_be_looked_at_is_left_out_of_a_listing() {
    use std::os::unix::fs::PermissionsExt;
    let mut rig = Rig::new(DirectoryOptions::default());
    own(&rig);
    let sub = rig.top.join("root/sub");
    let _powerless = Powerless::new();
    let packet = rig.ask(Request::Opendir { path: b"/sub" });
    let (_, Reply::Handle(handle)) = Reply::decode(&packet).unwrap() else {
        panic!("a handle is wanted")
    };
    // Names may be read from now on, and nothing is told of what they name.
    let mode = |bits| fs::set_permissions(&sub, fs::Permissions::from_mode(bits)).unwrap();
    mode(0o400);
    let code = rig.code(Request::Readdir { handle });
    mode(0o700);
    assert_eq!(code, StatusCode::EOF);
    // A directory that may not be read is another thing.
    mode(0o300);
    let code = rig.code(Request::Opendir { path: b"/sub" });
    mode(0o700);
    assert_eq!(code, StatusCode::PERMISSION_DENIED);
}

#[test]
fn what_the_system_refuses_is_denied() {
    let mut rig = Rig::new(DirectoryOptions::default());
    let _powerless = Powerless::new();
    if !getuid().is_root() {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(rig.top.join("root"), fs::Permissions::from_mode(0o500)).unwrap();
    }
    let path = &b"/new"[..];
    let attributes = Attributes::new();
    let denied = StatusCode::PERMISSION_DENIED;
    let create = OpenFlags::WRITE | OpenFlags::CREATE;
    let outcomes = [
        rig.open("/new", create).map(drop).unwrap_err(),
        rig.code(Request::Mkdir { path, attributes }),
        rig.code(Request::Remove { path: b"/file" }),
        rig.code(Request::Rename {
            old: b"/file",
            new: path,
        }),
        rig.code(Request::Symlink {
            target: b"file",
            link: path,
        }),
    ];
    if !getuid().is_root() {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(rig.top.join("root"), fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert_eq!(outcomes, [denied; 5]);
    assert!(rig.top.join("root/file").exists());
}
