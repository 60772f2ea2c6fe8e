//! The options in front of a key: `name`, `no-name` and `name="value"`, separated by commas.

use super::time::Expiry;
use crate::keys::{Permissions, Place};

/// What the options of a line say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOptions {
    /// What is left of everything to whom the line lets in.
    pub permissions: Permissions,
    /// `cert-authority`: the key signs certificates.
    pub is_authority: bool,
    /// `principals`: of which a certificate must name one.
    pub principals: Option<Vec<String>>,
    /// `from`: where the connection must come from.
    pub from: Option<String>,
    /// `expiry-time`: from when on the line does not count.
    pub expiry: Option<Expiry>,
    /// `tunnel`: the number of the device.
    pub tunnel: Option<String>,
}

/// Flags that `no-` may stand before.
const SWITCHES: [&str; 5] = [
    "port-forwarding",
    "agent-forwarding",
    "x11-forwarding",
    "pty",
    "user-rc",
];
/// Most options of a line, and most that one may name.
const MAX_OPTIONS: usize = 256;

impl KeyOptions {
    /// A line without options.
    pub(super) fn none() -> Self {
        KeyOptions {
            permissions: Permissions::ALL,
            is_authority: false,
            principals: None,
            from: None,
            expiry: None,
            tunnel: None,
        }
    }

    /// Whether there are none that change anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::none()
    }

    /// Reads the options; the fault where one of them is not understood.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut options = Self::none();
        let mut rest = text;
        for _ in 0..MAX_OPTIONS {
            rest = options.read(rest)?;
            if rest.is_empty() {
                return options.consistent();
            }
            rest = rest.strip_prefix(',').ok_or("no comma between options")?;
            if rest.is_empty() {
                return Err("a comma behind the last option");
            }
        }
        Err("too many options")
    }

    /// Who has written principals meant an authority, and not to let the key in by itself.
    fn consistent(self) -> Result<Self, &'static str> {
        if self.principals.is_some() && !self.is_authority {
            return Err("principals without cert-authority");
        }
        Ok(self)
    }

    /// Reads one option, and returns what stands behind it.
    fn read<'a>(&mut self, text: &'a str) -> Result<&'a str, &'static str> {
        let end = text.find([',', '=']).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end).ok_or("an option")?;
        let name = name.to_ascii_lowercase();
        match rest.strip_prefix('=') {
            Some(quoted) => {
                let (value, rest) = dequote(quoted)?;
                self.set(&name, value)?;
                Ok(rest)
            }
            None => {
                self.switch(&name)?;
                Ok(rest)
            }
        }
    }

    fn switch(&mut self, name: &str) -> Result<(), &'static str> {
        let permissions = &mut self.permissions;
        let (name, on) = match name.strip_prefix("no-") {
            Some(rest) if SWITCHES.contains(&rest) => (rest, false),
            _ => (name, true),
        };
        match name {
            "restrict" => {
                permissions.pty = false;
                permissions.port_forwarding = false;
                permissions.agent_forwarding = false;
                permissions.x11_forwarding = false;
                permissions.user_rc = false;
            }
            "port-forwarding" => permissions.port_forwarding = on,
            "agent-forwarding" => permissions.agent_forwarding = on,
            "x11-forwarding" => permissions.x11_forwarding = on,
            "pty" => permissions.pty = on,
            "user-rc" => permissions.user_rc = on,
            "cert-authority" => self.is_authority = true,
            "touch-required" => permissions.touch_required = true,
            "no-touch-required" => permissions.touch_required = false,
            "verify-required" => permissions.verify_required = true,
            "no-verify-required" => permissions.verify_required = false,
            _ => return Err("an unknown option"),
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), &'static str> {
        match name {
            "command" => once(&mut self.permissions.forced_command, value),
            "from" => {
                super::from::check(&value)?;
                once(&mut self.from, value)
            }
            "principals" => {
                let names: Vec<String> = value.split(',').map(str::to_owned).collect();
                once(&mut self.principals, names)
            }
            "expiry-time" => {
                let expiry = Expiry::parse(&value).ok_or("an expiry-time that is no time")?;
                once(&mut self.expiry, expiry)
            }
            "tunnel" => {
                let good = value == "any" || value.parse::<u32>().is_ok();
                once(
                    &mut self.tunnel,
                    good.then_some(value).ok_or("a tunnel that is none")?,
                )
            }
            "environment" => self.set_variable(&value),
            "permitopen" => {
                let place = place(&value, false)?;
                add(&mut self.permissions.permit_open, place)
            }
            "permitlisten" => {
                let place = place(&value, true)?;
                add(&mut self.permissions.permit_listen, place)
            }
            _ => Err("an unknown option"),
        }
    }

    /// The first of the same name counts, as for OpenSSH.
    fn set_variable(&mut self, value: &str) -> Result<(), &'static str> {
        const BAD: &str = "an environment that is not of the form NAME=value";
        let (name, value) = value.split_once('=').ok_or(BAD)?;
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(good) {
            return Err(BAD);
        }
        let variables = &mut self.permissions.environment;
        if !variables.iter().any(|(known, _)| known == name) {
            variables.push((name.to_owned(), value.to_owned()));
        }
        Ok(())
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), &'static str> {
    if slot.is_some() {
        return Err("an option that is there twice");
    }
    *slot = Some(value);
    Ok(())
}

/// All options of one name make one list.
fn add(lists: &mut Vec<Vec<Place>>, place: Place) -> Result<(), &'static str> {
    match lists.first_mut() {
        Some(list) => list.push(place),
        None => lists.push(vec![place]),
    }
    Ok(())
}

/// `host:port`, `[host]:port` and, where the host may be missing, `port`; `*` stands for any port, and for any host.
fn place(value: &str, may_lack_host: bool) -> Result<Place, &'static str> {
    const BAD: &str = "a place that is not of the form host:port";
    let (host, port) = match value.rsplit_once(':') {
        Some((host, port)) => (Some(host), port),
        None if may_lack_host => (None, value),
        None => return Err(BAD),
    };
    let host = host.map(|host| {
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    });
    if host.is_some_and(|host| host.is_empty() || host.contains(char::is_whitespace)) {
        return Err(BAD);
    }
    let port = match port {
        "*" => None,
        digits => Some(digits.parse().map_err(|_| BAD)?),
    };
    Ok(Place {
        host: host.filter(|host| *host != "*").map(str::to_owned),
        port,
    })
}

/// The text between the quotes, in which `\"` is a quote, and what stands behind them.
fn dequote(text: &str) -> Result<(String, &str), &'static str> {
    let mut rest = text.strip_prefix('"').ok_or("a value without quotes")?;
    let mut value = String::new();
    loop {
        let at = rest.find(['"', '\\']).ok_or("a quote that does not end")?;
        let (before, behind) = rest.split_at_checked(at).ok_or("a quote")?;
        value.push_str(before);
        if let Some(after) = behind.strip_prefix("\\\"") {
            value.push('"');
            rest = after;
        } else if let Some(after) = behind.strip_prefix('\\') {
            value.push('\\');
            rest = after;
        } else {
            return Ok((value, behind.strip_prefix('"').unwrap_or(behind)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(text: &str) -> Permissions {
        KeyOptions::parse(text).unwrap().permissions
    }

    #[test]
    fn switches_in_their_order() {
        let all = permissions("pty");
        assert_eq!(all, Permissions::ALL);
        let none = permissions("ReStrict");
        assert_eq!(none, Permissions::NONE);
        let some = permissions("restrict,PTY,X11-forwarding,no-x11-forwarding");
        assert!(some.pty && !some.x11_forwarding);
        let late = permissions("pty,restrict");
        assert!(!late.pty);
        assert!(!permissions("no-touch-required").touch_required);
        assert!(permissions("verify-required").verify_required);
        assert!(KeyOptions::parse("cert-authority").unwrap().is_authority);
    }

    #[test]
    fn values_and_quotes() {
        let options = KeyOptions::parse(
            r#"command="echo \"a, b\" \\ \n",from="10.*,!10.1.*",cert-authority,principals="a,b",tunnel="0""#,
        )
        .unwrap();
        let command = options.permissions.forced_command.unwrap();
        assert_eq!(command, r#"echo "a, b" \\ \n"#);
        assert_eq!(options.from.unwrap(), "10.*,!10.1.*");
        assert_eq!(options.principals.unwrap(), ["a", "b"]);
        assert_eq!(options.tunnel.unwrap(), "0");
        let options = permissions(r#"environment="A=1",environment="A=2",environment="B=x=y""#);
        let expected = [("A", "1"), ("B", "x=y")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(options.environment, expected);
    }

    #[test]
    fn places() {
        let some = permissions(
            r#"permitopen="a:1",permitopen="[::1]:*",permitlisten="8080",permitlisten="localhost:*""#,
        );
        assert!(some.may_open("A", 1) && some.may_open("::1", 99));
        assert!(!some.may_open("a", 2) && !some.may_open("b", 1));
        assert!(some.may_listen("anything", 8080) && some.may_listen("localhost", 1));
        assert!(!some.may_listen("anything", 1));
        for bad in [":1", "a", "a:", "a:65536", "a:x", ""] {
            let text = format!("permitopen=\"{bad}\"");
            assert!(KeyOptions::parse(&text).is_err(), "{bad}");
        }
    }

    #[test]
    fn y4_what_is_not_understood_refuses_all() {
        for bad in [
            "",
            ",",
            "pty,",
            ",pty",
            "pty,,pty",
            "unknown",
            "no-restrict",
            "no-cert-authority",
            "pty=\"x\"",
            "command",
            "command=",
            "command=x",
            "command=\"x",
            "command=\"x\\\"",
            "command=\"x\"y",
            "command=\"x\",command=\"y\"",
            "from=\"10.0.0.0/33\"",
            "expiry-time=\"2024\"",
            "environment=\"A\"",
            "environment=\"=x\"",
            "environment=\"A B=x\"",
            "tunnel=\"x\"",
            "principals=\"x\"",
            "unknown=\"x\"",
            "pty pty",
        ] {
            assert!(KeyOptions::parse(bad).is_err(), "{bad}");
        }
        assert!(KeyOptions::parse(&"pty,".repeat(10_000)).is_err());
    }
}
