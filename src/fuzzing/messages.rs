//! Every message of the protocol: what is read is written back byte for byte, unless it was written in a way that no
//! writer chooses and readers let pass (a `bool` of 2, an `mpint` with zeros in front, a `name-list` with a comma behind).
//! Then it is written back as something that reads the same.

use crate::codec::{DecodeError, Reader, Writer};
use crate::messages::channel_request::{ChannelRequest, ChannelRequestMessage};
use crate::messages::connection::{
    ChannelClose, ChannelData, ChannelEof, ChannelExtendedData, ChannelFailure, ChannelOpen,
    ChannelOpenConfirmation, ChannelOpenFailure, ChannelSuccess, ChannelWindowAdjust,
};
use crate::messages::ext_info::ExtInfo;
use crate::messages::forward::ForwardRequest;
use crate::messages::global_request::{GlobalRequest, RequestFailure, RequestSuccess};
use crate::messages::kex::{
    DhGexGroup, DhGexRequest, KexMethodInit, KexMethodReply, NewKeys, PublicForm,
};
use crate::messages::open_kind::OpenKind;
use crate::messages::service::{ServiceAccept, ServiceRequest};
use crate::messages::transport::{Debug, Disconnect, Ping, Unimplemented};
use crate::messages::userauth::{
    MethodFields, UserauthBanner, UserauthFailure, UserauthPasswdChangereq, UserauthPkOk,
    UserauthRequest, UserauthSuccess,
};
use crate::messages::userauth_info::{UserauthInfoRequest, UserauthInfoResponse};
use crate::messages::MessageNumber;

/// A payload, read as whatever its number may stand for.
pub(super) fn messages(data: &[u8]) {
    match data.first().copied().map(MessageNumber) {
        Some(number) if number.0 < 30 => transport(number, data),
        Some(number) if number.0 < 50 => kex(number, data),
        Some(number) if number.0 < 80 => userauth(number, data),
        Some(_) => connection(data),
        None => {}
    }
}

/// What was read and written again.
#[track_caller]
fn same(data: &[u8], written: &[u8]) {
    assert_eq!(data, written);
}

#[track_caller]
fn written(data: &[u8], fill: impl FnOnce(&mut Writer<'_>)) {
    same(data, &Writer::collect(fill));
}

fn transport(number: MessageNumber, data: &[u8]) {
    let disconnect = Disconnect::decode(data);
    assert!(disconnect.description.len() < 8192);
    assert!(!disconnect.description.contains(char::is_control));
    if let Ok(message) = Unimplemented::decode(data) {
        same(data, &message.encode());
    }
    if let Ok(debug) = Debug::decode(data) {
        assert!(debug.message.len() < 8192);
    }
    for number in [MessageNumber::PING, MessageNumber::PONG, number] {
        if let Ok(message) = Ping::decode(data, number) {
            same(data, &message.encode(number));
        }
    }
    if let Ok(message) = ServiceRequest::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ServiceAccept::decode(data) {
        // OpenSSH's servers of old sent no name; ours always does.
        assert!(message.service.len() <= data.len());
    }
    if let Ok(message) = ExtInfo::decode(data) {
        same(data, &message.encode());
    }
    if let Ok(message) = NewKeys::decode(data) {
        same(data, &message.encode());
    }
}

fn kex(number: MessageNumber, data: &[u8]) {
    for form in [PublicForm::Mpint, PublicForm::Octets] {
        if let Ok(message) = KexMethodInit::decode(data, number, form) {
            let again = message.encode();
            assert_eq!(KexMethodInit::decode(&again, number, form), Ok(message));
        }
        if let Ok(message) = KexMethodReply::decode(data, number, form) {
            let again = message.encode();
            assert_eq!(KexMethodReply::decode(&again, number, form), Ok(message));
        }
    }
    if let Ok(message) = DhGexRequest::decode(data) {
        same(data, &message.encode());
    }
    if let Ok(message) = DhGexGroup::decode(data) {
        assert_eq!(DhGexGroup::decode(&message.encode()), Ok(message));
    }
}

fn userauth(_: MessageNumber, data: &[u8]) {
    if let Ok(message) = UserauthRequest::decode(data) {
        written(data, |w| message.encode(w));
        if let Ok(fields) = MethodFields::decode(&message) {
            let again = Writer::collect(|w| fields.encode(w));
            assert!(again.len() <= data.len());
        }
    }
    if let Ok(message) = UserauthFailure::decode(data) {
        let methods = message.methods.to_vec();
        let again = Writer::collect(|w| {
            UserauthFailure::encode(w, &methods, message.partial_success);
        });
        let read = UserauthFailure::decode(&again).unwrap();
        assert_eq!(read.methods.to_vec(), methods);
        assert_eq!(read.partial_success, message.partial_success);
    }
    if UserauthSuccess::decode(data).is_ok() {
        written(data, |w| UserauthSuccess.encode(w));
    }
    if let Ok(message) = UserauthBanner::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = UserauthPkOk::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = UserauthPasswdChangereq::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = UserauthInfoRequest::decode(data) {
        let again = Writer::collect(|w| message.encode(w));
        assert_eq!(UserauthInfoRequest::decode(&again), Ok(message));
    }
    if let Ok(message) = UserauthInfoResponse::decode(data) {
        written(data, |w| message.encode(w));
    }
}

fn connection(data: &[u8]) {
    global(data);
    channel_open(data);
    if let Ok(message) = ChannelWindowAdjust::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ChannelData::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ChannelExtendedData::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ChannelEof::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ChannelClose::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ChannelSuccess::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ChannelFailure::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ChannelRequestMessage::decode(data) {
        let name = String::from_utf8_lossy(message.name);
        if let Ok(request) = ChannelRequest::decode(&name, message.specific) {
            let again = Writer::collect(|w| request.encode(w));
            let read = ChannelRequest::decode(&name, &again);
            match (&request, read) {
                // Its texts are escaped for a person each time, and capped again.
                (
                    ChannelRequest::ExitSignal { core_dumped, .. },
                    Ok(ChannelRequest::ExitSignal {
                        core_dumped: read, ..
                    }),
                ) => assert_eq!(read, *core_dumped),
                (_, read) => assert_eq!(read, Ok(request)),
            }
        }
    }
}

fn global(data: &[u8]) {
    if let Ok(message) = GlobalRequest::decode(data) {
        let name = String::from_utf8_lossy(message.name);
        if let Some(Ok(request)) = ForwardRequest::decode(&name, message.data) {
            written(message.data, |w| request.encode(w));
        }
    }
    if let Ok(message) = RequestSuccess::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = RequestFailure::decode(data) {
        written(data, |w| message.encode(w));
    }
}

fn channel_open(data: &[u8]) {
    if let Ok(message) = ChannelOpen::decode(data) {
        written(data, |w| message.encode(w));
        let name = String::from_utf8_lossy(message.kind);
        if let Ok(kind) = OpenKind::decode(&name, message.specific) {
            let again = Writer::collect(|w| kind.encode(w));
            assert_eq!(OpenKind::decode(&name, &again), Ok(kind));
        }
    }
    if let Ok(message) = ChannelOpenConfirmation::decode(data) {
        written(data, |w| message.encode(w));
    }
    if let Ok(message) = ChannelOpenFailure::decode(data) {
        assert!(message.description.len() <= data.len());
    }
}

/// The data types of RFC 4251 §5, one after the other, as the first bytes choose.
pub(super) fn codec(data: &[u8]) {
    let Some((choices, rest)) = data.split_at_checked(8) else {
        return;
    };
    let mut reader = Reader::new(rest);
    for choice in choices {
        let Ok(written) = rewritten(*choice, &mut reader) else {
            return;
        };
        let mut again = Reader::new(&written);
        assert_eq!(rewritten(*choice, &mut again), Ok(written.clone()));
        assert!(again.is_empty());
    }
    let left = reader.remaining().len();
    assert_eq!(reader.finish().is_ok(), left == 0);
}

/// A field of the type that the number chooses, read and written.
fn rewritten(choice: u8, reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    match choice % 8 {
        0 => w.u8(reader.u8()?),
        1 => w.u32(reader.u32()?),
        2 => w.u64(reader.u64()?),
        3 => w.string(reader.string()?),
        4 => w.mpint(reader.mpint()?),
        5 => w.string(reader.text()?),
        6 => w.bool(reader.bool()?),
        _ => w.name_list(&reader.name_list()?.to_vec()),
    };
    Ok(out)
}
