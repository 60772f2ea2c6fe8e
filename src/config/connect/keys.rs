//! Logging in with keys: those of the agent, those in files, and certificates.

use std::path::Path;

use super::identity::{self, shown, Identity};
use super::login::{Login, Step, ATTEMPT};
use super::offers::{Accepted, Material, Offer, Offered};
use super::place::{self, AgentPlace};
use super::policy;
use super::sealed::Sealed;
use crate::agent::{concerns_the_key, AgentSession, Constraints};
use crate::auth::ClientMethod;
use crate::codec::printable;
use crate::config::Resolved;
use crate::crypto::algorithms::apply;
use crate::crypto::preferences;
use crate::driver::LogLevel;
use crate::error::{AgentFault, Error};
use crate::keys::Credential;

/// The keys of one login.
#[derive(Default)]
pub(super) struct Keys {
    offers: std::vec::IntoIter<Offer>,
    accepted: Accepted,
    /// Ends with the login; its keys do not sign without it.
    agent: Option<AgentSession>,
    /// How many the server has been asked about.
    pub(super) tried: usize,
}

/// The names of algorithms that users' keys may be shown under.
fn algorithms(resolved: &Resolved) -> Result<Vec<&'static str>, Error> {
    let usual = preferences::default_user_key();
    let keyword = "PubkeyAcceptedAlgorithms";
    let Some(value) = resolved.values(keyword).and_then(<[_]>::first) else {
        return Ok(usual);
    };
    let known = preferences::known_user_key();
    apply(&usual, &known, &value.text).map_err(|unknown| value.fault(unknown.to_string()))
}

/// What AddKeysToAgent says about the use of keys that are added.
fn constraints(text: &str) -> Constraints {
    let mut words = text.split(' ').peekable();
    let confirm = words.next_if_eq(&"confirm").is_some();
    Constraints {
        lifetime_s: words.next().and_then(|time| time.parse().ok()).unwrap_or(0),
        confirm,
    }
}

impl Login<'_> {
    /// Each key is tried once, however many steps there are.
    pub(super) fn try_keys(&mut self) -> Result<Step, Error> {
        if self.keys.is_none() {
            let keys = self.gather()?;
            self.keys = Some(keys);
        }
        while self.allows("publickey") {
            let Some(offer) = self.keys.as_mut().and_then(|keys| keys.offers.next()) else {
                break;
            };
            let step = self.offer(&offer)?;
            if !matches!(step, Step::Refused) {
                return Ok(step);
            }
        }
        Ok(Step::Refused)
    }

    fn offer(&mut self, offer: &Offer) -> Result<Step, Error> {
        let Some(key) = self.credential(offer)? else {
            return Ok(Step::Refused);
        };
        self.count(|tried| tried.saturating_add(1));
        // Who signs elsewhere may be a person, who has all the time there is.
        let most = (!key.signs_elsewhere()).then_some(ATTEMPT);
        let method = ClientMethod::PublicKey { key, probe: true };
        match self.attempt(method, most) {
            Err(error) if concerns_the_key(&error) && self.transport.cause().is_none() => {
                let lost = offer.sealed().and_then(Sealed::lost);
                let why = lost.unwrap_or_else(|| error.to_string());
                self.note(format!("{} is not used: {why}", offer.label));
                // The server has not refused it.
                self.count(|tried| tried.saturating_sub(1));
                Ok(Step::Refused)
            }
            Ok(step @ (Step::In | Step::Partial)) => {
                self.keep(offer)?;
                Ok(step)
            }
            outcome => outcome,
        }
    }

    fn count(&mut self, change: impl FnOnce(usize) -> usize) {
        if let Some(keys) = &mut self.keys {
            keys.tried = change(keys.tried);
        }
    }

    /// AddKeysToAgent: a key of a file that was good here is good in the agent. It is no reason to fail that it does not
    /// get there.
    fn keep(&self, offer: &Offer) -> Result<(), Error> {
        let text = self.resolved.text("AddKeysToAgent").unwrap_or("no");
        let agent = self.keys.as_ref().and_then(|keys| keys.agent.as_ref());
        let (Some(agent), Some(key)) = (agent, offer.opened()) else {
            return Ok(());
        };
        let question = || format!("Add key {} to the agent? (yes/no) ", offer.label);
        let wanted = match text {
            "no" => false,
            "ask" => self.person.agrees(&offer.label, question())?,
            _ => true,
        };
        if wanted {
            let key = match key.comment() {
                "" => key.with_comment(&offer.label),
                _ => key,
            };
            let _ = agent.add(&key, constraints(text));
        }
        Ok(())
    }

    /// What is shown to the server. The passphrase comes first only where nothing else tells what that is.
    fn credential(&mut self, offer: &Offer) -> Result<Option<Credential>, Error> {
        let sealed = match (&offer.key, offer.sealed()) {
            (Offered::Known(credential), _) => return Ok(Some(credential.clone())),
            (Offered::Hidden, Some(sealed)) => sealed,
            (Offered::Hidden, None) => return Err(Error::Bug("a hidden key of no file")),
        };
        let key = match sealed.open() {
            Ok(key) => Credential::from(key),
            Err(error @ Error::Key(_)) => {
                let why = sealed.lost().unwrap_or_else(|| error.to_string());
                self.note(format!("{} is not used: {why}", offer.label));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let keys = self.keys.as_ref();
        let keys = keys.ok_or(Error::Bug("a key of none that were gathered"))?;
        match keys.accepted.limit(&key, &offer.label) {
            Ok(limited) => Ok(Some(limited)),
            Err(note) => {
                self.note(note);
                Ok(None)
            }
        }
    }

    /// Finds out what there is. The files of keys are read, and none is opened.
    fn gather(&mut self) -> Result<Keys, Error> {
        let accepted = Accepted {
            algorithms: algorithms(self.resolved)?,
            min_rsa_bits: policy::min_rsa_bits(self.resolved),
        };
        let mut notes = Vec::new();
        let mut material = Material {
            identities_only: self.resolved.is_yes("IdentitiesOnly"),
            accepted: accepted.clone(),
            ..Material::default()
        };
        for value in self.resolved.values("CertificateFile").unwrap_or_default() {
            let path = value.text.as_str();
            match identity::read_certificate(path) {
                Ok(Some(certificate)) => material.certificates.push((path.into(), certificate)),
                Ok(None) => notes.push(format!("{} does not exist", shown(path))),
                Err(note) => notes.push(note),
            }
        }
        // Who names certificates does not want others.
        let beside = self.resolved.texts("CertificateFile").next().is_none();
        for value in self.resolved.values("IdentityFile").unwrap_or_default() {
            let asker = Box::new(self.person.clone());
            let identity = Identity::of(value, beside, asker, &mut notes);
            material.identities.push(identity);
        }
        let agent = self.connect_agent(&mut material, &mut notes)?;
        for why in material.exposed() {
            self.transport.log(LogLevel::Warning, || why.to_owned());
        }
        let (offers, more) = material.into_offers();
        if offers.is_empty()
            && matches!(
                place::of(self.resolved, self.surroundings),
                AgentPlace::Unset
            )
        {
            notes.push(AgentFault::Nowhere.to_string());
        }
        notes
            .into_iter()
            .chain(more)
            .for_each(|note| self.note(note));
        Ok(Keys {
            offers: offers.into_iter(),
            accepted,
            agent,
            tried: 0,
        })
    }

    /// The agent, whose keys are added to `material`. One that does not answer is no reason to give up.
    fn connect_agent(
        &self,
        material: &mut Material,
        notes: &mut Vec<String>,
    ) -> Result<Option<AgentSession>, Error> {
        let AgentPlace::At(socket) = place::of(self.resolved, self.surroundings) else {
            return Ok(None);
        };
        let session = AgentSession::connect(Path::new(&socket), self.transport, self.deadline);
        let asked = session.and_then(|session| Ok((session.held()?, session)));
        let socket = printable(socket.as_bytes(), 200);
        match asked {
            Ok((held, session)) => {
                if held.is_empty() {
                    notes.push(format!(
                        "the agent at {socket} has no keys; add one with ssh-add"
                    ));
                }
                material.held = held;
                Ok(Some(session))
            }
            Err(Error::Agent(fault @ AgentFault::Unreachable { .. })) => {
                notes.push(format!(
                    "{fault}; start one with ssh-agent, or name its socket"
                ));
                Ok(None)
            }
            Err(Error::Agent(fault)) => {
                notes.push(format!("the agent at {socket} is not used: {fault}"));
                Ok(None)
            }
            Err(error @ Error::Timeout(_)) if !self.deadline.has_passed() => {
                notes.push(format!("the agent at {socket} is not used: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_constrained() {
        for (text, lifetime_s, confirm) in [
            ("yes", 0, false),
            ("ask", 0, false),
            ("confirm", 0, true),
            ("300", 300, false),
            ("confirm 60", 60, true),
        ] {
            let expected = Constraints {
                lifetime_s,
                confirm,
            };
            assert_eq!(constraints(text), expected, "{text}");
        }
    }
}
