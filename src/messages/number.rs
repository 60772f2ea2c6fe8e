//! The registry of message numbers (RFC 4250 §4.1) and disconnect reasons (RFC 4250 §4.2).

use std::fmt;

/// Which side of the protocol an object plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that connects and authenticates.
    Client,
    /// The side that owns the host key and decides.
    Server,
}

impl Role {
    /// The other side.
    pub fn peer(self) -> Role {
        match self {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }
}

/// The first byte of a payload. Unknown values survive and print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageNumber(pub u8);

/// The reason code of SSH_MSG_DISCONNECT. Unknown values survive and print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DisconnectReason(pub u32);

macro_rules! numbers {
    ($type:ident($int:ty) { $($(#[$doc:meta])* $name:ident = $value:expr, $text:expr;)* }) => {
        impl $type {
            $($(#[$doc])* pub const $name: $type = $type($value);)*

            /// The name in the RFC, if the value is a known one.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

numbers!(MessageNumber(u8) {
    /// RFC 4253 §11.1
    DISCONNECT = 1, "SSH_MSG_DISCONNECT";
    /// RFC 4253 §11.2
    IGNORE = 2, "SSH_MSG_IGNORE";
    /// RFC 4253 §11.4
    UNIMPLEMENTED = 3, "SSH_MSG_UNIMPLEMENTED";
    /// RFC 4253 §11.3
    DEBUG = 4, "SSH_MSG_DEBUG";
    /// RFC 4253 §10
    SERVICE_REQUEST = 5, "SSH_MSG_SERVICE_REQUEST";
    /// RFC 4253 §10
    SERVICE_ACCEPT = 6, "SSH_MSG_SERVICE_ACCEPT";
    /// RFC 8308 §2.3
    EXT_INFO = 7, "SSH_MSG_EXT_INFO";
    /// RFC 8308 §3.2
    NEWCOMPRESS = 8, "SSH_MSG_NEWCOMPRESS";
    /// RFC 4253 §7.1
    KEXINIT = 20, "SSH_MSG_KEXINIT";
    /// RFC 4253 §7.3
    NEWKEYS = 21, "SSH_MSG_NEWKEYS";
    /// First message of a key exchange method: KEXDH_INIT, KEX_ECDH_INIT, KEX_HYBRID_INIT, KEX_DH_GEX_REQUEST_OLD
    KEX_30 = 30, "SSH_MSG_KEX_30";
    /// KEXDH_REPLY, KEX_ECDH_REPLY, KEX_HYBRID_REPLY, KEX_DH_GEX_GROUP
    KEX_31 = 31, "SSH_MSG_KEX_31";
    /// RFC 4419 §5
    KEX_DH_GEX_INIT = 32, "SSH_MSG_KEX_DH_GEX_INIT";
    /// RFC 4419 §5
    KEX_DH_GEX_REPLY = 33, "SSH_MSG_KEX_DH_GEX_REPLY";
    /// RFC 4419 §5
    KEX_DH_GEX_REQUEST = 34, "SSH_MSG_KEX_DH_GEX_REQUEST";
    /// RFC 4252 §5
    USERAUTH_REQUEST = 50, "SSH_MSG_USERAUTH_REQUEST";
    /// RFC 4252 §5.1
    USERAUTH_FAILURE = 51, "SSH_MSG_USERAUTH_FAILURE";
    /// RFC 4252 §5.1
    USERAUTH_SUCCESS = 52, "SSH_MSG_USERAUTH_SUCCESS";
    /// RFC 4252 §5.4
    USERAUTH_BANNER = 53, "SSH_MSG_USERAUTH_BANNER";
    /// Method specific: USERAUTH_PK_OK, USERAUTH_PASSWD_CHANGEREQ, USERAUTH_INFO_REQUEST
    USERAUTH_60 = 60, "SSH_MSG_USERAUTH_60";
    /// RFC 4256 §3.4
    USERAUTH_INFO_RESPONSE = 61, "SSH_MSG_USERAUTH_INFO_RESPONSE";
    /// RFC 4254 §4
    GLOBAL_REQUEST = 80, "SSH_MSG_GLOBAL_REQUEST";
    /// RFC 4254 §4
    REQUEST_SUCCESS = 81, "SSH_MSG_REQUEST_SUCCESS";
    /// RFC 4254 §4
    REQUEST_FAILURE = 82, "SSH_MSG_REQUEST_FAILURE";
    /// RFC 4254 §5.1
    CHANNEL_OPEN = 90, "SSH_MSG_CHANNEL_OPEN";
    /// RFC 4254 §5.1
    CHANNEL_OPEN_CONFIRMATION = 91, "SSH_MSG_CHANNEL_OPEN_CONFIRMATION";
    /// RFC 4254 §5.1
    CHANNEL_OPEN_FAILURE = 92, "SSH_MSG_CHANNEL_OPEN_FAILURE";
    /// RFC 4254 §5.2
    CHANNEL_WINDOW_ADJUST = 93, "SSH_MSG_CHANNEL_WINDOW_ADJUST";
    /// RFC 4254 §5.2
    CHANNEL_DATA = 94, "SSH_MSG_CHANNEL_DATA";
    /// RFC 4254 §5.2
    CHANNEL_EXTENDED_DATA = 95, "SSH_MSG_CHANNEL_EXTENDED_DATA";
    /// RFC 4254 §5.3
    CHANNEL_EOF = 96, "SSH_MSG_CHANNEL_EOF";
    /// RFC 4254 §5.3
    CHANNEL_CLOSE = 97, "SSH_MSG_CHANNEL_CLOSE";
    /// RFC 4254 §5.4
    CHANNEL_REQUEST = 98, "SSH_MSG_CHANNEL_REQUEST";
    /// RFC 4254 §5.4
    CHANNEL_SUCCESS = 99, "SSH_MSG_CHANNEL_SUCCESS";
    /// RFC 4254 §5.4
    CHANNEL_FAILURE = 100, "SSH_MSG_CHANNEL_FAILURE";
    /// OpenSSH PROTOCOL §1.9, ping@openssh.com
    PING = 192, "SSH2_MSG_PING";
    /// OpenSSH PROTOCOL §1.9, ping@openssh.com
    PONG = 193, "SSH2_MSG_PONG";
});

numbers!(DisconnectReason(u32) {
    /// HOST_NOT_ALLOWED_TO_CONNECT
    HOST_NOT_ALLOWED_TO_CONNECT = 1, "host not allowed to connect";
    /// PROTOCOL_ERROR
    PROTOCOL_ERROR = 2, "protocol error";
    /// KEY_EXCHANGE_FAILED
    KEY_EXCHANGE_FAILED = 3, "key exchange failed";
    /// MAC_ERROR
    MAC_ERROR = 5, "MAC error";
    /// COMPRESSION_ERROR
    COMPRESSION_ERROR = 6, "compression error";
    /// SERVICE_NOT_AVAILABLE
    SERVICE_NOT_AVAILABLE = 7, "service not available";
    /// PROTOCOL_VERSION_NOT_SUPPORTED
    PROTOCOL_VERSION_NOT_SUPPORTED = 8, "protocol version not supported";
    /// HOST_KEY_NOT_VERIFIABLE
    HOST_KEY_NOT_VERIFIABLE = 9, "host key not verifiable";
    /// CONNECTION_LOST
    CONNECTION_LOST = 10, "connection lost";
    /// BY_APPLICATION
    BY_APPLICATION = 11, "by application";
    /// TOO_MANY_CONNECTIONS
    TOO_MANY_CONNECTIONS = 12, "too many connections";
    /// AUTH_CANCELLED_BY_USER
    AUTH_CANCELLED_BY_USER = 13, "authentication cancelled by user";
    /// NO_MORE_AUTH_METHODS_AVAILABLE
    NO_MORE_AUTH_METHODS_AVAILABLE = 14, "no more authentication methods available";
    /// ILLEGAL_USER_NAME
    ILLEGAL_USER_NAME = 15, "illegal user name";
});

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "message {}", self.0),
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "reason {}", self.0),
        }
    }
}
