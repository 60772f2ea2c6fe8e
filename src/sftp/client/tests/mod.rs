//! The client and servers that follow a script, over two transports of this library.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::connection::Stream;
use crate::driver::sync::{Mutex, Rank};
use crate::driver::tests::{connected, open};
use crate::driver::{Channel, Read, Timeout, Transport};
use crate::error::Error;
use crate::sftp::{
    Attributes, Extension, FrameReader, FrameWriter, Name, OpenFlags, Reply, Request, StatusCode,
    Version,
};

mod endings;
mod files;
mod hostile;
mod trees;
mod world;

const TIME: Timeout = Timeout::After(Duration::from_secs(60));
/// For what must not come: long enough to come if it did.
const SHORT: Timeout = Timeout::After(Duration::from_millis(100));

/// Two transports and the server's end of a channel. Nothing has been said on it.
struct Line {
    client: Transport,
    server: Transport,
    channel: Channel,
}

impl Line {
    fn new() -> (Channel, Self) {
        let (client, server) = connected();
        let (ours, theirs) = open(&client, &server);
        (
            ours,
            Line {
                client,
                server,
                channel: theirs,
            },
        )
    }

    fn send(&self, bytes: &[u8]) {
        // The client may have had enough of us.
        let _ = self.channel.write_all(Stream::Data, bytes, TIME);
    }

    /// Says `greeting`, and has `script` answer every request on a thread that ends with the channel.
    fn serve(
        &self,
        greeting: Vec<u8>,
        mut script: impl FnMut(&Channel, u32, &Request<'_>) + Send + 'static,
    ) {
        let channel = self.channel.clone();
        thread::spawn(move || {
            let mut frames = FrameReader::new();
            let mut buffer = vec![0; 64 * 1024];
            let mut greeted = false;
            while let Ok(Read::Data(count)) = channel.read(Stream::Data, &mut buffer, TIME) {
                frames.push(&buffer[..count]);
                while let Some(packet) = frames.next().unwrap() {
                    if std::mem::replace(&mut greeted, true) {
                        let (id, request) = Request::decode(packet).unwrap();
                        script(&channel, id, &request);
                    } else {
                        let _ = channel.write_all(Stream::Data, &greeting, TIME);
                    }
                }
            }
        });
    }
}

/// A session with a server that follows `script`.
fn session(script: impl FnMut(&Channel, u32, &Request<'_>) + Send + 'static) -> (Sftp, Line) {
    let (ours, line) = Line::new();
    line.serve(version(3), script);
    (Sftp::over(ours, TIME).unwrap(), line)
}

fn version(version: u32) -> Vec<u8> {
    version_with(version, Vec::new())
}

fn version_with(version: u32, extensions: Vec<Extension>) -> Vec<u8> {
    let version = Version {
        version,
        extensions,
    };
    let mut out = Vec::new();
    FrameWriter::write(&mut out, |w| version.encode(w));
    out
}

fn framed(id: u32, reply: &Reply<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    FrameWriter::write(&mut out, |w| reply.encode(id, w));
    out
}

fn answer(channel: &Channel, id: u32, reply: &Reply<'_>) {
    let _ = channel.write_all(Stream::Data, &framed(id, reply), TIME);
}

fn sized(size: usize) -> Attributes {
    Attributes {
        size: Some(size as u64),
        permissions: Some(0o100_644),
        ..Attributes::new()
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|index| (index * 31 + index / 251) as u8)
        .collect()
}
