//! State-machine conformance: random sequences over the whole message alphabet, said to an endpoint in either role, and
//! compared message by message with a reference automaton that was written from the RFCs.
//!
//! See `docs/internals/conformance.md`. What is judged is the whole protocol in memory ([`crate::endpoint`]); what judges
//! is [`automaton`], which shares no code with it.

mod alphabet;
mod automaton;
mod dice;
mod peer;
mod run;
mod tests;
mod victim;
