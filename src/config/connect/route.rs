//! The way to a host: directly, through the channel of a jump host, or through a command.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::Duration;

use super::login::Login;
use super::policy::{self, Policy};
use super::proxy::Proxy;
use super::revoked;
use super::Program;
use crate::config::{Config, Hop, Resolved, Surroundings, MAX_HOPS};
use crate::connection::OpenKind;
use crate::crypto::algorithms::{apply, Preferences};
use crate::crypto::preferences;
use crate::driver::{Deadline, Reach, Timeout, Transport};
use crate::error::Error;
use crate::packet::RekeyLimits;

/// For connecting and for the first key exchange, unless ConnectTimeout says otherwise.
const DEFAULT_CONNECT: Duration = Duration::from_secs(30);
/// Between two attempts to connect, as for ssh.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

pub(super) struct Journey<'a> {
    config: &'a Config,
    surroundings: &'a dyn Surroundings,
    program: &'a dyn Program,
    deadline: Deadline,
    /// All that were made, the first one first.
    made: Vec<Transport>,
    hops: usize,
}

/// How a host was reached.
struct Way {
    transport: Transport,
    proxy: Option<Proxy>,
    /// Whether it is this machine. What a host on the way, or a command, calls localhost is another one.
    is_local: bool,
}

impl Way {
    fn around(transport: Transport, proxy: Option<Proxy>) -> Self {
        Way {
            transport,
            proxy,
            is_local: false,
        }
    }
}

impl<'a> Journey<'a> {
    pub(super) fn new(
        config: &'a Config,
        surroundings: &'a dyn Surroundings,
        program: &'a dyn Program,
        deadline: Deadline,
    ) -> Self {
        Journey {
            config,
            surroundings,
            program,
            deadline,
            made: Vec::new(),
            hops: 0,
        }
    }

    /// The transports below the last one.
    pub(super) fn below(mut self) -> Vec<Transport> {
        self.made.pop();
        self.made
    }

    pub(super) fn release(&self) {
        for transport in self.made.iter().rev() {
            transport.release();
        }
    }

    /// Goes to a host and logs in. `through` are the hosts to go through where the caller knows them; otherwise its own
    /// configuration does.
    pub(super) fn reach(
        &mut self,
        resolved: &Resolved,
        through: Option<Vec<Hop>>,
    ) -> Result<Transport, Error> {
        let reached = self.reach_unnamed(resolved, through);
        reached.map_err(|error| at_host(resolved, error))
    }

    fn reach_unnamed(
        &mut self,
        resolved: &Resolved,
        through: Option<Vec<Hop>>,
    ) -> Result<Transport, Error> {
        // Hosts that are set up to be reached through each other.
        self.hops = self.hops.saturating_add(1);
        if self.hops > MAX_HOPS.saturating_add(1) {
            return Err(Error::Limit(
                "the number of jump hosts; are two of them reached through each other?",
            ));
        }
        let Way {
            transport,
            proxy,
            is_local,
        } = self.stream(resolved, through)?;
        self.made.push(transport.clone());
        let policy = Policy::new(resolved, is_local)?;
        self.program.made(&transport, policy.attached())?;
        configure(&transport, resolved, &policy)?;
        transport.start_client(None, self.step(connect_time(resolved)))?;
        if let Some(proxy) = proxy {
            proxy.ends_with(&transport)?;
        }
        let login = Login::new(
            &transport,
            resolved,
            self.surroundings,
            &policy,
            self.deadline,
        );
        login.run()?;
        let interval = resolved.number("ServerAliveInterval").unwrap_or(0);
        let most = resolved
            .number("ServerAliveCountMax")
            .and_then(|most| u32::try_from(most).ok());
        if interval > 0 {
            transport.set_keepalive(Duration::from_secs(interval), most.unwrap_or(3), None)?;
        }
        Ok(transport)
    }

    fn stream(&mut self, resolved: &Resolved, through: Option<Vec<Hop>>) -> Result<Way, Error> {
        let mut through = match through {
            Some(through) => through,
            None => resolved.jumps().to_vec(),
        };
        if let Some(last) = through.pop() {
            let hop = self.config.resolve_jump(&last, self.surroundings)?;
            // The hosts before it, or what its own configuration says.
            let before = (!through.is_empty()).then_some(through);
            let below = self
                .reach(&hop, before)
                .and_then(|below| below.require_certain_host_key().map(|()| below))
                .map_err(|error| at_jump_host(&hop, error))?;
            return Ok(Way::around(self.within(&below, resolved)?, None));
        }
        match resolved.text("ProxyCommand") {
            Some(command) => self.behind(command),
            None => {
                let transport = self.directly(resolved)?;
                Ok(Way {
                    is_local: is_local(&transport),
                    transport,
                    proxy: None,
                })
            }
        }
    }

    fn within(&self, below: &Transport, resolved: &Resolved) -> Result<Transport, Error> {
        let kind = OpenKind::DirectTcpip {
            host: resolved.host_name().to_owned(),
            port: u32::from(resolved.port()),
            originator: "127.0.0.1".into(),
            originator_port: 0,
        };
        let channel = below.open_channel(kind, self.step(connect_time(resolved)))?;
        Transport::from_channel(channel)
    }

    fn behind(&self, command: &str) -> Result<Way, Error> {
        if let Some(socket) = self.program.proxy(command) {
            return Ok(Way::around(Transport::from_socket(socket?)?, None));
        }
        let (socket, proxy) = Proxy::run(command, self.surroundings)?;
        let transport = Transport::from_socket(socket.as_raw_fd())?;
        // It is the transport's from now on.
        let _ = socket.into_raw_fd();
        Ok(Way::around(transport, Some(proxy)))
    }

    fn directly(&self, resolved: &Resolved) -> Result<Transport, Error> {
        let reach = reach_of(resolved)?;
        let attempts = resolved.number("ConnectionAttempts").unwrap_or(1).max(1);
        let mut attempt = 1;
        loop {
            let Timeout::After(time) = self.step(connect_time(resolved)) else {
                return Err(Error::Bug("a step without a limit"));
            };
            let deadline = Timeout::After(time).deadline();
            match Transport::from_host(resolved.host_name(), resolved.port(), &reach, deadline) {
                Err(error) if attempt < attempts && !self.deadline.has_passed() => drop(error),
                outcome => return outcome,
            }
            attempt = attempt.saturating_add(1);
            std::thread::sleep(
                self.deadline
                    .remaining()
                    .map_or(BETWEEN_ATTEMPTS, |left| left.min(BETWEEN_ATTEMPTS)),
            );
        }
    }

    /// No longer than a step may take, nor than there is time.
    fn step(&self, most: Duration) -> Timeout {
        Timeout::After(
            self.deadline
                .remaining()
                .map_or(most, |left| left.min(most)),
        )
    }
}

/// Whom it is about, where the error itself does not say: an alias may lead over several hosts.
fn at_host(resolved: &Resolved, cause: Error) -> Error {
    match cause {
        Error::Io { .. }
        | Error::Timeout(_)
        | Error::Expired(_)
        | Error::ChannelOpenRefused { .. } => Error::At {
            place: format!("{} port {}", resolved.host_name(), resolved.port()),
            cause: Box::new(cause),
        },
        cause => cause,
    }
}

/// The same for a host on the way, of which the application may not know that it is one.
fn at_jump_host(resolved: &Resolved, cause: Error) -> Error {
    match cause {
        cause @ (Error::At { .. } | Error::Resolve { .. } | Error::Cancelled) => cause,
        cause => Error::At {
            place: format!(
                "jump host {}@{} port {}",
                resolved.user(),
                resolved.host_name(),
                resolved.port()
            ),
            cause: Box::new(cause),
        },
    }
}

fn connect_time(resolved: &Resolved) -> Duration {
    match resolved.number("ConnectTimeout") {
        Some(seconds) if seconds > 0 => Duration::from_secs(seconds),
        _ => DEFAULT_CONNECT,
    }
}

fn reach_of(resolved: &Resolved) -> Result<Reach, Error> {
    let from = resolved
        .values("BindAddress")
        .and_then(|values| values.first());
    let from = from.map(|value| match value.text.parse::<IpAddr>() {
        Ok(address) => Ok(address),
        Err(_) => Err(value.fault("BindAddress is an IP address of this machine")),
    });
    Ok(Reach {
        is_v6: match resolved.text("AddressFamily") {
            Some("inet") => Some(false),
            Some("inet6") => Some(true),
            _ => None,
        },
        from: from.transpose()?,
        keepalive: resolved.is_yes("TCPKeepAlive"),
    })
}

/// The lists that the configuration leaves of those of this build.
fn preferences_of(resolved: &Resolved) -> Result<Preferences, Error> {
    let mut lists = Preferences::default_client();
    let changes = [
        ("KexAlgorithms", &mut lists.kex, preferences::known_kex()),
        ("Ciphers", &mut lists.cipher, preferences::known_cipher()),
        ("MACs", &mut lists.mac, preferences::known_mac()),
        (
            "HostKeyAlgorithms",
            &mut lists.host_key,
            preferences::known_host_key(),
        ),
    ];
    for (keyword, list, known) in changes {
        let Some(value) = resolved.values(keyword).and_then(|values| values.first()) else {
            continue;
        };
        let changed =
            apply(list, &known, &value.text).map_err(|unknown| value.fault(unknown.to_string()))?;
        if changed.is_empty() {
            return Err(value.fault(format!("{keyword} leaves no algorithm; name one at least")));
        }
        *list = changed;
    }
    Ok(lists)
}

fn configure(transport: &Transport, resolved: &Resolved, policy: &Policy) -> Result<(), Error> {
    let lists = preferences_of(resolved)?;
    let (bytes, seconds) = resolved.rekey_limit();
    let handshake = connect_time(resolved);
    let revoked = revoked::load(resolved)?;
    transport.configure(|options| {
        options.revoked_host_keys = revoked;
        options.min_rsa_bits = policy::min_rsa_bits(resolved);
        options.fingerprint_hash = policy::hash_of(resolved);
        options.preferences = Some(lists);
        if resolved.is_yes("Compression") {
            options.compress = Some(true);
        }
        let usual = RekeyLimits::default();
        options.rekey = RekeyLimits {
            bytes: if bytes > 0 { bytes } else { usual.bytes },
            time: if seconds > 0 {
                Duration::from_secs(seconds)
            } else {
                usual.time
            },
            ..usual
        };
        options.handshake_timeout = handshake;
        policy.install(options);
    })
}

fn is_local(transport: &Transport) -> bool {
    transport
        .peer_address()
        .and_then(|(address, _)| address.parse::<IpAddr>().ok())
        .is_some_and(|address| address.to_canonical().is_loopback())
}
