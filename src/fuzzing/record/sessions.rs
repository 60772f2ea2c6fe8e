//! Seeds from sessions: the bytes that one side hears, and the payloads in them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::{step, written, Seeds};
use crate::auth::{ClientAuth, ClientAuthEvent, ClientMethod};
use crate::connection::{ChannelId, ChannelRequest, Stream};
use crate::crypto::algorithms;
use crate::fuzzing::auth::{user_key, HOST_KEY, SESSION_ID};
use crate::fuzzing::peer::Peer;
use crate::messages::userauth::{MethodFields, UserauthFailure, UserauthRequest, METHOD_PASSWORD};
use crate::messages::{MessageNumber, Role};
use crate::packet::PayloadQueue;

pub(super) fn add(seeds: &mut Seeds) {
    for (name, compressed) in [("plain", false), ("compressed", true)] {
        session(seeds, name, compressed);
    }
    auth_server(seeds);
    auth_client(seeds);
}

/// What one side said.
#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    payloads: Vec<Vec<u8>>,
}

/// A whole session: log in, a channel, a command, data both ways, new keys, the end. What the client and the server said.
fn talk(compressed: bool) -> [Said; 2] {
    let mut now = Instant::now();
    let mut sides = [Role::Client, Role::Server].map(|role| Peer::new(role, compressed, now));
    let taps = sides.each_mut().map(|side| side.endpoint.record_sent());
    let mut said = [Said::default(), Said::default()];
    for round in 0..4 {
        extra(&mut sides, round, now);
        loop {
            now += Duration::from_millis(1);
            let sent = sides.each_mut().map(|side| {
                side.serve(now);
                side.endpoint.poll_transmit()
            });
            if sent.iter().all(Vec::is_empty) {
                break;
            }
            for (index, bytes) in sent.iter().enumerate() {
                said[index].bytes.extend(bytes);
                sides[1 - index].receive(bytes, now);
            }
        }
    }
    for side in &sides {
        assert!(side.authenticated, "{:?} {:?}", side.role, side.failed);
        assert_eq!(side.failed, None);
    }
    for (said, tap) in said.iter_mut().zip(taps) {
        said.payloads = tap.lock().unwrap().clone();
    }
    said
}

/// What the sides do beside answering.
fn extra([client, server]: &mut [Peer; 2], round: u8, now: Instant) {
    let id = ChannelId(0);
    match round {
        1 => {
            for side in [&mut *client, &mut *server] {
                side.endpoint.write(id, Stream::Data, &[7; 300]).unwrap();
            }
            server.endpoint.write(id, Stream::Stderr, b"text").unwrap();
        }
        2 => client.endpoint.rekey(now).unwrap(),
        3 => {
            for side in [client, server] {
                let role = side.role;
                let done = side.endpoint.command(now, |services| {
                    let (connection, out) = (&mut services.connection, &mut services.out);
                    if role == Role::Server {
                        connection.request(id, &ChannelRequest::ExitStatus(0), false, out)?;
                    }
                    connection.eof(id, out)?;
                    connection.close(id, out)
                });
                done.unwrap();
            }
        }
        _ => {}
    }
}

fn session(seeds: &mut Seeds, name: &'static str, compressed: bool) {
    let [client, server] = talk(compressed);
    // Odd: compressed. The rest is the root of the size of the pieces, none of which has more than one packet.
    let first = 2 * 5 + u8::from(compressed);
    let stream = |said: &Said| [&[first], &said.bytes[..]].concat();
    seeds.add("endpoint_server_bytes", name, stream(&client));
    seeds.add("endpoint_client_bytes", name, stream(&server));
    let settings = 1 + 8 * u8::from(compressed);
    for (target, said, begin) in [
        ("endpoint_server_messages", &client, &[settings][..]),
        ("endpoint_client_messages", &server, &[settings, 5, 0, 3]),
    ] {
        let services = said.payloads.iter().filter(|payload| payload[0] >= 50);
        let steps: Vec<_> = services.map(|payload| step(0, payload)).collect();
        seeds.add(target, name, [begin, &steps.concat()].concat());
    }
    if compressed {
        return;
    }
    for (target, said) in [
        ("connection_server", &client),
        ("connection_client", &server),
    ] {
        let services = said.payloads.iter().filter(|payload| payload[0] >= 80);
        let steps: Vec<_> = services.map(|payload| step(0, payload)).collect();
        // As a client: a channel of our own first.
        let own = match target {
            "connection_client" => &[1, 1, 0, 0, 0][..],
            _ => &[1],
        };
        seeds.add(target, name, [own, &steps.concat()].concat());
    }
    for (side, said) in [("client", &client), ("server", &server)] {
        for (index, payload) in said.payloads.iter().enumerate() {
            let number = payload[0];
            if number == MessageNumber::KEXINIT.0 {
                seeds.add("kexinit", format!("{side}-{index}"), payload.clone());
            } else if payload.len() < 1000 {
                let name = format!("{side}-{number}-{index}");
                seeds.add("messages", name, payload.clone());
            }
        }
    }
}

fn service_request() -> Vec<u8> {
    written(|w| {
        w.u8(MessageNumber::SERVICE_REQUEST.0)
            .string("ssh-userauth");
    })
}

fn service_accept() -> Vec<u8> {
    written(|w| {
        w.u8(MessageNumber::SERVICE_ACCEPT.0).string("ssh-userauth");
    })
}

/// The requests of a client that logs in by a method at once.
fn requests(method: ClientMethod) -> Vec<Vec<u8>> {
    let mut auth = ClientAuth::new(SESSION_ID, algorithms::user_signatures());
    auth.set_hostbound(Some(HOST_KEY.to_vec()));
    let (mut out, mut events) = (PayloadQueue::new(), VecDeque::new());
    auth.start("user", method, &mut out, &mut events).unwrap();
    auth.handle(&service_accept(), &mut out, &mut events)
        .unwrap();
    if let Some(ClientAuthEvent::Sign(job)) = events.pop_front() {
        let signature = job.key.sign(job.algorithm, &job.data);
        auth.provide_signature(job.id, signature, &mut out, &mut events)
            .unwrap();
    }
    std::iter::from_fn(|| out.pop()).collect()
}

fn methods() -> Vec<(&'static str, ClientMethod)> {
    vec![
        ("none", ClientMethod::None),
        (
            "password",
            ClientMethod::Password {
                password: Zeroizing::new(b"secret".to_vec()),
                fallback: false,
            },
        ),
        (
            "publickey",
            ClientMethod::PublicKey {
                key: user_key().into(),
                probe: false,
            },
        ),
        (
            "probe",
            ClientMethod::PublicKey {
                key: user_key().into(),
                probe: true,
            },
        ),
        (
            "interactive",
            ClientMethod::KeyboardInteractive {
                submethods: String::new(),
            },
        ),
    ]
}

fn auth_server(seeds: &mut Seeds) {
    for (name, method) in methods() {
        let steps: Vec<_> = requests(method).iter().map(|said| step(3, said)).collect();
        // Accepted, and for a dialogue first asked once more.
        let decide: &[u8] = match name {
            "interactive" => &[1, 0x46],
            _ => &[1, 0, 1, 0],
        };
        let mut session = [&[0][..], &steps.concat(), decide].concat();
        if name == "interactive" {
            session.extend(step(3, &[61, 0, 0, 0, 1, 0, 0, 0, 1, b'x']));
            session.extend([1, 0]);
        }
        seeds.add("auth_server", name, session);
    }
    let change = written(|w| {
        UserauthRequest {
            user: "user",
            service: "ssh-connection",
            method: METHOD_PASSWORD,
            fields: &written(|w| {
                MethodFields::Password {
                    password: b"old",
                    new_password: Some(b"new"),
                }
                .encode(w);
            }),
        }
        .encode(w);
    });
    let session = [
        &[7][..],
        &step(3, &service_request()),
        &step(3, &change),
        &[1, 7],
    ];
    seeds.add("auth_server", "change", session.concat());
}

fn auth_client(seeds: &mut Seeds) {
    let failure =
        |methods: &[&str], partial| written(|w| UserauthFailure::encode(w, methods, partial));
    let accept = step(8, &service_accept());
    let success = step(8, &[52]);
    let refuse = step(8, &failure(&["publickey", "password"], false));
    let partial = step(8, &failure(&["keyboard-interactive"], true));
    let banner = step(
        8,
        &written(|w| {
            w.u8(53).string("hello").string("");
        }),
    );
    let prompts = step(
        8,
        &written(|w| {
            w.u8(60).string("name").string("").string("").u32(1);
            w.string("Password: ").bool(false);
        }),
    );
    let key = user_key();
    let pk_ok = step(
        8,
        &written(|w| {
            w.u8(60).string("ssh-ed25519").string(key.public().blob());
        }),
    );
    let dialogues: [(&str, &[&[u8]]); 5] = [
        (
            "none",
            &[&[0, 0, 0], &accept, &banner, &refuse, &[1, 0], &success],
        ),
        (
            "password",
            &[
                &[0, 1, 1],
                &accept,
                &refuse,
                &[1, 1],
                &partial,
                &prompts,
                &[4, 0],
                &success,
            ],
        ),
        (
            "publickey",
            &[&[2, 2, 1], &accept, &pk_ok, &[6, 0], &success],
        ),
        (
            "interactive",
            &[
                &[0, 3, 0],
                &accept,
                &prompts,
                &[4, 0],
                &prompts,
                &[5],
                &[0, 0],
                &success,
            ],
        ),
        (
            "abandoned",
            &[&[0, 1, 0], &accept, &[7], &[0, 0], &refuse, &success],
        ),
    ];
    for (name, steps) in dialogues {
        seeds.add("auth_client", name, steps.concat());
    }
}
