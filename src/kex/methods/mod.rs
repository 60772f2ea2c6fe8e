//! The key exchange methods. All but group exchange share one form: the client sends a public value, the
//! server answers with its own, its host key and a signature. They differ in how a value is made and written,
//! which is a `share`.

mod dh_gex;
mod share;

use std::sync::Arc;

use self::dh_gex::{GexClient, GexServer};
use self::share::ClientShare;
use super::{Moduli, SharedSecret};
use crate::codec::Writer;
use crate::crypto::algorithms::{KexAlgorithm, KexMethod};
use crate::crypto::random::Random;
use crate::error::Error;
use crate::messages::kex::{KexMethodInit, KexMethodReply, PublicForm};
use crate::messages::MessageNumber;

/// What the client knows once the server's reply has come. Nothing of it is verified yet.
pub struct ClientAgreed {
    /// K_S as sent.
    pub host_key: Vec<u8>,
    /// The signature over H as sent.
    pub signature: Vec<u8>,
    /// The method's values as they stand in H.
    pub values: Vec<u8>,
    /// K.
    pub secret: SharedSecret,
}

/// What the client does after a message of the server.
pub enum ClientStep {
    /// Send this and wait for the next message.
    Send(Vec<u8>, ClientMethod),
    /// The method is through.
    Done(ClientAgreed),
}

/// The client's side of a method that waits for a message of the server.
pub struct ClientMethod(ClientState);

enum ClientState {
    ExpectReply(ExpectReply),
    ExpectGroup(GexClient),
}

/// Waits for the reply that ends a method.
struct ExpectReply {
    share: ClientShare,
    number: MessageNumber,
    form: PublicForm,
    /// What stands in H before the server's value.
    values: Vec<u8>,
}

impl ClientMethod {
    /// Begins the method: the first message to send and the state that waits for the answer.
    pub fn start(
        algorithm: &KexAlgorithm,
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, ClientMethod), Error> {
        if algorithm.method == KexMethod::DhGex {
            let (request, state) = GexClient::start();
            return Ok((request, ClientMethod(ClientState::ExpectGroup(state))));
        }
        let (share, public) = ClientShare::generate(algorithm.method, random)?;
        let (message, state) = ExpectReply::start(
            share,
            &public,
            [MessageNumber::KEX_30, MessageNumber::KEX_31],
            form(algorithm.method),
            Vec::new(),
        );
        Ok((message, ClientMethod(ClientState::ExpectReply(state))))
    }

    /// Takes a message of the server.
    pub fn handle(self, payload: &[u8], random: &mut dyn Random) -> Result<ClientStep, Error> {
        match self.0 {
            ClientState::ExpectReply(state) => state.handle(payload).map(ClientStep::Done),
            ClientState::ExpectGroup(state) => {
                let (message, next) = state.handle(payload, random)?;
                let next = ClientMethod(ClientState::ExpectReply(next));
                Ok(ClientStep::Send(message, next))
            }
        }
    }
}

impl ExpectReply {
    /// The message with our public value and the state that waits for the reply. `values` are what stands in H
    /// before our value.
    fn start(
        share: ClientShare,
        public: &[u8],
        [init, reply]: [MessageNumber; 2],
        form: PublicForm,
        mut values: Vec<u8>,
    ) -> (Vec<u8>, ExpectReply) {
        form.write(&mut Writer::new(&mut values), public);
        let message = KexMethodInit {
            number: init,
            form,
            client_public: public,
        };
        let state = ExpectReply {
            share,
            number: reply,
            form,
            values,
        };
        (message.encode(), state)
    }

    fn handle(mut self, payload: &[u8]) -> Result<ClientAgreed, Error> {
        let reply = KexMethodReply::decode(payload, self.number, self.form)?;
        let secret = self.share.agree(reply.server_public)?;
        self.form
            .write(&mut Writer::new(&mut self.values), reply.server_public);
        Ok(ClientAgreed {
            host_key: reply.host_key.to_vec(),
            signature: reply.signature.to_vec(),
            values: self.values,
            secret,
        })
    }
}

/// What the server knows once the client's value has come. It signs H and sends the reply.
pub struct ServerAgreed {
    /// The method's values as they stand in H.
    pub values: Vec<u8>,
    /// K.
    pub secret: SharedSecret,
    number: MessageNumber,
    form: PublicForm,
    public: Vec<u8>,
}

impl ServerAgreed {
    /// The reply with the host key and the signature over H.
    pub fn reply(&self, host_key: &[u8], signature: &[u8]) -> Vec<u8> {
        KexMethodReply {
            number: self.number,
            form: self.form,
            host_key,
            server_public: &self.public,
            signature,
        }
        .encode()
    }

    /// Answers the client's public value with one of our own. `values` are what stands in H before both.
    fn respond(
        share: impl FnOnce(&[u8]) -> Result<(Vec<u8>, SharedSecret), Error>,
        client_public: &[u8],
        number: MessageNumber,
        form: PublicForm,
        mut values: Vec<u8>,
    ) -> Result<Self, Error> {
        let (public, secret) = share(client_public)?;
        let mut writer = Writer::new(&mut values);
        form.write(&mut writer, client_public);
        form.write(&mut writer, &public);
        Ok(ServerAgreed {
            values,
            secret,
            number,
            form,
            public,
        })
    }
}

/// What the server does after a message of the client.
pub enum ServerStep {
    /// Send this and wait for the next message.
    Send(Vec<u8>, ServerMethod),
    /// Sign and reply.
    Done(ServerAgreed),
}

/// The server's side of a method that waits for a message of the client.
pub struct ServerMethod(ServerState);

enum ServerState {
    ExpectInit(KexMethod),
    Gex(GexServer),
}

impl ServerMethod {
    /// The state that waits for the client's first message. `moduli` is the table for group exchange; without
    /// one the groups of RFC 3526 are used.
    pub fn start(algorithm: &KexAlgorithm, moduli: Option<Arc<Moduli>>) -> ServerMethod {
        ServerMethod(match algorithm.method {
            KexMethod::DhGex => ServerState::Gex(GexServer::start(moduli)),
            method => ServerState::ExpectInit(method),
        })
    }

    /// Takes a message of the client.
    pub fn handle(self, payload: &[u8], random: &mut dyn Random) -> Result<ServerStep, Error> {
        match self.0 {
            ServerState::ExpectInit(method) => {
                let form = form(method);
                let init = KexMethodInit::decode(payload, MessageNumber::KEX_30, form)?;
                ServerAgreed::respond(
                    |public| share::respond(method, public, random),
                    init.client_public,
                    MessageNumber::KEX_31,
                    form,
                    Vec::new(),
                )
                .map(ServerStep::Done)
            }
            ServerState::Gex(state) => state.handle(payload, random),
        }
    }
}

/// RFC 4253 §8 writes public values of Diffie-Hellman as mpints; all later methods as strings.
fn form(method: KexMethod) -> PublicForm {
    match method {
        KexMethod::DhGroup(_) | KexMethod::DhGex => PublicForm::Mpint,
        KexMethod::MlKem768X25519
        | KexMethod::Sntrup761X25519
        | KexMethod::X25519
        | KexMethod::Ecdh(_) => PublicForm::Octets,
    }
}
