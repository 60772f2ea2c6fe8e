//! What a client says to a server that it has been connected to (RFC 4253 §7).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;

use super::{between, TIME};
use crate::driver::{Event, Transport};
use crate::messages::kex::KexInit;

struct Place(TcpListener);

impl Place {
    fn new() -> Self {
        Place(TcpListener::bind(("127.0.0.1", 0)).unwrap())
    }

    /// A connection to this place, both ends of it.
    fn connection(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.0.local_addr().unwrap()).unwrap();
        let (server, _) = self.0.accept().unwrap();
        let limit = Some(std::time::Duration::from_secs(20));
        server.set_read_timeout(limit).unwrap();
        (client, server)
    }

    /// A whole handshake with our server, which prefers these methods. Whether both sides preferred the same.
    fn handshake(&self, kex: &[&'static str]) -> bool {
        let (near, far) = self.connection();
        let (client, server) = between(near, far);
        let lists = |options: &mut crate::driver::TransportOptions| {
            let mut lists = options.preferences_for(crate::messages::Role::Server);
            lists.kex = kex.to_vec();
            options.preferences = Some(lists);
        };
        server.configure(lists).unwrap();
        let event = Event::new();
        server.start_server(Some(&event), TIME).unwrap();
        client.start_client(None, TIME).unwrap();
        client.negotiated().unwrap().preferred_by_both
    }
}

/// Reads the line of a client, and what follows until its KEXINIT is whole.
fn line_and_kexinit(stream: &mut TcpStream) -> Vec<u8> {
    let mut byte = [0];
    while byte != [b'\n'] {
        stream.read_exact(&mut byte).unwrap();
    }
    packet(stream)
}

/// Reads a packet that has no keys yet, and returns its payload.
fn packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut packet = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut packet).unwrap();
    let end = packet.len() - usize::from(packet[0]);
    packet[1..end].to_vec()
}

/// Begins a connection without our server, and returns the server's end.
fn begin(place: &Place) -> (Transport, TcpStream) {
    let (near, far) = place.connection();
    let client = Transport::from_socket(near.into_raw_fd()).unwrap();
    let insecure = |options: &mut crate::driver::TransportOptions| {
        options.insecure_accept_any_host_key = true;
    };
    client.configure(insecure).unwrap();
    client.start_client(Some(&Event::new()), TIME).unwrap();
    (client, far)
}

fn favourites() -> Vec<&'static str> {
    crate::crypto::algorithms::Preferences::default_client().kex
}

#[test]
fn a_server_that_is_known_is_told_everything_at_once() {
    let place = Place::new();
    place.handshake(&favourites());
    // It says nothing, and gets it all the same.
    let (client, mut far) = begin(&place);
    let payload = line_and_kexinit(&mut far);
    assert!(KexInit::decode(&payload).unwrap().first_kex_packet_follows);
    assert_eq!(packet(&mut far).first(), Some(&30));
    drop(far);
    // It went wrong, so nothing is taken for granted the next time.
    client.join(TIME).unwrap();
    let (_client, mut far) = begin(&place);
    far.write_all(b"SSH-2.0-libsshwire_0.1.0\r\n").unwrap();
    let payload = line_and_kexinit(&mut far);
    assert!(!KexInit::decode(&payload).unwrap().first_kex_packet_follows);
}

#[test]
fn a_server_that_has_changed_its_mind_is_talked_to_all_the_same() {
    let place = Place::new();
    let mut lists = favourites();
    assert!(place.handshake(&lists));
    assert!(place.handshake(&lists));
    // Ours prefers what is guessed, as long as it has that.
    lists.rotate_left(1);
    assert!(place.handshake(&lists));
    lists.pop();
    assert!(!place.handshake(&lists));
    let (_client, mut far) = begin(&place);
    far.write_all(b"SSH-2.0-libsshwire_0.1.0\r\n").unwrap();
    let payload = line_and_kexinit(&mut far);
    assert!(!KexInit::decode(&payload).unwrap().first_kex_packet_follows);
}

#[test]
fn another_port_is_another_server() {
    let (place, other) = (Place::new(), Place::new());
    place.handshake(&favourites());
    let (_client, mut far) = begin(&other);
    far.write_all(b"SSH-2.0-libsshwire_0.1.0\r\n").unwrap();
    let payload = line_and_kexinit(&mut far);
    assert!(!KexInit::decode(&payload).unwrap().first_kex_packet_follows);
}
