//! The machine and the account that the program runs in.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{Uid, User};

use super::{Local, Surroundings, Trust, MAX_FILE};
use crate::codec::printable;
use crate::error::Error;

/// Most files that one pattern may name.
const MAX_GLOBBED: usize = 1024;

/// Runs a command for `Match exec`: whether it succeeds.
pub type RunCommand = dyn Fn(&str) -> Result<bool, String> + Send + Sync;

/// Files, environment and users of this machine.
#[derive(Clone, Default)]
pub struct ThisMachine {
    run: Option<Arc<RunCommand>>,
}

impl ThisMachine {
    /// With somebody who runs the commands of `Match exec`.
    pub fn with_commands(run: Arc<RunCommand>) -> Self {
        ThisMachine { run: Some(run) }
    }
}

impl Surroundings for ThisMachine {
    fn local(&self) -> Result<Local, Error> {
        let account = User::from_uid(Uid::current())
            .ok()
            .flatten()
            .ok_or(Error::Resource(
                "the account of this process has no entry, so no name and no home",
            ))?;
        Ok(Local {
            user: account.name,
            uid: account.uid.as_raw(),
            home: account.dir.to_string_lossy().into_owned(),
            host_name: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
        })
    }

    fn read(&self, path: &Path, trust: Trust) -> Result<Option<Vec<u8>>, Error> {
        match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened
                .and_then(|file| content(&file, trust))
                .map(Some)
                .map_err(|error| failed(path, &error)),
        }
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, Error> {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let found = glob::glob_with(&plain_stars(pattern), options).map_err(|error| {
            super::fault(
                printable(pattern.as_bytes(), 1000),
                format!("that is no pattern of files: {}", error.msg),
            )
        })?;
        let mut paths: Vec<PathBuf> = Vec::new();
        // A folder that cannot be looked into has no files for us.
        for path in found.flatten() {
            if paths.len() == MAX_GLOBBED {
                return Err(Error::Limit("the number of files that one Include names"));
            }
            paths.push(path);
        }
        Ok(paths)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn home_of(&self, user: &str) -> Option<String> {
        let account = User::from_name(user).ok().flatten()?;
        Some(account.dir.to_string_lossy().into_owned())
    }

    fn service(&self, name: &str) -> Option<u16> {
        let services = self
            .read(Path::new("/etc/services"), Trust::Given)
            .ok()
            .flatten()?;
        port_of_service(&String::from_utf8_lossy(&services), name)
    }

    fn run(&self, command: &str) -> Result<Option<bool>, String> {
        self.run.as_ref().map(|run| run(command)).transpose()
    }
}

/// Does not wait for a FIFO.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

fn content(file: &File, trust: Trust) -> io::Result<Vec<u8>> {
    let about = file.metadata()?;
    // Who writes the file decides which programs run and whom one trusts.
    let owned = about.uid() == 0 || about.uid() == Uid::current().as_raw();
    if trust == Trust::Checked && (!owned || about.mode() & 0o022 != 0) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others may write it",
        ));
    }
    if about.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(bytes)
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let shown = printable(path.as_os_str().as_encoded_bytes(), 4096);
    match error.raw_os_error() {
        Some(errno) => Error::File {
            operation: "read the configuration",
            path: shown,
            errno,
        },
        None => super::fault(
            shown,
            "others own or may write the file; run chmod go-w on it, and see whose it is",
        ),
    }
}

/// In a pattern of the shell, more than one `*` is one, and a backslash makes the next character an ordinary one.
fn plain_stars(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' if plain.ends_with('*') => {}
            '\\' => match rest.next() {
                Some(c) => plain.push_str(&glob::Pattern::escape(&c.to_string())),
                None => plain.push('\\'),
            },
            c => plain.push(c),
        }
    }
    plain
}

/// Lines of services(5): a name, `port/protocol`, other names.
fn port_of_service(services: &str, wanted: &str) -> Option<u16> {
    let lines = services
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    lines.into_iter().find_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let (port, protocol) = words.next()?.split_once('/')?;
        let fits = protocol == "tcp" && (name == wanted || words.any(|other| other == wanted));
        fits.then(|| port.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{symlink, PermissionsExt};

    struct Folder(PathBuf);
    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("sshwire-config-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn write(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, name).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_that_others_may_write_are_not_trusted() {
        let folder = Folder::new("trust");
        let machine = ThisMachine::default();
        let good = folder.write("good", 0o644);
        assert_eq!(
            machine.read(&good, Trust::Checked).unwrap().unwrap(),
            b"good"
        );
        for mode in [0o664, 0o646] {
            let bad = folder.write("bad", mode);
            let error = machine.read(&bad, Trust::Checked).unwrap_err().to_string();
            assert!(
                error.contains("bad: ") && error.contains("chmod go-w"),
                "{error}"
            );
            assert!(machine.read(&bad, Trust::Given).unwrap().is_some());
        }
        assert!(machine
            .read(&folder.0.join("none"), Trust::Checked)
            .unwrap()
            .is_none());
    }

    #[test]
    fn only_so_much_is_read() {
        let folder = Folder::new("large");
        let machine = ThisMachine::default();
        let large = folder.0.join("large");
        File::create(&large).unwrap().set_len(1 << 30).unwrap();
        assert!(matches!(
            machine.read(&large, Trust::Given),
            Err(Error::File {
                errno: libc::EFBIG,
                ..
            })
        ));
        assert!(matches!(
            machine.read(&folder.0, Trust::Given),
            Err(Error::File {
                errno: libc::EISDIR,
                ..
            })
        ));
        assert!(matches!(
            machine.read(Path::new("/dev/zero"), Trust::Given),
            Err(Error::File {
                errno: libc::EFBIG,
                ..
            })
        ));
        assert!(machine
            .read(Path::new("/dev/null"), Trust::Given)
            .unwrap()
            .unwrap()
            .is_empty());
    }

    #[test]
    fn patterns_of_files() {
        let folder = Folder::new("glob");
        for name in [
            "b.conf",
            "a.conf",
            ".hidden.conf",
            "other",
            "*.txt",
            "x.txt",
        ] {
            folder.write(name, 0o644);
        }
        fs::create_dir(folder.0.join("sub")).unwrap();
        folder.write("sub/c.conf", 0o644);
        symlink("nowhere", folder.0.join("z.conf")).unwrap();
        let machine = ThisMachine::default();
        let names = |pattern: &str| -> Vec<String> {
            let found = machine
                .glob(&format!("{}/{pattern}", folder.0.display()))
                .unwrap();
            found
                .iter()
                .map(|path| path.strip_prefix(&folder.0).unwrap().display().to_string())
                .collect()
        };
        assert_eq!(names("[ab].conf"), ["a.conf", "b.conf"]);
        assert_eq!(names("**a.conf"), ["a.conf"]);
        assert_eq!(names("*/*.conf"), ["sub/c.conf"]);
        assert_eq!(names("\\*.txt"), ["*.txt"]);
        assert_eq!(names("other"), ["other"]);
        assert!(names("none*").is_empty() && names("none").is_empty());
        assert!(machine.glob("/[a").is_err());
    }

    #[test]
    fn services() {
        let text = "# comment\nssh 22/tcp # x\nhttp 80/tcp www\ndomain 53/udp\nbad\nworse x/tcp\n";
        assert_eq!(port_of_service(text, "ssh"), Some(22));
        assert_eq!(port_of_service(text, "www"), Some(80));
        for none in ["domain", "worse", "bad", "#", ""] {
            assert_eq!(port_of_service(text, none), None, "{none}");
        }
    }

    #[test]
    fn this_machine_knows_who_runs_it() {
        let machine = ThisMachine::default();
        let local = machine.local().unwrap();
        assert!(!local.user.is_empty() && !local.host_name.is_empty());
        assert_eq!(machine.home_of(&local.user).unwrap(), local.home);
        assert!(machine.run("true").unwrap().is_none());
        let machine = ThisMachine::with_commands(Arc::new(|command| Ok(command == "x")));
        assert_eq!(machine.run("x").unwrap(), Some(true));
    }
}
