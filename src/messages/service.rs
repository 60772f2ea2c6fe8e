//! SERVICE_REQUEST and SERVICE_ACCEPT (RFC 4253 §10).

use super::MessageNumber;
use crate::codec::{DecodeError, Reader, Writer};

/// SSH_MSG_SERVICE_REQUEST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceRequest<'a> {
    /// The service that is wanted.
    pub service: &'a str,
}

/// SSH_MSG_SERVICE_ACCEPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceAccept<'a> {
    /// The service that was asked for.
    pub service: &'a str,
}

impl<'a> ServiceRequest<'a> {
    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let service = decode_service(payload, MessageNumber::SERVICE_REQUEST)?;
        Ok(ServiceRequest { service })
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::SERVICE_REQUEST.0).string(self.service);
    }
}

impl<'a> ServiceAccept<'a> {
    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let service = decode_service(payload, MessageNumber::SERVICE_ACCEPT)?;
        Ok(ServiceAccept { service })
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::SERVICE_ACCEPT.0).string(self.service);
    }
}

fn decode_service(payload: &[u8], number: MessageNumber) -> Result<&str, DecodeError> {
    let mut r = Reader::new(payload);
    if r.u8()? != number.0 {
        return Err(DecodeError::BadValue);
    }
    let service = r.text()?;
    r.finish()?;
    Ok(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_truncation_and_trailing_bytes() {
        let request = Writer::collect(|w| {
            ServiceRequest {
                service: "ssh-userauth",
            }
            .encode(w)
        });
        assert_eq!(request, b"\x05\0\0\0\x0cssh-userauth");
        assert_eq!(
            ServiceRequest::decode(&request).unwrap().service,
            "ssh-userauth"
        );
        let accept = Writer::collect(|w| ServiceAccept { service: "x" }.encode(w));
        assert_eq!(ServiceAccept::decode(&accept).unwrap().service, "x");
        for cut in 0..request.len() {
            assert!(ServiceRequest::decode(&request[..cut]).is_err(), "{cut}");
        }
        for cut in 0..accept.len() {
            assert!(ServiceAccept::decode(&accept[..cut]).is_err(), "{cut}");
        }
        let longer = [&request[..], b"z"].concat();
        assert_eq!(
            ServiceRequest::decode(&longer),
            Err(DecodeError::TrailingBytes)
        );
        assert_eq!(ServiceAccept::decode(&request), Err(DecodeError::BadValue));
    }

    #[test]
    fn the_name_is_utf8() {
        assert_eq!(
            ServiceRequest::decode(b"\x05\0\0\0\x01\xff"),
            Err(DecodeError::NotUtf8)
        );
    }
}
