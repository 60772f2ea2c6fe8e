//! What a user's certificate leaves of what the user asks for (server). Whatever it does not permit is refused before the
//! application is asked, and a command that it forces takes the place of the one that was asked for, so that nobody has to
//! remember to look.

use super::request::Question;
use crate::connection::{ChannelRequest, ForwardPoint, ForwardRequest, OpenKind};
use crate::keys::Permissions;

/// The forced command that stands for the SFTP server of the application.
const INTERNAL_SFTP: &str = "internal-sftp";

/// Whether the question may be asked; turns it into the one that is asked.
pub(crate) fn permit(permissions: &Permissions, question: &mut Question) -> bool {
    match question {
        Question::Channel {
            request, wanted, ..
        } => permit_on_channel(permissions, request, wanted),
        Question::ChannelOpen { kind, .. } => match kind {
            OpenKind::DirectTcpip { host, port, .. } => permissions.may_open(host, *port),
            OpenKind::DirectStreamlocal { .. } => permissions.may_open_socket(),
            _ => true,
        },
        Question::Forward {
            request: ForwardRequest::Listen(point),
            ..
        } => match point {
            ForwardPoint::Tcp { host, port } => permissions.may_listen(host, u32::from(*port)),
            ForwardPoint::Unix { .. } => permissions.may_listen_on_socket(),
        },
        _ => true,
    }
}

fn permit_on_channel(
    permissions: &Permissions,
    request: &mut ChannelRequest,
    wanted: &mut Option<Vec<u8>>,
) -> bool {
    let original = match request {
        ChannelRequest::Pty { .. } => return permissions.pty,
        ChannelRequest::X11(_) => return permissions.x11_forwarding,
        ChannelRequest::AgentForward => return permissions.agent_forwarding,
        ChannelRequest::Shell => Vec::new(),
        ChannelRequest::Exec(command) => command.clone(),
        ChannelRequest::Subsystem(name) => name.clone().into_bytes(),
        _ => return true,
    };
    if let Some(forced) = &permissions.forced_command {
        *wanted = Some(original);
        *request = if forced == INTERNAL_SFTP {
            ChannelRequest::Subsystem("sftp".to_owned())
        } else {
            ChannelRequest::Exec(forced.clone().into_bytes())
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        permissions: &Permissions,
        mut request: ChannelRequest,
    ) -> (bool, ChannelRequest, Option<Vec<u8>>) {
        let mut wanted = None;
        let may = permit_on_channel(permissions, &mut request, &mut wanted);
        (may, request, wanted)
    }

    #[test]
    fn what_is_not_permitted_is_refused() {
        assert!(!asked(&Permissions::NONE, ChannelRequest::AgentForward).0);
        assert!(asked(&Permissions::ALL, ChannelRequest::AgentForward).0);
        let (may, request, wanted) = asked(&Permissions::NONE, ChannelRequest::Shell);
        assert!(may && matches!(request, ChannelRequest::Shell) && wanted.is_none());
    }

    #[test]
    fn a_forced_command_takes_the_place_of_all_others() {
        let forced = |command: &str, request| {
            let permissions = Permissions {
                forced_command: Some(command.to_owned()),
                ..Permissions::ALL
            };
            asked(&permissions, request)
        };
        for (request, expected) in [
            (ChannelRequest::Shell, &b""[..]),
            (ChannelRequest::Exec(b"rm -rf /".to_vec()), b"rm -rf /"),
            (ChannelRequest::Subsystem("sftp".into()), b"sftp"),
        ] {
            let (may, request, wanted) = forced("true", request);
            assert!(may && matches!(request, ChannelRequest::Exec(command) if command == b"true"));
            assert_eq!(wanted.as_deref(), Some(expected));
        }
        let (_, request, _) = forced("internal-sftp", ChannelRequest::Shell);
        assert!(matches!(request, ChannelRequest::Subsystem(name) if name == "sftp"));
        let (_, request, wanted) = forced("true", ChannelRequest::AgentForward);
        assert!(matches!(request, ChannelRequest::AgentForward) && wanted.is_none());
    }
}
