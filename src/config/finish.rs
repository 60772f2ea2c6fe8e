//! What is done when all is read: defaults, values of tokens, and what several options mean together.

use super::forward::{self, End};
use super::jump::{self, Hop};
use super::keywords::{self, Kind};
use super::resolved::Resolved;
use super::settings::{Settings, Value, REKEY_SECONDS};
use super::tokens::{self, Tokens, Variables};
use super::walk::Walk;
use super::Surroundings;
use crate::codec::printable;
use crate::error::Error;

/// How an option is expanded.
struct Expansion {
    name: &'static str,
    home: bool,
    /// Which tokens; `None` for none at all.
    tokens: Option<&'static str>,
    variables: bool,
}

const ALL: &str = "CLdhijklnpru";

const fn expansion(
    name: &'static str,
    home: bool,
    tokens: Option<&'static str>,
    variables: bool,
) -> Expansion {
    Expansion {
        name,
        home,
        tokens,
        variables,
    }
}

static EXPANSIONS: &[Expansion] = &[
    expansion("IdentityFile", true, Some(ALL), true),
    expansion("CertificateFile", true, Some(ALL), true),
    expansion("IdentityAgent", true, Some(ALL), true),
    expansion("ForwardAgent", true, Some(ALL), true),
    expansion("ControlPath", true, Some(ALL), true),
    expansion("UserKnownHostsFile", true, Some(ALL), true),
    expansion("GlobalKnownHostsFile", true, None, false),
    expansion("RevokedHostKeys", true, Some(ALL), true),
    expansion("RemoteCommand", false, Some(ALL), false),
    expansion("LocalCommand", false, Some(ALL), false),
    expansion("KnownHostsCommand", false, Some(ALL), true),
    expansion("ProxyCommand", false, Some("hknpr"), false),
    expansion("SetEnv", false, Some(ALL), true),
];

/// Options for which `none` is the same as nothing.
const CLEARED_BY_NONE: &[&str] = &[
    "LocalCommand",
    "RemoteCommand",
    "ProxyCommand",
    "ProxyJump",
    "ControlPath",
    "RevokedHostKeys",
    "PKCS11Provider",
    "SecurityKeyProvider",
    "KnownHostsCommand",
];

pub(super) fn finish(mut walk: Walk<'_>) -> Result<Resolved, Error> {
    let host = walk.host_name()?;
    refuse_no_attempts(&walk.settings)?;
    walk.settings.replace_text("HostName", &host);
    for name in CLEARED_BY_NONE {
        if walk
            .settings
            .first(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("none"))
        {
            walk.settings.remove(name);
        }
    }
    if walk.settings.first("ClearAllForwardings") == Some("yes") {
        for name in ["LocalForward", "RemoteForward", "DynamicForward"] {
            walk.settings.remove(name);
        }
    }
    user(&mut walk, &host)?;
    if let Some(alias) = walk
        .settings
        .first("HostKeyAlias")
        .map(str::to_ascii_lowercase)
    {
        walk.settings.replace_text("HostKeyAlias", &alias);
    }
    defaults(&mut walk.settings);
    refuse_loop(&walk, &host)?;
    // Without an alias, keys go by the name that was given, not by the one that it leads to.
    let tokens = walk.tokens(&host).with_alias(
        walk.settings
            .first("HostKeyAlias")
            .unwrap_or(walk.original_host),
    );
    expand_all(&mut walk, &tokens)?;
    let jumps = expand_jumps(&mut walk.settings, &tokens)?;
    let host = walk.original_host.to_owned();
    Ok(Resolved::new(host, walk.settings, jumps, walk.remarks))
}

fn refuse_no_attempts(settings: &Settings) -> Result<(), Error> {
    match settings.all("ConnectionAttempts").first() {
        Some(Value {
            text,
            place: Some(place),
            ..
        }) if text == "0" => Err(place.fault("ConnectionAttempts is 1 at least")),
        _ => Ok(()),
    }
}

/// The user there, which may be made of everything but itself.
fn user(walk: &mut Walk<'_>, host: &str) -> Result<(), Error> {
    let Some(value) = walk.settings.all("User").first().cloned() else {
        let name = walk.local.user.clone();
        walk.settings.replace("User", vec![by_default(&name)]);
        return Ok(());
    };
    if value.is_literal {
        return Ok(());
    }
    let tokens = walk.tokens(host).only("Ldhijklnpu");
    let variable = |name: &str| walk.surroundings.variable(name);
    let text = tokens::expand(&value.text, Some(&tokens), Some(&variable))
        .map_err(|text| value.fault(text))?;
    walk.settings.replace("User", vec![Value { text, ..value }]);
    Ok(())
}

fn by_default(text: &str) -> Value {
    Value {
        written: text.to_owned(),
        text: text.to_owned(),
        place: None,
        is_user: false,
        is_literal: false,
    }
}

fn defaults(settings: &mut Settings) {
    let seconds = settings.first(REKEY_SECONDS).unwrap_or("0").to_owned();
    let place = settings
        .all("RekeyLimit")
        .first()
        .or(settings.all(REKEY_SECONDS).first())
        .cloned();
    if let Some(mut rekey) = place {
        rekey.text = format!("{} {seconds}", settings.first("RekeyLimit").unwrap_or("0"));
        settings.replace("RekeyLimit", vec![rekey]);
    }
    settings.remove(REKEY_SECONDS);
    if !settings.is_set("IdentityFile") {
        settings.replace(
            "IdentityFile",
            keywords::IDENTITY_FILES
                .iter()
                .copied()
                .map(by_default)
                .collect(),
        );
    }
    if !settings.is_set("UpdateHostKeys") {
        // Who has files of their own for known hosts is not to be surprised by what is written there.
        let usual = match settings.all("UserKnownHostsFile") {
            [] => true,
            [only] => only.text == "~/.ssh/known_hosts",
            _ => false,
        };
        let by_dns = settings
            .first("VerifyHostKeyDNS")
            .is_some_and(|value| value != "no");
        let value = if usual && !by_dns { "yes" } else { "no" };
        settings.replace("UpdateHostKeys", vec![by_default(value)]);
    }
    for keyword in keywords::all() {
        if let (Some(default), false) = (keyword.default, settings.is_set(keyword.name)) {
            let values = match keyword.kind {
                Kind::Files => default.split(' ').map(by_default).collect(),
                _ => vec![by_default(default)],
            };
            settings.replace(keyword.name, values);
        }
    }
}

fn expand_all(walk: &mut Walk<'_>, tokens: &Tokens) -> Result<(), Error> {
    for expansion in EXPANSIONS {
        let mut values = Vec::new();
        for value in walk.settings.all(expansion.name) {
            let is_list = matches!(
                expansion.name,
                "IdentityFile" | "UserKnownHostsFile" | "GlobalKnownHostsFile"
            );
            if is_list && value.text.eq_ignore_ascii_case("none") {
                continue;
            }
            let text =
                expand(walk, expansion, tokens, &value.text).map_err(|text| value.fault(text))?;
            values.push(Value {
                text,
                ..value.clone()
            });
        }
        if walk.settings.is_set(expansion.name) {
            walk.settings.replace(expansion.name, values);
        }
    }
    expand_paths(walk, tokens)
}

fn expand(
    walk: &Walk<'_>,
    expansion: &Expansion,
    tokens: &Tokens,
    text: &str,
) -> Result<String, String> {
    let agent = matches!(expansion.name, "IdentityAgent" | "ForwardAgent");
    if let (true, Some(name)) = (
        agent,
        text.strip_prefix('$').filter(|name| !name.starts_with('{')),
    ) {
        // The older form of a variable. Without it there is no agent, which is no mistake.
        return Ok(walk
            .surroundings
            .variable(name)
            .unwrap_or_else(|| "none".to_owned()));
    }
    let text = match expansion.home {
        true => walk.expand_home(text)?,
        false => text.to_owned(),
    };
    let known = expansion.tokens.map(|letters| tokens.only(letters));
    let variable = |name: &str| walk.surroundings.variable(name);
    let variable: Option<Variables<'_>> = match expansion.variables {
        true => Some(&variable),
        false => None,
    };
    tokens::expand(&text, known.as_ref(), variable)
}

/// Tokens stand in the paths of forwardings, not in their hosts.
fn expand_paths(walk: &mut Walk<'_>, tokens: &Tokens) -> Result<(), Error> {
    for name in ["LocalForward", "RemoteForward"] {
        let mut values = walk.settings.all(name).to_vec();
        for value in &mut values {
            let Some(mut forward) = forward::read_back(&value.text) else {
                continue;
            };
            for end in [Some(&mut forward.listen), forward.connect.as_mut()]
                .into_iter()
                .flatten()
            {
                if let End::Path(path) = end {
                    *path = tokens::expand(path, Some(tokens), None)
                        .map_err(|text| value.fault(text))?;
                }
            }
            value.text = forward.to_string();
        }
        if !values.is_empty() {
            walk.settings.replace(name, values);
        }
    }
    Ok(())
}

/// The hosts to go through, with tokens put in place in each name by itself: what they stand for may come from the
/// destination, which is not to choose the way.
fn expand_jumps(settings: &mut Settings, tokens: &Tokens) -> Result<Vec<Hop>, Error> {
    let Some(value) = settings.all("ProxyJump").first().cloned() else {
        return Ok(Vec::new());
    };
    let tokens = tokens.only("hknpr");
    let hops = jump::parse_jumps(&value.text, &|port| port.parse().ok());
    let mut hops = hops.map_err(|text| value.fault(text))?;
    for hop in &mut hops {
        for name in hop.user.iter_mut().chain([&mut hop.host]) {
            *name = tokens::expand(name, Some(&tokens), None).map_err(|text| value.fault(text))?;
        }
    }
    let text = jump::write_jumps(&hops).ok_or_else(|| {
        let names: Vec<_> = hops.iter().map(Hop::to_string).collect();
        let names = printable(names.join(" ").as_bytes(), 200);
        value.fault(format!(
            "what the tokens stand for makes \"{names}\" of it, which names no jump hosts; see where it comes from"
        ))
    })?;
    settings.replace("ProxyJump", vec![Value { text, ..value }]);
    Ok(hops)
}

/// The hop that leads to the host itself, as it is known so far.
pub(super) fn last_hop(settings: &Settings, surroundings: &dyn Surroundings) -> Option<Hop> {
    let port_of = |text: &str| super::port_of(text, surroundings);
    jump::parse_jumps(settings.first("ProxyJump")?, &port_of)
        .ok()?
        .pop()
}

/// A host that is reached through itself is never reached.
fn refuse_loop(walk: &Walk<'_>, host: &str) -> Result<(), Error> {
    let settings = &walk.settings;
    let (Some(value), Some(hop)) = (
        settings.all("ProxyJump").first(),
        last_hop(settings, walk.surroundings),
    ) else {
        return Ok(());
    };
    let port = settings.first("Port").and_then(|port| port.parse().ok());
    let same_user = hop
        .user
        .is_none_or(|user| settings.first("User") == Some(user.as_str()));
    if hop.host == host && port == Some(hop.port.unwrap_or(22)) && same_user {
        return Err(value.fault(format!("the jump host {host} is the host itself")));
    }
    Ok(())
}
