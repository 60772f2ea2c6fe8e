//! The results of calls: one number each, in ranges by class.

use std::ffi::{c_char, CStr};

use crate::error::{AgentFault, Error, KeyFault, PeerMisbehaved};

/// What a call came to: 0 is success, a negative number is a failure, a positive one an ordinary
/// outcome that is neither (end of data, nothing there yet).
///
/// Numbers are never given a second meaning. New ones may appear in a later release, so treat an
/// unknown negative number as a failure of its class; the class is -(status / 100).
#[allow(non_camel_case_types)]
pub type ssh_status = i32;

/// The call did what was asked.
pub const SSH_OK: i32 = 0;

/// The peer has sent everything it will send; nothing was read.
pub const SSH_EOF: i32 = 1;

/// Nothing can be done right now, and the call was asked not to wait (timeout 0).
pub const SSH_AGAIN: i32 = 2;

/// The credentials were accepted but more are wanted: see ssh_transport_auth_methods().
pub const SSH_PARTIAL: i32 = 3;

/// Class of misuse by the calling program.
pub const SSH_CLASS_USAGE: i32 = 1;

/// Class of failures of the operating system.
pub const SSH_CLASS_SYSTEM: i32 = 2;

/// Class of calls that were ended: deadline, cancellation, closed or lost connections.
pub const SSH_CLASS_ENDED: i32 = 3;

/// Class of a peer that breaks the protocol.
pub const SSH_CLASS_PROTOCOL: i32 = 4;

/// Class of key exchange and host key failures.
pub const SSH_CLASS_KEX: i32 = 5;

/// Class of authentication failures.
pub const SSH_CLASS_AUTH: i32 = 6;

/// Class of refused channels and requests.
pub const SSH_CLASS_CHANNEL: i32 = 7;

/// Class of key and key file failures.
pub const SSH_CLASS_KEY: i32 = 8;

/// Class of faults of this library.
pub const SSH_CLASS_INTERNAL: i32 = 9;

/// An argument is NULL, out of range, not UTF-8 or otherwise not what the function takes.
pub const SSH_ERR_INVALID_ARG: i32 = -101;

/// The handle is NULL, was freed, is of another type, or was never a handle.
pub const SSH_ERR_BAD_HANDLE: i32 = -102;

/// The call does not fit the state of the object, such as authenticating twice.
pub const SSH_ERR_STATE: i32 = -103;

/// The call was made inside a callback and would wait for something that only the return of that
/// callback can bring about.
pub const SSH_ERR_WOULD_DEADLOCK: i32 = -104;

/// The process was forked; the handle belongs to the parent process.
pub const SSH_ERR_FORKED: i32 = -105;

/// The function or the algorithm is known and not supported.
pub const SSH_ERR_UNSUPPORTED: i32 = -106;

/// A callback of the program returned what it must not, such as a count larger than its buffer.
pub const SSH_ERR_CALLBACK: i32 = -107;

/// A configuration file or an option says what makes no sense: the message names file and line, and what to do.
pub const SSH_ERR_CONFIG: i32 = -110;

/// The system refused an operation on a socket or file: ssh_error_errno().
pub const SSH_ERR_IO: i32 = -201;

/// The host name could not be resolved.
pub const SSH_ERR_RESOLVE: i32 = -202;

/// The machine ran out of memory, threads or descriptors.
pub const SSH_ERR_RESOURCE: i32 = -203;

/// The deadline passed.
pub const SSH_ERR_TIMEOUT: i32 = -301;

/// ssh_transport_cancel() ended the call.
pub const SSH_ERR_CANCELLED: i32 = -302;

/// The transport or channel was closed or freed by this side.
pub const SSH_ERR_CLOSED: i32 = -303;

/// The connection ended without the peer saying goodbye.
pub const SSH_ERR_CONN_LOST: i32 = -304;

/// The peer disconnected: ssh_error_disconnect_reason() and ssh_error_peer_text().
pub const SSH_ERR_DISCONNECTED: i32 = -305;

/// The peer broke the protocol.
pub const SSH_ERR_PROTOCOL: i32 = -401;

/// The peer's identification line was refused, or it speaks another version.
pub const SSH_ERR_VERSION: i32 = -402;

/// A packet failed its authentication check: it was changed on the way.
pub const SSH_ERR_MAC: i32 = -403;

/// Compressed data were corrupt or grew past the limit.
pub const SSH_ERR_COMPRESSION: i32 = -404;

/// A limit set against hostile peers was reached.
pub const SSH_ERR_LIMIT: i32 = -405;

/// The peer sent more than the channel's window allows.
pub const SSH_ERR_WINDOW: i32 = -406;

/// The peer does not offer the service that was asked for.
pub const SSH_ERR_SERVICE: i32 = -407;

/// The two sides have no algorithm in common: ssh_error_algorithm_list().
pub const SSH_ERR_NEGOTIATION: i32 = -501;

/// Key exchange failed.
pub const SSH_ERR_KEX: i32 = -502;

/// The host key was refused, is not the expected one, did not prove itself, or nobody accepted it.
pub const SSH_ERR_HOSTKEY: i32 = -503;

/// New keys are needed: ssh_packetizer_need_rekey().
pub const SSH_ERR_NEED_REKEY: i32 = -504;

/// The credentials were refused: ssh_error_auth_methods() tells what else may be tried.
pub const SSH_ERR_AUTH: i32 = -601;

/// There is no agent, or it broke its protocol: ssh_error_message() tells which. One that says no is SSH_ERR_DENIED.
pub const SSH_ERR_AGENT: i32 = -602;

/// The peer refused to open the channel: ssh_error_channel_reason() and ssh_error_peer_text().
pub const SSH_ERR_CHANNEL: i32 = -701;

/// The peer, or the agent, answered the request with a failure.
pub const SSH_ERR_DENIED: i32 = -702;

/// The SFTP server refused the request (ssh_error_sftp_status() and ssh_error_peer_text()), broke its protocol,
/// or ended.
pub const SSH_ERR_SFTP: i32 = -703;

/// The bytes are no key, or a broken one.
pub const SSH_ERR_KEY_MALFORMED: i32 = -801;

/// The format or type of the key is known and not supported.
pub const SSH_ERR_KEY_UNSUPPORTED: i32 = -802;

/// The key is encrypted and no passphrase was given.
pub const SSH_ERR_PASSPHRASE_MISSING: i32 = -803;

/// The passphrase does not fit the key.
pub const SSH_ERR_PASSPHRASE_WRONG: i32 = -804;

/// Signing failed, or the signature does not verify.
pub const SSH_ERR_SIGNATURE: i32 = -805;

/// A certificate does not count: expired, for somebody else, by an authority that is not trusted, ...
pub const SSH_ERR_CERTIFICATE: i32 = -806;

/// The key or certificate is revoked.
pub const SSH_ERR_REVOKED: i32 = -807;

/// Others than its owner may read the file of a private key, and it was not loaded for that.
pub const SSH_ERR_KEY_EXPOSED: i32 = -808;

/// A fault of this library, never of the program or the peer. Please report it.
pub const SSH_ERR_INTERNAL: i32 = -901;

/// The name of a status, such as "SSH_ERR_TIMEOUT"; "SSH_ERR_UNKNOWN" for a number without one.
///
/// @param status  any number
/// @return a constant string, never NULL. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_status_name(status: ssh_status) -> *const c_char {
    name(status).as_ptr()
}

macro_rules! names {
    ($($constant:ident)*) => {
        fn name(status: ssh_status) -> &'static CStr {
            $(
                if status == $constant {
                    const NAME: &str = concat!(stringify!($constant), "\0");
                    return CStr::from_bytes_with_nul(NAME.as_bytes()).unwrap_or(c"");
                }
            )*
            c"SSH_ERR_UNKNOWN"
        }

        const ALL: &[ssh_status] = &[$($constant),*];
    };
}

names! {
    SSH_OK SSH_EOF SSH_AGAIN SSH_PARTIAL
    SSH_ERR_INVALID_ARG SSH_ERR_BAD_HANDLE SSH_ERR_STATE SSH_ERR_WOULD_DEADLOCK SSH_ERR_FORKED
    SSH_ERR_UNSUPPORTED SSH_ERR_CALLBACK SSH_ERR_CONFIG
    SSH_ERR_IO SSH_ERR_RESOLVE SSH_ERR_RESOURCE
    SSH_ERR_TIMEOUT SSH_ERR_CANCELLED SSH_ERR_CLOSED SSH_ERR_CONN_LOST SSH_ERR_DISCONNECTED
    SSH_ERR_PROTOCOL SSH_ERR_VERSION SSH_ERR_MAC SSH_ERR_COMPRESSION SSH_ERR_LIMIT SSH_ERR_WINDOW
    SSH_ERR_SERVICE
    SSH_ERR_NEGOTIATION SSH_ERR_KEX SSH_ERR_HOSTKEY SSH_ERR_NEED_REKEY
    SSH_ERR_AUTH SSH_ERR_AGENT
    SSH_ERR_CHANNEL SSH_ERR_DENIED SSH_ERR_SFTP
    SSH_ERR_KEY_MALFORMED SSH_ERR_KEY_UNSUPPORTED SSH_ERR_PASSPHRASE_MISSING
    SSH_ERR_PASSPHRASE_WRONG SSH_ERR_SIGNATURE SSH_ERR_CERTIFICATE
    SSH_ERR_REVOKED SSH_ERR_KEY_EXPOSED
    SSH_ERR_INTERNAL
}

/// The class of a failure; 0 for what is no failure.
pub(crate) fn class(status: ssh_status) -> i32 {
    if status < 0 {
        (status / 100).saturating_neg()
    } else {
        0
    }
}

/// The status a caller sees for an error of the layers below.
pub(crate) fn of(error: &Error) -> ssh_status {
    match error {
        Error::At { cause, .. } => of(cause),
        Error::Io { .. } | Error::File { .. } => SSH_ERR_IO,
        Error::Resolve { .. } => SSH_ERR_RESOLVE,
        Error::ConnectionLost | Error::Below(_) => SSH_ERR_CONN_LOST,
        Error::Stream { status, .. } if class(*status) > 0 && ALL.contains(status) => *status,
        Error::Stream { .. } => SSH_ERR_IO,
        Error::StreamNonsense(_) | Error::Callback(_) => SSH_ERR_CALLBACK,
        Error::Identification(_) => SSH_ERR_VERSION,
        Error::PeerMisbehaved(
            PeerMisbehaved::WindowExceeded
            | PeerMisbehaved::PacketSizeExceeded
            | PeerMisbehaved::WindowOverflow,
        ) => SSH_ERR_WINDOW,
        Error::InvalidMessage { .. } | Error::PeerMisbehaved(_) => SSH_ERR_PROTOCOL,
        Error::Mac => SSH_ERR_MAC,
        Error::Compression => SSH_ERR_COMPRESSION,
        Error::NoCommonAlgorithm(_) => SSH_ERR_NEGOTIATION,
        Error::KeyExchange(_) => SSH_ERR_KEX,
        Error::HostKey(_) => SSH_ERR_HOSTKEY,
        Error::Disconnected { .. } => SSH_ERR_DISCONNECTED,
        Error::AuthFailed { .. } | Error::Login(_) | Error::AuthLimit(_) => SSH_ERR_AUTH,
        Error::ChannelOpenRefused { .. } => SSH_ERR_CHANNEL,
        Error::RequestDenied | Error::Agent(AgentFault::Refused(_)) => SSH_ERR_DENIED,
        Error::Agent(_) => SSH_ERR_AGENT,
        Error::SftpStatus(_) | Error::Sftp(_) => SSH_ERR_SFTP,
        Error::ServiceNotAvailable(_) => SSH_ERR_SERVICE,
        Error::Limit(_) => SSH_ERR_LIMIT,
        Error::Key(fault) | Error::KeyFile { fault, .. } => of_key(fault),
        Error::Certificate(_) => SSH_ERR_CERTIFICATE,
        Error::Config(_) => SSH_ERR_CONFIG,
        Error::Timeout(_) | Error::Expired(_) => SSH_ERR_TIMEOUT,
        Error::RekeyNeeded => SSH_ERR_NEED_REKEY,
        Error::Cancelled => SSH_ERR_CANCELLED,
        Error::Closed => SSH_ERR_CLOSED,
        Error::ApiMisuse(_) => SSH_ERR_STATE,
        Error::WouldDeadlock(_) => SSH_ERR_WOULD_DEADLOCK,
        Error::Forked => SSH_ERR_FORKED,
        Error::Resource(_) => SSH_ERR_RESOURCE,
        Error::Bug(_) => SSH_ERR_INTERNAL,
    }
}

fn of_key(fault: &KeyFault) -> ssh_status {
    match fault {
        KeyFault::None => SSH_ERR_AUTH,
        KeyFault::Malformed(_) | KeyFault::AllowedSigners { .. } => SSH_ERR_KEY_MALFORMED,
        KeyFault::Unsupported(_) => SSH_ERR_KEY_UNSUPPORTED,
        KeyFault::PassphraseMissing => SSH_ERR_PASSPHRASE_MISSING,
        KeyFault::PassphraseWrong => SSH_ERR_PASSPHRASE_WRONG,
        KeyFault::Exposed { .. } => SSH_ERR_KEY_EXPOSED,
        KeyFault::Signer(status) if class(*status) > 0 && ALL.contains(status) => *status,
        KeyFault::Signing | KeyFault::Signer(_) | KeyFault::BadSignature(_) => SSH_ERR_SIGNATURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_numbers_unique() {
        for (i, a) in ALL.iter().enumerate() {
            let text = name(*a).to_str().unwrap();
            assert!(text.starts_with("SSH_"), "{text}");
            assert!(!ALL[i + 1..].contains(a), "{text} twice");
        }
        assert_eq!(name(-99_999), c"SSH_ERR_UNKNOWN");
        assert_eq!(name(SSH_EOF), c"SSH_EOF");
    }

    #[test]
    fn classes_follow_ranges() {
        assert_eq!(class(SSH_ERR_BAD_HANDLE), SSH_CLASS_USAGE);
        assert_eq!(class(SSH_ERR_INTERNAL), SSH_CLASS_INTERNAL);
        assert_eq!(class(SSH_ERR_KEY_MALFORMED), SSH_CLASS_KEY);
        assert_eq!(class(SSH_EOF), 0);
        assert_eq!(class(i32::MIN), 21_474_836);
    }
}
