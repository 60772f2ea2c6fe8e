//! Requests of the peer that the application has to answer, and replies that must leave in order.
//!
//! RFC 4254 §4 and §5.4: replies carry no number, so they must be sent in the order of the requests. An
//! application may answer in any order; answers wait here for those before them.

use std::collections::VecDeque;

use crate::error::Error;

/// Refusals of one connection that may wait behind unanswered questions before the peer is cut off. They cost a
/// counter here, but all of them may leave at once when the questions are answered: some 25 MiB then, until they are sent.
const MAX_WAITING_REFUSALS: u32 = 131_072;

/// What the peer's unanswered questions on one connection may cost.
#[derive(Debug)]
pub(super) struct QuestionBudget {
    /// Bytes of questions.
    used: usize,
    max: usize,
    /// Requests that were refused without asking and whose refusals wait for their turn.
    refusals: u32,
}

impl QuestionBudget {
    pub(super) fn new(max: usize) -> Self {
        QuestionBudget {
            used: 0,
            max,
            refusals: 0,
        }
    }

    /// Takes room for a question of `payload` bytes; `None` when there is none left.
    pub(super) fn take(&mut self, payload: usize) -> Option<Charge> {
        // What a question costs beside its payload, roughly.
        const OVERHEAD: usize = 256;
        let cost = payload.saturating_add(OVERHEAD);
        let used = self.used.saturating_add(cost);
        if used > self.max {
            return None;
        }
        self.used = used;
        Some(Charge(cost))
    }

    /// Takes room for a refusal that waits.
    fn take_refusal(&mut self) -> Result<(), Error> {
        if self.refusals >= MAX_WAITING_REFUSALS {
            return Err(Error::Limit("requests behind an unanswered one"));
        }
        self.refusals += 1;
        Ok(())
    }

    /// Gives room back.
    pub(super) fn give_back(&mut self, charge: Charge) {
        self.used = self.used.saturating_sub(charge.0);
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

/// Room taken from a [`QuestionBudget`].
#[derive(Debug)]
#[must_use]
pub(super) struct Charge(usize);

/// A question that was asked, as long as its place in the order is needed.
#[derive(Debug)]
struct Asked<T, A> {
    id: u64,
    want_reply: bool,
    /// Until the answer.
    charge: Option<Charge>,
    tag: T,
    answer: Option<A>,
}

#[derive(Debug)]
enum Slot<T, A> {
    Asked(Asked<T, A>),
    /// So many requests in a row that were refused without asking.
    Refused(u32),
}

/// What may be sent now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply<A> {
    /// The answer to a question.
    Answer(A),
    /// The refusal of a request that was not asked about.
    Refuse,
}

/// The questions of one channel, or the global ones. `T` is kept with each question, `A` is the answer.
#[derive(Debug)]
pub(super) struct Questions<T, A> {
    slots: VecDeque<Slot<T, A>>,
    asked: usize,
    max: usize,
}

impl<T, A> Questions<T, A> {
    pub(super) fn new(max: usize) -> Self {
        Questions {
            slots: VecDeque::new(),
            asked: 0,
            max,
        }
    }

    /// Whether one more question may be asked.
    pub(super) fn has_room(&self) -> bool {
        self.asked < self.max
    }

    /// Records a question.
    pub(super) fn ask(&mut self, id: u64, want_reply: bool, charge: Charge, tag: T) {
        self.asked += 1;
        let charge = Some(charge);
        self.slots.push_back(Slot::Asked(Asked {
            id,
            want_reply,
            charge,
            tag,
            answer: None,
        }));
    }

    /// Records a request that wants a reply and is refused without asking.
    pub(super) fn refuse(&mut self, budget: &mut QuestionBudget) -> Result<(), Error> {
        budget.take_refusal()?;
        match self.slots.back_mut() {
            Some(Slot::Refused(count)) => *count += 1,
            _ => self.slots.push_back(Slot::Refused(1)),
        }
        Ok(())
    }

    /// What was kept with the questions that have no answer yet.
    pub(super) fn open(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Asked(asked) if asked.answer.is_none() => Some(&asked.tag),
            _ => None,
        })
    }

    /// What was kept with a question that has no answer yet.
    pub(super) fn tag(&self, id: u64) -> Option<&T> {
        self.slots.iter().find_map(|slot| match slot {
            Slot::Asked(asked) if asked.id == id && asked.answer.is_none() => Some(&asked.tag),
            _ => None,
        })
    }

    /// Records an answer. Returns what was kept with the question and its charge; `None` for a question that was
    /// never asked or was answered before.
    pub(super) fn answer(&mut self, id: u64, answer: A) -> Option<(&mut T, Charge)> {
        let asked = self.slots.iter_mut().find_map(|slot| match slot {
            Slot::Asked(asked) if asked.id == id => Some(asked),
            _ => None,
        })?;
        let charge = asked.charge.take()?;
        asked.answer = Some(answer);
        Some((&mut asked.tag, charge))
    }

    /// The next reply that may be sent.
    pub(super) fn next_reply(&mut self, budget: &mut QuestionBudget) -> Option<Reply<A>> {
        loop {
            match self.slots.front_mut()? {
                Slot::Refused(count) => {
                    *count -= 1;
                    budget.refusals = budget.refusals.saturating_sub(1);
                    if *count == 0 {
                        self.slots.pop_front();
                    }
                    return Some(Reply::Refuse);
                }
                Slot::Asked(asked) => {
                    let answer = asked.answer.take()?;
                    let want_reply = asked.want_reply;
                    self.slots.pop_front();
                    self.asked -= 1;
                    if want_reply {
                        return Some(Reply::Answer(answer));
                    }
                }
            }
        }
    }

    /// Forgets everything and gives the charges back.
    pub(super) fn clear(&mut self, budget: &mut QuestionBudget) {
        for slot in self.slots.drain(..) {
            match slot {
                Slot::Refused(count) => budget.refusals = budget.refusals.saturating_sub(count),
                Slot::Asked(asked) => {
                    if let Some(charge) = asked.charge {
                        budget.give_back(charge);
                    }
                }
            }
        }
        self.asked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_wait_for_those_before_them() {
        let mut budget = QuestionBudget::new(10_000);
        let mut questions: Questions<(), u8> = Questions::new(8);
        questions.ask(1, true, budget.take(10).unwrap(), ());
        questions.refuse(&mut budget).unwrap();
        questions.refuse(&mut budget).unwrap();
        questions.ask(2, false, budget.take(10).unwrap(), ());
        questions.ask(3, true, budget.take(10).unwrap(), ());
        for id in [3, 2] {
            let (_, charge) = questions.answer(id, id as u8).unwrap();
            budget.give_back(charge);
            assert_eq!(questions.next_reply(&mut budget), None);
        }
        let (_, charge) = questions.answer(1, 1).unwrap();
        budget.give_back(charge);
        assert_eq!(questions.next_reply(&mut budget), Some(Reply::Answer(1)));
        assert_eq!(questions.next_reply(&mut budget), Some(Reply::Refuse));
        assert_eq!(questions.next_reply(&mut budget), Some(Reply::Refuse));
        assert_eq!(
            questions.next_reply(&mut budget),
            Some(Reply::Answer(3)),
            "2 wanted no reply"
        );
        assert_eq!(questions.next_reply(&mut budget), None);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_question_is_answered_once() {
        let mut budget = QuestionBudget::new(10_000);
        let mut questions: Questions<(), u8> = Questions::new(8);
        questions.ask(1, true, budget.take(0).unwrap(), ());
        questions.ask(2, true, budget.take(0).unwrap(), ());
        assert!(questions.answer(2, 0).is_some());
        assert!(questions.answer(2, 0).is_none());
        assert!(questions.answer(9, 0).is_none());
        questions.clear(&mut budget);
        assert!(questions.answer(1, 0).is_none());
    }

    #[test]
    fn bounds() {
        let mut budget = QuestionBudget::new(1000);
        assert!(budget.take(1000).is_none());
        let charge = budget.take(700).unwrap();
        assert!(budget.take(0).is_none());
        budget.give_back(charge);
        let mut questions: Questions<(), u8> = Questions::new(1);
        questions.ask(1, true, budget.take(0).unwrap(), ());
        assert!(!questions.has_room());
        for _ in 0..MAX_WAITING_REFUSALS {
            questions.refuse(&mut budget).unwrap();
        }
        assert!(questions.refuse(&mut budget).is_err());
        assert!(questions.slots.len() <= 2);
        questions.clear(&mut budget);
        assert_eq!(budget.used(), 0);
        assert!(questions.has_room());
        questions.refuse(&mut budget).unwrap();
        assert_eq!(questions.next_reply(&mut budget), Some(Reply::Refuse));
        assert_eq!(budget.refusals, 0);
    }
}
