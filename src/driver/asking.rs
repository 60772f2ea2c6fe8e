//! Questions on their way to the application: by callback, by pulling, or to nobody.

use std::sync::Arc;

use super::permitting::permit;
use super::pool::Job;
use super::request::{Question, Request, RequestKind};
use super::serving::{RequestCallback, Serving};
use super::shared::Shared;

/// Most questions that wait to be pulled; further ones are refused.
const MAX_PULLED: usize = 1024;
/// Most callbacks that wait for their turn; notifications beyond are dropped, questions refused.
const MAX_JOBS: usize = 4096;

impl Serving {
    /// Asks the application by its callback, or lets it pull; with neither the answer is no.
    pub(crate) fn ask(&mut self, shared: &Arc<Shared>, mut question: Question) {
        let permitted = self.permissions.as_ref();
        let refused = permitted.is_some_and(|permitted| !permit(permitted, &mut question));
        let kind = question.kind();
        let request = Request::new(Arc::clone(shared), question);
        if self.ended.is_some() || refused {
            self.refuse(shared, request);
        } else if let Some(stop) = self.forwards.take_listening(request.question()) {
            self.push_job(
                shared,
                Box::new(move || {
                    stop();
                    // Fails only when the session is over.
                    let _ = request.accept();
                }),
            );
        } else if let Some(callback) = self.callbacks.get(&kind).cloned() {
            self.call(shared, callback, request);
        } else if self.subsystems.serve(request.question()) && self.jobs.len() < MAX_JOBS {
            // A failure is a refusal, and was sent.
            self.push_job(shared, Box::new(move || drop(request.accept())));
        } else if self.pull && self.pulled.len() < MAX_PULLED {
            self.pulled.push_back(request);
            shared.progress.notify_all();
            if let Some(event) = shared.request_event() {
                event.set();
            }
        } else {
            self.refuse(shared, request);
        }
    }

    /// Hands a question to a callback, unless too many wait for theirs.
    pub(crate) fn call(
        &mut self,
        shared: &Arc<Shared>,
        callback: RequestCallback,
        request: Request,
    ) {
        if self.jobs.len() < MAX_JOBS {
            self.push_job(shared, Box::new(move || callback(request)));
        } else {
            self.refuse(shared, request);
        }
    }

    /// Nobody answers: a job drops the question, for answering "no" takes the locks.
    fn refuse(&mut self, shared: &Arc<Shared>, request: Request) {
        self.push_job(shared, Box::new(move || drop(request)));
    }

    /// Queues a callback; callbacks of one transport run one at a time and in order.
    pub(crate) fn push_job(&mut self, shared: &Arc<Shared>, job: Job) {
        self.jobs.push_back(job);
        if !self.jobs_running {
            self.jobs_running = true;
            if self.settling {
                self.jobs_wait = true;
            } else {
                shared.run_jobs();
            }
        }
    }

    /// The authentication methods that somebody is there to decide about.
    pub(crate) fn answerable_methods(&self) -> Vec<String> {
        let methods = [
            (RequestKind::AuthKeyProven, "publickey"),
            (RequestKind::AuthPassword, "password"),
            (RequestKind::AuthInteractive, "keyboard-interactive"),
        ];
        methods
            .into_iter()
            .filter(|(kind, _)| self.is_asked(*kind))
            .map(|(_, method)| method.to_owned())
            .collect()
    }

    /// Whether somebody is there to say which methods a user has. Who pulls questions but has callbacks for those of
    /// authentication may not pull before somebody is in, and would be waited for.
    pub(crate) fn is_asked_for_methods(&self) -> bool {
        let has = |kind| self.callbacks.contains_key(&kind);
        let authenticates = [
            RequestKind::AuthNone,
            RequestKind::AuthPassword,
            RequestKind::AuthKeyProven,
            RequestKind::AuthInteractive,
        ];
        has(RequestKind::AuthMethods) || (self.pull && !authenticates.into_iter().any(has))
    }

    /// Whether somebody is there to answer questions of this kind.
    pub(crate) fn is_asked(&self, kind: RequestKind) -> bool {
        self.pull || self.callbacks.contains_key(&kind)
    }
}
