//! Paths as the client sees them: absolute, "/" is the directory that is served.

use super::failure::Failure;
use crate::sftp::StatusCode;

/// Longest path after joining, as the system has it.
const MAX_BYTES: usize = 4096;

/// A clean absolute path: no empty part, no "." and no "..".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualPath(Vec<u8>);

impl VirtualPath {
    /// The top.
    pub fn root() -> Self {
        VirtualPath(vec![b'/'])
    }

    /// Cleans `path`; a relative one begins at `home`. ".." goes up in the text of the path and stops at
    /// the top.
    ///
    /// # Errors
    /// For paths with a NUL byte and paths that are too long.
    pub fn new(home: &VirtualPath, path: &[u8]) -> Result<Self, Failure> {
        if path.contains(&0) {
            return Err(Failure::new(
                StatusCode::NO_SUCH_FILE,
                "no name has a NUL byte",
            ));
        }
        let base: &[u8] = if path.first() == Some(&b'/') {
            b""
        } else {
            &home.0
        };
        let mut clean: Vec<u8> = Vec::new();
        for part in base.split(is_slash).chain(path.split(is_slash)) {
            match part {
                b"" | b"." => {}
                b".." => {
                    let end = clean.iter().rposition(|byte| *byte == b'/');
                    clean.truncate(end.unwrap_or(0));
                }
                name => {
                    clean.push(b'/');
                    clean.extend_from_slice(name);
                }
            }
        }
        if clean.len() > MAX_BYTES {
            return Err(Failure::other("the path is too long"));
        }
        if clean.is_empty() {
            clean.push(b'/');
        }
        Ok(VirtualPath(clean))
    }

    /// As the client is told.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the top.
    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    /// Relative to the top; "." is the top itself.
    pub fn relative(&self) -> &[u8] {
        match self.0.get(1..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => b".",
        }
    }

    /// The directory it is in and its name there; `None` for the top.
    pub fn split(&self) -> Option<(VirtualPath, &[u8])> {
        if self.is_root() {
            return None;
        }
        let at = self.0.iter().rposition(|byte| *byte == b'/')?;
        let (parent, name) = (self.0.get(..at)?, self.0.get(at + 1..)?);
        let parent = if parent.is_empty() { b"/" } else { parent };
        Some((VirtualPath(parent.to_vec()), name))
    }

    /// How many names it has.
    pub fn depth(&self) -> usize {
        if self.is_root() {
            0
        } else {
            self.0.iter().filter(|byte| **byte == b'/').count()
        }
    }
}

fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(path: &str) -> String {
        let home = VirtualPath::new(&VirtualPath::root(), b"/home/me").unwrap();
        let path = VirtualPath::new(&home, path.as_bytes()).unwrap();
        String::from_utf8(path.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn nothing_leads_above_the_top() {
        for (path, wanted) in [
            ("", "/home/me"),
            (".", "/home/me"),
            ("..", "/home"),
            ("../../../..", "/"),
            ("/..", "/"),
            ("//a//./b/", "/a/b"),
            ("/a/../../b", "/b"),
            ("x/../y", "/home/me/y"),
            ("/...", "/..."),
        ] {
            assert_eq!(clean(path), wanted, "{path:?}");
        }
    }

    #[test]
    fn parts() {
        let path = VirtualPath::new(&VirtualPath::root(), b"/a/\xff").unwrap();
        let (parent, name) = path.split().unwrap();
        assert_eq!((parent.as_bytes(), name), (&b"/a"[..], &b"\xff"[..]));
        assert_eq!(path.relative(), b"a/\xff");
        assert_eq!(path.depth(), 2);
        assert_eq!(VirtualPath::root().relative(), b".");
        assert_eq!(VirtualPath::root().depth(), 0);
        assert!(VirtualPath::root().split().is_none());
    }

    #[test]
    fn nul_and_length_are_refused() {
        let root = VirtualPath::root();
        assert!(VirtualPath::new(&root, b"a\0b").is_err());
        assert!(VirtualPath::new(&root, &[b'a'; 5000]).is_err());
        // What is long only before it is clean is fine.
        assert!(VirtualPath::new(&root, &b"a/../".repeat(2000)).is_ok());
    }
}
