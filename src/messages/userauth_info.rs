//! The messages of keyboard-interactive authentication (RFC 4256).
//!
//! Everything decoded borrows from the payload, and every count is bounded before anything is collected.

use super::userauth::open;
use super::MessageNumber;
use crate::codec::{DecodeError, Reader, Writer};

/// Most prompts in one round, and so most answers.
pub const MAX_PROMPTS: usize = 256;
/// Longest name (title) of a round of prompts.
pub const MAX_PROMPTS_NAME_BYTES: usize = 4 * 1024;
/// Longest instruction of a round of prompts.
pub const MAX_INSTRUCTION_BYTES: usize = 64 * 1024;
/// Longest text of one prompt.
pub const MAX_PROMPT_BYTES: usize = 8 * 1024;

/// SSH_MSG_USERAUTH_INFO_REQUEST (RFC 4256 §3.2). Texts are UTF-8 by the RFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserauthInfoRequest<'a> {
    /// The title.
    pub name: &'a [u8],
    /// Text above the prompts.
    pub instruction: &'a [u8],
    /// The language tag, deprecated.
    pub language: &'a [u8],
    /// The prompts, and whether their answers may be shown.
    pub prompts: Vec<(&'a [u8], bool)>,
}

/// SSH_MSG_USERAUTH_INFO_RESPONSE (RFC 4256 §3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct UserauthInfoResponse<'a> {
    /// The answers, in the order of the prompts.
    pub responses: Vec<&'a [u8]>,
}

impl<'a> UserauthInfoRequest<'a> {
    /// Reads a payload. More than [`MAX_PROMPTS`] prompts and texts over their caps are `TooLong`.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = open(payload, MessageNumber::USERAUTH_60)?;
        let name = r.string_capped(MAX_PROMPTS_NAME_BYTES)?;
        let instruction = r.string_capped(MAX_INSTRUCTION_BYTES)?;
        let language = r.string()?;
        let mut prompts = Vec::new();
        for _ in 0..bounded_count(&mut r)? {
            prompts.push((r.string_capped(MAX_PROMPT_BYTES)?, r.bool()?));
        }
        r.finish()?;
        Ok(UserauthInfoRequest {
            name,
            instruction,
            language,
            prompts,
        })
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::USERAUTH_60.0)
            .string(self.name)
            .string(self.instruction)
            .string(self.language)
            .u32(u32::try_from(self.prompts.len()).unwrap_or(u32::MAX));
        for (text, echo) in &self.prompts {
            w.string(text).bool(*echo);
        }
    }
}

impl<'a> UserauthInfoResponse<'a> {
    /// Reads a payload. More than [`MAX_PROMPTS`] responses are `TooLong`.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = open(payload, MessageNumber::USERAUTH_INFO_RESPONSE)?;
        let mut responses = Vec::new();
        for _ in 0..bounded_count(&mut r)? {
            responses.push(r.string()?);
        }
        r.finish()?;
        Ok(UserauthInfoResponse { responses })
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::USERAUTH_INFO_RESPONSE.0)
            .u32(u32::try_from(self.responses.len()).unwrap_or(u32::MAX));
        for response in &self.responses {
            w.string(response);
        }
    }
}

/// A count of prompts or responses. The cap is checked before anything is collected, because sixteen bytes
/// of ours would stand for four of the peer's.
fn bounded_count(r: &mut Reader<'_>) -> Result<usize, DecodeError> {
    match usize::try_from(r.u32()?) {
        Ok(count) if count <= MAX_PROMPTS => Ok(count),
        _ => Err(DecodeError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::userauth::tests::exact;

    #[test]
    fn info_request_and_response() {
        let asked = UserauthInfoRequest {
            name: b"n",
            instruction: b"i",
            language: b"",
            prompts: vec![(b"Password: ", false), (b"User: ", true)],
        };
        let payload = Writer::collect(|w| asked.encode(w));
        assert_eq!(UserauthInfoRequest::decode(&payload), Ok(asked));
        exact(&payload, |bytes| {
            UserauthInfoRequest::decode(bytes).map(drop)
        });
        let response = UserauthInfoResponse {
            responses: vec![b"a", b""],
        };
        let payload = Writer::collect(|w| response.encode(w));
        assert!(UserauthInfoResponse::decode(&payload) == Ok(response));
        exact(&payload, |bytes| {
            UserauthInfoResponse::decode(bytes).map(drop)
        });
    }

    #[test]
    fn hostile_counts_are_refused_before_collecting() {
        for count in [257, u32::MAX] {
            let request = Writer::collect(|w| {
                w.u8(60).string("").string("").string("").u32(count);
            });
            assert_eq!(
                UserauthInfoRequest::decode(&request),
                Err(DecodeError::TooLong)
            );
            let response = Writer::collect(|w| {
                w.u8(61).u32(count);
            });
            assert_eq!(
                UserauthInfoResponse::decode(&response).err(),
                Some(DecodeError::TooLong)
            );
        }
        let full = UserauthInfoResponse {
            responses: vec![b""; MAX_PROMPTS],
        };
        let payload = Writer::collect(|w| full.encode(w));
        assert!(UserauthInfoResponse::decode(&payload).is_ok());
    }

    #[test]
    fn texts_over_their_caps_are_refused() {
        let long = vec![b'x'; MAX_INSTRUCTION_BYTES + 1];
        let asked = UserauthInfoRequest {
            name: b"",
            instruction: &long,
            language: b"",
            prompts: vec![],
        };
        let payload = Writer::collect(|w| asked.encode(w));
        assert_eq!(
            UserauthInfoRequest::decode(&payload),
            Err(DecodeError::TooLong)
        );
    }
}
