//! Looking for secrets in the memory of this process without leaving them there.

use std::fs;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use sshwire::crypto::random::{Random, SystemRandom};
use zeroize::{Zeroize, Zeroizing};

/// What secrets are covered with. It lies in no writable memory, and so do they nowhere as they are.
const COVER: u8 = 0xa5;
/// So many bytes in a row count as found. 96 bits are nowhere by chance.
const WINDOW: usize = 12;
/// The same where they are printed as digits, at any place: of letters, 37 bits. Four bytes, which are twelve digits and spaces,
/// stand in every dump of names by chance.
const PRINTED_WINDOW: usize = 8;
/// How far windows are apart: a freed block of memory has its first 16 bytes overwritten by the allocator.
const STEP: usize = 8;
/// How long other threads may take to end something.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most windows of one secret.
const WINDOWS: usize = 8;
/// How much is read at once.
const CHUNK: usize = 1 << 16;

/// A secret that is in memory only while it is used.
#[derive(Clone)]
pub struct Secret {
    pub name: String,
    covered: Vec<u8>,
    /// How many characters stand for a byte, where it is printed as digits.
    digits: Option<usize>,
}

impl Secret {
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        Secret {
            name: name.to_owned(),
            covered: bytes.iter().map(|byte| byte ^ COVER).collect(),
            digits: None,
        }
    }

    /// Text that is used nowhere else: a password, a passphrase.
    pub fn text(name: &str, length: usize) -> Self {
        let mut bytes = Zeroizing::new(vec![0; length]);
        SystemRandom.fill(&mut bytes);
        for byte in bytes.iter_mut() {
            *byte = b'a' + *byte % 26;
        }
        Self::new(name, &bytes)
    }

    /// The bytes in the clear, for as long as the value lives.
    pub fn bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.covered.len() + 1));
        bytes.extend(self.covered.iter().map(|byte| byte ^ COVER));
        bytes
    }

    /// The same with a NUL behind it.
    pub fn c_string(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = self.bytes();
        bytes.push(0);
        bytes
    }

    /// The forms in which it might be printed: as it is, and in hexadecimal.
    pub fn printed(&self) -> Vec<Secret> {
        let digits = |between: &str| {
            let bytes = self.bytes();
            let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Secret {
                digits: Some(2 + between.len()),
                ..Secret::new(&self.name, digits.join(between).as_bytes())
            }
        };
        vec![self.clone(), digits(""), digits(" ")]
    }

    /// Whether any window of it is in `text`.
    pub fn is_in(&self, text: &[u8]) -> bool {
        let mut found = false;
        Search::new([self].into_iter()).each(text, |_, _| found = true);
        found
    }

    /// As numbers have their limbs in memory: the last byte first.
    fn reversed(&self) -> Self {
        Secret {
            name: format!("{}, reversed", self.name),
            covered: self.covered.iter().rev().copied().collect(),
            digits: self.digits,
        }
    }

    /// Covered windows. A short secret is one.
    fn windows(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        // Without what separates the last one from the next.
        let printed = |digits| (PRINTED_WINDOW - 1) * digits + 2;
        let window = self.digits.map_or(WINDOW, printed);
        let last = self.covered.len().saturating_sub(window);
        let step = self.digits.unwrap_or(STEP.max(last / WINDOWS));
        let starts = (0..last).step_by(step).chain([last]);
        starts.map(move |start| {
            let end = self.covered.len().min(start + window);
            self.covered[start..end].to_vec()
        })
    }
}

/// Windows that are looked for at once.
struct Search {
    windows: Vec<(String, Vec<u8>)>,
    /// Which windows begin with which two bytes.
    heads: Vec<Vec<usize>>,
}

impl Search {
    fn new<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        let mut search = Search {
            windows: Vec::new(),
            heads: vec![Vec::new(); 1 << 16],
        };
        for secret in secrets {
            for window in secret.windows() {
                let head = u16::from_be_bytes([window[0] ^ COVER, window[1] ^ COVER]);
                search.heads[usize::from(head)].push(search.windows.len());
                search.windows.push((secret.name.clone(), window));
            }
        }
        search
    }

    /// Names what is in the bytes, and where.
    fn each(&self, bytes: &[u8], mut found: impl FnMut(&str, usize)) {
        for (at, pair) in bytes.windows(2).enumerate() {
            let head = u16::from_be_bytes([pair[0], pair[1]]);
            for index in &self.heads[usize::from(head)] {
                let (name, window) = &self.windows[*index];
                let there = bytes.get(at..at + window.len());
                if there.is_some_and(|there| there.iter().zip(window).all(|(a, b)| a ^ COVER == *b))
                {
                    found(name, at);
                }
            }
        }
    }
}

/// Where secrets were found: name, what kind of memory.
pub fn find(secrets: &[Secret]) -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").expect("the map of this process");
    let memory = fs::File::open("/proc/self/mem").expect("the memory of this process");
    let reversed: Vec<_> = secrets.iter().map(Secret::reversed).collect();
    let search = Search::new(secrets.iter().chain(&reversed));
    let mut found = Vec::new();
    let mut buffer = Zeroizing::new(vec![0; CHUNK]);
    let own = buffer.as_ptr().addr()..buffer.as_ptr().addr() + CHUNK;
    for line in maps.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let (Some((start, end)), true) = (words[0].split_once('-'), words[1].starts_with("rw"))
        else {
            continue;
        };
        let parse = |word: &str| usize::from_str_radix(word, 16).expect("an address");
        let (mut at, end) = (parse(start), parse(end));
        while at < end {
            let length = CHUNK.min(end - at);
            if memory
                .read_exact_at(&mut buffer[..length], at as u64)
                .is_err()
            {
                break;
            }
            // Most of it was never used.
            let used = buffer[..length].iter().any(|byte| *byte != 0);
            if used {
                search.each(&buffer[..length], |name, place| {
                    // What was read is here, too.
                    if !own.contains(&(at + place)) {
                        let map = words.get(5).unwrap_or(&"anonymous");
                        let at = at + place;
                        found.push(format!("{name} at {at:x} in {map} {}", words[0]));
                    }
                });
            }
            buffer[..length].zeroize();
            if length < CHUNK {
                break;
            }
            // A window may lie across the end.
            at += length - WINDOW;
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Ends the test where any of the secrets stays in memory: other threads may be about to end what they do.
#[track_caller]
pub fn assert_gone(secrets: &[Secret], when: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = find(secrets);
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{when}: {found:#?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Shows that the search finds what is there.
#[track_caller]
pub fn assert_there(secret: &Secret, when: &str) {
    let found = find(std::slice::from_ref(secret));
    assert!(!found.is_empty(), "{when}: no {}", secret.name);
}

/// Overwrites what functions that have returned left on the stack of this thread: those of the test, not of the library.
#[inline(never)]
pub fn scrub() {
    let mut room = [0_u8; 256 << 10];
    std::hint::black_box(&mut room).zeroize();
}
