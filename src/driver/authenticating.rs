//! The client's attempts to log in, and who is in.

use std::time::Instant;

use super::event::Event;
use super::inside;
use super::serving::{Attempt, Phase, Serving};
use super::transport::Transport;
use super::wait::Timeout;
use crate::auth::{AuthOutcome, ClientMethod};
use crate::endpoint::Services;
use crate::error::Error;
use crate::messages::Role;

impl Transport {
    /// Client: one attempt. Without a timeout of the caller's the server has the auth timeout, and a person who signs or
    /// answers all the time they need. With an event it returns `None` at once; the event is set at the end and
    /// [`auth_outcome`](Self::auth_outcome) tells how it went.
    pub fn authenticate(
        &self,
        user: &str,
        method: ClientMethod,
        event: Option<&Event>,
        timeout: Timeout,
    ) -> Result<Option<AuthOutcome>, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        if event.is_none() && matches!(method, ClientMethod::KeyboardInteractive { .. }) {
            inside::refuse(shared.key, "interactive authentication inside a callback")?;
        }
        let mut after = Vec::new();
        {
            let mut serving = shared.serving.lock();
            serving.alive()?;
            Self::check_phase(&serving)?;
            let time = match timeout {
                Timeout::Forever => serving.options.auth_timeout,
                Timeout::After(time) => time,
            };
            let interactive = matches!(method, ClientMethod::KeyboardInteractive { .. });
            let elsewhere =
                matches!(&method, ClientMethod::PublicKey { key, .. } if key.signs_elsewhere());
            serving.services()?.authenticate(user, method)?;
            let methods = std::mem::take(&mut serving.attempt.methods);
            serving.attempt = Attempt {
                running: true,
                event: event.cloned(),
                waited: event.is_none(),
                outcome: None,
                methods,
                // A person may be typing: without a limit of the caller's there is none.
                deadline: match timeout {
                    Timeout::Forever if interactive => None,
                    _ => Instant::now().checked_add(time),
                },
                servers_time: (elsewhere && timeout == Timeout::Forever).then_some(time),
            };
            serving.settle(shared, &mut after);
        }
        shared.after(after);
        shared.flush();
        if event.is_some() {
            shared.attend_now();
            return Ok(None);
        }
        shared.attend_later();
        let forever = Timeout::Forever.deadline();
        let mut serving = shared.serving.lock();
        let outcome = shared.wait_for(
            &mut serving,
            &shared.progress,
            forever,
            "authentication",
            |serving| serving.attempt.outcome.take(),
        );
        if matches!(outcome, Err(Error::Cancelled)) {
            shared.abandon_attempt(&mut serving);
            return Err(Error::Cancelled);
        }
        outcome.map(Some)
    }

    /// Client: whether an attempt could be made now.
    pub fn check_may_authenticate(&self) -> Result<(), Error> {
        self.shared.check_process()?;
        let serving = self.shared.serving.lock();
        serving.alive()?;
        Self::check_phase(&serving)
    }

    fn check_phase(serving: &Serving) -> Result<(), Error> {
        if serving.phase != Phase::Keyed {
            return Err(Error::ApiMisuse("the transport is not negotiated"));
        }
        if !serving.host_key.is_accepted() && serving.role == Role::Client {
            return Err(serving.host_key.fault().into());
        }
        if serving.attempt.running {
            return Err(Error::ApiMisuse("an attempt is under way"));
        }
        Ok(())
    }

    /// How the last attempt with an event went; `None` while it runs. Handed out once.
    pub fn auth_outcome(&self) -> Option<Result<AuthOutcome, Error>> {
        let mut serving = self.shared.serving.lock();
        match serving.attempt.waited {
            true => None,
            false => serving.attempt.outcome.take(),
        }
    }

    /// The methods that may continue, as the server last said.
    pub fn auth_methods(&self) -> Vec<String> {
        self.shared.serving.lock().attempt.methods.clone()
    }

    /// Whether the transport lives and a user is in.
    pub fn is_authenticated(&self) -> bool {
        let serving = self.shared.serving.lock();
        serving.ended.is_none()
            && serving
                .services
                .as_ref()
                .is_some_and(Services::is_authenticated)
    }

    /// The user who is in.
    pub fn username(&self) -> Option<String> {
        let serving = self.shared.serving.lock();
        if serving.ended.is_some() {
            return None;
        }
        serving
            .services
            .as_ref()
            .and_then(Services::user)
            .map(str::to_owned)
    }
}
