//! ssh_config files: what a user has set up for a host.
//!
//! [`Config`] keeps files and options; [`Config::resolve`] reads them for one destination, as ssh does, and gives a
//! [`Resolved`]. Nothing here touches a file, the environment or another program itself: all of that comes through
//! [`Surroundings`], of which [`ThisMachine`] is the real one.
//!
//! `line` cuts lines, `keywords` knows the keywords, `read` their values, `criteria` decides Match, `walk` goes through
//! the files, `finish` puts defaults and values of tokens in place.

pub mod connect;
mod criteria;
mod finish;
mod forward;
mod jump;
mod keywords;
mod line;
mod machine;
mod number;
mod pattern;
mod permit;
mod read;
mod resolved;
mod settings;
mod tokens;
mod walk;

pub use forward::{End, Forward, ForwardKind};
pub use jump::{Hop, MAX_HOPS};
pub use keywords::Family;
pub use line::MAX_LINE;
pub use machine::ThisMachine;
pub use permit::Permitted;
pub use resolved::{Remark, Resolved};
pub use settings::Value;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::printable;
use crate::error::{ConfigFault, Error};

/// Longest file that is looked at.
pub const MAX_FILE: usize = 4 << 20;
/// How deep files may include others, as for OpenSSH.
pub const MAX_DEPTH: u32 = 16;
/// Most options and files that a [`Config`] keeps.
const MAX_SOURCES: usize = 4096;

/// Who and where the program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The name of the user that runs it.
    pub user: String,
    /// The number of that user.
    pub uid: u32,
    /// The home that the account has.
    pub home: String,
    /// The name of this machine.
    pub host_name: String,
}

/// Whether a file that others may write is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// As it is.
    Given,
    /// Only when it belongs to the user or to root, and nobody else may write it.
    Checked,
}

/// All that configuration depends on beside its own text.
pub trait Surroundings {
    /// Who and where the program is.
    ///
    /// # Errors
    /// That the account has no name or no home.
    fn local(&self) -> Result<Local, Error>;

    /// What is in a file; `None` where there is none.
    ///
    /// # Errors
    /// That it cannot be read, is too long, or is not to be trusted.
    fn read(&self, path: &Path, trust: Trust) -> Result<Option<Vec<u8>>, Error>;

    /// The files whose names fit a pattern, in the order of their names.
    ///
    /// # Errors
    /// That the pattern is none, or too many files fit.
    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, Error>;

    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// The home of a user.
    fn home_of(&self, user: &str) -> Option<String>;

    /// The TCP port of a service with a name.
    fn service(&self, name: &str) -> Option<u16>;

    /// Whether a command of `Match exec` succeeds; `None` where nobody is there to run it.
    ///
    /// # Errors
    /// Why it could not be run.
    fn run(&self, command: &str) -> Result<Option<bool>, String>;
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, safe to show; words such as "the destination" where it was none.
    pub file: Arc<str>,
    /// The number of the line, from 1; 0 where there is none.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

impl Place {
    fn fault(&self, text: impl Into<String>) -> Error {
        fault(self.to_string(), text)
    }
}

fn fault(place: impl Into<String>, text: impl Into<String>) -> Error {
    Error::Config(Box::new(ConfigFault {
        place: place.into(),
        text: text.into(),
    }))
}

/// A file that was read.
#[derive(Debug, Clone)]
struct Source {
    name: Arc<str>,
    bytes: Arc<[u8]>,
    /// Whether it is the user's own, which may include files from the home.
    is_user: bool,
}

/// Files and options, in the order in which they are looked at: options first, then the files as they were added.
#[derive(Debug, Clone, Default)]
pub struct Config {
    options: Vec<String>,
    sources: Vec<Source>,
}

impl Config {
    /// Reads a file of the user's behind those that were read before.
    ///
    /// # Errors
    /// That it is not there or cannot be read.
    pub fn load_file(&mut self, path: &Path, surroundings: &dyn Surroundings) -> Result<(), Error> {
        match surroundings.read(path, Trust::Given)? {
            Some(bytes) => self.add(path, bytes, true),
            None => Err(Error::File {
                operation: "read the configuration",
                path: printable(path.as_os_str().as_encoded_bytes(), 4096),
                errno: libc::ENOENT,
            }),
        }
    }

    /// Reads the files that ssh reads: `.ssh/config` in the home of the account, and `/etc/ssh/ssh_config`. Either may
    /// be absent.
    ///
    /// # Errors
    /// That one is there and cannot be read, or that others may write the user's.
    pub fn load_defaults(&mut self, surroundings: &dyn Surroundings) -> Result<(), Error> {
        let user = Path::new(&surroundings.local()?.home).join(".ssh/config");
        let system = Path::new("/etc/ssh/ssh_config");
        if let Some(bytes) = surroundings.read(&user, Trust::Checked)? {
            self.add(&user, bytes, true)?;
        }
        if let Some(bytes) = surroundings.read(system, Trust::Given)? {
            self.add(system, bytes, false)?;
        }
        Ok(())
    }

    /// Adds lines as if they were a file of the user's with that name.
    ///
    /// # Errors
    /// `Limit` for too much of it.
    pub fn load_text(&mut self, name: &str, text: &[u8]) -> Result<(), Error> {
        if text.len() > MAX_FILE {
            return Err(Error::Limit("the length of a configuration"));
        }
        self.add(Path::new(name), text.to_vec(), true)
    }

    /// Adds an option as `ssh -o` takes it, `Port=22` or `Port 22`, which goes before all files and behind the options
    /// added before.
    ///
    /// # Errors
    /// `Limit` for too many of them. What is wrong with it is found when it is used.
    pub fn add_option(&mut self, option: &str) -> Result<(), Error> {
        if self.options.len() >= MAX_SOURCES {
            return Err(Error::Limit("the number of options"));
        }
        self.options.push(option.to_owned());
        Ok(())
    }

    /// Adds what another one has, options behind the options and files behind the files.
    ///
    /// # Errors
    /// `Limit` for too many of them.
    pub fn append(&mut self, other: Config) -> Result<(), Error> {
        let room = |there: usize, more: usize| there.saturating_add(more) <= MAX_SOURCES;
        if !room(self.options.len(), other.options.len())
            || !room(self.sources.len(), other.sources.len())
        {
            return Err(Error::Limit(
                "the number of options and configuration files",
            ));
        }
        self.options.extend(other.options);
        self.sources.extend(other.sources);
        Ok(())
    }

    fn add(&mut self, path: &Path, bytes: Vec<u8>, is_user: bool) -> Result<(), Error> {
        if self.sources.len() >= MAX_SOURCES {
            return Err(Error::Limit("the number of configuration files"));
        }
        self.sources.push(Source {
            name: printable(path.as_os_str().as_encoded_bytes(), 4096).into(),
            bytes: bytes.into(),
            is_user,
        });
        Ok(())
    }

    /// What all of it says about a destination: `[user@]host` or `ssh://[user@]host[:port]`, where the host is a name,
    /// an address, or an alias of the files.
    ///
    /// # Errors
    /// `Config` with the place, what is wrong and what to do; what [`Surroundings`] say; `ApiMisuse` for what is no
    /// destination.
    pub fn resolve(
        &self,
        destination: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<Resolved, Error> {
        let port_of = |text: &str| port_of(text, surroundings);
        let wanted = jump::parse_destination(destination, &port_of)
            .filter(|hop| !hop.host.contains('\0'))
            .ok_or(Error::ApiMisuse(
                "a destination is [user@]host or ssh://[user@]host[:port]",
            ))?;
        walk::resolve(self, &wanted, surroundings)
    }

    /// The same for a jump host. The options that were given are not meant for it, only the files.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn resolve_jump(
        &self,
        hop: &Hop,
        surroundings: &dyn Surroundings,
    ) -> Result<Resolved, Error> {
        let files = Config {
            options: Vec::new(),
            sources: self.sources.clone(),
        };
        walk::resolve(&files, hop, surroundings)
    }
}

/// The port that is meant by a number or by the name of a service.
fn port_of(text: &str, surroundings: &dyn Surroundings) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        return text.parse().ok();
    }
    surroundings.service(text)
}

#[cfg(test)]
mod tests;
