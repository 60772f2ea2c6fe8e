//! From a destination to a transport with a user, as ssh gets there: by jump hosts or a proxy command, with the
//! algorithms, known hosts and keys that the configuration names.
//!
//! `route` makes the way, `proxy` runs a command for it, `policy` decides about host keys and
//! `update_host_keys` about those that a server has beside them, `revoked` reads what is never trusted. `login` logs in. Keys come from
//! files (`identity`), some of which open with a passphrase only (`sealed`), and from the agent (`place` says where it is);
//! `offers` puts them in order, `keys` tries them. `person` answers questions.

mod identity;
mod keys;
mod login;
mod offers;
mod person;
pub mod place;
mod policy;
mod proxy;
mod revoked;
mod route;
mod sealed;
mod update_host_keys;

use std::os::fd::RawFd;
use std::sync::Arc;

use super::{Config, Surroundings};
use crate::driver::{Timeout, Transport};
use crate::error::Error;
use crate::known_hosts::Attached;

/// The program that connects.
pub trait Program: Send + Sync {
    /// A transport was made, and is going to be started with these known hosts: the moment to set its callbacks.
    ///
    /// # Errors
    /// Any, and nothing comes of the connection.
    fn made(&self, transport: &Transport, known_hosts: Option<Arc<Attached>>) -> Result<(), Error>;

    /// A connected socket that ProxyCommand leads to, where the program makes it itself; `None` where the library is to
    /// run the command with the user's shell. It belongs to the transport once there is one.
    ///
    /// # Errors
    /// Why there is none.
    fn proxy(&self, command: &str) -> Option<Result<RawFd, Error>>;
}

/// Connects and logs in. The transport comes with those that it runs over, the first one first; they are to be released
/// when it is.
///
/// # Errors
/// Those of the configuration, and of everything on the way; `Login` when the user is not let in.
pub fn connect(
    config: &Config,
    destination: &str,
    surroundings: &dyn Surroundings,
    program: &dyn Program,
    timeout: Timeout,
) -> Result<(Transport, Vec<Transport>), Error> {
    let resolved = config.resolve(destination, surroundings)?;
    let mut journey = route::Journey::new(config, surroundings, program, timeout.deadline());
    match journey.reach(&resolved, None) {
        Ok(transport) => Ok((transport, journey.below())),
        Err(error) => {
            // From the inside out.
            journey.release();
            Err(error)
        }
    }
}
