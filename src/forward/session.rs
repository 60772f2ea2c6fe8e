//! What a session lets the server use on this side: the agent, the display.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::group::Group;
use super::serve;
use super::x11::{SetupCheck, COOKIE_BYTES, PROTOCOL};
use crate::connection::{ChannelRequest, ForwardPoint, X11Request};
use crate::crypto::random::{Random, SystemRandom};
use crate::driver::{Channel, ForwardHandler, Request, Timeout, Transport};
use crate::error::Error;

const AGENT: &str = "auth-agent@openssh.com";
const X11: &str = "x11";
/// Most connections at once to the agent or the display.
const MAX_CONNECTIONS: usize = 256;

/// Asks the server to let programs of the session use the agent of this side. Its channels are carried to the socket at
/// `agent`, or without one go to the accept queue.
pub fn request_agent(
    channel: &Channel,
    agent: Option<ForwardPoint>,
    timeout: Timeout,
) -> Result<(), Error> {
    let transport = channel.transport();
    let handler = agent.map(|agent| {
        let group = Group::new(transport.clone(), MAX_CONNECTIONS);
        let handler: ForwardHandler = Arc::new(move |request: Request| match &agent {
            ForwardPoint::Unix { path } => serve::connect_agent(&group, request, path),
            ForwardPoint::Tcp { .. } => serve::connect(&group, request, &agent, None),
        });
        handler
    });
    // Before the request is sent, for the first channel may come with the answer to it.
    let number = transport.expect_channels(AGENT, handler)?;
    let outcome = channel.request(&ChannelRequest::AgentForward, true, timeout);
    settle(&transport, AGENT, number, outcome.is_ok());
    outcome
}

fn settle(transport: &Transport, kind: &'static str, number: u64, granted: bool) {
    match granted {
        true => transport.channels_granted(kind, number),
        false => transport.channels_refused(kind, number),
    }
}

/// A display of this side.
pub struct Display {
    /// Where it listens; without it channels go to the accept queue as they are.
    pub place: Option<ForwardPoint>,
    /// Its cookie; empty for none.
    pub cookie: Vec<u8>,
    /// The screen.
    pub screen: u32,
    /// Only one connection.
    pub single: bool,
}

/// Asks the server to let programs of the session show windows here. Returns the cookie that the server was given, in
/// hexadecimal: it is made for this, and each connection must bring it.
pub fn request_x11(channel: &Channel, display: Display, timeout: Timeout) -> Result<String, Error> {
    let mut fake = [0; COOKIE_BYTES];
    SystemRandom.fill(&mut fake);
    let cookie: String = fake.iter().map(|byte| format!("{byte:02x}")).collect();
    let transport = channel.transport();
    let single = display.single;
    let group = Group::new(transport.clone(), MAX_CONNECTIONS);
    let used = AtomicBool::new(false);
    let check = SetupCheck::new(&fake, &display.cookie);
    let place = display.place;
    let handler = move |request: Request| {
        if used.swap(true, Ordering::SeqCst) && single {
            // The request is refused by being dropped.
            return;
        }
        match &place {
            Some(place) => serve::connect(&group, request, place, Some(check.clone())),
            None => {
                // Fails only when the session is over.
                let _ = request.accept();
            }
        }
    };
    let number = transport.expect_channels(X11, Some(Arc::new(handler)))?;
    let request = ChannelRequest::X11(X11Request {
        single,
        protocol: PROTOCOL.to_owned(),
        cookie: cookie.clone(),
        screen: display.screen,
    });
    let outcome = channel.request(&request, true, timeout);
    settle(&transport, X11, number, outcome.is_ok());
    outcome.map(|()| cookie)
}
