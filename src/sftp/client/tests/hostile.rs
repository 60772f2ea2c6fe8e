//! Servers that break the protocol: the session ends, and says how it was broken.

use super::*;

/// Ends with the channel closed, and stays ended.
#[track_caller]
fn assert_broken<T: std::fmt::Debug>(outcome: Result<T, Error>, what: &str) {
    assert!(
        matches!(outcome, Err(Error::Sftp(_))),
        "{what}: {outcome:?}"
    );
}

#[test]
fn first_packets() {
    let with_rest = {
        let mut out = Vec::new();
        FrameWriter::write(&mut out, |w| {
            w.u8(2).u32(3).u8(0);
        });
        out
    };
    let cases: [(&str, Vec<u8>); 8] = [
        ("length 0", vec![0; 8]),
        ("length 262,145", 262_145_u32.to_be_bytes().to_vec()),
        ("length 2^32 - 1", vec![0xff; 8]),
        ("version 2", version(2)),
        ("version 6", version(6)),
        ("version 2^32 - 1", version(u32::MAX)),
        ("trailing bytes", with_rest),
        ("no VERSION", framed(3, &Reply::status(StatusCode::OK))),
    ];
    for (what, bytes) in cases {
        let (ours, line) = Line::new();
        line.send(&bytes);
        assert_broken(Sftp::over(ours, TIME).map(|_| ()), what);
        line.channel.wait_closed(TIME).unwrap();
    }
    let (ours, line) = Line::new();
    line.send(&version(3)[..5]);
    line.channel.send_eof().unwrap();
    assert_broken(Sftp::over(ours, TIME).map(|_| ()), "cut off");
    let (ours, _line) = Line::new();
    let outcome = Sftp::over(ours, SHORT).map(|_| ());
    assert!(matches!(outcome, Err(Error::Timeout(_))), "{outcome:?}");
}

/// A frame around a type, an id and the rest.
fn raw(kind: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    FrameWriter::write(&mut out, |w| {
        w.u8(kind).u32(id).raw(rest);
    });
    out
}

#[test]
fn replies() {
    type Make = fn(u32) -> Vec<u8>;
    let cases: [(&str, Make); 14] = [
        ("unknown id", |id| {
            framed(id + 1, &Reply::Attrs(Attributes::new()))
        }),
        ("twice", |id| {
            let reply = framed(id, &Reply::Attrs(Attributes::new()));
            [reply.clone(), reply].concat()
        }),
        ("wrong type", |id| framed(id, &Reply::Handle(b"h"))),
        ("success without attributes", |id| {
            framed(id, &Reply::status(StatusCode::OK))
        }),
        ("unknown type", |id| raw(77, id, &[])),
        ("VERSION again", |_| version(3)),
        ("trailing bytes", |id| raw(105, id, &[0, 0, 0, 0, 1])),
        ("too short", |id| raw(105, id, &[0, 0])),
        ("no id", |_| vec![0, 0, 0, 1, 105]),
        ("2^32 - 1 names", |id| raw(104, id, &[0xff; 4])),
        ("2^32 - 1 extended attributes", |id| {
            raw(105, id, &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
        }),
        ("a status that ends in its text", |id| {
            raw(101, id, &[0, 0, 0, 4, 0, 0, 0, 9, b'x'])
        }),
        ("length 0", |_| vec![0; 4]),
        ("length 262,145", |_| 262_145_u32.to_be_bytes().to_vec()),
    ];
    for (what, make) in cases {
        let (sftp, line) = session(move |channel, id, _| {
            let _ = channel.write_all(Stream::Data, &make(id), TIME);
        });
        let first = sftp.stat(b"x", TIME);
        if what != "twice" {
            assert_broken(first, what);
        }
        assert_broken(sftp.stat(b"x", TIME), what);
        line.channel.wait_closed(TIME).unwrap();
    }
}

#[test]
fn more_data_than_asked_for_and_long_handles() {
    let (sftp, _line) = session(|channel, id, request| match request {
        Request::Open { .. } => answer(channel, id, &Reply::Handle(b"h")),
        Request::Read { length, .. } => {
            answer(channel, id, &Reply::Data(&vec![7; *length as usize + 1]));
        }
        _ => {}
    });
    let file = sftp
        .open_file(b"x", OpenFlags::READ, &Attributes::new(), TIME)
        .unwrap();
    let mut buffer = [0; 10];
    assert_broken(file.read(&mut buffer, TIME), "read");
    assert_eq!(buffer, [0; 10]);
    assert_broken(file.read_at(&mut buffer, 0, TIME), "read_at");

    let (sftp, _line) = session(|channel, id, _| {
        answer(channel, id, &Reply::Handle(&[b'h'; 60_000]));
    });
    let outcome = sftp.open_file(b"x", OpenFlags::READ, &Attributes::new(), TIME);
    assert_broken(outcome.map(|_| ()), "long handle");
}

#[test]
fn what_is_odd_but_allowed() {
    let (sftp, _line) = session(|channel, id, request| match request {
        // A status as servers before version 3 send it, and a code that nobody knows.
        Request::Remove { .. } => {
            let _ = channel.write_all(Stream::Data, &raw(101, id, &[0, 0, 0, 4]), TIME);
        }
        Request::Rmdir { .. } => answer(channel, id, &Reply::status(StatusCode(4711))),
        Request::Realpath { .. } => {
            let name = |name: &[u8]| Name {
                file_name: name.to_vec(),
                long_name: Vec::new(),
                attributes: Attributes::new(),
            };
            answer(channel, id, &Reply::Name(vec![name(b"a"), name(b"b")]));
        }
        _ => answer(channel, id, &Reply::status(StatusCode::OK)),
    });
    for (outcome, code) in [(sftp.remove(b"x", TIME), 4), (sftp.rmdir(b"x", TIME), 4711)] {
        let Err(Error::SftpStatus(status)) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(status.code, code);
    }
    // The packet was sound, so that only this call fails.
    assert_broken(sftp.realpath(b"x", TIME), "two names");
    sftp.mkdir(b"x", &Attributes::new(), TIME).unwrap();
}

#[test]
fn an_endless_directory_costs_nothing_but_patience() {
    let (sftp, _line) = session(|channel, id, request| match request {
        Request::Opendir { .. } => answer(channel, id, &Reply::Handle(b"h")),
        Request::Readdir { .. } => {
            let name = Name {
                file_name: b"again".to_vec(),
                long_name: Vec::new(),
                attributes: sized(1),
            };
            answer(channel, id, &Reply::Name(vec![name; 50]));
        }
        _ => answer(channel, id, &Reply::status(StatusCode::OK)),
    });
    let directory = sftp.open_directory(b"x", TIME).unwrap();
    for _ in 0..1000 {
        let name = directory.next(TIME).unwrap().unwrap();
        assert_eq!(name.file_name, b"again");
    }
    directory.close(TIME).unwrap();
    assert!(matches!(directory.next(TIME), Err(Error::Closed)));
    sftp.mkdir(b"x", &Attributes::new(), TIME).unwrap();
}

/// Names that lead out of the directory they are to be in.
#[test]
fn names_that_lead_elsewhere_end_a_recursive_download() {
    for evil in [&b"../evil"[..], b"/tmp/evil", b"a/b", b""] {
        let (sftp, _line) = session(move |channel, id, request| match request {
            Request::Opendir { .. } => answer(channel, id, &Reply::Handle(b"h")),
            Request::Readdir { .. } => {
                let name = Name {
                    file_name: evil.to_vec(),
                    long_name: Vec::new(),
                    attributes: sized(1),
                };
                answer(channel, id, &Reply::Name(vec![name]));
            }
            Request::Stat { .. } => answer(channel, id, &Reply::Attrs(Attributes::new())),
            _ => answer(channel, id, &Reply::status(StatusCode::OK)),
        });
        let to = tempfile(&format!("evil-{}", evil.len()));
        let outcome = sftp.get_tree(b"x", &to, &mut TransferOptions::default(), TIME);
        assert_broken(outcome, "name");
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0);
        std::fs::remove_dir(&to).unwrap();
    }
}

fn tempfile(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("sshwire-sftp-{}-{name}", std::process::id()))
}
