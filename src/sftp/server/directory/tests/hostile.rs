//! Bytes that no client should send: each ends the session or has its answer, and nothing grows by them.

use super::*;
use crate::sftp::server::replies::MAX_WAITING_BYTES;
use crate::sftp::{FrameError, Version, MAX_PACKET_BYTES};

fn feed(dialogue: &mut Dialogue<DirectoryBackend>, bytes: &[u8]) {
    dialogue.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
    dialogue.filled(bytes.len());
}

fn unopened() -> Dialogue<DirectoryBackend> {
    let directory = Directory::open(&std::env::temp_dir()).unwrap();
    Dialogue::new(directory.backend(DirectoryOptions::default()))
}

fn framed(fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    FrameWriter::write(&mut bytes, fill);
    bytes
}

fn init(version: u32) -> Vec<u8> {
    framed(|w| _ = w.u8(1).u32(version))
}

/// All replies that wait, taken away.
fn take(dialogue: &mut Dialogue<DirectoryBackend>) -> Vec<Vec<u8>> {
    let mut reader = FrameReader::new();
    reader.push(dialogue.replies.waiting());
    dialogue.replies.sent(usize::MAX);
    let mut packets = Vec::new();
    while let Some(packet) = reader.next().unwrap() {
        packets.push(packet.to_vec());
    }
    assert_eq!(reader.unread(), 0, "a reply is cut off");
    packets
}

#[test]
fn lengths_that_no_packet_has_end_the_session() {
    for length in [0, 262_145, u32::MAX] {
        for begun in [false, true] {
            let mut dialogue = unopened();
            if begun {
                feed(&mut dialogue, &init(3));
            }
            feed(&mut dialogue, &length.to_be_bytes());
            assert_eq!(dialogue.work(), Err(Fault::Frame(FrameError(length))));
            assert_eq!(take(&mut dialogue).len(), usize::from(begun));
        }
    }
    // Too short for an id, so that there is nothing to answer to.
    for length in 1..=4 {
        let mut rig = Rig::new(DirectoryOptions::default());
        let packet = framed(|w| _ = w.raw(&[17, 0, 0, 0][..length]));
        feed(&mut rig.dialogue, &packet);
        assert_eq!(rig.dialogue.work(), Err(Fault::NoId), "{length}");
    }
    let mut rig = Rig::new(DirectoryOptions::default());
    let packet = framed(|w| Request::Stat { path: b"/" }.encode(1, w));
    feed(&mut rig.dialogue, &packet[..packet.len() - 1]);
    assert_eq!(rig.dialogue.work(), Ok(false));
    assert_eq!(rig.dialogue.finish(), Err(Fault::CutOff));
}

#[test]
fn every_version_of_the_client_becomes_three() {
    for version in [0, 2, 3, 6, u32::MAX] {
        let mut dialogue = unopened();
        for byte in init(version) {
            feed(&mut dialogue, &[byte]);
            dialogue.work().unwrap();
        }
        let packets = take(&mut dialogue);
        let [packet] = &packets[..] else {
            panic!("one reply is wanted: {packets:?}")
        };
        assert_eq!(Version::decode(packet).unwrap().version, 3);
    }
    for begin in [
        framed(|w| _ = w.u8(1)),
        framed(|w| _ = w.raw(&[1, 0, 0, 0, 3, 0, 0, 0, 9, b'x'])),
        framed(|w| _ = w.raw(b"hello")),
    ] {
        let mut dialogue = unopened();
        feed(&mut dialogue, &begin);
        assert_eq!(dialogue.work(), Err(Fault::NoInit), "{begin:?}");
    }
}

#[test]
fn a_read_holds_no_more_than_a_packet_however_much_is_asked_for() {
    let mut rig = Rig::new(DirectoryOptions::default());
    let large = vec![b'x'; 2 * MAX_PACKET_BYTES];
    fs::write(rig.top.join("root/large"), &large).unwrap();
    let handle = &rig.open("/large", OpenFlags::READ).unwrap();
    for (offset, length, wanted) in [
        (0, u32::MAX, usize::try_from(MAX_READ_BYTES).unwrap()),
        (0, 1, 1),
        (large.len() as u64 - 5, u32::MAX, 5),
    ] {
        let packet = rig.ask(Request::Read {
            handle,
            offset,
            length,
        });
        let (7, Reply::Data(data)) = Reply::decode(&packet).unwrap() else {
            panic!("data are wanted")
        };
        assert_eq!(data, &large[..wanted]);
    }
    let (offset, length) = (0, 0);
    let nothing = Request::Read {
        handle,
        offset,
        length,
    };
    assert_eq!(rig.code(nothing), StatusCode::EOF);
}

#[test]
fn replies_that_nobody_takes_stop_the_session_and_all_come_in_the_end() {
    const MANY: u32 = 10_000;
    let mut rig = Rig::new(DirectoryOptions::default());
    fs::write(rig.top.join("root/large"), vec![1; 32 * 1024]).unwrap();
    let handle = &rig.open("/large", OpenFlags::READ).unwrap();
    let mut asked = 0;
    let mut answered = 0;
    while answered < MANY {
        rig.dialogue.work().unwrap();
        // As the session does: no bytes are taken while it wants none.
        while asked < MANY && rig.dialogue.wants_bytes() {
            let (offset, length) = (0, 32 * 1024);
            let read = Request::Read {
                handle,
                offset,
                length,
            };
            push(&mut rig.dialogue, |w| read.encode(asked, w));
            asked += 1;
            rig.dialogue.work().unwrap();
        }
        assert!(asked - answered <= 20, "{asked} {answered}");
        let waiting = rig.dialogue.replies.waiting().len();
        assert!(waiting < MAX_WAITING_BYTES + MAX_PACKET_BYTES, "{waiting}");
        for packet in take(&mut rig.dialogue) {
            let (id, Reply::Data(_)) = Reply::decode(&packet).unwrap() else {
                panic!("data are wanted")
            };
            assert_eq!(id, answered);
            answered += 1;
        }
    }
    rig.dialogue.shrink();
    assert!(rig.dialogue.is_idle());
}

/// Otherwise a client whose requests are short and whose replies are long would have them all kept here.
#[test]
fn no_bytes_are_taken_while_requests_that_have_come_are_not_served() {
    const MANY: u32 = 100;
    for length in [1, 64 * 1024] {
        let mut rig = Rig::new(DirectoryOptions::default());
        fs::write(rig.top.join("root/large"), vec![1; 64 * 1024]).unwrap();
        let handle = &rig.open("/large", OpenFlags::READ).unwrap();
        let offset = 0;
        let read = Request::Read {
            handle,
            offset,
            length,
        };
        for id in 0..MANY {
            push(&mut rig.dialogue, |w| read.encode(id, w));
        }
        let mut answered = 0;
        while answered < MANY {
            rig.dialogue.work().unwrap();
            let packets = take(&mut rig.dialogue);
            // Some leave before the rest is served, and the buffer of replies has its bound, too.
            assert!((1..=16).contains(&packets.len()), "{}", packets.len());
            answered += u32::try_from(packets.len()).unwrap();
            assert_eq!(rig.dialogue.wants_bytes(), answered == MANY);
        }
    }
}

#[test]
fn what_a_session_has_open_is_closed_with_it() {
    let mut rig = Rig::new(DirectoryOptions::default());
    let open_here = |top: &std::path::Path| {
        let links = fs::read_dir("/proc/self/fd").unwrap();
        links
            .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
            .filter(|target| target.starts_with(top))
            .count()
    };
    let before = open_here(&rig.top);
    for _ in 0..256 {
        rig.open("/file", OpenFlags::READ).unwrap();
    }
    assert_eq!(rig.open("/file", OpenFlags::READ), Err(StatusCode::FAILURE));
    assert_eq!(
        rig.code(Request::Opendir { path: b"/" }),
        StatusCode::FAILURE
    );
    assert_eq!(open_here(&rig.top), before + 256);
    rig.dialogue = unopened();
    assert_eq!(open_here(&rig.top), 0);
}

#[test]
fn paths_that_no_file_has() {
    let mut rig = Rig::new(DirectoryOptions::default());
    let long = [b'x'; 64 * 1024];
    let deep = b"/d".repeat(30_000);
    let outside = rig.top.join("secret");
    let outside = outside.as_os_str().as_encoded_bytes();
    for path in [&b"/file\0"[..], b"\0", &long, &deep, outside, b"/\xff"] {
        for request in [
            Request::Stat { path },
            Request::Lstat { path },
            Request::Opendir { path },
            Request::Readlink { path },
            Request::Remove { path },
            Request::Rmdir { path },
        ] {
            assert_ne!(rig.code(request), StatusCode::OK);
        }
    }
    // Text that only begins like the top, and slashes without end.
    assert_ne!(
        rig.code(Request::Stat { path: b"/../root" }),
        StatusCode::OK
    );
    for path in [&b"//file"[..], b"./../file", &b"/".repeat(4000), b""] {
        assert_eq!(rig.code(Request::Stat { path }), StatusCode::OK);
    }
}

/// Requests with bytes changed, cut, and added: one answer each, or the end, and the secret stays one.
#[test]
fn damaged_requests_have_one_answer_each() {
    let mut rig = Rig::new(DirectoryOptions::default());
    let handle = &rig
        .open("/file", OpenFlags::READ | OpenFlags::WRITE)
        .unwrap();
    let attributes = || Attributes {
        size: Some(3),
        owner: Some((1, 2)),
        permissions: Some(0o7777),
        times: Some((1, 2)),
        extended: vec![(b"name".to_vec(), b"value".to_vec())],
    };
    let (path, offset) = (&b"/sub/../sub/deep"[..], 0);
    // Not copy-data: damaged, it may well ask for a copy of many terabytes, and gets it.
    let requests = [
        Request::Open {
            path,
            flags: OpenFlags::ALL,
            attributes: attributes(),
        },
        Request::Read {
            handle,
            offset,
            length: 9,
        },
        Request::Write {
            handle,
            offset,
            data: b"data",
        },
        Request::Setstat {
            path,
            attributes: attributes(),
        },
        Request::Symlink {
            target: b"../../secret",
            link: path,
        },
        Request::Rename {
            old: path,
            new: b"/../../x",
        },
        Request::Extended(ExtendedRequest::UsersGroupsById {
            users: vec![1, 2],
            groups: vec![3],
        }),
    ];
    let packets = requests.map(|request| framed(|w| request.encode(7, w))[4..].to_vec());
    // xorshift, so that a failure is the same one the next time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for round in 0..4000 {
        let mut packet = packets[random(packets.len())].clone();
        for _ in 0..=random(3) {
            let at = random(packet.len());
            match random(4) {
                0 => packet[at] = packet[at].wrapping_add(1),
                1 => packet[at] = u8::try_from(random(256)).unwrap(),
                2 => packet.truncate(at.max(5)),
                _ => packet.insert(at, 0xff),
            }
        }
        // INIT ends the session, as another test shows.
        if packet[0] == 1 {
            continue;
        }
        feed(&mut rig.dialogue, &framed(|w| _ = w.raw(&packet)));
        while rig.dialogue.work().unwrap() {}
        let replies = take(&mut rig.dialogue);
        assert_eq!(replies.len(), 1, "round {round}: {packet:?}");
        assert_eq!(replies[0][1..5], packet[1..5], "round {round}");
    }
    assert_eq!(fs::read(rig.top.join("secret")).unwrap(), b"secret");
    let beside = fs::read_dir(&rig.top).unwrap().count();
    assert_eq!(beside, 2, "something was made outside");
}
