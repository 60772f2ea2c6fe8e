//! What is put in place of `%h` and its kin, of `${NAME}`, and of `~`.

use sha1::{Digest, Sha1};

/// Longest text that may come of it.
const MAX_EXPANDED: usize = 64 << 10;

/// Looks up a variable of the environment.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The letters that options may use, and what they stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens(Vec<(char, String)>);

/// What the tokens are made of.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub host_name: &'a str,
    pub original_host: &'a str,
    pub host_key_alias: &'a str,
    pub port: u16,
    pub user: &'a str,
    pub jump_host: &'a str,
    pub local: &'a super::Local,
}

impl Tokens {
    /// All that most options know.
    pub(super) fn new(facts: &Facts<'_>) -> Self {
        let local = facts.local;
        let short = local.host_name.split('.').next().unwrap_or_default();
        let port = facts.port.to_string();
        let connection = [
            &local.host_name,
            facts.host_name,
            &port,
            facts.user,
            facts.jump_host,
        ]
        .concat();
        let hash: String = Sha1::digest(connection.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let of = |letter: char, value: &str| (letter, value.to_owned());
        Tokens(vec![
            of('C', &hash),
            of('L', short),
            of('d', &local.home),
            of('h', facts.host_name),
            of('i', &local.uid.to_string()),
            of('j', facts.jump_host),
            of('k', facts.host_key_alias),
            of('l', &local.host_name),
            of('n', facts.original_host),
            of('p', &port),
            of('r', facts.user),
            of('u', &local.user),
        ])
    }

    /// Those of `letters` only.
    pub(super) fn only(&self, letters: &str) -> Self {
        Tokens(
            self.0
                .iter()
                .filter(|(letter, _)| letters.contains(*letter))
                .cloned()
                .collect(),
        )
    }

    /// The same with another `%k`.
    pub(super) fn with_alias(mut self, alias: &str) -> Self {
        for (letter, value) in &mut self.0 {
            if *letter == 'k' {
                alias.clone_into(value);
            }
        }
        self
    }

    /// `%h` alone, for HostName.
    pub(super) fn host(name: &str) -> Self {
        Tokens(vec![('h', name.to_owned())])
    }

    fn value(&self, letter: char) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == letter)
            .map(|(_, value)| value.as_str())
    }
}

/// Puts values in place of tokens, and of variables where `variable` knows about them.
///
/// # Errors
/// What cannot be expanded, and what to do.
pub(super) fn expand(
    text: &str,
    tokens: Option<&Tokens>,
    variable: Option<Variables<'_>>,
) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match (c, tokens, variable) {
            ('%', Some(tokens), _) => take_token(after, tokens, &mut expanded)?,
            ('$', _, Some(variable)) if after.starts_with('{') => {
                take_variable(after, variable, &mut expanded)?
            }
            _ => {
                expanded.push(c);
                after
            }
        };
        if expanded.len() > MAX_EXPANDED {
            return Err("it becomes too long when it is expanded".into());
        }
    }
    Ok(expanded)
}

fn take_token<'a>(
    after: &'a str,
    tokens: &Tokens,
    expanded: &mut String,
) -> Result<&'a str, String> {
    let letter = after
        .chars()
        .next()
        .ok_or("a % at its end stands for nothing; write %% for the sign itself")?;
    match tokens.value(letter) {
        Some(value) => expanded.push_str(value),
        None if letter == '%' => expanded.push('%'),
        None => {
            let letter = letter.escape_default();
            return Err(format!(
                "%{letter} stands for nothing here; write %% for the sign itself"
            ));
        }
    }
    Ok(after.get(letter.len_utf8()..).unwrap_or_default())
}

fn take_variable<'a>(
    after: &'a str,
    variable: &dyn Fn(&str) -> Option<String>,
    expanded: &mut String,
) -> Result<&'a str, String> {
    let (name, rest) = after
        .strip_prefix('{')
        .and_then(|name| name.split_once('}'))
        .ok_or("a ${ has no closing brace")?;
    if name.is_empty() {
        return Err("${} names no variable".into());
    }
    let value = variable(name).ok_or_else(|| {
        let name = crate::codec::printable(name.as_bytes(), 100);
        format!("the environment has no variable {name}; set it, or write the value itself")
    })?;
    expanded.push_str(&value);
    Ok(rest)
}

/// Puts the home of a user in place of `~` or `~user` at the beginning.
///
/// # Errors
/// That nobody has that name.
pub(super) fn expand_home(
    path: &str,
    home_of: &dyn Fn(Option<&str>) -> Option<String>,
) -> Result<String, String> {
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(path.to_owned());
    };
    let (user, inside) = rest.split_once('/').unwrap_or((rest, ""));
    let user = (!user.is_empty()).then_some(user);
    let home = home_of(user).ok_or_else(|| match user {
        Some(user) => format!(
            "there is no user {}",
            crate::codec::printable(user.as_bytes(), 100)
        ),
        None => "the account of this process has no home; write the whole path".into(),
    })?;
    let slash = if home.ends_with('/') { "" } else { "/" };
    Ok(format!("{home}{slash}{}", inside.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Local;

    fn tokens() -> Tokens {
        Tokens::new(&Facts {
            host_name: "host.example.org",
            original_host: "alias",
            host_key_alias: "key",
            port: 2222,
            user: "remote",
            jump_host: "",
            local: &Local {
                user: "me".into(),
                uid: 1000,
                home: "/home/me".into(),
                host_name: "here.example.org".into(),
            },
        })
    }

    #[test]
    fn tokens_of_every_kind() {
        let all = "%h %n %k %p %r %u %d %i %l %L %j %%";
        let expected =
            "host.example.org alias key 2222 remote me /home/me 1000 here.example.org here  %";
        assert_eq!(expand(all, Some(&tokens()), None).unwrap(), expected);
        // printf 'here.example.orghost.example.org2222remote' | sha1sum
        assert_eq!(
            expand("%C", Some(&tokens()), None).unwrap(),
            "587d9933646fcccbc001bb9253e0ee7e9a7c45cc"
        );
        assert_eq!(expand("a%h", None, None).unwrap(), "a%h");
        for bad in ["%", "a%", "%x", "%\u{e4}"] {
            assert!(expand(bad, Some(&tokens()), None).is_err(), "{bad}");
        }
        let few = tokens().only("hp");
        assert_eq!(
            expand("%h%%%p", Some(&few), None).unwrap(),
            "host.example.org%2222"
        );
        assert!(expand("%u", Some(&few), None).is_err());
    }

    #[test]
    fn variables() {
        let variable = |name: &str| (name == "A").then(|| "%h".to_owned());
        let expand = |text| expand(text, Some(&tokens()), Some(&variable));
        // What a variable holds is not looked at again.
        assert_eq!(expand("x${A}y$A$").unwrap(), "x%hy$A$");
        for bad in ["${B}", "${", "${}", "${A"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn homes() {
        let home = |user: Option<&str>| match user {
            None => Some("/home/me".to_owned()),
            Some("root") => Some("/root/".to_owned()),
            Some(_) => None,
        };
        for (path, expected) in [
            ("/a/~", "/a/~"),
            ("~", "/home/me/"),
            ("~/", "/home/me/"),
            ("~//a/b", "/home/me/a/b"),
            ("~root/x", "/root/x"),
            ("a", "a"),
        ] {
            assert_eq!(expand_home(path, &home).unwrap(), expected, "{path}");
        }
        assert!(expand_home("~nobody/x", &home).is_err());
    }

    #[test]
    fn what_grows_is_bounded() {
        let variable = |_: &str| Some("x".repeat(1000));
        assert!(expand(&"${A}".repeat(10_000), None, Some(&variable)).is_err());
    }
}
