//! A channel that carries another transport: what that one uses of it.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use super::channel::Channel;
use super::stream::Waker;
use super::writing::{Leave, Step};
use crate::connection::Stream;
use crate::error::Error;

impl Channel {
    /// Gives the channel to a transport that runs over it, whose waker is told of every change.
    pub(crate) fn carry(&self, above: Arc<Waker>) -> Result<(), Error> {
        let shared = self.shared();
        shared.check_process()?;
        {
            let mut serving = shared.serving.lock();
            let serving = &mut *serving;
            serving.alive()?;
            let id = self.handle.id;
            let services = serving
                .services
                .as_mut()
                .ok_or(Error::ApiMisuse("the transport has not been started"))?;
            match services.connection.status(id) {
                Some(status) if status.is_writable() => {}
                Some(status) if !status.closed && !status.eof_sent => {
                    return Err(Error::ApiMisuse("the channel is not open yet"));
                }
                _ => return Err(Error::Closed),
            }
            let entry = serving.channels.get_mut(&id).ok_or(Error::Closed)?;
            if entry.above.is_some() {
                return Err(Error::ApiMisuse("a transport runs over the channel"));
            }
            entry.above = Some(above);
            entry.waits.carries.store(true, Ordering::Release);
            services
                .connection
                .discard_stderr(id, Instant::now(), &mut services.out)?;
        }
        shared.flush();
        Ok(())
    }

    /// Whether nothing more will come but what is there to be read.
    pub(crate) fn peer_has_ended(&self) -> bool {
        self.status(|status| status.eof_received).unwrap_or(true)
    }

    /// Writes as much of `data` as there is room for now; 0 when there is none, and then the transport above is told
    /// when there is. Never waits.
    pub(crate) fn write_now(&self, data: &[u8]) -> Result<usize, Error> {
        self.shared().check_process()?;
        let mut written = 0;
        while let Some(rest) = data.get(written..).filter(|rest| !rest.is_empty()) {
            match self.write_step(Stream::Data, rest, Leave::AtOnce) {
                Ok(Step::Wrote(count)) => written += count,
                Ok(Step::NoRoom(_) | Step::NoWindow) => break,
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}
