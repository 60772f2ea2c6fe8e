//! A sequence: what is said to the victim and what its application does, step by step, each judged by the automaton.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::alphabet::Speaker;
use super::automaton::{Automaton, Ruling, Side, Stage, Verdict};
use super::dice::Dice;
use super::peer::{Peer, Setting};
use super::victim::Victim;
use crate::connection::{ChannelId, Stream};
use crate::error::Error;
use crate::messages::Role;

/// How often a message of a number got a verdict, by the side that heard it.
pub(super) type Tally = BTreeMap<(Side, u8, Verdict), usize>;

/// A sequence that repeats. Every step has dice of its own, so that a step may be left out without changing the others.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) setting: Setting,
    /// How far honest sides get first: nowhere, keyed, logged in, a channel is open.
    pub(super) stage: usize,
    /// How many of a hundred steps are meant to be wrong.
    pub(super) wrong: usize,
    pub(super) steps: Vec<u64>,
}

impl Plan {
    pub(super) fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let setting = Setting {
            victim: *dice.pick(&[Role::Client, Role::Server]),
            strict: dice.roll(2) == 0,
            extensions: dice.roll(3) > 0,
            group_exchange: dice.roll(16) == 0,
        };
        let count = 5 + dice.roll(40);
        Plan {
            setting,
            stage: *dice.pick(&[0, 1, 2, 3, 3]),
            wrong: *dice.pick(&[0, 0, 3, 10, 30]),
            steps: (0..count).map(|_| dice.next()).collect(),
        }
    }
}

/// Where implementation and automaton differ.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) what: String,
    /// What was said and done before.
    pub(super) trace: Vec<String>,
}

/// Why a sequence stops.
enum Stop {
    /// The connection is over, as it should be.
    Over,
    Differs(String),
}

type Went = Result<(), Stop>;

fn differs<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Differs(what.into()))
}

struct World<'a> {
    victim: Victim,
    side: Side,
    peer: Peer,
    automaton: Automaton,
    now: Instant,
    /// A request that may end the connection waits for those before it.
    doubtful: bool,
    trace: Vec<String>,
    tally: &'a mut Tally,
}

/// Runs a plan.
pub(super) fn run(plan: &Plan, tally: &mut Tally) -> Result<(), Difference> {
    let now = Instant::now();
    let side = match plan.setting.victim {
        Role::Client => Side::Client,
        Role::Server => Side::Server,
    };
    let mut world = World {
        victim: Victim::new(&plan.setting, now),
        side,
        peer: Peer::new(plan.setting),
        automaton: Automaton::new(side),
        now,
        doubtful: false,
        trace: Vec::new(),
        tally,
    };
    match world.all(plan) {
        Ok(()) | Err(Stop::Over) => Ok(()),
        Err(Stop::Differs(what)) => Err(Difference {
            what,
            trace: world.trace,
        }),
    }
}

impl World<'_> {
    fn all(&mut self, plan: &Plan) -> Went {
        let line = self.victim.endpoint.poll_transmit();
        let answer = self.peer.begin(&line);
        if let Err(error) = self.victim.endpoint.receive(&answer, self.now) {
            return differs(format!("the identification line is refused: {error}"));
        }
        self.settle()?;
        self.advance(plan.stage)?;
        for step in &plan.steps {
            self.now += Duration::from_millis(3);
            self.step(&mut Dice::new(*step), plan.wrong)?;
        }
        self.finish()
    }

    /// Lets both sides be honest for a while.
    fn advance(&mut self, stage: usize) -> Went {
        let mut dice = Dice::new(7);
        if stage == 0 {
            return Ok(());
        }
        self.release_all()?;
        for _ in 0..60 {
            let login = &self.automaton.login;
            let opened = !self.automaton.channels.open.is_empty();
            if stage == 1 || (stage == 2 && login.authenticated) || opened {
                break;
            }
            let waits = match self.side {
                Side::Client => !login.requested || (!login.is_asked() && !login.authenticated),
                Side::Server => login.is_asked(),
            };
            let numbers: &[u8] = match self.side {
                Side::Client if login.authenticated => &[2],
                Side::Client if login.is_asked() => &[52],
                Side::Client => &[6],
                Side::Server if login.authenticated => &[90],
                Side::Server if !login.requested => &[5],
                Side::Server => &[50],
            };
            if waits || login.authenticated {
                self.act(&mut dice)?;
            }
            if !waits || self.side == Side::Client && self.automaton.login.requested {
                let payload = self.speak(&mut dice, |speaker| speaker.made(numbers[0]));
                self.hear(payload, false)?;
            }
            self.release_all()?;
        }
        Ok(())
    }

    /// Lets the peer say all that it wants to say of a key exchange.
    fn release_all(&mut self) -> Went {
        while let Some(payload) = self.peer.next() {
            self.hear(payload, true)?;
        }
        Ok(())
    }

    fn speak(
        &mut self,
        dice: &mut Dice,
        make: impl FnOnce(&mut Speaker<'_>) -> Vec<u8>,
    ) -> Vec<u8> {
        let mut next = self.peer.next_channel;
        let payload = make(&mut Speaker {
            dice,
            automaton: &self.automaton,
            victim: self.side,
            next: &mut next,
            kexinit: &self.peer.kexinit,
            fits: false,
        });
        self.peer.next_channel = next;
        payload
    }

    fn step(&mut self, dice: &mut Dice, wrong: usize) -> Went {
        if dice.roll(100) < wrong {
            return self.wrong(dice);
        }
        match dice.roll(100) {
            0..=29 => self.act(dice),
            30..=33 => {
                self.peer.rekey();
                self.note("the peer begins a key exchange");
                Ok(())
            }
            _ if self.peer.has_next() && dice.roll(4) > 0 => match self.peer.next() {
                Some(payload) => self.hear(payload, true),
                None => Ok(()),
            },
            _ if self.automaton.transport.peer_exchanges() && dice.roll(4) > 0 => Ok(()),
            _ => {
                let payload = self.speak(dice, |speaker| speaker.fitting());
                self.hear(payload, false)
            }
        }
    }

    fn wrong(&mut self, dice: &mut Dice) -> Went {
        match dice.roll(12) {
            0..=4 => {
                let payload = self.speak(dice, |speaker| speaker.any());
                self.hear(payload, false)
            }
            5 => {
                let payload = self.speak(dice, |speaker| speaker.noise());
                self.hear(payload, false)
            }
            6 | 7 => {
                let payload = self.speak(dice, |speaker| {
                    let payload = speaker.fitting();
                    speaker.damaged(payload)
                });
                self.hear(payload, false)
            }
            8 => {
                let payload = self.speak(dice, |speaker| {
                    let payload = speaker.any();
                    speaker.damaged(payload)
                });
                self.hear(payload, false)
            }
            // The honest message of a key exchange: lost, damaged, twice.
            9 => {
                if let Some(payload) = self.peer.next() {
                    self.note(&format!("message {} is lost", payload[0]));
                }
                Ok(())
            }
            10 => match self.peer.next() {
                Some(payload) => {
                    let payload = self.speak(dice, |speaker| speaker.damaged(payload));
                    self.hear(payload, false)
                }
                None => Ok(()),
            },
            _ => match self.peer.next() {
                Some(payload) => {
                    self.hear(payload.clone(), true)?;
                    self.hear(payload, false)
                }
                None => Ok(()),
            },
        }
    }

    fn note(&mut self, what: &str) {
        self.trace.push(what.to_owned());
    }

    fn act(&mut self, dice: &mut Dice) -> Went {
        let what = self.victim.act(dice, self.now);
        self.note(&format!("the victim {what}"));
        self.settle()?;
        self.compare()
    }

    /// Whether a message answers something that the victim has done and could not say yet, because it is exchanging keys.
    /// The automaton sees what is said, so it cannot know; no honest peer answers what it has not heard.
    fn is_premature(&mut self, payload: &[u8]) -> bool {
        let number = payload[0];
        if !self.automaton.is_held() {
            return false;
        }
        let named = payload
            .get(1..5)
            .map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
        let known = named.and_then(|number| self.automaton.channels.open.get(&number));
        match number {
            6 | 51 | 52 | 53 | 60 => !self.automaton.login.is_asked(),
            81 | 82 => !self.automaton.channels.is_asked(),
            99 | 100 => !known.is_some_and(|channel| channel.is_asked()),
            91..=98 => known.is_none(),
            _ => false,
        }
    }

    /// Says something to the victim.
    fn hear(&mut self, payload: Vec<u8>, authentic: bool) -> Went {
        if payload.is_empty() || self.is_premature(&payload) {
            return Ok(());
        }
        if self.side == Side::Server {
            self.automaton.login.decided = self.victim.decided;
        }
        let in_before = self.victim.endpoint.services().is_authenticated();
        let ruling = self.automaton.heard(&payload, authentic);
        let shown = payload[..payload.len().min(48)].escape_ascii();
        self.note(&format!(
            "{} {shown} [{} bytes{}] -> {:?} ({})",
            payload[0],
            payload.len(),
            if authentic { ", honest" } else { "" },
            ruling.verdict,
            ruling.rule
        ));
        *self
            .tally
            .entry((self.side, payload[0], ruling.verdict))
            .or_default() += 1;
        let packet = self.peer.seal(&payload);
        if payload[0] == 21 && authentic {
            self.peer.install_keys();
        }
        let outcome = self.victim.endpoint.receive(&packet, self.now);
        let dead = outcome.is_err();
        check(ruling, outcome)?;
        if dead {
            let is_in = self.victim.endpoint.services().is_authenticated();
            if is_in != in_before {
                return differs("a message that ended the connection let somebody in");
            }
            self.look_at_said()?;
            return Err(Stop::Over);
        }
        self.doubtful |= ruling.verdict == Verdict::Refuse && payload[0] == 50;
        if self.automaton.channels.confused {
            return Err(Stop::Over);
        }
        self.settle()?;
        if self.automaton.transport.deaf {
            return Err(Stop::Over);
        }
        self.compare()
    }

    fn look_at_said(&mut self) -> Result<bool, Stop> {
        let said = self.victim.said();
        for payload in &said {
            let shown = payload[..payload.len().min(48)].escape_ascii();
            self.trace.push(format!("    says {} {shown}", payload[0]));
            if let Err(rule) = self.automaton.said(payload) {
                return differs(format!("the victim must not say {}: {rule}", payload[0]));
            }
            self.peer.hear(payload);
        }
        Ok(!said.is_empty())
    }

    /// Lets the victim do what is to be done, and looks at what it says.
    fn settle(&mut self) -> Went {
        loop {
            self.victim.listen(self.now);
            let outcome = self.victim.endpoint.command(self.now, |_| Ok(()));
            let alive = outcome.and_then(|()| self.victim.endpoint.receive(b"", self.now));
            let more = self.look_at_said()?;
            if let Some(error) = &self.victim.ended {
                return match self.doubtful {
                    true => Err(Stop::Over),
                    false => differs(format!("a decision has ended the connection: {error}")),
                };
            }
            if let Err(error) = alive {
                return differs(format!("the connection has ended by itself: {error}"));
            }
            if !more {
                break;
            }
        }
        if !self.automaton.is_held() {
            if let Some(owed) = self.automaton.owes_at_once() {
                return differs(format!("the victim has not said {owed}"));
            }
        }
        Ok(())
    }

    /// Compares what the victim believes with what it should.
    fn compare(&mut self) -> Went {
        let login = &self.automaton.login;
        let services = self.victim.endpoint.services();
        let is_in = services.is_authenticated();
        let may_be_in = match self.side {
            Side::Client => login.authenticated == is_in,
            Side::Server => (!login.authenticated || is_in) && (!is_in || self.victim.decided),
        };
        if !may_be_in {
            return differs(format!("the user is in: {is_in}"));
        }
        for (number, channel) in &self.automaton.channels.open {
            if self.victim.closed.contains(number) {
                continue;
            }
            let id = ChannelId(*number);
            let connection = &services.connection;
            let Some(status) = connection.status(id) else {
                return differs(format!("channel {number} is not there"));
            };
            let agreed = channel.stage == Stage::Open;
            let (heard, said) = (channel.heard, channel.said);
            let expected = (
                agreed && !heard.close && !said.close,
                heard.eof || heard.close,
                heard.close,
            );
            let found = (status.open, status.peer_finished, status.peer_closed);
            if found != expected {
                return differs(format!(
                    "channel {number} is {found:?} and not {expected:?} (open, finished, closed)"
                ));
            }
            let read = self.victim.read.get(number).copied().unwrap_or_default();
            let queued = [Stream::Data, Stream::Stderr]
                .map(|stream| connection.buffered(id, stream))
                .iter()
                .sum::<usize>();
            if read + queued != channel.bytes {
                let bytes = channel.bytes;
                return differs(format!(
                    "channel {number} has got {} bytes and not {bytes}",
                    read + queued
                ));
            }
        }
        let held = self.automaton.is_held();
        let open = |number: &u32| {
            let status = services.connection.status(ChannelId(*number));
            status.is_some_and(|status| status.open)
        };
        let known = &self.automaton.channels.open;
        match (0..64)
            .filter(open)
            .find(|number| !known.contains_key(number))
        {
            Some(number) if !held => differs(format!("channel {number} is open")),
            _ => Ok(()),
        }
    }

    /// In the end everything that is owed is said.
    fn finish(&mut self) -> Went {
        let mut dice = Dice::new(3);
        self.release_all()?;
        if !self.automaton.transport.at_rest() {
            return Ok(());
        }
        self.victim.answer_all(&mut dice, self.now);
        self.settle()?;
        self.compare()?;
        if let Some(owed) = self.automaton.owes() {
            return differs(format!("in the end the victim has not said {owed}"));
        }
        let unanswered = self.automaton.login.unanswered();
        if self.side == Side::Server && unanswered > 0 {
            return differs(format!("in the end {unanswered} requests are not answered"));
        }
        Ok(())
    }
}

/// Compares what came of a message with what had to.
fn check(ruling: Ruling, outcome: Result<(), Error>) -> Went {
    let right = match (ruling.verdict, &outcome) {
        (_, Err(Error::Bug(_))) => false,
        (Verdict::Over, Err(Error::Disconnected { .. })) => true,
        (Verdict::Over, _) | (_, Err(Error::Disconnected { .. })) => false,
        (Verdict::Accept | Verdict::Unimplemented, outcome) => outcome.is_ok(),
        (Verdict::End, outcome) => outcome.is_err(),
        (Verdict::Refuse | Verdict::Free, _) => true,
    };
    match (right, outcome) {
        (true, _) => Ok(()),
        (false, Ok(())) => differs("the connection goes on"),
        (false, Err(error)) => differs(format!("the connection ends: {error} ({error:?})")),
    }
}

/// The smallest plan found that differs too: steps are left out as long as it does.
pub(super) fn shrunk(plan: &Plan) -> (Plan, Difference) {
    let fails = |plan: &Plan| run(plan, &mut Tally::new()).err();
    let mut best = plan.clone();
    let mut difference = fails(plan).expect("a plan that differs");
    let mut size = best.steps.len();
    while size > 0 {
        let mut at = 0;
        while at < best.steps.len() {
            let mut shorter = best.clone();
            let end = (at + size).min(shorter.steps.len());
            shorter.steps.drain(at..end);
            match fails(&shorter) {
                Some(found) => (best, difference) = (shorter, found),
                None => at += size,
            }
        }
        size /= 2;
    }
    (best, difference)
}
