//! Sessions with OpenSSH whose bytes pass through a relay that cuts, resets, delays or crumbles them at chosen places. Ours
//! on either end succeeds or says what happened, and nothing is left behind. `tests/c/relay.c` does so with ours on both
//! ends, at more places.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::need;
use crate::peers::{account, exec, key, peer, ssh_options, OurServer, Sshd};
use crate::process::{run, Noise, Scratch, LIMIT};

const DATA: usize = 5000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Carry,
    Cut,
    Reset,
    Pause,
    Crumble,
}

/// Where what happens to which direction: 0 is from the client to the server.
#[derive(Debug, Clone, Copy)]
struct Place {
    action: Action,
    direction: usize,
    byte: u64,
}

/// What both threads of a relayed connection share.
struct Carried {
    place: Place,
    /// The client's end and the server's.
    ends: [TcpStream; 2],
    bytes: [AtomicU64; 2],
    over: AtomicBool,
}

impl Carried {
    /// Carries one direction. What is to be done at the place is done by the thread whose direction it is.
    fn carry(&self, from: usize) {
        let (mut source, mut sink) = (&self.ends[from], &self.ends[1 - from]);
        let mine = self.place.direction == from && self.place.action != Action::Carry;
        let mut buffer = [0; 16384];
        while !self.over.load(Ordering::SeqCst) {
            let done = self.bytes[from].load(Ordering::SeqCst);
            let mut most = buffer.len();
            if mine && done == self.place.byte {
                match self.place.action {
                    Action::Cut | Action::Reset => {
                        self.over.store(true, Ordering::SeqCst);
                        return;
                    }
                    Action::Pause => thread::sleep(Duration::from_millis(30)),
                    _ => {}
                }
            } else if mine && done < self.place.byte {
                most = most.min(usize::try_from(self.place.byte - done).unwrap_or(most));
            }
            let crumbles = mine
                && self.place.action == Action::Crumble
                && (self.place.byte..self.place.byte + 64).contains(&done);
            match source.read(&mut buffer[..if crumbles { 1 } else { most }]) {
                Ok(0) => {
                    let _ = sink.shutdown(Shutdown::Write);
                    return;
                }
                Ok(count) => {
                    if sink.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                    self.bytes[from].fetch_add(count as u64, Ordering::SeqCst);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    let _ = sink.shutdown(Shutdown::Write);
                    return;
                }
            }
        }
    }
}

/// Relays one connection to the port `to`, and gives what it has carried when both sides are through.
fn relay(listener: TcpListener, to: u16, place: Place) -> thread::JoinHandle<[u64; 2]> {
    thread::spawn(move || {
        let (client, _) = listener.accept().expect("a client");
        let server = TcpStream::connect(("127.0.0.1", to)).expect("the server");
        for end in [&client, &server] {
            end.set_nodelay(true).expect("an option");
            // To see it when the other thread has ended the connection.
            let look = Some(Duration::from_millis(20));
            end.set_read_timeout(look).expect("an option");
        }
        let carried = Arc::new(Carried {
            place,
            ends: [client, server],
            bytes: [AtomicU64::new(0), AtomicU64::new(0)],
            over: AtomicBool::new(false),
        });
        let other = Arc::clone(&carried);
        let back = thread::spawn(move || other.carry(1));
        carried.carry(0);
        back.join().expect("the other direction");
        if place.action == Action::Reset {
            for end in &carried.ends {
                let now = Some(Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(end, now).expect("an option");
            }
        }
        [0, 1].map(|direction| carried.bytes[direction].load(Ordering::SeqCst))
    })
}

/// One session; `client` makes the command line to a port, up to the command. Says how much was carried.
fn session(client: &dyn Fn(u16) -> Command, server: u16, place: Place) -> [u64; 2] {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let relay = relay(listener, server, place);
    let mut data = vec![0; DATA];
    Noise::new(1).fill(&mut data);
    let output = run(client(port).arg("cat"), &data, LIMIT);
    let carried = relay.join().expect("the relay");
    let shown = format!("{place:?}, {:?}: {}", output.code(), output.stderr);
    assert!(data.starts_with(&output.stdout), "{shown}: other data");
    match output.code() {
        Some(0) => assert!(output.stdout == data, "{shown}: success without all data"),
        Some(255) => {
            assert!(
                matches!(place.action, Action::Cut | Action::Reset),
                "{shown}"
            );
            assert!(!output.stderr.trim().is_empty(), "{shown}: no word of it");
        }
        _ => panic!("{shown}"),
    }
    carried
}

/// Every `SSHWIRE_RELAY_STRIDE`th place of both directions, or a few dozen.
fn at_many_places(client: &dyn Fn(u16) -> Command, server: u16, after: &dyn Fn()) {
    let clean = Place {
        action: Action::Carry,
        direction: 0,
        byte: 0,
    };
    let totals = session(client, server, clean);
    assert!(
        totals.iter().all(|bytes| *bytes > DATA as u64),
        "{totals:?}"
    );
    after();
    let stride = std::env::var("SSHWIRE_RELAY_STRIDE").ok();
    let stride = stride.map(|text| text.parse::<u64>().expect("SSHWIRE_RELAY_STRIDE"));
    let actions = [Action::Cut, Action::Reset, Action::Crumble, Action::Pause];
    let mut turn = 0;
    for (direction, total) in totals.into_iter().enumerate() {
        let stride = stride.unwrap_or(total / 24).max(1) as usize;
        for byte in (0..=total).step_by(stride) {
            let place = Place {
                action: actions[turn % actions.len()],
                direction,
                byte,
            };
            turn += 1;
            session(client, server, place);
            after();
        }
    }
}

#[test]
fn our_client_with_sshd_through_a_relay() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let sshd = Sshd::start(&scratch, "");
    let (user, _) = account();
    let client = |port| {
        let mut command = exec(port, &user, "user_ed25519");
        command.arg("127.0.0.1");
        command
    };
    at_many_places(&client, sshd.port, &|| {});
}

/// Waits until our server has no more descriptors than `most`, and says how many it has. Without eventfds, of which the
/// library keeps a few for callers that wait.
fn comes_down(server: &OurServer, most: usize) -> usize {
    let folder = format!("/proc/{}/fd", server.id());
    let count = || {
        let all = fs::read_dir(&folder).expect("descriptors");
        // One that is closed meanwhile is none.
        let targets = all.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets
            .filter(|target| !target.to_string_lossy().contains("eventfd"))
            .count()
    };
    let end = Instant::now() + LIMIT;
    while count() > most && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    let left = count();
    assert!(
        left <= most,
        "{left} descriptors and not {most}: {}",
        server.log()
    );
    left
}

/// What our server has used of processors, in hundredths of seconds.
fn cpu_ticks(server: &OurServer) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("stat");
    // Behind the name in parentheses: the state is the third field, user and system time are the 14th and 15th.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields[at - 3].parse::<u64>().expect("ticks");
    ticks(14) + ticks(15)
}

#[test]
fn ssh_with_our_server_through_a_relay() {
    need!("SSH");
    let scratch = Scratch::new();
    let server = OurServer::start(&scratch, &[]);
    let client = |port: u16| {
        let mut command = peer("SSH");
        command.args(["-o", "LogLevel=INFO", "-p", &port.to_string()]);
        command.args(["-l", "tester", "-i"]);
        command.arg(key("user_ed25519"));
        command.args(ssh_options(&server, &scratch));
        // The host keys are known by the server's own port.
        let alias = format!("HostKeyAlias=[127.0.0.1]:{}", server.port);
        command.args(["-o", &alias, "-o", "BatchMode=yes", "127.0.0.1"]);
        command
    };
    let clean = Place {
        action: Action::Carry,
        direction: 0,
        byte: 0,
    };
    session(&client, server.port, clean);
    // What comes with the first session and stays is there now; if the session itself is not through yet, then all of the
    // others may leave no more than that behind.
    thread::sleep(Duration::from_millis(500));
    let steady = comes_down(&server, usize::MAX);
    at_many_places(&client, server.port, &|| {
        comes_down(&server, steady);
    });
    // Nobody is there: whoever still uses the processor spins.
    let before = cpu_ticks(&server);
    thread::sleep(Duration::from_secs(2));
    let used = cpu_ticks(&server) - before;
    assert!(used < 50, "{used} ticks of CPU for nothing");
}
