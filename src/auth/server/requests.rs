//! What each request of the client leads to, by method.

use zeroize::Zeroizing;

use super::{
    count, service_not_available, Asked, AuthQuestionKind, Progress, ServerAuth, ServerAuthEvent,
    Sink, State, VerifyJob,
};
use crate::auth::methods::publickey::{self, Subject};
use crate::auth::methods::{keyboard_interactive, password};
use crate::auth::SERVICE_CONNECTION;
use crate::codec::DecodeError;
use crate::error::Error;
use crate::keys::PublicKey;
use crate::messages::userauth::{
    MethodFields, UserauthRequest, METHOD_KEYBOARD_INTERACTIVE, METHOD_PASSWORD, METHOD_PUBLICKEY,
    METHOD_PUBLICKEY_HOSTBOUND,
};
use crate::messages::MessageNumber;

impl ServerAuth {
    /// Takes a new request: counts it, and sees whose it is.
    pub(super) fn request(&mut self, payload: &[u8], sink: &mut Sink<'_>) -> Result<(), Error> {
        let invalid = Error::invalid(MessageNumber::USERAUTH_REQUEST);
        let request = UserauthRequest::decode(payload).map_err(invalid)?;
        count(
            &mut self.counts.requests,
            self.config.max_requests,
            "requests",
        )?;
        if request.service != SERVICE_CONNECTION {
            return Err(service_not_available(request.service));
        }
        if self.progress.user.as_deref() != Some(request.user) {
            self.progress = Progress {
                user: Some(request.user.to_owned()),
                ..Progress::default()
            };
            if self.config.ask_methods && !request.user.contains('\0') {
                let request = Zeroizing::new(payload.to_vec());
                self.ask(Asked::Methods(request), AuthQuestionKind::Methods, sink);
                return Ok(());
            }
        }
        self.attempt(payload, sink)
    }

    /// Looks at a request of the present user's.
    pub(super) fn attempt(&mut self, payload: &[u8], sink: &mut Sink<'_>) -> Result<(), Error> {
        let invalid = Error::invalid(MessageNumber::USERAUTH_REQUEST);
        let request = UserauthRequest::decode(payload).map_err(&invalid)?;
        let fields = match MethodFields::decode(&request) {
            Ok(fields) => fields,
            // Bytes after a signature prove nothing and need not end the connection.
            Err(DecodeError::TrailingBytes)
                if [METHOD_PUBLICKEY, METHOD_PUBLICKEY_HOSTBOUND].contains(&request.method) =>
            {
                return self.fail(sink);
            }
            Err(fault) => return Err(invalid(fault)),
        };
        // A name that ends early for a program in C is a name for two users.
        if request.user.contains('\0') {
            return self.fail(sink);
        }
        match fields {
            MethodFields::None => self.none(sink),
            MethodFields::Password {
                password,
                new_password,
            } => match password::presented(password, new_password) {
                Some(password) if self.offers(METHOD_PASSWORD) => {
                    self.ask(Asked::Password, AuthQuestionKind::Password(password), sink);
                    Ok(())
                }
                _ => self.fail(sink),
            },
            // Bound to another host key than ours, it was made for another server.
            MethodFields::PublicKey {
                host_key: Some(named),
                ..
            } if Some(named) != self.host_key.as_deref() => self.fail(sink),
            MethodFields::PublicKey {
                algorithm,
                blob,
                signature: None,
                ..
            } => self.key_query(algorithm, blob, sink),
            MethodFields::PublicKey {
                algorithm,
                blob,
                host_key,
                signature: Some(signature),
            } => {
                let user = self.user().to_owned();
                let subject = Subject {
                    user: &user,
                    algorithm,
                    blob,
                    host_key,
                };
                self.signed_request(subject, signature, sink)
            }
            MethodFields::KeyboardInteractive { submethods, .. } => {
                if !self.offers(METHOD_KEYBOARD_INTERACTIVE) {
                    return self.fail(sink);
                }
                let submethods = submethods.to_owned();
                self.ask(
                    Asked::Interactive,
                    AuthQuestionKind::InteractiveStart { submethods },
                    sink,
                );
                Ok(())
            }
            MethodFields::Other => self.fail(sink),
        }
    }

    fn offers(&self, method: &str) -> bool {
        self.offered().iter().any(|offered| offered == method)
    }

    /// RFC 4252 §5.2. The first is how clients ask for the methods, so it is free; after a partial success
    /// it is nothing but that.
    fn none(&mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        self.counts.none_requests = self.counts.none_requests.saturating_add(1);
        if self.progress.follow.is_none() {
            self.ask(Asked::None, AuthQuestionKind::None, sink);
            return Ok(());
        }
        self.refuse(&Asked::None, sink)
    }

    /// The key of a request, if it may be used at all.
    fn usable_key(&self, algorithm: &str, blob: &[u8]) -> Option<PublicKey> {
        let used = self.progress.used_keys.iter().any(|used| used == blob);
        if used || !self.offers(METHOD_PUBLICKEY) {
            return None;
        }
        publickey::presented(algorithm, blob, &self.config.sig_algs)
    }

    /// A request without a signature. Refusals have a limit of their own, because clients with many keys
    /// ask about each.
    fn key_query(
        &mut self,
        algorithm: &str,
        blob: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        count(
            &mut self.counts.key_queries,
            self.config.max_key_queries,
            "key queries",
        )?;
        match self.usable_key(algorithm, blob) {
            Some(key) => {
                let algorithm = algorithm.to_owned();
                let asked = Asked::Query {
                    algorithm: algorithm.clone(),
                    blob: blob.to_vec(),
                };
                self.ask(asked, AuthQuestionKind::KeyAsked { key, algorithm }, sink);
            }
            None => self.fail_uncounted(sink),
        }
        Ok(())
    }

    /// A request with a signature: verified before anybody is asked.
    fn signed_request(
        &mut self,
        subject: Subject<'_>,
        signature: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let Subject {
            algorithm, blob, ..
        } = subject;
        let key = match self.usable_key(algorithm, blob) {
            Some(key) if publickey::signature_is_labelled(signature, algorithm) => key,
            _ => return self.fail(sink),
        };
        let id = self.new_id();
        let algorithm = algorithm.to_owned();
        sink.events.push_back(ServerAuthEvent::Verify(VerifyJob {
            id,
            key: key.clone(),
            algorithm: algorithm.clone(),
            data: subject.signed_data(&self.session_id),
            signature: signature.to_vec(),
        }));
        self.state = State::ExpectVerified { id, key, algorithm };
        Ok(())
    }

    pub(super) fn info_response(
        &mut self,
        payload: &[u8],
        prompts: usize,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        count(
            &mut self.counts.requests,
            self.config.max_requests,
            "requests",
        )?;
        match keyboard_interactive::read_answers(payload, prompts)? {
            Some(answers) => {
                let kind = AuthQuestionKind::InteractiveAnswers { answers };
                self.ask(Asked::Interactive, kind, sink);
                Ok(())
            }
            None => self.fail(sink),
        }
    }
}
