//! Answers to an `ssh_request`.

use std::ffi::{c_char, c_void};

use zeroize::Zeroizing;

use crate::auth::{Prompt, Prompts};
use crate::driver::RequestKind;

use super::channel::ssh_channel;
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::request::ssh_request;
use super::server::MAX_BANNER;
use super::status::{ssh_status, SSH_OK};
use super::text;

/// Says yes: the host key is good, the user is in, the channel may open, the request is granted.
///
/// @param request  a request that has no answer yet, of any kind but SSH_REQUEST_AUTH_INTERACTIVE, which is
///                 answered with ssh_request_ask(), and SSH_REQUEST_LISTEN on port 0, which is answered with
///                 ssh_request_accept_port()
/// @return SSH_OK, SSH_ERR_STATE when it has its answer, the cause when its session is over, SSH_ERR_BAD_HANDLE. For
///         SSH_REQUEST_HOST_KEYS, which writes files: SSH_ERR_IO, SSH_ERR_TIMEOUT when others hold their lock.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept(request: *mut ssh_request) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        if object.driver.kind().has_prompts() {
            let answers = std::mem::take(&mut *object.notes.lock());
            object.driver.answer_prompts(answers)?;
        } else if object.driver.kind() == RequestKind::AuthInteractive {
            return Err(Failure::state("answered with ssh_request_ask()"));
        } else {
            object.driver.accept()?;
        }
        Ok(SSH_OK)
    })
}

/// Says no.
///
/// @param request  a request that has no answer yet
/// @return SSH_OK, SSH_ERR_STATE when it has its answer, the cause when its session is over, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_refuse(request: *mut ssh_request) -> ssh_status {
    guard::status(|| {
        handle::get(request)?.driver.refuse()?;
        Ok(SSH_OK)
    })
}

/// Says that these credentials are good and that more are wanted, for the SSH_REQUEST_AUTH_... kinds. What was good is
/// good for this user only, and only until the client gives another user name: ssh_request_partial_successes() says how
/// much is. A count outside the library is wrong even if it is kept by ssh_request_username(): the client may give another
/// name in between and come back, of which the program need not hear.
///
/// @param request  a request that has no answer yet
/// @param methods  the methods that may continue, separated by commas, such as "keyboard-interactive"
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept_partial(
    request: *mut ssh_request,
    methods: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        let methods = text::names(memory::text(methods, "the list of methods")?)?;
        object.driver.accept_partial(methods)?;
        Ok(SSH_OK)
    })
}

/// Says no, and which methods this user may try, for the SSH_REQUEST_AUTH_... kinds. ssh_request_refuse() says
/// those set with ssh_server_set_auth_methods(). They hold for this user from now on.
///
/// @param request  a request that has no answer yet
/// @param methods  the methods that may continue, separated by commas
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_refuse_with_methods(
    request: *mut ssh_request,
    methods: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        let methods = text::names(memory::text(methods, "the list of methods")?)?;
        object.driver.refuse_with(methods)?;
        Ok(SSH_OK)
    })
}

/// Says which methods this user may try, for SSH_REQUEST_AUTH_METHODS. What is not among them is refused without a
/// question; only `none` is always asked about.
///
/// @param request  a request that has no answer yet
/// @param methods  the methods, separated by commas, such as "publickey,password"; NULL or "" for none at all
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept_methods(
    request: *mut ssh_request,
    methods: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        let methods = match memory::optional_text(methods)? {
            None | Some("") => Vec::new(),
            Some(list) => text::names(list)?,
        };
        object.driver.accept_methods(methods)?;
        Ok(SSH_OK)
    })
}

/// Shows the user a text (RFC 4252 section 5.4), for the SSH_REQUEST_AUTH_... kinds, before the answer; several are
/// shown in their order. What all users shall see: ssh_server_set_banner().
///
/// @param request  a request that has no answer yet; it stays so
/// @param text     the text with its newlines, at most 32,768 bytes
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, the cause when its session is over, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_send_banner(
    request: *mut ssh_request,
    text: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        let text = memory::text(text, "the text")?;
        if text.len() > MAX_BANNER {
            return Err(Failure::invalid("at most 32768 bytes of banner"));
        }
        object.driver.send_banner(text)?;
        Ok(SSH_OK)
    })
}

/// Puts prompts to the user, for SSH_REQUEST_AUTH_INTERACTIVE and SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS. The
/// answers come as a new request of kind SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS.
///
/// @param request       a request that has no answer yet
/// @param title         a title to show, at most 4096 bytes, or NULL
/// @param instructions  a text to show, at most 65536 bytes, or NULL
/// @param prompts       `count` strings of at most 8192 bytes each
/// @param echo          `count` times whether what is typed may be seen, or NULL for never
/// @param count         how many prompts, 0 to 256
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_ask(
    request: *mut ssh_request,
    title: *const c_char,
    instructions: *const c_char,
    prompts: *const *const c_char,
    echo: *const bool,
    count: usize,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        if count > MAX_PROMPTS {
            return Err(Failure::invalid("too many prompts"));
        }
        let texts = memory::strings(prompts, count)?;
        let echo = match echo.is_null() {
            // Bytes, for a bool of C's may come from anywhere.
            false => memory::array_of(echo.cast::<u8>(), count, MAX_PROMPTS)?,
            true => &[],
        };
        let prompts = texts
            .iter()
            .enumerate()
            .map(|(index, text)| Prompt {
                text: (*text).to_owned(),
                echo: echo.get(index).is_some_and(|shown| *shown != 0),
            })
            .collect();
        let prompts = Prompts {
            name: memory::optional_text(title)?.unwrap_or_default().to_owned(),
            instruction: memory::optional_text(instructions)?
                .unwrap_or_default()
                .to_owned(),
            prompts,
        };
        // Seen here, so that the request keeps its place for a better answer.
        if !prompts.may_be_sent() {
            return Err(Failure::invalid("too much text"));
        }
        object.driver.ask(prompts)?;
        Ok(SSH_OK)
    })
}

/// Answers prompts, for SSH_REQUEST_PROMPTS, SSH_REQUEST_PASSWORD and SSH_REQUEST_PASSPHRASE.
///
/// @param request  a request that has no answer yet
/// @param answers  `count` C strings, copied; the copies are wiped after use
/// @param count    how many; it must be ssh_request_prompt_count()
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_answer_prompts(
    request: *mut ssh_request,
    answers: *const *const c_char,
    count: usize,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        let answers = memory::array_of(answers, count, MAX_PROMPTS)?
            .iter()
            .map(|answer| {
                memory::optional_c_bytes(*answer)
                    .map(|bytes| Zeroizing::new(bytes.to_vec()))
                    .ok_or_else(|| Failure::invalid("an answer is NULL"))
            })
            .collect::<Outcome<Vec<_>>>()?;
        if object.driver.kind().has_prompts() && answers.len() != object.lent.prompts.len() {
            return Err(Failure::invalid("one answer for each prompt is wanted"));
        }
        object.driver.answer_prompts(answers)?;
        Ok(SSH_OK)
    })
}

/// Notes the answer to one prompt, for the kinds of ssh_request_answer_prompts(); ssh_request_accept() then sends them all. Prompts
/// without a note are answered with nothing.
///
/// @param request  a request that has no answer yet
/// @param index    which prompt, from 0
/// @param answer   the answer, any bytes, copied; the copy is wiped after use
/// @param length   its length in bytes
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_set_answer(
    request: *mut ssh_request,
    index: usize,
    answer: *const c_char,
    length: usize,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        let answer = Zeroizing::new(memory::bytes(answer.cast(), length)?.to_vec());
        if object.driver.is_answered() {
            return Err(Failure::state("the request was answered before"));
        }
        let mut notes = object.notes.lock();
        let Some(note) = notes.get_mut(index) else {
            return Err(Failure::invalid("there is no such prompt"));
        };
        *note = answer;
        Ok(SSH_OK)
    })
}

/// Accepts a channel and takes it, for SSH_REQUEST_CHANNEL_OPEN and SSH_REQUEST_CONNECT: it does not go to ssh_transport_accept().
///
/// @param request  a request that has no answer yet
/// @param error    receives the detail, or NULL: SSH_ERR_STATE, SSH_ERR_CLOSED
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept_channel(
    request: *mut ssh_request,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    guard::value_with(std::ptr::null_mut(), error, || {
        let object = handle::get(request)?;
        let Some(transport) = object.transport() else {
            return Err(Failure::closed("the transport was freed"));
        };
        transport.channel_handle(object.driver.accept_channel()?, true)
    })
}

/// Refuses a channel and says why, for SSH_REQUEST_CHANNEL_OPEN and SSH_REQUEST_CONNECT.
///
/// @param request  a request that has no answer yet
/// @param reason   1 administratively prohibited, 2 connect failed, 3 unknown channel type, 4 resource shortage
/// @param text     a text for the peer's user, or NULL
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_refuse_channel(
    request: *mut ssh_request,
    reason: u32,
    text: *const c_char,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        let text = memory::optional_text(text)?.unwrap_or("refused");
        if reason == 0 || text.len() > MAX_REFUSAL {
            return Err(Failure::invalid(
                "a reason above 0 and at most 1024 bytes of text",
            ));
        }
        object.driver.refuse_channel(reason, text.to_owned())?;
        Ok(SSH_OK)
    })
}

/// Grants a global request with data in the reply, for SSH_REQUEST_GLOBAL_REQUEST.
///
/// @param request  a request that has no answer yet
/// @param data     the data, copied
/// @param length   how many bytes
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept_with_data(
    request: *mut ssh_request,
    data: *const c_void,
    length: usize,
) -> ssh_status {
    guard::status(|| {
        let object = handle::get(request)?;
        let data = memory::bytes(data, length)?;
        if data.len() > MAX_REPLY {
            return Err(Failure::invalid("at most 32768 bytes of reply"));
        }
        object.driver.accept_with(data.to_vec())?;
        Ok(SSH_OK)
    })
}

/// Grants listening on a port, for SSH_REQUEST_LISTEN with a TCP address.
///
/// @param request  a request that has no answer yet
/// @param port     the port that is listened on: the one asked for, or any but 0 where that is 0
/// @return SSH_OK, SSH_ERR_STATE also when the port does not fit, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept_port(
    request: *mut ssh_request,
    port: u16,
) -> ssh_status {
    guard::status(|| {
        handle::get(request)?.driver.accept_port(port)?;
        Ok(SSH_OK)
    })
}

/// A dialogue with more is refused by most clients, ours among them.
const MAX_PROMPTS: usize = 256;
const MAX_REFUSAL: usize = 1024;
const MAX_REPLY: usize = 32_768;
