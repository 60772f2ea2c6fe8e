//! Directories up and down, with the small files in them several at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;

use super::world::World;
use super::*;
use crate::sftp::{extension, Limits};

const FILES: usize = 200;
/// The type of a reply, behind its length.
const HANDLE: u8 = 102;

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sshwire-trees-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Files of all small sizes, empty ones and one that is not small among them.
fn files() -> BTreeMap<String, Vec<u8>> {
    let small = (0..FILES).map(|number| (format!("file-{number}"), pattern(number * 37)));
    let large = [(String::from("large"), pattern(100_000))];
    small.chain(large).collect()
}

/// What a test looks at when a transfer has ended.
struct Rig {
    sftp: Sftp,
    line: Line,
    world: Arc<Mutex<World>>,
}

impl Rig {
    /// Answers go through `deliver`, which may hold them back or mix them.
    fn new(world: World, mut deliver: impl FnMut(&Channel, Vec<u8>) + Send + 'static) -> Self {
        let (ours, line) = Line::new();
        let limits = world.limits.map(|_| Extension {
            name: extension::LIMITS.into(),
            data: b"1".to_vec(),
        });
        let greeting = version_with(3, limits.into_iter().collect());
        let world = Arc::new(Mutex::ranked(world, Rank::OUTERMOST));
        let served = Arc::clone(&world);
        line.serve(greeting, move |channel, id, request| {
            let reply = served.lock().answer(id, request);
            deliver(channel, reply);
        });
        let sftp = Sftp::over(ours, TIME).unwrap();
        Rig { sftp, line, world }
    }

    fn at_once(world: World) -> Self {
        Rig::new(world, |channel, reply| {
            let _ = channel.write_all(Stream::Data, &reply, TIME);
        })
    }

    /// Answers come last first, as many as the server gets to see within some time.
    fn mixed(world: World) -> Self {
        let (tell, told) = mpsc::channel::<(Channel, Vec<u8>)>();
        thread::spawn(move || {
            while let Ok(first) = told.recv() {
                let mut replies = vec![first];
                while replies.len() < 10 {
                    let Ok(next) = told.recv_timeout(Duration::from_millis(2)) else {
                        break;
                    };
                    replies.push(next);
                }
                for (channel, reply) in replies.into_iter().rev() {
                    let _ = channel.write_all(Stream::Data, &reply, TIME);
                }
            }
        });
        Rig::new(world, move |channel, reply| {
            let _ = tell.send((channel.clone(), reply));
        })
    }

    fn put(&self, files: &BTreeMap<String, Vec<u8>>, options: &mut TransferOptions<'_>) -> Outcome {
        let from = folder(&format!("put-{}", fresh()));
        for (name, content) in files {
            fs::write(from.join(name), content).unwrap();
        }
        let outcome = self.sftp.put_tree(&from, b"/to", options, TIME);
        fs::remove_dir_all(&from).unwrap();
        outcome
    }

    /// Downloads what the world has in "/from".
    fn get(&self, options: &mut TransferOptions<'_>) -> (Outcome, BTreeMap<String, Vec<u8>>) {
        let to = folder(&format!("get-{}", fresh()));
        let outcome = self.sftp.get_tree(b"/from", &to, options, TIME);
        let files = fs::read_dir(&to).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        });
        let files = files.collect();
        fs::remove_dir_all(&to).unwrap();
        (outcome, files)
    }

    /// Everything that was given up is closed in the end.
    fn assert_all_closed(&self) {
        for _ in 0..2000 {
            // Has the session look at the answers that come late.
            self.sftp.mkdir(b"/to", &Attributes::new(), TIME).unwrap();
            if self.world.lock().open.is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{} are open", self.world.lock().open.len());
    }
}

type Outcome = Result<(), Error>;

fn fresh() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn below(directory: &str, files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let files = files.iter();
    files
        .map(|(name, content)| (format!("/{directory}/{name}"), content.clone()))
        .collect()
}

fn world_with(files: &BTreeMap<String, Vec<u8>>) -> World {
    World {
        files: below("from", files),
        ..World::new()
    }
}

#[test]
fn files_go_up_and_down_whatever_the_order_of_the_answers() {
    let files = files();
    for make in [Rig::at_once, Rig::mixed] {
        let rig = make(World::new());
        rig.put(&files, &mut TransferOptions::default()).unwrap();
        rig.assert_all_closed();
        let world = rig.world.lock();
        assert_eq!(world.files, below("to", &files));
        assert!((8..=64).contains(&world.most_open), "{}", world.most_open);
        drop(world);

        for piece in [usize::MAX, 100] {
            let rig = make(World {
                piece,
                ..world_with(&files)
            });
            let (outcome, copies) = rig.get(&mut TransferOptions::default());
            outcome.unwrap();
            assert_eq!(copies, files);
            rig.assert_all_closed();
            let most = rig.world.lock().most_open;
            // The directory, and two batches of handles that are on their way to be closed.
            assert!((8..=100).contains(&most), "{most}");
        }
    }
}

#[test]
fn times_and_permissions_are_carried_over_too() {
    let files = files();
    let mut options = TransferOptions {
        preserve: true,
        ..TransferOptions::default()
    };
    let rig = Rig::at_once(World::new());
    rig.put(&files, &mut options).unwrap();
    assert_eq!(rig.world.lock().files, below("to", &files));
    let rig = Rig::at_once(world_with(&files));
    let (outcome, copies) = rig.get(&mut options);
    outcome.unwrap();
    assert_eq!(copies, files);
}

#[test]
fn no_more_files_are_open_than_half_of_what_the_server_allows() {
    let files = files();
    for (allowed, most) in [(1, 1), (2, 1), (10, 5), (1000, 64)] {
        let limits = Some(Limits {
            open_handles: allowed,
            ..Limits::default()
        });
        let rig = Rig::at_once(World {
            limits,
            ..World::new()
        });
        rig.put(&files, &mut TransferOptions::default()).unwrap();
        let world = rig.world.lock();
        assert_eq!(world.files, below("to", &files));
        // The large file may be open beside them where there is room for many.
        assert!(world.most_open <= most + usize::from(most == 64));
    }
}

#[test]
fn a_server_that_cannot_open_so_many_gets_fewer() {
    let files = files();
    for room in [1, 2, 7] {
        for make in [Rig::at_once, Rig::mixed] {
            let rig = make(World {
                room,
                ..World::new()
            });
            rig.put(&files, &mut TransferOptions::default()).unwrap();
            let world = rig.world.lock();
            assert_eq!(world.files, below("to", &files));
            // It learns: what could not be opened is not tried in vain again and again.
            assert!((1..200).contains(&world.refused), "{}", world.refused);
        }
        let rig = Rig::at_once(World {
            room: room + 1,
            ..world_with(&files)
        });
        let (outcome, copies) = rig.get(&mut TransferOptions::default());
        outcome.unwrap();
        assert_eq!(copies, files);
    }
    // Where there is room for none, that is said, of a file that could not be opened alone.
    let rig = Rig::at_once(World {
        room: 0,
        ..World::new()
    });
    let outcome = rig.put(&files, &mut TransferOptions::default());
    assert_names(outcome, "open", "/to/");
}

#[track_caller]
fn assert_names(outcome: Outcome, operation: &str, path: &str) {
    match outcome {
        Err(Error::SftpStatus(status)) => {
            assert_eq!(status.operation, operation);
            assert!(status.path.starts_with(path), "{}", status.path);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_fails_is_named_and_leaves_nothing_open() {
    for make in [Rig::at_once, Rig::mixed] {
        for (bad, operation) in [("denied", "open"), ("full", "write")] {
            let mut files = files();
            files.insert(bad.into(), pattern(10));
            let rig = make(World::new());
            let outcome = rig.put(&files, &mut TransferOptions::default());
            assert_names(outcome, operation, &format!("/to/{bad}"));
            rig.assert_all_closed();
            for (path, content) in &rig.world.lock().files {
                let whole = files.get(&path["/to/".len()..]).unwrap();
                assert!(whole.starts_with(content), "{path}");
            }
        }
        for (bad, operation) in [("denied", "open"), ("bad", "read")] {
            let mut files = files();
            files.insert(bad.into(), pattern(10));
            let rig = make(world_with(&files));
            let (outcome, copies) = rig.get(&mut TransferOptions::default());
            assert_names(outcome, operation, &format!("/from/{bad}"));
            rig.assert_all_closed();
            for (name, content) in copies {
                assert!(files[&name].starts_with(&content), "{name}");
            }
        }
    }
}

#[test]
fn a_local_file_that_cannot_be_written_is_named() {
    let files = files();
    let rig = Rig::at_once(world_with(&files));
    let to = folder("in-the-way");
    fs::create_dir(to.join("file-7")).unwrap();
    let mut options = TransferOptions::default();
    let outcome = rig.sftp.get_tree(b"/from", &to, &mut options, TIME);
    let Err(Error::File { path, errno, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((&*path, errno), ("/from/file-7", libc::EISDIR));
    rig.assert_all_closed();
    fs::remove_dir_all(&to).unwrap();
}

/// What was told: path, bytes, files finished before.
type Told = Vec<(String, u64, u64)>;

fn telling(told: &mut Told, most: usize) -> TransferOptions<'_> {
    TransferOptions {
        progress: Some(Box::new(move |progress: &Progress<'_>| {
            let path = String::from_utf8(progress.path.to_vec()).unwrap();
            told.push((path, progress.done, progress.files));
            told.len() < most
        })),
        ..TransferOptions::default()
    }
}

/// Each file from its beginning to its end, no other one in between.
fn assert_whole(told: &Told, directory: &str, files: &BTreeMap<String, Vec<u8>>) {
    let mut seen = BTreeMap::new();
    for (index, (path, done, before)) in told.iter().enumerate() {
        let begins = index == 0 || told[index - 1].0 != *path;
        assert_eq!(begins, *done == 0, "{path} {done}");
        if begins {
            assert_eq!(*before, seen.len() as u64, "{path}");
        }
        seen.insert(path.clone(), *done);
    }
    let sizes: BTreeMap<_, _> = below(directory, files)
        .into_iter()
        .map(|(path, content)| (path, content.len() as u64))
        .collect();
    assert_eq!(seen, sizes);
}

#[test]
fn progress_tells_of_one_file_after_another() {
    let files = files();
    for make in [Rig::at_once, Rig::mixed] {
        let mut told = Vec::new();
        let rig = make(World::new());
        rig.put(&files, &mut telling(&mut told, usize::MAX))
            .unwrap();
        assert_whole(&told, "to", &files);
        let mut told = Vec::new();
        let rig = make(world_with(&files));
        let (outcome, _) = rig.get(&mut telling(&mut told, usize::MAX));
        outcome.unwrap();
        assert_whole(&told, "from", &files);
    }
}

#[test]
fn whoever_cancels_in_the_middle_leaves_nothing_open() {
    let files = files();
    // Each of the steps that a file is told about.
    for most in [1, 2, 3, 4, 50, 51] {
        for make in [Rig::at_once, Rig::mixed] {
            let mut told = Vec::new();
            let rig = make(World::new());
            let outcome = rig.put(&files, &mut telling(&mut told, most));
            assert_eq!((outcome, told.len()), (Err(Error::Cancelled), most));
            rig.assert_all_closed();
            let mut told = Vec::new();
            let rig = make(world_with(&files));
            let (outcome, _) = rig.get(&mut telling(&mut told, most));
            assert_eq!((outcome, told.len()), (Err(Error::Cancelled), most));
            rig.assert_all_closed();
        }
    }
}

/// Handles that come when nobody waits for them any more.
#[test]
fn handles_that_come_too_late_are_closed() {
    type Held = (bool, Vec<(Channel, Vec<u8>)>);
    type End = fn(&Line);
    let ends: [(Timeout, End, Error); 2] = [
        (TIME, |line| line.client.cancel(), Error::Cancelled),
        (SHORT, |_| {}, Error::Timeout("sftp reply")),
    ];
    for (timeout, end, cause) in ends {
        let held = Arc::new(Mutex::ranked((false, Vec::new()), Rank::OUTERMOST));
        let holding: Arc<Mutex<Held>> = Arc::clone(&held);
        let rig = Rig::new(World::new(), move |channel, reply| {
            let mut held = holding.lock();
            if reply.get(4) == Some(&HANDLE) && !held.0 {
                held.1.push((channel.clone(), reply));
            } else {
                let _ = channel.write_all(Stream::Data, &reply, TIME);
            }
        });
        let from = folder(&format!("late-{}", fresh()));
        for number in 0..100 {
            fs::write(from.join(number.to_string()), "x").unwrap();
        }
        let outcome = thread::scope(|scope| {
            let put = scope.spawn(|| {
                let mut options = TransferOptions::default();
                rig.sftp.put_tree(&from, b"/to", &mut options, timeout)
            });
            for _ in 0..2000 {
                if held.lock().1.len() >= 64 || put.is_finished() {
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
            end(&rig.line);
            put.join().unwrap()
        });
        assert_eq!(outcome, Err(cause));
        let mut held = held.lock();
        held.0 = true;
        for (channel, reply) in held.1.drain(..) {
            let _ = channel.write_all(Stream::Data, &reply, TIME);
        }
        drop(held);
        rig.assert_all_closed();
        fs::remove_dir_all(&from).unwrap();
    }
}

#[test]
fn a_server_that_says_nothing_holds_nobody_longer_than_wanted() {
    let (sftp, _line) = session(|channel, id, request| {
        if let Request::Mkdir { .. } = request {
            answer(channel, id, &Reply::status(StatusCode::OK));
        }
    });
    let from = folder("unanswered");
    fs::write(from.join("x"), "x").unwrap();
    let mut options = TransferOptions::default();
    let outcome = sftp.put_tree(&from, b"/to", &mut options, SHORT);
    assert!(matches!(outcome, Err(Error::Timeout(_))), "{outcome:?}");
    fs::remove_dir_all(&from).unwrap();
}

/// Three transfers have more to write than the server's window takes while it reads nothing.
#[test]
fn a_closed_window_only_stops_the_files_until_it_opens() {
    const TREES: usize = 3;
    let files: BTreeMap<_, _> = (0..40_usize)
        .map(|number| (number.to_string(), pattern(32 * 1024 - number)))
        .collect();
    // Not one of ours, whose order is watched: this one is held while everybody waits.
    let gate = Arc::new(std::sync::Mutex::new(()));
    let closed = gate.lock().unwrap();
    let (waiting, mut handles) = (Arc::clone(&gate), Some(Vec::new()));
    let rig = Rig::new(World::new(), move |channel, reply| {
        if let (Some(held), Some(&HANDLE)) = (&mut handles, reply.get(4)) {
            held.push(reply);
            if held.len() < TREES * 32 {
                return;
            }
            // All have as much under way as they may, in bytes, and nothing has been written.
            let _ = channel.write_all(Stream::Data, &held.concat(), TIME);
            handles = None;
            drop(waiting.lock().unwrap());
        } else {
            let _ = channel.write_all(Stream::Data, &reply, TIME);
        }
    });
    let from = folder("much");
    for (name, content) in &files {
        fs::write(from.join(name), content).unwrap();
    }
    thread::scope(|scope| {
        let puts: Vec<_> = (0..TREES)
            .map(|tree| {
                let (sftp, from) = (&rig.sftp, &from);
                scope.spawn(move || {
                    let to = format!("/to-{tree}");
                    let mut options = TransferOptions::default();
                    sftp.put_tree(from, to.as_bytes(), &mut options, TIME)
                })
            })
            .collect();
        let window = || rig.sftp.channel().status(|status| status.remote_window);
        let mut looks = 0;
        while window() != Some(0) && looks < 2000 {
            thread::sleep(Duration::from_millis(5));
            looks += 1;
        }
        assert_eq!(window(), Some(0));
        drop(closed);
        for put in puts {
            put.join().unwrap().unwrap();
        }
    });
    fs::remove_dir_all(&from).unwrap();
    rig.assert_all_closed();
    let mut wanted = BTreeMap::new();
    for tree in 0..TREES {
        wanted.extend(below(&format!("to-{tree}"), &files));
    }
    assert_eq!(rig.world.lock().files, wanted);
}
