//! Diffie-Hellman group exchange (RFC 4419), both roles.

use std::sync::Arc;

use super::share::{self, ClientShare};
use super::{ExpectReply, ServerAgreed, ServerMethod, ServerState, ServerStep};
use crate::codec::Writer;
use crate::crypto::agreement::dh::DhGroup;
use crate::crypto::random::Random;
use crate::error::{Error, KexFault};
use crate::kex::moduli::{MAX_BITS, MIN_BITS};
use crate::kex::Moduli;
use crate::messages::kex::{DhGexGroup, DhGexRequest, KexMethodInit, PublicForm};
use crate::messages::MessageNumber;

/// What our client asks for.
const REQUEST: DhGexRequest = DhGexRequest {
    min: 2048,
    preferred: 3072,
    max: 8192,
};
const INIT_AND_REPLY: [MessageNumber; 2] = [
    MessageNumber::KEX_DH_GEX_INIT,
    MessageNumber::KEX_DH_GEX_REPLY,
];

/// The client, waiting for the group.
pub(super) struct GexClient;

impl GexClient {
    /// The request and the state that waits for the answer.
    pub(super) fn start() -> (Vec<u8>, GexClient) {
        (REQUEST.encode(), GexClient)
    }

    /// Takes the group and sends our value.
    pub(super) fn handle(
        self,
        payload: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, ExpectReply), Error> {
        let group = check_group(&DhGexGroup::decode(payload)?)?;
        let (share, public) = ClientShare::generate_in_group(&group, random)?;
        let values = hash_values(REQUEST, &group);
        Ok(ExpectReply::start(
            share,
            &public,
            INIT_AND_REPLY,
            PublicForm::Mpint,
            values,
        ))
    }
}

/// Refuses a group that is not of the size asked for, or that cannot be one, before anything is computed in it.
fn check_group(group: &DhGexGroup<'_>) -> Result<DhGroup, Error> {
    DhGroup::from_wire(group.p, group.g, REQUEST.min, REQUEST.max)
        .map_err(|_| KexFault::BadGroup.into())
}

/// RFC 4419 §3: min || n || max || p || g stand in H before e and f.
fn hash_values(request: DhGexRequest, group: &DhGroup) -> Vec<u8> {
    Writer::collect(|w| {
        w.u32(request.min).u32(request.preferred).u32(request.max);
        w.mpint(group.p()).mpint(group.g());
    })
}

/// The server's two waiting states.
pub(super) enum GexServer {
    /// Waiting for the request.
    ExpectRequest(Option<Arc<Moduli>>),
    /// Waiting for the client's value in the group that was sent.
    ExpectInit {
        /// The group.
        group: DhGroup,
        /// What stands in H before both values.
        values: Vec<u8>,
    },
}

impl GexServer {
    /// The state that waits for the request. Without a table the groups of RFC 3526 serve.
    pub(super) fn start(moduli: Option<Arc<Moduli>>) -> GexServer {
        GexServer::ExpectRequest(moduli)
    }

    /// Takes a message of the client.
    pub(super) fn handle(
        self,
        payload: &[u8],
        random: &mut dyn Random,
    ) -> Result<ServerStep, Error> {
        match self {
            GexServer::ExpectRequest(moduli) => {
                // The request of the drafts (message 30) has no lower bound and is refused by its number.
                let request = DhGexRequest::decode(payload)?;
                let built_in = || Arc::new(share::built_in_groups());
                let moduli = moduli
                    .filter(|table| !table.is_empty())
                    .unwrap_or_else(built_in);
                let chosen = moduli.choose(request, random).ok_or(KexFault::BadGroup)?;
                let group = DhGroup::from_wire(&chosen.p, &chosen.g, MIN_BITS, MAX_BITS)
                    .map_err(|_| KexFault::BadGroup)?;
                let message = DhGexGroup {
                    p: group.p(),
                    g: group.g(),
                };
                let message = message.encode();
                let values = hash_values(request, &group);
                let next = GexServer::ExpectInit { group, values };
                Ok(ServerStep::Send(
                    message,
                    ServerMethod(ServerState::Gex(next)),
                ))
            }
            GexServer::ExpectInit { group, values } => {
                let [number, reply] = INIT_AND_REPLY;
                let init = KexMethodInit::decode(payload, number, PublicForm::Mpint)?;
                ServerAgreed::respond(
                    |public| share::respond_in_group(&group, public, random),
                    init.client_public,
                    reply,
                    PublicForm::Mpint,
                    values,
                )
                .map(ServerStep::Done)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRandom;

    fn check(p: &[u8], g: &[u8]) -> bool {
        check_group(&DhGexGroup { p, g }).is_ok()
    }

    #[test]
    fn k11_client_refuses_bad_groups() {
        let p = vec![0xff; 256];
        let mut p_minus_1 = p.clone();
        p_minus_1[255] = 0xfe;
        let mut p_minus_2 = p.clone();
        p_minus_2[255] = 0xfd;
        assert!(check(&p, &[2]));
        assert!(check(&p, &p_minus_2));
        for g in [&[][..], &[0], &[1], &[0, 1], &p_minus_1, &p] {
            assert!(!check(&p, g), "{g:?}");
        }
        assert!(!check(&p_minus_1, &[2]), "even");
        assert!(!check(&[], &[2]), "p = 0");
        assert!(!check(&[0xff; 128], &[2]), "1024 bits");
        assert!(!check(&[0xff; 2048], &[2]), "16384 bits");
        assert!(!check(&[0x7f; 256], &[2]), "2047 bits");
    }

    #[test]
    fn k11_server_refuses_bad_requests() {
        let mut random = SeededRandom::new(1);
        let mut serve = |min, preferred, max| {
            let request = DhGexRequest {
                min,
                preferred,
                max,
            };
            GexServer::start(None).handle(&request.encode(), &mut random)
        };
        assert!(serve(2048, 3072, 8192).is_ok());
        for (min, preferred, max) in [(4096, 3072, 2048), (1024, 1024, 1536), (9000, 9000, 9999)] {
            let refused = serve(min, preferred, max).err();
            assert_eq!(refused, Some(KexFault::BadGroup.into()));
        }
        let old = [30, 0, 0, 8, 0];
        let refused = GexServer::start(None).handle(&old, &mut random).err();
        assert_eq!(
            refused,
            Some(crate::error::PeerMisbehaved::UnexpectedMessage(MessageNumber::KEX_30).into())
        );
    }
}
