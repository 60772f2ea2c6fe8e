//! Calling the application back: queued callbacks and log lines, each in order.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use super::engine::Engine;
use super::log::{hexdump, LogLevel, PROCESS_LOG};
use super::shared::Shared;

/// Most log lines that wait for the sink; more are dropped.
const MAX_LOG_LINES: usize = 4096;

impl Shared {
    /// Starts running the queued callbacks on the pool.
    pub(crate) fn run_jobs(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        if let Ok(engine) = Engine::get() {
            engine.pool().spawn(Box::new(move || {
                let _inside = super::inside::enter(shared.key);
                loop {
                    let job = {
                        let mut serving = shared.serving.lock();
                        match serving.jobs.pop_front() {
                            Some(job) => job,
                            None => {
                                serving.jobs_running = false;
                                break;
                            }
                        }
                    };
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                    shared.flush_after_callback();
                }
            }));
        }
    }

    /// Queues a log line for the transport's sink or the process's.
    pub(crate) fn log(self: &Arc<Self>, level: LogLevel, text: impl FnOnce() -> String) {
        if !self.log.wants(level) && !PROCESS_LOG.wants(level) {
            return;
        }
        // Looked at before the sink is taken: once taken it must end up in the queue, for dropping it here may
        // run a hook of the application's under our locks.
        if self.log_lines.lock().lines.len() >= MAX_LOG_LINES {
            return;
        }
        let sink = self.log.sink(level).or_else(|| PROCESS_LOG.sink(level));
        let Some(sink) = sink else { return };
        let name = self.names.lock().log_channel.clone();
        let text = text();
        let mut log = self.log_lines.lock();
        log.lines
            .push_back(Box::new(move || sink(level, &name, &text)));
        if !log.running {
            if let Ok(engine) = Engine::get() {
                log.running = true;
                let shared = Arc::clone(self);
                engine.pool().spawn(Box::new(move || shared.write_log()));
            }
        }
    }

    pub(crate) fn write_log(&self) {
        loop {
            let line = {
                let mut log = self.log_lines.lock();
                let Some(line) = log.lines.pop_front() else {
                    log.running = false;
                    return;
                };
                line
            };
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(line));
        }
    }

    /// Logs a payload in hex when that is switched on.
    pub(crate) fn dump(self: &Arc<Self>, direction: &str, payload: &[u8]) {
        if self.hexdump.load(Ordering::Relaxed) {
            self.log(LogLevel::Debug, || hexdump(direction, payload));
        }
    }
}
