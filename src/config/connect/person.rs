//! The person in front of the program, who knows passphrases and passwords.

use zeroize::Zeroizing;

use crate::auth::{Prompt, Prompts};
use crate::config::Resolved;
use crate::driver::{Deadline, RequestKind, Timeout, Transport};
use crate::error::Error;

/// Whom to ask, and how often.
#[derive(Clone)]
pub(super) struct Person {
    transport: Transport,
    deadline: Deadline,
    /// Nobody is to be asked.
    is_quiet: bool,
    tries: u64,
}

impl Person {
    pub(super) fn new(transport: &Transport, resolved: &Resolved, deadline: Deadline) -> Self {
        let tries = resolved.number("NumberOfPasswordPrompts").unwrap_or(3);
        Person {
            transport: transport.clone(),
            deadline,
            is_quiet: resolved.is_yes("BatchMode"),
            tries: tries.min(100),
        }
    }

    /// How often one thing is asked for.
    pub(super) fn tries(&self) -> u64 {
        match self.is_quiet {
            true => 0,
            false => self.tries,
        }
    }

    /// Whether they agree; not where nobody is there.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask).
    pub(super) fn agrees(&self, about: &str, text: String) -> Result<bool, Error> {
        if self.is_quiet {
            return Ok(false);
        }
        let said = self.say(RequestKind::Prompts, about, text, true)?;
        let yes = |said: &[u8]| said.trim_ascii().eq_ignore_ascii_case(b"yes");
        Ok(said.is_some_and(|said| yes(&said)))
    }

    /// A secret of theirs; `None` where they tell none, or nobody is there.
    ///
    /// # Errors
    /// That there is no more time, or that the session is over.
    pub(super) fn ask(
        &self,
        kind: RequestKind,
        about: &str,
        text: String,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.say(kind, about, text, false)
    }

    fn say(
        &self,
        kind: RequestKind,
        about: &str,
        text: String,
        echo: bool,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let prompts = Prompts {
            prompts: vec![Prompt { text, echo }],
            ..Prompts::default()
        };
        let left = self.deadline.remaining();
        let timeout = left.map_or(Timeout::Forever, Timeout::After);
        let answers = self.transport.ask_secret(kind, about, prompts, timeout)?;
        Ok(answers.and_then(|mut answers| answers.pop()))
    }
}
