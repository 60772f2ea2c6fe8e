//! Where the user's agent is, and which one is lent to a server.

use std::path::Path;

use crate::agent::Agent;
use crate::config::{Resolved, Surroundings};
use crate::connection::ForwardPoint;
use crate::driver::{Channel, Timeout};
use crate::error::Error;
use crate::forward;

/// The variable that names the socket of the user's agent.
const VARIABLE: &str = "SSH_AUTH_SOCK";

/// Where an agent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentPlace {
    /// Nobody has said.
    Unset,
    /// None is to be used.
    None,
    /// At this socket.
    At(String),
}

/// The agent that a user logs in with.
pub fn of(resolved: &Resolved, surroundings: &dyn Surroundings) -> AgentPlace {
    let text = resolved.text("IdentityAgent").unwrap_or(VARIABLE);
    match text {
        VARIABLE => match surroundings.variable(VARIABLE) {
            Some(socket) if !socket.is_empty() => AgentPlace::At(socket),
            _ => AgentPlace::Unset,
        },
        // A variable without a value counts as that, too.
        none if none.is_empty() || none.eq_ignore_ascii_case("none") => AgentPlace::None,
        socket => AgentPlace::At(socket.to_owned()),
    }
}

/// Asks the server to let programs of the session use the agent that ForwardAgent names. As for ssh, nothing is asked
/// where that is none, or none that answers, or where nobody knows whose the host key is.
///
/// # Errors
/// That the server refuses, or what ended the session or the time.
pub fn forward_agent(
    resolved: &Resolved,
    surroundings: &dyn Surroundings,
    channel: &Channel,
    timeout: Timeout,
) -> Result<(), Error> {
    let Some(path) = forwarded(resolved, surroundings) else {
        return Ok(());
    };
    let is_there = Agent::connect(Path::new(&path), timeout).is_ok();
    if !is_there || channel.transport().is_host_key_doubtful() {
        return Ok(());
    }
    forward::request_agent(channel, Some(ForwardPoint::Unix { path }), timeout)
}

/// The agent that programs on the server may use, according to ForwardAgent; `None` where there is none for them.
fn forwarded(resolved: &Resolved, surroundings: &dyn Surroundings) -> Option<String> {
    match resolved.text("ForwardAgent").unwrap_or("no") {
        "no" => None,
        "yes" => match of(resolved, surroundings) {
            AgentPlace::At(socket) => Some(socket),
            AgentPlace::Unset | AgentPlace::None => None,
        },
        none if none.is_empty() || none.eq_ignore_ascii_case("none") => None,
        socket => Some(socket.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::MadeUp;
    use crate::config::Config;

    #[test]
    fn agents_are_where_the_configuration_says() {
        let at = |path: &str| AgentPlace::At(path.to_owned());
        let set = [
            ("SSH_AUTH_SOCK", "/user"),
            ("OTHER", "/other"),
            ("EMPTY", ""),
        ];
        let nothing: &[(&'static str, &'static str)] = &[];
        for (variables, text, own, forwarded) in [
            (&set[..], "", at("/user"), None),
            (&set[..], "ForwardAgent yes", at("/user"), Some("/user")),
            (nothing, "ForwardAgent yes", AgentPlace::Unset, None),
            (nothing, "ForwardAgent /a", AgentPlace::Unset, Some("/a")),
            (&set[..], "ForwardAgent $OTHER", at("/user"), Some("/other")),
            (&set[..], "ForwardAgent $NOT_SET", at("/user"), None),
            (&set[..], "IdentityAgent none", AgentPlace::None, None),
            (
                &set[..],
                "IdentityAgent none\nForwardAgent yes",
                AgentPlace::None,
                None,
            ),
            (
                &set[..],
                "IdentityAgent /x\nForwardAgent yes",
                at("/x"),
                Some("/x"),
            ),
            (&set[..], "IdentityAgent SSH_AUTH_SOCK", at("/user"), None),
            (&set[..], "IdentityAgent $OTHER", at("/other"), None),
            (&set[..], "IdentityAgent ${OTHER}", at("/other"), None),
            (&set[..], "IdentityAgent $EMPTY", AgentPlace::None, None),
            (&set[..], "IdentityAgent $NOT_SET", AgentPlace::None, None),
        ] {
            let made = MadeUp::with_variables(variables);
            let mut config = Config::default();
            config.load_text("text", text.as_bytes()).unwrap();
            let resolved = config.resolve("host", &made).unwrap();
            assert_eq!(of(&resolved, &made), own, "{text}");
            assert_eq!(
                super::forwarded(&resolved, &made).as_deref(),
                forwarded,
                "{text}"
            );
        }
    }
}
