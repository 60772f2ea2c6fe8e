"""Transports: sessions over one connection, as client or as server."""

import ctypes
from typing import NamedTuple, Optional

from . import _abi, _callbacks, stream as _stream
from ._abi import lib
from ._calls import ask, call, check, sliced, sliced_call
from ._handle import Handle
from ._values import Memory, decode, encode, handles, milliseconds, place, take_text, to_bytes
from .agent import AGENT_FIRST
from .channel import Channel
from .command import finish
from .errors import AGAIN, AUTH, PARTIAL, TIMEOUT, AuthenticationFailed, Error, failure, take_error
from .event import Event
from .forward import Forward
from .key import Key
from .known_hosts import Verdict
from .request import Kind, Questions, Request
from .sftp import Sftp


class Agreed(NamedTuple):
    """The algorithms in use; None before there are any. "sent" is what we send."""

    kex: Optional[str]
    host_key: Optional[str]
    cipher_sent: Optional[str]
    cipher_received: Optional[str]
    mac_sent: Optional[str]
    mac_received: Optional[str]
    compression_sent: Optional[str]
    compression_received: Optional[str]


class Statistics(NamedTuple):
    """What a transport has carried."""

    packets_sent: int
    bytes_sent: int
    packets_received: int
    bytes_received: int
    key_exchanges: int
    round_trip_us: int
    window_stalls: int
    channels: int


class Transport(Questions, Handle):
    """A session. Everything may be called from any thread; a call that waits ends when the session does."""

    _free = "ssh_transport_free"
    _set_callback = "ssh_transport_set_callback"
    _set_subsystem = "ssh_transport_set_subsystem_handler"

    @classmethod
    def connect(cls, address, timeout=30):
        """"host", "host:port" or "[::1]:22": every address of the name is tried."""
        return cls(ask(lib.ssh_transport_new_address, encode(address), milliseconds(timeout)))

    @classmethod
    def from_socket(cls, sock):
        """Takes a connected stream socket over; the socket object is empty then."""
        transport = cls(call(lib.ssh_transport_new, sock.fileno()))
        sock.detach()
        return transport

    @classmethod
    def from_channel(cls, channel):
        """Over a channel of another transport, as a jump host needs it."""
        return cls(call(lib.ssh_transport_new_channel, channel._handle))

    @classmethod
    def from_stream(cls, stream):
        """Over any object with ``read(size, timeout)`` that gives bytes, b"" at the end, ``write(data, timeout)`` that
        gives how many it took, and ``close()``. The first two raise TimeoutError when nothing happened in time. They are
        called on threads of the library, one for each direction."""
        return cls(_stream.new_transport(stream))

    # Beginning.

    def set_expected_host_key(self, key):
        """The host key that the server must have: a Key, or its line."""
        key = Key.from_line(key) if isinstance(key, str) else key
        check(lib.ssh_transport_set_expected_host_key(self._handle, key._handle))

    def set_known_hosts(self, known_hosts, host=None, port=22):
        """Has KnownHosts decide about the host key. Where nothing is known of the host, a function for Kind.HOST_KEY is
        asked. The host is that of connect(), unless one is given."""
        call(lib.ssh_transport_set_known_hosts, self._handle, known_hosts._handle, encode(host), port)

    @property
    def known_hosts_verdict(self):
        """What the known hosts have said, as a Verdict; None before that."""
        verdict = ctypes.c_int32()
        lib.ssh_transport_known_hosts_verdict(self._handle, ctypes.byref(verdict), None)
        return Verdict(verdict.value) if verdict.value else None

    def insecure_accept_any_host_key(self):
        check(lib.ssh_transport_set_insecure_accept_any_host_key(self._handle))

    def set_revoked_host_keys(self, revocations):
        """Refuses host keys and certificates of a Revocations, whoever else would take them; None for none."""
        handle = None if revocations is None else revocations._handle
        check(lib.ssh_transport_set_revoked_host_keys(self._handle, handle))

    def set_algorithms(self, algorithms):
        check(lib.ssh_transport_set_security_options(self._handle, algorithms._handle))

    def set_rekey_limits(self, bytes=0, packets=0, seconds=0):
        """After how much new keys are negotiated; 0 for the default."""
        check(lib.ssh_transport_set_rekey_limits(self._handle, bytes, packets, seconds))

    def set_channel_limit(self, channels):
        """How many channels the peer may have open at once."""
        check(lib.ssh_transport_set_channel_limit(self._handle, channels))

    def start_client(self, host_key=None, timeout=...):
        """Exchanges keys; who the server is was said before, or is answered by a function for Kind.HOST_KEY."""
        if host_key is not None:
            self.set_expected_host_key(host_key)
        ask(lib.ssh_transport_start_client, self._handle, None, milliseconds(timeout))

    _server = None

    def start_server(self, server, timeout=...):
        self._server = server  # its functions are wanted as long as there is a session
        ask(lib.ssh_transport_start_server, self._handle, server._handle, None, milliseconds(timeout))

    def begin_server(self, server, timeout=...):
        """Returns at once; the Event is set when keys are exchanged or the session has ended."""
        self._server = server
        event = Event()
        call(lib.ssh_transport_start_server, self._handle, server._handle, event._handle, milliseconds(timeout))
        return event

    def begin_client(self, timeout=...):
        event = Event()
        call(lib.ssh_transport_start_client, self._handle, event._handle, milliseconds(timeout))
        return event

    # Authentication. Each gives True when the user is in, False when more is wanted (auth_methods), and raises
    # AuthenticationFailed when refused.

    def _auth(self, function, *arguments, timeout):
        return ask(function, self._handle, *arguments, None, milliseconds(timeout)) != PARTIAL

    def auth_none(self, username, timeout=...):
        return self._auth(lib.ssh_transport_auth_none, encode(username), timeout=timeout)

    def auth_password(self, username, password, timeout=...):
        raw = to_bytes(password)
        return self._auth(lib.ssh_transport_auth_password, encode(username), raw, len(raw), True, timeout=timeout)

    def auth_publickey(self, username, key, timeout=...):
        return self._auth(lib.ssh_transport_auth_publickey, encode(username), key._handle, timeout=timeout)

    def auth_agent(self, username, agent=None, keys=(), order=AGENT_FIRST, max_tries=0, timeout=...):
        """With the keys of an Agent and others, each once, until one is accepted. Public ``keys`` are tried if the agent has
        them, private ones in any case. 0 tries are five."""
        named = handles(keys)
        handle = None if agent is None else agent._handle
        return self._auth(lib.ssh_transport_auth_agent, encode(username), handle, named, len(named), order, max_tries,
                          timeout=timeout)

    def auth_interactive(self, username, answer, submethods=None, timeout=...):
        """``answer(request)`` gets each round of prompts: see Request.prompts and Request.answer()."""
        self.on(Kind.PROMPTS, answer)
        return self._auth(lib.ssh_transport_auth_interactive, encode(username), encode(submethods), timeout=timeout)

    @property
    def auth_methods(self):
        """The methods that may follow."""
        text = take_text(lib.ssh_transport_auth_methods(self._handle))
        return text.split(",") if text else []

    @property
    def auth_banner(self):
        return take_text(lib.ssh_transport_auth_banner(self._handle))

    # What a session is for.

    def open_session(self, timeout=...):
        return Channel(ask(lib.ssh_transport_open_session, self._handle, milliseconds(timeout)))

    def open_channel(self, kind, destination=(None, 0), source=(None, 0), timeout=...):
        """A channel of any kind, with the addresses that the kind wants: (host, port), or the path of a UNIX socket."""
        return Channel(ask(lib.ssh_transport_open_channel, self._handle, encode(kind), *place(destination), *place(source),
                           milliseconds(timeout)))

    def open_tcp(self, host, port, timeout=...):
        """A connection that the server makes for us."""
        return self.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout)

    def open_unix(self, path, timeout=...):
        """A connection that the server makes for us to a UNIX socket."""
        return self.open_channel("direct-streamlocal@openssh.com", path, timeout=timeout)

    def accept(self, timeout=None):
        """The next channel that the peer has opened; raises Timeout."""
        return Channel._take(self._next(lib.ssh_transport_accept, timeout))

    def next_request(self, timeout=None):
        """The next question, for programs that would rather ask than be called: see pull_requests()."""
        return Request(self._next(lib.ssh_transport_next_request, timeout))

    def pull_requests(self, enabled=True):
        check(lib.ssh_transport_pull_requests(self._handle, enabled))

    def _next(self, function, timeout):
        found = sliced_call(timeout, function, self._handle)
        if not found:
            raise failure(TIMEOUT)
        return found

    def run(self, command, input=b"", timeout=None):
        """Runs a command to its end, and gives what it said. For output without bounds read a channel yourself."""
        with self.open_session() as channel:
            channel.exec(command)
            return finish(channel, to_bytes(input), timeout)

    def sftp(self, timeout=...):
        return Sftp(ask(lib.ssh_transport_open_sftp_client, self._handle, milliseconds(timeout)))

    def forward_local(self, listen, to):
        """Listens here; the server connects. Both are (host, port), or the path of a UNIX socket."""
        return Forward(call(lib.ssh_forward_local, self._handle, *place(listen), *place(to)))

    def forward_remote(self, listen, to, timeout=...):
        """The server listens; we connect."""
        return Forward(ask(lib.ssh_forward_remote, self._handle, *place(listen), *place(to), milliseconds(timeout)))

    def forward_remote_dynamic(self, listen, permitted, timeout=...):
        """The server listens for SOCKS; we connect to what `permitted` names: "host:port", "[address]:port", with * for any
        host or any port; several of them, or "any"."""
        if not isinstance(permitted, str):
            permitted = " ".join(permitted)
        return Forward(ask(lib.ssh_forward_remote_dynamic, self._handle, *place(listen), encode(permitted),
                           milliseconds(timeout)))

    def forward_dynamic(self, listen):
        """Listens here for SOCKS; the server connects."""
        return Forward(call(lib.ssh_forward_dynamic, self._handle, *place(listen)))

    def request_port_forward(self, host, port=0, timeout=...):
        """Has the server listen, and gives the port; the connections come out of accept()."""
        bound = ctypes.c_uint16()
        ask(lib.ssh_transport_request_port_forward, self._handle, encode(host), port, _abi.FORWARD_CALLBACK(), None,
            _abi.DESTROY(), milliseconds(timeout), ctypes.byref(bound))
        return bound.value

    def cancel_port_forward(self, host, port, timeout=...):
        ask(lib.ssh_transport_cancel_port_forward, self._handle, encode(host), port, milliseconds(timeout))

    def global_request(self, name, data=b"", want_reply=True, timeout=...):
        """The bytes of the answer."""
        memory, raw = Memory(), to_bytes(data)
        ask(lib.ssh_transport_global_request, self._handle, encode(name), raw, len(raw), want_reply, milliseconds(timeout),
            *memory.arguments)
        return memory.take()

    def renegotiate_keys(self, timeout=...):
        ask(lib.ssh_transport_renegotiate_keys, self._handle, milliseconds(timeout))

    def set_keepalive(self, interval, max_missed=3, heard=None):
        """Asks after ``interval`` seconds of silence; ``heard(round_trip_seconds_or_None, missed)`` is told."""
        _callbacks.give(heard, self, lib.ssh_transport_set_keepalive, self._handle, milliseconds(interval), max_missed,
                   _on_keepalive)

    def on_banner(self, show):
        """``show(text)`` hears what the server wants said before authentication."""
        _callbacks.give(show, self, lib.ssh_transport_set_banner_callback, self._handle, _on_banner)

    # What there is to know of it.

    @property
    def active(self):
        return lib.ssh_transport_is_active(self._handle)

    @property
    def authenticated(self):
        return lib.ssh_transport_is_authenticated(self._handle)

    @property
    def username(self):
        return take_text(lib.ssh_transport_get_username(self._handle))

    @property
    def peer(self):
        """(host, port), or None where there is no such thing."""
        port = ctypes.c_uint16()
        host = take_text(lib.ssh_transport_getpeername(self._handle, ctypes.byref(port)))
        return None if host is None else (host, port.value)

    @property
    def name(self):
        """What log lines and repr() call it; to be set at will."""
        return take_text(lib.ssh_transport_get_name(self._handle))

    @name.setter
    def name(self, text):
        check(lib.ssh_transport_set_name(self._handle, encode(text)))

    @property
    def server_key(self):
        """The host key of the server we talk to."""
        return Key(call(lib.ssh_transport_get_remote_server_key, self._handle))

    @property
    def algorithms(self):
        return Agreed(*(take_text(lib.ssh_transport_get_algorithm(self._handle, which)) for which in range(1, 9)))

    @property
    def statistics(self):
        values = (ctypes.c_uint64 * len(Statistics._fields))()
        check(lib.ssh_transport_statistics(self._handle, values, len(values)))
        return Statistics(*values)

    @property
    def error(self):
        """What ended the session, as an exception; None while it goes on."""
        handle = lib.ssh_transport_error(self._handle)
        return take_error(handle) if handle else None

    def __repr__(self):
        return take_text(lib.ssh_transport_describe(self._handle)) or "<sshwire.Transport, freed>"

    # Ending.

    def cancel(self):
        """Ends every call that waits for this transport, with Cancelled."""
        check(lib.ssh_transport_cancel(self._handle))

    def close(self):
        """Says goodbye and closes everything."""
        check(lib.ssh_transport_close(self._handle))

    def join(self, timeout=None):
        """Whether the session has ended in that time."""
        status = sliced(timeout, lambda ms: lib.ssh_transport_join(self._handle, ms))
        return False if status in (AGAIN, TIMEOUT) else check(status) == 0

    def atfork(self):
        """In the child of a fork: leaves the session to the parent, closes the child's descriptor and frees the object."""
        check(lib.ssh_transport_atfork(self._handle))
        self._finalizer.detach()

    def __exit__(self, *exception):
        try:
            self.close()
        except Error:
            pass  # it was freed, or belongs to the parent of a fork
        self.free()


def connect(address, username, password=None, key=None, host_key=None, known_hosts=None, timeout=30):
    """A session ready for use: connects, checks the host key and authenticates, each within the timeout.

    The host key is a Key, or its line; or KnownHosts have it. Without either there is no session; to accept any, or to
    ask, make a Transport.
    """
    if host_key is None and known_hosts is None:
        raise ValueError("the host key to expect is needed, or known hosts")
    transport = Transport.connect(address, timeout)
    try:
        if known_hosts is not None:
            transport.set_known_hosts(known_hosts)
        transport.start_client(host_key, timeout)
        done = transport.auth_publickey(username, key, timeout) if key is not None else False
        if password is not None and not done:
            done = transport.auth_password(username, password, timeout)
        if password is None and key is None:
            done = transport.auth_none(username, timeout)
        if not done:
            raise AuthenticationFailed(AUTH, "the credentials are good, and the server wants more",
                                       auth_methods=",".join(transport.auth_methods))
        return transport
    except BaseException:
        transport.free()
        raise


@_abi.KEEPALIVE_CALLBACK
@_callbacks.shielded()
def _on_keepalive(_transport, round_trip_us, missed, number):
    heard = _callbacks.registered(number)
    if heard is not None:
        heard(None if round_trip_us < 0 else round_trip_us / 1e6, missed)


@_abi.BANNER_CALLBACK
@_callbacks.shielded()
def _on_banner(_transport, text, number):
    show = _callbacks.registered(number)
    if show is not None:
        show(decode(text))
