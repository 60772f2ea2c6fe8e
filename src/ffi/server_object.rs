//! What a server handle leads to.

use std::sync::Arc;

use crate::driver::sync::Mutex;
use crate::driver::{TransportOptions, UserKeys};
use crate::kex::Moduli;
use crate::keys::PrivateKey;

use super::dispatch::Callbacks;
use super::handle::Handle;
use super::request::{
    SSH_REQUEST_AUTH_INTERACTIVE, SSH_REQUEST_AUTH_KEY_PROVEN, SSH_REQUEST_AUTH_PASSWORD,
};
use super::security_object::Edits;
use super::server::ssh_server;
use super::subsystem::Subsystems;

impl Handle for ssh_server {
    type Object = ServerObject;
    const TAG: u8 = 8;
    const NOUN: &'static str = "ssh_server";
}

#[derive(Default)]
pub(crate) struct ServerObject {
    pub(crate) settings: Mutex<ServerSettings>,
}

/// What transports take over when they start.
#[derive(Clone)]
pub(crate) struct ServerSettings {
    pub(crate) callbacks: Callbacks,
    pub(crate) keys: Vec<PrivateKey>,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) banner: Option<String>,
    pub(crate) max_failures: u32,
    pub(crate) login_grace_ms: u32,
    pub(crate) security: Edits,
    pub(crate) subsystems: Subsystems,
    pub(crate) moduli: Option<Arc<Moduli>>,
    pub(crate) user_keys: Option<Arc<UserKeys>>,
    pub(crate) touch_required: bool,
    pub(crate) tells_host_keys: bool,
    pub(crate) next_keys: Vec<PrivateKey>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        ServerSettings {
            callbacks: Callbacks::default(),
            keys: Vec::new(),
            methods: None,
            banner: None,
            max_failures: 6,
            login_grace_ms: 120_000,
            security: Edits::default(),
            subsystems: Subsystems::new(),
            moduli: None,
            user_keys: None,
            touch_required: true,
            tells_host_keys: true,
            next_keys: Vec::new(),
        }
    }
}

impl ServerSettings {
    /// One key of each kind; the last one wins.
    pub(crate) fn add_key(&mut self, key: PrivateKey) {
        self.keys.retain(|known| known.kind() != key.kind());
        self.keys.push(key);
    }

    /// Changes what holds for users' keys and certificates, for transports that start from now on.
    pub(crate) fn change_user_keys(&mut self, change: impl FnOnce(&mut UserKeys)) {
        change(Arc::make_mut(self.user_keys.get_or_insert_default()));
    }

    /// The methods clients are told of: those that were set, or those that somebody answers for.
    fn methods(&self, own: &Callbacks) -> Vec<String> {
        if let Some(methods) = &self.methods {
            return methods.clone();
        }
        [
            (SSH_REQUEST_AUTH_KEY_PROVEN, "publickey"),
            (SSH_REQUEST_AUTH_PASSWORD, "password"),
            (SSH_REQUEST_AUTH_INTERACTIVE, "keyboard-interactive"),
        ]
        .into_iter()
        .filter(|(kind, _)| self.callbacks.answers(*kind) || own.answers(*kind))
        .map(|(_, method)| method.to_owned())
        .collect()
    }

    /// Puts the settings into the options of a transport, whose own keys go first.
    pub(crate) fn apply(&self, own: &Callbacks, options: &mut TransportOptions) {
        for key in &self.keys {
            if !options
                .host_keys
                .iter()
                .any(|known| known.kind() == key.kind())
            {
                options.host_keys.push(key.clone());
            }
        }
        options.server_auth.methods = self.methods(own);
        options.server_auth.banner = self.banner.clone().map(|text| (text, String::new()));
        options.server_auth.max_failures = self.max_failures;
        options.moduli.clone_from(&self.moduli);
        options.user_keys.clone_from(&self.user_keys);
        options.server_auth.touch_required = self.touch_required;
        options.tells_host_keys = self.tells_host_keys;
        options.next_host_keys.clone_from(&self.next_keys);
        options.login_grace = (self.login_grace_ms > 0)
            .then(|| std::time::Duration::from_millis(u64::from(self.login_grace_ms)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_callbacks_offers_nothing() {
        let settings = ServerSettings::default();
        assert!(settings.methods(&Callbacks::default()).is_empty());
        let mut pulling = Callbacks::default();
        pulling.pull = true;
        assert_eq!(settings.methods(&pulling).len(), 3);
    }
}
