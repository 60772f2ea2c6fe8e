//! Subsystems with a handler: each accepted request runs it on a thread of its own.

use std::collections::HashMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};

use super::channel::Channel;
use super::request::Question;
use super::shared::Shared;
use super::sys::{fork::PerProcess, thread};
use super::wait::Timeout;
use crate::connection::{ChannelId, ChannelRequest, RequestId};
use crate::error::Error;

/// Serves one request for a subsystem; returns the exit status to tell the client, if any.
pub type SubsystemHandler = Arc<dyn Fn(&Channel, &str) -> Option<u32> + Send + Sync>;

/// Most handlers that run at once for one transport.
const MAX_FOR_TRANSPORT: usize = 64;
/// Most handlers that run at once in the process.
const MAX_FOR_PROCESS: usize = 1024;

static RUNNING: PerProcess<AtomicUsize> = PerProcess::new();

/// The handlers of one transport.
#[derive(Default)]
pub(crate) struct Subsystems {
    handlers: HashMap<String, SubsystemHandler>,
    running: usize,
}

impl Subsystems {
    /// Sets or removes a handler; what has no use any more is returned, to be dropped without a lock.
    pub(crate) fn set(
        &mut self,
        name: &str,
        handler: Option<SubsystemHandler>,
        replace: bool,
    ) -> Option<SubsystemHandler> {
        match handler {
            Some(handler) if !replace && self.handlers.contains_key(name) => Some(handler),
            Some(handler) => self.handlers.insert(name.to_owned(), handler),
            None => self.handlers.remove(name),
        }
    }

    pub(crate) fn clear(&mut self) -> HashMap<String, SubsystemHandler> {
        std::mem::take(&mut self.handlers)
    }

    /// Whether the question is for a subsystem that has a handler.
    pub(crate) fn serve(&self, question: &Question) -> bool {
        matches!(
            question,
            Question::Channel {
                request: ChannelRequest::Subsystem(name),
                ..
            } if self.handlers.contains_key(name)
        )
    }
}

/// A place among the handlers that run.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Result<Self, Error> {
        let running = RUNNING.get_or_try_init(|| Ok::<_, Error>(AtomicUsize::new(0)))?;
        let mut serving = shared.serving.lock();
        if serving.subsystems.running >= MAX_FOR_TRANSPORT {
            return Err(Error::Limit("subsystem handlers of one transport"));
        }
        if running.fetch_add(1, Ordering::Relaxed) >= MAX_FOR_PROCESS {
            running.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::Limit("subsystem handlers of the process"));
        }
        serving.subsystems.running += 1;
        Ok(Place(Arc::clone(shared)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.serving.lock().subsystems.running -= 1;
        if let Ok(running) = RUNNING.get_or_try_init(|| Ok::<_, Error>(AtomicUsize::new(1))) {
            running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Shared {
    /// Says yes to a request for a subsystem, and then runs its handler if it has one. Where that cannot be, the
    /// request is refused.
    pub(crate) fn accept_subsystem(
        self: &Arc<Self>,
        id: ChannelId,
        request: RequestId,
        name: &str,
    ) -> Result<(), Error> {
        let handler = self.serving.lock().subsystems.handlers.get(name).cloned();
        let Some(handler) = handler else {
            return self.answer_request(id, request, true);
        };
        match self.prepare_handler(id, name, handler) {
            Ok(begin) => {
                // The reply is on its way before the handler can say anything.
                self.answer_request(id, request, true)?;
                // Fails only when the thread has gone, with its channel.
                let _ = begin.send(());
                Ok(())
            }
            Err(error) => {
                self.answer_request(id, request, false)?;
                Err(error)
            }
        }
    }

    /// A thread that waits for the word to run the handler; without one it ends.
    fn prepare_handler(
        self: &Arc<Self>,
        id: ChannelId,
        name: &str,
        handler: SubsystemHandler,
    ) -> Result<mpsc::Sender<()>, Error> {
        let place = Place::take(self)?;
        let channel = self.channel(id)?;
        let (begin, begun) = mpsc::channel();
        let name = name.to_owned();
        thread::spawn("sshwire-subsys", move || {
            let _place = place;
            if begun.recv().is_ok() {
                channel.claim();
                serve(&channel, &name, &handler);
            }
        })
        .map_err(|_| Error::Resource("a thread for a subsystem could not be started"))?;
        Ok(begin)
    }
}

fn serve(channel: &Channel, name: &str, handler: &SubsystemHandler) {
    let status = catch_unwind(AssertUnwindSafe(|| handler(channel, name)));
    // Each fails only when the channel has ended before.
    if let Ok(Some(status)) = status {
        let _ = channel.request(&ChannelRequest::ExitStatus(status), false, Timeout::NOW);
    }
    let _ = channel.send_eof();
    let _ = channel.close();
}
