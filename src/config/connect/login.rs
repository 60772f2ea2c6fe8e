//! Logging in, as ssh does: `none` tells what the server would like, then keys, then what a person types.

use std::time::Duration;

use super::keys::Keys;
use super::person::Person;
use super::policy::Policy;
use crate::auth::{AuthOutcome, ClientMethod};
use crate::codec::printable;
use crate::config::{Resolved, Surroundings};
use crate::driver::{Deadline, LogLevel, RequestKind, Timeout, Transport};
use crate::error::{Error, LoginFault};

/// Each right answer may lead to a further question; ten are more than anybody asks.
const MAX_STEPS: usize = 10;
/// More notes than this help nobody.
const MAX_NOTES: usize = 20;
/// An attempt that nobody has to think about.
pub(super) const ATTEMPT: Duration = Duration::from_secs(30);

/// What one attempt, or all of a method, came to.
pub(super) enum Step {
    In,
    /// Right, and more is wanted.
    Partial,
    Refused,
}

pub(super) struct Login<'a> {
    pub(super) transport: &'a Transport,
    pub(super) resolved: &'a Resolved,
    pub(super) surroundings: &'a dyn Surroundings,
    policy: &'a Policy,
    pub(super) deadline: Deadline,
    pub(super) person: Person,
    who: String,
    /// What the server allows now.
    methods: Vec<String>,
    /// Looked for when they are wanted first.
    pub(super) keys: Option<Keys>,
    tried: Vec<String>,
    notes: Vec<String>,
}

impl<'a> Login<'a> {
    pub(super) fn new(
        transport: &'a Transport,
        resolved: &'a Resolved,
        surroundings: &'a dyn Surroundings,
        policy: &'a Policy,
        deadline: Deadline,
    ) -> Self {
        let who = format!("{}@{}", resolved.user(), resolved.host_name());
        Login {
            transport,
            resolved,
            surroundings,
            policy,
            deadline,
            person: Person::new(transport, resolved, deadline),
            who: printable(who.as_bytes(), 400),
            methods: Vec::new(),
            keys: None,
            tried: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<(), Error> {
        match self.steps() {
            Ok(Step::In) => Ok(()),
            Ok(Step::Partial | Step::Refused) => Err(self.fault(None)),
            // Servers take only so many attempts.
            Err(Error::Disconnected { description, .. }) if self.keys_tried() > 0 => {
                Err(self.fault(Some(description)))
            }
            Err(error) => Err(error),
        }
    }

    fn steps(&mut self) -> Result<Step, Error> {
        let mut step = self.attempt(ClientMethod::None, Some(ATTEMPT))?;
        // Nothing was sent if the key was not accepted.
        let note = self.policy.accepted(self.transport.remote_host_key());
        note.into_iter().for_each(|note| self.note(note));
        for _ in 0..MAX_STEPS {
            step = match step {
                Step::In => return Ok(step),
                _ => self.try_methods()?,
            };
            if matches!(step, Step::Refused) {
                break;
            }
        }
        Ok(step)
    }

    fn keys_tried(&self) -> usize {
        self.keys.as_ref().map_or(0, |keys| keys.tried)
    }

    /// `ended` is what the server has said when it ended the session.
    fn fault(mut self, ended: Option<String>) -> Error {
        let keys = self.keys_tried();
        if keys > 0 {
            let s = if keys == 1 { "" } else { "s" };
            self.tried.insert(0, format!("publickey ({keys} key{s})"));
        }
        match &ended {
            Some(_) if keys > 1 => self.note(
                "it takes only so many attempts: name the right key with IdentityFile and set IdentitiesOnly yes"
                    .to_owned(),
            ),
            None if keys > 0 && self.allows("publickey") => self.note(
                "no key that was offered is known there; ssh-copy-id adds one".to_owned(),
            ),
            _ => {}
        }
        self.tried.dedup();
        Error::Login(Box::new(LoginFault {
            who: self.who,
            tried: self.tried,
            methods: self.methods,
            ended,
            notes: self.notes,
        }))
    }

    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES && !self.notes.contains(&note) {
            self.transport.log(LogLevel::Info, || note.clone());
            self.notes.push(note);
        }
    }

    pub(super) fn attempt(
        &mut self,
        method: ClientMethod,
        most: Option<Duration>,
    ) -> Result<Step, Error> {
        let timeout = match (self.deadline.remaining(), most) {
            (Some(left), Some(most)) => Timeout::After(left.min(most)),
            (Some(time), None) | (None, Some(time)) => Timeout::After(time),
            (None, None) => Timeout::Forever,
        };
        let outcome = self
            .transport
            .authenticate(self.resolved.user(), method, None, timeout)?;
        let (step, methods) = match outcome {
            Some(AuthOutcome::Success) => return Ok(Step::In),
            Some(AuthOutcome::Partial { methods }) => (Step::Partial, methods),
            Some(AuthOutcome::Failure { methods }) => (Step::Refused, methods),
            None => return Err(Error::Bug("an attempt without an outcome")),
        };
        self.methods = methods
            .iter()
            .map(|method| printable(method.as_bytes(), 100))
            .collect();
        Ok(step)
    }

    pub(super) fn allows(&self, method: &str) -> bool {
        self.methods.iter().any(|allowed| allowed == method)
    }

    /// One pass over the methods in the order that the user prefers.
    fn try_methods(&mut self) -> Result<Step, Error> {
        let usual = "publickey,keyboard-interactive,password";
        let preferred = self
            .resolved
            .text("PreferredAuthentications")
            .unwrap_or(usual);
        let not = |keyword: &str| self.resolved.text(keyword) == Some("no");
        let off = [
            ("publickey", not("PubkeyAuthentication")),
            ("keyboard-interactive", not("KbdInteractiveAuthentication")),
            ("password", not("PasswordAuthentication")),
        ];
        let is_on = |method: &str| !off.iter().any(|(name, is_off)| *name == method && *is_off);
        for method in preferred
            .split(',')
            .map(str::trim)
            .filter(|method| is_on(method))
        {
            if !self.allows(method) {
                continue;
            }
            let step = match method {
                "publickey" => self.try_keys()?,
                "keyboard-interactive" => self.try_prompts()?,
                "password" => self.try_passwords()?,
                _ => Step::Refused,
            };
            if !matches!(step, Step::Refused) {
                return Ok(step);
            }
        }
        Ok(Step::Refused)
    }

    fn try_passwords(&mut self) -> Result<Step, Error> {
        if self.policy.is_doubtful() {
            self.note("no password was sent, because the host key is not the known one".into());
            return Ok(Step::Refused);
        }
        for _ in 0..self.person.tries() {
            let (who, prompt) = (self.who.clone(), format!("{}'s password: ", self.who));
            let Some(password) = self.person.ask(RequestKind::Password, &who, prompt)? else {
                break;
            };
            self.tried.push("password".into());
            let method = ClientMethod::Password {
                password,
                fallback: false,
            };
            let step = self.attempt(method, Some(ATTEMPT))?;
            if !matches!(step, Step::Refused) || !self.allows("password") {
                return Ok(step);
            }
        }
        Ok(Step::Refused)
    }

    fn try_prompts(&mut self) -> Result<Step, Error> {
        if self.policy.is_doubtful() {
            self.note("no prompt was answered, because the host key is not the known one".into());
            return Ok(Step::Refused);
        }
        if !self.transport.is_asked(RequestKind::Prompts) {
            return Ok(Step::Refused);
        }
        for _ in 0..self.person.tries() {
            self.tried.push("keyboard-interactive".into());
            let method = ClientMethod::KeyboardInteractive {
                submethods: String::new(),
            };
            // A person may have to look for a phone or a token first.
            let step = self.attempt(method, None)?;
            if !matches!(step, Step::Refused) || !self.allows("keyboard-interactive") {
                return Ok(step);
            }
        }
        Ok(Step::Refused)
    }
}
