//! The messages of key exchange: RFC 4253 §7 and §8, RFC 4419 §5, RFC 5656 §4.

use super::MessageNumber;
use crate::codec::{NameList, Reader, Writer};
use crate::error::{Error, PeerMisbehaved};

/// SSH_MSG_KEXINIT (RFC 4253 §7.1). The lists borrow from the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KexInit<'a> {
    /// Random bytes that make each exchange hash unique.
    pub cookie: [u8; 16],
    /// kex_algorithms, markers included.
    pub kex: NameList<'a>,
    /// server_host_key_algorithms
    pub host_key: NameList<'a>,
    /// encryption_algorithms_client_to_server
    pub cipher_client_to_server: NameList<'a>,
    /// encryption_algorithms_server_to_client
    pub cipher_server_to_client: NameList<'a>,
    /// mac_algorithms_client_to_server
    pub mac_client_to_server: NameList<'a>,
    /// mac_algorithms_server_to_client
    pub mac_server_to_client: NameList<'a>,
    /// compression_algorithms_client_to_server
    pub compression_client_to_server: NameList<'a>,
    /// compression_algorithms_server_to_client
    pub compression_server_to_client: NameList<'a>,
    /// Whether the peer sends its guess of the next message without waiting.
    pub first_kex_packet_follows: bool,
}

impl<'a> KexInit<'a> {
    /// Reads the message. The language lists must be well formed and are dropped: nobody uses them.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode(payload, MessageNumber::KEXINIT, |reader| {
            let init = KexInit {
                cookie: reader.array()?,
                kex: reader.name_list()?,
                host_key: reader.name_list()?,
                cipher_client_to_server: reader.name_list()?,
                cipher_server_to_client: reader.name_list()?,
                mac_client_to_server: reader.name_list()?,
                mac_server_to_client: reader.name_list()?,
                compression_client_to_server: reader.name_list()?,
                compression_server_to_client: reader.name_list()?,
                first_kex_packet_follows: {
                    reader.name_list()?;
                    reader.name_list()?;
                    reader.bool()?
                },
            };
            // RFC 4253 §7.1: reserved for extensions; a value is no fault.
            reader.u32()?;
            Ok(init)
        })
    }
}

/// The names that one side writes into its SSH_MSG_KEXINIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KexInitNames<'a> {
    /// kex_algorithms, markers included.
    pub kex: Vec<&'a str>,
    /// server_host_key_algorithms
    pub host_key: Vec<&'a str>,
    /// Ciphers of both directions.
    pub cipher: &'a [&'a str],
    /// MACs of both directions.
    pub mac: &'a [&'a str],
    /// Compression of both directions.
    pub compression: &'a [&'a str],
    /// The first message of the method follows, by a guess of what the peer prefers.
    pub guess_follows: bool,
}

impl KexInitNames<'_> {
    /// Writes the message.
    pub fn encode(&self, cookie: &[u8; 16]) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(MessageNumber::KEXINIT.0).raw(cookie);
            w.name_list(&self.kex).name_list(&self.host_key);
            for list in [self.cipher, self.mac, self.compression] {
                w.name_list(list).name_list(list);
            }
            // Languages, none; the last is reserved.
            w.string("").string("").bool(self.guess_follows).u32(0);
        })
    }
}

/// SSH_MSG_NEWKEYS (RFC 4253 §7.3), which has no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewKeys;

impl NewKeys {
    /// Checks that the message has no fields.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        decode(payload, MessageNumber::NEWKEYS, |_| Ok(NewKeys))
    }

    /// Writes the message.
    pub fn encode(self) -> Vec<u8> {
        vec![MessageNumber::NEWKEYS.0]
    }
}

/// How a public value is written: the one difference between KEXDH (RFC 4253 §8) and KEX_ECDH (RFC 5656 §4)
/// messages, which share their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicForm {
    /// An mpint, given and taken as its magnitude.
    Mpint,
    /// A string.
    Octets,
}

impl PublicForm {
    /// Appends a public value.
    pub fn write(self, writer: &mut Writer<'_>, value: &[u8]) {
        match self {
            PublicForm::Mpint => writer.mpint(value),
            PublicForm::Octets => writer.string(value),
        };
    }

    fn read<'a>(self, reader: &mut Reader<'a>) -> Result<&'a [u8], crate::codec::DecodeError> {
        match self {
            PublicForm::Mpint => reader.mpint(),
            PublicForm::Octets => reader.string(),
        }
    }
}

/// SSH_MSG_KEXDH_INIT, SSH_MSG_KEX_ECDH_INIT, SSH_MSG_KEX_HYBRID_INIT and SSH_MSG_KEX_DH_GEX_INIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KexMethodInit<'a> {
    /// The number, which depends on the method.
    pub number: MessageNumber,
    /// How the value is written.
    pub form: PublicForm,
    /// The client's public value.
    pub client_public: &'a [u8],
}

impl<'a> KexMethodInit<'a> {
    /// Reads the message of this number and form.
    pub fn decode(
        payload: &'a [u8],
        number: MessageNumber,
        form: PublicForm,
    ) -> Result<Self, Error> {
        decode(payload, number, |reader| {
            Ok(KexMethodInit {
                number,
                form,
                client_public: form.read(reader)?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            self.form.write(w.u8(self.number.0), self.client_public);
        })
    }
}

/// SSH_MSG_KEXDH_REPLY, SSH_MSG_KEX_ECDH_REPLY, SSH_MSG_KEX_HYBRID_REPLY and SSH_MSG_KEX_DH_GEX_REPLY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KexMethodReply<'a> {
    /// The number, which depends on the method.
    pub number: MessageNumber,
    /// How the value is written.
    pub form: PublicForm,
    /// K_S
    pub host_key: &'a [u8],
    /// The server's public value.
    pub server_public: &'a [u8],
    /// The signature over the exchange hash.
    pub signature: &'a [u8],
}

impl<'a> KexMethodReply<'a> {
    /// Reads the message of this number and form.
    pub fn decode(
        payload: &'a [u8],
        number: MessageNumber,
        form: PublicForm,
    ) -> Result<Self, Error> {
        decode(payload, number, |reader| {
            Ok(KexMethodReply {
                number,
                form,
                host_key: reader.string()?,
                server_public: form.read(reader)?,
                signature: reader.string()?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(self.number.0).string(self.host_key);
            self.form.write(w, self.server_public);
            w.string(self.signature);
        })
    }
}

/// SSH_MSG_KEX_DH_GEX_REQUEST (RFC 4419 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhGexRequest {
    /// The smallest group the client takes, in bits.
    pub min: u32,
    /// The group the client would like.
    pub preferred: u32,
    /// The largest group the client takes.
    pub max: u32,
}

impl DhGexRequest {
    /// Reads the message.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        decode(payload, MessageNumber::KEX_DH_GEX_REQUEST, |reader| {
            Ok(DhGexRequest {
                min: reader.u32()?,
                preferred: reader.u32()?,
                max: reader.u32()?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(MessageNumber::KEX_DH_GEX_REQUEST.0);
            w.u32(self.min).u32(self.preferred).u32(self.max);
        })
    }
}

/// SSH_MSG_KEX_DH_GEX_GROUP (RFC 4419 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhGexGroup<'a> {
    /// The safe prime, its magnitude.
    pub p: &'a [u8],
    /// The generator, its magnitude.
    pub g: &'a [u8],
}

impl<'a> DhGexGroup<'a> {
    /// Reads the message.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        decode(payload, MessageNumber::KEX_31, |reader| {
            Ok(DhGexGroup {
                p: reader.mpint()?,
                g: reader.mpint()?,
            })
        })
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::collect(|w| {
            w.u8(MessageNumber::KEX_31.0).mpint(self.p).mpint(self.g);
        })
    }
}

/// Reads a message of exactly this number, refusing bytes after its last field.
pub(super) fn decode<'a, T>(
    payload: &'a [u8],
    number: MessageNumber,
    fields: impl FnOnce(&mut Reader<'a>) -> Result<T, crate::codec::DecodeError>,
) -> Result<T, Error> {
    let mut reader = Reader::new(payload);
    let found = reader.u8().map_err(Error::invalid(number))?;
    if found != number.0 {
        return Err(PeerMisbehaved::UnexpectedMessage(MessageNumber(found)).into());
    }
    let message = fields(&mut reader).map_err(Error::invalid(number))?;
    reader.finish().map_err(Error::invalid(number))?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::DecodeError;

    fn kexinit() -> Vec<u8> {
        KexInitNames {
            kex: vec!["k1", "k2"],
            host_key: vec!["h1"],
            cipher: &["c1", "c2"],
            mac: &["m1"],
            compression: &["none"],
            guess_follows: false,
        }
        .encode(&[7; 16])
    }

    #[test]
    fn kexinit_round_trip() {
        let payload = kexinit();
        let init = KexInit::decode(&payload).unwrap();
        assert_eq!(init.cookie, [7; 16]);
        assert_eq!(init.kex.to_vec(), ["k1", "k2"]);
        assert_eq!(init.host_key.to_vec(), ["h1"]);
        assert_eq!(init.cipher_server_to_client.to_vec(), ["c1", "c2"]);
        assert_eq!(init.mac_client_to_server.to_vec(), ["m1"]);
        assert_eq!(init.compression_server_to_client.to_vec(), ["none"]);
        assert!(!init.first_kex_packet_follows);
    }

    #[test]
    fn p8_every_cut_and_trailing_byte_of_kexinit_is_refused() {
        let payload = kexinit();
        for end in 1..payload.len() {
            assert!(KexInit::decode(&payload[..end]).is_err(), "{end}");
        }
        let mut long = payload;
        long.push(0);
        assert_eq!(
            KexInit::decode(&long),
            Err(Error::InvalidMessage {
                number: MessageNumber::KEXINIT,
                fault: DecodeError::TrailingBytes
            })
        );
    }

    #[test]
    fn k2_hostile_lists_in_kexinit() {
        for bad in [
            &b","[..],
            b"a,,b",
            b",a",
            &[b'x'; 65],
            b"\x80",
            b"a\0",
            &b"a,".repeat(100_000),
        ] {
            let payload = Writer::collect(|w| {
                w.u8(20).raw(&[0; 16]).string(bad);
                for _ in 0..9 {
                    w.string("");
                }
                w.bool(false).u32(0);
            });
            assert!(KexInit::decode(&payload).is_err());
        }
    }

    #[test]
    fn method_messages_round_trip_and_refuse_damage() {
        for form in [PublicForm::Mpint, PublicForm::Octets] {
            let reply = KexMethodReply {
                number: MessageNumber::KEX_31,
                form,
                host_key: b"key",
                server_public: &[0x80, 1],
                signature: b"sig",
            };
            let payload = reply.encode();
            let number = MessageNumber::KEX_31;
            assert_eq!(KexMethodReply::decode(&payload, number, form), Ok(reply));
            for end in 0..payload.len() {
                assert!(KexMethodReply::decode(&payload[..end], number, form).is_err());
            }
            let long = [&payload[..], b"x"].concat();
            assert!(KexMethodReply::decode(&long, number, form).is_err());
            let init = KexMethodInit {
                number: MessageNumber::KEX_30,
                form,
                client_public: &[0xff; 3],
            };
            let payload = init.encode();
            assert_eq!(
                KexMethodInit::decode(&payload, MessageNumber::KEX_30, form),
                Ok(init)
            );
        }
        let request = DhGexRequest {
            min: 1,
            preferred: 2,
            max: 3,
        };
        assert_eq!(DhGexRequest::decode(&request.encode()), Ok(request));
        let group = DhGexGroup {
            p: &[0xff, 1],
            g: &[2],
        };
        assert_eq!(DhGexGroup::decode(&group.encode()), Ok(group));
        assert!(NewKeys::decode(&[21]).is_ok());
        assert!(NewKeys::decode(&[21, 0]).is_err());
        assert!(NewKeys::decode(&[20]).is_err());
    }
}
