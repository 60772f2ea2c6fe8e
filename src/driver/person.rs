//! Questions of this side's own to the person in front of it: passwords and passphrases. They take the way of all other
//! questions, to a callback or to be pulled.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::inside;
use super::request::{Question, RequestKind};
use super::shared::Shared;
use super::sync::Mutex;
use super::transport::Transport;
use super::wait::Timeout;
use crate::auth::Prompts;
use crate::error::Error;

/// The answers, one for each prompt.
pub type Answers = Vec<Zeroizing<Vec<u8>>>;

/// Where an answer is put; `None` inside stands for a refusal.
#[derive(Default)]
pub struct Reply {
    /// A leaf.
    given: Mutex<Option<Option<Answers>>>,
}

impl Reply {
    pub(crate) fn give(&self, answers: Option<Answers>) {
        *self.given.lock() = Some(answers);
    }

    fn take(&self) -> Option<Option<Answers>> {
        self.given.lock().take()
    }
}

impl Shared {
    /// Has who waits for a reply look. The lock makes sure that none of them is just about to sleep.
    pub(crate) fn tell_reply(&self) {
        drop(self.serving.lock());
        self.progress.notify_all();
    }
}

impl Transport {
    /// Whether somebody is there to answer questions of this kind.
    pub(crate) fn is_asked(&self, kind: RequestKind) -> bool {
        self.shared.serving.lock().is_asked(kind)
    }

    /// Asks for a secret and waits for the answer; `None` when it is refused, or when nobody is there to ask.
    pub(crate) fn ask_secret(
        &self,
        kind: RequestKind,
        about: &str,
        prompts: Prompts,
        timeout: Timeout,
    ) -> Result<Option<Answers>, Error> {
        let shared = &self.shared;
        shared.check_process()?;
        inside::refuse(shared.key, "a question inside a callback")?;
        let reply = Arc::new(Reply::default());
        let question = Question::Secret {
            kind,
            about: about.to_owned(),
            prompts,
            reply: Arc::clone(&reply),
        };
        let deadline = timeout.deadline();
        let mut serving = shared.serving.lock();
        serving.alive()?;
        if !serving.is_asked(kind) {
            return Ok(None);
        }
        serving.ask(shared, question);
        let look = |_: &mut _| reply.take().map(Ok);
        shared.wait_for(&mut serving, &shared.progress, deadline, "an answer", look)
    }
}
