//! Logging in with an agent.

use std::ffi::c_char;
use std::sync::Arc;

use crate::agent::{Login, Named, Order, DEFAULT_TRIES};
use crate::auth::ClientMethod;
use crate::driver::Engine;

use super::agent::ssh_agent;
use super::auth::{judge, Patience};
use super::error::ssh_error;
use super::event::{self, ssh_event};
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::key::{ssh_key, KeyObject};
use super::memory;
use super::status::{ssh_status, SSH_AGAIN, SSH_OK};
use super::transport::ssh_transport;
use super::transport_object;

/// Order of keys: as ssh has it, which is those named that the agent has, in its order, what else it has, the others that
/// were named.
pub const SSH_AUTH_AGENT_FIRST: i32 = 0;

/// Order of keys: those named, as they were named, then what else the agent has.
pub const SSH_AUTH_NAMED_FIRST: i32 = 1;

/// Order of keys: only those named, as they were named.
pub const SSH_AUTH_NAMED_ONLY: i32 = 2;

/// Authenticates with the keys and certificates of an agent, and with others, one after the other until one is accepted.
/// Each is tried once, and the server is asked about it before anything is signed. The agent is told which session its
/// signatures are for, so that it can hold keys to their destinations.
///
/// An agent that cannot be asked, or does not sign, is passed over: then the other keys are tried.
///
/// @param transport   a client transport that was started
/// @param username    whom to authenticate as
/// @param agent       the agent, or NULL for none
/// @param keys        keys to be named, the best first: a public one is tried if the agent has it, a private one also if it
///                    has not; may be NULL when there are none
/// @param count       how many, at most 1024
/// @param order       SSH_AUTH_AGENT_FIRST, SSH_AUTH_NAMED_FIRST or SSH_AUTH_NAMED_ONLY
/// @param max_tries   how many keys to try at most; 0 for the usual 5, for servers end the session after some refusals, often
///                    six
/// @param event       NULL to wait, as for ssh_transport_auth_none()
/// @param timeout_ms  milliseconds for all of it, a person included whom the agent may ask; SSH_TIMEOUT_DEFAULT is the auth
///                    timeout
/// @param error       receives the detail, or NULL
/// @return SSH_OK when authenticated, SSH_PARTIAL when more is wanted, SSH_ERR_AUTH with the methods allowed, or when there
///         was no key at all; SSH_ERR_AGENT when the agent was all there was and could not be asked; SSH_ERR_HOSTKEY when
///         nobody has accepted the host key, or another failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_auth_agent(
    transport: *mut ssh_transport,
    username: *const c_char,
    agent: *mut ssh_agent,
    keys: *const *const ssh_key,
    count: usize,
    order: i32,
    max_tries: u32,
    event: *mut ssh_event,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        transport_object::with(transport, |object| {
            let agent = handle::get_optional(agent)?;
            let login = Login {
                user: memory::text(username, "the user name")?.to_owned(),
                agent: agent.as_deref().cloned(),
                named: named(memory::array_of(keys, count, MAX_NAMED)?)?,
                order: order_of(order)?,
                tries: match max_tries {
                    0 => DEFAULT_TRIES,
                    tries => tries,
                },
            };
            let event = event::optional(event)?;
            let timeout = Patience::of(timeout_ms)?.timeout(object, &ClientMethod::None);
            object.driver.check_may_authenticate()?;
            *object.auth.lock() = Ok(SSH_AGAIN);
            let (object, asked) = (Arc::clone(object), object);
            let run = move || {
                let outcome = judge(login.run(&object.driver, timeout));
                object.auth.lock().clone_from(&outcome);
                outcome
            };
            let Some(event) = event else { return run() };
            let begun = Engine::get().and_then(|engine| {
                engine.pool().try_spawn(Box::new(move || {
                    let _ = run();
                    event.set();
                }))
            });
            let begun = begun.map(|()| SSH_OK).map_err(Failure::from);
            if begun.is_err() {
                asked.auth.lock().clone_from(&begun);
            }
            begun
        })
    })
}

// --- behind the function --------------------------------------------------------------------------

const MAX_NAMED: usize = 1024;

fn named(keys: &[*const ssh_key]) -> Outcome<Vec<Named>> {
    keys.iter()
        .map(|key| {
            Ok(match &*handle::get(*key)? {
                KeyObject::Private(key) => Named::Private(key.clone()),
                KeyObject::Public { key, .. } => Named::Public(key.clone()),
            })
        })
        .collect()
}

fn order_of(number: i32) -> Outcome<Order> {
    match number {
        SSH_AUTH_AGENT_FIRST => Ok(Order::AgentFirst),
        SSH_AUTH_NAMED_FIRST => Ok(Order::NamedFirst),
        SSH_AUTH_NAMED_ONLY => Ok(Order::NamedOnly),
        _ => Err(Failure::invalid("an unknown order of keys")),
    }
}
