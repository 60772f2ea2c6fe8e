//! What a server says with the answer to a question, and not before it.

use std::sync::mpsc;
use std::time::Instant;

use super::*;

/// Until a thread has surely sent what it has to say.
const MOMENT: Duration = Duration::from_millis(30);

/// Whether the server has SERVICE_ACCEPT to say, and nothing else, and waits for an answer.
fn waits_with_all(server: &Transport) -> bool {
    let serving = server.shared.serving.lock();
    let services = serving.services.as_ref().unwrap();
    !services.out.is_empty() && services.says_all_with_answer()
}

/// A login that the test has to answer.
struct Asked {
    client: Transport,
    server: Transport,
    /// Set when the client knows what came of it.
    event: Event,
    request: Request,
}

impl Asked {
    fn new() -> Self {
        let (client, server) = pair();
        let (tell, told) = mpsc::channel();
        serve_all(&server);
        server.set_callback(
            RequestKind::AuthPassword,
            Some(Arc::new(move |request: Request| {
                tell.send(request).unwrap()
            })),
        );
        start(&client, &server);
        let event = begin_login(&client);
        let request = told.recv_timeout(Duration::from_secs(20)).unwrap();
        std::thread::sleep(MOMENT);
        Asked {
            client,
            server,
            event,
            request,
        }
    }

    fn accept(self) {
        assert!(!self.event.is_set());
        self.request.accept().unwrap();
        assert!(self.event.wait(TIME));
        assert!(is_in(&self.client));
    }
}

fn is_in(client: &Transport) -> bool {
    matches!(client.auth_outcome(), Some(Ok(AuthOutcome::Success)))
}

#[test]
fn service_accept_leaves_with_the_answer_to_a_callback() {
    let asked = Asked::new();
    assert!(waits_with_all(&asked.server));
    asked.accept();
}

#[test]
fn service_accept_leaves_with_the_refusal_of_an_unanswered_question() {
    let asked = Asked::new();
    drop(asked.request);
    assert!(asked.event.wait(TIME));
    assert!(matches!(
        asked.client.auth_outcome(),
        Some(Ok(AuthOutcome::Failure { .. }))
    ));
}

#[test]
fn service_accept_leaves_with_a_banner_that_comes_before_the_answer() {
    let asked = Asked::new();
    assert!(waits_with_all(&asked.server));
    asked.request.send_banner("in a moment").unwrap();
    assert!(!waits_with_all(&asked.server));
    banner_of(&asked.client, 1);
    asked.accept();
}

/// Until the client has been shown so much.
fn banner_of(client: &Transport, length: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.banner().map_or(0, |text| text.len()) < length {
        assert!(Instant::now() < deadline, "no banner");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn each_thing_that_a_slow_callback_says_is_heard() {
    let (client, server) = pair();
    serve_all(&server);
    let watched = client.clone();
    server.set_callback(
        RequestKind::AuthPassword,
        Some(Arc::new(move |request: Request| {
            for said in 1..4 {
                request.send_banner("wait").unwrap();
                banner_of(&watched, 4 * said);
            }
            request.accept().unwrap();
        })),
    );
    start(&client, &server);
    let outcome = client.authenticate("user", password(b"secret"), None, TIME);
    assert!(matches!(outcome, Ok(Some(AuthOutcome::Success))));
}

#[test]
fn keys_are_exchanged_while_a_question_is_open() {
    let asked = Asked::new();
    {
        let shared = &asked.client.shared;
        let mut receiving = shared.receiving.lock();
        let receiving = &mut *receiving;
        let inbound = receiving.inbound.as_mut().unwrap();
        let now = Instant::now();
        inbound.rekey(now, &mut receiving.actions).unwrap();
        shared.apply(receiving, now).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while asked.client.key_exchanges() < 2 {
        assert!(Instant::now() < deadline, "no keys");
        std::thread::sleep(Duration::from_millis(1));
    }
    asked.accept();
}

#[test]
fn service_accept_leaves_with_the_answer_to_a_question_that_is_pulled() {
    let (client, server) = pulling();
    let event = begin_login(&client);
    let methods = server.next_request(TIME).unwrap();
    std::thread::sleep(MOMENT);
    assert!(waits_with_all(&server));
    drop(methods);
    server.next_request(TIME).unwrap().accept().unwrap();
    assert!(event.wait(TIME));
    assert!(is_in(&client));
}

/// A client that is logged in with its server, whose callback for `exec` is this.
fn with_exec(
    callback: impl Fn(Request, &Transport) + Send + Sync + 'static,
) -> (Transport, Transport) {
    let (client, server) = connected();
    let weak = Arc::downgrade(&server.shared);
    server.set_callback(
        RequestKind::Exec,
        Some(Arc::new(move |request: Request| {
            let shared = weak.upgrade().unwrap();
            callback(request, &Transport::of(shared));
        })),
    );
    (client, server)
}

fn exec(channel: &Channel) -> bool {
    let command = ChannelRequest::Exec(b"true".to_vec());
    channel.request(&command, true, TIME).is_ok()
}

#[test]
fn what_a_callback_says_leaves_together_when_it_returns() {
    let (tell, told) = mpsc::channel();
    let (client, server) = with_exec(move |request, server| {
        request.accept().unwrap();
        let channel = request.channel().unwrap();
        channel
            .request(&ChannelRequest::ExitStatus(7), false, TIME)
            .unwrap();
        channel.send_eof().unwrap();
        channel.close().unwrap();
        let waiting = std::cell::Cell::new(0);
        let serving = server.shared.serving.lock();
        let services = serving.services.as_ref().unwrap();
        services.out.all(|_| {
            waiting.set(waiting.get() + 1);
            true
        });
        tell.send(waiting.get()).unwrap();
    });
    // The I/O thread may look at any moment.
    let together = (0..100).any(|_| {
        let (ours, _theirs) = open(&client, &server);
        assert!(exec(&ours));
        assert_eq!(ours.wait_exit(TIME).unwrap(), Some(ExitOutcome::Status(7)));
        // CHANNEL_SUCCESS, exit-status, EOF and CLOSE.
        told.recv_timeout(Duration::from_secs(20)).unwrap() == 4
    });
    assert!(together);
}

#[test]
fn a_callback_that_takes_its_time_keeps_nobody_waiting() {
    let (goes_on, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let (client, server) = with_exec(move |request, _| {
        request.accept().unwrap();
        // Until the client has its answer.
        let waited = wait.lock().unwrap().recv_timeout(Duration::from_secs(60));
        waited.unwrap();
    });
    let (ours, _theirs) = open(&client, &server);
    assert!(exec(&ours));
    goes_on.send(()).unwrap();
}

#[test]
fn a_callback_that_reads_has_been_heard() {
    let (tell, told) = mpsc::channel();
    let (client, server) = with_exec(move |request, _| {
        request.accept().unwrap();
        let channel = request.channel().unwrap();
        tell.send(read_to_end(&channel)).unwrap();
    });
    let (ours, _theirs) = open(&client, &server);
    assert!(exec(&ours));
    ours.write(Stream::Data, b"after the answer", TIME).unwrap();
    ours.send_eof().unwrap();
    assert_eq!(
        told.recv_timeout(Duration::from_secs(20)).unwrap(),
        b"after the answer"
    );
}
