//! One small file of a tree on its way up or down: what to ask for next, and what an answer means. No I/O.
//!
//! The steps of a file wait for each other, so that each builds on what the server has confirmed. Only the end of a download is
//! asked for along with its bytes: a short reply is no end, and the last bytes of a file are not known by themselves.

use super::operations::{refused, MISMATCH};
use super::table::{Answer, Expect};
use crate::error::Error;
use crate::sftp::{Attributes, OpenFlags, Request, StatusCode};

/// Asked for behind what was said to be the end.
const PROBE_BYTES: u32 = 4 * 1024;
/// Asked for at a time in a file that has become longer.
const MORE_BYTES: u32 = 32 * 1024;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Open,
    Write,
    Setstat,
    Read { offset: u64, length: u32 },
    Close,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Open => "open",
            Step::Write => "write",
            Step::Setstat => "fsetstat",
            Step::Read { .. } => "read",
            Step::Close => "close",
        }
    }

    /// What may be answered, beside a refusal.
    pub(super) fn expects(self) -> Expect {
        match self {
            Step::Open => Expect::Handle,
            Step::Read { length, .. } => Expect::Data(length),
            Step::Write | Step::Setstat | Step::Close => Expect::Status,
        }
    }
}

/// What an answer means for the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing to be done for it.
    None,
    /// It is open.
    Opened,
    /// Bytes that come behind those that have come.
    Bytes(Vec<u8>),
    /// It could not be opened. With many files open, that may be why.
    NotOpened(Error),
}

/// Which way it goes.
#[derive(Debug)]
enum Way {
    /// These bytes go up; then the file gets its times and permissions, if they are wanted.
    Up { data: Vec<u8>, preserve: bool },
    /// It comes down; so many bytes at a time may be asked for.
    Down { most: u32, ended: bool },
}

/// A file and how far it has come.
#[derive(Debug)]
pub(super) struct SmallFile {
    pub(super) path: Vec<u8>,
    /// Those of the source.
    pub(super) attributes: Attributes,
    way: Way,
    /// While it is open.
    handle: Option<Vec<u8>>,
    last: Step,
    /// Bytes that are there.
    done: u64,
}

impl SmallFile {
    /// A local file's content for a remote path.
    pub(super) fn up(path: Vec<u8>, attributes: Attributes, data: Vec<u8>, preserve: bool) -> Self {
        SmallFile::new(path, attributes, Way::Up { data, preserve })
    }

    /// A remote file, from which at most `most` bytes may be asked for at a time.
    pub(super) fn down(path: Vec<u8>, attributes: Attributes, most: u32) -> Self {
        let ended = false;
        SmallFile::new(path, attributes, Way::Down { most, ended })
    }

    fn new(path: Vec<u8>, attributes: Attributes, way: Way) -> Self {
        SmallFile {
            path,
            attributes,
            way,
            handle: None,
            last: Step::Open,
            done: 0,
        }
    }

    /// Bytes transferred.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Most bytes it occupies here or may bring at once.
    pub(super) fn weight(&self) -> u64 {
        match &self.way {
            Way::Up { data, .. } => u64::try_from(data.len()).unwrap_or(u64::MAX),
            Way::Down { .. } => self.attributes.size.unwrap_or(0),
        }
    }

    /// Whether the server has it open, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.handle.is_some() || self.last == Step::Close
    }

    /// The handle, when it is open and nobody has asked to close it. Whoever takes it closes it.
    pub(super) fn take_handle(&mut self) -> Option<Vec<u8>> {
        self.handle.take()
    }

    /// The requests that come next: one, or two that do not depend on each other; none when nothing is left to ask. To be
    /// called when those before were answered.
    pub(super) fn next(&mut self) -> [Option<Step>; 2] {
        if self.handle.is_none() {
            return [(self.last == Step::Open).then_some(Step::Open), None];
        }
        let steps = match &self.way {
            Way::Up { data, preserve } => {
                let step = match self.last {
                    Step::Open if !data.is_empty() => Step::Write,
                    Step::Open | Step::Write if *preserve => Step::Setstat,
                    _ => Step::Close,
                };
                [Some(step), None]
            }
            Way::Down { ended: true, .. } => [None, None],
            Way::Down { most, .. } => self.reads(*most),
        };
        if let [Some(step), _] = steps {
            self.last = step;
        }
        steps
    }

    /// The bytes that are said to be left, and what lies behind them.
    fn reads(&self, most: u32) -> [Option<Step>; 2] {
        let offset = self.done;
        let left = self.attributes.size.unwrap_or(0).saturating_sub(offset);
        let part = |offset, length: u32| Some(Step::Read { offset, length });
        match u32::try_from(left) {
            Ok(0) => [part(offset, most.min(MORE_BYTES)), None],
            Ok(left) if left <= most => {
                let end = offset.saturating_add(u64::from(left));
                [part(offset, left), part(end, most.min(PROBE_BYTES))]
            }
            _ => [part(offset, most), None],
        }
    }

    /// The request of a step.
    pub(super) fn request(&self, step: Step) -> Request<'_> {
        let handle = self.handle.as_deref().unwrap_or_default();
        match step {
            Step::Open => {
                let mut attributes = Attributes::new();
                let mut flags = OpenFlags::READ;
                if let Way::Up { .. } = self.way {
                    attributes.permissions = self.attributes.permissions;
                    flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
                }
                let path = &self.path;
                Request::Open {
                    path,
                    flags,
                    attributes,
                }
            }
            Step::Write => {
                let data: &[u8] = match &self.way {
                    Way::Up { data, .. } => data,
                    Way::Down { .. } => &[],
                };
                let offset = 0;
                Request::Write {
                    handle,
                    offset,
                    data,
                }
            }
            Step::Setstat => {
                let attributes = Attributes {
                    // It has the size that was read.
                    size: None,
                    ..self.attributes.clone()
                };
                Request::Fsetstat { handle, attributes }
            }
            Step::Read { offset, length } => Request::Read {
                handle,
                offset,
                length,
            },
            Step::Close => Request::Close { handle },
        }
    }

    /// The request of a step is on its way.
    pub(super) fn asked(&mut self, step: Step) {
        if step == Step::Close {
            // Refused or not, a handle is used up by CLOSE.
            self.handle = None;
        }
    }

    /// Takes the answer to a step. After an error the file is given up.
    pub(super) fn take(&mut self, step: Step, answer: Answer) -> Result<News, Error> {
        match (step, answer) {
            (Step::Open, Answer::Handle(handle)) => {
                self.handle = Some(handle);
                return Ok(News::Opened);
            }
            (Step::Open, Answer::Refused(code, text)) if code == StatusCode::FAILURE => {
                let error = refused(step.name(), &self.path, code, text);
                return Ok(News::NotOpened(error));
            }
            (Step::Read { offset, .. }, answer) => return self.take_bytes(step, offset, answer),
            (Step::Write, Answer::Ok) => self.done = self.weight(),
            (Step::Setstat | Step::Close, Answer::Ok) => {}
            (step, Answer::Refused(code, text)) => {
                return Err(refused(step.name(), &self.path, code, text));
            }
            _ => return Err(MISMATCH),
        }
        Ok(News::None)
    }

    fn take_bytes(&mut self, step: Step, offset: u64, answer: Answer) -> Result<News, Error> {
        let Way::Down { ended, .. } = &mut self.way else {
            return Err(MISMATCH);
        };
        if *ended || offset != self.done {
            // The file ended earlier than was thought, or less came than was asked for: this is asked for again.
            return Ok(News::None);
        }
        match answer {
            Answer::Data(data) => {
                let count = u64::try_from(data.len()).unwrap_or(0);
                self.done = self.done.saturating_add(count);
                Ok(News::Bytes(data))
            }
            Answer::Refused(StatusCode::EOF, _) => {
                *ended = true;
                Ok(News::None)
            }
            Answer::Refused(code, text) => Err(refused(step.name(), &self.path, code, text)),
            _ => Err(MISMATCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(size: u64) -> Attributes {
        Attributes {
            size: Some(size),
            permissions: Some(0o100_640),
            ..Attributes::new()
        }
    }

    fn refusal(code: StatusCode) -> Answer {
        Answer::Refused(code, String::from("said"))
    }

    /// The steps that come next, as sent.
    fn next(file: &mut SmallFile) -> Vec<Step> {
        let steps: Vec<Step> = file.next().into_iter().flatten().collect();
        for step in &steps {
            let _ = file.request(*step);
            file.asked(*step);
        }
        steps
    }

    fn opened(mut file: SmallFile) -> SmallFile {
        assert_eq!(next(&mut file), [Step::Open]);
        let answer = Answer::Handle(b"h".to_vec());
        assert_eq!(file.take(Step::Open, answer), Ok(News::Opened));
        file
    }

    fn up(data: &[u8], preserve: bool) -> SmallFile {
        SmallFile::up(b"/u".to_vec(), sized(9), data.to_vec(), preserve)
    }

    fn down(size: u64) -> SmallFile {
        opened(SmallFile::down(b"/d".to_vec(), sized(size), 1000))
    }

    fn read(offset: u64, length: u32) -> Step {
        Step::Read { offset, length }
    }

    #[test]
    fn an_upload_goes_step_by_step() {
        for (data, preserve, steps) in [
            (&b"data"[..], false, &[Step::Write, Step::Close][..]),
            (b"data", true, &[Step::Write, Step::Setstat, Step::Close]),
            (b"", false, &[Step::Close]),
            (b"", true, &[Step::Setstat, Step::Close]),
        ] {
            let mut file = opened(up(data, preserve));
            for step in steps {
                assert_eq!(next(&mut file), [*step]);
                assert_eq!(file.take(*step, Answer::Ok), Ok(News::None));
            }
            assert_eq!(next(&mut file), []);
            assert_eq!(file.done(), data.len() as u64);
            assert_eq!(file.take_handle(), None);
        }
    }

    #[test]
    fn what_is_asked_says_what_is_wanted() {
        let file = up(b"data", true);
        let Request::Open {
            flags, attributes, ..
        } = file.request(Step::Open)
        else {
            panic!("OPEN is wanted")
        };
        assert!(flags.contains(OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE));
        assert_eq!(
            (attributes.size, attributes.permissions.is_some()),
            (None, true)
        );
        let Request::Fsetstat { attributes, .. } = file.request(Step::Setstat) else {
            panic!("FSETSTAT is wanted")
        };
        // A size would cut what has just been written if the file has grown.
        assert_eq!(
            (attributes.size, attributes.permissions),
            (None, Some(0o100_640))
        );
        let file = SmallFile::down(b"/d".to_vec(), sized(1), 1000);
        assert!(matches!(
            file.request(Step::Open),
            Request::Open { flags, .. } if flags == OpenFlags::READ
        ));
    }

    /// Takes bytes at an offset and says whether they count.
    fn take(file: &mut SmallFile, step: Step, count: usize) -> bool {
        match file.take(step, Answer::Data(vec![7; count])).unwrap() {
            News::Bytes(data) => {
                assert_eq!(data.len(), count);
                true
            }
            other => {
                assert_eq!(other, News::None);
                false
            }
        }
    }

    fn end(file: &mut SmallFile, step: Step) {
        let outcome = file.take(step, refusal(StatusCode::EOF));
        assert_eq!(outcome, Ok(News::None));
    }

    #[test]
    fn a_download_asks_for_the_end_along_with_the_bytes() {
        let mut file = down(300);
        assert_eq!(next(&mut file), [read(0, 300), read(300, 1000)]);
        assert!(take(&mut file, read(0, 300), 300));
        end(&mut file, read(300, 1000));
        assert_eq!(next(&mut file), []);
        assert_eq!(file.done(), 300);
        assert_eq!(file.take_handle(), Some(b"h".to_vec()));
        assert_eq!(file.take_handle(), None);

        let mut empty = down(0);
        assert_eq!(next(&mut empty), [read(0, 1000)]);
        end(&mut empty, read(0, 1000));
        assert_eq!(next(&mut empty), []);
    }

    #[test]
    fn short_replies_leave_no_hole() {
        let mut file = down(300);
        assert_eq!(next(&mut file), [read(0, 300), read(300, 1000)]);
        assert!(take(&mut file, read(0, 300), 100));
        // Bytes from behind the gap, and the end behind it, say nothing.
        assert!(!take(&mut file, read(300, 1000), 5));
        assert_eq!(next(&mut file), [read(100, 200), read(300, 1000)]);
        assert!(take(&mut file, read(100, 200), 1));
        end(&mut file, read(300, 1000));
        assert_eq!(next(&mut file), [read(101, 199), read(300, 1000)]);
        assert!(take(&mut file, read(101, 199), 199));
        end(&mut file, read(300, 1000));
        assert_eq!(next(&mut file), []);
    }

    #[test]
    fn files_that_grow_and_shrink_are_copied_as_they_are_read() {
        let mut grown = down(300);
        assert_eq!(next(&mut grown), [read(0, 300), read(300, 1000)]);
        assert!(take(&mut grown, read(0, 300), 300));
        assert!(take(&mut grown, read(300, 1000), 40));
        assert_eq!(next(&mut grown), [read(340, 1000)]);
        assert!(take(&mut grown, read(340, 1000), 60));
        assert_eq!(next(&mut grown), [read(400, 1000)]);
        end(&mut grown, read(400, 1000));
        assert_eq!((next(&mut grown), grown.done()), (vec![], 400));

        let mut shrunk = down(300);
        assert_eq!(next(&mut shrunk), [read(0, 300), read(300, 1000)]);
        end(&mut shrunk, read(0, 300));
        end(&mut shrunk, read(300, 1000));
        assert_eq!((next(&mut shrunk), shrunk.done()), (vec![], 0));
    }

    #[test]
    fn refusals_say_what_and_which() {
        let denied = || refusal(StatusCode::PERMISSION_DENIED);
        let failed = |outcome: Result<News, Error>, wanted: &str| match outcome {
            Err(Error::SftpStatus(status)) => {
                assert_eq!((status.operation, &*status.path), (wanted, "/u"));
            }
            other => panic!("{other:?}"),
        };
        failed(up(b"x", false).take(Step::Open, denied()), "open");
        let mut file = opened(up(b"x", true));
        for (step, name) in [
            (Step::Write, "write"),
            (Step::Setstat, "fsetstat"),
            (Step::Close, "close"),
        ] {
            assert_eq!(next(&mut file), [step]);
            failed(file.take(step, denied()), name);
        }
        let mut file = down(5);
        let outcome = file.take(read(0, 5), refusal(StatusCode::FAILURE));
        assert!(matches!(outcome, Err(Error::SftpStatus(_))), "{outcome:?}");
    }

    #[test]
    fn what_could_not_be_opened_can_be_asked_for_again() {
        let mut file = up(b"x", false);
        for _ in 0..2 {
            assert_eq!(next(&mut file), [Step::Open]);
            let outcome = file.take(Step::Open, refusal(StatusCode::FAILURE));
            assert!(matches!(outcome, Ok(News::NotOpened(_))), "{outcome:?}");
            assert!(!file.is_open());
        }
        let mut file = opened(file);
        assert_eq!(next(&mut file), [Step::Write]);
        assert!(file.is_open());
    }

    #[test]
    fn nobody_closes_twice() {
        let mut file = opened(up(b"", false));
        assert_eq!(next(&mut file), [Step::Close]);
        // Asked for and not answered yet.
        assert!(file.is_open());
        assert_eq!(file.take_handle(), None);
    }
}
