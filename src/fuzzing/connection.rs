//! Channels and requests of one side, without the layers below: messages of the peer and commands of the application,
//! in any order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use arbitrary::Unstructured;

use super::{number, piece};
use crate::connection::{
    ChannelId, ChannelRequest, ConnectionEvent, ConnectionLayer, ConnectionLimits, GlobalRequestId,
    NoSink, OpenKind, OpenRefusal, RequestId, Stream,
};
use crate::error::Error;
use crate::messages::connection::OpenRefusalReason;
use crate::messages::forward::ForwardPoint;
use crate::messages::Role;
use crate::packet::PayloadQueue;

const MAX_STEPS: usize = 512;
const MAX_CHANNELS: usize = 8;
const WINDOW_MAX: u32 = 64 * 1024;
/// Most bytes that one step may have us say. One answer may let go of all that wait behind it.
const MAX_SAID: usize = 64 * 1024;

/// Limits that a few bytes reach.
pub(super) fn limits() -> ConnectionLimits {
    ConnectionLimits {
        max_channels: MAX_CHANNELS,
        window_initial: 8 * 1024,
        window_max: WINDOW_MAX,
        window_total: 256 * 1024,
        max_packet: 4 * 1024,
        max_env: 8,
        max_env_bytes: 256,
        max_pending_requests: 16,
        max_pending_bytes: 8 * 1024,
        max_forwards: 4,
    }
}

/// What the application was asked and may answer.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) opens: VecDeque<ChannelId>,
    pub(super) requests: VecDeque<(ChannelId, RequestId)>,
    pub(super) globals: VecDeque<GlobalRequestId>,
    own: VecDeque<RequestId>,
    own_globals: VecDeque<GlobalRequestId>,
}

impl Asked {
    /// Takes note of an event.
    pub(super) fn hear(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::OpenQuestion { id, .. } => self.opens.push_back(id),
            ConnectionEvent::RequestQuestion { id, request_id, .. } => {
                self.requests.push_back((id, request_id));
            }
            ConnectionEvent::GlobalQuestion { id, .. }
            | ConnectionEvent::ForwardQuestion { id, .. } => self.globals.push_back(id),
            ConnectionEvent::OpenFailed { description, .. } => assert!(description.len() < 8192),
            _ => {}
        }
    }

    /// One command that the input chooses. What is misuse is refused and changes nothing.
    pub(super) fn command(
        &mut self,
        input: &mut Unstructured<'_>,
        layer: &mut ConnectionLayer,
        out: &mut PayloadQueue,
        now: Instant,
    ) -> Result<(), Error> {
        let choice: u8 = number(input);
        let id = ChannelId(u32::from(number::<u8>(input)) % 32);
        match choice % 16 {
            0 => layer.open(kind(number(input)), out).map(drop),
            1 => self.answer_open(layer, number(input), out),
            2 => {
                let request = request(number(input));
                let found = layer.request(id, &request, choice & 16 != 0, out)?;
                self.own.push_back(found);
                Ok(())
            }
            3 => self.answer_request(layer, choice & 16 != 0, out),
            4 => read(layer, id, number(input), now, out),
            5 => write(layer, id, number(input)),
            6 => layer.eof(id, out),
            7 => layer.close(id, out),
            8 => {
                layer.release(id, out);
                Ok(())
            }
            9 => self.ask_global(layer, choice & 16 != 0, out),
            10 => self.answer_global(layer, choice & 16 != 0, out),
            11 => self.forward(layer, number(input), choice & 16 != 0, out),
            12 => layer.set_combine_stderr(id, choice & 16 != 0).map(drop),
            13 => layer.discard_stderr(id, now, out),
            14 => layer.shutdown_read(id, now, out),
            _ => {
                self.give_up(layer);
                Ok(())
            }
        }
    }

    fn answer_open(
        &mut self,
        layer: &mut ConnectionLayer,
        choice: u8,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let Some(id) = self.opens.pop_front() else {
            return Ok(());
        };
        let reason = OpenRefusalReason::CONNECT_FAILED;
        let decision = match choice & 3 {
            0 => Err(OpenRefusal::new(reason, "no")),
            _ => Ok(()),
        };
        layer.answer_open(id, decision, out)
    }

    fn answer_request(
        &mut self,
        layer: &mut ConnectionLayer,
        last: bool,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let found = if last {
            self.requests.pop_back()
        } else {
            self.requests.pop_front()
        };
        found.map_or(Ok(()), |(id, request)| {
            layer.answer_request(id, request, !last, out)
        })
    }

    fn ask_global(
        &mut self,
        layer: &mut ConnectionLayer,
        wait: bool,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let name = "keepalive@openssh.com";
        let id = layer.global_request(name, b"", wait, out)?;
        self.own_globals.extend(id);
        Ok(())
    }

    fn answer_global(
        &mut self,
        layer: &mut ConnectionLayer,
        last: bool,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let found = if last {
            self.globals.pop_back()
        } else {
            self.globals.pop_front()
        };
        let answer = if last { Err(()) } else { Ok(Vec::new()) };
        found.map_or(Ok(()), |id| layer.answer_global(id, answer, out))
    }

    fn forward(
        &mut self,
        layer: &mut ConnectionLayer,
        choice: u8,
        cancel: bool,
        out: &mut PayloadQueue,
    ) -> Result<(), Error> {
        let point = ForwardPoint::Tcp {
            host: "localhost".into(),
            port: u16::from(choice & 3),
        };
        if cancel {
            return layer.cancel_forward(&point, choice & 4 == 0, out).map(drop);
        }
        let id = layer.request_forward(point, out)?;
        self.own_globals.push_back(id);
        Ok(())
    }

    /// Nobody waits any more for what was asked first.
    fn give_up(&mut self, layer: &mut ConnectionLayer) {
        if let Some(request) = self.own.pop_front() {
            layer.abandon(request);
        }
        if let Some(request) = self.own_globals.pop_front() {
            layer.abandon_global(request);
        }
    }
}

fn kind(choice: u8) -> OpenKind {
    match choice & 1 {
        0 => OpenKind::Session,
        _ => OpenKind::DirectTcpip {
            host: "host".into(),
            port: 80,
            originator: "127.0.0.1".into(),
            originator_port: 1,
        },
    }
}

fn request(choice: u8) -> ChannelRequest {
    match choice % 4 {
        0 => ChannelRequest::Shell,
        1 => ChannelRequest::Exec(b"command".to_vec()),
        2 => ChannelRequest::ExitStatus(u32::from(choice)),
        _ => ChannelRequest::Env {
            name: b"NAME".to_vec(),
            value: b"value".to_vec(),
        },
    }
}

fn stream(choice: u8) -> Stream {
    match choice & 1 {
        0 => Stream::Data,
        _ => Stream::Stderr,
    }
}

fn read(
    layer: &mut ConnectionLayer,
    id: ChannelId,
    choice: u8,
    now: Instant,
    out: &mut PayloadQueue,
) -> Result<(), Error> {
    let mut buffer = vec![0; usize::from(choice) * 64];
    layer
        .read(id, stream(choice), &mut buffer, now, out)
        .map(drop)
}

/// What may be sent is within the peer's window, which shrinks by it.
fn write(layer: &mut ConnectionLayer, id: ChannelId, choice: u8) -> Result<(), Error> {
    let window =
        |layer: &ConnectionLayer| layer.status(id).map_or(0, |status| status.remote_window);
    let before = window(layer);
    let leave = layer.reserve(id, stream(choice), usize::from(choice) * 64)?;
    assert!(leave.bytes <= usize::from(choice) * 64 && leave.max_packet > 0);
    assert_eq!(
        u64::from(before),
        u64::from(window(layer)) + leave.bytes as u64
    );
    Ok(())
}

pub(super) fn client(data: &[u8]) {
    run(Role::Client, data);
}

pub(super) fn server(data: &[u8]) {
    run(Role::Server, data);
}

fn run(role: Role, data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut layer = ConnectionLayer::new(role, limits());
    if number::<u8>(&mut input) & 1 == 1 {
        layer.allow_open("forwarded-tcpip", true);
        layer.allow_open("x11", true);
    }
    let (mut asked, mut out) = (Asked::default(), PayloadQueue::new());
    let mut now = Instant::now();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        now += Duration::from_millis(3);
        let mut events = VecDeque::new();
        let choice: u8 = number(&mut input);
        if choice & 1 == 0 {
            let message = piece(&mut input);
            let outcome = layer.handle(message, now, &mut out, &mut events, &mut NoSink);
            assert!(events.len() <= 64 + 2 * MAX_CHANNELS);
            if outcome.is_err() {
                layer.connection_lost();
            }
        } else {
            // Misuse is refused.
            let _ = asked.command(&mut input, &mut layer, &mut out, now);
        }
        events.into_iter().for_each(|event| asked.hear(event));
        bounded(&layer, &mut out);
    }
    layer.connection_lost();
    for id in 0..MAX_STEPS as u32 {
        layer.release(ChannelId(id), &mut out);
    }
    assert_eq!(
        layer.channel_count(),
        0,
        "nothing is left of a connection that is over"
    );
}

fn bounded(layer: &ConnectionLayer, out: &mut PayloadQueue) {
    assert!(layer.channel_count() <= MAX_CHANNELS);
    for id in 0..64 {
        let id = ChannelId(id);
        let both = layer.buffered(id, Stream::Data) + layer.buffered(id, Stream::Stderr);
        assert!(
            both <= WINDOW_MAX as usize,
            "{both} bytes wait for a reader"
        );
    }
    assert!(
        out.len_bytes() <= MAX_SAID,
        "{} bytes to say",
        out.len_bytes()
    );
    while out.pop().is_some() {}
}
