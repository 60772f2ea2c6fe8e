//! The values of a line, by the kind of its keyword. Lines of hosts that are not meant are read too, so that what is
//! wrong in them is found.

use std::collections::BTreeSet;

use super::forward;
use super::jump;
use super::keywords::{Family, Keyword, Kind};
use super::line::Line;
use super::number;
use super::permit::Permitted;
use super::settings::Reading;
use super::tokens;
use super::{ForwardKind, Surroundings};
use crate::codec::printable;
use crate::crypto::sign::rsa;
use crate::crypto::{algorithms, preferences};

/// Reads what a line sets.
///
/// # Errors
/// What is wrong with it, and what is wanted.
pub(super) fn read(
    keyword: &Keyword,
    line: &Line<'_>,
    surroundings: &dyn Surroundings,
) -> Result<Reading, String> {
    let mut arguments = Arguments {
        keyword: keyword.name,
        rest: line.arguments.iter(),
    };
    let port_of = |text: &str| super::port_of(text, surroundings);
    let reading = match keyword.kind {
        Kind::Host | Kind::Match | Kind::Include => Reading::default(),
        Kind::Choice(choices) => one(choice(arguments.next()?, choices)?),
        Kind::Text | Kind::File | Kind::Refuse => one(same(arguments.next()?)),
        Kind::Files => all(arguments.files()?),
        Kind::Command | Kind::ProxyCommand => return Ok(one(same(command(line)))),
        Kind::ProxyJump => return Ok(one(jumps(command(line), &port_of)?)),
        Kind::Port => one(port(arguments.next()?, &port_of)?),
        Kind::Number => one(a_number(arguments.next()?)?),
        Kind::RsaBits => rsa_bits(arguments.next()?)?,
        Kind::Seconds => seconds(arguments.next()?)?,
        Kind::Rekey => rekey(&mut arguments)?,
        Kind::Algorithms(family) => list(arguments.next()?, family)?,
        Kind::Forward(kind) => one(a_forward(kind, &mut arguments, surroundings)?),
        Kind::Permit => all(permit(&mut arguments, &port_of)?),
        Kind::Escape => one(escape(arguments.next()?)?),
        Kind::SendEnv => all(arguments.each(
            |name| !name.is_empty() && !name.contains('='),
            "a name without =",
        )?),
        Kind::SetEnv => all(arguments.each(|pair| pair.contains('='), "NAME=VALUE")?),
        Kind::Agent => one(agent(arguments.next()?, surroundings)?),
        Kind::ForwardAgent => one(forward_agent(arguments.next()?, surroundings)?),
        Kind::Persist => one(persist(arguments.next()?)?),
        Kind::Mask => one(mask(arguments.next()?)?),
        Kind::AddKeys => one(add_keys(&mut arguments)?),
        Kind::Anything => return Ok(one(same(&line.arguments.join(" ")))),
    };
    match arguments.rest.next() {
        Some(extra) => Err(format!(
            "{} has an argument too many, {}; remove it, or put quotation marks around what belongs together",
            keyword.name,
            shown(extra)
        )),
        None => Ok(reading),
    }
}

/// An argument as it may be shown.
fn shown(text: &str) -> String {
    format!("\"{}\"", printable(text.as_bytes(), 200))
}

type Written = (String, String);

fn same(text: &str) -> Written {
    (text.to_owned(), text.to_owned())
}

fn one(value: Written) -> Reading {
    all(vec![value])
}

fn all(values: Vec<Written>) -> Reading {
    Reading {
        values,
        ..Reading::default()
    }
}

struct Arguments<'a> {
    keyword: &'static str,
    rest: std::slice::Iter<'a, String>,
}

impl<'a> Arguments<'a> {
    fn next(&mut self) -> Result<&'a str, String> {
        match self.rest.next() {
            Some(argument) if !argument.is_empty() => Ok(argument),
            _ => Err(format!(
                "{} has no argument; give it one or remove the line",
                self.keyword
            )),
        }
    }

    fn each(
        &mut self,
        is_good: impl Fn(&str) -> bool,
        wanted: &str,
    ) -> Result<Vec<Written>, String> {
        self.rest
            .by_ref()
            .map(|argument| match is_good(argument) {
                true => Ok(same(argument)),
                false => Err(format!("{} is not {wanted}", shown(argument))),
            })
            .collect()
    }

    fn files(&mut self) -> Result<Vec<Written>, String> {
        let files = self.each(|file| !file.is_empty(), "the name of a file")?;
        let none = files
            .iter()
            .any(|(file, _)| file.eq_ignore_ascii_case("none"));
        if none && files.len() > 1 {
            return Err("none stands alone; remove it or the others".into());
        }
        Ok(files)
    }
}

fn command<'a>(line: &Line<'a>) -> &'a str {
    line.rest.trim_start_matches([' ', '\t', '\r', '\n', '='])
}

fn choice(text: &str, choices: &[(&str, &str)]) -> Result<Written, String> {
    let found = choices
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text));
    match found {
        Some((_, value)) => Ok((text.to_owned(), (*value).to_owned())),
        None => {
            let mut values: Vec<_> = choices.iter().map(|(_, value)| *value).collect();
            values.dedup();
            Err(format!("{} is none of: {}", shown(text), values.join(", ")))
        }
    }
}

fn port(text: &str, port_of: &dyn Fn(&str) -> Option<u16>) -> Result<Written, String> {
    match port_of(text) {
        Some(port) if port != 0 => Ok((text.to_owned(), port.to_string())),
        _ => Err(format!("{} is not a port from 1 to 65535", shown(text))),
    }
}

fn a_number(text: &str) -> Result<Written, String> {
    let number = number::number(text)
        .ok_or_else(|| format!("{} is not a number from 0 to 2147483647", shown(text)))?;
    Ok((text.to_owned(), number.to_string()))
}

/// A number that is kept as it is, also where it asks for less than there is.
fn rsa_bits(text: &str) -> Result<Reading, String> {
    let (written, meant) = a_number(text)?;
    let is_less = meant.parse().is_ok_and(|bits: u32| bits < rsa::MIN_BITS);
    let note = || {
        let least = rsa::MIN_BITS;
        format!("RSA keys of less than {least} bits are not used in any case")
    };
    Ok(Reading {
        notes: is_less.then(note).into_iter().collect(),
        ..one((written, meant))
    })
}

fn time(text: &str) -> Result<String, String> {
    let seconds = number::seconds(text).ok_or_else(|| {
        format!(
            "{} is not a time such as 90, 90s, 15m or 1h30m",
            shown(text)
        )
    })?;
    Ok(seconds.to_string())
}

fn seconds(text: &str) -> Result<Reading, String> {
    match text {
        "none" => Ok(Reading::default()),
        _ => Ok(one((text.to_owned(), time(text)?))),
    }
}

fn rekey(arguments: &mut Arguments<'_>) -> Result<Reading, String> {
    let text = arguments.next()?;
    let bytes = match text {
        "default" => 0,
        _ => number::bytes(text)
            .filter(|bytes| *bytes == 0 || *bytes >= 16)
            .ok_or_else(|| {
                format!(
                    "{} is not a number of bytes such as 512M or 1G",
                    shown(text)
                )
            })?,
    };
    let mut reading = one((text.to_owned(), bytes.to_string()));
    if arguments.rest.len() > 0 {
        reading.values.extend(seconds(arguments.next()?)?.values);
    }
    Ok(reading)
}

fn jumps(text: &str, port_of: &dyn Fn(&str) -> Option<u16>) -> Result<Written, String> {
    let hops = jump::parse_jumps(text, port_of)?;
    let meant = match hops.as_slice() {
        [] => Some("none".to_owned()),
        hops => jump::write_jumps(hops),
    };
    let meant = meant.ok_or("a jump host has a comma or # in its user, or none as its name")?;
    Ok((text.to_owned(), meant))
}

fn a_forward(
    kind: ForwardKind,
    arguments: &mut Arguments<'_>,
    surroundings: &dyn Surroundings,
) -> Result<Written, String> {
    let listen = arguments.next()?;
    let connect = match kind {
        ForwardKind::Dynamic => None,
        _ => arguments
            .rest
            .next()
            .map(String::as_str)
            .filter(|connect| !connect.is_empty()),
    };
    let variable = |name: &str| surroundings.variable(name);
    let expand = |text: &str| tokens::expand(text, None, Some(&variable));
    let written = [Some(listen), connect]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    let connect = connect.map(expand).transpose()?;
    let port_of = |text: &str| super::port_of(text, surroundings);
    let forward = forward::parse(kind, &expand(listen)?, connect.as_deref(), &port_of)?;
    Ok((written, forward.to_string()))
}

/// The places as they were written, and with the numbers of their ports.
fn permit(
    arguments: &mut Arguments<'_>,
    port_of: &dyn Fn(&str) -> Option<u16>,
) -> Result<Vec<Written>, String> {
    let words: Vec<&str> = arguments.rest.by_ref().map(String::as_str).collect();
    let meant = Permitted::of_words(&words, port_of)?.words();
    let written = words.into_iter().map(str::to_owned);
    Ok(written.zip(meant).collect())
}

fn escape(text: &str) -> Result<Written, String> {
    let meant = match text.as_bytes() {
        b"none" => "none".to_owned(),
        [byte] if byte.is_ascii() => text.to_owned(),
        [b'^', letter] if (64..128).contains(letter) => {
            format!("^{}", char::from(letter & 31 | 64))
        }
        _ => {
            return Err(format!(
                "{} is not one character, ^ and a letter, or none",
                shown(text)
            ))
        }
    };
    Ok((text.to_owned(), meant))
}

fn agent(text: &str, surroundings: &dyn Surroundings) -> Result<Written, String> {
    tokens::expand(text, None, Some(&|name: &str| surroundings.variable(name)))?;
    match text.strip_prefix('$') {
        Some(name) if !name.starts_with('{') && !is_variable(name) => {
            Err(format!("{} is not the name of a variable", shown(text)))
        }
        _ => Ok(same(text)),
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn forward_agent(text: &str, surroundings: &dyn Surroundings) -> Result<Written, String> {
    const CHOICES: &[(&str, &str)] = &[
        ("yes", "yes"),
        ("true", "yes"),
        ("no", "no"),
        ("false", "no"),
    ];
    choice(text, CHOICES).or_else(|_| agent(text, surroundings))
}

fn persist(text: &str) -> Result<Written, String> {
    let meant = match text {
        "no" | "false" => "no".to_owned(),
        "yes" | "true" => "yes".to_owned(),
        _ => match time(text)?.as_str() {
            "0" => "yes".to_owned(),
            seconds => seconds.to_owned(),
        },
    };
    Ok((text.to_owned(), meant))
}

/// A word, a time, or `confirm` and a time.
fn add_keys(arguments: &mut Arguments<'_>) -> Result<Written, String> {
    const CHOICES: &[(&str, &str)] = &[
        ("yes", "yes"),
        ("true", "yes"),
        ("no", "no"),
        ("false", "no"),
        ("ask", "ask"),
        ("confirm", "confirm"),
    ];
    let text = arguments.next()?;
    let meant = match choice(text, CHOICES) {
        Ok((_, meant)) => meant,
        Err(_) => time(text)?,
    };
    match arguments.rest.clone().next().filter(|_| meant == "confirm") {
        Some(more) => {
            arguments.rest.next();
            Ok((format!("{text} {more}"), format!("{meant} {}", time(more)?)))
        }
        None => Ok((text.to_owned(), meant)),
    }
}

fn mask(text: &str) -> Result<Written, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mask) if mask <= 0o777 => Ok((text.to_owned(), format!("0{mask:o}"))),
        _ => Err(format!("{} is not an octal number up to 0777", shown(text))),
    }
}

/// A list with the sign it may have, without the names that nothing here knows; those become notes.
fn list(text: &str, family: Family) -> Result<Reading, String> {
    let (sign, names) = match text.chars().next() {
        Some(sign @ ('+' | '-' | '^')) => (Some(sign), text.get(1..).unwrap_or_default()),
        _ => (None, text),
    };
    if names
        .split(',')
        .any(|name| name.is_empty() || name.starts_with('!'))
    {
        return Err(format!(
            "{} is not a list of names with commas between them",
            shown(text)
        ));
    }
    let known = known(family);
    // What is taken out need not be known, as long as it could be a name (RFC 4251 §6).
    let is_known = |name: &str| match sign {
        Some('-') => name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(&byte)),
        // A sign stands before the whole list; before a name in it there is none, and no name begins with one.
        _ => !name.starts_with(['+', '-', '^']) && preferences::apply(&[], &known, name).is_ok(),
    };
    // What is named twice counts where it is named first.
    let mut seen = BTreeSet::new();
    let names = names.split(',').filter(|name| seen.insert(*name));
    let (good, unknown): (Vec<_>, Vec<_>) = names.partition(|name| is_known(name));
    let notes: Vec<_> = unknown
        .iter()
        .map(|name| {
            format!(
                "the algorithm {} is not supported",
                printable(name.as_bytes(), 100)
            )
        })
        .collect();
    if good.is_empty() && sign.is_none() {
        return Err(format!(
            "none of {} is supported; name at least one of: {}",
            shown(text),
            known.join(",")
        ));
    }
    let mut reading = Reading {
        notes,
        ..Reading::default()
    };
    if !good.is_empty() {
        let meant = sign.into_iter().collect::<String>() + &good.join(",");
        reading.values.push((text.to_owned(), meant));
    }
    Ok(reading)
}

fn known(family: Family) -> Vec<&'static str> {
    match family {
        Family::Kex => preferences::known_kex(),
        Family::Cipher => preferences::known_cipher(),
        Family::Mac => preferences::known_mac(),
        Family::Signature => preferences::known_host_key(),
        Family::UserSignature => preferences::known_user_key(),
        Family::AuthoritySignature => algorithms::user_signatures().to_vec(),
    }
}
