//! Global requests and their replies (RFC 4254 §4), 80 to 82.

use crate::codec::Writer;
use crate::error::Error;
use crate::messages::connection::{decode_whole, rest};
use crate::messages::MessageNumber;

/// SSH_MSG_GLOBAL_REQUEST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalRequest<'a> {
    /// The name of the request, unchecked.
    pub name: &'a [u8],
    /// Whether REQUEST_SUCCESS or REQUEST_FAILURE must follow.
    pub want_reply: bool,
    /// The fields that the request defines.
    pub data: &'a [u8],
}

impl<'a> GlobalRequest<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::GLOBAL_REQUEST, payload, |r| {
            Ok(GlobalRequest {
                name: r.string()?,
                want_reply: r.bool()?,
                data: rest(r)?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::GLOBAL_REQUEST.0)
            .string(self.name)
            .bool(self.want_reply)
            .raw(self.data);
    }
}

/// SSH_MSG_REQUEST_SUCCESS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSuccess<'a> {
    /// The fields that the request defines for its answer.
    pub data: &'a [u8],
}

impl<'a> RequestSuccess<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::REQUEST_SUCCESS, payload, |r| {
            Ok(RequestSuccess { data: rest(r)? })
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::REQUEST_SUCCESS.0).raw(self.data);
    }
}

/// SSH_MSG_REQUEST_FAILURE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFailure;

impl RequestFailure {
    /// Reads the message.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        decode_whole(MessageNumber::REQUEST_FAILURE, payload, |_| {
            Ok(RequestFailure)
        })
    }

    /// Writes the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::REQUEST_FAILURE.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_requests_round_trip() {
        let request = GlobalRequest {
            name: b"tcpip-forward",
            want_reply: true,
            data: b"xyz",
        };
        let payload = Writer::collect(|w| request.encode(w));
        assert_eq!(GlobalRequest::decode(&payload).unwrap(), request);
        for end in 0..payload.len() - 3 {
            assert!(GlobalRequest::decode(&payload[..end]).is_err());
        }
    }

    #[test]
    fn replies_round_trip() {
        let payload = Writer::collect(|w| {
            RequestSuccess {
                data: b"\0\0\0\x16",
            }
            .encode(w)
        });
        assert_eq!(
            RequestSuccess::decode(&payload).unwrap().data,
            b"\0\0\0\x16"
        );
        assert_eq!(RequestSuccess::decode(&[81]).unwrap().data, b"");
        let payload = Writer::collect(|w| RequestFailure.encode(w));
        assert_eq!(payload, [82]);
        assert!(RequestFailure::decode(&payload).is_ok());
        assert!(RequestFailure::decode(&[82, 0]).is_err(), "trailing byte");
        assert!(RequestFailure::decode(&[]).is_err());
    }
}
