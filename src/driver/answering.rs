//! Giving commands and the application's answers to the services.

use std::sync::Arc;
use std::time::Instant;

use super::channel::Channel;
use super::serving::After;
use super::shared::Shared;
use crate::auth::AuthDecision;
use crate::connection::{ChannelId, GlobalRequestId, OpenRefusal, RequestId};
use crate::endpoint::Services;
use crate::error::Error;

impl Shared {
    /// Does what must be done without locks: signatures. Then the services learn the result.
    pub(crate) fn after(self: &Arc<Self>, work: Vec<After>) {
        for item in work {
            let outcome = match item {
                After::Sign(job) => {
                    let signature = job.key.sign(job.algorithm, &job.data);
                    self.serve(|services| services.provide_signature(job.id, signature))
                }
                After::Verify(job) => {
                    let good = job.is_good();
                    self.serve(|services| services.verified(job.id, good, Instant::now()))
                }
            };
            if let Err(error) = outcome {
                self.end(error);
            }
        }
    }

    /// Gives a command to the services, then settles and sends what it caused.
    pub(crate) fn serve<R>(
        self: &Arc<Self>,
        run: impl FnOnce(&mut Services) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut after = Vec::new();
        let result = {
            let mut serving = self.serving.lock();
            serving.alive()?;
            let result = run(serving.services()?);
            serving.settle(self, &mut after);
            result
        };
        self.after(after);
        self.flush();
        result
    }

    pub(crate) fn answer_auth(
        self: &Arc<Self>,
        question: u64,
        decision: AuthDecision,
    ) -> Result<(), Error> {
        let outcome =
            self.serve(|services| services.answer_auth(question, decision, Instant::now()));
        if let Err(error @ Error::AuthLimit(_)) = outcome {
            // The last FAILURE is on its way; now goodbye.
            self.end(error);
            return Ok(());
        }
        outcome
    }

    /// The application's word on a channel that the peer wants to open.
    pub(crate) fn answer_open(
        self: &Arc<Self>,
        id: ChannelId,
        decision: Result<(), OpenRefusal>,
        queue: bool,
    ) -> Result<(), Error> {
        let accepted = decision.is_ok();
        {
            let mut serving = self.serving.lock();
            serving.alive()?;
            let services = serving.services()?;
            services.connection.advance(Instant::now());
            services
                .connection
                .answer_open(id, decision, &mut services.out)?;
            if !accepted {
                serving.channels.remove(&id);
            } else if let Some(entry) = serving.channels.get_mut(&id) {
                entry.opened = Some(Ok(()));
                entry.unclaimed = queue;
                if queue {
                    serving.accepted.push_back(id);
                    serving.begun.channel_came();
                    self.progress.notify_all();
                }
            }
        }
        self.flush();
        Ok(())
    }

    /// The application's word on a request of a channel.
    pub(crate) fn answer_request(
        self: &Arc<Self>,
        id: ChannelId,
        request: RequestId,
        ok: bool,
    ) -> Result<(), Error> {
        self.serve(|services| {
            services
                .connection
                .answer_request(id, request, ok, &mut services.out)
        })
    }

    /// The application's word on a global request.
    pub(crate) fn answer_global(
        self: &Arc<Self>,
        id: GlobalRequestId,
        answer: Result<Vec<u8>, ()>,
    ) -> Result<(), Error> {
        self.serve(|services| {
            services
                .connection
                .answer_global(id, answer, &mut services.out)
        })
    }

    /// A handle for a channel that the driver knows.
    pub(crate) fn channel(self: &Arc<Self>, id: ChannelId) -> Result<Channel, Error> {
        let mut serving = self.serving.lock();
        let entry = serving.channels.get_mut(&id).ok_or(Error::Closed)?;
        entry.handles += 1;
        Ok(Channel::new(Arc::clone(self), id, Arc::clone(&entry.waits)))
    }
}
