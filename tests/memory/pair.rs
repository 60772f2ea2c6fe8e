//! A server and a client behind the C functions, and a log that is looked through.

use std::ffi::{c_char, c_void, CStr};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use sshwire::ffi::answer::{
    ssh_request_accept, ssh_request_answer_prompts, ssh_request_ask, ssh_request_refuse,
};
use sshwire::ffi::error::ssh_error_message;
use sshwire::ffi::event::{ssh_event, ssh_event_free, ssh_event_new, ssh_event_wait};
use sshwire::ffi::key::{ssh_key, SSH_KEY_ED25519};
use sshwire::ffi::log::{ssh_set_log_callback, ssh_transport_set_hexdump, SSH_LOG_DEBUG};
use sshwire::ffi::request::{
    ssh_request, ssh_request_answer, ssh_request_free, ssh_request_kind, ssh_request_password,
    ssh_transport_set_callback, SSH_REQUEST_ANY, SSH_REQUEST_AUTH_INTERACTIVE,
    SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS, SSH_REQUEST_AUTH_PASSWORD, SSH_REQUEST_PROMPTS,
};
use sshwire::ffi::server::{
    ssh_server, ssh_server_add_key, ssh_server_free, ssh_server_new, ssh_server_set_callback,
};
use sshwire::ffi::status::SSH_OK;
use sshwire::ffi::transport::{
    ssh_transport, ssh_transport_free, ssh_transport_new, ssh_transport_start_client,
    ssh_transport_start_server,
};

use crate::keys::Key;
use crate::scan::{assert_there, Secret};
use crate::TIME_MS;

/// Secrets of users.
pub struct Known {
    pub password: Secret,
    pub wrong: Secret,
    pub answer: Secret,
    pub passphrase: Secret,
    pub wrong_passphrase: Secret,
}

impl Known {
    pub fn all(&self) -> Vec<Secret> {
        let all = [
            &self.password,
            &self.wrong,
            &self.answer,
            &self.passphrase,
            &self.wrong_passphrase,
        ];
        all.map(Secret::clone).to_vec()
    }
}

/// Those of this process.
pub fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| Known {
        password: Secret::text("the password", 40),
        wrong: Secret::text("a wrong password", 40),
        answer: Secret::text("the answer", 40),
        passphrase: Secret::text("the passphrase", 40),
        wrong_passphrase: Secret::text("a wrong passphrase", 40),
    })
}

/// Every line of the log so far.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// Good passwords and answers that the server has been asked about.
static SEEN: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn note(_: i32, _: *const c_char, message: *const c_char, _: *mut c_void) {
    // SAFETY: the library passes a string that lives during the call.
    let message = unsafe { CStr::from_ptr(message) };
    LOG.lock()
        .expect("not poisoned")
        .extend_from_slice(&[message.to_bytes(), b"\n"].concat());
}

/// Keeps the log of the process at its highest level.
pub fn watch_the_log() {
    // SAFETY: the callback needs no userdata.
    let status = unsafe { ssh_set_log_callback(Some(note), SSH_LOG_DEBUG, null_mut(), None) };
    assert_eq!(status, SSH_OK);
}

/// Ends the test where the log has a secret, as it is, in hexadecimal or as numbers.
pub fn assert_log_has_none_of(secrets: &[Secret]) {
    let log = LOG.lock().expect("not poisoned");
    for secret in secrets {
        for form in secret.printed() {
            assert!(!form.is_in(&log), "{} in the log", secret.name);
        }
    }
}

/// The same for the secrets of users; and there was a log.
pub fn assert_log_is_clean() {
    assert_log_has_none_of(&known().all());
}

/// How many good passwords and answers the server has seen.
pub fn seen() -> u32 {
    SEEN.load(Ordering::SeqCst)
}

/// Whether bytes of a request are this secret, which must then be found.
fn is(bytes: *const c_char, length: usize, secret: &Secret) -> bool {
    // SAFETY: the bytes are the request's, which is alive.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
    let same = secret.is_in(bytes) && bytes.len() == secret.bytes().len();
    if same {
        assert_there(secret, "while the server is asked");
        SEEN.fetch_add(1, Ordering::SeqCst);
    }
    same
}

unsafe extern "C" fn decide(request: *mut ssh_request, _: *mut c_void) {
    let mut length = 0;
    // SAFETY: the request is alive until it is freed below, and what it lends lives as long.
    unsafe {
        let good = match ssh_request_kind(request) {
            SSH_REQUEST_AUTH_PASSWORD => {
                let password = ssh_request_password(request, &mut length);
                is(password, length, &known().password)
            }
            SSH_REQUEST_AUTH_INTERACTIVE => {
                let prompts = [c"Answer: ".as_ptr()];
                ssh_request_ask(request, null(), null(), prompts.as_ptr(), null(), 1);
                return ssh_request_free(request);
            }
            SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS => {
                let answer = ssh_request_answer(request, 0, &mut length);
                is(answer, length, &known().answer)
            }
            SSH_REQUEST_PROMPTS => {
                let answer = known().answer.c_string();
                let answers = [answer.as_ptr().cast()];
                ssh_request_answer_prompts(request, answers.as_ptr(), 1);
                return ssh_request_free(request);
            }
            // Keys of hosts and users.
            _ => true,
        };
        if good {
            ssh_request_accept(request);
        } else {
            ssh_request_refuse(request);
        }
        ssh_request_free(request);
    }
}

/// A server for one connection.
pub struct Server {
    server: *mut ssh_server,
    transport: *mut ssh_transport,
    started: *mut ssh_event,
}

impl Server {
    /// Starts one with this host key, and returns the other end of its socket.
    pub fn start(host_key: *const ssh_key) -> (Self, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        // SAFETY: every handle is alive, and the callback needs no userdata.
        unsafe {
            let server = ssh_server_new();
            assert_eq!(ssh_server_add_key(server, host_key), SSH_OK);
            let set =
                ssh_server_set_callback(server, SSH_REQUEST_ANY, Some(decide), null_mut(), None);
            assert_eq!(set, SSH_OK);
            let transport = ssh_transport_new(ours.into_raw_fd(), null_mut());
            ssh_transport_set_hexdump(transport, true);
            let started = ssh_event_new();
            let status =
                ssh_transport_start_server(transport, server, started, TIME_MS, null_mut());
            assert_eq!(status, SSH_OK);
            let server = Server {
                server,
                transport,
                started,
            };
            (server, theirs)
        }
    }

    fn wait(&self) {
        // SAFETY: the event is alive.
        assert_eq!(unsafe { ssh_event_wait(self.started, TIME_MS) }, SSH_OK);
    }

    pub fn free(self) {
        // SAFETY: each is freed once.
        unsafe {
            ssh_transport_free(self.transport);
            ssh_server_free(self.server);
            ssh_event_free(self.started);
        }
    }
}

/// A server and a client that have done the first key exchange.
pub struct Pair {
    server: Server,
    pub client: *mut ssh_transport,
    /// Where none was given.
    _host_key: Option<Key>,
}

impl Pair {
    /// With this host key, or one of their own.
    pub fn new(host_key: *const ssh_key) -> Self {
        let own = host_key.is_null().then(|| Key::generate(SSH_KEY_ED25519));
        let host_key = own.as_ref().map_or(host_key, |key| key.handle);
        let (server, stream) = Server::start(host_key);
        // SAFETY: every handle is alive, and the callback needs no userdata.
        let client = unsafe {
            let client = ssh_transport_new(stream.into_raw_fd(), null_mut());
            ssh_transport_set_hexdump(client, true);
            let set =
                ssh_transport_set_callback(client, SSH_REQUEST_ANY, Some(decide), null_mut(), None);
            assert_eq!(set, SSH_OK);
            let mut error = null_mut();
            let status = ssh_transport_start_client(client, null_mut(), TIME_MS, &mut error);
            if status != SSH_OK {
                let log = LOG.lock().expect("not poisoned");
                panic!(
                    "{:?}\n{}",
                    CStr::from_ptr(ssh_error_message(error)),
                    String::from_utf8_lossy(&log)
                );
            }
            client
        };
        server.wait();
        Pair {
            server,
            client,
            _host_key: own,
        }
    }

    pub fn free(self) {
        // SAFETY: it is freed once.
        unsafe { ssh_transport_free(self.client) };
        self.server.free();
    }
}
