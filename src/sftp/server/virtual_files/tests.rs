//! Files of an application that answers when the test says so.

use super::*;
use crate::driver::sync::Mutex;
use crate::sftp::server::OperationRequest;
use crate::sftp::{FrameReader, OpenFlags, Reply};

/// An application that keeps what it is asked.
#[derive(Default)]
struct Keeper(Mutex<Vec<OperationRequest>>);

impl Application for Keeper {
    fn knows(&self, _: OperationKind) -> bool {
        true
    }

    fn ask(&self, request: OperationRequest) {
        self.0.lock().push(request);
    }
}

impl Keeper {
    fn take(&self, kind: OperationKind) -> OperationRequest {
        let mut kept = self.0.lock();
        let index = kept
            .iter()
            .position(|request| request.operation().kind() == kind);
        kept.remove(index.unwrap_or_else(|| panic!("no {kind:?} was asked for")))
    }

    fn count(&self) -> usize {
        self.0.lock().len()
    }
}

struct Rig {
    keeper: Arc<Keeper>,
    backend: VirtualBackend,
    replies: Replies,
}

impl Rig {
    fn new(options: VirtualOptions) -> Self {
        let keeper = Arc::new(Keeper::default());
        let application: Arc<dyn Application> = Arc::clone(&keeper) as _;
        Rig {
            backend: VirtualBackend::new(application, options, &Event::new()),
            keeper,
            replies: Replies::default(),
        }
    }

    fn serve(&mut self, id: u32, request: Request<'_>) {
        self.backend.serve(id, request, &mut self.replies);
    }

    /// The ids of the replies that came since, and the handle in the last one.
    fn replies(&mut self) -> (Vec<u32>, Vec<u8>) {
        self.backend.advance(&mut self.replies);
        let mut reader = FrameReader::new();
        reader.push(self.replies.waiting());
        self.replies.sent(self.replies.waiting().len());
        let (mut ids, mut last) = (Vec::new(), Vec::new());
        while let Some(packet) = reader.next().unwrap() {
            let (id, reply) = Reply::decode(packet).unwrap();
            ids.push(id);
            if let Reply::Handle(handle) = reply {
                last = handle.to_vec();
            }
        }
        (ids, last)
    }

    fn open(&mut self, tag: FileTag) -> Vec<u8> {
        let (path, flags) = (&b"/f"[..], OpenFlags::READ);
        let attributes = Attributes::new();
        self.serve(
            1,
            Request::Open {
                path,
                flags,
                attributes,
            },
        );
        let request = self.keeper.take(OperationKind::Open);
        request.answer(Answer::File(tag)).unwrap();
        self.replies().1
    }
}

fn read(handle: &[u8]) -> Request<'_> {
    let (offset, length) = (0, 10);
    Request::Read {
        handle,
        offset,
        length,
    }
}

#[test]
fn close_waits_for_what_is_under_way() {
    let mut rig = Rig::new(VirtualOptions::default());
    let handle = rig.open(7);
    for id in [2, 3] {
        rig.serve(id, read(&handle));
    }
    rig.serve(4, Request::Close { handle: &handle });
    // The handle is gone at once.
    rig.serve(5, read(&handle));
    assert_eq!(rig.replies().0, [5]);
    assert_eq!(rig.keeper.count(), 2);
    // Answers leave in their order, not in that of the requests.
    let first = rig.keeper.take(OperationKind::Read);
    let second = rig.keeper.take(OperationKind::Read);
    second.answer(Answer::Data(b"b".to_vec())).unwrap();
    assert_eq!(rig.replies().0, [3]);
    assert_eq!(rig.keeper.count(), 0);
    drop(first);
    assert_eq!(rig.replies().0, [2]);
    let close = rig.keeper.take(OperationKind::Close);
    assert_eq!(*close.operation(), Operation::Close(7));
    close.answer(Answer::Done).unwrap();
    assert_eq!(rig.replies().0, [4]);
    assert_eq!(rig.backend.outstanding(), 0);
}

#[test]
fn a_client_that_goes_leaves_nothing_open() {
    let mut rig = Rig::new(VirtualOptions::default());
    let (idle, busy, closing) = (rig.open(1), rig.open(2), rig.open(3));
    for handle in [&busy, &closing] {
        rig.serve(2, read(handle));
    }
    rig.serve(3, Request::Close { handle: &closing });
    rig.serve(4, Request::Opendir { path: b"/" });
    let Rig {
        keeper, backend, ..
    } = rig;
    drop(backend);
    let tag = |request: &OperationRequest| match request.operation() {
        Operation::Close(tag) => *tag,
        other => panic!("{other:?}"),
    };
    let mut closed = vec![tag(&keeper.take(OperationKind::Close))];
    assert_eq!((closed[0], keeper.count()), (1, 3), "{idle:?}");
    keeper
        .take(OperationKind::Opendir)
        .answer(Answer::File(4))
        .unwrap();
    for _ in 0..2 {
        drop(keeper.take(OperationKind::Read));
    }
    for _ in 0..3 {
        closed.push(tag(&keeper.take(OperationKind::Close)));
    }
    assert_eq!(closed, [1, 4, 2, 3]);
    assert_eq!(keeper.count(), 0);
}

#[test]
fn bounds() {
    let mut rig = Rig::new(VirtualOptions {
        max_handles: 2,
        max_operations: 3,
        ..VirtualOptions::default()
    });
    let handle = rig.open(1);
    // One is open and one being opened: there is no room for a third.
    rig.serve(2, Request::Opendir { path: b"/" });
    rig.serve(3, Request::Opendir { path: b"/" });
    assert_eq!(rig.replies().0, [3]);
    assert_eq!(rig.keeper.count(), 1);
    rig.serve(4, read(&handle));
    assert!(rig.backend.is_ready());
    rig.serve(5, read(&handle));
    assert!(!rig.backend.is_ready());
    let asked = std::mem::take(&mut *rig.keeper.0.lock());
    drop(asked);
    assert_eq!(rig.replies().0, [2, 4, 5]);
    assert!(rig.backend.is_ready());
    let data = vec![0; MAX_WAITING_BYTES];
    let (handle, offset) = (handle.as_slice(), 0);
    rig.serve(
        6,
        Request::Write {
            handle,
            offset,
            data: &data,
        },
    );
    assert!(!rig.backend.is_ready());
}
