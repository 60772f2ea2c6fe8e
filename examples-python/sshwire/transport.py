"""Transports: sessions over one connection, as client or as server."""

import ctypes
import enum
import threading
from typing import NamedTuple

from . import _abi, _core
from ._core import (AGAIN, PARTIAL, TIMEOUT, Closed, Handle, call, check, encode, failure, lib,
                    milliseconds, sliced, take_error, take_text)
from .channel import Channel, Exit
from .event import Event
from .forward import Forward
from .key import Key
from .request import Questions, Request
from .sftp import Sftp


class Preset(enum.IntEnum):
    """Which algorithms: nothing that is remarked on, the default, or also what old gear needs."""

    MODERN, COMPATIBLE, LEGACY = 1, 2, 3


class Completed(NamedTuple):
    """What a command said, and how it ended."""

    stdout: bytes
    stderr: bytes
    exit: Exit


class Transport(Questions, Handle):
    """A session. Everything may be called from any thread; a call that waits ends when the session does."""

    _free = "ssh_transport_free"
    _set_callback = "ssh_transport_set_callback"
    _set_subsystem = "ssh_transport_set_subsystem_handler"

    @classmethod
    def connect(cls, address, timeout=30):
        """"host", "host:port" or "[::1]:22": every address of the name is tried."""
        return cls(call(lib.ssh_transport_new_address, encode(address), milliseconds(timeout)))

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
        number = _core.register(stream)
        try:
            return cls(call(lib.ssh_transport_new_stream, _on_read, _on_write, _on_close, number, _core.destroy))
        except BaseException:
            _core.unregister(number)
            raise

    # Beginning.

    def set_expected_host_key(self, key):
        check(lib.ssh_transport_set_expected_host_key(self._handle, key._handle))

    def insecure_accept_any_host_key(self):
        check(lib.ssh_transport_set_insecure_accept_any_host_key(self._handle))

    def set_algorithms(self, preset=None, kex=None, key_types=None, ciphers=None, digests=None, compression=None):
        """Names in order of preference, separated by commas; "+name", "-name" and "^name" change the default list."""
        options = _Options(lib.ssh_transport_security_options(self._handle))
        with options:
            if preset is not None:
                call(lib.ssh_security_options_set_preset, options._handle, preset)
            for names, function in ((kex, lib.ssh_security_options_set_kex),
                                    (key_types, lib.ssh_security_options_set_key_types),
                                    (ciphers, lib.ssh_security_options_set_ciphers),
                                    (digests, lib.ssh_security_options_set_digests),
                                    (compression, lib.ssh_security_options_set_compression)):
                if names is not None:
                    call(function, options._handle, encode(names))

    def start_client(self, host_key=None, timeout=...):
        if host_key is not None:
            self.set_expected_host_key(host_key)
        call(lib.ssh_transport_start_client, self._handle, None, milliseconds(timeout))

    _server = None

    def start_server(self, server, timeout=...):
        self._server = server  # its functions are wanted as long as there is a session
        call(lib.ssh_transport_start_server, self._handle, server._handle, None, milliseconds(timeout))

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

    def auth_none(self, username, timeout=...):
        return call(lib.ssh_transport_auth_none, self._handle, encode(username), None, milliseconds(timeout)) != PARTIAL

    def auth_password(self, username, password, timeout=...):
        raw = password.encode() if isinstance(password, str) else bytes(password)
        return call(lib.ssh_transport_auth_password, self._handle, encode(username), raw, len(raw), True, None,
                    milliseconds(timeout)) != PARTIAL

    def auth_publickey(self, username, key, timeout=...):
        return call(lib.ssh_transport_auth_publickey, self._handle, encode(username), key._handle, None,
                    milliseconds(timeout)) != PARTIAL

    def auth_interactive(self, username, answer, submethods=None, timeout=...):
        """``answer(request)`` gets each round of prompts: see Request.prompts and Request.answer()."""
        from .request import Kind
        self.on(Kind.PROMPTS, answer)
        return call(lib.ssh_transport_auth_interactive, self._handle, encode(username), encode(submethods), None,
                    milliseconds(timeout)) != PARTIAL

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
        return Channel(call(lib.ssh_transport_open_session, self._handle, milliseconds(timeout)))

    def open_tcp(self, host, port, timeout=...):
        """A connection that the server makes for us."""
        return Channel(call(lib.ssh_transport_open_channel, self._handle, b"direct-tcpip", encode(host), port,
                            b"127.0.0.1", 0, milliseconds(timeout)))

    def accept(self, timeout=None):
        """The next channel that the peer has opened; raises Timeout."""
        return Channel._own(self._next(lib.ssh_transport_accept, timeout))

    def next_request(self, timeout=None):
        """The next question, for programs that would rather ask than be called: see pull_requests()."""
        return Request(self._next(lib.ssh_transport_next_request, timeout))

    def pull_requests(self, enabled=True):
        check(lib.ssh_transport_pull_requests(self._handle, enabled))

    def _next(self, function, timeout):
        found = None

        def attempt(ms):
            nonlocal found
            error = ctypes.c_void_p()
            found = function(self._handle, ms, ctypes.byref(error))
            if not error.value:
                return 0
            if lib.ssh_error_code(error.value) == TIMEOUT and lib.ssh_transport_is_active(self._handle):
                lib.ssh_error_free(error.value)
                return TIMEOUT
            raise take_error(error.value)

        check(sliced(timeout, attempt))
        if not found:
            raise failure(TIMEOUT)
        return found

    def run(self, command, input=b"", timeout=None):
        """Runs a command to its end, and gives what it said. For output without bounds read a channel yourself."""
        with self.open_session() as channel:
            channel.settimeout(timeout)
            channel.exec(command)
            failures, errors = [], []

            # All three at once, for each side may wait for the other to read. Whichever fails ends the others.
            def feed():
                try:
                    channel.write(input)
                    channel.send_eof()
                except Closed:
                    pass  # a command may end without reading its input

            def listen():
                errors.append(channel.read_stderr())

            def guarded(work):
                try:
                    return work()
                except BaseException as error:
                    failures.append(error)
                    lib.ssh_channel_close(channel._handle)

            threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in (feed, listen)]
            for thread in threads:
                thread.start()
            output = guarded(channel.read)
            for thread in threads:
                thread.join()
            if failures:
                raise failures[0]
            return Completed(output, errors[0], channel.wait_exit())

    def sftp(self, timeout=...):
        return Sftp(call(lib.ssh_transport_open_sftp_client, self._handle, milliseconds(timeout)))

    def forward_local(self, listen, to):
        """Listens here; the server connects. Both are (host, port), or the path of a UNIX socket."""
        return Forward(call(lib.ssh_forward_local, self._handle, *_place(listen), *_place(to)))

    def forward_remote(self, listen, to, timeout=...):
        """The server listens; we connect."""
        return Forward(call(lib.ssh_forward_remote, self._handle, *_place(listen), *_place(to), milliseconds(timeout)))

    def forward_dynamic(self, listen):
        """Listens here for SOCKS; the server connects."""
        return Forward(call(lib.ssh_forward_dynamic, self._handle, *_place(listen)))

    def global_request(self, name, data=b"", want_reply=True, timeout=...):
        memory, length = ctypes.c_void_p(), ctypes.c_size_t()
        call(lib.ssh_transport_global_request, self._handle, encode(name), bytes(data), len(data), want_reply,
             milliseconds(timeout), ctypes.byref(memory), ctypes.byref(length))
        try:
            return ctypes.string_at(memory.value, length.value) if memory.value else b""
        finally:
            lib.ssh_memory_free(memory.value)

    def renegotiate_keys(self, timeout=...):
        call(lib.ssh_transport_renegotiate_keys, self._handle, milliseconds(timeout))

    def set_keepalive(self, interval, max_missed=3, heard=None):
        """Asks after ``interval`` seconds of silence; ``heard(round_trip_seconds_or_None, missed)`` is told."""
        _core.give(heard, self, lib.ssh_transport_set_keepalive, self._handle, milliseconds(interval), max_missed,
                   _on_keepalive)

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
    def server_key(self):
        """The host key of the server we talk to."""
        return Key(call(lib.ssh_transport_get_remote_server_key, self._handle))

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
        """In the child of a fork: leaves the session to the parent, and frees the object."""
        check(lib.ssh_transport_atfork(self._handle))
        self._disown()

    def __exit__(self, *exception):
        try:
            self.close()
        except _core.Error:
            pass  # it was freed, or belongs to the parent of a fork
        self.free()


def connect(address, username, password=None, key=None, host_key=None, timeout=30):
    """A session ready for use: connects, checks the host key and authenticates. Without a host key there is no session;
    to accept any, or to ask, make a Transport."""
    if host_key is None:
        raise ValueError("the host key to expect is needed")
    transport = Transport.connect(address, timeout)
    try:
        transport.start_client(host_key, timeout)
        if key is not None:
            done = transport.auth_publickey(username, key, timeout)
            if not done and password is not None:
                done = transport.auth_password(username, password, timeout)
        elif password is not None:
            done = transport.auth_password(username, password, timeout)
        else:
            done = transport.auth_none(username, timeout)
        if not done:
            raise _core.AuthenticationFailed(-601, "the credentials are good, and the server wants more",
                                             auth_methods=",".join(transport.auth_methods))
        return transport
    except BaseException:
        transport.free()
        raise


class _Options(Handle):
    _free = "ssh_security_options_free"


def _place(place):
    """A path of a UNIX socket, or (host, port), as two arguments."""
    return (_core.encode_path(place), 0) if isinstance(place, (str, bytes)) else (encode(place[0]), place[1])


@_abi.KEEPALIVE_CALLBACK
@_core.shielded()
def _on_keepalive(_transport, round_trip_us, missed, number):
    heard = _core.registered(number)
    if heard is not None:
        heard(None if round_trip_us < 0 else round_trip_us / 1e6, missed)


def _on_stream(work):
    """Gives the result of a stream's function as C wants it."""
    try:
        return work()
    except TimeoutError:
        return TIMEOUT
    except ConnectionError:
        return -304


@_abi.READ_CALLBACK
@_core.shielded(-107)  # SSH_ERR_CALLBACK
def _on_read(buffer, capacity, timeout_ms, number):
    def work():
        data = _core.registered(number).read(min(capacity, 1 << 20), timeout_ms / 1000)
        if len(data) > capacity:
            raise ValueError("more was read than asked for")
        ctypes.memmove(buffer, bytes(data), len(data))
        return len(data)
    return _on_stream(work)


@_abi.WRITE_CALLBACK
@_core.shielded(-107)
def _on_write(data, length, timeout_ms, number):
    return _on_stream(lambda: _core.registered(number).write(ctypes.string_at(data, length), timeout_ms / 1000))


@_abi.CLOSE_CALLBACK
@_core.shielded()
def _on_close(number):
    _core.registered(number).close()
