//! The transport layer (RFC 4253): identification, first key exchange, keyed, rekeying.
//!
//! Sans-I/O. [`TransportLayer`] never touches a packet's protection: it is given opened payloads and pushes
//! [`TransportAction`]s, which the endpoint applies in order.

mod config;
mod exchange;
mod extensions;
mod layer;
pub mod phases;
mod proposal;
mod session;
#[cfg(test)]
mod tests;

use crate::crypto::hash::Digest;
use crate::error::Error;
use crate::keys::{PrivateKey, ShownKey};
use crate::packet::{OpenKeys, SealKeys};

pub use config::TransportConfig;
pub use extensions::PeerExtensions;
pub use layer::TransportLayer;
pub use session::SessionProof;

/// What becomes of a payload that was given to [`TransportLayer::handle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// The transport layer has dealt with it.
    Consumed,
    /// It is for authentication or connection, and key exchange does not forbid it now. Whether the phase
    /// allows it is for [`phases::allowed`] to say.
    Service,
}

/// What the endpoint has to do, in the order pushed.
pub enum TransportAction {
    /// Write these bytes as they are: the identification line.
    Raw(Vec<u8>),
    /// From here on payloads of authentication and connection are held back (RFC 4253 §7.1).
    Hold,
    /// Seal this payload now, whatever is held back.
    Send(Vec<u8>),
    /// An answer to a message of the peer: queue it with the payloads of the services, bounded and held
    /// back like them.
    Reply(Vec<u8>),
    /// Install in the sealer, then end the hold. What was held back goes out after the rest of the actions
    /// of the same call, because SSH_MSG_EXT_INFO must be the first packet under new keys.
    SealKeys(Box<SealKeys>),
    /// Install in the opener before the next packet is opened.
    OpenKeys(Box<OpenKeys>),
    /// Server: have the exchange hash signed, on a thread where it may take time, and hand in the result with
    /// [`TransportLayer::provide_signature`]. Only for keys whose signatures are made elsewhere; nothing else of the key
    /// exchange happens meanwhile.
    Sign(HostKeyJob),
    /// Something to know.
    Event(TransportEvent),
}

/// A signature with a host key that is made elsewhere.
pub struct HostKeyJob {
    key: PrivateKey,
    algorithm: &'static str,
    hash: Digest,
}

impl HostKeyJob {
    /// Signs. May take as long as whoever has the key.
    pub fn sign(&self) -> Result<Vec<u8>, Error> {
        self.key.sign(self.algorithm, &self.hash)
    }
}

/// What the transport layer has to tell.
#[derive(Clone)]
pub enum TransportEvent {
    /// A line of text before the server's identification. Pushed by the endpoint, not by this layer.
    BannerLine(String),
    /// Client: the server's host key, whose signature over the exchange hash is good. Whether the key is the
    /// right one is still to be decided.
    HostKey(ShownKey),
    /// Both directions use new keys.
    Keyed {
        /// The first key exchange, not a rekey.
        first: bool,
        /// A client that connects to this server again may guess ([`TransportConfig::guesses`]).
        guessable: bool,
    },
    /// The peer has sent SSH_MSG_EXT_INFO; see [`TransportLayer::peer_extensions`].
    Extensions,
    /// SSH_MSG_DEBUG, made printable.
    Debug {
        /// Whether the peer wants a person to see it.
        always_display: bool,
        /// The text.
        message: String,
    },
    /// SSH2_MSG_PONG with the data of our ping.
    Pong(Vec<u8>),
}
