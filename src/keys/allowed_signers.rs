//! Who may sign what: the file of allowed signers that `ssh-keygen -Y verify` reads. A line is
//! `principals [options] type base64 [comment]`.
//!
//! A line that makes no sense lets nobody sign, and the search goes on behind it, as ssh-keygen does. Where it finds nothing,
//! the line is told, for it may have been meant to.

use super::formats::public_line;
use super::PublicKey;
use crate::codec::matches_pattern_exactly;
use crate::error::{Error, KeyFault};

/// Longest file that is looked at.
pub const MAX_FILE: usize = 16 * 1024 * 1024;
const MAX_LINE: usize = 64 * 1024;

/// A moment as a calendar has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// From 1970 on.
    pub year: u32,
    /// From 1.
    pub month: u32,
    /// From 1.
    pub day: u32,
    /// Hours, minutes and seconds.
    pub time: [u32; 3],
}

/// Seconds since 1970 of a moment in the local time of the machine.
pub type LocalTime<'a> = &'a dyn Fn(Calendar) -> Option<u64>;

/// A file, and the moment for which it is asked.
pub struct AllowedSigners<'a> {
    text: &'a [u8],
    now: u64,
    local: LocalTime<'a>,
}

/// A line.
struct Line<'a> {
    principals: &'a str,
    options: Options,
    blob: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    authority: bool,
    namespaces: Option<String>,
    valid_after: Option<u64>,
    valid_before: Option<u64>,
}

impl<'a> AllowedSigners<'a> {
    /// The text of a file, for a moment in seconds since 1970.
    pub fn new(text: &'a [u8], now: u64, local: LocalTime<'a>) -> Self {
        AllowedSigners { text, now, local }
    }

    /// Whether the key may sign for that purpose in the name of the principal.
    pub fn check(&self, key: &PublicKey, principal: &str, namespace: &str) -> Result<(), Error> {
        let fits = |line: &Line<'_>| {
            matches_list(line.principals, principal) && line.allows(key, Some(namespace), self.now)
        };
        match self.find(fits)? {
            Some(_) => Ok(()),
            None => Err(KeyFault::BadSignature(
                "the allowed signers do not have the key for this name, purpose and time",
            )
            .into()),
        }
    }

    /// The principals of the first line that has the key, whatever it may be used for.
    pub fn principals(&self, key: &PublicKey) -> Result<String, Error> {
        let fits = |line: &Line<'_>| line.allows(key, None, self.now);
        match self.find(fits)? {
            Some(line) => Ok(line.principals.to_owned()),
            None => Err(KeyFault::BadSignature("the allowed signers do not have the key").into()),
        }
    }

    fn find(&self, fits: impl Fn(&Line<'_>) -> bool) -> Result<Option<Line<'a>>, KeyFault> {
        if self.text.len() > MAX_FILE {
            return Err(KeyFault::Malformed("larger than 16 MiB"));
        }
        let mut broken = None;
        for (index, line) in self.text.split(|byte| *byte == b'\n').enumerate() {
            match Line::of(line, self.local) {
                Ok(Some(line)) if fits(&line) => return Ok(Some(line)),
                Ok(_) => {}
                Err(fault) => {
                    let line = index.saturating_add(1);
                    broken.get_or_insert(KeyFault::AllowedSigners { line, fault });
                }
            }
        }
        broken.map_or(Ok(None), Err)
    }
}

const BLANKS: [char; 3] = [' ', '\t', '\r'];

impl<'a> Line<'a> {
    fn of(line: &'a [u8], local: LocalTime<'_>) -> Result<Option<Self>, &'static str> {
        if line.len() > MAX_LINE {
            return Err("too long");
        }
        Self::parse(std::str::from_utf8(line).map_err(|_| "not UTF-8")?, local)
    }

    /// Nothing for an empty line or a comment.
    fn parse(text: &'a str, local: LocalTime<'_>) -> Result<Option<Self>, &'static str> {
        let text = text.trim_matches(BLANKS);
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let (principals, rest) = match text.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote without an end")?,
            None => text.split_once(BLANKS).ok_or("no key")?,
        };
        let rest = rest.trim_start_matches(BLANKS);
        if principals.is_empty() {
            return Err("no principals");
        }
        let (options, blob) = match key_in(rest) {
            Some(blob) => (Options::default(), blob),
            None => {
                let (options, rest) = split_options(rest).ok_or("no key")?;
                let blob = key_in(rest.trim_start_matches(BLANKS)).ok_or("no key")?;
                (Options::parse(options, local)?, blob)
            }
        };
        Ok(Some(Line {
            principals,
            options,
            blob,
        }))
    }

    fn allows(&self, key: &PublicKey, namespace: Option<&str>, now: u64) -> bool {
        // Certificates are no signers here, and the key of an authority none by itself.
        let options = &self.options;
        let good = match (&options.namespaces, namespace) {
            (Some(allowed), Some(namespace)) => matches_list(allowed, namespace),
            _ => true,
        };
        good && !options.authority
            && options.valid_after.is_none_or(|after| now >= after)
            && options.valid_before.is_none_or(|before| now <= before)
            && self.blob == key.blob()
    }
}

/// The blob of `type base64 [comment]`, also of a type that is not supported here.
fn key_in(text: &str) -> Option<Vec<u8>> {
    let parts = public_line::Parts::parse(text).ok()?;
    let mut reader = crate::codec::Reader::new(&parts.blob);
    let inside = reader.string().ok()?;
    (inside == parts.key_type.as_bytes()).then_some(parts.blob)
}

/// The options, and what is behind the first blank outside quotes.
fn split_options(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => return text.split_at_checked(at),
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    None
}

impl Options {
    fn parse(text: &str, local: LocalTime<'_>) -> Result<Self, &'static str> {
        let mut options = Options::default();
        let mut rest = text;
        loop {
            let end = rest.find([',', '=']).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end).ok_or("bad options")?;
            let (value, after) = match after.strip_prefix('=') {
                Some(after) => unquote(after).map(|(value, after)| (Some(value), after))?,
                None => (None, after),
            };
            options.set(&name.to_ascii_lowercase(), value, local)?;
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None if after.is_empty() => return options.checked(),
                None => return Err("something behind the value of an option"),
            }
        }
    }

    fn set(
        &mut self,
        name: &str,
        value: Option<String>,
        local: LocalTime<'_>,
    ) -> Result<(), &'static str> {
        const TWICE: &str = "an option that stands there twice";
        match (name, value) {
            ("cert-authority", None) => self.authority = true,
            ("namespaces", Some(list)) => {
                if self.namespaces.replace(list).is_some() {
                    return Err(TWICE);
                }
            }
            ("valid-after", Some(time)) => {
                if self.valid_after.replace(moment(&time, local)?).is_some() {
                    return Err(TWICE);
                }
            }
            ("valid-before", Some(time)) => {
                if self.valid_before.replace(moment(&time, local)?).is_some() {
                    return Err(TWICE);
                }
            }
            _ => return Err("an option that is not known"),
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, &'static str> {
        match (self.valid_after, self.valid_before) {
            (Some(after), Some(before)) if after > before => Err("valid at no time"),
            _ => Ok(self),
        }
    }
}

/// A value in quotes, in which `\"` is a quote, and what follows it.
fn unquote(text: &str) -> Result<(String, &str), &'static str> {
    let inside = text.strip_prefix('"').ok_or("a value without quotes")?;
    let mut value = String::new();
    let mut letters = inside.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                let rest = inside.get(at..).and_then(|rest| rest.strip_prefix('"'));
                return Ok((value, rest.unwrap_or_default()));
            }
            '\\' if letters.peek().is_some_and(|(_, next)| *next == '"') => {
                letters.next();
                value.push('"');
            }
            other => value.push(other),
        }
    }
    Err("a quote without an end")
}

/// `YYYYMMDD[HHMM[SS]][Z]`, in local time unless there is a Z.
fn moment(text: &str, local: LocalTime<'_>) -> Result<u64, &'static str> {
    const FAULT: &str = "no time of the form YYYYMMDD[HHMM[SS]][Z]";
    let (digits, is_utc) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if ![8, 12, 14].contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FAULT);
    }
    // Seconds, and hours and minutes, may not be there.
    let number = |from: usize, to: usize| digits.get(from..to).map_or(Ok(0), str::parse::<u32>);
    let fields = || -> Result<Calendar, std::num::ParseIntError> {
        Ok(Calendar {
            year: number(0, 4)?,
            month: number(4, 6)?,
            day: number(6, 8)?,
            time: [number(8, 10)?, number(10, 12)?, number(12, 14)?],
        })
    };
    let calendar = fields().map_err(|_| FAULT)?;
    let utc = calendar.utc().ok_or(FAULT)?;
    match is_utc {
        true => Ok(utc),
        false => local(calendar).ok_or(FAULT),
    }
}

impl Calendar {
    /// Seconds since 1970, if there is such a moment.
    pub fn utc(&self) -> Option<u64> {
        const DAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let is_leap = |year: u32| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let [hours, minutes, seconds] = self.time;
        if self.year < 1970 || hours > 23 || minutes > 59 || seconds > 59 {
            return None;
        }
        let month = usize::try_from(self.month.checked_sub(1)?).ok()?;
        let leap_day = u32::from(month == 1 && is_leap(self.year));
        if !(1..=DAYS.get(month)?.saturating_add(leap_day)).contains(&self.day) {
            return None;
        }
        let years = (1970..self.year).map(|year| 365_u32.saturating_add(u32::from(is_leap(year))));
        let leap_day = u32::from(month > 1 && is_leap(self.year));
        let months: u32 = DAYS.iter().take(month).sum();
        let days = years
            .fold(0_u32, u32::saturating_add)
            .checked_add(months)?
            .checked_add(leap_day)?
            .checked_add(self.day.checked_sub(1)?)?;
        let minutes = u64::from(days)
            .checked_mul(24)?
            .checked_add(u64::from(hours))?
            .checked_mul(60)?
            .checked_add(u64::from(minutes))?;
        minutes.checked_mul(60)?.checked_add(u64::from(seconds))
    }
}

/// Patterns separated by commas; one with `!` in front that fits says no, whatever the others say. Letters count as they
/// are, unlike those of hosts.
fn matches_list(list: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches_pattern_exactly(pattern.as_bytes(), name.as_bytes()) => {
                return false
            }
            Some(_) => {}
            None => found |= matches_pattern_exactly(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::test_support::{fixture, text};

    const NOW: u64 = 1_700_000_000; // 2023-11-14 22:13:20 UTC

    fn key(kind: &str) -> PublicKey {
        PublicKey::load(&fixture(&format!("{kind}.pub"))).unwrap().0
    }

    /// `P` and `Q` at the end of a line stand for keys.
    fn file(lines: &str) -> String {
        let line = |line: &str| {
            let line = line.trim_end_matches('\r');
            if let Some(front) = line.strip_suffix('P') {
                return format!("{front}{}\r\n", text("p256.pub").trim());
            }
            match line.strip_suffix('Q') {
                Some(front) => format!("{front}{}\n", text("rsa.pub").trim()),
                None => format!("{line}\n"),
            }
        };
        lines.split('\n').map(line).collect()
    }

    /// Local time is an hour ahead of UTC.
    fn local(calendar: Calendar) -> Option<u64> {
        calendar.utc()?.checked_sub(3600)
    }

    fn check(lines: &str, principal: &str, namespace: &str) -> Result<(), Error> {
        let file = file(lines);
        AllowedSigners::new(file.as_bytes(), NOW, &local).check(&key("p256"), principal, namespace)
    }

    #[test]
    fn who_may_sign_what() {
        for (lines, principal, good) in [
            ("me@x P", "me@x", true),
            ("# a comment\n\n  me@x\tP\r\n", "me@x", true),
            ("me@x P", "ME@x", false),
            ("me@x P", "you@x", false),
            ("me@x Q", "me@x", false),
            ("me@x Q\nme@x P", "me@x", true),
            ("you@x,*@y P", "me@y", true),
            ("!me@y,*@y P", "me@y", false),
            ("\"my name,me@x\" P", "my name", true),
            ("m?@x P", "me@x", true),
            ("me@x namespaces=\"file\" P", "me@x", true),
            ("me@x namespaces=\"git,f*\" P", "me@x", true),
            ("me@x NameSpaces=\"git\" P", "me@x", false),
            ("me@x cert-authority P", "me@x", false),
            ("me@x valid-after=\"20231114\" P", "me@x", true),
            ("me@x valid-after=\"20231114231320\" P", "me@x", true),
            ("me@x valid-after=\"20231114231321\" P", "me@x", false),
            ("me@x valid-after=\"20231114221320Z\" P", "me@x", true),
            ("me@x valid-after=\"20231114221321Z\" P", "me@x", false),
            ("me@x valid-before=\"20231114221320Z\" P", "me@x", true),
            ("me@x valid-before=\"20231114221319Z\" P", "me@x", false),
            ("me@x valid-before=\"202311142213Z\" P", "me@x", false),
            (
                "me@x namespaces=\"file\",valid-before=\"20990101\" P",
                "me@x",
                true,
            ),
            (
                "me@x ssh-ed448 AAAACXNzaC1lZDQ0OAAAAAA=\nme@x P",
                "me@x",
                true,
            ),
            ("", "me@x", false),
        ] {
            assert_eq!(check(lines, principal, "file").is_ok(), good, "{lines}");
        }
        assert!(matches!(
            check("me@x P", "you@x", "file"),
            Err(Error::Key(KeyFault::BadSignature(_)))
        ));
    }

    #[test]
    fn lines_that_make_no_sense_let_nobody_sign() {
        for line in [
            "me@x",
            "\"me@x P",
            "\"\" P",
            "me@x ssh-rsa AAAA",
            "me@x unknown P",
            "me@x unknown=\"x\" P",
            "me@x namespaces P",
            "me@x namespaces=file P",
            "me@x namespaces=\"file P",
            "me@x namespaces=\"file\"x P",
            "me@x namespaces=\"file\", P",
            "me@x namespaces=\"file\",namespaces=\"file\" P",
            "me@x cert-authority=\"x\" P",
            "me@x valid-after=\"2023\" P",
            "me@x valid-after=\"20231301\" P",
            "me@x valid-after=\"20230229\" P",
            "me@x valid-after=\"2023022 \" P",
            "me@x valid-after=\"20230228240000\" P",
            "me@x valid-after=\"19691231\" P",
            "me@x valid-after=\"+2023022\" P",
            "me@x valid-after=\"20240101\",valid-before=\"20230101\" P",
        ] {
            let file = format!("other@x Q\n{line}\nme@x P");
            assert!(check(&file, "me@x", "file").is_ok(), "{line}");
            let found = check(&format!("other@x Q\n{line}\nyou@x P"), "me@x", "file");
            assert!(
                matches!(
                    found,
                    Err(Error::Key(KeyFault::AllowedSigners { line: 2, .. }))
                ),
                "{line}: {found:?}"
            );
        }
        let long = format!("{} P", "x".repeat(MAX_LINE));
        assert!(check(&long, "me@x", "file").is_err());
    }

    #[test]
    fn principals_of_a_key() {
        let file = file("a@x Q\nb@x,c@x namespaces=\"git\" P\nd@x P");
        let signers = AllowedSigners::new(file.as_bytes(), NOW, &local);
        assert_eq!(signers.principals(&key("p256")).unwrap(), "b@x,c@x");
        assert_eq!(signers.principals(&key("rsa")).unwrap(), "a@x");
        assert!(signers.principals(&key("p521")).is_err());
    }

    #[test]
    fn calendars() {
        let of = |year, month, day, time| Calendar {
            year,
            month,
            day,
            time,
        };
        for (calendar, seconds) in [
            (of(1970, 1, 1, [0, 0, 0]), Some(0)),
            (of(2000, 2, 29, [23, 59, 59]), Some(951_868_799)),
            (of(2023, 11, 14, [22, 13, 20]), Some(NOW)),
            (of(2100, 3, 1, [0, 0, 0]), Some(4_107_542_400)),
            (of(9999, 12, 31, [0, 0, 0]), Some(253_402_214_400)),
            (of(2100, 2, 29, [0, 0, 0]), None),
            (of(2001, 0, 1, [0, 0, 0]), None),
            (of(2001, 1, 0, [0, 0, 0]), None),
            (of(2001, 4, 31, [0, 0, 0]), None),
        ] {
            assert_eq!(calendar.utc(), seconds, "{calendar:?}");
        }
    }

    #[test]
    fn patterns_take_no_longer_than_their_lengths() {
        let pattern = "*a".repeat(500);
        assert!(!matches_list(&pattern, &"a".repeat(499)));
        assert!(matches_list(&pattern, &"a".repeat(500)));
        assert!(!matches_list(&pattern, &"b".repeat(20_000)));
    }
}
