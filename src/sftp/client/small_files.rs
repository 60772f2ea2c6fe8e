//! The small files of a tree, several under way at once.
//!
//! A small file is a round trip for each of its steps (open, write or read, close), and little else. The steps of one file
//! wait for each other, so that the server has confirmed each before the next one builds on it; those of different files do
//! not. Files are finished in any order. When one fails, those under way are given up: their handles are closed, and
//! what there is of them is empty or, as always, a beginning.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::operations::{checked, refused, Sftp, MISMATCH};
use super::table::{Answer, Expect};
use super::transfer::{local, preserve_locally, Meter, Sink};
use super::tree::create_file;
use crate::error::Error;
use crate::sftp::{Attributes, OpenFlags, Request, StatusCode};

/// Most files under way at once.
const WIDTH: usize = 32;
/// Bytes of the largest file that is small: one request carries it.
const SMALL_BYTES: u64 = 32 * 1024;

/// What a file's request that is under way is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Open,
    Write,
    Setstat,
    Read,
    Close,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Open => "open",
            Step::Write => "write",
            Step::Setstat => "fsetstat",
            Step::Read => "read",
            Step::Close => "close",
        }
    }
}

/// The local side.
enum Local {
    /// What goes up.
    Data(Vec<u8>),
    /// Where it comes down to, by the name in a directory.
    Name(Rc<OwnedFd>, Vec<u8>),
    File(fs::File),
}

struct Job {
    path: Vec<u8>,
    /// The remote file's for a download, the local one's for an upload.
    attributes: Attributes,
    local: Local,
    step: Step,
    id: u32,
    /// Empty until it is open.
    handle: Vec<u8>,
    /// Bytes that have come.
    done: u64,
}

/// The small files under way of one transfer.
pub(super) struct SmallFiles<'s> {
    sftp: &'s Sftp,
    width: usize,
    jobs: VecDeque<Job>,
}

impl<'s> SmallFiles<'s> {
    pub(super) fn new(sftp: &'s Sftp) -> Self {
        // Half of what the server allows: the program may have files open, too.
        let allowed = usize::try_from(sftp.limits().open_handles / 2).unwrap_or(WIDTH);
        SmallFiles {
            sftp,
            width: if allowed == 0 {
                WIDTH
            } else {
                allowed.min(WIDTH)
            },
            jobs: VecDeque::new(),
        }
    }

    /// Takes a file to download, if it is a small one.
    pub(super) fn get(
        &mut self,
        path: &[u8],
        attributes: &Attributes,
        to: (&Rc<OwnedFd>, &[u8]),
        meter: &mut Meter<'_, '_>,
    ) -> Result<bool, Error> {
        let small = attributes.size.is_some_and(|size| size <= SMALL_BYTES);
        if meter.options.resume || !small {
            return Ok(false);
        }
        let to = Local::Name(Rc::clone(to.0), to.1.to_vec());
        self.begin(path, attributes, to, OpenFlags::READ, meter)?;
        Ok(true)
    }

    /// Takes a file to upload, if it is a small one. Otherwise `from` is at its beginning.
    pub(super) fn put(
        &mut self,
        path: &[u8],
        attributes: &Attributes,
        from: &mut fs::File,
        meter: &mut Meter<'_, '_>,
    ) -> Result<bool, Error> {
        let most = SMALL_BYTES.min(u64::from(self.sftp.inner.write_bytes));
        if meter.options.resume || attributes.size.is_none_or(|size| size > most) {
            return Ok(false);
        }
        let mut data = Vec::new();
        from.take(most + 1)
            .read_to_end(&mut data)
            .map_err(local("local read"))?;
        if u64::try_from(data.len()).map_or(true, |length| length > most) {
            // It has grown.
            from.rewind().map_err(local("local seek"))?;
            return Ok(false);
        }
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
        self.begin(path, attributes, Local::Data(data), flags, meter)?;
        Ok(true)
    }

    fn begin(
        &mut self,
        path: &[u8],
        attributes: &Attributes,
        local: Local,
        flags: OpenFlags,
        meter: &mut Meter<'_, '_>,
    ) -> Result<(), Error> {
        self.wait_for(self.width.saturating_sub(1), meter)?;
        meter.tell(path, 0, attributes.size)?;
        let initial = match &local {
            Local::Data(_) => attributes.permissions,
            _ => None,
        };
        let request = Request::Open {
            path: checked(path)?,
            flags,
            attributes: Attributes {
                permissions: initial,
                ..Attributes::new()
            },
        };
        let patience = self.sftp.patience(meter.left());
        let id = self
            .sftp
            .session()
            .submit(Expect::Handle, &request, patience)?;
        self.jobs.push_back(Job {
            path: path.to_vec(),
            attributes: attributes.clone(),
            local,
            step: Step::Open,
            id,
            handle: Vec::new(),
            done: 0,
        });
        Ok(())
    }

    /// Waits until all are done.
    pub(super) fn finish(&mut self, meter: &mut Meter<'_, '_>) -> Result<(), Error> {
        self.wait_for(0, meter)
    }

    /// Waits until no more than `most` are under way.
    fn wait_for(&mut self, most: usize, meter: &mut Meter<'_, '_>) -> Result<(), Error> {
        while self.jobs.len() > most {
            meter.check()?;
            self.take_answers(meter)?;
            if self.jobs.len() <= most {
                break;
            }
            if let Some(first) = self.jobs.front_mut() {
                let patience = self.sftp.patience(meter.left());
                let answer = self.sftp.session().wait_kept(first.id, patience)?;
                if advance(self.sftp, first, answer, meter)? {
                    self.jobs.pop_front();
                }
            }
        }
        Ok(())
    }

    /// Goes on with every file whose answer has come.
    fn take_answers(&mut self, meter: &mut Meter<'_, '_>) -> Result<(), Error> {
        let mut index = 0;
        while let Some(job) = self.jobs.get_mut(index) {
            let Some(answer) = self.sftp.session().poll(job.id) else {
                index += 1;
                continue;
            };
            if advance(self.sftp, job, answer, meter)? {
                self.jobs.remove(index);
            }
        }
        Ok(())
    }
}

impl Drop for SmallFiles<'_> {
    fn drop(&mut self) {
        for job in &self.jobs {
            // A handle that comes yet is closed by the session.
            self.sftp.session().abandon(job.id);
            if !job.handle.is_empty() && job.step != Step::Close {
                close_unwatched(self.sftp, job);
            }
        }
    }
}

fn close_unwatched(sftp: &Sftp, job: &Job) {
    let request = Request::Close {
        handle: &job.handle,
    };
    sftp.session().submit_unwatched(Expect::Status, &request);
}

/// Takes the answer to a file's step and asks for the next one; true when there is none.
fn advance(
    sftp: &Sftp,
    job: &mut Job,
    answer: Answer,
    meter: &mut Meter<'_, '_>,
) -> Result<bool, Error> {
    match (job.step, answer) {
        (Step::Read, Answer::Refused(StatusCode::EOF, _)) => {
            if let (true, Local::File(file)) = (meter.options.preserve, &job.local) {
                preserve_locally(file, &job.attributes)?;
            }
            // Closing brings no news of a file that was only read.
            close_unwatched(sftp, job);
            return finished(job, meter);
        }
        (step, Answer::Refused(code, text)) => {
            return Err(refused(step.name(), &job.path, code, text));
        }
        (Step::Open, Answer::Handle(handle)) => {
            job.handle = handle;
            if let Local::Name(directory, name) = &job.local {
                job.local = Local::File(create_file(directory, name, false)?);
            }
            job.step = match &job.local {
                Local::Data(data) if data.is_empty() => after_write(meter),
                Local::Data(_) => Step::Write,
                _ => Step::Read,
            };
        }
        (Step::Read, Answer::Data(data)) => {
            if let Local::File(file) = &mut job.local {
                Sink::write(file, &data)?;
            }
            job.done = job
                .done
                .saturating_add(u64::try_from(data.len()).unwrap_or(0));
            sftp.session().recycle(data);
        }
        (Step::Write, Answer::Ok) => job.step = after_write(meter),
        (Step::Setstat, Answer::Ok) => job.step = Step::Close,
        (Step::Close, Answer::Ok) => return finished(job, meter),
        _ => return Err(MISMATCH),
    }
    job.id = ask(sftp, job, meter)?;
    Ok(false)
}

fn after_write(meter: &Meter<'_, '_>) -> Step {
    if meter.options.preserve {
        Step::Setstat
    } else {
        Step::Close
    }
}

fn finished(job: &Job, meter: &mut Meter<'_, '_>) -> Result<bool, Error> {
    let done = match &job.local {
        Local::Data(data) => u64::try_from(data.len()).unwrap_or(u64::MAX),
        _ => job.done,
    };
    meter.tell(&job.path, done, job.attributes.size)?;
    meter.files += 1;
    Ok(true)
}

/// Sends the request of the step that a file has come to.
fn ask(sftp: &Sftp, job: &Job, meter: &Meter<'_, '_>) -> Result<u32, Error> {
    let handle = job.handle.as_slice();
    let length = sftp.inner.read_bytes;
    let (expect, request) = match (job.step, &job.local) {
        (Step::Write, Local::Data(data)) => {
            let offset = 0;
            (
                Expect::Status,
                Request::Write {
                    handle,
                    offset,
                    data,
                },
            )
        }
        (Step::Setstat, _) => {
            let attributes = Attributes {
                size: None,
                ..job.attributes.clone()
            };
            (Expect::Status, Request::Fsetstat { handle, attributes })
        }
        (Step::Read, _) => {
            let offset = job.done;
            (
                Expect::Data(length),
                Request::Read {
                    handle,
                    offset,
                    length,
                },
            )
        }
        (Step::Close, _) => (Expect::Status, Request::Close { handle }),
        _ => return Err(Error::Bug("a step of a small file that is none")),
    };
    sftp.session()
        .submit(expect, &request, sftp.patience(meter.left()))
}
