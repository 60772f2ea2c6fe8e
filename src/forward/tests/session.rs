//! Agent and display.

use super::*;
use crate::agent::Agent;
use crate::codec::Writer;
use crate::connection::ChannelId;

/// A session channel of the client, accepted by the server.
fn session_channel(session: &Session) -> Channel {
    let accept = |request: Request| request.accept().unwrap();
    session
        .server
        .set_callback(RequestKind::ChannelOpen, Some(Arc::new(accept)));
    session
        .client
        .open_channel(OpenKind::Session, TIME)
        .unwrap()
}

#[test]
fn f4_the_agent_is_reached_by_who_was_let_and_by_nobody_else() {
    let session = Session::refusing();
    let (agent, there) = (scratch("agent"), scratch("agent-there"));
    let listener = UnixListener::bind(&agent).unwrap();
    let channel = session_channel(&session);
    let unasked = session.server.open_channel(OpenKind::AuthAgent, TIME);
    assert!(matches!(
        unasked.err(),
        Some(Error::ChannelOpenRefused { reason: 1, .. })
    ));
    // The server does not want it, so it may not use it either.
    let denied = request_agent(&channel, Some(unix(&agent)), TIME);
    assert!(matches!(denied, Err(Error::RequestDenied)));
    assert!(session
        .server
        .open_channel(OpenKind::AuthAgent, TIME)
        .is_err());

    let path = unix(&there);
    let serving = move |request: Request| serve_agent(&request, &path).unwrap();
    session
        .server
        .set_callback(RequestKind::AgentForward, Some(Arc::new(serving)));
    request_agent(&channel, Some(unix(&agent)), TIME).unwrap();
    let mut program = UnixStream::connect(&there).unwrap();
    program.write_all(b"list keys").unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    // First it hears which session it is forwarded over; this one does not know of such things.
    let bound = answer_frame(&mut stream, &[5]);
    assert!(bound.starts_with(b"\x1b\0\0\0\x18session-bind@openssh.com"));
    let mut heard = [0; 9];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"list keys");
    stream.write_all(b"none").unwrap();
    drop(stream);
    let mut answer = String::new();
    program.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "none");
    // Without a socket the channels go to the queue.
    std::fs::remove_file(&there).unwrap();
    let second = session_channel(&session);
    request_agent(&second, None, TIME).unwrap();
    let opened = session.server.open_channel(OpenKind::AuthAgent, TIME);
    assert!(opened.is_ok() && session.client.accept(TIME).is_ok());
    // To a client that asks, a server's wish for an agent means nothing.
    let turned = session.server.accept(TIME).unwrap();
    let wish = crate::connection::ChannelRequest::AgentForward;
    assert!(matches!(
        turned.request(&wish, true, TIME),
        Err(Error::RequestDenied)
    ));
    std::fs::remove_file(&agent).unwrap();
}

/// Reads the request of a frame and says `answer`.
fn answer_frame(stream: &mut UnixStream, answer: &[u8]) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut request).unwrap();
    let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, answer].concat()).unwrap();
    request
}

#[test]
fn a_server_asks_the_agent_of_its_client() {
    let session = Session::refusing();
    let (agent, there) = (scratch("asked"), scratch("asked-there"));
    let listener = UnixListener::bind(&agent).unwrap();
    let channel = session_channel(&session);
    let path = unix(&there);
    let serving = move |request: Request| serve_agent(&request, &path).unwrap();
    session
        .server
        .set_callback(RequestKind::AgentForward, Some(Arc::new(serving)));
    request_agent(&channel, Some(unix(&agent)), TIME).unwrap();
    let keeper = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let bound = answer_frame(&mut stream, &[6]);
        let key = b"\x0c\0\0\0\x01\0\0\0\x0f\0\0\0\x0bssh-ed25519\0\0\0\x02me";
        (bound, answer_frame(&mut stream, key))
    });
    let opened = session.server.open_channel(OpenKind::AuthAgent, TIME);
    let asked = Agent::over_channel(opened.unwrap());
    let found = asked.identities(TIME).unwrap();
    assert_eq!((found.len(), found[0].comment.as_str()), (1, "me"));
    let (bound, request) = keeper.join().unwrap();
    // What the agent is told is what the client knows of the session.
    let proof = session.client.session_proof().unwrap();
    let told = Writer::collect(|w| {
        w.u8(27).string("session-bind@openssh.com");
        w.string(&proof.host_key).string(&proof.session_id);
        w.string(&proof.signature).bool(true);
    });
    assert_eq!((bound, request), (told, vec![11]));
    assert_eq!(session.server.session_id().unwrap(), proof.session_id);
    let host_key = session.client.remote_host_key().unwrap();
    let name = host_key.signature_algorithms()[0];
    assert!(host_key.verify(name, &proof.session_id, &proof.signature));
    // Nobody is there any more.
    assert!(matches!(asked.identities(TIME), Err(Error::Agent(_))));
    for file in [agent, there] {
        let _ = std::fs::remove_file(file);
    }
}

/// The beginning of an X11 connection.
fn x11_setup(cookie: &[u8]) -> Vec<u8> {
    let mut setup = b"l\0\x0b\0\0\0\x12\0\x10\0\0\0MIT-MAGIC-COOKIE-1\0\0".to_vec();
    setup.extend_from_slice(cookie);
    setup
}

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    (0..hexadecimal.len() / 2)
        .map(|at| u8::from_str_radix(&hexadecimal[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

#[test]
fn f4_the_display_is_reached_with_the_cookie_that_was_made_and_learns_its_own() {
    let session = Session::refusing();
    let channel = session_channel(&session);
    let display = scratch("display");
    let listener = UnixListener::bind(&display).unwrap();
    let x11 = |channel: &Channel, single| {
        let display = Display {
            place: Some(unix(&display)),
            cookie: b"the real cookie!".to_vec(),
            screen: 0,
            single,
        };
        request_x11(channel, display, TIME)
    };
    assert!(matches!(x11(&channel, false), Err(Error::RequestDenied)));
    let (tell, told) = std::sync::mpsc::channel();
    let serving = move |request: Request| tell.send(serve_x11(&request).unwrap()).unwrap();
    session
        .server
        .set_callback(RequestKind::X11, Some(Arc::new(serving)));
    let fake = bytes_of(&x11(&channel, false).unwrap());
    assert_eq!(fake.len(), 16);
    let number = told.recv_timeout(HANG).unwrap();
    assert!(number >= 10);
    let program = |cookie: &[u8]| {
        let mut stream = connect(6000 + number);
        stream.write_all(&x11_setup(cookie)).unwrap();
        stream
    };
    let mut good = program(&fake);
    good.write_all(b"draw").unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut heard = vec![0; x11_setup(&fake).len() + 4];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(
        heard,
        [&x11_setup(b"the real cookie!")[..], b"draw"].concat()
    );
    stream.write_all(b"drawn").unwrap();
    good.read_exact(&mut [0; 5]).unwrap();
    // With another cookie, its own even, the display hears nothing.
    let mut bad = program(b"the real cookie!");
    let (mut stream, _) = listener.accept().unwrap();
    assert!(!matches!(bad.read(&mut [0; 9]), Ok(1..)));
    assert!(!matches!(stream.read(&mut [0; 9]), Ok(1..)));

    // One connection, where one is all that is wanted.
    let second = session_channel(&session);
    let fake = bytes_of(&x11(&second, true).unwrap());
    let number = told.recv_timeout(HANG).unwrap();
    let mut only = connect(6000 + number);
    only.write_all(&x11_setup(&fake)).unwrap();
    let _one = listener.accept().unwrap();
    let kind = OpenKind::X11 {
        originator: String::from("127.0.0.1"),
        originator_port: 1,
    };
    assert!(session.server.open_channel(kind, TIME).is_err());
    std::fs::remove_file(&display).unwrap();
}

#[test]
fn displays_and_agents_are_bounded_and_end_with_their_sessions() {
    let session = Session::refusing();
    let (tell, told) = std::sync::mpsc::channel();
    let serving = move |request: Request| match serve_x11(&request) {
        Ok(number) => tell.send(Some(number)).unwrap(),
        // The request is refused by being dropped.
        Err(error) => {
            assert!(matches!(error, Error::Limit(_)), "{error:?}");
            tell.send(None).unwrap();
        }
    };
    let serving = Arc::new(serving);
    session.server.set_callback(RequestKind::X11, Some(serving));
    let asks = |channel: &Channel| {
        let display = Display {
            place: None,
            cookie: b"cookie".to_vec(),
            screen: 0,
            single: false,
        };
        let granted = request_x11(channel, display, TIME).is_ok();
        let number = told.recv_timeout(HANG).unwrap();
        assert_eq!(granted, number.is_some());
        number
    };
    let mut channels: Vec<_> = (0..33).map(|_| session_channel(&session)).collect();
    let first = asks(&channels[0]).unwrap();
    assert_eq!(asks(&channels[0]), None, "a second one of one session");
    for channel in &channels[1..32] {
        asks(channel).unwrap();
    }
    assert_eq!(asks(&channels[32]), None, "more than one client may have");
    drop(connect(6000 + first));
    let ended = channels.remove(0);
    ended.close().unwrap();
    let until = Instant::now() + HANG;
    while TcpStream::connect(("127.0.0.1", 6000 + first)).is_ok() {
        assert!(Instant::now() < until, "the display outlives its session");
        std::thread::sleep(Duration::from_millis(5));
    }
    asks(&channels[31]).unwrap();
}

/// Has the server be the agent at this path, and hands its requests over.
fn agent_requests(session: &Session) -> std::sync::mpsc::Receiver<Request> {
    let (tell, told) = std::sync::mpsc::channel();
    let asked = move |request: Request| tell.send(request).unwrap();
    let kind = RequestKind::AgentForward;
    session.server.set_callback(kind, Some(Arc::new(asked)));
    told
}

/// A session with an agent at `there`: the client's channel, and the server's.
fn with_agent(session: &Session, there: &std::path::Path) -> (Channel, Channel) {
    let path = unix(there);
    let serving = move |request: Request| {
        serve_agent(&request, &path).unwrap();
        let again = serve_agent(&request, &path);
        assert!(matches!(again, Err(Error::ApiMisuse(_))), "{again:?}");
    };
    session
        .server
        .set_callback(RequestKind::AgentForward, Some(Arc::new(serving)));
    let channel = session_channel(session);
    request_agent(&channel, None, TIME).unwrap();
    (channel, session.server.accept(TIME).unwrap())
}

#[test]
fn an_agent_ends_with_its_session_whoever_lets_go_first() {
    let (session, holds) = Session::held();
    let there = scratch("let-go");
    for number in 0..40 {
        let (channel, served) = with_agent(&session, &there);
        drop(UnixStream::connect(&there).unwrap());
        // The client's CLOSE comes when nobody has the channel any more, and each way of letting go is enough.
        holds.store(true, Ordering::SeqCst);
        if number % 2 == 0 {
            served.close().unwrap();
            until("nobody listens", || UnixStream::connect(&there).is_err());
        }
        drop(served);
        until("nobody listens", || UnixStream::connect(&there).is_err());
        holds.store(false, Ordering::SeqCst);
        channel.wait_closed(TIME).unwrap();
    }
}

#[test]
fn a_session_that_is_over_gets_no_agent() {
    let session = Session::refusing();
    let asked = agent_requests(&session);
    let there = scratch("too-late");
    for number in 0..40 {
        let channel = session_channel(&session);
        let wish = crate::connection::ChannelRequest::AgentForward;
        channel.request(&wish, false, TIME).unwrap();
        let request = asked.recv_timeout(HANG).unwrap();
        let served = session.server.accept(TIME).unwrap();
        served.close().unwrap();
        if number % 2 == 0 {
            channel.close().unwrap();
            served.wait_closed(TIME).unwrap();
        }
        let noted = session.server.note_session_listening(
            ChannelId(served.id()),
            RequestKind::AgentForward,
            Box::new(|| ()),
        );
        assert!(matches!(noted, Err(Error::Closed)), "left behind");
        drop(served);
        let late = serve_agent(&request, &unix(&there));
        assert!(matches!(late, Err(Error::Closed)), "{late:?}");
        assert!(UnixStream::connect(&there).is_err());
        // It counts as answered, and that is what a second call says.
        let again = serve_agent(&request, &unix(&there));
        assert!(
            matches!(again, Err(Error::ApiMisuse(_) | Error::Closed)),
            "{again:?}"
        );
    }
    // None of them has taken a place.
    let (_channel, _served) = with_agent(&session, &there);
    drop(UnixStream::connect(&there).unwrap());
}

#[test]
fn a_refused_request_takes_nothing_from_those_before_it() {
    let session = Session::refusing();
    let there = scratch("kept");
    let (channel, _served) = with_agent(&session, &there);
    // The same session has one already, and another one is refused.
    let other = session_channel(&session);
    let refuse = |request: Request| drop(request);
    session
        .server
        .set_callback(RequestKind::AgentForward, Some(Arc::new(refuse)));
    for asking in [&channel, &other] {
        let denied = request_agent(asking, None, TIME);
        assert!(matches!(denied, Err(Error::RequestDenied)), "{denied:?}");
        let (opened, _) = (
            session.server.open_channel(OpenKind::AuthAgent, TIME),
            session.client.accept(TIME).unwrap(),
        );
        opened.unwrap();
    }
}
