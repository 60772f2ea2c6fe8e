//! The small files of a tree, several under way at once.
//!
//! A small file is a round trip for each of its steps (open, write or read, close), and little else. The steps of one file
//! wait for each other (`small_file`); those of different files do not. What is asked for together leaves together, so that
//! a file costs a fraction of a system call and of a wake-up on each side.
//!
//! Answers are taken in the order of the requests, which is the order most servers answer in. A file that fails ends the
//! transfer: the others are given up, their handles closed, and what there is of them is empty or, as always, a beginning.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::operations::{checked, Sftp};
use super::small_file::{News, SmallFile, Step};
use super::table::{Answer, Expect};
use super::transfer::{local, preserve_locally, Meter, Sink};
use super::tree::create_file;
use crate::codec::printable;
use crate::error::Error;
use crate::sftp::{Attributes, Request};

/// Most files under way at once.
const WIDTH: usize = 64;
/// Bytes of the largest file that is small: one request carries it, with every server.
const SMALL_BYTES: u64 = 32 * 1024;
/// Most bytes of files under way at once.
const MAX_WEIGHT: u64 = 1024 * 1024;
/// Most characters of a name in a message.
const MAX_SHOWN_NAME: usize = 256;

/// The local side of a file under way.
enum Local {
    /// All has been read that goes up.
    Read,
    /// Where it comes down to, by its name in a directory.
    Name(Rc<OwnedFd>, Vec<u8>),
    File(fs::File),
}

struct Job {
    file: SmallFile,
    local: Local,
    /// Requests under way.
    asked: VecDeque<(u32, Step)>,
}

/// The small files under way of one transfer.
pub(super) struct SmallFiles<'s> {
    sftp: &'s Sftp,
    width: usize,
    /// The server may not have room for more open files than these.
    narrow: bool,
    /// In the order of their oldest requests.
    jobs: VecDeque<Job>,
    /// Those that could not be opened along with others.
    again: VecDeque<Job>,
    weight: u64,
}

impl<'s> SmallFiles<'s> {
    pub(super) fn new(sftp: &'s Sftp) -> Self {
        // Half of what the server allows: directories are open, too, and the program may have files open.
        let allowed = usize::try_from(sftp.limits().open_handles / 2).unwrap_or(WIDTH);
        let known = sftp.limits().open_handles > 0;
        SmallFiles {
            sftp,
            width: if known {
                allowed.clamp(1, WIDTH)
            } else {
                WIDTH
            },
            narrow: !known || allowed < WIDTH,
            jobs: VecDeque::new(),
            again: VecDeque::new(),
            weight: 0,
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
        let most = self.sftp.inner.read_bytes;
        let small = attributes
            .size
            .is_some_and(|size| size <= SMALL_BYTES.min(u64::from(most)));
        if meter.options.resume || !small {
            return Ok(false);
        }
        let path = checked(path)?.to_vec();
        self.add(
            Job {
                file: SmallFile::down(path, attributes.clone(), most),
                local: Local::Name(Rc::clone(to.0), to.1.to_vec()),
                asked: VecDeque::new(),
            },
            meter,
        )?;
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
        let size = attributes.size.filter(|size| *size <= most);
        let (Some(size), false) = (size, meter.options.resume) else {
            return Ok(false);
        };
        // One byte of room more shows the end without making the buffer grow.
        let room = usize::try_from(size.saturating_add(1)).unwrap_or(0);
        let mut data = Vec::with_capacity(room);
        from.take(most.saturating_add(1))
            .read_to_end(&mut data)
            .map_err(|error| named(&local("local read")(error), path))?;
        if u64::try_from(data.len()).map_or(true, |length| length > most) {
            // It has grown.
            from.rewind().map_err(local("local seek"))?;
            return Ok(false);
        }
        let path = checked(path)?.to_vec();
        let preserve = meter.options.preserve;
        self.add(
            Job {
                file: SmallFile::up(path, attributes.clone(), data, preserve),
                local: Local::Read,
                asked: VecDeque::new(),
            },
            meter,
        )?;
        Ok(true)
    }

    fn add(&mut self, job: Job, meter: &mut Meter<'_, '_>) -> Result<(), Error> {
        let weight = job.file.weight();
        while self.weight.saturating_add(weight) > MAX_WEIGHT && self.weight > 0 {
            self.go_on(meter)?;
        }
        self.weight = self.weight.saturating_add(weight);
        self.again.push_back(job);
        while !self.again.is_empty() {
            self.go_on(meter)?;
        }
        Ok(())
    }

    /// Waits until all are done.
    pub(super) fn finish(&mut self, meter: &mut Meter<'_, '_>) -> Result<(), Error> {
        while !(self.jobs.is_empty() && self.again.is_empty()) {
            self.go_on(meter)?;
        }
        Ok(())
    }

    /// Something else is to be opened: waits until all are done where there may not be room for it beside them.
    pub(super) fn make_room(&mut self, meter: &mut Meter<'_, '_>) -> Result<(), Error> {
        if self.narrow {
            self.finish(meter)?;
        }
        Ok(())
    }

    /// Begins a file, or takes the oldest one under way a step further.
    fn go_on(&mut self, meter: &mut Meter<'_, '_>) -> Result<(), Error> {
        meter.check()?;
        if self.jobs.len() < self.width {
            if let Some(job) = self.again.pop_front() {
                // In the queue first, so that what has been asked for is given up when the rest fails.
                self.jobs.push_back(job);
                return match self.jobs.back_mut() {
                    Some(job) => ask(self.sftp, job, meter),
                    None => Ok(()),
                };
            }
        }
        let Some(job) = self.jobs.front_mut() else {
            return Ok(());
        };
        let more = match take_answers(self.sftp, job, meter)? {
            Some(refusal) => return self.not_opened(refusal),
            None => ask(self.sftp, job, meter).map(|()| !job.asked.is_empty())?,
        };
        let Some(mut job) = self.jobs.pop_front() else {
            return Ok(());
        };
        if more {
            self.jobs.push_back(job);
            return Ok(());
        }
        self.weight = self.weight.saturating_sub(job.file.weight());
        finish_one(self.sftp, &mut job, meter)
    }

    /// Version 3 has no status for "too many open files": what could not be opened beside others is tried again with fewer
    /// of them, at last alone.
    fn not_opened(&mut self, refusal: Error) -> Result<(), Error> {
        if self.jobs.len() <= 1 {
            return Err(refusal);
        }
        self.again.extend(self.jobs.pop_front());
        let open = self.jobs.iter().filter(|job| job.file.is_open()).count();
        self.narrow = true;
        self.width = open.min(self.width.saturating_sub(1)).max(1);
        Ok(())
    }
}

impl Drop for SmallFiles<'_> {
    fn drop(&mut self) {
        for job in &mut self.jobs {
            for (id, _) in job.asked.drain(..) {
                // A handle that comes yet is closed by the session.
                self.sftp.session().abandon(id);
            }
            if let Some(handle) = job.file.take_handle() {
                let request = Request::Close { handle: &handle };
                self.sftp
                    .session()
                    .submit_unwatched(Expect::Status, &request);
            }
        }
    }
}

/// Asks for what comes next of a file, which may be nothing.
fn ask(sftp: &Sftp, job: &mut Job, meter: &Meter<'_, '_>) -> Result<(), Error> {
    for step in job.file.next().into_iter().flatten() {
        let patience = sftp.patience(meter.left());
        let request = job.file.request(step);
        let id = sftp.session().queue(step.expects(), &request, patience)?;
        job.file.asked(step);
        job.asked.push_back((id, step));
    }
    Ok(())
}

/// Waits for the answers to a file's requests and does what they say. Gives the refusal of one that could not be opened.
fn take_answers(sftp: &Sftp, job: &mut Job, meter: &Meter<'_, '_>) -> Result<Option<Error>, Error> {
    while let Some((id, step)) = job.asked.front().copied() {
        let answer = wait(sftp, id, meter)?;
        job.asked.pop_front();
        match job.file.take(step, answer)? {
            News::None => {}
            News::NotOpened(refusal) => return Ok(Some(refusal)),
            News::Opened => {
                if let Local::Name(directory, name) = &job.local {
                    let file = create_file(directory, name, false)
                        .map_err(|error| named(&error, &job.file.path))?;
                    job.local = Local::File(file);
                }
            }
            News::Bytes(data) => {
                if let Local::File(file) = &mut job.local {
                    Sink::write(file, &data).map_err(|error| named(&error, &job.file.path))?;
                }
                sftp.session().recycle(data);
            }
        }
    }
    Ok(None)
}

fn wait(sftp: &Sftp, id: u32, meter: &Meter<'_, '_>) -> Result<Answer, Error> {
    match sftp.session().poll(id) {
        Some(answer) => Ok(answer),
        None => sftp.session().wait_kept(id, sftp.patience(meter.left())),
    }
}

/// All of a file has been transferred.
fn finish_one(sftp: &Sftp, job: &mut Job, meter: &mut Meter<'_, '_>) -> Result<(), Error> {
    if let Some(handle) = job.file.take_handle() {
        // Closing brings no news of a file that was only read.
        let request = Request::Close { handle: &handle };
        sftp.session().queue_unwatched(Expect::Status, &request);
    }
    if let (true, Local::File(file)) = (meter.options.preserve, &job.local) {
        preserve_locally(file, &job.file.attributes)
            .map_err(|error| named(&error, &job.file.path))?;
    }
    let (path, done, total) = (&job.file.path, job.file.done(), job.file.attributes.size);
    meter.tell(path, 0, total)?;
    if done > 0 {
        meter.tell(path, done, total)?;
    }
    meter.files += 1;
    Ok(())
}

/// Says which of the files under way an error of the local file system is about, by its remote path.
fn named(error: &Error, path: &[u8]) -> Error {
    match error {
        Error::Io { operation, errno } => Error::File {
            operation,
            path: printable(path, MAX_SHOWN_NAME),
            errno: *errno,
        },
        other => other.clone(),
    }
}
