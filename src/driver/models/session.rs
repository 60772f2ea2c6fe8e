//! A client and a server of this library, whole, over sockets in memory.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use zeroize::Zeroizing;

use super::check::Model;
use crate::auth::{AuthOutcome, ClientMethod};
use crate::connection::{OpenKind, Stream};
use crate::crypto::preferences::Preferences;
use crate::crypto::random::SystemRandom;
use crate::driver::sys::model as system;
use crate::driver::{Channel, Event, Read, Request, RequestKind, Timeout, Transport};
use crate::keys::{KeyKind, PrivateKey};

/// Of sessions: longer than the I/O thread takes to look after what callers have left, and shorter than all that ends
/// by itself.
pub(super) const MODEL: Model = Model {
    schedules: 100,
    patience: Duration::from_millis(100),
    io_threads: 1,
};

pub(super) fn spawn<R: Send + 'static>(
    run: impl FnOnce() -> R + Send + 'static,
) -> shuttle::thread::JoinHandle<R> {
    shuttle::thread::spawn(run)
}

/// Two transports that have not begun to talk.
pub(super) fn strangers() -> (Transport, Transport) {
    let (client, server) = system::socket_pair();
    (
        Transport::from_socket(client).unwrap(),
        Transport::from_socket(server).unwrap(),
    )
}

/// The server accepts whoever comes, and whatever they want; of all algorithms, both know the quickest.
pub(super) fn agree(client: &Transport, server: &Transport) {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    let key =
        KEY.get_or_init(|| PrivateKey::generate(KeyKind::Ed25519, 0, &mut SystemRandom).unwrap());
    for transport in [client, server] {
        transport
            .configure(|options| {
                options.insecure_accept_any_host_key = true;
                options.preferences = Some(Preferences {
                    kex: vec!["curve25519-sha256"],
                    ..Preferences::default_client()
                });
                options.tells_host_keys = false;
                options.server_auth.methods = vec![String::from("password")];
                options.connection.window_initial = 64;
                options.connection.window_max = 64;
            })
            .unwrap();
    }
    server.add_server_key(key.clone()).unwrap();
    for kind in [
        RequestKind::AuthPassword,
        RequestKind::ChannelOpen,
        RequestKind::WindowChange,
    ] {
        let accept = |request: Request| request.accept().unwrap();
        server.set_callback(kind, Some(Arc::new(accept)));
    }
}

/// Logs in. One of them stays with the caller, who goes to the socket while waiting.
pub(super) fn log_in(client: &Transport, server: &Transport) {
    server
        .start_server(Some(&Event::new()), Timeout::Forever)
        .unwrap();
    client.start_client(None, Timeout::Forever).unwrap();
    let method = ClientMethod::Password {
        password: Zeroizing::new(b"secret".to_vec()),
        fallback: false,
    };
    let outcome = client
        .authenticate("user", method, None, Timeout::Forever)
        .unwrap();
    assert!(matches!(outcome, Some(AuthOutcome::Success)));
}

pub(super) fn connected() -> (Transport, Transport) {
    let (client, server) = strangers();
    agree(&client, &server);
    log_in(&client, &server);
    (client, server)
}

pub(super) fn open(client: &Transport, server: &Transport) -> (Channel, Channel) {
    let ours = client
        .open_channel(OpenKind::Session, Timeout::Forever)
        .unwrap();
    (ours, server.accept(Timeout::Forever).unwrap())
}

/// All that comes until the end of file.
pub(super) fn read_to_end(channel: &Channel) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 48];
    loop {
        match channel
            .read(Stream::Data, &mut buffer, Timeout::Forever)
            .unwrap()
        {
            Read::Data(count) => all.extend_from_slice(&buffer[..count]),
            Read::Eof => return all,
        }
    }
}

pub(super) fn write(channel: &Channel, data: &[u8]) {
    let written = channel.write(Stream::Data, data, Timeout::Forever);
    assert_eq!(written, Ok(data.len()));
}

pub(super) fn pattern(len: u8) -> Vec<u8> {
    (0..len).collect()
}

/// Ends both, and waits until nothing of them is left.
pub(super) fn part(client: &Transport, server: &Transport) {
    client.close();
    client.join(Timeout::Forever).unwrap();
    server.join(Timeout::Forever).unwrap();
}
