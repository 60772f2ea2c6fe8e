//! One direction of a connection: at most one buffer's worth that could not be passed on yet.

/// Where a direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// Nothing more comes; what is kept is still to be passed on.
    Seen,
    /// The other side knows.
    Told,
}

/// Bytes on their way in one direction.
#[derive(Debug)]
pub(super) struct Pipe {
    kept: Vec<u8>,
    at: usize,
    end: End,
    /// What still comes is thrown away.
    drains: bool,
}

impl Pipe {
    pub(super) fn new() -> Self {
        Pipe {
            kept: Vec::new(),
            at: 0,
            end: End::Open,
            drains: false,
        }
    }

    /// What is to be passed on.
    pub(super) fn kept(&self) -> &[u8] {
        self.kept.get(self.at..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept().is_empty()
    }

    /// So many of the kept bytes were passed on.
    pub(super) fn passed(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
        if self.is_empty() {
            // A connection at rest holds no memory.
            self.kept = Vec::new();
            self.at = 0;
        }
    }

    /// Keeps what could not be passed on.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }

    /// Whether more is wanted from where it comes: there is no end yet, and nothing is kept.
    pub(super) fn wants_more(&self) -> bool {
        self.drains || (self.end == End::Open && self.is_empty())
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.drains = false;
        if self.end == End::Open {
            self.end = End::Seen;
        }
    }

    /// The other side takes nothing any more: what is kept and what still comes goes nowhere.
    pub(super) fn give_up(&mut self) {
        self.kept = Vec::new();
        self.at = 0;
        self.drains = self.end == End::Open;
        self.end = End::Told;
    }

    /// Whether what comes is thrown away.
    pub(super) fn drains(&self) -> bool {
        self.drains
    }

    /// Whether the end is to be passed on now; true once.
    pub(super) fn take_end(&mut self) -> bool {
        let now = self.end == End::Seen && self.is_empty();
        if now {
            self.end = End::Told;
        }
        now
    }

    /// Whether there is nothing left to do in this direction but to drain it.
    pub(super) fn is_over(&self) -> bool {
        self.end == End::Told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_comes_after_what_is_kept() {
        let mut pipe = Pipe::new();
        assert!(pipe.wants_more());
        pipe.keep(b"abc");
        assert!(!pipe.wants_more());
        pipe.passed(2);
        pipe.end();
        assert!(!pipe.take_end());
        assert_eq!(pipe.kept(), b"c");
        pipe.passed(1);
        assert!(!pipe.is_over() && !pipe.wants_more());
        assert!(pipe.take_end());
        assert!(!pipe.take_end());
        assert!(pipe.is_over());
        pipe.end();
        assert!(pipe.is_over(), "an end is final");
    }

    #[test]
    fn what_goes_nowhere_is_dropped_and_drained_to_its_end() {
        let mut pipe = Pipe::new();
        pipe.keep(b"abc");
        pipe.give_up();
        assert!(pipe.is_empty() && pipe.is_over() && !pipe.take_end());
        assert!(pipe.wants_more() && pipe.drains());
        pipe.end();
        assert!(!pipe.wants_more() && pipe.is_over());
        pipe.give_up();
        assert!(!pipe.wants_more(), "nothing comes any more");
    }
}
