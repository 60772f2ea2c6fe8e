//! The client: one request at a time, each with a deadline, from any thread.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{self, WAIT};
use super::frame::Incoming;
use super::message::{self, Constraints, Identity, Request, MAX_PASSPHRASE};
use super::stream::{AgentStream, Functions, UnixSocket};
use crate::driver::sync::{Condvar, Mutex};
use crate::driver::{sys::fork, ByteStream, Channel, Deadline, Timeout};
use crate::error::{AgentFault, Error, KeyFault};
use crate::keys::{ExternalSigner, PrivateKey, PublicKey};
use crate::transport::SessionProof;

/// The variable that names the socket of the user's agent.
const VARIABLE: &str = "SSH_AUTH_SOCK";
/// An agent. Clones are the same.
///
/// Answers bear no mark of the request that they answer, so a connection on which one was not waited for cannot be used
/// again. One to a socket is then made anew with the next request; other streams are over.
#[derive(Clone)]
pub struct Agent {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where to connect anew; `None` for a stream that was given.
    place: Option<PathBuf>,
    /// A leaf; not held while anything waits.
    state: Mutex<State>,
    /// The turn of somebody is over.
    turn: Condvar,
    /// Raised by each cancel; waiting calls compare.
    cancels: AtomicU64,
    /// The process that it belongs to.
    generation: u32,
}

struct State {
    /// `None` when there is no connection now.
    stream: Option<Arc<dyn AgentStream>>,
    /// Somebody's turn.
    busy: bool,
    closed: bool,
}

impl Agent {
    /// Connects to the user's agent, the one that `SSH_AUTH_SOCK` names.
    ///
    /// # Errors
    /// [`AgentFault::Nowhere`], and those of [`connect`](Self::connect).
    pub fn connect_default(timeout: Timeout) -> Result<Self, Error> {
        let place = std::env::var_os(VARIABLE).filter(|place| !place.is_empty());
        Self::connect(Path::new(&place.ok_or(AgentFault::Nowhere)?), timeout)
    }

    /// Connects to the agent that listens at a UNIX socket.
    ///
    /// # Errors
    /// [`AgentFault::Unreachable`], [`Error::Timeout`].
    pub fn connect(socket: &Path, timeout: Timeout) -> Result<Self, Error> {
        let stream = UnixSocket::connect(socket, timeout.deadline())?;
        Ok(Self::over(Arc::new(stream), Some(socket.to_owned())))
    }

    /// The agent at the other end of a channel: on a server, one of the kind `auth-agent@openssh.com`, which leads to
    /// the agent of the client's user.
    pub fn over_channel(channel: Channel) -> Self {
        Self::over(Arc::new(channel), None)
    }

    /// The agent at the other end of a stream of the application's.
    pub fn over_stream(stream: Arc<dyn ByteStream>) -> Self {
        Self::over(Arc::new(Functions::new(stream)), None)
    }

    fn over(stream: Arc<dyn AgentStream>, place: Option<PathBuf>) -> Self {
        fork::watch();
        Agent {
            inner: Arc::new(Inner {
                place,
                state: Mutex::new(State {
                    stream: Some(stream),
                    busy: false,
                    closed: false,
                }),
                turn: Condvar::new(),
                cancels: AtomicU64::new(0),
                generation: fork::generation(),
            }),
        }
    }

    /// Another connection to the same agent; `None` where the stream was given.
    pub fn connect_again(&self, timeout: Timeout) -> Result<Option<Self>, Error> {
        match &self.inner.place {
            Some(place) => Self::connect(place, timeout).map(Some),
            None => Ok(None),
        }
    }

    /// Tells it which session the connection is for (OpenSSH, PROTOCOL.agent: `session-bind@openssh.com`), so that it can
    /// hold keys to their destinations. Agents that do not know of this refuse. A connection that is made anew knows
    /// nothing of it.
    pub fn bind(&self, proof: &SessionProof, timeout: Timeout) -> Result<(), Error> {
        let data = exchange::binding(proof, false);
        let request = exchange::bind_request(&data);
        self.done(&request, "to be bound to the session", timeout)
    }

    /// The keys that it has.
    pub fn identities(&self, timeout: Timeout) -> Result<Vec<Identity>, Error> {
        self.ask(&Request::Identities, timeout, message::identities)
    }

    /// Has a key of its own sign: `blob` is the key or certificate, `algorithm` one of its algorithms or the name that a
    /// certificate has for it; without one the strongest is used. The result is a signature blob.
    ///
    /// # Errors
    /// [`KeyFault::Unsupported`] for an algorithm that is not of the key; [`AgentFault::Malformed`] when what comes back is
    /// of another algorithm, or no signature of the key's as far as that can be told.
    pub fn sign(
        &self,
        blob: &[u8],
        algorithm: Option<&str>,
        data: &[u8],
        timeout: Timeout,
    ) -> Result<Vec<u8>, Error> {
        let key_type = message::type_of(blob).ok_or(KeyFault::Malformed("no type of key"))?;
        let label = match algorithm {
            Some(name) => message::plain_algorithm(name),
            None => message::strongest_algorithm(key_type),
        };
        let flags = message::flags_for(key_type, &label).ok_or_else(|| {
            KeyFault::Unsupported(format!("no signature of {key_type} by {label}"))
        })?;
        let request = Request::Sign { blob, data, flags };
        self.ask(&request, timeout, |answer| {
            let signature = message::signature(answer, &label)?;
            match PublicKey::from_blob(blob) {
                Ok(key) if !key.verify(&label, data, &signature) => {
                    Err(AgentFault::Malformed("a signature that is none of the key"))
                }
                _ => Ok(signature),
            }
        })
    }

    /// Who signs with the key or certificate of this blob.
    pub fn signer(&self, blob: &[u8], timeout: Timeout) -> AgentSigner {
        AgentSigner {
            agent: self.clone(),
            blob: blob.to_vec(),
            timeout,
        }
    }

    /// Has it keep a key, or a certificate of the key.
    pub fn add(
        &self,
        key: &PrivateKey,
        certificate: Option<&[u8]>,
        constraints: Constraints,
        timeout: Timeout,
    ) -> Result<(), Error> {
        let request = Request::Add {
            key,
            certificate,
            constraints,
        };
        self.done(&request, "the key", timeout)
    }

    /// Has it forget a key or certificate.
    pub fn remove(&self, blob: &[u8], timeout: Timeout) -> Result<(), Error> {
        let what = "to forget the key: it may not have it";
        self.done(&Request::Remove { blob }, what, timeout)
    }

    /// Has it forget all keys.
    pub fn remove_all(&self, timeout: Timeout) -> Result<(), Error> {
        self.done(&Request::RemoveAll, "to forget its keys", timeout)
    }

    /// Has it do nothing until it is unlocked with the same passphrase.
    pub fn lock(&self, passphrase: &[u8], timeout: Timeout) -> Result<(), Error> {
        check_passphrase(passphrase)?;
        self.done(&Request::Lock(passphrase), "to be locked", timeout)
    }

    /// Has it go on.
    pub fn unlock(&self, passphrase: &[u8], timeout: Timeout) -> Result<(), Error> {
        check_passphrase(passphrase)?;
        let what = "to be unlocked: it is not locked, or with another passphrase";
        self.done(&Request::Unlock(passphrase), what, timeout)
    }

    /// Wakes every call that waits for it; each returns [`Error::Cancelled`].
    pub fn cancel(&self) {
        self.inner.cancels.fetch_add(1, Ordering::AcqRel);
        self.wake();
    }

    /// Ends it: calls that wait return [`Error::Closed`], and so does every later one.
    pub fn close(&self) {
        self.inner.state.lock().closed = true;
        self.wake();
        let stream = self.inner.state.lock().stream.take();
        if let Some(stream) = stream {
            stream.close();
        }
    }

    /// Has waiting calls look at what has changed. An exchange under way can only end with its connection.
    fn wake(&self) {
        let stream = {
            let state = self.inner.state.lock();
            self.inner.turn.notify_all();
            state.stream.clone().filter(|_| state.busy)
        };
        if let Some(stream) = stream {
            stream.close();
        }
    }

    fn done(
        &self,
        request: &Request<'_>,
        what: &'static str,
        timeout: Timeout,
    ) -> Result<(), Error> {
        self.ask(request, timeout, |answer| message::done(answer, what))
    }

    /// Sends a request, waits for the answer to it, and has `read` look at that.
    fn ask<R>(
        &self,
        request: &Request<'_>,
        timeout: Timeout,
        read: impl FnOnce(&[u8]) -> Result<R, AgentFault>,
    ) -> Result<R, Error> {
        if self.inner.generation != fork::generation() {
            return Err(Error::Forked);
        }
        let frame = request.frame()?;
        let mut turn = self.take_turn(timeout.deadline())?;
        let answer = turn.exchange(&frame);
        let outcome = answer.and_then(|answer| Ok(read(answer.payload())?));
        match &outcome {
            Ok(_) | Err(Error::Agent(AgentFault::Refused(_))) => {}
            Err(_) => turn.hang_up(),
        }
        outcome
    }

    /// Waits until nobody else talks to the agent.
    fn take_turn(&self, deadline: Deadline) -> Result<Turn<'_>, Error> {
        let inner = &*self.inner;
        let cancels = inner.cancels.load(Ordering::Acquire);
        let mut state = inner.state.lock();
        loop {
            if state.closed {
                return Err(Error::Closed);
            }
            if inner.cancels.load(Ordering::Acquire) != cancels {
                return Err(Error::Cancelled);
            }
            if !state.busy {
                state.busy = true;
                return Ok(Turn {
                    inner,
                    deadline,
                    cancels,
                });
            }
            if !deadline.wait(&inner.turn, &mut state) {
                return Err(Error::Timeout("the agent"));
            }
        }
    }
}

/// Signs with a key that an agent has.
pub struct AgentSigner {
    agent: Agent,
    blob: Vec<u8>,
    timeout: Timeout,
}

impl ExternalSigner for AgentSigner {
    fn sign(&self, algorithm: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        self.agent
            .sign(&self.blob, Some(algorithm), data, self.timeout)
    }
}

/// The right to talk to the agent; the next one's when it is dropped.
struct Turn<'a> {
    inner: &'a Inner,
    deadline: Deadline,
    cancels: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.inner.state.lock().busy = false;
        self.inner.turn.notify_all();
    }
}

impl Turn<'_> {
    /// Sends a frame and reads one.
    fn exchange(&mut self, frame: &[u8]) -> Result<Incoming, Error> {
        let stream = self.connection()?;
        let outcome = exchange::talk(&*stream, frame, || self.patience());
        // An end that we have brought about ourselves is told as what it is.
        match (outcome, self.patience()) {
            (Err(_), Err(reason @ (Error::Closed | Error::Cancelled))) => Err(reason),
            (outcome, _) => outcome,
        }
    }

    /// The connection, made anew where there is none or the agent has ended it meanwhile.
    fn connection(&self) -> Result<Arc<dyn AgentStream>, Error> {
        let kept = self.inner.state.lock().stream.clone();
        let Some(place) = &self.inner.place else {
            return kept.ok_or(AgentFault::Gone.into());
        };
        if let Some(stream) = kept {
            // Nothing was asked for, so nothing comes but the end, or what a broken agent says.
            if let Ok(None) = stream.read(&mut [0], Duration::ZERO) {
                return Ok(stream);
            }
        }
        let stream: Arc<dyn AgentStream> = Arc::new(UnixSocket::connect(place, self.deadline)?);
        let mut state = self.inner.state.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        state.stream = Some(Arc::clone(&stream));
        Ok(stream)
    }

    /// How long to wait now; fails when the call is over.
    fn patience(&self) -> Result<Duration, Error> {
        if self.inner.state.lock().closed {
            return Err(Error::Closed);
        }
        if self.inner.cancels.load(Ordering::Acquire) != self.cancels {
            return Err(Error::Cancelled);
        }
        match self.deadline.remaining() {
            None => Ok(WAIT),
            Some(left) if left.is_zero() => Err(Error::Timeout("the agent")),
            Some(left) => Ok(left.min(WAIT)),
        }
    }

    /// The answer to what was sent may still come: the connection is of no more use.
    fn hang_up(&mut self) {
        let stream = self.inner.state.lock().stream.take();
        if let Some(stream) = stream {
            stream.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            return;
        }
        if let Some(stream) = self.state.lock().stream.take() {
            stream.close();
        }
    }
}

fn check_passphrase(passphrase: &[u8]) -> Result<(), Error> {
    if passphrase.len() > MAX_PASSPHRASE {
        return Err(Error::ApiMisuse("a passphrase of at most 4096 bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread;

    const LIMIT: Timeout = Timeout::After(Duration::from_secs(60));

    /// A folder for sockets that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("sshwire-agent-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("agent")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn request(stream: &mut UnixStream) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        stream.read_exact(&mut head).ok()?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(head)).unwrap()];
        stream.read_exact(&mut body).ok()?;
        Some(body)
    }

    /// An agent that takes one request on each of its connections and says `answers` to it, one after the other.
    fn hostile(folder: &Folder, answers: Vec<Vec<u8>>) -> thread::JoinHandle<()> {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                if request(&mut stream).is_some() {
                    let _ = stream.write_all(&answer);
                }
            }
        })
    }

    fn framed(payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        [&length.to_be_bytes(), payload].concat()
    }

    #[test]
    fn n1_broken_answers_end_the_call_and_not_the_agent() {
        let folder = Folder::new("broken");
        let answers = vec![
            vec![],
            vec![0, 0, 0],
            vec![0, 0, 0, 0],
            262_145_u32.to_be_bytes().to_vec(),
            vec![0xff; 4],
            framed(&[12, 0, 0])[..6].to_vec(),
            framed(&[99]),
            framed(&[12, 0xff, 0xff, 0xff, 0xff]),
            framed(&[12, 0, 0, 0, 0, 7]),
        ];
        let count = answers.len();
        let thread = hostile(&folder, answers);
        // The first connection is the one that is made here; each fault costs one.
        let agent = Agent::connect(&folder.socket(), LIMIT).unwrap();
        for index in 0..count {
            let outcome = agent.identities(LIMIT);
            assert!(
                matches!(outcome, Err(Error::Agent(_))),
                "{index}: {outcome:?}"
            );
        }
        thread.join().unwrap();
    }

    #[test]
    fn n1_an_agent_that_hangs_ends_with_the_deadline_and_is_asked_anew() {
        let folder = Folder::new("hangs");
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let thread = thread::spawn(move || {
            let (mut first, _) = listener.accept().unwrap();
            let _ = request(&mut first);
            let (mut second, _) = listener.accept().unwrap();
            // The answer to the first request comes late, on a connection that nobody listens to.
            let _ = first.write_all(&framed(&[6]));
            let _ = request(&mut second);
            second.write_all(&framed(&[12, 0, 0, 0, 0])).unwrap();
        });
        let agent = Agent::connect(&folder.socket(), LIMIT).unwrap();
        let short = Timeout::After(Duration::from_millis(50));
        assert!(matches!(agent.identities(short), Err(Error::Timeout(_))));
        assert_eq!(agent.identities(LIMIT).unwrap(), []);
        thread.join().unwrap();
    }

    #[test]
    fn n1_wrong_signatures_are_not_handed_on() {
        let folder = Folder::new("signs");
        let key =
            PrivateKey::load(&crate::keys::test_support::fixture("rsa.openssh"), None).unwrap();
        let blob = key.public().blob();
        let say = |signature: &[u8]| {
            framed(&crate::codec::Writer::collect(|w| {
                w.u8(14).string(signature);
            }))
        };
        let good = key.sign("rsa-sha2-512", b"data").unwrap();
        let weak = key.sign("ssh-rsa", b"data").unwrap();
        let other = key.sign("rsa-sha2-512", b"other").unwrap();
        let thread = hostile(&folder, vec![say(&weak), say(&other), say(&good)]);
        let agent = Agent::connect(&folder.socket(), LIMIT).unwrap();
        for _ in 0..2 {
            assert!(matches!(
                agent.sign(blob, Some("rsa-sha2-512"), b"data", LIMIT),
                Err(Error::Agent(AgentFault::Malformed(_)))
            ));
        }
        assert_eq!(
            agent
                .sign(blob, Some("rsa-sha2-512"), b"data", LIMIT)
                .unwrap(),
            good
        );
        assert!(matches!(
            agent.sign(blob, Some("ssh-ed25519"), b"data", LIMIT),
            Err(Error::Key(KeyFault::Unsupported(_)))
        ));
        thread.join().unwrap();
    }

    #[test]
    fn cancel_and_close_wake_those_who_wait() {
        let folder = Folder::new("cancel");
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let agent = Agent::connect(&folder.socket(), LIMIT).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let agent = agent.clone();
                thread::spawn(move || agent.identities(Timeout::Forever))
            })
            .collect();
        // One of them has asked; whether the other waits already makes no difference to the outcome of the first.
        assert!(request(&mut stream).is_some());
        agent.cancel();
        let mut cancelled = 0;
        // The other may have come too late for the cancelling: then it asks, and is ended by closing.
        thread::sleep(Duration::from_millis(50));
        agent.close();
        for thread in waiting {
            match thread.join().unwrap() {
                Err(Error::Cancelled) => cancelled += 1,
                Err(Error::Closed) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(cancelled >= 1);
        assert!(matches!(agent.identities(LIMIT), Err(Error::Closed)));
    }

    #[test]
    fn nobody_there_is_said_with_the_place() {
        let error = Agent::connect(Path::new("/nowhere/agent"), LIMIT)
            .err()
            .unwrap();
        assert!(error.to_string().contains("/nowhere/agent"), "{error}");
    }
}
