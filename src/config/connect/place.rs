//! Where the user's agent is, and which one is lent to a server.

use crate::config::{Resolved, Surroundings};

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

/// The agent that programs on the server may use, according to ForwardAgent; `None` where there is none for them.
pub fn forwarded(resolved: &Resolved, surroundings: &dyn Surroundings) -> Option<String> {
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
