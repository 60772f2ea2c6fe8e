//! known_hosts as a transport's judge of its server's key.

use std::sync::Arc;

use super::{Hashing, Host, Judgement, KnownHosts, Verdict};
use crate::driver::sync::Mutex;
use crate::driver::{unix_time, HostKeyChange, HostKeyJudge, Judged, KeyUpdates};
use crate::error::{Error, HostKeyFault};
use crate::keys::certificate::{CertificateCheck, CertificateKind};
use crate::keys::{PublicKey, ShownKey};

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

    /// What follows from the certificate alone; `None` where its authority is unknown, so that the key must do.
    fn judge_certificate(&self, shown: &ShownKey) -> Result<Option<Judged>, Error> {
        let Some(certificate) = &shown.certificate else {
            return Ok(None);
        };
        let authority = certificate.authority();
        let judgement = self.known.judge_authority(&self.host, authority)?;
        let judged = match judgement.verdict {
            Verdict::Match => {
                let wanted = CertificateCheck {
                    kind: CertificateKind::Host,
                    principals: &[self.host.bare_name()],
                    now: unix_time(),
                    address: None,
                };
                // Whoever is known to be the authority of a host has the last word on its keys.
                match certificate.check(&wanted) {
                    Ok(_) => Judged::Accept,
                    Err(fault) => Judged::Refuse(HostKeyFault::Certificate {
                        host: self.host.name().to_owned(),
                        fault: Box::new(fault),
                    }),
                }
            }
            Verdict::Revoked => Judged::Refuse(judgement.fault(&self.host, authority)),
            Verdict::Unknown | Verdict::OtherTypeKnown | Verdict::Changed => return Ok(None),
        };
        *self.judgement.lock() = Some(judgement);
        Ok(Some(judged))
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

    fn judge(&self, shown: &ShownKey) -> Result<Judged, Error> {
        let key = &shown.key;
        let judgement = self.known.judge(&self.host, key)?;
        if judgement.verdict != Verdict::Revoked {
            if let Some(judged) = self.judge_certificate(shown)? {
                return Ok(judged);
            }
        }
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

    fn updates(&self) -> KeyUpdates {
        KeyUpdates::Ask
    }

    fn compare(&self, offered: &[PublicKey]) -> Result<Option<HostKeyChange>, Error> {
        match self.judgement() {
            Some(judgement) => self.known.compare(&self.host, &judgement, offered),
            // Something else has decided about the server's key.
            None => Ok(None),
        }
    }

    fn keep(&self, change: &HostKeyChange) -> Result<(), Error> {
        self.known.change_keys(&self.host, change, Hashing::AsThere)
    }
}
