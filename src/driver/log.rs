//! Log lines of a transport: levels, a name, a sink. Secrets never get here.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::Arc;

use super::sync::Mutex;
use crate::codec::printable;
use crate::messages::MessageNumber;

/// How important a line is. A sink gets the lines of its level and above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every packet and decision.
    Debug = 1,
    /// What a user may want to know.
    Info = 2,
    /// Something is odd.
    Warning = 3,
    /// Something failed.
    Error = 4,
}

/// Takes level, log name and text.
pub type LogSink = Arc<dyn Fn(LogLevel, &str, &str) + Send + Sync>;

const OFF: u8 = u8::MAX;

/// Where log lines go: a sink and the lowest level it wants. Its lock is a leaf and is not held while the
/// sink runs.
pub struct LogTarget {
    level: AtomicU8,
    sink: Mutex<Option<LogSink>>,
}

/// The sink of transports that have none of their own.
pub static PROCESS_LOG: LogTarget = LogTarget::off();

impl LogTarget {
    /// No sink.
    pub const fn off() -> Self {
        LogTarget {
            level: AtomicU8::new(OFF),
            sink: Mutex::new(None),
        }
    }

    /// Sets or removes the sink.
    pub fn set(&self, level: LogLevel, sink: Option<LogSink>) {
        let wanted = if sink.is_some() {
            level_number(level)
        } else {
            OFF
        };
        let before = std::mem::replace(&mut *self.sink.lock(), sink);
        self.level.store(wanted, Ordering::Relaxed);
        // The application's destroy hook may run here, without the lock.
        drop(before);
    }

    /// Whether a line of this level would be taken.
    pub fn wants(&self, level: LogLevel) -> bool {
        level_number(level) >= self.level.load(Ordering::Relaxed)
    }

    pub(crate) fn sink(&self, level: LogLevel) -> Option<LogSink> {
        if self.wants(level) {
            self.sink.lock().clone()
        } else {
            None
        }
    }
}

fn level_number(level: LogLevel) -> u8 {
    match level {
        LogLevel::Debug => 1,
        LogLevel::Info => 2,
        LogLevel::Warning => 3,
        LogLevel::Error => 4,
    }
}

/// Bytes of a payload that a hex dump shows.
const DUMP_BYTES: usize = 256;

/// A payload in hex, with what may hold a password or an answer left out.
pub(crate) fn hexdump(direction: &str, payload: &[u8]) -> String {
    let number = MessageNumber(payload.first().copied().unwrap_or_default());
    let mut text = format!("{direction}: {number}, {} bytes:", payload.len());
    if matches!(
        number,
        MessageNumber::USERAUTH_REQUEST | MessageNumber::USERAUTH_INFO_RESPONSE
    ) {
        text.push_str(" [redacted]");
        return text;
    }
    for byte in payload.iter().take(DUMP_BYTES) {
        text.push_str(&format!(" {byte:02x}"));
    }
    if payload.len() > DUMP_BYTES {
        text.push_str(" …");
    }
    text
}

/// Text of the peer made fit for a log line.
pub(crate) fn quoted(text: &str) -> String {
    printable(text.as_bytes(), 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_redact_authentication() {
        let mut payload = vec![50];
        payload.extend_from_slice(b"hunter2");
        assert_eq!(
            hexdump("OUT", &payload),
            "OUT: SSH_MSG_USERAUTH_REQUEST, 8 bytes: [redacted]"
        );
        assert_eq!(
            hexdump("IN", &[80, 1]),
            "IN: SSH_MSG_GLOBAL_REQUEST, 2 bytes: 50 01"
        );
    }

    #[test]
    fn levels_are_thresholds() {
        let target = LogTarget::off();
        assert!(!target.wants(LogLevel::Error));
        target.set(LogLevel::Warning, Some(Arc::new(|_, _, _| {})));
        assert!(target.wants(LogLevel::Error));
        assert!(!target.wants(LogLevel::Info));
        target.set(LogLevel::Debug, None);
        assert!(!target.wants(LogLevel::Error));
    }
}
