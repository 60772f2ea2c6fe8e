//! Reading and writing: servers whose disk fails, whose files change, and who are slow.

use super::*;

/// What comes of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Refused,
    /// Refused with so much of it written.
    Part(usize),
}

/// One file.
struct Disk {
    data: Vec<u8>,
    /// What comes of the writes, in turn; those after the last are done.
    fates: Vec<Fate>,
    writes: usize,
    /// Asked for the attributes and for being cut.
    stats: usize,
    cuts: usize,
    refuse_cuts: bool,
    /// Most bytes given at a time.
    read_most: usize,
    /// Done before each READ, which is counted from 0.
    reads: usize,
    before_read: fn(usize, &mut Vec<u8>),
    /// Replies to writes are held back.
    stalled: bool,
    held: Vec<u32>,
}

impl Disk {
    fn new(data: Vec<u8>) -> Self {
        Disk {
            data,
            fates: Vec::new(),
            writes: 0,
            stats: 0,
            cuts: 0,
            refuse_cuts: false,
            read_most: usize::MAX,
            reads: 0,
            before_read: |_, _| {},
            stalled: false,
            held: Vec::new(),
        }
    }

    fn failing(data: Vec<u8>, fates: &[Fate]) -> Self {
        Disk {
            fates: fates.to_vec(),
            ..Disk::new(data)
        }
    }

    fn write(&mut self, offset: usize, data: &[u8]) -> Reply<'static> {
        let fate = self.fates.get(self.writes).copied().unwrap_or(Fate::Done);
        self.writes += 1;
        let count = match fate {
            Fate::Done => data.len(),
            Fate::Refused => 0,
            Fate::Part(count) => count,
        };
        if count > 0 {
            let end = offset + count;
            self.data.resize(self.data.len().max(end), 0);
            self.data[offset..end].copy_from_slice(&data[..count]);
        }
        if fate == Fate::Done {
            Reply::status(StatusCode::OK)
        } else {
            Reply::Status {
                code: StatusCode::FAILURE,
                text: String::from("no space left"),
                language: String::new(),
            }
        }
    }

    fn answer(&mut self, channel: &Channel, id: u32, request: &Request<'_>) {
        let reply = match request {
            Request::Open { flags, .. } => {
                if flags.contains(OpenFlags::TRUNCATE) {
                    self.data.clear();
                }
                Reply::Handle(b"h")
            }
            Request::Fstat { .. } | Request::Stat { .. } => {
                self.stats += 1;
                Reply::Attrs(sized(self.data.len()))
            }
            Request::Fsetstat { attributes, .. } => {
                self.cuts += 1;
                if self.refuse_cuts {
                    Reply::status(StatusCode::PERMISSION_DENIED)
                } else {
                    self.data
                        .resize(attributes.size.unwrap_or_default() as usize, 0);
                    Reply::status(StatusCode::OK)
                }
            }
            Request::Write { offset, data, .. } => {
                let reply = self.write(*offset as usize, data);
                if self.stalled {
                    self.held.push(id);
                    return;
                }
                reply
            }
            Request::Read { offset, length, .. } => {
                (self.before_read)(self.reads, &mut self.data);
                self.reads += 1;
                let from = (*offset as usize).min(self.data.len());
                let count = (*length as usize)
                    .min(self.read_most)
                    .min(self.data.len() - from);
                let data = &self.data[from..from + count];
                if data.is_empty() {
                    Reply::status(StatusCode::EOF)
                } else {
                    Reply::Data(data)
                }
            }
            _ => Reply::status(StatusCode::OK),
        };
        answer(channel, id, &reply);
    }

    /// A session on it.
    fn serve(self) -> (Sftp, Line, Arc<Mutex<Self>>) {
        let disk = Arc::new(Mutex::ranked(self, Rank::OUTERMOST));
        let served = Arc::clone(&disk);
        let (sftp, line) =
            session(move |channel, id, request| served.lock().answer(channel, id, request));
        (sftp, line, disk)
    }
}

/// What a server that announces no limits is sent at a time.
const CHUNK: usize = 32 * 1024;

fn writer(sftp: &Sftp) -> File {
    sftp.open_file(
        b"x",
        OpenFlags::WRITE | OpenFlags::CREATE,
        &Attributes::new(),
        TIME,
    )
    .unwrap()
}

fn reader(sftp: &Sftp) -> File {
    sftp.open_file(b"x", OpenFlags::READ, &Attributes::new(), TIME)
        .unwrap()
}

/// Writes all of `data` and closes, as long as it goes.
fn write_all(file: &File, data: &[u8], piece: usize) -> Result<(), Error> {
    for part in data.chunks(piece) {
        let mut rest = part;
        while !rest.is_empty() {
            let count = file.write(rest, TIME)?;
            rest = &rest[count..];
        }
    }
    file.flush(TIME)
}

#[test]
fn a_failed_write_leaves_no_hole() {
    use Fate::{Done, Part, Refused};
    let new = pattern(8 * CHUNK);
    let old = vec![0xee; 3 * CHUNK + 100];
    // What was there, what comes of the writes, how long the file is then, and where the position stands.
    let cases: [(&[u8], &[Fate], usize, usize); 8] = [
        (&[], &[Done, Refused], 0, 1),
        (&[], &[Done, Done, Refused, Done, Refused], 0, 2),
        (&[], &[Done, Refused, Part(50), Refused], 0, 1),
        (&[], &[Refused, Done], 0, 0),
        (&[], &[Refused], 0, 0),
        (&old, &[Done, Refused], 3 * CHUNK + 100, 1),
        (&old, &[Done, Done, Done, Refused, Done], 3 * CHUNK + 100, 3),
        (&old, &[Done, Done, Done, Done, Done, Refused], 0, 5),
    ];
    for (index, (before, fates, at_least, good)) in cases.into_iter().enumerate() {
        let (sftp, _line, disk) = Disk::failing(before.to_vec(), fates).serve();
        let file = writer(&sftp);
        let error = write_all(&file, &new, CHUNK).unwrap_err();
        let Error::SftpStatus(status) = &error else {
            panic!("{index}: {error:?}")
        };
        assert_eq!((status.operation, status.code), ("write", 4), "{index}");
        assert_eq!(status.text, "no space left");
        let whole = good * CHUNK;
        assert_eq!(file.tell(TIME).unwrap(), whole as u64, "{index}");
        let disk = disk.lock();
        assert_eq!(disk.data.len(), whole.max(at_least), "{index}");
        assert_eq!(disk.data[..whole], new[..whole], "{index}");
    }
}

#[test]
fn a_part_of_the_write_that_failed_may_stay() {
    let (sftp, _line, disk) = Disk::failing(Vec::new(), &[Fate::Done, Fate::Part(99)]).serve();
    let file = writer(&sftp);
    let new = pattern(2 * CHUNK);
    write_all(&file, &new, CHUNK).unwrap_err();
    assert_eq!(disk.lock().data, new[..CHUNK + 99]);
    // Written again from where it stands.
    assert_eq!(file.tell(TIME).unwrap(), CHUNK as u64);
    write_all(&file, &new[CHUNK..], 1000).unwrap();
    assert_eq!(disk.lock().data, new);
}

#[test]
fn a_hole_that_cannot_be_cut_off_is_told() {
    let mut disk = Disk::failing(Vec::new(), &[Fate::Done, Fate::Refused]);
    disk.refuse_cuts = true;
    let (sftp, _line, disk) = disk.serve();
    let error = write_all(&writer(&sftp), &pattern(4 * CHUNK), CHUNK).unwrap_err();
    assert!(error.to_string().contains("hole"), "{error}");
    assert!(error.to_string().contains("no space left"), "{error}");
    assert_eq!(disk.lock().cuts, 1);
}

#[test]
fn small_writes_travel_together_and_small_reads_are_asked_for_ahead() {
    let (sftp, _line, disk) = Disk::new(Vec::new()).serve();
    let data = pattern(20 * CHUNK + 77);
    write_all(&writer(&sftp), &data, 1000).unwrap();
    {
        let disk = disk.lock();
        assert_eq!(disk.data, data);
        assert!(disk.writes < 30, "{}", disk.writes);
    }
    let file = reader(&sftp);
    let mut back = Vec::new();
    let mut buffer = [0; 1000];
    loop {
        let count = file.read(&mut buffer, TIME).unwrap();
        if count == 0 {
            break;
        }
        back.extend_from_slice(&buffer[..count]);
    }
    assert!(back == data);
    assert!(disk.lock().reads < 100, "{}", disk.lock().reads);
}

#[test]
fn short_answers_are_completed() {
    let data = pattern(10 * CHUNK + 1);
    let mut disk = Disk::new(data.clone());
    disk.read_most = CHUNK / 3;
    let (sftp, _line, _disk) = disk.serve();
    let file = reader(&sftp);
    let mut back = vec![0; data.len() + 10];
    assert_eq!(file.read_at(&mut back, 0, TIME).unwrap(), data.len());
    assert!(back[..data.len()] == data);
    let mut taken = Collect::default();
    sftp.get_to_sink(b"x", 0, &mut taken, &mut TransferOptions::default(), TIME)
        .unwrap();
    assert!(taken.0 == data);
}

#[derive(Default)]
struct Collect(Vec<u8>);

impl Sink for Collect {
    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.0.extend_from_slice(data);
        Ok(())
    }
}

/// A download is a beginning of what the file was, to its end as it was found.
#[test]
fn files_that_shrink_and_grow_while_they_are_read() {
    type Change = fn(usize, &mut Vec<u8>);
    let grow: Change = |read, data| {
        if read < 50 {
            let more = pattern(data.len() + CHUNK)[data.len()..].to_vec();
            data.extend_from_slice(&more);
        }
    };
    let shrink: Change = |read, data| {
        if read == 5 {
            data.truncate(3 * CHUNK + 7);
        }
    };
    let vanish: Change = |_, data| data.clear();
    let cases: [(Change, usize); 3] = [(grow, 60), (shrink, 5), (vanish, 0)];
    for (change, most) in cases {
        let mut disk = Disk::new(pattern(10 * CHUNK));
        disk.before_read = change;
        let (sftp, _line, disk) = disk.serve();
        let mut taken = Collect::default();
        sftp.get_to_sink(b"x", 0, &mut taken, &mut TransferOptions::default(), TIME)
            .unwrap();
        let length = taken.0.len();
        assert!(taken.0 == pattern(length));
        assert!(length <= most * CHUNK, "{length}");
        let there = disk.lock().data.len();
        assert!(length >= there.min(10 * CHUNK), "{length} {there}");
    }
}

#[test]
fn what_a_write_at_could_not_send_in_time_is_not_written_elsewhere() {
    let mut disk = Disk::new(Vec::new());
    disk.stalled = true;
    let (sftp, line, disk) = disk.serve();
    sftp.set_window(1);
    let file = writer(&sftp);
    let outcome = file.write_at(&[0xbb; 2 * CHUNK], 10 * CHUNK as u64, SHORT);
    assert!(matches!(outcome, Err(Error::Timeout(_))), "{outcome:?}");
    {
        let mut disk = disk.lock();
        disk.stalled = false;
        for id in std::mem::take(&mut disk.held) {
            answer(&line.channel, id, &Reply::status(StatusCode::OK));
        }
    }
    let new = pattern(1000);
    write_all(&file, &new, 1000).unwrap();
    file.close(TIME).unwrap();
    let disk = disk.lock();
    assert_eq!(disk.data[..1000], new);
    assert!(disk.data[1000..10 * CHUNK].iter().all(|byte| *byte == 0));
    assert!(disk.data[10 * CHUNK..].iter().all(|byte| *byte == 0xbb));
    assert_eq!(disk.data.len(), 11 * CHUNK);
}

#[test]
fn data_that_came_before_the_end_is_given_out() {
    let data = pattern(CHUNK);
    let whole = data.clone();
    let (sftp, _line) = session(move |channel, id, request| match request {
        Request::Open { .. } => answer(channel, id, &Reply::Handle(b"h")),
        Request::Read { offset: 0, .. } => {
            answer(channel, id, &Reply::Data(&whole[..100]));
            let _ = channel.close();
        }
        _ => {}
    });
    let file = reader(&sftp);
    let mut buffer = vec![0; CHUNK];
    assert_eq!(file.read(&mut buffer, TIME).unwrap(), 100);
    assert_eq!(buffer[..100], data[..100]);
    assert!(file.read(&mut buffer, TIME).is_err());
}

#[test]
fn a_failure_found_in_the_middle_of_a_long_write_is_told_by_the_next_call() {
    let (sftp, _line, disk) = Disk::failing(Vec::new(), &[Fate::Refused]).serve();
    let file = writer(&sftp);
    // Longer than the window, so that the first write is waited for when others have been taken.
    let data = pattern(60 * CHUNK);
    let taken = file.write(&data, TIME).unwrap();
    assert!(taken < data.len());
    let error = file.write(&data[taken..], TIME).unwrap_err();
    assert!(error.to_string().contains("no space left"), "{error}");
    assert_eq!(disk.lock().data.len(), 0);
}

#[test]
fn an_upload_that_fails_names_the_reason_and_can_be_resumed() {
    struct Give(Vec<u8>, usize);
    impl Source for Give {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
            let count = buffer.len().min(self.0.len() - self.1);
            buffer[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
            self.1 += count;
            Ok(count)
        }
    }
    let data = pattern(60 * CHUNK + 5);
    let mut fates = vec![Fate::Done; 40];
    fates.extend([Fate::Part(5), Fate::Refused, Fate::Done, Fate::Part(1)]);
    let (sftp, _line, disk) = Disk::failing(Vec::new(), &fates).serve();
    let mut options = TransferOptions::default();
    let size = Some(data.len() as u64);
    let outcome = sftp.put_from_source(&mut Give(data.clone(), 0), size, b"x", &mut options, TIME);
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("no space left"), "{error}");
    let there = disk.lock().data.len();
    assert_eq!(there, 40 * CHUNK);
    options.resume = true;
    sftp.put_from_source(
        &mut Give(data.clone(), there),
        size,
        b"x",
        &mut options,
        TIME,
    )
    .unwrap();
    assert!(disk.lock().data == data);
}
