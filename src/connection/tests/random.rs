//! Random operations on both sides, from fixed seeds, with an account of every byte.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Pair, Side};
use crate::connection::{
    ChannelId, ChannelRequest, ConnectionEvent, ConnectionLimits, DataSink, OpenKind, OpenRefusal,
    OpenRefusalReason, RequestId, Stream,
};
use crate::messages::Role;

/// A small generator; its quality does not matter here, that it repeats does.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % sides
    }
}

/// The byte at a position of the stream that a side sends on a channel.
fn byte(seed: usize, position: usize) -> u8 {
    ((position * 31 + seed * 7 + position / 251) % 256) as u8
}

/// What one side knows of a channel.
#[derive(Default)]
struct Account {
    written: [usize; 2],
    read: [usize; 2],
    questions: Vec<RequestId>,
    replies: VecDeque<RequestId>,
    eof_sent: bool,
    closed: bool,
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Data => 0,
        Stream::Stderr => 1,
    }
}

struct World {
    pair: Pair,
    accounts: [BTreeMap<ChannelId, Account>; 2],
    /// The server's number for the client's.
    partner: BTreeMap<ChannelId, ChannelId>,
    opening: VecDeque<ChannelId>,
    asked: Vec<ChannelId>,
    dice: Dice,
    opened: usize,
    moved: usize,
}

/// Takes a random prefix, remembering what it took.
struct Some_<'a> {
    dice: &'a mut Dice,
    took: Vec<(ChannelId, Stream, Vec<u8>)>,
}

impl DataSink for Some_<'_> {
    fn deliver(&mut self, id: ChannelId, stream: Stream, data: &[u8]) -> usize {
        let count = self.dice.roll(data.len() * 2 + 1).min(data.len());
        self.took.push((id, stream, data[..count].to_vec()));
        count
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let limits = ConnectionLimits {
            window_initial: 10_000,
            window_max: 100_000,
            max_packet: 700,
            max_channels: 20,
            ..Default::default()
        };
        World {
            pair: Pair {
                client: Side::with(Role::Client, limits.clone()),
                server: Side::with(Role::Server, limits),
            },
            accounts: Default::default(),
            partner: BTreeMap::new(),
            opening: VecDeque::new(),
            asked: Vec::new(),
            dice: Dice(seed),
            opened: 0,
            moved: 0,
        }
    }

    fn side(&mut self, who: usize) -> &mut Side {
        if who == 0 {
            &mut self.pair.client
        } else {
            &mut self.pair.server
        }
    }

    fn pick(&mut self, who: usize) -> Option<ChannelId> {
        let count = self.accounts[who].len();
        if count == 0 {
            return None;
        }
        let n = self.dice.roll(count);
        self.accounts[who].keys().nth(n).copied()
    }

    /// Both ends of a stream agree on its bytes by the client's number.
    fn seed(&self, who: usize, id: ChannelId, stream: Stream, sent_by: usize) -> usize {
        let client = if who == 0 {
            id
        } else {
            *self
                .partner
                .iter()
                .find(|(_, server)| **server == id)
                .unwrap()
                .0
        };
        client.0 as usize * 4 + index(stream) * 2 + sent_by
    }

    fn account_read(&mut self, who: usize, id: ChannelId, stream: Stream, data: &[u8]) {
        let seed = self.seed(who, id, stream, 1 - who);
        let account = self.accounts[who].get_mut(&id).unwrap();
        let from = account.read[index(stream)];
        for (n, value) in data.iter().enumerate() {
            assert_eq!(*value, byte(seed, from + n), "byte {} of {id:?}", from + n);
        }
        account.read[index(stream)] += data.len();
        self.moved += data.len();
    }

    /// Carries one message to `who`, a part of the data straight to a reader.
    fn carry(&mut self, who: usize) -> bool {
        let Some(payload) = self.side(1 - who).out.pop() else {
            return false;
        };
        let mut dice = Dice(self.dice.0);
        let mut sink = Some_ {
            dice: &mut dice,
            took: Vec::new(),
        };
        self.side(who).receive_into(&payload, &mut sink).unwrap();
        let took = sink.took;
        self.dice.0 = dice.0;
        for (id, stream, data) in took {
            self.account_read(who, id, stream, &data);
            let side = self.side(who);
            side.layer.consumed(id, data.len(), side.now, &mut side.out);
        }
        while let Some(event) = self.side(who).events.pop_front() {
            self.on_event(who, event);
        }
        true
    }

    fn on_event(&mut self, who: usize, event: ConnectionEvent) {
        match event {
            ConnectionEvent::OpenQuestion { id, .. } => {
                assert_eq!(who, 1);
                self.asked.push(id);
                let client = self.opening.pop_front().unwrap();
                self.partner.insert(client, id);
            }
            ConnectionEvent::Opened(id) => {
                self.opened += 1;
                self.accounts[who].insert(id, Account::default());
            }
            ConnectionEvent::OpenFailed { id, reason, .. } => {
                if reason == 4 {
                    self.opening.pop_front();
                }
                self.partner.remove(&id);
            }
            ConnectionEvent::RequestQuestion { id, request_id, .. } => {
                self.accounts[who]
                    .get_mut(&id)
                    .unwrap()
                    .questions
                    .push(request_id);
            }
            ConnectionEvent::RequestReply { id, request_id, ok } => {
                let account = self.accounts[who].get_mut(&id).unwrap();
                assert_eq!(account.replies.pop_front(), Some(request_id));
                assert!(ok);
            }
            ConnectionEvent::Closed(id) => self.accounts[who].get_mut(&id).unwrap().closed = true,
            ConnectionEvent::Readable(_) | ConnectionEvent::Writable(_) => {}
            ConnectionEvent::Eof(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn act(&mut self) {
        let who = self.dice.roll(2);
        match self.dice.roll(12) {
            0 if who == 0 => {
                let side = self.side(0);
                if let Ok(id) = side.layer.open(OpenKind::Session, &mut side.out) {
                    self.opening.push_back(id);
                }
            }
            1 if !self.asked.is_empty() => self.decide(),
            2..=5 => self.write(who),
            6..=8 => self.read(who),
            9 => self.ask_or_answer(who),
            10 if self.dice.roll(10) == 0 => self.end(who),
            _ => {
                let pause = Duration::from_micros(self.dice.roll(1000) as u64);
                self.pair.advance(pause);
                for _ in 0..self.dice.roll(8) {
                    let to = self.dice.roll(2);
                    self.carry(to);
                }
            }
        }
    }

    fn decide(&mut self) {
        let n = self.dice.roll(self.asked.len());
        let id = self.asked.swap_remove(n);
        let yes = self.dice.roll(5) > 0;
        let refusal = OpenRefusal::new(OpenRefusalReason::CONNECT_FAILED, "dice");
        let decision = if yes { Ok(()) } else { Err(refusal) };
        let side = self.side(1);
        side.layer.answer_open(id, decision, &mut side.out).unwrap();
        if yes {
            self.accounts[1].insert(id, Account::default());
        } else {
            self.partner.retain(|_, server| *server != id);
        }
    }

    fn write(&mut self, who: usize) {
        let Some(id) = self.pick(who) else { return };
        // Only a server has a stderr to write.
        let stderr = who == 1 && self.dice.roll(3) == 0;
        let stream = if stderr { Stream::Stderr } else { Stream::Data };
        let seed = self.seed(who, id, stream, who);
        let from = self.accounts[who][&id].written[index(stream)];
        let length = self.dice.roll(3000);
        let data: Vec<u8> = (from..from + length).map(|n| byte(seed, n)).collect();
        let account_closed = self.accounts[who][&id].closed || self.accounts[who][&id].eof_sent;
        match self.side(who).write(id, stream, &data) {
            Ok(count) => self.accounts[who].get_mut(&id).unwrap().written[index(stream)] += count,
            Err(_) => assert!(account_closed),
        }
    }

    fn read(&mut self, who: usize) {
        let Some(id) = self.pick(who) else { return };
        let stream = if self.dice.roll(2) == 0 {
            Stream::Data
        } else {
            Stream::Stderr
        };
        let most = self.dice.roll(4000) + 1;
        if let Ok(data) = self.side(who).read(id, stream, most) {
            self.account_read(who, id, stream, &data);
        }
    }

    fn ask_or_answer(&mut self, who: usize) {
        let Some(id) = self.pick(who) else { return };
        let account = self.accounts[who].get_mut(&id).unwrap();
        if account.closed {
            return;
        }
        let request = ChannelRequest::Other {
            name: "x".into(),
            data: Vec::new(),
        };
        let questions = std::mem::take(&mut account.questions);
        if questions.is_empty() {
            let side = self.side(who);
            let sent = side.layer.request(id, &request, true, &mut side.out);
            self.accounts[who]
                .get_mut(&id)
                .unwrap()
                .replies
                .extend(sent.ok());
        } else {
            let n = self.dice.roll(questions.len());
            for (at, question) in questions.into_iter().enumerate() {
                if at < n {
                    self.accounts[who]
                        .get_mut(&id)
                        .unwrap()
                        .questions
                        .push(question);
                } else {
                    let side = self.side(who);
                    side.layer
                        .answer_request(id, question, true, &mut side.out)
                        .unwrap();
                }
            }
        }
    }

    /// Ends sending on a channel, or drains and frees one that the peer has closed.
    fn end(&mut self, who: usize) {
        let Some(id) = self.pick(who) else { return };
        let close = self.accounts[who][&id].eof_sent && self.dice.roll(2) == 0;
        let side = self.side(who);
        if close {
            side.layer.close(id, &mut side.out).unwrap();
            self.accounts[who].get_mut(&id).unwrap().closed = true;
        } else {
            side.layer.eof(id, &mut side.out).unwrap();
            self.accounts[who].get_mut(&id).unwrap().eof_sent = true;
        }
    }

    /// Carries and reads everything, then compares the accounts.
    fn settle(&mut self) {
        loop {
            let mut busy = false;
            while self.carry(0) | self.carry(1) {
                busy = true;
            }
            for who in 0..2 {
                for id in self.accounts[who].keys().copied().collect::<Vec<_>>() {
                    for stream in [Stream::Data, Stream::Stderr] {
                        while let Ok(data) = self.side(who).read(id, stream, 5000) {
                            self.account_read(who, id, stream, &data);
                            busy = true;
                        }
                    }
                }
            }
            if !busy {
                break;
            }
        }
        for (client, server) in &self.partner {
            let (Some(ours), Some(theirs)) =
                (self.accounts[0].get(client), self.accounts[1].get(server))
            else {
                continue;
            };
            // A side that closed throws away what was still coming; all else must have arrived.
            if !ours.closed && !theirs.closed {
                assert_eq!(ours.written, theirs.read);
                assert_eq!(theirs.written, ours.read);
                let window = self.pair.client.layer.status(*client).unwrap();
                let grown = self.pair.server.layer.status(*server).unwrap().local_window;
                assert!(window.remote_window <= grown);
                assert!(ours.eof_sent || window.remote_window > grown - grown / 4 - 1);
            }
        }
    }

    fn free(&mut self) {
        for who in 0..2 {
            for id in std::mem::take(&mut self.accounts[who]).into_keys() {
                let side = self.side(who);
                side.layer.release(id, &mut side.out);
            }
        }
        for id in std::mem::take(&mut self.asked) {
            let side = self.side(1);
            side.layer.release(id, &mut side.out);
        }
        while self.carry(0) | self.carry(1) {}
    }
}

#[test]
fn random_operations_lose_no_byte_and_leave_nothing_behind() {
    let (mut opened, mut moved) = (0, 0);
    for seed in 0..40 {
        let mut world = World::new(seed);
        for _ in 0..4 {
            for _ in 0..1500 {
                world.act();
            }
            world.settle();
        }
        world.free();
        assert_eq!(world.pair.client.layer.channel_count(), 0, "seed {seed}");
        assert_eq!(world.pair.server.layer.channel_count(), 0, "seed {seed}");
        assert_eq!(world.pair.server.layer.question_budget.used(), 0);
        assert_eq!(world.pair.client.layer.question_budget.used(), 0);
        opened += world.opened;
        moved += world.moved;
    }
    assert!(
        opened > 400 && moved > 1 << 20,
        "{opened} channels, {moved} bytes"
    );
}
