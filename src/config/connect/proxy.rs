//! ProxyCommand: a program that is connected to the host, run as ssh runs it.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
use rustix::process::{kill_process, Pid, Signal};

use crate::config::Surroundings;
use crate::driver::sys::thread;
use crate::driver::{Timeout, Transport};
use crate::error::Error;

/// How long a program may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// A program that runs. Dropped, it is told to end.
pub(super) struct Proxy(Option<Running>);

/// A program that nobody has waited for yet. Dropped without that it is killed, for nobody would ever do so.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // It cannot ignore this, so the wait is short.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn failed(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::Io {
        operation,
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    }
}

impl Proxy {
    /// Runs a command with the user's shell, or the usual one, its input and output at the other end of the socket that
    /// is returned. What it complains about goes where our own complaints go.
    pub(super) fn run(
        command: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<(OwnedFd, Self), Error> {
        let pair = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        );
        let (ours, theirs) =
            pair.map_err(|errno| failed("make a socket for ProxyCommand")(errno.into()))?;
        let input = theirs
            .try_clone()
            .map_err(failed("make a socket for ProxyCommand"))?;
        let shell = surroundings
            .variable("SHELL")
            .unwrap_or_else(|| "/bin/sh".into());
        let child = Command::new(shell)
            .arg("-c")
            // The shell makes way for the command, so that it is the command that is told to end.
            .arg(format!("exec {command}"))
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(theirs))
            .spawn()
            .map_err(failed("run the shell for ProxyCommand"))?;
        Ok((ours, Proxy(Some(Running(child)))))
    }

    /// Has the program end when the transport has ended.
    pub(super) fn ends_with(mut self, transport: &Transport) -> Result<(), Error> {
        let Some(mut running) = self.0.take() else {
            return Ok(());
        };
        let transport = transport.clone();
        let watch = move || {
            // Fails only in a forked child, where this thread is not.
            let _ = transport.join(Timeout::Forever);
            end(&mut running.0);
        };
        // Where there is no thread, the program is killed with what should have watched it.
        thread::spawn("sshwire-proxy", watch).map_err(failed("start a thread for ProxyCommand"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(mut running) = self.0.take() {
            // Who connects must not wait for it to be polite. Without a thread it is killed.
            let _ = thread::spawn("sshwire-proxy", move || end(&mut running.0));
        }
    }
}

/// Says goodbye, waits, insists.
fn end(child: &mut Child) {
    let mut waited = Duration::ZERO;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let (Ok(None), Some(pid)) = (child.try_wait(), pid) {
        // Not waited for yet, so the number is still its own.
        let _ = kill_process(pid, Signal::HUP);
    }
    while matches!(child.try_wait(), Ok(None)) {
        if waited >= GRACE {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(PAUSE);
        waited = waited.saturating_add(PAUSE);
    }
}
