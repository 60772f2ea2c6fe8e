//! Transports over something else than a socket: what wakes their I/O thread, and the order of the locks of two.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::check::Model;
use super::session::{
    agree, connected, log_in, open, part, pattern, read_to_end, spawn, write, MODEL,
};
use crate::driver::sync::{Condvar, Mutex};
use crate::driver::{ByteStream, StreamFault, Transport};

const FEWER: Model = Model {
    schedules: MODEL.schedules / 3,
    // One for each of two transports, so that they get into each other's way.
    io_threads: 2,
    ..MODEL
};

/// Data in both directions through a transport that another one carries.
#[test]
fn one_transport_carries_another() {
    FEWER.check(|| {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        let above = Transport::from_channel(ours).unwrap();
        let below = Transport::from_channel(theirs).unwrap();
        agree(&above, &below);
        log_in(&above, &below);
        let (ours, theirs) = open(&above, &below);
        let writing = spawn(move || {
            write(&theirs, &pattern(100));
            theirs.send_eof().unwrap();
        });
        assert_eq!(read_to_end(&ours), pattern(100));
        writing.join().unwrap();
        part(&above, &below);
        part(&client, &server);
    });
}

/// One direction of a stream of an application's.
#[derive(Default)]
struct Pipe {
    state: Mutex<(VecDeque<u8>, bool)>,
    changed: Condvar,
}

struct Blocking {
    from: Arc<Pipe>,
    to: Arc<Pipe>,
}

impl ByteStream for Blocking {
    fn read(&self, buffer: &mut [u8], _: Duration) -> Result<usize, StreamFault> {
        let mut state = self.from.state.lock();
        while state.0.is_empty() && !state.1 {
            self.from.changed.wait(&mut state);
        }
        let count = buffer.len().min(state.0.len());
        for (to, from) in buffer.iter_mut().zip(state.0.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn write(&self, bytes: &[u8], _: Duration) -> Result<usize, StreamFault> {
        self.to.state.lock().0.extend(bytes);
        self.to.changed.notify_all();
        Ok(bytes.len())
    }

    fn close(&self) {
        for pipe in [&self.from, &self.to] {
            pipe.state.lock().1 = true;
            pipe.changed.notify_all();
        }
    }
}

#[test]
fn callbacks_carry_a_session() {
    FEWER.check(|| {
        let pipes = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
        let stream = |from: &Arc<Pipe>, to: &Arc<Pipe>| {
            let (from, to) = (Arc::clone(from), Arc::clone(to));
            Transport::from_stream(Arc::new(Blocking { from, to }))
        };
        let client = stream(&pipes.0, &pipes.1);
        let server = stream(&pipes.1, &pipes.0);
        agree(&client, &server);
        log_in(&client, &server);
        let (ours, theirs) = open(&client, &server);
        let writing = spawn(move || {
            write(&theirs, &pattern(100));
            theirs.send_eof().unwrap();
        });
        assert_eq!(read_to_end(&ours), pattern(100));
        writing.join().unwrap();
        part(&client, &server);
    });
}
