//! Directories up and down, with the small files in them several at a time.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use super::*;

const FILES: usize = 100;

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sshwire-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn content(name: &str) -> Vec<u8> {
    pattern(name.len() * 37)
}

/// What a server in memory has seen.
#[derive(Default)]
struct Seen {
    /// Contents by path, of those that are open by their handle.
    files: HashMap<Vec<u8>, Vec<u8>>,
    open: HashMap<Vec<u8>, Vec<u8>>,
    /// OPENs that are held back until enough have come.
    held: Vec<(u32, Vec<u8>)>,
    most_open: usize,
}

impl Seen {
    fn open(&mut self, path: &[u8]) -> Vec<u8> {
        let handle = [&b"handle of "[..], path].concat();
        self.open.insert(handle.clone(), path.to_vec());
        self.most_open = self.most_open.max(self.open.len());
        handle
    }
}

/// Takes files; those called "refused" can't be opened, and those called "full" not written. Answers no OPEN before
/// `together` have come.
fn taker(
    seen: Arc<Mutex<Seen>>,
    mut together: usize,
) -> impl FnMut(&Channel, u32, &Request<'_>) + Send + 'static {
    move |channel, id, request| {
        let mut seen = seen.lock();
        let status = match request {
            Request::Open { path, .. } => {
                seen.held.push((id, path.to_vec()));
                if seen.held.len() >= together {
                    together = 1;
                    for (id, path) in std::mem::take(&mut seen.held) {
                        if path.ends_with(b"refused") {
                            answer(channel, id, &Reply::status(StatusCode::FAILURE));
                        } else {
                            let handle = seen.open(&path);
                            answer(channel, id, &Reply::Handle(&handle));
                        }
                    }
                }
                return;
            }
            Request::Write {
                handle,
                offset,
                data,
            } => {
                let path = seen.open[*handle].clone();
                if path.ends_with(b"full") {
                    StatusCode::FAILURE
                } else {
                    assert_eq!(*offset, 0);
                    seen.files.insert(path, data.to_vec());
                    StatusCode::OK
                }
            }
            Request::Close { handle } => {
                let path = seen.open.remove(*handle).unwrap();
                seen.files.entry(path).or_default();
                StatusCode::OK
            }
            Request::Mkdir { .. } => StatusCode::OK,
            other => panic!("{other:?}"),
        };
        answer(channel, id, &Reply::status(status));
    }
}

fn put(names: &[String], together: usize) -> (Result<(), Error>, Arc<Mutex<Seen>>, u64) {
    let from = folder(&format!("put-{}-{}", names.len(), names[0]));
    for name in names {
        fs::write(from.join(name), content(name)).unwrap();
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (sftp, _line) = session(taker(Arc::clone(&seen), together));
    let mut files = 0;
    let mut options = TransferOptions {
        progress: Some(Box::new(|progress: &Progress<'_>| {
            files = files.max(progress.files);
            true
        })),
        ..TransferOptions::default()
    };
    let outcome = sftp.put_tree(&from, b"/to", &mut options, TIME);
    drop(options);
    settle(&sftp);
    fs::remove_dir_all(&from).unwrap();
    (outcome, seen, files)
}

/// Waits until what was given up is closed. This server answers in order: the first reply comes behind the handles that
/// nobody waits for any more, the second one behind their CLOSEs.
fn settle(sftp: &Sftp) {
    for _ in 0..2 {
        sftp.mkdir(b"/last", &Attributes::new(), TIME).unwrap();
    }
}

fn names() -> Vec<String> {
    (0..FILES)
        .map(|number| format!("file-{}", "x".repeat(number)))
        .collect()
}

#[test]
fn small_files_go_up_side_by_side() {
    let names = names();
    let (outcome, seen, files) = put(&names, 8);
    outcome.unwrap();
    let seen = seen.lock();
    assert!(seen.most_open >= 8 && seen.open.is_empty());
    assert!(seen.most_open <= 32, "{} at once", seen.most_open);
    assert_eq!(seen.files.len(), FILES);
    for name in &names {
        assert_eq!(seen.files[format!("/to/{name}").as_bytes()], content(name));
    }
    // The last one is finished after this was told last.
    assert_eq!(files, FILES as u64 - 1);
}

#[test]
fn empty_files_go_up_too() {
    let (outcome, seen, _) = put(&[String::new() + "e"], 1);
    outcome.unwrap();
    assert_eq!(seen.lock().files[&b"/to/e"[..]], content("e"));
    let from = folder("put-empty");
    fs::write(from.join("empty"), b"").unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (sftp, _line) = session(taker(Arc::clone(&seen), 1));
    let mut options = TransferOptions::default();
    sftp.put_tree(&from, b"/to", &mut options, TIME).unwrap();
    assert_eq!(seen.lock().files[&b"/to/empty"[..]], b"");
    fs::remove_dir_all(&from).unwrap();
}

#[test]
fn a_small_file_that_fails_ends_it_and_leaves_no_handle_open() {
    for (bad, operation) in [("refused", "open"), ("full", "write")] {
        let mut names = names();
        names.push(String::from(bad));
        let (outcome, seen, _) = put(&names, 1);
        match outcome {
            Err(Error::SftpStatus(status)) => {
                assert_eq!(status.operation, operation);
                assert_eq!(status.path, format!("/to/{bad}"));
            }
            other => panic!("{other:?}"),
        }
        let seen = seen.lock();
        assert!(seen.open.is_empty(), "{:?}", seen.open.keys());
        for (path, data) in &seen.files {
            let name = std::str::from_utf8(&path[4..]).unwrap();
            assert!(data.is_empty() || *data == content(name), "{name}");
        }
    }
}

/// Gives a directory of files, whose replies are half of what was asked for; those called "bad" can't be read.
fn giver(
    names: Vec<String>,
    open: Arc<Mutex<HashMap<Vec<u8>, usize>>>,
) -> impl FnMut(&Channel, u32, &Request<'_>) + Send + 'static {
    let mut listed = false;
    move |channel, id, request| {
        let mut open = open.lock();
        let refused = |code| answer(channel, id, &Reply::status(code));
        match request {
            Request::Stat { .. } => answer(channel, id, &Reply::Attrs(sized(0))),
            Request::Opendir { .. } => answer(channel, id, &Reply::Handle(b"directory")),
            Request::Readdir { .. } if listed => refused(StatusCode::EOF),
            Request::Readdir { .. } => {
                listed = true;
                let names = names.iter().map(|name| Name {
                    file_name: name.clone().into_bytes(),
                    long_name: Vec::new(),
                    attributes: sized(content(name).len()),
                });
                answer(channel, id, &Reply::Name(names.collect()));
            }
            Request::Open { path, .. } => {
                *open.entry(path.to_vec()).or_default() += 1;
                answer(channel, id, &Reply::Handle(path));
            }
            Request::Read { handle, offset, .. } => {
                let name = std::str::from_utf8(&handle[6..]).unwrap();
                let data = content(name);
                let rest = &data[*offset as usize..];
                if name == "bad" {
                    refused(StatusCode::FAILURE);
                } else if rest.is_empty() {
                    refused(StatusCode::EOF);
                } else {
                    answer(channel, id, &Reply::Data(&rest[..rest.len().div_ceil(2)]));
                }
            }
            Request::Close { handle } => {
                if *handle != b"directory" {
                    *open.get_mut(*handle).unwrap() -= 1;
                }
                refused(StatusCode::OK);
            }
            Request::Mkdir { .. } => refused(StatusCode::OK),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn small_files_come_down_side_by_side() {
    for bad in [false, true] {
        let mut names = names();
        if bad {
            names.push(String::from("bad"));
        }
        let to = folder(&format!("get-{bad}"));
        let open = Arc::new(Mutex::new(HashMap::new()));
        let (sftp, _line) = session(giver(names.clone(), Arc::clone(&open)));
        let mut options = TransferOptions::default();
        let outcome = sftp.get_tree(b"/from", &to, &mut options, TIME);
        settle(&sftp);
        match outcome {
            Ok(()) => assert!(!bad),
            Err(Error::SftpStatus(status)) => {
                assert!(bad);
                assert_eq!(status.operation, "read");
            }
            Err(error) => panic!("{error}"),
        }
        assert!(open.lock().values().all(|count| *count == 0));
        for name in names.iter().filter(|_| !bad) {
            assert_eq!(fs::read(to.join(name)).unwrap(), content(name));
        }
        fs::remove_dir_all(&to).unwrap();
    }
}
