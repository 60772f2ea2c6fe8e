//! Files that exist in a program's memory only, served to the clients of OpenSSH, PuTTY, lftp and paramiko.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

use crate::need;
use crate::peers::{fingerprint, key, openssh_sftp, peer, program, root, ssh_options, OurServer};
use crate::process::{file_hash, noise_file, run, Output, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;

struct MadeUp {
    scratch: Scratch,
    server: OurServer,
    /// A directory of the client's.
    local: PathBuf,
}

impl MadeUp {
    fn new(options: &[&str]) -> Self {
        let scratch = Scratch::new();
        let local = scratch.file("local");
        fs::create_dir(&local).expect("directory");
        let mut command = Command::new(program("sftp-server"));
        command
            .args(["--listen", "127.0.0.1:0", "--host-key"])
            .arg(key("host_ed25519"))
            .arg("--authorized-keys")
            .arg(key("authorized_keys"))
            .args(options);
        let server = OurServer::start_command(&scratch, command);
        MadeUp {
            scratch,
            server,
            local,
        }
    }

    /// OpenSSH's client does what the lines say; a line that fails ends it.
    #[track_caller]
    fn openssh(&self, batch: &str) -> Output {
        let batch = batch.replace("LOCAL", self.local.to_str().expect("path"));
        let mut command = openssh_sftp(&self.server, &self.scratch, &batch);
        run(&mut command, b"", LIMIT * 3)
    }

    fn noise(&self, name: &str, bytes: u64) -> PathBuf {
        let path = self.local.join(name);
        noise_file(&path, bytes);
        path
    }
}

#[test]
fn openssh_copies_and_resumes() {
    need!("SFTP");
    let files = MadeUp::new(&[]);
    let original = files.noise("original", 200 * MIB);
    let back = files.local.join("back");
    files
        .openssh("put LOCAL/original /there\nget /there LOCAL/back")
        .expect_code(0);
    assert_eq!(file_hash(&original), file_hash(&back));
    let part = files.local.join("part");
    fs::copy(&original, &part).expect("copy");
    for path in [&part, &back] {
        let file = fs::OpenOptions::new().write(true).open(path).expect("file");
        file.set_len(77 * MIB + 3).expect("cut");
    }
    files
        .openssh(
            "put LOCAL/part /again\nreput LOCAL/original /again\nreget /again LOCAL/back\nrm /there",
        )
        .expect_code(0);
    assert_eq!(file_hash(&original), file_hash(&back));
    // More than there is room for is refused, and said.
    let files = MadeUp::new(&["--most", "1000000"]);
    files.noise("large", 2 * MIB);
    let output = files.openssh("put LOCAL/large /large").expect_code(1);
    assert!(output.stderr.contains("Failure"), "{}", output.stderr);
}

#[test]
fn openssh_looks_after_files() {
    need!("SFTP");
    const MANY: usize = 10_000;
    let files = MadeUp::new(&[]);
    files.noise("file", 3 * MIB);
    let deep = files.local.join("tree/deep");
    fs::create_dir_all(&deep).expect("directory");
    let odd = OsStr::from_bytes(b"bytes \xff\xfe that are no text");
    let names = [OsStr::new("Grüße, 世界 ☃"), odd];
    for name in names {
        fs::write(deep.join(name), "x").expect("file");
    }
    let output = files
        .openssh(
            "pwd\nput LOCAL/file /file\nmkdir /d\nrename /file /d/moved\nln /d/moved /hard\nln -s d/moved /soft\n\
             chmod 640 /d/moved\ndf /\nput -rp LOCAL/tree /tree\nget -rp /tree LOCAL/tree2\nget /soft LOCAL/soft\n\
             get /hard LOCAL/hard\nrm /soft\nls -l /d",
        )
        .expect_code(0);
    let said = output.text();
    assert!(said.contains("Remote working directory: /\n"), "{said}");
    assert!(said.contains("-rw-r-----"), "{said}");
    for copy in ["soft", "hard"] {
        let copy = files.local.join(copy);
        assert_eq!(file_hash(&files.local.join("file")), file_hash(&copy));
    }
    for name in names {
        let back = files.local.join("tree2/deep").join(name);
        assert_eq!(fs::read(&back).expect("file"), b"x", "{name:?}");
    }
    for line in [
        "rmdir /d",
        "mkdir /d",
        "rm /nowhere",
        "get /nowhere LOCAL/x",
        "ls /nowhere",
        "get /../../etc/passwd LOCAL/x",
    ] {
        files.openssh(line).expect_code(1);
    }

    let crowd = files.local.join("crowd");
    fs::create_dir(&crowd).expect("directory");
    for number in 0..MANY {
        fs::write(crowd.join(format!("n{number}")), "").expect("file");
    }
    let output = files
        .openssh("put -r LOCAL/crowd /crowd\nls -1 /crowd")
        .expect_code(0);
    let text = output.text();
    let mut listed: Vec<usize> = text
        .lines()
        .filter_map(|line| line.strip_prefix("/crowd/n")?.parse().ok())
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, (0..MANY).collect::<Vec<_>>());
}

#[test]
fn putty_copies_and_lists() {
    need!("PSFTP", "SSH_KEYGEN");
    let files = MadeUp::new(&["--allow-anyone"]);
    let original = files.noise("original", 64 * MIB);
    let local = files.local.to_str().expect("path").to_owned();
    let batch = files.scratch.write(
        "psftp",
        &format!(
            "lcd {local}\nput original there\nget there back\nmkdir d\nmv there d/moved\nls d\nchmod 600 d/moved\n\
             reget d/moved back\ndel d/moved\nrmdir d\n"
        ),
    );
    let home = files.scratch.file("home");
    fs::create_dir(&home).expect("directory");
    let output = run(
        peer("PSFTP")
            .env("HOME", &home)
            .args(["-batch", "-P", &files.server.port.to_string()])
            .args([
                "-hostkey",
                &fingerprint(&key("host_ed25519").with_extension("pub")),
                "-b",
            ])
            .arg(batch)
            .arg("tester@127.0.0.1"),
        b"",
        LIMIT * 3,
    );
    let said = format!("{}{}", output.text(), output.stderr);
    assert_eq!(output.code(), Some(0), "{said}");
    assert!(said.contains("moved"), "{said}");
    assert_eq!(file_hash(&original), file_hash(&files.local.join("back")));
}

#[test]
fn lftp_mirrors() {
    need!("LFTP", "SSH");
    let files = MadeUp::new(&[]);
    let tree = files.local.join("tree");
    fs::create_dir_all(tree.join("a/b")).expect("directory");
    noise_file(&tree.join("a/large"), 32 * MIB);
    for number in 0..200 {
        fs::write(tree.join(format!("a/b/{number}")), number.to_string()).expect("file");
    }
    let mut words = ssh_options(&files.server, &files.scratch);
    words.extend(["-i".to_owned(), key("user_ed25519").display().to_string()]);
    let script = format!(
        "set net:max-retries 1; set net:timeout 30; set cmd:fail-exit yes; set sftp:auto-confirm no; \
         set sftp:connect-program \"ssh -a -x {}\"; open -u tester, sftp://127.0.0.1:{}; \
         lcd {}; mirror -R --parallel=3 tree /tree; mirror --parallel=3 /tree back; bye",
        words.join(" "),
        files.server.port,
        files.local.display(),
    );
    let home = files.scratch.file("home");
    fs::create_dir(&home).expect("directory");
    let mut command = peer("LFTP");
    command.env("HOME", &home).args(["--norc", "-c", &script]);
    let output = run(&mut command, b"", LIMIT * 3);
    assert_eq!(output.code(), Some(0), "{}{}", output.text(), output.stderr);
    let back = files.local.join("back");
    assert_eq!(
        file_hash(&tree.join("a/large")),
        file_hash(&back.join("a/large"))
    );
    for number in 0..200 {
        let copy = fs::read_to_string(back.join(format!("a/b/{number}"))).expect("file");
        assert_eq!(copy, number.to_string());
    }
}

#[test]
fn paramiko_does_it_all() {
    need!("PYTHON");
    let files = MadeUp::new(&[]);
    let output = run(
        peer("PYTHON")
            .arg(root().join("tests/peers/paramiko_sftp.py"))
            .arg(files.server.port.to_string())
            .arg(key("user_ed25519")),
        b"",
        LIMIT * 2,
    );
    let said = format!("{}{}", output.text(), output.stderr);
    assert_eq!(output.code(), Some(0), "{said}\n{}", files.server.log());
    assert_eq!(said.matches("ok ").count(), 7, "{said}");
}
