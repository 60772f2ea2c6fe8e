//! What somebody may do who has authenticated: what a certificate or a line of authorized_keys leaves of everything.

/// What a login may do. Nothing here grants what the application does not offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Terminals.
    pub pty: bool,
    /// Forwarding of connections, in both directions.
    pub port_forwarding: bool,
    /// Forwarding of the agent.
    pub agent_forwarding: bool,
    /// Forwarding of X11.
    pub x11_forwarding: bool,
    /// Running the user's `~/.ssh/rc`.
    pub user_rc: bool,
    /// What runs, whatever was asked for.
    pub forced_command: Option<String>,
    /// Whether a security key must attest that somebody has touched it.
    pub touch_required: bool,
    /// Whether a security key must attest that it knows who it was.
    pub verify_required: bool,
    /// Where connections may be forwarded to: each of the lists must have the place.
    pub permit_open: Vec<Vec<Place>>,
    /// Where connections may be forwarded from, likewise.
    pub permit_listen: Vec<Vec<Place>>,
    /// Variables for the environment of what runs, each name once.
    pub environment: Vec<(String, String)>,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As the peer must write it; `None` for any.
    pub host: Option<String>,
    /// `None` for any.
    pub port: Option<u16>,
}

impl Place {
    /// Whether the peer means this place. Letters fit in either case.
    pub(crate) fn fits(&self, host: &str, port: u32) -> bool {
        let host_fits = self
            .host
            .as_deref()
            .is_none_or(|own| own.eq_ignore_ascii_case(host));
        host_fits && self.port.is_none_or(|own| u32::from(own) == port)
    }
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Permissions {
        pty: true,
        port_forwarding: true,
        agent_forwarding: true,
        x11_forwarding: true,
        user_rc: true,
        forced_command: None,
        touch_required: true,
        verify_required: false,
        permit_open: Vec::new(),
        permit_listen: Vec::new(),
        environment: Vec::new(),
    };

    /// Nothing but to run what the application lets run.
    pub const NONE: Self = Permissions {
        pty: false,
        port_forwarding: false,
        agent_forwarding: false,
        x11_forwarding: false,
        user_rc: false,
        forced_command: None,
        touch_required: true,
        verify_required: false,
        permit_open: Vec::new(),
        permit_listen: Vec::new(),
        environment: Vec::new(),
    };

    /// What both leave. `None` where they force different commands, so that nothing is left that both allow.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let forced_command = match (&self.forced_command, &other.forced_command) {
            (Some(one), Some(another)) if one != another => return None,
            (one, another) => one.as_ref().or(another.as_ref()).cloned(),
        };
        Some(Permissions {
            pty: self.pty && other.pty,
            port_forwarding: self.port_forwarding && other.port_forwarding,
            agent_forwarding: self.agent_forwarding && other.agent_forwarding,
            x11_forwarding: self.x11_forwarding && other.x11_forwarding,
            user_rc: self.user_rc && other.user_rc,
            forced_command,
            touch_required: self.touch_required || other.touch_required,
            verify_required: self.verify_required || other.verify_required,
            permit_open: [self.permit_open.as_slice(), &other.permit_open].concat(),
            permit_listen: [self.permit_listen.as_slice(), &other.permit_listen].concat(),
            environment: merged(&self.environment, &other.environment),
        })
    }

    /// Whether connections may be forwarded to the place.
    pub fn may_open(&self, host: &str, port: u32) -> bool {
        self.port_forwarding && every_list_has(&self.permit_open, host, port)
    }

    /// Whether connections may be forwarded from the place.
    pub fn may_listen(&self, host: &str, port: u32) -> bool {
        self.port_forwarding && every_list_has(&self.permit_listen, host, port)
    }

    /// Whether connections may be forwarded to a UNIX socket. Who has named places has named none of those.
    pub fn may_open_socket(&self) -> bool {
        self.port_forwarding && self.permit_open.is_empty()
    }

    /// Whether connections may be forwarded from a UNIX socket.
    pub fn may_listen_on_socket(&self) -> bool {
        self.port_forwarding && self.permit_listen.is_empty()
    }
}

fn every_list_has(lists: &[Vec<Place>], host: &str, port: u32) -> bool {
    lists
        .iter()
        .all(|list| list.iter().any(|place| place.fits(host, port)))
}

/// The first that sets a variable stays.
fn merged(one: &[(String, String)], other: &[(String, String)]) -> Vec<(String, String)> {
    let mut both = one.to_vec();
    for (name, value) in other {
        if !both.iter().any(|(known, _)| known == name) {
            both.push((name.clone(), value.clone()));
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: Option<&str>, port: Option<u16>) -> Place {
        Place {
            host: host.map(str::to_owned),
            port,
        }
    }

    #[test]
    fn both_leave_what_each_permits() {
        let one = Permissions {
            pty: true,
            forced_command: Some("true".to_owned()),
            permit_open: vec![vec![place(Some("a"), Some(1)), place(Some("b"), None)]],
            environment: vec![("A".to_owned(), "1".to_owned())],
            ..Permissions::NONE
        };
        let other = Permissions {
            port_forwarding: true,
            forced_command: None,
            permit_open: vec![vec![place(Some("A"), Some(1)), place(None, Some(2))]],
            environment: vec![("A".to_owned(), "2".to_owned())],
            ..Permissions::ALL
        };
        let both = one.and(&other).unwrap();
        assert!(both.pty && !both.port_forwarding && !both.x11_forwarding);
        assert_eq!(both.forced_command.as_deref(), Some("true"));
        assert_eq!(both.environment, one.environment);
        assert!(!both.may_open("a", 1));
        let both = Permissions {
            port_forwarding: true,
            ..both
        };
        assert!(both.may_open("a", 1) && both.may_open("B", 2));
        assert!(!both.may_open("a", 2) && !both.may_open("b", 1) && !both.may_open("c", 2));
        assert!(!both.may_open_socket() && both.may_listen_on_socket());
        let different = Permissions {
            forced_command: Some("false".to_owned()),
            ..Permissions::ALL
        };
        assert_eq!(one.and(&different), None);
    }
}
