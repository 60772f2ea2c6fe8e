//! Logging in, as ssh does: `none` tells what the server would like, then keys, then what a person types.

use std::time::Duration;

use zeroize::Zeroizing;

use super::identity::{self, shown};
use super::policy::Policy;
use crate::auth::{AuthOutcome, ClientMethod, Prompt, Prompts};
use crate::codec::printable;
use crate::config::{Resolved, Value};
use crate::driver::{Deadline, RequestKind, Timeout, Transport};
use crate::error::{Error, KeyFault, LoginFault};
use crate::keys::PrivateKey;

/// Each right answer may lead to a further question; ten are more than anybody asks.
const MAX_STEPS: usize = 10;
/// More notes than this help nobody.
const MAX_NOTES: usize = 20;
/// An attempt that nobody has to think about.
const ATTEMPT: Duration = Duration::from_secs(30);

/// What one attempt, or all of a method, came to.
enum Step {
    In,
    /// Right, and more is wanted.
    Partial,
    Refused,
}

pub(super) struct Login<'a> {
    transport: &'a Transport,
    resolved: &'a Resolved,
    policy: &'a Policy,
    deadline: Deadline,
    who: String,
    /// What the server allows now.
    methods: Vec<String>,
    keys: std::slice::Iter<'a, Value>,
    keys_tried: usize,
    tried: Vec<String>,
    notes: Vec<String>,
}

impl<'a> Login<'a> {
    pub(super) fn new(
        transport: &'a Transport,
        resolved: &'a Resolved,
        policy: &'a Policy,
        deadline: Deadline,
    ) -> Self {
        let who = format!("{}@{}", resolved.user(), resolved.host_name());
        Login {
            transport,
            resolved,
            policy,
            deadline,
            who: printable(who.as_bytes(), 400),
            methods: Vec::new(),
            keys: resolved.values("IdentityFile").unwrap_or_default().iter(),
            keys_tried: 0,
            tried: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<(), Error> {
        let mut step = self.attempt(ClientMethod::None, Some(ATTEMPT))?;
        // Nothing was sent if the key was not accepted.
        let note = self.policy.accepted(self.transport.remote_host_key());
        note.into_iter().for_each(|note| self.note(note));
        for _ in 0..MAX_STEPS {
            step = match step {
                Step::In => return Ok(()),
                _ => self.try_methods()?,
            };
            if matches!(step, Step::Refused) {
                break;
            }
        }
        match step {
            Step::In => Ok(()),
            _ => Err(self.fault()),
        }
    }

    fn fault(mut self) -> Error {
        if self.keys_tried > 0 {
            let s = if self.keys_tried == 1 { "" } else { "s" };
            self.tried
                .insert(0, format!("publickey ({} key{s})", self.keys_tried));
        }
        self.tried.dedup();
        Error::Login(Box::new(LoginFault {
            who: self.who,
            tried: self.tried,
            methods: self.methods,
            notes: self.notes,
        }))
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn attempt(&mut self, method: ClientMethod, most: Option<Duration>) -> Result<Step, Error> {
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

    fn allows(&self, method: &str) -> bool {
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

    /// Each key is tried once, however many steps there are.
    fn try_keys(&mut self) -> Result<Step, Error> {
        while let Some(file) = self.keys.next() {
            if !self.allows("publickey") {
                break;
            }
            let key = match self.load(file)? {
                Ok(Some(key)) => key,
                Ok(None) => continue,
                Err(note) => {
                    self.note(note);
                    continue;
                }
            };
            self.keys_tried = self.keys_tried.saturating_add(1);
            let step = self.attempt(
                ClientMethod::PublicKey {
                    key: key.into(),
                    probe: true,
                },
                Some(ATTEMPT),
            )?;
            if !matches!(step, Step::Refused) {
                return Ok(step);
            }
        }
        Ok(Step::Refused)
    }

    /// The key of a file; `Ok(Ok(None))` for one of the usual files that is not there, `Ok(Err)` with why it is not used.
    fn load(&mut self, file: &Value) -> Result<Result<Option<PrivateKey>, String>, Error> {
        let path = file.text.as_str();
        let bytes = match identity::read(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) if file.place.is_none() => return Ok(Ok(None)),
            Ok(None) => {
                let place = file
                    .place
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                return Ok(Err(format!(
                    "{}, which {place} names, does not exist",
                    shown(path)
                )));
            }
            Err(note) => return Ok(Err(note)),
        };
        let mut loaded = PrivateKey::load(&bytes, None);
        let mut tries = self.tries();
        while is_for_passphrase(&loaded) {
            if tries == 0 {
                let why = if self.is_quiet() {
                    "nobody may be asked for its passphrase"
                } else {
                    "no passphrase fits"
                };
                return Ok(Err(format!("{} is not used: {why}", shown(path))));
            }
            tries = tries.saturating_sub(1);
            let prompt = format!("Passphrase for key '{}': ", shown(path));
            let Some(passphrase) = self.ask(RequestKind::Passphrase, path, prompt)? else {
                return Ok(Err(format!(
                    "{} is not used: no passphrase was given",
                    shown(path)
                )));
            };
            // Nothing typed: on to the next key.
            if passphrase.is_empty() {
                return Ok(Err(format!(
                    "{} is not used: no passphrase was given",
                    shown(path)
                )));
            }
            loaded = PrivateKey::load(&bytes, Some(&passphrase));
        }
        Ok(loaded
            .map(Some)
            .map_err(|error| format!("{} is not used: {error}", shown(path))))
    }

    fn is_quiet(&self) -> bool {
        self.resolved.is_yes("BatchMode")
    }

    fn tries(&self) -> u64 {
        match self.is_quiet() {
            true => 0,
            false => self
                .resolved
                .number("NumberOfPasswordPrompts")
                .unwrap_or(3)
                .min(100),
        }
    }

    fn ask(
        &mut self,
        kind: RequestKind,
        about: &str,
        text: String,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let prompts = Prompts {
            prompts: vec![Prompt { text, echo: false }],
            ..Prompts::default()
        };
        let timeout = self
            .deadline
            .remaining()
            .map_or(Timeout::Forever, Timeout::After);
        let answers = self.transport.ask_secret(kind, about, prompts, timeout)?;
        Ok(answers.and_then(|mut answers| answers.pop()))
    }

    fn try_passwords(&mut self) -> Result<Step, Error> {
        if self.policy.is_doubtful() {
            self.note("no password was sent, because the host key is not the known one".into());
            return Ok(Step::Refused);
        }
        for _ in 0..self.tries() {
            let (who, prompt) = (self.who.clone(), format!("{}'s password: ", self.who));
            let Some(password) = self.ask(RequestKind::Password, &who, prompt)? else {
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
        for _ in 0..self.tries() {
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

fn is_for_passphrase(loaded: &Result<PrivateKey, Error>) -> bool {
    matches!(
        loaded,
        Err(Error::Key(
            KeyFault::PassphraseMissing | KeyFault::PassphraseWrong
        ))
    )
}
