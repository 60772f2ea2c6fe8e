//! The fuzz target of the client: requests under way, and packets of a server that may be any.

use arbitrary::Unstructured;

use super::table::{Answer, Expect, RequestTable, MAX_OUTSTANDING};
use crate::sftp::{FrameReader, Request, Version};

const MAX_STEPS: usize = 512;

fn expect(choice: u8) -> Expect {
    match choice % 6 {
        0 => Expect::Status,
        1 => Expect::Handle,
        2 => Expect::Data(u32::from(choice) * 16),
        3 => Expect::Names,
        4 => Expect::Attrs,
        _ => Expect::Extended,
    }
}

/// Steps: a request, a packet, an answer taken, a request given up.
pub(crate) fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut table = RequestTable::default();
    let (mut begun, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let choice: u8 = input.arbitrary().unwrap_or_default();
        match choice % 4 {
            0 if table.has_room() => {
                let expect = expect(choice / 4);
                begun.push((table.begin(expect), expect));
            }
            1 if !begun.is_empty() => {
                let (id, _) = begun.swap_remove(usize::from(choice / 4) % begun.len());
                if let Some(handle) = table.abandon(id) {
                    assert!(handle.len() <= 256);
                }
            }
            2 if !begun.is_empty() => {
                let index = usize::from(choice / 4) % begun.len();
                let (id, expect) = begun[index];
                if let Some(answer) = table.take(id) {
                    fits(expect, answer, &mut table);
                    begun.swap_remove(index);
                }
            }
            _ => {
                if table.receive(packet(&mut input), &mut sent).is_err() {
                    break;
                }
            }
        }
        assert!(begun.len() <= MAX_OUTSTANDING);
    }
    // What was sent on account of replies are CLOSEs.
    let mut frames = FrameReader::new();
    frames.push(&sent);
    while let Some(packet) = frames.next().unwrap() {
        assert!(matches!(
            Request::decode(packet),
            Ok((_, Request::Close { .. }))
        ));
    }
    let _ = Version::decode(data);
}

fn packet<'a>(input: &mut Unstructured<'a>) -> &'a [u8] {
    let length: u16 = input.arbitrary().unwrap_or_default();
    let length = usize::from(length).min(input.len());
    input.bytes(length).unwrap_or_default()
}

/// An answer is of the kind that was asked for, and no longer than that.
fn fits(expect: Expect, answer: Answer, table: &mut RequestTable) {
    match (expect, answer) {
        (_, Answer::Refused(_, text)) => assert!(text.len() <= 4096),
        (Expect::Status, Answer::Ok)
        | (Expect::Attrs, Answer::Attrs(_))
        | (Expect::Extended, Answer::Extended(_)) => {}
        (Expect::Handle, Answer::Handle(handle)) => assert!(handle.len() <= 256),
        (Expect::Names, Answer::Names(names)) => assert!(names.len() <= 4096),
        (Expect::Data(most), Answer::Data(data)) => {
            assert!(data.len() <= most as usize);
            table.recycle(data);
        }
        (expect, answer) => panic!("{answer:?} for {expect:?}"),
    }
}
