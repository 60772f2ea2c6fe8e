//! Which forwarded channels a client lets through.

use super::Side;
use crate::codec::Writer;
use crate::connection::{ConnectionEvent, ConnectionLimits, ForwardPoint, OpenKind};
use crate::error::Error;
use crate::messages::connection::{ChannelOpen, ChannelOpenFailure};
use crate::messages::Role;

fn tcp(host: &str, port: u16) -> ForwardPoint {
    ForwardPoint::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn forwarded(host: &str, port: u32) -> OpenKind {
    OpenKind::ForwardedTcpip {
        host: host.to_owned(),
        port,
        originator: String::from("192.0.2.1"),
        originator_port: 9,
    }
}

/// Whether the application is asked about an open; if it is not, the refusal must be "prohibited".
fn is_asked(side: &mut Side, kind: &OpenKind) -> bool {
    let specific = Writer::collect(|w| kind.encode(w));
    let message = ChannelOpen {
        kind: kind.name().as_bytes(),
        sender: 5,
        window_bytes: 1,
        max_packet_bytes: 1,
        specific: &specific,
    };
    side.gets(|w| message.encode(w)).unwrap();
    if let Some(event) = side.events.pop_front() {
        assert!(matches!(event, ConnectionEvent::OpenQuestion { .. }));
        assert!(side.sent().is_empty());
        return true;
    }
    assert_eq!(
        ChannelOpenFailure::decode(&side.sent()[0]).unwrap().reason,
        1
    );
    false
}

#[test]
fn f2_only_what_was_requested_and_is_live() {
    let mut side = Side::new(Role::Client);
    assert!(!is_asked(&mut side, &forwarded("localhost", 80)));
    side.layer.add_forward(tcp("localhost", 80)).unwrap();
    assert!(is_asked(&mut side, &forwarded("localhost", 80)));
    assert!(!is_asked(&mut side, &forwarded("localhost", 81)));
    assert!(!is_asked(&mut side, &forwarded("192.0.2.7", 80)));
    let elsewhere = OpenKind::ForwardedStreamlocal {
        path: String::from("/run/s"),
    };
    assert!(!is_asked(&mut side, &elsewhere));
    assert!(side.layer.remove_forward(&tcp("localhost", 80)));
    assert!(!side.layer.remove_forward(&tcp("localhost", 80)));
    assert!(!is_asked(&mut side, &forwarded("localhost", 80)));
}

#[test]
fn f2_a_chosen_port_lets_nothing_through_before_it_is_known() {
    let mut side = Side::new(Role::Client);
    side.layer.add_forward(tcp("", 0)).unwrap();
    assert!(!is_asked(&mut side, &forwarded("", 0)));
    assert!(!is_asked(&mut side, &forwarded("", 4000)));
    side.layer.forward_bound("", 4000);
    assert!(is_asked(&mut side, &forwarded("", 4000)));
    assert!(!is_asked(&mut side, &forwarded("", 4001)));
    assert!(side.layer.remove_forward(&tcp("", 4000)));
}

#[test]
fn f2_servers_may_name_all_addresses_and_the_loopback_differently() {
    let mut side = Side::new(Role::Client);
    side.layer.add_forward(tcp("", 80)).unwrap();
    side.layer.add_forward(tcp("localhost", 81)).unwrap();
    assert!(is_asked(&mut side, &forwarded("0.0.0.0", 80)));
    assert!(is_asked(&mut side, &forwarded("127.0.0.1", 81)));
    assert!(!is_asked(&mut side, &forwarded("127.0.0.1", 80)));
    assert!(!is_asked(&mut side, &forwarded("0.0.0.0", 81)));
}

#[test]
fn f2_sockets_are_compared_by_their_whole_path() {
    let mut side = Side::new(Role::Client);
    let socket = |path: &str| OpenKind::ForwardedStreamlocal {
        path: path.to_owned(),
    };
    let point = ForwardPoint::Unix {
        path: String::from("/run/s"),
    };
    side.layer.add_forward(point.clone()).unwrap();
    assert!(is_asked(&mut side, &socket("/run/s")));
    assert!(!is_asked(&mut side, &socket("/run/s2")));
    assert!(!is_asked(&mut side, &forwarded("/run/s", 1)));
    side.layer.remove_forward(&point);
    assert!(!is_asked(&mut side, &socket("/run/s")));
}

#[test]
fn f4_agent_and_x11_channels_need_leave_although_a_forward_is_live() {
    let mut side = Side::new(Role::Client);
    side.layer.add_forward(tcp("", 80)).unwrap();
    assert!(!is_asked(&mut side, &OpenKind::AuthAgent));
    let x11 = OpenKind::X11 {
        originator: String::from("::1"),
        originator_port: 1,
    };
    assert!(!is_asked(&mut side, &x11));
}

#[test]
fn forwards_are_bounded_and_distinct() {
    let limits = ConnectionLimits {
        max_forwards: 2,
        ..ConnectionLimits::default()
    };
    let mut side = Side::with(Role::Client, limits);
    side.layer.add_forward(tcp("a", 1)).unwrap();
    let again = side.layer.add_forward(tcp("a", 1));
    assert!(matches!(again, Err(Error::ApiMisuse(_))));
    side.layer.add_forward(tcp("a", 2)).unwrap();
    let beyond = side.layer.add_forward(tcp("a", 3));
    assert!(matches!(beyond, Err(Error::Limit(_))));
    side.layer.remove_forward(&tcp("a", 1));
    side.layer.add_forward(tcp("a", 3)).unwrap();
}
