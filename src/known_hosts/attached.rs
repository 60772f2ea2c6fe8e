//! known_hosts as a transport's judge of its server's key.

use std::sync::Arc;

use super::{Host, Judgement, KnownHosts, Verdict};
use crate::driver::sync::Mutex;
use crate::driver::{HostKeyJudge, Judged};
use crate::error::Error;
use crate::keys::PublicKey;

/// Known hosts, and the one that a transport leads to.
pub struct Attached {
    known: Arc<KnownHosts>,
    host: Host,
    /// A leaf.
    judgement: Mutex<Option<Judgement>>,
}

impl Attached {
    /// For a transport to `host`.
    pub fn new(known: Arc<KnownHosts>, host: Host) -> Self {
        Attached {
            known,
            host,
            judgement: Mutex::new(None),
        }
    }

    /// What came out, once the server has shown its key.
    pub fn judgement(&self) -> Option<Judgement> {
        self.judgement.lock().clone()
    }
}

impl HostKeyJudge for Attached {
    fn order(&self, offered: &[&'static str]) -> Result<Vec<&'static str>, Error> {
        self.known.order(&self.host, offered)
    }

    fn judge(&self, key: &PublicKey) -> Result<Judged, Error> {
        let judgement = self.known.judge(&self.host, key)?;
        let fault = judgement.fault(&self.host, key);
        let judged = match judgement.verdict {
            Verdict::Match => Judged::Accept,
            Verdict::Unknown => Judged::Ask(fault),
            // What is known was offered first, so a server that shows another type has lost the key that it had, or is
            // another one. OpenSSH draws no line between this and a changed key.
            Verdict::OtherTypeKnown | Verdict::Changed | Verdict::Revoked => Judged::Refuse(fault),
        };
        *self.judgement.lock() = Some(judgement);
        Ok(judged)
    }
}
