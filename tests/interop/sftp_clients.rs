//! What other programs' SFTP clients are put to, whatever the server serves.

use std::fs;
use std::path::Path;

use crate::peers::{fingerprint, key, peer, root, ssh_options, OurServer};
use crate::process::{file_hash, noise_file, run, Scratch, LIMIT};

const MIB: u64 = 1024 * 1024;

/// A server of ours and the client's directory.
pub struct Talk<'a> {
    pub server: &'a OurServer,
    pub scratch: &'a Scratch,
    pub local: &'a Path,
}

impl Talk<'_> {
    fn home(&self) -> std::path::PathBuf {
        let home = self.scratch.file("home");
        fs::create_dir(&home).expect("directory");
        home
    }

    /// PuTTY's client copies 64 MiB both ways, and moves, lists and removes it. `login` is how it gets in.
    #[track_caller]
    pub fn putty(&self, login: &[&str]) {
        let original = self.local.join("original");
        noise_file(&original, 64 * MIB);
        let batch = self.scratch.write(
            "psftp",
            &format!(
                "lcd {}\nput original there\nget there back\nmkdir d\nmv there d/moved\nls d\nchmod 600 d/moved\n\
                 reget d/moved back\ndel d/moved\nrmdir d\n",
                self.local.display()
            ),
        );
        let output = run(
            peer("PSFTP")
                .env("HOME", self.home())
                .args(["-batch", "-P", &self.server.port.to_string()])
                .arg("-hostkey")
                .arg(fingerprint(&key("host_ed25519").with_extension("pub")))
                .args(login)
                .arg("-b")
                .arg(batch)
                .arg("tester@127.0.0.1"),
            b"",
            LIMIT * 3,
        );
        let said = format!("{}{}", output.text(), output.stderr);
        assert_eq!(output.code(), Some(0), "{said}");
        assert!(said.contains("moved"), "{said}");
        assert_eq!(file_hash(&original), file_hash(&self.local.join("back")));
    }

    /// lftp mirrors a tree to `/tree` and back, several files at once.
    #[track_caller]
    pub fn lftp(&self) {
        let tree = self.local.join("tree");
        fs::create_dir_all(tree.join("a/b")).expect("directory");
        noise_file(&tree.join("a/large"), 32 * MIB);
        for number in 0..200 {
            fs::write(tree.join(format!("a/b/{number}")), number.to_string()).expect("file");
        }
        let mut words = ssh_options(self.server, self.scratch);
        words.extend(["-i".to_owned(), key("user_ed25519").display().to_string()]);
        let script = format!(
            "set net:max-retries 1; set net:timeout 30; set cmd:fail-exit yes; set sftp:auto-confirm no; \
             set sftp:connect-program \"ssh -a -x {}\"; open -u tester, sftp://127.0.0.1:{}; \
             lcd {}; mirror -R --parallel=3 tree /tree; mirror --parallel=3 /tree back; bye",
            words.join(" "),
            self.server.port,
            self.local.display(),
        );
        let mut command = peer("LFTP");
        command
            .env("HOME", self.home())
            .args(["--norc", "-c", &script]);
        let output = run(&mut command, b"", LIMIT * 3);
        assert_eq!(output.code(), Some(0), "{}{}", output.text(), output.stderr);
        same_tree(&tree, &self.local.join("back"));
    }

    /// paramiko does all that its client can.
    #[track_caller]
    pub fn paramiko(&self) {
        let output = run(
            peer("PYTHON")
                .arg(root().join("tests/peers/paramiko_sftp.py"))
                .arg(self.server.port.to_string())
                .arg(key("user_ed25519")),
            b"",
            LIMIT * 2,
        );
        let said = format!("{}{}", output.text(), output.stderr);
        assert_eq!(output.code(), Some(0), "{said}\n{}", self.server.log());
        assert_eq!(said.matches("ok ").count(), 7, "{said}");
    }
}

/// Whether a copy has all of what [`Talk::lftp`] mirrors.
#[track_caller]
pub fn same_tree(tree: &Path, copy: &Path) {
    assert_eq!(
        file_hash(&tree.join("a/large")),
        file_hash(&copy.join("a/large"))
    );
    assert_eq!(
        fs::read_dir(copy.join("a/b")).expect("directory").count(),
        200
    );
    for number in 0..200 {
        let content = fs::read_to_string(copy.join(format!("a/b/{number}"))).expect("file");
        assert_eq!(content, number.to_string());
    }
}
