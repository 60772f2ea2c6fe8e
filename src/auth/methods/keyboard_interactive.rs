//! The method `keyboard-interactive` (RFC 4256).

use zeroize::Zeroizing;

use super::password::MAX_PASSWORD_BYTES;
use crate::auth::{Prompt, Prompts};
use crate::codec::{DecodeError, Writer};
use crate::error::Error;
use crate::messages::userauth::{MethodFields, METHOD_KEYBOARD_INTERACTIVE};
use crate::messages::userauth_info::{
    UserauthInfoRequest, UserauthInfoResponse, MAX_INSTRUCTION_BYTES, MAX_PROMPTS,
    MAX_PROMPTS_NAME_BYTES, MAX_PROMPT_BYTES,
};
use crate::messages::MessageNumber;

/// Most rounds of prompts that a client goes through in one attempt.
pub(in crate::auth) const MAX_ROUNDS: u32 = 16;

/// The client's request. The language tag is deprecated and stays empty (RFC 4256 §3.1).
pub(in crate::auth) fn request(user: &str, submethods: &str) -> Vec<u8> {
    let fields = MethodFields::KeyboardInteractive {
        language: b"",
        submethods,
    };
    super::request(user, METHOD_KEYBOARD_INTERACTIVE, &fields, submethods.len())
}

/// The prompts in an INFO_REQUEST.
pub(in crate::auth) fn read_prompts(payload: &[u8]) -> Result<Prompts, Error> {
    let asked = UserauthInfoRequest::decode(payload).map_err(|fault| match fault {
        DecodeError::TooLong => Error::Limit("keyboard-interactive prompts"),
        fault => Error::invalid(MessageNumber::USERAUTH_60)(fault),
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let prompts = asked.prompts.iter().map(|(prompt, echo)| Prompt {
        text: text(prompt),
        echo: *echo,
    });
    Ok(Prompts {
        name: text(asked.name),
        instruction: text(asked.instruction),
        prompts: prompts.collect(),
    })
}

/// An INFO_REQUEST with these prompts.
pub(in crate::auth) fn write_prompts(prompts: &Prompts) -> Vec<u8> {
    let list = prompts
        .prompts
        .iter()
        .map(|prompt| (prompt.text.as_bytes(), prompt.echo));
    let message = UserauthInfoRequest {
        name: prompts.name.as_bytes(),
        instruction: prompts.instruction.as_bytes(),
        language: b"",
        prompts: list.collect(),
    };
    Writer::collect(|w| message.encode(w))
}

/// An INFO_RESPONSE with these answers, in a buffer that never grows.
pub(in crate::auth) fn write_answers(answers: &[&[u8]]) -> Vec<u8> {
    let length: usize = answers.iter().map(|answer| answer.len() + 4).sum();
    let mut payload = Vec::with_capacity(length + super::OVERHEAD_BYTES);
    UserauthInfoResponse {
        responses: answers.to_vec(),
    }
    .encode(&mut Writer::new(&mut payload));
    payload
}

/// The answers in an INFO_RESPONSE to `asked` prompts; `None` where the attempt has failed: another number
/// of answers (RFC 4256 §3.4), or one that is too long.
pub(in crate::auth) fn read_answers(
    payload: &[u8],
    asked: usize,
) -> Result<Option<Vec<Zeroizing<Vec<u8>>>>, Error> {
    let response = match UserauthInfoResponse::decode(payload) {
        Ok(response) => response,
        Err(DecodeError::TooLong) => return Ok(None),
        Err(fault) => return Err(Error::invalid(MessageNumber::USERAUTH_INFO_RESPONSE)(fault)),
    };
    let answers = response.responses;
    if answers.len() != asked
        || answers
            .iter()
            .any(|answer| answer.len() > MAX_PASSWORD_BYTES)
    {
        return Ok(None);
    }
    Ok(Some(
        answers
            .iter()
            .map(|answer| Zeroizing::new(answer.to_vec()))
            .collect(),
    ))
}

impl Prompts {
    /// Whether they fit what any client must be able to read.
    pub fn may_be_sent(&self) -> bool {
        self.prompts.len() <= MAX_PROMPTS
            && self.name.len() <= MAX_PROMPTS_NAME_BYTES
            && self.instruction.len() <= MAX_INSTRUCTION_BYTES
            && self
                .prompts
                .iter()
                .all(|prompt| prompt.text.len() <= MAX_PROMPT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(count: usize) -> Prompts {
        let prompt = Prompt {
            text: "Code: ".into(),
            echo: true,
        };
        Prompts {
            name: "n".into(),
            instruction: "i".into(),
            prompts: vec![prompt; count],
        }
    }

    #[test]
    fn prompts_round_trip() {
        for count in [0, 1, 256] {
            let payload = write_prompts(&prompts(count));
            assert_eq!(read_prompts(&payload).unwrap(), prompts(count));
            assert!(prompts(count).may_be_sent());
        }
    }

    #[test]
    fn a10_more_prompts_than_the_limit() {
        let payload = write_prompts(&prompts(257));
        assert!(matches!(read_prompts(&payload), Err(Error::Limit(_))));
        assert!(!prompts(257).may_be_sent());
    }

    #[test]
    fn a9_counts_of_answers() {
        let payload = write_answers(&[b"a", b"b"]);
        let answers = read_answers(&payload, 2).unwrap().unwrap();
        assert_eq!(answers[1].as_slice(), b"b");
        assert!(read_answers(&payload, 1).unwrap().is_none());
        assert!(read_answers(&payload, 3).unwrap().is_none());
        assert!(read_answers(&write_answers(&[]), 1).unwrap().is_none());
        assert!(read_answers(b"\x3d\xff\xff\xff\xff", 1).unwrap().is_none());
        let long = vec![0; MAX_PASSWORD_BYTES + 1];
        assert!(read_answers(&write_answers(&[&long]), 1).unwrap().is_none());
        assert!(read_answers(b"\x3d\0\0\0\x01", 1).is_err());
    }

    #[test]
    fn the_buffer_of_the_answers_never_grows() {
        let answer = vec![b'a'; 3000];
        let payload = write_answers(&[&answer[..]; 3]);
        assert!(payload.capacity() < payload.len() + super::super::OVERHEAD_BYTES);
    }
}
