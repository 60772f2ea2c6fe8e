//! The one table of what a side may receive in which phase (RFC 4253 §7.1, RFC 4250 §4.1).

use crate::messages::{MessageNumber, Role};

/// Where a connection stands, as far as it decides which messages may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Up to the peer's first NEWKEYS, without strict key exchange or before it is known.
    FirstKex,
    /// Between the peer's first KEXINIT and its NEWKEYS with strict key exchange.
    FirstKexStrict,
    /// Keyed, not authenticated.
    Auth,
    /// Authenticated.
    Connection,
    /// Between a later KEXINIT of the peer and its NEWKEYS.
    Rekey,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Hand it to its handler.
    Allowed,
    /// Disconnect: the peer breaks the protocol.
    Unexpected,
    /// Answer SSH_MSG_UNIMPLEMENTED with its sequence number.
    Unimplemented,
}

use Phase::{Auth, Connection, FirstKex, FirstKexStrict, Rekey};
use Role::{Client, Server};
use Verdict::{Allowed, Unexpected, Unimplemented};

/// Whether the side that plays `receiver` may get message `number` in `phase`.
pub fn allowed(receiver: Role, phase: Phase, number: MessageNumber) -> Verdict {
    match number.0 {
        // The connection may end at any time.
        1 => Allowed,
        0..=19 => generic(receiver, phase, number),
        20..=29 => negotiation(phase, number),
        30..=49 => method(receiver, phase, number),
        50..=79 => userauth(receiver, phase, number),
        80..=127 => connection(phase, number),
        128..=255 => extension(receiver, phase, number),
    }
}

/// 2 to 19: transport layer generic. Number 0 is nobody's and treated as unknown.
fn generic(receiver: Role, phase: Phase, number: MessageNumber) -> Verdict {
    match (number, phase) {
        (_, FirstKexStrict) => Unexpected,
        (MessageNumber::IGNORE | MessageNumber::UNIMPLEMENTED | MessageNumber::DEBUG, _) => Allowed,
        (MessageNumber::SERVICE_REQUEST, Auth) if receiver == Server => Allowed,
        (MessageNumber::SERVICE_ACCEPT, Auth) if receiver == Client => Allowed,
        // RFC 8308 §2.4; at which packet of this phase is decided by the transport layer.
        (MessageNumber::EXT_INFO, Auth) => Allowed,
        (
            MessageNumber::SERVICE_REQUEST
            | MessageNumber::SERVICE_ACCEPT
            | MessageNumber::EXT_INFO,
            _,
        ) => Unexpected,
        _ => Unimplemented,
    }
}

/// 20 to 29: algorithm negotiation.
fn negotiation(phase: Phase, number: MessageNumber) -> Verdict {
    match (number, phase) {
        // A second KEXINIT within one exchange is refused by the exchange itself in the first one.
        (MessageNumber::KEXINIT, FirstKex | Auth | Connection) => Allowed,
        (MessageNumber::NEWKEYS, FirstKex | FirstKexStrict | Rekey) => Allowed,
        (MessageNumber::KEXINIT | MessageNumber::NEWKEYS, _) | (_, FirstKexStrict) => Unexpected,
        _ => Unimplemented,
    }
}

/// 30 to 49: the key exchange method, each number from one role only.
fn method(receiver: Role, phase: Phase, number: MessageNumber) -> Verdict {
    let of_peer = match receiver {
        Server => matches!(
            number,
            MessageNumber::KEX_30
                | MessageNumber::KEX_DH_GEX_INIT
                | MessageNumber::KEX_DH_GEX_REQUEST
        ),
        Client => matches!(
            number,
            MessageNumber::KEX_31 | MessageNumber::KEX_DH_GEX_REPLY
        ),
    };
    match phase {
        FirstKex | FirstKexStrict | Rekey if of_peer => Allowed,
        _ => Unexpected,
    }
}

/// 50 to 79: user authentication, each number from one role only (CVE-2018-10933).
fn userauth(receiver: Role, phase: Phase, number: MessageNumber) -> Verdict {
    let sender = match number {
        MessageNumber::USERAUTH_REQUEST | MessageNumber::USERAUTH_INFO_RESPONSE => Client,
        MessageNumber::USERAUTH_FAILURE
        | MessageNumber::USERAUTH_SUCCESS
        | MessageNumber::USERAUTH_BANNER
        | MessageNumber::USERAUTH_60 => Server,
        _ if matches!(phase, Auth | Connection) => return Unimplemented,
        _ => return Unexpected,
    };
    match phase {
        _ if sender == receiver => Unexpected,
        Auth => Allowed,
        // RFC 4252 §5.1: requests after success are silently ignored, by the authentication layer.
        Connection if number == MessageNumber::USERAUTH_REQUEST => Allowed,
        _ => Unexpected,
    }
}

/// 80 to 127: the connection protocol, only after authentication (CVE-2018-7750).
fn connection(phase: Phase, number: MessageNumber) -> Verdict {
    match (phase, number.0) {
        (Connection, 80..=82 | 90..=100) => Allowed,
        (Connection, _) => Unimplemented,
        _ => Unexpected,
    }
}

/// 128 to 255: reserved and private, of which we know PING and PONG.
fn extension(receiver: Role, phase: Phase, number: MessageNumber) -> Verdict {
    match (phase, number) {
        (FirstKexStrict | Rekey, _) => Unexpected,
        // RFC 4252 §6: a server MUST disconnect when a message of the protocols that run after authentication comes
        // before; RFC 4251 §7 reserves these for them.
        (Auth, MessageNumber(128..=191)) if receiver == Server => Unexpected,
        (Auth | Connection, MessageNumber::PING | MessageNumber::PONG) => Allowed,
        _ => Unimplemented,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 5] = [FirstKex, FirstKexStrict, Auth, Connection, Rekey];

    fn numbers(receiver: Role, phase: Phase, verdict: Verdict) -> Vec<u8> {
        (0..=255)
            .filter(|number| allowed(receiver, phase, MessageNumber(*number)) == verdict)
            .collect()
    }

    #[test]
    fn what_is_allowed_where() {
        assert_eq!(
            numbers(Server, FirstKexStrict, Allowed),
            [1, 21, 30, 32, 34]
        );
        assert_eq!(numbers(Client, FirstKexStrict, Allowed), [1, 21, 31, 33]);
        assert!(numbers(Server, FirstKexStrict, Unimplemented).is_empty());
        assert_eq!(
            numbers(Server, FirstKex, Allowed),
            [1, 2, 3, 4, 20, 21, 30, 32, 34]
        );
        assert_eq!(numbers(Client, Rekey, Allowed), [1, 2, 3, 4, 21, 31, 33]);
        assert_eq!(
            numbers(Server, Auth, Allowed),
            [1, 2, 3, 4, 5, 7, 20, 50, 61, 192, 193]
        );
        assert_eq!(
            numbers(Client, Auth, Allowed),
            [1, 2, 3, 4, 6, 7, 20, 51, 52, 53, 60, 192, 193]
        );
        let channels = [80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100];
        let both = [&[1, 2, 3, 4, 20][..], &channels, &[192, 193]].concat();
        assert_eq!(numbers(Client, Connection, Allowed), both);
        let server = [&[1, 2, 3, 4, 20, 50][..], &channels, &[192, 193]].concat();
        assert_eq!(numbers(Server, Connection, Allowed), server);
    }

    #[test]
    fn a1_connection_messages_before_authentication() {
        for receiver in [Client, Server] {
            for phase in [FirstKex, FirstKexStrict, Auth, Rekey] {
                for number in 80..=127 {
                    assert_eq!(allowed(receiver, phase, MessageNumber(number)), Unexpected);
                }
            }
        }
    }

    /// Found by the reference automaton: they were answered with UNIMPLEMENTED.
    #[test]
    fn a1_messages_of_client_protocols_before_authentication() {
        for number in 128..=191 {
            let number = MessageNumber(number);
            assert_eq!(allowed(Server, Auth, number), Unexpected);
            assert_eq!(allowed(Server, Connection, number), Unimplemented);
            assert_eq!(allowed(Client, Auth, number), Unimplemented);
        }
    }

    #[test]
    fn a2_messages_of_the_other_role() {
        for phase in PHASES {
            for number in [6, 51, 52, 53, 60] {
                assert_eq!(allowed(Server, phase, MessageNumber(number)), Unexpected);
            }
            for number in [5, 50, 61] {
                assert_eq!(allowed(Client, phase, MessageNumber(number)), Unexpected);
            }
        }
    }

    #[test]
    fn p5_unknown_messages() {
        for receiver in [Client, Server] {
            for number in [0, 8, 19, 29, 128, 191, 194, 255] {
                for phase in [FirstKex, Auth, Connection] {
                    if (receiver, phase) == (Server, Auth) && [128, 191].contains(&number) {
                        continue;
                    }
                    let verdict = allowed(receiver, phase, MessageNumber(number));
                    assert_eq!(verdict, Unimplemented, "{number} {phase:?}");
                }
            }
            assert_eq!(
                allowed(receiver, FirstKex, MessageNumber(192)),
                Unimplemented
            );
        }
    }
}
