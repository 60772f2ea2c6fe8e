//! Events that channels set.

use super::*;

const NAME: Option<u64> = Some(7);

const READABLE: ChannelInterest = ChannelInterest::READABLE;
const WRITABLE: ChannelInterest = ChannelInterest {
    readable: false,
    writable: true,
    ..READABLE
};
const CLOSED: ChannelInterest = ChannelInterest {
    readable: false,
    closed: true,
    ..READABLE
};

#[test]
fn an_event_tells_of_readable_data() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let event = Event::new();
    ours.set_event(&event, READABLE).unwrap();
    assert!(!event.is_set());
    theirs.write(Stream::Data, b"x", TIME).unwrap();
    assert!(event.wait(TIME));
    assert_eq!(event.take_setter(), None);
}

#[test]
fn an_event_tells_who_has_set_it() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let event = Event::new();
    ours.set_event_as(&event, READABLE, NAME).unwrap();
    assert_eq!(event.take_setter(), None);
    theirs.write(Stream::Data, b"x", TIME).unwrap();
    assert!(event.wait(TIME));
    assert_eq!(event.take_setter(), NAME);
    assert_eq!(event.take_setter(), None);
    ours.set_event_as(&event, READABLE, NAME).unwrap();
    assert_eq!(event.take_setter(), NAME, "it holds already");
}

#[test]
fn an_event_tells_of_a_channel_that_opens_or_does_not() {
    let (client, server) = connected();
    // The callback of `serve_all` would be asked first.
    server.set_callback(RequestKind::ChannelOpen, None);
    server.set_pull(true);
    for accepted in [true, false] {
        let event = Event::new();
        let channel = client.begin_channel(OpenKind::Session, None).unwrap();
        channel.set_event_as(&event, WRITABLE, NAME).unwrap();
        // A write that fails does not wait either.
        assert_eq!(event.take_setter(), NAME);
        event.reset();
        let question = server.next_request(TIME).unwrap();
        assert!(!event.is_set());
        if accepted {
            question.accept().unwrap();
        } else {
            drop(question);
        }
        assert!(event.wait(TIME));
        assert_eq!(event.take_setter(), NAME);
        assert_eq!(
            channel.open_outcome().map(|outcome| outcome.is_ok()),
            Some(accepted)
        );
    }
}

#[test]
fn an_event_tells_of_a_channel_that_takes_no_more() {
    let (client, server) = connected();
    let (ours, _theirs) = open(&client, &server);
    ours.send_eof().unwrap();
    let event = Event::new();
    ours.set_event(&event, WRITABLE).unwrap();
    assert!(event.is_set());
}

#[test]
fn data_of_a_channel_that_carries_a_transport_are_not_told() {
    let (client, server) = connected();
    let (ours, theirs) = open(&client, &server);
    let (readable, closed) = (Event::new(), Event::new());
    ours.set_event(&readable, READABLE).unwrap();
    ours.set_event(&closed, CLOSED).unwrap();
    let _above = Transport::from_channel(ours).unwrap();
    theirs.write(Stream::Data, b"SSH-2.0-x\r\n", TIME).unwrap();
    drop(theirs);
    assert!(closed.wait(TIME));
    assert!(!readable.is_set());
}
