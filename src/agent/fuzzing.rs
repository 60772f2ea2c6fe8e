//! The fuzz target of this module: everything an agent may be asked, and an agent that answers with the input.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use super::message::MAX_IDENTITIES;
use super::{Agent, Constraints};
use crate::driver::{ByteStream, StreamFault, Timeout};
use crate::error::Error;
use crate::keys::PrivateKey;
use crate::transport::SessionProof;

/// Long enough never to pass: nothing here waits.
const TIME: Timeout = Timeout::After(Duration::from_secs(60));
const MAX_CALLS: usize = 16;

/// What the agent says, whatever it is asked.
struct Script {
    bytes: Vec<u8>,
    at: AtomicUsize,
}

impl ByteStream for Script {
    fn read(&self, buffer: &mut [u8], _: Duration) -> Result<usize, StreamFault> {
        let at = self.at.load(Ordering::Relaxed);
        let rest = self.bytes.get(at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at.store(at + count, Ordering::Relaxed);
        Ok(count)
    }

    fn write(&self, bytes: &[u8], _: Duration) -> Result<usize, StreamFault> {
        Ok(bytes.len())
    }

    fn close(&self) {}
}

/// The first byte is the number of calls, which are the next bytes; what follows are the agent's answers.
pub(crate) fn run(data: &[u8], key: &PrivateKey) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let count = usize::from(*count).min(MAX_CALLS).min(rest.len());
    let (calls, answers) = rest.split_at(count);
    let agent = Agent::over_stream(Arc::new(Script {
        bytes: answers.to_vec(),
        at: AtomicUsize::new(0),
    }));
    for choice in calls {
        // What is refused or broken is told, and nothing waits.
        let _ = call(&agent, *choice, key);
    }
}

fn call(agent: &Agent, choice: u8, key: &PrivateKey) -> Result<(), Error> {
    let blob = key.public().blob();
    match choice % 8 {
        0 | 1 => {
            let identities = agent.identities(TIME)?;
            assert!(identities.len() <= MAX_IDENTITIES);
            for identity in identities {
                assert!(identity.comment.len() <= 4096 && identity.blob.len() <= 64 * 1024);
            }
            Ok(())
        }
        2 | 3 => {
            let signature = agent.sign(blob, None, b"data", TIME)?;
            let algorithm = key.public().signature_algorithms()[0];
            assert!(key.public().verify(algorithm, b"data", &signature));
            Ok(())
        }
        4 => {
            let constraints = Constraints {
                lifetime_s: u32::from(choice),
                confirm: choice & 8 != 0,
            };
            agent.add(key, None, constraints, TIME)
        }
        5 => agent.remove(blob, TIME),
        6 => agent.lock(b"passphrase", TIME),
        _ => agent.bind(
            &SessionProof {
                host_key: blob.to_vec(),
                session_id: vec![7; 32],
                signature: vec![7; 64],
            },
            TIME,
        ),
    }
}
