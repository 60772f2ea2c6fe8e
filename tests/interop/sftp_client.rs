//! Our SFTP client against OpenSSH's server and paramiko's.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::need;
use crate::peers::{
    account, client, key, password_file, path, program, OurServer, ParamikoServer, Sshd,
};
use crate::process::{file_hash, noise_file, run, Output, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;
const SUBSYSTEM: &str = "Subsystem sftp internal-sftp";

fn sshd(scratch: &Scratch) -> (Sshd, String) {
    let (user, _) = account();
    (Sshd::start(scratch, SUBSYSTEM), user)
}

/// A directory that the server's user may write.
fn open_directory(scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.file(name);
    fs::create_dir(&path).expect("directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("mode");
    path
}

fn sftp(port: u16, user: &str) -> Command {
    client("sftp", port, user, "user_ed25519")
}

#[track_caller]
fn does(command: &mut Command, words: &[&dyn AsRef<OsStr>]) -> Output {
    command.arg("127.0.0.1").args(words);
    run(command, b"", LIMIT * 3)
}

fn every_call(port: u16, user: &str, scratch: &Scratch) {
    let directory = open_directory(scratch, "calls");
    let output = run(
        Command::new(program("sftp_calls"))
            .arg(format!("127.0.0.1:{port}"))
            .arg(user)
            .arg(key("user_ed25519"))
            .arg(&directory),
        b"",
        LIMIT * 3,
    );
    assert_eq!(output.code(), Some(0), "{}", output.stderr);
    let left: Vec<_> = fs::read_dir(directory).expect("directory").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_call_with_sshd() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (server, user) = sshd(&scratch);
    every_call(server.port, &user, &scratch);
}

#[test]
fn every_call_with_paramiko() {
    need!("PYTHON", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = ParamikoServer::start(&scratch, &password_file(&scratch, "none"));
    every_call(server.port, "tester", &scratch);
}

/// A large file there and back, by hash, and the rest of one that was cut off.
fn there_and_back(port: u16, user: &str, scratch: &Scratch, bytes: u64) {
    let far = open_directory(scratch, "far");
    let (original, there, back) = (
        scratch.file("original"),
        far.join("there"),
        scratch.file("back"),
    );
    noise_file(&original, bytes);
    does(&mut sftp(port, user), &[&"put", &original, &there]).expect_code(0);
    assert_eq!(file_hash(&original), file_hash(&there));
    does(&mut sftp(port, user), &[&"get", &there, &back]).expect_code(0);
    assert_eq!(file_hash(&original), file_hash(&back));

    let cut = |path: &Path, bytes| {
        let file = fs::OpenOptions::new().write(true).open(path).expect("file");
        file.set_len(bytes).expect("cut");
    };
    cut(&back, bytes / 3 + 1);
    does(sftp(port, user).arg("-a"), &[&"get", &there, &back]).expect_code(0);
    assert_eq!(file_hash(&original), file_hash(&back), "resumed download");
    fs::set_permissions(&there, fs::Permissions::from_mode(0o666)).expect("mode");
    cut(&there, bytes / 2 + 1);
    does(sftp(port, user).arg("-a"), &[&"put", &original, &there]).expect_code(0);
    assert_eq!(file_hash(&original), file_hash(&there), "resumed upload");
    let output = does(&mut sftp(port, user), &[&"cat", &there]).expect_code(0);
    assert_eq!(output.stdout.len() as u64, bytes);
}

#[test]
fn large_files_with_sshd() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (server, user) = sshd(&scratch);
    there_and_back(server.port, &user, &scratch, 200 * MIB);
}

#[test]
fn large_files_with_paramiko() {
    need!("PYTHON", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = ParamikoServer::start(&scratch, &password_file(&scratch, "none"));
    there_and_back(server.port, "tester", &scratch, 16 * MIB);
}

/// Names that are UTF-8, names that are not, times, permissions, links, and a directory of 10,000.
#[test]
fn trees_with_sshd() {
    need!("SSHD", "ACCOUNT");
    const MANY: usize = 10_000;
    let scratch = Scratch::new();
    let (server, user) = sshd(&scratch);
    let far = open_directory(&scratch, "far");
    let (tree, there, back) = (scratch.file("tree"), far.join("tree"), scratch.file("back"));
    fs::create_dir_all(tree.join("deep/deeper")).expect("directory");
    let names = [
        OsStr::from_bytes("Grüße, 世界 ☃".as_bytes()),
        OsStr::from_bytes(b"bytes \xff\xfe that are no text"),
        OsStr::from_bytes(b"-r"),
    ];
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for (number, name) in names.iter().enumerate() {
        let path = tree.join("deep").join(name);
        fs::write(&path, format!("file {number}")).expect("file");
        let file = fs::File::open(&path).expect("file");
        file.set_modified(past).expect("time");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
    }
    fs::write(tree.join("deep/deeper/empty"), "").expect("file");
    symlink("deep", tree.join("link")).expect("link");

    let copy = |words: &[&dyn AsRef<OsStr>]| {
        does(sftp(server.port, &user).args(["-r", "-P"]), words).expect_code(0)
    };
    let output = copy(&[&"put", &tree, &there]);
    assert!(output.stderr.contains("1 left out"), "{}", output.stderr);
    copy(&[&"get", &there, &back]);
    for (number, name) in names.iter().enumerate() {
        let path = back.join("deep").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name:?}: {e}"));
        assert_eq!(text, format!("file {number}"));
        let metadata = fs::metadata(&path).expect("metadata");
        assert_eq!(metadata.mtime(), 1_000_000_000, "{name:?}");
        assert_eq!(metadata.mode() & 0o777, 0o640, "{name:?}");
    }
    assert_eq!(
        fs::metadata(back.join("deep/deeper/empty"))
            .expect("file")
            .len(),
        0
    );
    assert!(fs::symlink_metadata(back.join("link")).is_err());

    // A name that a terminal might take for a command is not copied (case T5).
    fs::write(there.join("deep/line\nbreak"), "").expect("file");
    let output = does(
        sftp(server.port, &user).arg("-r"),
        &[&"get", &there, &scratch.file("refused")],
    )
    .expect_code(1);
    assert!(output.stderr.contains("no file name"), "{}", output.stderr);

    let crowd = far.join("crowd");
    fs::create_dir(&crowd).expect("directory");
    for number in 0..MANY {
        fs::write(crowd.join(number.to_string()), "").expect("file");
    }
    let output = does(&mut sftp(server.port, &user), &[&"ls", &crowd]).expect_code(0);
    let mut listed: Vec<usize> = output
        .text()
        .lines()
        .map(|line| line.parse().expect("name"))
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, (0..MANY).collect::<Vec<_>>());
}

/// More small files there and back than are under way at once, with larger ones among them.
fn crowd(port: u16, user: &str, scratch: &Scratch) {
    let far = open_directory(scratch, "far");
    let (tree, there, back) = (scratch.file("tree"), far.join("tree"), scratch.file("back"));
    let path = |top: &Path, number: usize| top.join(format!("{}/{number}", number % 3));
    let content = |number: usize| vec![b'a' + (number % 26) as u8; number * 4231 % 70_000];
    for number in 0..500 {
        fs::create_dir_all(tree.join((number % 3).to_string())).expect("directory");
        fs::write(path(&tree, number), content(number)).expect("file");
    }
    for words in [
        [&"put" as &dyn AsRef<OsStr>, &tree, &there],
        [&"get", &there, &back],
        // Over what is there.
        [&"put", &back, &there],
    ] {
        does(sftp(port, user).args(["-r", "-P"]), &words).expect_code(0);
    }
    for number in 0..500 {
        for top in [&there, &back] {
            let copy = fs::read(path(top, number)).expect("file");
            assert!(copy == content(number), "{number}");
        }
    }
}

#[test]
fn a_crowd_of_files_with_sshd() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (server, user) = sshd(&scratch);
    crowd(server.port, &user, &scratch);
}

#[test]
fn a_crowd_of_files_with_paramiko() {
    need!("PYTHON", "SSH_KEYGEN");
    let scratch = Scratch::new();
    let server = ParamikoServer::start(&scratch, &password_file(&scratch, "none"));
    crowd(server.port, "tester", &scratch);
}

/// OpenSSH says how many files it may have open, and here that is few.
#[test]
fn a_crowd_of_files_with_an_sftp_server_of_few_handles() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (user, _) = account();
    let subsystem = "Subsystem sftp ulimit -n 12; exec /usr/lib/openssh/sftp-server";
    let server = Sshd::start(&scratch, subsystem);
    crowd(server.port, &user, &scratch);
}

#[test]
fn refusals_say_what_the_server_said() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (server, user) = sshd(&scratch);
    let far = open_directory(&scratch, "far");
    let local = scratch.file("local");
    noise_file(&local, MIB);
    fs::write(far.join("secret"), "x").expect("file");
    fs::set_permissions(far.join("secret"), fs::Permissions::from_mode(0o600)).expect("mode");
    let nowhere = far.join("nowhere");
    let cases: [(&[&dyn AsRef<OsStr>], &str); 6] = [
        (&[&"get", &nowhere, &local], "no such file"),
        (&[&"get", &far.join("secret"), &local], "permission denied"),
        (&[&"put", &local, &nowhere.join("x")], "no such file"),
        // The disk over there is full.
        (&[&"put", &local, &"/dev/full"], "failure"),
        (&[&"put", &scratch.file("none"), &nowhere], "No such file"),
        (&[&"mkdir", &far], "failure"),
    ];
    for (words, why) in cases {
        let output = does(&mut sftp(server.port, &user), words).expect_code(1);
        let said = output.stderr;
        assert!(said.contains(why), "{why:?} is not in {said:?}");
    }
    assert_eq!(
        fs::metadata(&local).expect("file").len(),
        MIB,
        "a download that was refused left the local file alone"
    );

    // Without the subsystem.
    let other = Scratch::new();
    let bare = Sshd::start(&other, "");
    let output = does(&mut sftp(bare.port, &user), &[&"ls"]).expect_code(255);
    assert!(output.stderr.contains("sftp"), "{}", output.stderr);
}

/// Options behind the command, modes as people read them, and both ends of a copy that fails.
#[test]
fn options_behind_the_command_and_what_is_said() {
    need!("SSHD", "ACCOUNT");
    let scratch = Scratch::new();
    let (server, user) = sshd(&scratch);
    let far = open_directory(&scratch, "far");
    let file = far.join("file");
    fs::write(&file, "12345").expect("file");
    for (mode, letters) in [
        (0o640, "-rw-r-----"),
        (0o4755, "-rwsr-xr-x"),
        (0o6644, "-rwSr-Sr--"),
        (0o1777, "-rwxrwxrwt"),
    ] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("mode");
        for words in [&["ls", "-L"][..], &["ls", "--long"]] {
            let mut command = sftp(server.port, &user);
            command.arg("127.0.0.1").args(words).arg(&far);
            let said = run(&mut command, b"", LIMIT).expect_code(0).text();
            assert!(
                said.starts_with(letters) && said.ends_with(" file\n"),
                "{said}"
            );
        }
    }
    let mut command = sftp(server.port, &user);
    command.args(["127.0.0.1", "ls"]).arg(&far).arg("-Ld");
    let said = run(&mut command, b"", LIMIT).expect_code(0).text();
    assert!(said.starts_with("drwxrwxrwx"), "{said}");
    // What is missing may be on either side.
    for words in [
        ["get", "/no/such/remote", "/some/local"],
        ["get", path(&file), "/no/such/local"],
        ["put", "/no/such/local", "/some/remote"],
    ] {
        let output = does(
            &mut sftp(server.port, &user),
            &[&words[0], &words[1], &words[2]],
        );
        let said = output.expect_code(1).stderr;
        let expected = format!("{} {} to {}", words[0], words[1], words[2]);
        assert!(said.contains(&expected), "{said}");
    }
    // A path that looks like an option.
    let mut command = sftp(server.port, &user);
    command.args(["127.0.0.1", "ls", "--", "-nothing"]);
    let said = run(&mut command, b"", LIMIT).expect_code(1).stderr;
    assert!(said.contains("ls -nothing"), "{said}");
}

/// Nothing would be read-only.
#[test]
fn a_server_that_serves_no_files_is_not_read_only() {
    let mut command = Command::new(program("server"));
    command.args(["--listen", "127.0.0.1:0", "--host-key"]);
    command.arg(key("host_ed25519")).arg("--authorized-keys");
    command.arg(key("authorized_keys")).arg("--read-only");
    let said = run(&mut command, b"", LIMIT).expect_code(255).stderr;
    assert!(said.contains("--sftp"), "{said}");
}

/// Where no name is given, a copy has the last part of the path: not the whole of it for a slash at its end, and not what
/// is no name.
#[test]
fn a_copy_without_a_name_stays_where_it_belongs() {
    need!("SSH_KEYGEN");
    let scratch = Scratch::new();
    let (far, near) = (scratch.file("far"), scratch.file("near"));
    let file_in = |directory: PathBuf| {
        fs::create_dir_all(&directory).expect("directory");
        fs::write(directory.join("file"), "text").expect("file");
        directory
    };
    file_in(far.join("a/tree"));
    fs::create_dir(&near).expect("directory");
    let own = file_in(scratch.file("other/own"));
    let server = OurServer::start(&scratch, &["--sftp", path(&far)]);
    let copy = |words: &[&str]| {
        let mut command = sftp(server.port, "tester");
        command
            .current_dir(&near)
            .args(["-r", "127.0.0.1"])
            .args(words);
        run(&mut command, b"", LIMIT)
    };
    let read = |path: PathBuf| fs::read_to_string(&path).expect("the copy");
    for tree in ["a/tree/", "/a/tree//", "a/tree"] {
        copy(&["get", tree]).expect_code(0);
        assert_eq!(read(near.join("tree/file")), "text", "{tree}");
        fs::remove_dir_all(near.join("tree")).expect("removed");
    }
    for tree in [format!("{}/", path(&own)), String::from("../other/own//")] {
        copy(&["put", &tree]).expect_code(0);
        assert_eq!(read(far.join("own/file")), "text", "{tree}");
        fs::remove_dir_all(far.join("own")).expect("removed");
    }
    for nameless in ["", "/", "//", ".", "..", "./", "a/..", "a/./", "../"] {
        for verb in ["get", "put"] {
            let said = copy(&[verb, nameless]).expect_code(255).stderr;
            assert!(said.contains("name"), "{verb} {nameless}: {said}");
        }
    }
    let entries =
        |path: &Path| fs::read_dir(path).expect("directory").count() - usize::from(path == far);
    assert_eq!((entries(&near), entries(&far)), (0, 0));
    copy(&["get", "..", "all"]).expect_code(0);
    assert_eq!(read(near.join("all/a/tree/file")), "text");
}
