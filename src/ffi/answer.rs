//! Answers to an `ssh_request`.

use std::ffi::{c_char, c_void};

use super::channel::ssh_channel;
use super::error::ssh_error;
use super::request::ssh_request;
use super::status::{ssh_status, SSH_ERR_INTERNAL};

/// Says yes: the host key is good, the user is in, the channel may open, the request is granted.
///
/// @param request  a request that has no answer yet, of any kind but SSH_REQUEST_AUTH_INTERACTIVE
/// @return SSH_OK, SSH_ERR_STATE when it has its answer or its session is over, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept(request: *mut ssh_request) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, request)
}

/// Says no.
///
/// @param request  a request that has no answer yet
/// @return SSH_OK, SSH_ERR_STATE when it has its answer or its session is over, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_refuse(request: *mut ssh_request) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, request)
}

/// Says that these credentials are good and that more are wanted, for the SSH_REQUEST_AUTH_... kinds.
///
/// @param request  a request that has no answer yet
/// @param methods  the methods that may continue, separated by commas, such as "keyboard-interactive"
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept_partial(
    request: *mut ssh_request,
    methods: *const c_char,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, request, methods)
}

/// Says no, and which methods this user may try, for the SSH_REQUEST_AUTH_... kinds. ssh_request_refuse() says
/// those set with ssh_server_set_auth_methods().
///
/// @param request  a request that has no answer yet
/// @param methods  the methods that may continue, separated by commas
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_refuse_with_methods(
    request: *mut ssh_request,
    methods: *const c_char,
) -> ssh_status {
    pending!(SSH_ERR_INTERNAL, request, methods)
}

/// Puts prompts to the user, for SSH_REQUEST_AUTH_INTERACTIVE and SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS. The
/// answers come as a new request of kind SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS.
///
/// @param request       a request that has no answer yet
/// @param title         a title to show, or NULL
/// @param instructions  a text to show, or NULL
/// @param prompts       `count` strings
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
    pending!(
        SSH_ERR_INTERNAL,
        request,
        title,
        instructions,
        prompts,
        echo,
        count
    )
}

/// Answers the server's prompts, for SSH_REQUEST_PROMPTS.
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
    pending!(SSH_ERR_INTERNAL, request, answers, count)
}

/// Notes the answer to one prompt, for SSH_REQUEST_PROMPTS; ssh_request_accept() then sends them all. Prompts
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
    pending!(SSH_ERR_INTERNAL, request, index, answer, length)
}

/// Accepts a channel and takes it, for SSH_REQUEST_CHANNEL_OPEN: it does not go to ssh_transport_accept().
///
/// @param request  a request that has no answer yet
/// @param error    receives the detail, or NULL: SSH_ERR_STATE, SSH_ERR_CLOSED
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_accept_channel(
    request: *mut ssh_request,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    pending!(std::ptr::null_mut(), request, error)
}

/// Refuses a channel and says why, for SSH_REQUEST_CHANNEL_OPEN.
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
    pending!(SSH_ERR_INTERNAL, request, reason, text)
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
    pending!(SSH_ERR_INTERNAL, request, data, length)
}
