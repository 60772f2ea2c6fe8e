//! Files that exist in a program's memory only, served to the clients of OpenSSH, PuTTY, lftp and paramiko.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

use crate::need;
use crate::peers::{key, openssh_sftp, program, OurServer};
use crate::process::{file_hash, noise_file, run, Output, Scratch, LIMIT};
use crate::sftp_clients::Talk;

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

    fn talk(&self) -> Talk<'_> {
        Talk {
            server: &self.server,
            scratch: &self.scratch,
            local: &self.local,
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
    MadeUp::new(&["--allow-anyone"]).talk().putty(&[]);
}

#[test]
fn lftp_mirrors() {
    need!("LFTP", "SSH");
    MadeUp::new(&[]).talk().lftp();
}

#[test]
fn paramiko_does_it_all() {
    need!("PYTHON");
    MadeUp::new(&[]).talk().paramiko();
}
