//! Seeds of the targets that take one message or one stream: packets, key exchange, SFTP, agents, local programs.

use super::{piece, step, written, Seeds};
use crate::crypto::algorithms::{CompressionKind, KEXES};
use crate::crypto::cipher;
use crate::crypto::random::{Random, SeededRandom};
use crate::fuzzing::auth::user_key;
use crate::kex::methods::{ClientMethod, ClientStep, ServerMethod, ServerStep};
use crate::packet::{SealKeys, Sealer};
use crate::sftp::{
    Attributes, ExtendedRequest, Extension, Init, Name, OpenFlags, Reply, Request, StatusCode,
    Version,
};

pub(super) fn add(seeds: &mut Seeds) {
    ident(seeds);
    packets(seeds);
    inflate(seeds);
    kex(seeds);
    sftp(seeds);
    agent(seeds);
    local(seeds);
    calls(seeds);
}

fn ident(seeds: &mut Seeds) {
    let lines: [(&str, &[u8]); 4] = [
        ("plain", b"\x01SSH-2.0-libsshwire_0.1.0\r\n\x00\x00"),
        ("comment", b"\x03SSH-2.0-OpenSSH_9.6 Debian-3\r\n"),
        ("text", b"\x08Welcome\r\nto this host\nSSH-1.99-x\n"),
        ("http", b"\x01GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ];
    for (name, line) in lines {
        seeds.add("ident", name, line.to_vec());
    }
}

fn packets(seeds: &mut Seeds) {
    let honest = [
        vec![64, 0],
        step(0, b"\x14 a payload"),
        step(0, &[94; 300]),
        step(0, b"\x02\0\0\0\0"),
    ]
    .concat();
    let mut crafted = vec![255, 0];
    crafted.extend(step(0, b"\x05first"));
    crafted.extend([&[1][..], &12_u32.to_le_bytes(), &[4], &piece(b"1234567")].concat());
    let mut bent = honest.clone();
    bent.extend([3]);
    bent.extend([0, 0, 0, 28, 8]);
    bent.extend(piece(b"bent"));
    bent.extend([9, 0, 1]);
    for target in [
        "packet_plain",
        "packet_ctr",
        "packet_ctr_etm",
        "packet_gcm",
        "packet_chacha",
    ] {
        seeds.add(target, "honest", honest.clone());
        seeds.add(target, "crafted", crafted.clone());
        seeds.add(target, "bent", bent.clone());
    }
    for (name, first) in [("mac", 0), ("etm", 1)] {
        seeds.add("packet_cbc", name, [&[first], &honest[..]].concat());
        seeds.add(
            "packet_cbc",
            format!("{name}-bent"),
            [&[first], &bent[..]].concat(),
        );
    }
}

fn inflate(seeds: &mut Seeds) {
    let mut sealer = Sealer::new();
    sealer.install(SealKeys {
        packet: cipher::plain_sealer(),
        compression: CompressionKind::Zlib,
        reset_sequence: false,
    });
    let mut stream = vec![0];
    for payload in [
        &b"\x02the same words, the same words"[..],
        &[94; 5000],
        b"\x02",
    ] {
        let mut packet = Vec::new();
        sealer.seal(&[payload], &mut packet).unwrap();
        let padding = usize::from(packet[4]);
        stream.extend(piece(&packet[5..packet.len() - padding]));
    }
    seeds.add("inflate", "stream", stream.clone());
    stream[0] = 1;
    let delayed = [&stream[..1], &piece(b"\x05plain"), &stream[1..]].concat();
    seeds.add("inflate", "delayed", delayed);
}

/// Every method between its two sides.
fn kex(seeds: &mut Seeds) {
    for (choice, algorithm) in (0_u8..).zip(KEXES) {
        if algorithm.name.contains("group16") || algorithm.name.contains("group18") {
            continue;
        }
        // The choice of the targets passes over what takes long.
        let slow = |kex: &&crate::crypto::algorithms::KexAlgorithm| {
            kex.name.contains("group16") || kex.name.contains("group18")
        };
        let before = KEXES.iter().take(usize::from(choice)).filter(slow).count();
        let choice = choice - u8::try_from(before).unwrap();
        let mut random = (SeededRandom::new(1), SeededRandom::new(2));
        let (first, mut client) = ClientMethod::start(algorithm, &mut random.0).unwrap();
        let mut server = ServerMethod::start(algorithm, None);
        let (mut to_server, mut to_client) = (vec![choice], vec![choice]);
        let mut message = first;
        loop {
            to_server.extend(piece(&message));
            let answer = match server.handle(&message, &mut random.1).unwrap() {
                ServerStep::Send(answer, next) => {
                    server = next;
                    to_client.extend(piece(&answer));
                    match client.handle(&answer, &mut random.0).unwrap() {
                        ClientStep::Send(next, state) => {
                            client = state;
                            message = next;
                            continue;
                        }
                        ClientStep::Done(_) => break,
                    }
                }
                ServerStep::Done(agreed) => agreed.reply(b"a host key", b"a signature"),
            };
            to_client.extend(piece(&answer));
            break;
        }
        seeds.add("kex_init", algorithm.name, to_server);
        seeds.add("kex_reply", algorithm.name, to_client);
    }
}

fn requests() -> Vec<(&'static str, Request<'static>)> {
    let (path, handle, attributes) = (&b"/path"[..], &b"\0\0\0\0"[..], Attributes::new());
    let full = Attributes {
        size: Some(3),
        owner: Some((1, 2)),
        permissions: Some(0o100_644),
        times: Some((4, 5)),
        ..Attributes::new()
    };
    let flags = OpenFlags(0x0b);
    let data = &b"data"[..];
    vec![
        (
            "open",
            Request::Open {
                path,
                flags,
                attributes: full,
            },
        ),
        (
            "read",
            Request::Read {
                handle,
                offset: 7,
                length: 100,
            },
        ),
        (
            "write",
            Request::Write {
                handle,
                offset: 7,
                data,
            },
        ),
        ("close", Request::Close { handle }),
        ("opendir", Request::Opendir { path }),
        ("readdir", Request::Readdir { handle }),
        ("stat", Request::Stat { path }),
        ("realpath", Request::Realpath { path }),
        ("mkdir", Request::Mkdir { path, attributes }),
        ("limits", Request::Extended(ExtendedRequest::Limits)),
    ]
}

fn replies() -> Vec<(&'static str, Reply<'static>)> {
    let name = Name {
        file_name: b"name".to_vec(),
        long_name: b"-rw-r--r-- name".to_vec(),
        attributes: Attributes::new(),
    };
    vec![
        ("ok", Reply::status(StatusCode::OK)),
        ("handle", Reply::Handle(b"\0\0\0\0")),
        ("data", Reply::Data(b"data")),
        ("name", Reply::Name(vec![name.clone(), name])),
        ("attrs", Reply::Attrs(Attributes::new())),
    ]
}

fn sftp(seeds: &mut Seeds) {
    let extensions = vec![Extension {
        name: b"limits@openssh.com".to_vec(),
        data: b"1".to_vec(),
    }];
    let init = written(|w| {
        Init {
            version: 3,
            extensions: Vec::new(),
        }
        .encode(w);
    });
    let version = Version {
        version: 3,
        extensions,
    };
    seeds.add("sftp_messages", "version", written(|w| version.encode(w)));
    let (mut now, mut later) = (vec![0], vec![1]);
    for session in [&mut now, &mut later] {
        session.extend(step(0, &init));
    }
    for (id, (name, request)) in (0..).zip(requests()) {
        let packet = written(|w| request.encode(id, w));
        now.extend(step(0, &packet));
        later.extend(step(0, &packet));
        later.extend(step(3, b""));
        seeds.add("sftp_messages", name, packet);
    }
    seeds.add("sftp_server", "at-once", now);
    seeds.add("sftp_server", "later", later);
    let (mut begun, mut answered, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for (id, (name, reply)) in (0_u8..).zip(replies()) {
        let packet = written(|w| reply.encode(u32::from(id), w));
        // The kinds that are expected, in the order of the replies.
        begun.push([0_u8, 4, 80, 12, 16][usize::from(id)]);
        answered.extend(step(3, &packet));
        taken.push(2);
        seeds.add("sftp_messages", format!("reply-{name}"), packet);
    }
    let given_up = [&begun[..], &[1, 1, 1, 1, 1], &answered].concat();
    seeds.add("sftp_client", "given-up", given_up);
    seeds.add("sftp_client", "taken", [begun, answered, taken].concat());
}

fn agent(seeds: &mut Seeds) {
    let key = user_key();
    let frame = |payload: Vec<u8>| {
        written(|w| {
            w.string(payload);
        })
    };
    let identities = frame(written(|w| {
        w.u8(12).u32(2);
        for _ in 0..2 {
            w.string(key.public().blob()).string("a comment");
        }
    }));
    let signature = key.sign("ssh-ed25519", b"data").unwrap();
    let signed = frame(written(|w| {
        w.u8(14).string(signature);
    }));
    let (yes, no) = (frame(vec![6]), frame(vec![5]));
    let dialogue = [
        &[6, 0, 2, 4, 5, 6, 7][..],
        &identities,
        &signed,
        &yes,
        &yes,
        &yes,
        &no,
    ];
    seeds.add("agent", "dialogue", dialogue.concat());
    seeds.add("agent", "refused", [&[2, 0, 2][..], &no, &no].concat());
}

fn local(seeds: &mut Seeds) {
    let dialogues: [(&str, &[u8]); 4] = [
        (
            "five",
            b"\xff\x05\x01\x00\x05\x01\x00\x03\x04host\x00\x50data",
        ),
        (
            "six",
            b"\x03\x05\x02\x00\x02\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x16",
        ),
        ("four", b"\xff\x04\x01\x00\x50\x7f\0\0\x01user\0"),
        (
            "four-a",
            b"\x01\x04\x01\x00\x50\0\0\0\x01user\0host.example.org\0",
        ),
    ];
    for (name, dialogue) in dialogues {
        seeds.add("socks", name, dialogue.to_vec());
    }
    let setup = |order: u8| {
        let number = |value: u16| match order {
            b'B' => value.to_be_bytes(),
            _ => value.to_le_bytes(),
        };
        let mut bytes = vec![255, order, 0];
        for value in [11, 0, 18, 16, 0] {
            bytes.extend(number(value));
        }
        bytes.extend(b"MIT-MAGIC-COOKIE-1\0\0");
        bytes.extend([1; 16]);
        bytes
    };
    seeds.add("x11", "big", setup(b'B'));
    seeds.add("x11", "little", setup(b'l'));
}

/// Calls of every kind, in an order that is as good as any.
fn calls(seeds: &mut Seeds) {
    for seed in 0..6_u8 {
        let mut bytes = vec![0; 300];
        SeededRandom::new(u64::from(seed)).fill(&mut bytes);
        seeds.add("c_packets", format!("random-{seed}"), bytes.clone());
        bytes[0] = seed;
        seeds.add(
            "c_transports",
            format!("random-{seed}"),
            bytes[..100].to_vec(),
        );
        seeds.add("codec", format!("random-{seed}"), bytes[..64].to_vec());
    }
}
