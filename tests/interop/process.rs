//! Running other programs with a bound on their time, and ending them by their id.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// Long enough for a slow machine under load, short enough that a hang is seen as one.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What a program left behind.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Output {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Ends the test unless the program ended with `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            Some(code),
            "stdout: {}\nstderr: {}",
            self.text(),
            self.stderr
        );
        self
    }
}

/// A program that runs in the background until this value is dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
    /// What it has started ends with it.
    has_family: bool,
}

impl Running {
    /// Starts `command`; what it prints goes to `log`.
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        let file = fs::File::create(&log).expect("log file");
        let copy = file.try_clone().expect("log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Running {
            child,
            log,
            has_family: false,
        }
    }

    /// The same for a program that works by others that it starts: they are ended with it.
    pub fn start_family(mut command: Command, log: PathBuf) -> Self {
        command.process_group(0);
        let mut running = Self::start(command, log);
        running.has_family = true;
        running
    }

    /// Its process id, its own until this value is dropped.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it where it is, as a machine that has gone silent.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// The most memory that it has had so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("status of the program");
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmHWM:")?
                    .strip_suffix("kB")?
                    .trim()
                    .parse()
                    .ok()
            })
            .map(|kib: u64| kib * 1024)
            .unwrap_or_else(|| panic!("no VmHWM in {status}"))
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Waits until the log holds a line with `needle` and returns that line.
    #[track_caller]
    pub fn wait_for_line(&mut self, needle: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        loop {
            let log = self.log();
            let complete = log.rfind('\n').map_or("", |at| log.get(..at).unwrap_or(""));
            if let Some(line) = complete.lines().find(|line| line.contains(needle)) {
                return line.to_owned();
            }
            assert!(!self.has_ended(), "ended before {needle:?}: {log}");
            assert!(Instant::now() < end, "no {needle:?} in: {log}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the program's own end.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        wait_child(&mut self.child, limit).unwrap_or_else(|| panic!("no end: {}", self.log()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_family {
            // While its own end is not collected, nobody else can have its number.
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait_child(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().expect("wait") {
            return Some(status);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Runs `command` with `input` to its end.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8], limit: Duration) -> Output {
    let mut child = spawn_piped(command);
    let mut stdin = child.stdin.take().expect("stdin");
    let input = input.to_vec();
    let writer = thread::spawn(move || {
        // A program that does not read its input is no failure.
        let _ = stdin.write_all(&input);
    });
    let stdout = collect(child.stdout.take().expect("stdout"));
    let stderr = collect(child.stderr.take().expect("stderr"));
    let ended = wait_child(&mut child, limit);
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
        // Whoever inherited the pipes may hold them open, so nothing waits for the readers here.
        panic!("no end within {limit:?}: {command:?}");
    }
    let _ = writer.join();
    Output {
        status: ended.expect("checked"),
        stdout: stdout.join().expect("reader"),
        stderr: String::from_utf8_lossy(&stderr.join().expect("reader")).into_owned(),
    }
}

pub fn spawn_piped(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
}

/// Bytes that no compressor shortens and no two positions share: xorshift64*.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Noise(seed | 1)
    }

    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let word = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(word) {
                *to = from;
            }
        }
    }
}

/// A file of noise.
pub fn noise_file(path: &Path, bytes: u64) {
    let mut file = fs::File::create(path).expect("file");
    let mut noise = Noise::new(bytes);
    let mut block = vec![0; 1024 * 1024];
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        noise.fill(&mut block[..part]);
        file.write_all(&block[..part]).expect("write");
        left -= part as u64;
    }
}

pub fn file_hash(path: &Path) -> Vec<u8> {
    let mut file = fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut hash = Sha256::new();
    let mut block = vec![0; 256 * 1024];
    loop {
        match file.read(&mut block).expect("read") {
            0 => return hash.finalize().to_vec(),
            count => hash.update(&block[..count]),
        }
    }
}

/// Sends `total` bytes of noise through `command`, which must send them back, both ways at once, and compares hashes.
/// Returns what the program said on standard error.
#[track_caller]
pub fn echo_through(command: &mut Command, total: u64, limit: Duration) -> String {
    let mut child = spawn_piped(command);
    let mut stdin = child.stdin.take().expect("stdin");
    let mut stdout = child.stdout.take().expect("stdout");
    let stderr = collect(child.stderr.take().expect("stderr"));
    let writer = thread::spawn(move || {
        let mut noise = Noise::new(total);
        let mut hash = Sha256::new();
        let mut block = vec![0; 256 * 1024];
        let mut left = total;
        while left > 0 {
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            let part = &mut block[..n];
            noise.fill(part);
            hash.update(&*part);
            if stdin.write_all(part).is_err() {
                break;
            }
            left -= n as u64;
        }
        (total - left, hash.finalize())
    });
    let reader = thread::spawn(move || {
        let mut hash = Sha256::new();
        let mut block = vec![0; 256 * 1024];
        let mut count = 0u64;
        while let Ok(n) = stdout.read(&mut block) {
            if n == 0 {
                break;
            }
            hash.update(&block[..n]);
            count += n as u64;
        }
        (count, hash.finalize())
    });
    let Some(status) = wait_child(&mut child, limit) else {
        let _ = child.kill();
        let _ = child.wait();
        panic!(
            "no end within {limit:?}: {command:?}\n{}",
            String::from_utf8_lossy(&stderr.join().unwrap_or_default())
        );
    };
    let sent = writer.join().expect("writer");
    let received = reader.join().expect("reader");
    let stderr = String::from_utf8_lossy(&stderr.join().expect("stderr")).into_owned();
    assert!(status.success(), "{status}: {stderr}");
    assert_eq!(sent.0, total, "not all was taken: {stderr}");
    assert_eq!(received.0, total, "not all came back: {stderr}");
    assert_eq!(sent.1, received.1, "changed on the way: {stderr}");
    stderr
}

static SCRATCHES: AtomicU32 = AtomicU32::new(0);

/// A directory that is gone when the test is.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        // Not below the checkout: sshd reads from here as another user, who may not enter a home directory.
        let path = std::env::temp_dir().join(format!(
            "sshwire-interop-{}-{}",
            std::process::id(),
            SCRATCHES.fetch_add(1, Ordering::Relaxed)
        ));
        fs::create_dir_all(&path).expect("scratch directory");
        Scratch(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).expect("scratch file");
        path
    }

    /// An executable script.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
