//! SFTP: the messages, the client's table of requests, and the server's dialogue over files that are made up.

use std::sync::{Arc, Mutex};

use arbitrary::Unstructured;

use super::{number, piece};
use crate::codec::Writer;
use crate::driver::Event;
use crate::sftp::server::{
    Answer, Application, Dialogue, Failure, Operation, OperationKind, OperationRequest,
    VirtualBackend, VirtualOptions, MAX_WAITING_BYTES,
};
use crate::sftp::{
    Attributes, FrameReader, Init, Limits, Name, Reply, Request, StatVfs, UsersGroups, Version,
    MAX_PACKET_BYTES,
};

const MAX_STEPS: usize = 256;

/// A packet, read as all that it may be and written again.
pub(super) fn messages(data: &[u8]) {
    if let Ok((id, request)) = Request::decode(data) {
        let again = Writer::collect(|w| request.encode(id, w));
        let (found, read) = Request::decode(&again).unwrap();
        assert_eq!((found, format!("{read:?}")), (id, format!("{request:?}")));
    }
    if let Ok((id, reply)) = Reply::decode(data) {
        let again = Writer::collect(|w| reply.encode(id, w));
        let (found, read) = Reply::decode(&again).unwrap();
        assert_eq!((found, format!("{read:?}")), (id, format!("{reply:?}")));
    }
    if let Ok(init) = Init::decode(data) {
        let again = Writer::collect(|w| init.encode(w));
        assert!(Init::decode(&again).is_ok());
    }
    if let Ok(version) = Version::decode(data) {
        assert_eq!(Writer::collect(|w| version.encode(w)), data);
    }
    if let Ok(limits) = Limits::decode(data) {
        assert_eq!(Writer::collect(|w| limits.encode(w)), data);
    }
    if let Ok(found) = StatVfs::decode(data) {
        assert_eq!(Writer::collect(|w| found.encode(w)), data);
    }
    let _ = UsersGroups::decode(data, 3, 2);
}

/// The client.
pub(super) fn client(data: &[u8]) {
    crate::sftp::client::fuzzing::run(data);
}

/// An application that keeps what it is asked until it is told to answer, and counts what it has open.
#[derive(Default)]
struct Keeper {
    asked: Mutex<Vec<OperationRequest>>,
    /// How often each file was opened and closed.
    files: Mutex<Vec<(u32, u32)>>,
    patient: bool,
}

impl Application for Keeper {
    fn knows(&self, kind: OperationKind) -> bool {
        kind != OperationKind::Readlink
    }

    fn ask(&self, request: OperationRequest) {
        if self.patient {
            self.asked.lock().unwrap().push(request);
        } else {
            self.answer(&request, 0);
        }
    }
}

impl Keeper {
    fn answer_one(&self, choice: u8) {
        let request = {
            let mut asked = self.asked.lock().unwrap();
            if asked.is_empty() {
                return;
            }
            let index = usize::from(choice >> 2) % asked.len();
            asked.swap_remove(index)
        };
        self.answer(&request, choice);
    }

    /// As asked, or refused, or dropped without an answer.
    fn answer(&self, request: &OperationRequest, choice: u8) {
        let operation = request.operation();
        if let Operation::Close(file) = operation {
            self.files.lock().unwrap()[*file].1 += 1;
        }
        let answer = match choice & 3 {
            3 => return,
            2 => Answer::Failed(Failure::denied("no")),
            _ => self.good(operation),
        };
        request.answer(answer).unwrap();
    }

    fn good(&self, operation: &Operation) -> Answer {
        use OperationKind as Kind;
        match operation.kind() {
            Kind::Open | Kind::Opendir => {
                let mut files = self.files.lock().unwrap();
                files.push((1, 0));
                Answer::File(files.len() - 1)
            }
            Kind::Read => match operation {
                Operation::Read { length, .. } => Answer::Data(vec![7; *length.min(&64)]),
                _ => Answer::Done,
            },
            Kind::Lstat | Kind::Stat | Kind::Fstat => Answer::Attributes(Attributes::new()),
            Kind::Realpath | Kind::Readlink => Answer::Path(b"/path".to_vec()),
            Kind::Readdir => Answer::Names(vec![Name {
                file_name: b"name".to_vec(),
                long_name: b"name".to_vec(),
                attributes: Attributes::new(),
            }]),
            Kind::StatVfs | Kind::FStatVfs => Answer::StatVfs(StatVfs::default()),
            _ => Answer::Done,
        }
    }
}

/// A server that is spoken to. Steps: a packet in a frame, bytes as they are, an answer of the application's, replies
/// that leave.
pub(super) fn server(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let settings: u8 = number(&mut input);
    let keeper = Arc::new(Keeper {
        patient: settings & 1 != 0,
        ..Keeper::default()
    });
    let options = VirtualOptions {
        read_only: settings & 2 != 0,
        max_handles: 8,
        max_operations: 8,
        ..VirtualOptions::default()
    };
    let event = Event::new();
    let application: Arc<dyn Application> = Arc::clone(&keeper) as _;
    let backend = VirtualBackend::new(application, options, &event);
    let mut dialogue = Dialogue::new(backend);
    for _ in 0..MAX_STEPS {
        if input.is_empty() || !serve(&mut dialogue, &keeper, &mut input) {
            break;
        }
    }
    let _ = dialogue.finish();
    drop(dialogue);
    // The client has gone: once everything is answered, what was opened is closed, once.
    while !keeper.asked.lock().unwrap().is_empty() {
        keeper.answer_one(0);
    }
    for (opened, closed) in keeper.files.lock().unwrap().iter() {
        assert_eq!(opened, closed, "a file is not closed, or twice");
    }
}

fn serve(
    dialogue: &mut Dialogue<VirtualBackend>,
    keeper: &Keeper,
    input: &mut Unstructured<'_>,
) -> bool {
    let choice: u8 = number(input);
    let bytes = match choice % 4 {
        0 | 1 => framed(piece(input)),
        2 => piece(input).to_vec(),
        _ => {
            keeper.answer_one(choice >> 2);
            Vec::new()
        }
    };
    if dialogue.wants_bytes() {
        let room = dialogue.space(bytes.len().max(1));
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        dialogue.filled(count);
    }
    let mut going = true;
    for _ in 0..1000 {
        match dialogue.work() {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                going = false;
                break;
            }
        }
    }
    let waiting = dialogue.replies.waiting();
    assert!(waiting.len() <= MAX_WAITING_BYTES + MAX_PACKET_BYTES);
    let mut frames = FrameReader::new();
    frames.push(waiting);
    while let Some(packet) = frames.next().unwrap() {
        assert!(Reply::decode(packet).is_ok() || Version::decode(packet).is_ok());
    }
    let count = waiting.len();
    dialogue.replies.sent(count);
    going
}

fn framed(packet: &[u8]) -> Vec<u8> {
    Writer::collect(|w| {
        w.string(packet);
    })
}
