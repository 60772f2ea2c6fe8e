//! The server's host key (client): shown, judged, asked about, accepted.
//!
//! What is revoked, or too short, is refused first. Who may say yes, in this order: an expected key, the explicit choice to trust any, the judge that was set (known
//! hosts), the application. The judge reads files, so it runs on the callback pool like the application's callbacks.

use std::sync::Arc;

use super::request::{Question, RequestKind};
use super::rotation::{HostKeyChange, KeyUpdates};
use super::serving::{Phase, Serving};
use super::shared::Shared;
use super::transport::Transport;
use crate::error::{Error, HostKeyFault};
use crate::keys::{PublicKey, ShownKey};

/// What a judge says.
pub enum Judged {
    /// It is the server's key.
    Accept,
    /// The application may decide; why it must.
    Ask(HostKeyFault),
    /// It must not be used.
    Refuse(HostKeyFault),
}

/// Decides about host keys before the application is asked.
pub trait HostKeyJudge: Send + Sync {
    /// The host key algorithms in the order in which they are offered, the same ones as are given.
    ///
    /// # Errors
    /// What keeps it from knowing; the transport is not started then.
    fn order(&self, offered: &[&'static str]) -> Result<Vec<&'static str>, Error>;

    /// Whether this is the server's key, alone or in a certificate.
    ///
    /// # Errors
    /// What keeps it from knowing; the transport ends then.
    fn judge(&self, shown: &ShownKey) -> Result<Judged, Error>;

    /// Whether a key was let pass of which nobody knows whose it is: then nothing of the user's is lent to its owner.
    fn is_doubtful(&self) -> bool {
        false
    }

    /// Who decides about changes of the server's keys.
    fn updates(&self) -> KeyUpdates {
        KeyUpdates::Never
    }

    /// What the keys that the server has, by its own account, change in what is known; `None` when that is not to be
    /// changed. The key of this session is among them.
    ///
    /// # Errors
    /// What keeps it from knowing; nothing is changed then.
    fn compare(&self, offered: &[PublicKey]) -> Result<Option<HostKeyChange>, Error> {
        let _ = offered;
        Ok(None)
    }

    /// Writes down what has changed.
    ///
    /// # Errors
    /// What keeps it from doing so.
    fn keep(&self, change: &HostKeyChange) -> Result<(), Error> {
        let _ = change;
        Ok(())
    }
}

impl Transport {
    /// Client: whether a host key was let pass of which nobody knows whose it is.
    pub(crate) fn is_host_key_doubtful(&self) -> bool {
        let judge = self.options().host_key_judge;
        judge.is_some_and(|judge| judge.is_doubtful())
    }

    /// Refuses to forward anything to or for whoever has a key of which nobody knows whose it is.
    pub(crate) fn require_certain_host_key(&self) -> Result<(), Error> {
        match self.is_host_key_doubtful() {
            true => Err(HostKeyFault::Doubtful.into()),
            false => Ok(()),
        }
    }
}

/// What is known about the server's host key (client).
pub(crate) enum HostKeyState {
    Unknown,
    /// Shown, and nobody has accepted it yet; why not, where a judge has said so.
    Shown(PublicKey, Option<HostKeyFault>),
    /// A question about it is under way.
    Asked(PublicKey),
    Accepted(PublicKey),
}

impl HostKeyState {
    pub(crate) fn key(&self) -> Option<&PublicKey> {
        match self {
            HostKeyState::Unknown => None,
            HostKeyState::Shown(key, _)
            | HostKeyState::Asked(key)
            | HostKeyState::Accepted(key) => Some(key),
        }
    }

    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self, HostKeyState::Accepted(_))
    }

    pub(crate) fn is_asked(&self) -> bool {
        matches!(self, HostKeyState::Asked(_))
    }

    /// Why nobody may log in yet.
    pub(crate) fn fault(&self) -> HostKeyFault {
        match self {
            HostKeyState::Shown(_, Some(fault)) => fault.clone(),
            _ => HostKeyFault::NotVerified,
        }
    }
}

impl Serving {
    pub(crate) fn host_key_shown(&mut self, shared: &Arc<Shared>, shown: ShownKey) {
        if self.host_key.is_accepted() {
            // A rekey: the transport layer has seen that it is the same key.
            return;
        }
        if let Err(fault) = self.options.check_host_key(&shown) {
            // The end is not made under this lock.
            self.host_key = HostKeyState::Asked(shown.key.clone());
            let ended = Arc::clone(shared);
            let job = Box::new(move || ended.host_key_judged(shown, Ok(Judged::Refuse(fault))));
            return self.push_job(shared, job);
        }
        let expected = self.options.expected_host_key.is_some();
        if expected || self.options.insecure_accept_any_host_key {
            // An expected key was compared by the transport layer before it let this event out.
            self.host_key = HostKeyState::Accepted(shown.key);
        } else if let Some(judge) = self.options.host_key_judge.clone() {
            self.host_key = HostKeyState::Asked(shown.key.clone());
            let asked = Arc::clone(shared);
            let job = Box::new(move || {
                let judged = judge.judge(&shown);
                asked.host_key_judged(shown, judged);
            });
            self.push_job(shared, job);
        } else {
            self.ask_about_host_key(shared, shown, None);
        }
    }

    fn ask_about_host_key(
        &mut self,
        shared: &Arc<Shared>,
        shown: ShownKey,
        fault: Option<HostKeyFault>,
    ) {
        if self.pull || self.callbacks.contains_key(&RequestKind::HostKey) {
            self.host_key = HostKeyState::Asked(shown.key.clone());
            let host = match fault {
                Some(HostKeyFault::Known(fault)) => Some(fault.host),
                _ => None,
            };
            self.ask(shared, Question::HostKey { shown, host });
        } else {
            self.host_key = HostKeyState::Shown(shown.key, fault);
        }
    }

    /// The key that was shown is the server's.
    pub(crate) fn accept_host_key(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.host_key, HostKeyState::Unknown) {
            HostKeyState::Unknown => Err(HostKeyFault::NotVerified.into()),
            HostKeyState::Shown(key, _)
            | HostKeyState::Asked(key)
            | HostKeyState::Accepted(key) => {
                self.host_key = HostKeyState::Accepted(key);
                Ok(())
            }
        }
    }
}

impl Shared {
    fn host_key_judged(self: &Arc<Self>, shown: ShownKey, judged: Result<Judged, Error>) {
        let fault = match judged {
            // Fails only when the transport has ended.
            Ok(Judged::Accept) => return drop(self.host_key_answered(Ok(()))),
            Ok(Judged::Refuse(fault)) => return self.end(fault.into()),
            Err(error) => return self.end(error),
            Ok(Judged::Ask(fault)) => fault,
        };
        let mut serving = self.serving.lock();
        if serving.ended.is_some() || !serving.host_key.is_asked() {
            return;
        }
        serving.ask_about_host_key(self, shown, Some(fault));
        if !serving.host_key.is_asked() && serving.phase == Phase::Keyed {
            serving.started();
        }
        self.progress.notify_all();
    }

    /// The application's word on the host key.
    pub(crate) fn host_key_answered(
        self: &Arc<Self>,
        verdict: Result<(), HostKeyFault>,
    ) -> Result<(), Error> {
        let mut serving = self.serving.lock();
        serving.alive()?;
        match verdict {
            Ok(()) => {
                // A question was asked, so there is a key.
                let _ = serving.accept_host_key();
                if serving.phase == Phase::Keyed {
                    serving.started();
                }
                self.progress.notify_all();
            }
            Err(fault) => {
                if !serving.host_key.is_accepted() {
                    drop(serving);
                    self.end(fault.into());
                }
            }
        }
        Ok(())
    }
}
