//! Giving commands and the application's answers to the services.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use super::channel::Channel;
use super::engine::Engine;
use super::serving::{After, Serving};
use super::shared::Shared;
use crate::auth::AuthDecision;
use crate::connection::{ChannelId, GlobalRequestId, OpenRefusal, RequestId};
use crate::endpoint::Services;
use crate::error::Error;

impl Shared {
    /// Does what must be done without locks: signatures. Then the services learn the result. Those that are made
    /// elsewhere may take long, and are waited for on a thread of the callback pool: this one may be an I/O thread, with
    /// the receiving lock held.
    pub(crate) fn after(self: &Arc<Self>, work: Vec<After>) {
        for item in work {
            let outcome = match item {
                After::Sign(job) if job.key.signs_elsewhere() => {
                    self.on_the_pool(move |shared| {
                        let signature = job.key.sign(job.algorithm, &job.data);
                        // Late, nobody waits for it any more.
                        let _ = shared.serve_all(|serving| {
                            let services = serving.services()?;
                            services.provide_signature(job.id, signature)?;
                            serving.attempt.resume();
                            Ok(())
                        });
                        shared.attend_later();
                    })
                }
                After::SignHash(job) => self.on_the_pool(move |shared| {
                    let signature = job.sign();
                    if let Err(error) = shared.hash_signed(signature) {
                        shared.end(error);
                    }
                }),
                After::Readable(waits) => {
                    waits.readable.notify_all();
                    Ok(())
                }
                After::Call => {
                    let wait = std::mem::take(&mut self.serving.lock().jobs_wait);
                    if wait {
                        self.run_jobs();
                    }
                    Ok(())
                }
                After::Shrink => {
                    self.give_sending_back();
                    Ok(())
                }
                After::Prove(job) => self.on_the_pool(move |shared| shared.prove_host_keys(&job)),
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

    /// Runs something that may take long where it holds up nobody.
    fn on_the_pool(
        self: &Arc<Self>,
        run: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), Error> {
        let shared = Arc::clone(self);
        Engine::get()?.pool().spawn(Box::new(move || run(&shared)));
        Ok(())
    }

    /// Goes on with a key exchange that waited for a signature.
    fn hash_signed(self: &Arc<Self>, signature: Result<Vec<u8>, Error>) -> Result<(), Error> {
        let now = Instant::now();
        let mut receiving = self.receiving.lock();
        let receiving = &mut *receiving;
        let Some(inbound) = &mut receiving.inbound else {
            return Err(Error::Bug("a signature before the start"));
        };
        if self.has_ended.load(Ordering::Acquire) {
            return Ok(());
        }
        let outcome = inbound.provide_signature(signature, now, &mut receiving.actions);
        self.apply(receiving, now)?;
        outcome
    }

    /// Gives a command to the services, then settles and sends what it caused.
    pub(crate) fn serve<R>(
        self: &Arc<Self>,
        run: impl FnOnce(&mut Services) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.serve_all(|serving| run(serving.services()?))
    }

    fn serve_all<R>(
        self: &Arc<Self>,
        run: impl FnOnce(&mut Serving) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut after = Vec::new();
        let result = {
            let mut serving = self.serving.lock();
            serving.alive()?;
            serving.services()?;
            let result = run(&mut serving);
            serving.settle(self, &mut after);
            result
        };
        self.after(after);
        self.flush_unless_answer_comes();
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
        self.flush_for_application();
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
