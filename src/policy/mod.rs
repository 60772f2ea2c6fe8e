//! Who may connect to a server before anybody knows who they are.
//!
//! A connection costs the server memory and key exchanges until its user is in, and anybody can make one. So those that are
//! not that far are counted, in all and for each source, and sources whose connections came to nothing are not let in
//! again for a while. Nothing here waits or looks at a clock: whoever accepts connections asks [`Gate`], and tells it what
//! became of them.
//!
//! What a flood can make grow is bounded: the counts by the connections that are let in, the penalties by a number of sources.

mod gate;
mod limits;
mod penalties;
mod source;
#[cfg(test)]
mod tests;

pub use gate::{Counts, Gate, Refusal};
pub use limits::{Fault, Limits, PenaltyRules};
pub use source::Source;
