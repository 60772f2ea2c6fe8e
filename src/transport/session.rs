//! What holds for a connection, across its key exchanges.

use super::extensions::ExtensionState;
use crate::crypto::hash::Digest;
use crate::kex::{Negotiated, Transcript};
use crate::keys::ShownKey;
use crate::messages::Role;
use crate::packet::Ident;

/// The identification lines of both sides, exchanged.
pub(super) struct Idents {
    /// Ours, without CR LF.
    pub(super) local: Vec<u8>,
    /// The peer's.
    pub(super) peer: Ident,
}

impl Idents {
    /// The input of the exchange hash. `local` and `peer` are the KEXINIT payloads.
    pub(super) fn transcript<'a>(
        &'a self,
        role: Role,
        local: &'a [u8],
        peer: &'a [u8],
    ) -> Transcript<'a> {
        match role {
            Role::Client => Transcript {
                client_ident: &self.local,
                server_ident: &self.peer.bytes,
                client_kexinit: local,
                server_kexinit: peer,
            },
            Role::Server => Transcript {
                client_ident: &self.peer.bytes,
                server_ident: &self.local,
                client_kexinit: peer,
                server_kexinit: local,
            },
        }
    }
}

/// That a server has proven to own its host key in the first key exchange, for others to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionProof {
    /// The blob of the host key.
    pub host_key: Vec<u8>,
    /// The session identifier, which was signed.
    pub session_id: Vec<u8>,
    /// The signature blob.
    pub signature: Vec<u8>,
}

/// A connection whose first key exchange is through. It can be made only of the outcome of one.
pub(super) struct Session {
    /// The exchange hash of the first key exchange.
    pub(super) id: Digest,
    /// Whether key exchange is strict, decided in the first one.
    pub(super) strict: bool,
    /// The server's host key, proven in the first key exchange and shown alike ever since.
    pub(super) host_key: ShownKey,
    /// Its signature over `id`.
    pub(super) host_signature: Vec<u8>,
    /// What the last key exchange agreed on.
    pub(super) negotiated: Negotiated,
    /// SSH_MSG_EXT_INFO.
    pub(super) extensions: ExtensionState,
}
