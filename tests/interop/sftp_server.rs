//! Our SFTP server against the clients of OpenSSH, PuTTY, lftp, rclone and paramiko.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, MetadataExt};
use std::path::{Path, PathBuf};

use crate::need;
use crate::peers::{key, openssh_sftp, peer, server_password_file, OurServer};
use crate::process::{file_hash, noise_file, run, Output, Scratch, LIMIT};
use crate::sftp_clients::{same_tree, Talk};

const MIB: u64 = 1024 * 1024;
const PASSWORD: &str = "let me in";

struct Offer {
    scratch: Scratch,
    server: OurServer,
    /// What clients see as "/".
    offered: PathBuf,
    /// A directory of the client's.
    local: PathBuf,
}

impl Offer {
    fn new(options: &[&str]) -> Self {
        let scratch = Scratch::new();
        let (offered, local) = (scratch.file("offered"), scratch.file("local"));
        fs::create_dir(&offered).expect("directory");
        fs::create_dir(&local).expect("directory");
        // What confinement must not follow.
        symlink("/etc", offered.join("out")).expect("link");
        symlink("../../../../../../../../etc/passwd", offered.join("up")).expect("link");
        let passwords = server_password_file(&scratch, PASSWORD);
        let mut all = vec!["--password-file", passwords.to_str().expect("path")];
        all.extend(["--sftp", offered.to_str().expect("path")]);
        all.extend(options);
        let server = OurServer::start(&scratch, &all);
        Offer {
            scratch,
            server,
            offered,
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

fn cut(path: &Path, bytes: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("file");
    file.set_len(bytes).expect("cut");
}

#[test]
fn openssh_copies_and_resumes() {
    need!("SFTP");
    let offer = Offer::new(&[]);
    let original = offer.noise("original", 200 * MIB);
    let (there, back) = (offer.offered.join("there"), offer.local.join("back"));
    offer
        .openssh("put LOCAL/original /there\nget /there LOCAL/back")
        .expect_code(0);
    assert_eq!(file_hash(&original), file_hash(&there));
    assert_eq!(file_hash(&original), file_hash(&back));
    cut(&there, 77 * MIB + 3);
    cut(&back, 99 * MIB + 1);
    offer
        .openssh("reput LOCAL/original /there\nreget /there LOCAL/back")
        .expect_code(0);
    assert_eq!(file_hash(&original), file_hash(&there), "reput");
    assert_eq!(file_hash(&original), file_hash(&back), "reget");
}

#[test]
fn openssh_looks_after_files() {
    need!("SFTP");
    let offer = Offer::new(&[]);
    offer.noise("file", 3 * MIB);
    let tree = offer.local.join("tree");
    fs::create_dir_all(tree.join("deep")).expect("directory");
    let odd = OsStr::from_bytes(b"bytes \xff\xfe that are no text");
    for name in [OsStr::new("Grüße, 世界 ☃"), odd] {
        fs::write(tree.join("deep").join(name), "x").expect("file");
    }
    let output = offer
        .openssh(
            "pwd\nput LOCAL/file /file\nmkdir /d\nrename /file /d/moved\nln /d/moved /hard\n\
             ln -s d/moved /soft\nchmod 640 /d/moved\ncp /d/moved /copy\ndf /\nput -rp LOCAL/tree /tree\n\
             get -rp /tree LOCAL/tree2\nrm /soft\nls -l /d",
        )
        .expect_code(0);
    let said = output.text();
    assert!(said.contains("Remote working directory: /\n"), "{said}");
    let file = offer.local.join("file");
    for name in ["d/moved", "hard", "copy"] {
        assert_eq!(
            file_hash(&file),
            file_hash(&offer.offered.join(name)),
            "{name}"
        );
    }
    let moved = fs::metadata(offer.offered.join("d/moved")).expect("file");
    assert_eq!((moved.mode() & 0o777, moved.nlink()), (0o640, 2));
    assert!(fs::symlink_metadata(offer.offered.join("soft")).is_err());
    assert!(said.contains("-rw-r-----"), "{said}");
    for name in [OsStr::new("Grüße, 世界 ☃"), odd] {
        let back = offer.local.join("tree2/deep").join(name);
        assert_eq!(fs::read(&back).expect("file"), b"x", "{name:?}");
    }
    // Refused for reasons that lie in the file system, each by itself.
    for line in [
        "rmdir /d",
        "mkdir /d",
        "rm /nowhere",
        "get /nowhere LOCAL/x",
        "ls /nowhere",
    ] {
        offer.openssh(line).expect_code(1);
    }
}

#[test]
fn openssh_lists_ten_thousand() {
    need!("SFTP");
    const MANY: usize = 10_000;
    let offer = Offer::new(&[]);
    let crowd = offer.offered.join("crowd");
    fs::create_dir(&crowd).expect("directory");
    for number in 0..MANY {
        fs::write(crowd.join(format!("n{number}")), "").expect("file");
    }
    let output = offer.openssh("ls -1 /crowd").expect_code(0);
    let text = output.text();
    let mut listed: Vec<usize> = text
        .lines()
        .filter_map(|line| line.strip_prefix("/crowd/n")?.parse().ok())
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, (0..MANY).collect::<Vec<_>>());
}

#[test]
fn openssh_gets_nothing_from_outside() {
    need!("SFTP");
    let offer = Offer::new(&[]);
    offer.noise("file", 10);
    for line in [
        "get ../../../../etc/passwd LOCAL/stolen",
        "get /etc/passwd LOCAL/stolen",
        "get /out/passwd LOCAL/stolen",
        "get /up LOCAL/stolen",
        "put LOCAL/file /out/sshwire-test",
        "mkdir /out/sshwire-test",
        "ln /out/passwd /stolen",
        "rename /out/passwd /stolen",
        "chmod 600 /up",
        "rm /out/hostname",
    ] {
        offer.openssh(line).expect_code(1);
    }
    assert!(fs::symlink_metadata(offer.local.join("stolen")).is_err());
    let output = offer.openssh("ls -la /\nls /out/");
    assert!(!output.text().contains("passwd"), "{}", output.text());
    // A link may say what it likes; it leads nowhere.
    offer.openssh("ln -s /etc/passwd /new").expect_code(0);
    offer.openssh("get /new LOCAL/stolen").expect_code(1);
    assert!(fs::metadata("/etc/passwd").expect("file").len() > 0);
}

#[test]
fn openssh_changes_nothing_where_only_reading_is_allowed() {
    need!("SFTP");
    let offer = Offer::new(&["--read-only"]);
    offer.noise("file", 10);
    let kept = offer.offered.join("kept");
    noise_file(&kept, MIB);
    let before = fs::metadata(&kept).expect("file");
    for line in [
        "put LOCAL/file /new",
        "put LOCAL/file /kept",
        "reput LOCAL/file /kept",
        "mkdir /new",
        "rm /kept",
        "rename /kept /new",
        "ln /kept /new",
        "ln -s /kept /new",
        "cp /kept /new",
        "chmod 600 /kept",
        "chown 12345 /kept",
    ] {
        offer.openssh(line).expect_code(1);
    }
    offer.openssh("get /kept LOCAL/copy").expect_code(0);
    assert_eq!(file_hash(&kept), file_hash(&offer.local.join("copy")));
    let after = fs::metadata(&kept).expect("file");
    assert_eq!(
        (before.mode(), before.uid(), before.mtime(), before.ino()),
        (after.mode(), after.uid(), after.mtime(), after.ino())
    );
    assert_eq!(fs::read_dir(&offer.offered).expect("directory").count(), 3);
}

#[test]
fn putty_copies_and_lists() {
    need!("PSFTP", "SSH_KEYGEN");
    let offer = Offer::new(&[]);
    offer.talk().putty(&["-pw", PASSWORD]);
    assert!(!offer.offered.join("d").exists());
}

#[test]
fn lftp_mirrors() {
    need!("LFTP", "SSH");
    let offer = Offer::new(&[]);
    offer.talk().lftp();
    same_tree(&offer.local.join("tree"), &offer.offered.join("tree"));
}

#[test]
fn paramiko_does_it_all() {
    need!("PYTHON");
    Offer::new(&[]).talk().paramiko();
}

/// rclone reads and writes many files at once, over connections of its own choice.
#[test]
fn rclone_copies_and_checks() {
    need!("RCLONE");
    const FILES: usize = 1000;
    let offer = Offer::new(&["-v"]);
    let tree = offer.local.join("tree");
    fs::create_dir_all(tree.join("a/b")).expect("directory");
    noise_file(&tree.join("a/large"), 64 * MIB);
    fs::write(tree.join("Grüße, 世界 ☃"), "x").expect("file");
    for number in 0..FILES {
        fs::write(tree.join(format!("a/b/{number}")), number.to_string()).expect("file");
    }
    let config = offer.scratch.write("rclone.conf", "");
    let hosts = offer
        .scratch
        .write("rclone_hosts", &offer.server.known_hosts_lines());
    let rclone = |words: &[&str]| {
        let output = run(
            peer("RCLONE")
                .env("HOME", offer.scratch.file("home"))
                .env("RCLONE_CONFIG", &config)
                .env("RCLONE_SFTP_HOST", "127.0.0.1")
                .env("RCLONE_SFTP_PORT", offer.server.port.to_string())
                .env("RCLONE_SFTP_USER", "tester")
                .env("RCLONE_SFTP_KEY_FILE", key("user_ed25519"))
                .env("RCLONE_SFTP_KNOWN_HOSTS_FILE", &hosts)
                // Files only: without this it runs programs over there, too.
                .env("RCLONE_SFTP_SHELL_TYPE", "none")
                .args(["--retries", "1", "--transfers", "8", "--checkers", "8"])
                .args(words)
                .current_dir(&offer.local),
            b"",
            LIMIT * 3,
        );
        let said = format!("{words:?}: {}{}", output.text(), output.stderr);
        assert_eq!(output.code(), Some(0), "{said}\n{}", offer.server.log());
        output
    };
    rclone(&["copy", "tree", ":sftp:/tree"]);
    // Byte by byte, and the times, too: a second copy has nothing to do.
    rclone(&["check", "--download", "tree", ":sftp:/tree"]);
    let output = rclone(&["copy", "-v", "--dry-run", "tree", ":sftp:/tree"]);
    assert!(!output.stderr.contains("Skipped copy"), "{}", output.stderr);
    rclone(&["copy", ":sftp:/tree", "back"]);
    for name in ["a/large", "Grüße, 世界 ☃", "a/b/999"] {
        let (there, back) = (offer.local.join("tree"), offer.local.join("back"));
        assert_eq!(file_hash(&there.join(name)), file_hash(&back.join(name)));
    }
    let output = rclone(&["size", "--json", ":sftp:/tree"]);
    let wanted = format!("\"count\":{}", FILES + 2);
    assert!(output.text().contains(&wanted), "{}", output.text());
    rclone(&["moveto", ":sftp:/tree/a/large", ":sftp:/tree/moved"]);
    assert_eq!(
        file_hash(&tree.join("a/large")),
        file_hash(&offer.offered.join("tree/moved"))
    );
    let output = rclone(&["about", ":sftp:/"]);
    assert!(output.text().contains("Free:"), "{}", output.text());
    rclone(&["purge", ":sftp:/tree"]);
    assert!(!offer.offered.join("tree").exists());
    // Its connections ended as they should, which it seldom says when they do not.
    let log = offer.server.log();
    assert!(log.contains("is gone: "), "{log}");
    assert!(!log.contains("broke the protocol"), "{log}");
}
