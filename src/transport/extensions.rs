//! Extension negotiation (RFC 8308): when SSH_MSG_EXT_INFO may come and what it says.

use crate::codec::{join_names, NameList};
use crate::error::{Error, PeerMisbehaved};
use crate::messages::ext_info::ExtInfo;
use crate::messages::{MessageNumber, Role};

const SERVER_SIG_ALGS: &[u8] = b"server-sig-algs";
const HOSTBOUND: &[u8] = b"publickey-hostbound@openssh.com";
/// The only version of `publickey-hostbound@openssh.com`.
const HOSTBOUND_VERSION: &[u8] = b"0";
const PING: &[u8] = b"ping@openssh.com";
/// The only version of `ping@openssh.com`.
const PING_VERSION: &[u8] = b"0";

/// The extensions that the peer has announced and that are known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerExtensions {
    /// The signature algorithms that the server takes for user authentication (RFC 8308 §3.1).
    pub server_sig_algs: Option<Vec<String>>,
    /// The server takes requests for authentication that are bound to its host key (OpenSSH, PROTOCOL §3.1).
    pub publickey_hostbound: bool,
    /// The peer answers SSH2_MSG_PING.
    pub ping: bool,
}

impl PeerExtensions {
    fn decode(payload: &[u8], receiver: Role) -> Result<Self, Error> {
        let mut found = PeerExtensions::default();
        for (name, value) in ExtInfo::decode(payload)?.extensions {
            match name {
                SERVER_SIG_ALGS if receiver == Role::Client => {
                    let list =
                        NameList::parse(value).map_err(Error::invalid(MessageNumber::EXT_INFO))?;
                    found.server_sig_algs = Some(list.to_vec());
                }
                HOSTBOUND if receiver == Role::Client && value == HOSTBOUND_VERSION => {
                    found.publickey_hostbound = true;
                }
                PING if value == PING_VERSION => found.ping = true,
                // RFC 8308 §2.5: unknown extensions are ignored.
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Our server's SSH_MSG_EXT_INFO.
pub(super) fn server_announcement(signature_algorithms: &[&'static str]) -> Vec<u8> {
    let algorithms = join_names(signature_algorithms);
    ExtInfo {
        extensions: vec![
            (SERVER_SIG_ALGS, algorithms.as_bytes()),
            (HOSTBOUND, HOSTBOUND_VERSION),
            (PING, PING_VERSION),
        ],
    }
    .encode()
}

/// At which message the peer's SSH_MSG_EXT_INFO may come (RFC 8308 §2.4).
enum Window {
    /// As the first packet under the peer's first keys.
    FirstPacket,
    /// To a client, once more before USERAUTH_SUCCESS.
    BeforeSuccess,
    /// It has come: nothing but USERAUTH_SUCCESS may follow.
    AwaitSuccess,
    /// No more.
    Closed,
}

/// What was announced by both sides, and what may still be.
pub(super) struct ExtensionState {
    receiver: Role,
    window: Window,
    peer: Option<PeerExtensions>,
    /// We have announced that we answer SSH2_MSG_PING.
    pub(super) ping_announced: bool,
}

impl ExtensionState {
    pub(super) fn new(receiver: Role, ping_announced: bool) -> Self {
        ExtensionState {
            receiver,
            window: Window::FirstPacket,
            peer: None,
            ping_announced,
        }
    }

    pub(super) fn peer(&self) -> Option<&PeerExtensions> {
        self.peer.as_ref()
    }

    /// Takes SSH_MSG_EXT_INFO if it may come now. A second one replaces the first (RFC 8308 §2.4).
    pub(super) fn announce(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.window = match self.window {
            Window::FirstPacket if self.receiver == Role::Client => Window::BeforeSuccess,
            Window::FirstPacket => Window::Closed,
            Window::BeforeSuccess => Window::AwaitSuccess,
            Window::AwaitSuccess | Window::Closed => {
                return Err(PeerMisbehaved::UnexpectedMessage(MessageNumber::EXT_INFO).into())
            }
        };
        self.peer = Some(PeerExtensions::decode(payload, self.receiver)?);
        Ok(())
    }

    /// Notes any other message of the peer.
    pub(super) fn other_message(&mut self, number: MessageNumber) -> Result<(), Error> {
        let noise = matches!(
            number,
            MessageNumber::IGNORE | MessageNumber::DEBUG | MessageNumber::UNIMPLEMENTED
        );
        if number == MessageNumber::DISCONNECT {
            // RFC 4253 §11.1: at any time. It says more than anything that could be said about its place.
            return Ok(());
        }
        self.window = match self.window {
            _ if self.receiver == Role::Client && number == MessageNumber::USERAUTH_SUCCESS => {
                Window::Closed
            }
            Window::FirstPacket if self.receiver == Role::Client => Window::BeforeSuccess,
            Window::BeforeSuccess => Window::BeforeSuccess,
            // Messages that mean nothing do not separate the two.
            Window::AwaitSuccess if noise => Window::AwaitSuccess,
            Window::AwaitSuccess => {
                return Err(PeerMisbehaved::Other(
                    "SSH_MSG_EXT_INFO was not followed by SSH_MSG_USERAUTH_SUCCESS",
                )
                .into())
            }
            Window::FirstPacket | Window::Closed => Window::Closed,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> Vec<u8> {
        server_announcement(&["ssh-ed25519", "rsa-sha2-512"])
    }

    #[test]
    fn our_announcement_is_understood_by_a_client() {
        let found = PeerExtensions::decode(&info(), Role::Client).unwrap();
        assert_eq!(
            found.server_sig_algs.unwrap(),
            ["ssh-ed25519", "rsa-sha2-512"]
        );
        assert!(found.ping && found.publickey_hostbound);
        let found = PeerExtensions::decode(&info(), Role::Server).unwrap();
        assert_eq!(found.server_sig_algs, None);
        assert!(!found.publickey_hostbound);
    }

    #[test]
    fn e2_server_takes_it_as_first_packet_only() {
        let mut state = ExtensionState::new(Role::Server, true);
        state.announce(&info()).unwrap();
        assert!(state.announce(&info()).is_err());
        let mut state = ExtensionState::new(Role::Server, true);
        state.other_message(MessageNumber::SERVICE_REQUEST).unwrap();
        assert!(state.announce(&info()).is_err());
    }

    #[test]
    fn e2_client_takes_it_first_and_right_before_success() {
        let mut state = ExtensionState::new(Role::Client, false);
        state.announce(&info()).unwrap();
        state.other_message(MessageNumber::SERVICE_ACCEPT).unwrap();
        state.announce(&info()).unwrap();
        state.other_message(MessageNumber::IGNORE).unwrap();
        state
            .other_message(MessageNumber::USERAUTH_SUCCESS)
            .unwrap();
        assert!(state.announce(&info()).is_err());
        state.other_message(MessageNumber::CHANNEL_DATA).unwrap();

        let mut state = ExtensionState::new(Role::Client, false);
        state.other_message(MessageNumber::SERVICE_ACCEPT).unwrap();
        state.announce(&info()).unwrap();
        assert!(state
            .other_message(MessageNumber::USERAUTH_FAILURE)
            .is_err());
    }

    /// Found by the reference automaton: the reason was lost.
    #[test]
    fn a_disconnect_may_come_in_the_place_of_success() {
        let mut state = ExtensionState::new(Role::Client, false);
        state.other_message(MessageNumber::SERVICE_ACCEPT).unwrap();
        state.announce(&info()).unwrap();
        state.other_message(MessageNumber::DISCONNECT).unwrap();
    }

    #[test]
    fn e1_values() {
        let decode = |name: &[u8], value: &[u8]| {
            let message = ExtInfo {
                extensions: vec![(name, value)],
            };
            PeerExtensions::decode(&message.encode(), Role::Client)
        };
        assert_eq!(decode(b"unknown", b"\0\0"), Ok(PeerExtensions::default()));
        assert!(decode(SERVER_SIG_ALGS, b"a\0b").is_err());
        let empty = decode(SERVER_SIG_ALGS, b"").unwrap();
        assert_eq!(empty.server_sig_algs, Some(vec![]));
        assert!(!decode(PING, b"1").unwrap().ping);
        assert!(!decode(HOSTBOUND, b"1").unwrap().publickey_hostbound);
    }
}
