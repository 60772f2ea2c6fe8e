//! The transport layer (RFC 4253), extension negotiation (RFC 8308), and strict key exchange and ping (OpenSSH PROTOCOL).

use std::collections::VecDeque;

use super::login::Login;
use super::wire::{has_form, Fields};
use super::MALFORMED;
use super::{accept, end, free, refuse, ruling, unimplemented, Ruling, Saying, Side, Verdict};

/// What the peer's direction is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    /// No KEXINIT of the peer, or its NEWKEYS has come.
    None,
    /// Behind its KEXINIT: its next message of the method, the first or the second.
    Method(Method, u8),
    /// All of the method has come.
    NewKeys,
}

/// The key exchange methods, as far as their messages differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// RFC 5656 §4, RFC 8731: one message of each side.
    Share,
    /// RFC 4419 §3: two messages of each side.
    GroupExchange,
}

/// Where EXT_INFO may come (RFC 8308 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Right behind the peer's first NEWKEYS.
    First,
    /// Only right before SUCCESS.
    Later,
    /// It was there: nothing but SUCCESS may come.
    OnlySuccess,
}

pub(in super::super) struct Transport {
    us: Side,
    /// The packets that we have heard since the sequence number was 0 the last time.
    sequence: u32,
    /// The peer's NEWKEYS has come, once.
    pub(in super::super) keyed: bool,
    /// Both sides do strict key exchange.
    strict: bool,
    exchange: Exchange,
    /// Somebody has changed the messages of this exchange: its signature will not be right.
    tainted: bool,
    /// The peer's last NEWKEYS was not the honest one: nothing of what follows can be read.
    pub(in super::super) deaf: bool,
    place: Place,
    /// Between our KEXINIT and our NEWKEYS.
    ours: bool,
    /// How often we have switched our keys.
    switched: u32,
    /// What we have said since our first NEWKEYS, at least nothing or something.
    said_since_keys: bool,
    our_kexinit: Vec<u8>,
    /// The peer knows EXT_INFO.
    takes_ext_info: bool,
    /// We have told that we answer pings.
    pings: bool,
    /// The packets that we have to answer with UNIMPLEMENTED, and those that we may.
    unknown: VecDeque<(u32, bool)>,
    /// The pings that we have to answer.
    pongs: VecDeque<Vec<u8>>,
}

impl Transport {
    pub(super) fn new(us: Side) -> Self {
        Transport {
            us,
            sequence: 0,
            keyed: false,
            strict: false,
            exchange: Exchange::None,
            tainted: false,
            deaf: false,
            place: Place::First,
            ours: false,
            switched: 0,
            said_since_keys: false,
            our_kexinit: Vec::new(),
            takes_ext_info: false,
            pings: false,
            unknown: VecDeque::new(),
            pongs: VecDeque::new(),
        }
    }

    pub(super) fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence - 1
    }

    /// Whether the peer is between its KEXINIT and its NEWKEYS.
    pub(in super::super) fn peer_exchanges(&self) -> bool {
        self.exchange != Exchange::None
    }

    /// Whether nothing of a key exchange is under way.
    pub(in super::super) fn at_rest(&self) -> bool {
        self.keyed && !self.ours && !self.peer_exchanges()
    }

    /// Whether EXT_INFO may come now because these are the first keys.
    pub(in super::super) fn takes_announcement(&self) -> bool {
        self.keyed && self.place == Place::First
    }

    /// Whether nothing but SUCCESS may come.
    pub(in super::super) fn wants_success(&self) -> bool {
        self.place == Place::OnlySuccess
    }

    pub(super) fn is_held(&self) -> bool {
        self.ours
    }

    /// What concerns a connection in any phase, and all of a key exchange; nothing where it is for others to judge.
    pub(super) fn judge_first(
        &mut self,
        number: u8,
        payload: &[u8],
        authentic: bool,
    ) -> Option<Ruling> {
        if number == 1 {
            return Some(ruling(
                Verdict::Over,
                "RFC 4253 §11.1: DISCONNECT at any time",
            ));
        }
        let in_first = !self.keyed && self.peer_exchanges();
        if in_first && self.strict && !matches!(number, 20 | 21 | 30..=49) {
            return Some(end(
                "PROTOCOL §1.10: nothing but the exchange during a strict initial one",
            ));
        }
        if self.place == Place::OnlySuccess && !matches!(number, 7 | 52) {
            return Some(match number {
                2..=4 => free(
                    "RFC 8308 §2.4: EXT_INFO immediately precedes SUCCESS; noise means nothing",
                ),
                _ => end("RFC 8308 §2.4: EXT_INFO immediately precedes SUCCESS"),
            });
        }
        match number {
            2..=4 => Some(generic(number, payload)),
            20 => Some(self.kexinit(payload, authentic)),
            21 => Some(self.newkeys(payload, authentic)),
            30..=49 => Some(self.method(number, payload, authentic)),
            0 | 8..=19 | 22..=29 => Some(unimplemented("RFC 4253 §11.4: unrecognized messages")),
            5..=7 | 50..=127 if self.peer_exchanges() => Some(end(
                "RFC 4253 §7.1: between KEXINIT and NEWKEYS nothing of services",
            )),
            5..=7 | 50..=127 if !self.keyed => Some(end(
                "RFC 4253 §10, RFC 8308 §2.4: services and extensions follow the key exchange",
            )),
            _ if self.peer_exchanges() => Some(refuse(
                "RFC 4253 §7.1: between KEXINIT and NEWKEYS only 1 to 49",
            )),
            192 | 193 if !self.keyed => Some(refuse("PROTOCOL §1.9: nobody has announced it")),
            _ if !self.keyed => Some(refuse("RFC 4251 §7: nothing of this follows yet")),
            _ => None,
        }
    }

    /// Keeps account of packets.
    pub(super) fn note_heard(&mut self, payload: &[u8], verdict: Verdict, sequence: u32) {
        let number = payload.first().copied().unwrap_or_default();
        if matches!(verdict, Verdict::Unimplemented | Verdict::Refuse) {
            let owed = verdict == Verdict::Unimplemented;
            self.unknown.push_back((sequence, owed));
        }
        match (number, self.place) {
            (21, _) => {}
            (_, Place::First) if self.keyed => self.place = Place::Later,
            (52, Place::OnlySuccess) => self.place = Place::Later,
            _ => {}
        }
    }

    fn kexinit(&mut self, payload: &[u8], authentic: bool) -> Ruling {
        if self.peer_exchanges() {
            return end("RFC 4253 §7.1: no second KEXINIT before NEWKEYS");
        }
        let (Some(theirs), Some(ours)) =
            (lists(payload), lists(&self.our_kexinit).or(lists(payload)))
        else {
            return end("RFC 4253 §7.1: a KEXINIT that cannot be read has no method");
        };
        let (client, server) = match self.us {
            Side::Client => (&ours, &theirs),
            Side::Server => (&theirs, &ours),
        };
        let Some(method) = agree(client, server) else {
            return end("RFC 4253 §7.1: nothing in common, so both sides MUST disconnect");
        };
        if !self.keyed {
            // Markers count in the first KEXINIT of each side only (PROTOCOL §1.10, RFC 8308 §2.1).
            self.strict = client.kex.contains(&"kex-strict-c-v00@openssh.com")
                && server.kex.contains(&"kex-strict-s-v00@openssh.com");
            self.takes_ext_info = theirs.kex.contains(&match self.us {
                Side::Server => "ext-info-c",
                Side::Client => "ext-info-s",
            });
            if self.strict && self.sequence != 1 {
                return end("PROTOCOL §1.10: KEXINIT must be the first packet");
            }
        }
        self.exchange = Exchange::Method(method, 0);
        self.tainted = !authentic;
        match theirs.reserved {
            0 => accept("RFC 4253 §7.1, §9: either side may begin at any time but during one"),
            _ => free("RFC 4253 §7.1: reserved for future extension"),
        }
    }

    fn method(&mut self, number: u8, payload: &[u8], authentic: bool) -> Ruling {
        let Exchange::Method(method, step) = self.exchange else {
            return end("RFC 4253 §7: no message of a method is expected");
        };
        let good = match (self.us, method, step, number) {
            // RFC 5656 §4: Q_C. RFC 8731 §3: 32 octets.
            (Side::Server, Method::Share, 0, 30) => share(payload),
            // K_S, Q_S, the signature of H.
            (Side::Client, Method::Share, 0, 31) => has_form(Fields::of(payload), "sss"),
            // RFC 4419 §3: min, n, max; p, g; e; K_S, f, the signature. §5: the old request has n alone.
            (Side::Server, Method::GroupExchange, 0, 34) => has_form(Fields::of(payload), "uuu"),
            (Side::Server, Method::GroupExchange, 0, 30) => {
                return free("RFC 4419 §5: the old request, for backward compatibility");
            }
            (Side::Client, Method::GroupExchange, 0, 31) => has_form(Fields::of(payload), "ss"),
            (Side::Server, Method::GroupExchange, 1, 32) => has_form(Fields::of(payload), "s"),
            (Side::Client, Method::GroupExchange, 1, 33) => has_form(Fields::of(payload), "sss"),
            _ => return end("RFC 4253 §7: another message than the one of the method"),
        };
        if !good {
            return end("RFC 4253 §7: an exchange that cannot be read fails");
        }
        let honest = authentic && !self.tainted;
        let signed =
            self.us == Side::Client && matches!((method, step), (Method::Share, _) | (_, 1));
        if signed && !honest {
            return end("RFC 4253 §8: the signature of H is verified");
        }
        self.tainted |= !authentic;
        self.exchange = match (method, step) {
            (Method::GroupExchange, 0) => Exchange::Method(method, 1),
            _ => Exchange::NewKeys,
        };
        match honest {
            true => accept("RFC 4253 §7, §8: the next message of the method"),
            false => free("RFC 4253 §8, RFC 4419 §3: values may be out of range"),
        }
    }

    fn newkeys(&mut self, payload: &[u8], authentic: bool) -> Ruling {
        if self.exchange != Exchange::NewKeys {
            return end("RFC 4253 §7.3: NEWKEYS ends an exchange, and there is none to end");
        }
        if payload.len() != 1 {
            return end("RFC 4253 §7.3: NEWKEYS has no fields");
        }
        self.deaf = !authentic || self.tainted;
        self.exchange = Exchange::None;
        self.keyed = true;
        if self.strict {
            self.sequence = 0;
        }
        accept("RFC 4253 §7.3")
    }

    /// EXT_INFO when it may come at all.
    pub(super) fn announced(&mut self, payload: &[u8], login: &Login) -> Ruling {
        if login.authenticated {
            return end("RFC 8308 §2.4: not after SUCCESS");
        }
        let mut fields = Fields::of(payload);
        let count = fields.uint32();
        let read = count.and_then(|count| {
            (0..count).try_for_each(|_| match fields.string()? {
                // RFC 8308 §3.1: a name-list.
                b"server-sig-algs" => fields.names().map(drop),
                _ => fields.string().map(drop),
            })
        });
        let good = read.and_then(|()| fields.end()).is_some();
        match (self.us, self.place) {
            (_, Place::First) if good => {
                accept("RFC 8308 §2.4: the next packet behind the first NEWKEYS")
            }
            (_, Place::First) => MALFORMED,
            (Side::Server, _) => end("RFC 8308 §2.4: a client says it at one place only"),
            (Side::Client, Place::OnlySuccess) => end("RFC 8308 §2.4: immediately before SUCCESS"),
            (Side::Client, Place::Later) if good => {
                self.place = Place::OnlySuccess;
                free("RFC 8308 §2.4: immediately before SUCCESS, if that comes")
            }
            (Side::Client, Place::Later) => MALFORMED,
        }
    }

    /// PROTOCOL §1.9: ping@openssh.com.
    pub(super) fn ping(&mut self, number: u8, payload: &[u8]) -> Ruling {
        let mut fields = Fields::of(payload);
        let data = fields.string();
        let good = fields.end().is_some();
        match (number, data) {
            (192, _) if !self.pings => unimplemented("PROTOCOL §1.9: it was not announced"),
            (192, Some(data)) if good => {
                self.pongs.push_back(data.to_vec());
                accept("PROTOCOL §1.9: answered with the same data")
            }
            (193, Some(_)) if good => {
                free("PROTOCOL §1.9: nothing is said of one that answers nothing")
            }
            _ => MALFORMED,
        }
    }

    /// What we say: whether this may be said now at all, and what is ours of it.
    pub(super) fn may_say(&mut self, number: u8, payload: &[u8]) -> Saying {
        let initial_strict = self.switched == 0 && self.strict && self.ours;
        match number {
            1 => return Ok(()),
            20 | 21 | 30..=49 => return self.say_exchange(number, payload),
            2..=4 if initial_strict => return Err("PROTOCOL §1.10: noise in a strict exchange"),
            _ if self.ours && number > 4 => return Err("RFC 4253 §7.1: during our key exchange"),
            3 => {
                let sequence = Fields::of(payload).uint32();
                return self.answered(sequence);
            }
            7 => {
                let first = self.switched == 1 && !self.said_since_keys;
                if !first || !self.takes_ext_info {
                    return Err("RFC 8308 §2.4: first behind NEWKEYS, to whom takes it");
                }
                self.pings = names_of(payload).contains(&"ping@openssh.com");
            }
            193 => {
                let data = Fields::of(payload).string().map(<[u8]>::to_vec);
                if data.is_none() || self.pongs.pop_front() != data {
                    return Err("PROTOCOL §1.9: the data of the ping, in order");
                }
            }
            _ => {}
        }
        if self.switched == 0 && number > 4 {
            return Err("RFC 4253 §10: before there are keys");
        }
        self.said_since_keys = true;
        Ok(())
    }

    /// UNIMPLEMENTED for this packet: the first one that must be answered, or one before it that may be.
    fn answered(&mut self, sequence: Option<u32>) -> Saying {
        let owed = self.unknown.iter().position(|(_, owed)| *owed);
        let last = owed.map_or(self.unknown.len(), |at| at + 1);
        let found = self
            .unknown
            .iter()
            .take(last)
            .rposition(|(packet, _)| Some(*packet) == sequence);
        let found =
            found.ok_or("RFC 4253 §11.4: the number of the packet, in the order received")?;
        self.unknown.drain(..=found);
        Ok(())
    }

    fn say_exchange(&mut self, number: u8, payload: &[u8]) -> Saying {
        match number {
            20 if self.ours => Err("RFC 4253 §7.1: a second KEXINIT"),
            20 => {
                self.ours = true;
                self.our_kexinit = payload.to_vec();
                Ok(())
            }
            _ if !self.ours => Err("RFC 4253 §7: no exchange of ours"),
            21 if self.exchange != Exchange::NewKeys => {
                Err("RFC 4253 §7.3: before the method is through")
            }
            21 => {
                self.ours = false;
                self.switched += 1;
                self.said_since_keys = self.switched > 1;
                Ok(())
            }
            _ if self.exchange == Exchange::None => Err("RFC 4253 §7: before the peer's KEXINIT"),
            30 | 32 | 34 if self.us == Side::Client => Ok(()),
            31 | 33 if self.us == Side::Server => Ok(()),
            _ => Err("RFC 4253 §8, RFC 4419 §3: said by the other side"),
        }
    }

    pub(super) fn owes(&self) -> Option<String> {
        if let Some((sequence, _)) = self.unknown.iter().find(|(_, owed)| *owed) {
            return Some(format!("UNIMPLEMENTED for packet {sequence}"));
        }
        (!self.pongs.is_empty()).then(|| format!("{} pongs", self.pongs.len()))
    }
}

/// RFC 4253 §11.2 to §11.4: at any time.
fn generic(number: u8, payload: &[u8]) -> Ruling {
    let form = match number {
        2 => "s",
        3 => "u",
        _ => "bss",
    };
    match has_form(Fields::of(payload), form) {
        true => accept("RFC 4253 §11.2, §11.3, §11.4: understood and ignored at any time"),
        false => MALFORMED,
    }
}

/// One message with an octet string of 32 bytes.
fn share(payload: &[u8]) -> bool {
    let mut fields = Fields::of(payload);
    fields.string().is_some_and(|share| share.len() == 32) && fields.end().is_some()
}

/// The names of EXT_INFO.
fn names_of(payload: &[u8]) -> Vec<&str> {
    let mut fields = Fields::of(payload);
    let count = fields.uint32().unwrap_or_default();
    let mut names = Vec::new();
    for _ in 0..count {
        let Some(name) = fields.name() else { break };
        names.push(name);
        let _ = fields.string();
    }
    names
}

/// KEXINIT (RFC 4253 §7.1).
struct Lists<'a> {
    kex: Vec<&'a str>,
    /// Host keys, ciphers both ways, MACs both ways, compression both ways.
    others: Vec<Vec<&'a str>>,
    reserved: u32,
}

fn lists(payload: &[u8]) -> Option<Lists<'_>> {
    let mut fields = Fields::of(payload);
    fields.bytes(16)?;
    let kex = fields.names()?;
    let mut others = Vec::new();
    for _ in 0..7 {
        others.push(fields.names()?);
    }
    // The languages.
    fields.string()?;
    fields.string()?;
    fields.boolean()?;
    let reserved = fields.uint32()?;
    fields.end()?;
    Some(Lists {
        kex,
        others,
        reserved,
    })
}

/// The first of the client's that the server has too (RFC 4253 §7.1).
fn common<'a>(client: &[&'a str], server: &[&str]) -> Option<&'a str> {
    client.iter().find(|name| server.contains(name)).copied()
}

fn agree(client: &Lists<'_>, server: &Lists<'_>) -> Option<Method> {
    let kex = common(&client.kex, &server.kex)?;
    for (index, (ours, theirs)) in client.others.iter().zip(&server.others).enumerate() {
        // RFC 5647 §5.1 and PROTOCOL §1.6: with such a cipher no MAC is negotiated.
        let cipher = match index {
            3 => common(&client.others[1], &server.others[1]),
            4 => common(&client.others[2], &server.others[2]),
            _ => None,
        };
        let needed =
            !cipher.is_some_and(|cipher| cipher.contains("gcm") || cipher.contains("poly"));
        if needed && common(ours, theirs).is_none() {
            return None;
        }
    }
    Some(match kex.contains("group-exchange") {
        true => Method::GroupExchange,
        false => Method::Share,
    })
}
