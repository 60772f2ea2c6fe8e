//! Requests that are bound to the server's host key (OpenSSH, PROTOCOL §3.1), and hostbased, which is none of ours.

use super::*;
use crate::messages::userauth::METHOD_PUBLICKEY_HOSTBOUND;
use AuthDecision::Accept;

const HOST_KEY: &[u8] = b"the host key";

fn bound_server() -> Server {
    let mut server = Server::new();
    server.auth.set_host_key(Some(HOST_KEY.to_vec()));
    server
}

/// A signed request whose message and signature name these host keys and methods.
fn bound_request(named: &[u8], signed: &[u8], signed_method: &str) -> Vec<u8> {
    let key = key_a();
    let blob = key.public().blob();
    let data = Writer::collect(|w| {
        w.string(SESSION_ID)
            .u8(50)
            .string("u")
            .string("ssh-connection");
        w.string(signed_method)
            .bool(true)
            .string(ED25519)
            .string(blob)
            .raw(signed);
    });
    let signature = key.sign(ED25519, &data).unwrap();
    let fields = MethodFields::PublicKey {
        algorithm: ED25519,
        blob,
        host_key: Some(named),
        signature: Some(&signature),
    };
    request("u", "ssh-connection", METHOD_PUBLICKEY_HOSTBOUND, &fields)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    Writer::collect(|w| {
        w.string(bytes);
    })
}

#[test]
fn both_sides_bind_with_and_without_a_probe() {
    for probe in [false, true] {
        let mut pair = Pair::new([Accept, Accept]);
        pair.client.set_hostbound(Some(HOST_KEY.to_vec()));
        pair.server.auth.set_host_key(Some(HOST_KEY.to_vec()));
        let outcome = pair.attempt("u", publickey(key_a(), probe));
        assert_eq!(outcome, Ok(AuthOutcome::Success));
        assert_eq!(pair.let_in, ["u by publickey"]);
    }
}

#[test]
fn another_host_key_is_refused_without_a_question() {
    for probe in [false, true] {
        let mut pair = Pair::new([Accept, Accept]);
        pair.client.set_hostbound(Some(b"another".to_vec()));
        pair.server.auth.set_host_key(Some(HOST_KEY.to_vec()));
        let outcome = pair.attempt("u", publickey(key_a(), probe));
        assert!(matches!(outcome, Ok(AuthOutcome::Failure { .. })));
        assert!(pair.asked.is_empty());
    }
}

#[test]
fn a6_a_bound_signature_covers_what_the_request_says() {
    let mut server = bound_server();
    let good = bound_request(HOST_KEY, &string(HOST_KEY), METHOD_PUBLICKEY_HOSTBOUND);
    server.handle(&good).unwrap();
    server.verify().unwrap();
    assert!(server.question().1.starts_with("u: proven"));
    for (what, named, signed, method) in [
        (
            "a signature for another host",
            HOST_KEY,
            string(b"another"),
            METHOD_PUBLICKEY_HOSTBOUND,
        ),
        (
            "a signature without a host",
            HOST_KEY,
            Vec::new(),
            METHOD_PUBLICKEY_HOSTBOUND,
        ),
        (
            "a signature of the plain method",
            HOST_KEY,
            Vec::new(),
            "publickey",
        ),
    ] {
        let mut server = bound_server();
        server
            .handle(&bound_request(named, &signed, method))
            .unwrap();
        server.verify().unwrap();
        let reply = server.reply();
        assert!(UserauthFailure::decode(&reply).is_ok(), "{what}");
        server.assert_quiet();
    }
    // Good for another host, and for a server that does not know its own key.
    let other = bound_request(b"another", &string(b"another"), METHOD_PUBLICKEY_HOSTBOUND);
    let mut server = bound_server();
    server.handle(&other).unwrap();
    server.assert_refused();
    let mut server = Server::new();
    server.handle(&good).unwrap();
    server.assert_refused();
}

#[test]
fn a7_trailing_bytes_of_a_bound_request() {
    let mut server = bound_server();
    let mut longer = bound_request(HOST_KEY, &string(HOST_KEY), METHOD_PUBLICKEY_HOSTBOUND);
    longer.push(0);
    server.handle(&longer).unwrap();
    server.assert_refused();
}

#[test]
fn hostbased_is_refused_and_nothing_else_happens() {
    let mut server = bound_server();
    let fields = Writer::collect(|w| {
        w.string(ED25519)
            .string(key_a().public().blob())
            .string("client.example.org")
            .string("root")
            .string("signature");
    });
    let mut payload = request("u", "ssh-connection", "hostbased", &MethodFields::Other);
    payload.extend_from_slice(&fields);
    server.handle(&payload).unwrap();
    server.assert_refused();
    // The same user may go on.
    let reply = server.ask(&password_request("u", b"good"), Accept);
    assert_eq!(number(&reply), MessageNumber::USERAUTH_SUCCESS);
}
