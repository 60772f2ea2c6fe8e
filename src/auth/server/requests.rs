//! What each request of the client leads to, by method.

use zeroize::Zeroizing;

use super::{
    count, service_not_available, Asked, AuthQuestionKind, Progress, Proof, ServerAuth,
    ServerAuthEvent, Sink, State, VerifyJob,
};
use crate::auth::methods::publickey::{self, Subject};
use crate::auth::methods::{keyboard_interactive, password};
use crate::auth::SERVICE_CONNECTION;
use crate::codec::DecodeError;
use crate::error::{CertificateFault, Error};
use crate::keys::{Attendance, Permissions, ShownKey};
use crate::messages::userauth::{
    MethodFields, UserauthRequest, METHOD_KEYBOARD_INTERACTIVE, METHOD_PASSWORD, METHOD_PUBLICKEY,
    METHOD_PUBLICKEY_HOSTBOUND,
};
use crate::messages::MessageNumber;

/// A key that may be used, if it is proven.
struct Usable {
    shown: ShownKey,
    algorithm: &'static str,
    permissions: Option<Permissions>,
}

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

    /// The key of a request, if it may be used at all: the algorithm it signs with, and what its certificate permits.
    fn usable_key(&self, algorithm: &str, blob: &[u8], sink: &mut Sink<'_>) -> Option<Usable> {
        if !self.offers(METHOD_PUBLICKEY) {
            return None;
        }
        let (shown, algorithm) = publickey::presented(algorithm, blob, &self.config.sig_algs)?;
        // One key counts once, in whatever it is shown.
        let used = &self.progress.used_keys;
        if used.iter().any(|used| used == shown.key.blob()) {
            return None;
        }
        match self.judge(&shown) {
            Ok(permissions) => Some(Usable {
                shown,
                algorithm,
                permissions,
            }),
            Err(fault) => {
                self.key_refused(&shown, fault, sink);
                None
            }
        }
    }

    fn judge(&self, shown: &ShownKey) -> Result<Option<Permissions>, CertificateFault> {
        match (&self.config.keys, &shown.certificate) {
            (Some(judge), _) => judge.judge(self.user(), shown),
            (None, None) => Ok(None),
            (None, Some(certificate)) => {
                let authority = certificate.authority().fingerprint();
                Err(CertificateFault::Authority(authority))
            }
        }
    }

    fn key_refused(&self, shown: &ShownKey, fault: CertificateFault, sink: &mut Sink<'_>) {
        sink.events.push_back(ServerAuthEvent::KeyRefused {
            user: self.user().to_owned(),
            shown: Box::new(shown.clone()),
            fault,
        });
    }

    /// What a security key must attest: by default that somebody was there, and that it knows who where the certificate
    /// says so. A plain key attests nothing, which is not enough then.
    fn is_attended(
        &self,
        usable: &Usable,
        attendance: Option<Attendance>,
        sink: &mut Sink<'_>,
    ) -> bool {
        let permissions = usable.permissions.as_ref();
        if permissions.is_some_and(|permissions| permissions.verify_required)
            && !attendance.is_some_and(Attendance::is_verified)
        {
            self.key_refused(&usable.shown, CertificateFault::NotVerified, sink);
            return false;
        }
        if !usable.shown.key.kind().is_security_key() {
            return true;
        }
        let touch = self.config.touch_required
            && permissions.is_none_or(|permissions| permissions.touch_required);
        attendance.is_some_and(|seen| seen.is_present() || !touch)
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
        match self.usable_key(algorithm, blob, sink) {
            Some(usable) => {
                let asked = Asked::Query {
                    algorithm: algorithm.to_owned(),
                    blob: blob.to_vec(),
                };
                let kind = AuthQuestionKind::KeyAsked {
                    key: usable.shown.key,
                    algorithm: usable.algorithm.to_owned(),
                    certificate: usable.shown.certificate,
                };
                self.ask(asked, kind, sink);
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
        let Some(usable) = self.usable_key(algorithm, blob, sink) else {
            return self.fail(sink);
        };
        let is_security_key = usable.shown.key.kind().is_security_key();
        let attendance = Attendance::of(signature).filter(|_| is_security_key);
        if !publickey::signature_is_labelled(signature, usable.algorithm)
            || !self.is_attended(&usable, attendance, sink)
        {
            return self.fail(sink);
        }
        let id = self.new_id();
        sink.events.push_back(ServerAuthEvent::Verify(VerifyJob {
            id,
            key: usable.shown.key.clone(),
            algorithm: usable.algorithm.to_owned(),
            data: subject.signed_data(&self.session_id),
            signature: signature.to_vec(),
        }));
        let proof = Box::new(Proof {
            shown: usable.shown,
            algorithm: usable.algorithm,
            permissions: usable.permissions,
            attendance,
        });
        self.state = State::ExpectVerified { id, proof };
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
