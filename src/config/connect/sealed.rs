//! A private key behind a passphrase, which is asked for when a signature is wanted and not before.

use zeroize::Zeroizing;

use super::identity::shown;
use super::person::Person;
use crate::driver::sync::Mutex;
use crate::driver::RequestKind;
use crate::error::{Error, KeyFault};
use crate::keys::{ExternalSigner, PrivateKey, PublicKey};

/// Who tells passphrases.
pub(super) trait Asker: Send + Sync {
    /// How often one passphrase may be asked for.
    fn tries(&self) -> u64;

    /// The passphrase of a key file; `None` where nobody tells it.
    ///
    /// # Errors
    /// What ends the login.
    fn passphrase(&self, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error>;
}

impl Asker for Person {
    fn tries(&self) -> u64 {
        Person::tries(self)
    }

    fn passphrase(&self, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let prompt = format!("Enter passphrase for key '{}': ", shown(path));
        self.ask(RequestKind::Passphrase, path, prompt)
    }
}

/// An encrypted private key. It is opened once at most, for the key and its certificates.
pub(super) struct Sealed {
    path: String,
    bytes: Zeroizing<Vec<u8>>,
    /// Its public half, as far as that is known already.
    public: Option<PublicKey>,
    asker: Box<dyn Asker>,
    /// A leaf, not held while anybody is asked.
    state: Mutex<State>,
}

#[derive(Clone)]
enum State {
    Shut,
    Open(PrivateKey),
    /// It stays shut; why.
    Lost(String),
}

impl Sealed {
    pub(super) fn new(
        path: &str,
        bytes: Zeroizing<Vec<u8>>,
        public: Option<PublicKey>,
        asker: Box<dyn Asker>,
    ) -> Self {
        Sealed {
            path: path.to_owned(),
            bytes,
            public,
            asker,
            state: Mutex::new(State::Shut),
        }
    }

    pub(super) fn public(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    /// The key, if it has been opened.
    pub(super) fn opened(&self) -> Option<PrivateKey> {
        match &*self.state.lock() {
            State::Open(key) => Some(key.clone()),
            _ => None,
        }
    }

    /// Why it stays shut.
    pub(super) fn lost(&self) -> Option<String> {
        match &*self.state.lock() {
            State::Lost(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// The key. Asks for its passphrase unless that was done before.
    ///
    /// # Errors
    /// `Key` when it stays shut; what else ends the login.
    pub(super) fn open(&self) -> Result<PrivateKey, Error> {
        let state = self.state.lock().clone();
        match state {
            State::Open(key) => return Ok(key),
            State::Lost(_) => return Err(KeyFault::PassphraseMissing.into()),
            State::Shut => {}
        }
        let (state, outcome) = match self.ask() {
            Ok(key) => (State::Open(key.clone()), Ok(key)),
            Err((why, error)) => (State::Lost(why), Err(error)),
        };
        *self.state.lock() = state;
        outcome
    }

    fn ask(&self) -> Result<PrivateKey, (String, Error)> {
        let lost = |why: &str, fault: KeyFault| (why.to_owned(), fault.into());
        if self.asker.tries() == 0 {
            let why = "nobody may be asked for its passphrase";
            return Err(lost(why, KeyFault::PassphraseMissing));
        }
        for _ in 0..self.asker.tries() {
            let told = self.asker.passphrase(&self.path);
            let told = told.map_err(|error| (error.to_string(), error))?;
            // Nothing typed: on to the next key.
            let Some(passphrase) = told.filter(|passphrase| !passphrase.is_empty()) else {
                let why = "no passphrase was given";
                return Err(lost(why, KeyFault::PassphraseMissing));
            };
            match PrivateKey::load(&self.bytes, Some(&passphrase)) {
                Ok(key) if self.public.as_ref().is_some_and(|it| it != key.public()) => {
                    let why = "the file with its public half holds another key";
                    return Err(lost(why, KeyFault::Malformed("another public key")));
                }
                Ok(key) => return Ok(key),
                Err(Error::Key(KeyFault::PassphraseWrong)) => {}
                Err(error) => return Err((error.to_string(), error)),
            }
        }
        Err(lost("no passphrase fits", KeyFault::PassphraseWrong))
    }
}

impl ExternalSigner for Sealed {
    fn sign(&self, algorithm: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        self.open()?.sign(algorithm, data)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::keys::test_support::{fixture, PASSPHRASE};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::Arc;

    /// Tells what it was told, and counts.
    #[derive(Clone)]
    pub(in crate::config::connect) struct Told {
        pub(in crate::config::connect) says: &'static [&'static str],
        pub(in crate::config::connect) asked: Arc<AtomicU64>,
    }

    impl Told {
        pub(in crate::config::connect) fn new(says: &'static [&'static str]) -> Self {
            Told {
                says,
                asked: Arc::default(),
            }
        }

        pub(in crate::config::connect) fn asked(&self) -> u64 {
            self.asked.load(Ordering::Relaxed)
        }
    }

    impl Asker for Told {
        fn tries(&self) -> u64 {
            3
        }

        fn passphrase(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
            let turn = self.asked.fetch_add(1, Ordering::Relaxed);
            let says = self.says.get(usize::try_from(turn).unwrap());
            Ok(says.map(|says| Zeroizing::new(says.as_bytes().to_vec())))
        }
    }

    fn sealed(told: &Told, public: Option<PublicKey>) -> Sealed {
        let bytes = Zeroizing::new(fixture("ed25519.openssh.aes256-ctr"));
        Sealed::new("file", bytes, public, Box::new(told.clone()))
    }

    const GOOD: &str = "correct horse";

    #[test]
    fn nobody_is_asked_twice() {
        assert_eq!(GOOD.as_bytes(), PASSPHRASE);
        let told = Told::new(&["wrong", GOOD]);
        let key = sealed(&told, None);
        assert_eq!(told.asked(), 0);
        assert!(key.opened().is_none());
        for _ in 0..3 {
            key.sign("ssh-ed25519", b"data").unwrap();
        }
        assert_eq!(told.asked(), 2);
        assert!(key.opened().is_some() && key.lost().is_none());
    }

    #[test]
    fn a_key_that_stays_shut_says_why() {
        for (says, asked, why) in [
            (&["a", "b", "c", GOOD][..], 3, "no passphrase fits"),
            (&[""][..], 1, "no passphrase was given"),
            (&[][..], 1, "no passphrase was given"),
            (&["a"][..], 2, "no passphrase was given"),
        ] {
            let told = Told::new(says);
            let key = sealed(&told, None);
            for _ in 0..2 {
                assert!(matches!(key.open(), Err(Error::Key(_))));
            }
            assert_eq!(told.asked(), asked);
            assert_eq!(key.lost().as_deref(), Some(why));
        }
    }

    #[test]
    fn a_public_half_of_another_key_is_found_out() {
        let (other, _) = PublicKey::load(&fixture("p256.pub")).unwrap();
        let key = sealed(&Told::new(&[GOOD]), Some(other));
        assert!(key.open().is_err());
        assert!(key.lost().unwrap().contains("another key"));
    }
}
