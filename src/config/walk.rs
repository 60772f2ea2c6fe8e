//! Through options and files, line by line, for one destination.

use std::sync::Arc;

use super::criteria::{self, Facts};
use super::finish;
use super::jump::{self, Hop};
use super::keywords::{self, Keyword, Kind, Support};
use super::line::{self, Line};
use super::pattern;
use super::read;
use super::resolved::{Remark, Resolved};
use super::settings::{Reading, Settings};
use super::tokens::{self, Tokens};
use super::{Config, Local, Place, Surroundings, Trust, MAX_DEPTH, MAX_FILE};
use crate::codec::printable;
use crate::error::Error;

/// Most files, and bytes in them, that are read for one destination: files that include each other twice become very
/// many before they are too deep.
const MAX_INCLUDED: usize = 1024;
const MAX_BYTES: usize = 4 * MAX_FILE;
/// Most remarks that are kept.
const MAX_REMARKS: usize = 1000;
/// What messages show of an option that was given.
const MAX_SHOWN_OPTION: usize = 200;

pub(super) fn resolve(
    config: &Config,
    wanted: &Hop,
    surroundings: &dyn Surroundings,
) -> Result<Resolved, Error> {
    let local = surroundings.local()?;
    let mut walk = Walk {
        surroundings,
        local: &local,
        settings: Settings::default(),
        remarks: Vec::new(),
        original_host: &wanted.host,
        host: wanted.host.clone(),
        is_final: false,
        wants_final: false,
        files: 0,
        bytes: 0,
    };
    walk.options(config)?;
    walk.destination(wanted)?;
    walk.check_names()?;
    walk.sources(config)?;
    // With canonical names asked for, ssh reads the files again as well, even where no name changes.
    let canonical = walk
        .settings
        .first("CanonicalizeHostname")
        .is_some_and(|value| value != "no");
    if walk.wants_final || canonical {
        walk.again()?;
        walk.sources(config)?;
    }
    finish::finish(walk)
}

/// The state of a walk.
pub(super) struct Walk<'a> {
    pub surroundings: &'a dyn Surroundings,
    pub local: &'a Local,
    pub settings: Settings,
    pub remarks: Vec<Remark>,
    pub original_host: &'a str,
    /// What `Host` is compared with: the host as given and, the second time, as HostName made it.
    pub host: String,
    is_final: bool,
    wants_final: bool,
    files: usize,
    bytes: usize,
}

/// In what a line stands.
#[derive(Clone, Copy)]
struct Scope {
    is_user: bool,
    /// Whether the block that includes the file does not apply, so that nothing in it does.
    is_skipped: bool,
    depth: u32,
}

impl Walk<'_> {
    fn options(&mut self, config: &Config) -> Result<(), Error> {
        for option in &config.options {
            let shown = printable(option.as_bytes(), MAX_SHOWN_OPTION);
            let place = Place {
                file: format!("the option \"{shown}\"").into(),
                line: 0,
            };
            let Some(line) = line::parse(option.as_bytes()).map_err(|text| place.fault(text))?
            else {
                continue;
            };
            if let Some(keyword) = self.keyword(&line, &place, true) {
                if matches!(keyword.kind, Kind::Host | Kind::Match | Kind::Include) {
                    return Err(
                        place.fault(format!("{} cannot be given as an option", keyword.name))
                    );
                }
                self.set(keyword, &line, &place, Some(true))?;
            }
        }
        Ok(())
    }

    /// What the destination says, unless an option says otherwise. It often comes from elsewhere, so that nothing in it is
    /// expanded, by ssh neither.
    fn destination(&mut self, wanted: &Hop) -> Result<(), Error> {
        let place = Place {
            file: "the destination".into(),
            line: 0,
        };
        let port = wanted.port.map(|port| port.to_string());
        for (name, value) in [("User", &wanted.user), ("Port", &port)] {
            let (Some(value), Some(keyword)) = (value, keywords::find(name)) else {
                continue;
            };
            let reading = Reading {
                values: vec![(value.clone(), value.clone())],
                is_literal: true,
                ..Reading::default()
            };
            let taken = self.settings.take(keyword, &reading, &place, true);
            taken.map_err(|text| place.fault(text))?;
        }
        Ok(())
    }

    /// The host and the user that were given often come from elsewhere, such as the address of a repository. They are put
    /// into commands, so this comes before any file. What files say of hosts and users is their author's.
    fn check_names(&self) -> Result<(), Error> {
        let bad = |what: &str, name: &str| {
            let name = printable(name.as_bytes(), 200);
            let text = format!(
                "\"{name}\" has characters that no {what} has, or looks like an option; see where it comes from"
            );
            Err(super::fault("the destination".to_owned(), text))
        };
        if !jump::is_sound_host(self.original_host) {
            return bad("name of a host", self.original_host);
        }
        match self.settings.first("User") {
            Some(user) if !jump::is_sound_user(user) => bad("name of a user", user),
            _ => Ok(()),
        }
    }

    fn sources(&mut self, config: &Config) -> Result<(), Error> {
        for source in &config.sources {
            let scope = Scope {
                is_user: source.is_user,
                is_skipped: false,
                depth: 0,
            };
            self.file(&source.name, &source.bytes, scope, &mut true)?;
        }
        Ok(())
    }

    /// Gets ready for the second time, in which names are what they are going to be.
    fn again(&mut self) -> Result<(), Error> {
        self.host = self.host_name()?;
        self.settings.replace_text("HostName", &self.host.clone());
        self.is_final = true;
        Ok(())
    }

    /// The name of the host as far as it is known, in lower case unless it is an address.
    pub fn host_name(&self) -> Result<String, Error> {
        let name = self.set_host()?;
        let is_address = name.parse::<std::net::IpAddr>();
        Ok(is_address.map_or_else(|_| name.to_ascii_lowercase(), |address| address.to_string()))
    }

    fn set_host(&self) -> Result<String, Error> {
        match self.settings.all("HostName").first() {
            Some(value) if !self.is_final => {
                let expanded = tokens::expand(&value.text, Some(&Tokens::host(&self.host)), None);
                expanded.map_err(|text| {
                    super::fault(
                        value.place.as_ref().map_or(String::new(), Place::to_string),
                        text,
                    )
                })
            }
            _ => Ok(self.host.clone()),
        }
    }

    fn file(
        &mut self,
        name: &Arc<str>,
        bytes: &[u8],
        scope: Scope,
        active: &mut bool,
    ) -> Result<(), Error> {
        self.files = self.files.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.files > MAX_INCLUDED || self.bytes > MAX_BYTES {
            let text = "so many files are included that they are not read to the end; see whether they include each other";
            return Err(super::fault(name.to_string(), text));
        }
        for (number, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let place = Place {
                file: Arc::clone(name),
                line: number,
            };
            if let Some(line) = line::parse(bytes).map_err(|text| place.fault(text))? {
                self.line(&line, &place, scope, active)?;
            }
        }
        Ok(())
    }

    fn line(
        &mut self,
        line: &Line<'_>,
        place: &Place,
        scope: Scope,
        active: &mut bool,
    ) -> Result<(), Error> {
        let Some(keyword) = self.keyword(line, place, *active) else {
            return Ok(());
        };
        match keyword.kind {
            Kind::Host => {
                *active = self.is_host(line).map_err(|text| place.fault(text))? && !scope.is_skipped
            }
            Kind::Match => *active = self.is_match(line, place, scope)?,
            Kind::Include => self.include(line, place, scope, *active)?,
            _ => self.set(keyword, line, place, active.then_some(scope.is_user))?,
        }
        Ok(())
    }

    /// The keyword of a line, unless it is unknown, which is remarked upon where it would count.
    fn keyword(
        &mut self,
        line: &Line<'_>,
        place: &Place,
        counts: bool,
    ) -> Option<&'static Keyword> {
        let known = keywords::find(&line.keyword);
        if known.is_none() && counts {
            let ignored = self.settings.first("IgnoreUnknown");
            let name = line.keyword.to_ascii_lowercase();
            if !ignored.is_some_and(|list| pattern::matches_list(&list.to_ascii_lowercase(), &name))
            {
                self.remark(
                    &line.keyword,
                    place,
                    "is not a keyword that is known; see whether it is misspelt",
                );
            }
        }
        known
    }

    fn remark(&mut self, keyword: &str, place: &Place, why: impl Into<String>) {
        let remark = Remark {
            keyword: printable(keyword.as_bytes(), 100),
            place: place.clone(),
            why: why.into(),
        };
        // The second time brings nothing new.
        if self.remarks.len() < MAX_REMARKS && !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// Reads what a line sets and, with a scope, sets it.
    fn set(
        &mut self,
        keyword: &Keyword,
        line: &Line<'_>,
        place: &Place,
        scope: Option<bool>,
    ) -> Result<(), Error> {
        let reading =
            read::read(keyword, line, self.surroundings).map_err(|text| place.fault(text))?;
        let Some(is_user) = scope else {
            return Ok(());
        };
        if let (Kind::Refuse, Some((text, _))) = (keyword.kind, reading.values.first()) {
            let text = printable(text.as_bytes(), 1000);
            return Err(place.fault(format!("RefuseConnection says not to connect: {text}")));
        }
        let taken = self.settings.take(keyword, &reading, place, is_user);
        if !taken.map_err(|text| place.fault(text))? {
            return Ok(());
        }
        for note in &reading.notes {
            self.remark(&line.keyword, place, note);
        }
        let text = reading.values.first().map_or("", |(_, text)| text.as_str());
        match keyword.support {
            Support::Full => {}
            Support::None(harmless)
                if harmless
                    .iter()
                    .any(|value| value.eq_ignore_ascii_case(text)) => {}
            Support::None(_) => {
                self.remark(&line.keyword, place, "is not supported and has no effect")
            }
            Support::Obsolete => self.remark(
                &line.keyword,
                place,
                "has no meaning any more; remove the line",
            ),
        }
        Ok(())
    }

    fn is_host(&self, line: &Line<'_>) -> Result<bool, String> {
        let mut found = false;
        for word in &line.arguments {
            if word.is_empty() {
                return Err("Host has an empty pattern; remove the quotation marks".into());
            }
            let (pattern, negated) = word
                .strip_prefix('!')
                .map_or((word.as_str(), false), |pattern| (pattern, true));
            if pattern::matches(pattern, &self.host) {
                if negated {
                    return Ok(false);
                }
                found = true;
            }
        }
        Ok(found)
    }

    fn is_match(&mut self, line: &Line<'_>, place: &Place, scope: Scope) -> Result<bool, Error> {
        let host = self.set_host()?;
        let (surroundings, tokens) = (self.surroundings, self.tokens(&host));
        let facts = Facts {
            host: &host,
            original_host: self.original_host,
            user: self.settings.first("User").unwrap_or(&self.local.user),
            local_user: &self.local.user,
            tag: self.settings.first("Tag").unwrap_or_default(),
            session_type: self.session_type(),
            is_final: self.is_final,
        };
        let mut run =
            |command: &str| surroundings.run(&tokens::expand(command, Some(&tokens), None)?);
        let verdict = criteria::decide(&line.arguments, &facts, scope.is_skipped, &mut run);
        let verdict = verdict.map_err(|text| place.fault(text))?;
        self.wants_final |= verdict.wants_final;
        for why in verdict.undecided {
            self.remark(&line.keyword, place, why);
        }
        Ok(verdict.holds)
    }

    fn session_type(&self) -> &'static str {
        match self.settings.first("SessionType") {
            Some("subsystem") => "subsystem",
            Some("none") => "none",
            _ if self.settings.is_set("RemoteCommand") => "exec",
            _ => "shell",
        }
    }

    /// What tokens stand for as far as it is known.
    pub fn tokens(&self, host: &str) -> Tokens {
        let settings = &self.settings;
        let jump = finish::last_hop(settings, self.surroundings).map(|hop| hop.host);
        Tokens::new(&tokens::Facts {
            host_name: host,
            original_host: self.original_host,
            host_key_alias: settings.first("HostKeyAlias").unwrap_or(host),
            port: settings
                .first("Port")
                .and_then(|port| port.parse().ok())
                .unwrap_or(22),
            user: settings.first("User").unwrap_or(&self.local.user),
            jump_host: jump.as_deref().unwrap_or_default(),
            local: self.local,
        })
    }

    fn include(
        &mut self,
        line: &Line<'_>,
        place: &Place,
        scope: Scope,
        active: bool,
    ) -> Result<(), Error> {
        if scope.depth >= MAX_DEPTH {
            let text = format!(
                "files include each other more than {MAX_DEPTH} deep; does one include itself?"
            );
            return Err(place.fault(text));
        }
        if line.arguments.is_empty() {
            return Err(place.fault("Include names no file"));
        }
        for argument in &line.arguments {
            let pattern = self
                .include_pattern(argument, scope)
                .map_err(|text| place.fault(text))?;
            for path in self.surroundings.glob(&pattern)? {
                // A link that leads nowhere is no file.
                let Some(bytes) = self.surroundings.read(&path, Trust::Checked)? else {
                    continue;
                };
                let name = printable(path.as_os_str().as_encoded_bytes(), 4096).into();
                let inner = Scope {
                    is_skipped: scope.is_skipped || !active,
                    depth: scope.depth.saturating_add(1),
                    ..scope
                };
                // What Host and Match decide in there does not hold behind it.
                self.file(&name, &bytes, inner, &mut active.clone())?;
            }
        }
        Ok(())
    }

    fn include_pattern(&self, argument: &str, scope: Scope) -> Result<String, String> {
        let host = self.set_host().map_err(|error| error.to_string())?;
        let variable = |name: &str| self.surroundings.variable(name);
        let path = tokens::expand(argument, Some(&self.tokens(&host)), Some(&variable))?;
        match path.chars().next() {
            None => Err("Include has an empty name; remove the quotation marks".into()),
            Some('/') => Ok(path),
            Some('~') if !scope.is_user => {
                Err("a file of the system includes none from a home; write the whole path".into())
            }
            Some('~') => self.expand_home(&path),
            Some(_) if scope.is_user => self.expand_home(&format!("~/.ssh/{path}")),
            Some(_) => Ok(format!("/etc/ssh/{path}")),
        }
    }

    pub fn expand_home(&self, path: &str) -> Result<String, String> {
        tokens::expand_home(path, &|user| match user {
            None => Some(self.local.home.clone()),
            Some(user) => self.surroundings.home_of(user),
        })
    }
}
