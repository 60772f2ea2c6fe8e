"""Channels: streams with bytes in both directions, and stderr beside them."""

import ctypes
import enum
import io
from typing import NamedTuple, Optional

from ._abi import lib
from ._calls import ask, check, sliced
from ._handle import Handle
from ._values import address, area, decode, encode, encode_path, milliseconds, take_text, to_bytes
from .errors import AGAIN, EOF, failure, take_error


class Condition(enum.IntFlag):
    READABLE, STDERR_READABLE, WRITABLE, EOF, CLOSED = 1, 2, 4, 8, 16


class Exit(NamedTuple):
    """How a command ended: with a status, by a signal, or without a word."""

    status: Optional[int]
    signal: Optional[str]


class Channel(Handle):
    """One stream in each direction. Reading and writing may go on at once in two threads.

    read() returns what there is, b"" at the end; write() writes everything. Without a timeout of their own, they take
    the one given to settimeout(), which is None at first; with 0 they raise BlockingIOError instead of waiting.
    """

    _free = "ssh_channel_free"
    _timeout = None

    @classmethod
    def _borrow(cls, handle):
        """The object for a channel that somebody else owns, or will; None for none."""
        return (cls._known(handle) or cls(handle, owned=False)) if handle else None

    @classmethod
    def _take(cls, handle):
        """The object that owns the channel from now on."""
        channel = cls._borrow(handle)
        if channel._finalizer is None:
            channel._own()
        return channel

    def settimeout(self, seconds):
        milliseconds(seconds)
        self._timeout = seconds

    def _sliced(self, timeout, attempt):
        status = sliced(self._timeout if timeout is ... else timeout, attempt)
        if status < 0:
            raise self._failure(status)
        return status

    def _failure(self, status):
        """With the detail that the transport has, if that has ended for the same reason."""
        cause = lib.ssh_transport_error(lib.ssh_channel_transport(self._handle))
        error = take_error(cause) if cause else None
        return error if error is not None and error.code == status else failure(status)

    # Reading and writing.

    def _read(self, function, size, timeout):
        if size is None or size < 0:
            return b"".join(iter(lambda: self._read(function, 65536, timeout), b""))
        buffer = ctypes.create_string_buffer(size)
        return ctypes.string_at(buffer, self._read_into(function, buffer, size, timeout))

    def _read_into(self, function, buffer, size, timeout):
        done = ctypes.c_size_t()
        status = self._sliced(timeout, lambda ms: function(self._handle, buffer, size, ctypes.byref(done), ms))
        if status == AGAIN:
            raise BlockingIOError("nothing has come")
        return 0 if status == EOF else done.value

    def read(self, size=-1, timeout=...):
        """Up to ``size`` bytes as they come; without a size, everything until the end."""
        return self._read(lib.ssh_channel_read, size, timeout)

    def read_stderr(self, size=-1, timeout=...):
        return self._read(lib.ssh_channel_read_stderr, size, timeout)

    def readinto(self, buffer, timeout=...):
        """Fills a writable buffer without a copy between; gives how many bytes came, 0 at the end."""
        return self._read_into(lib.ssh_channel_read, *area(buffer), timeout)

    def _write(self, function, data, timeout):
        view = memoryview(data).cast("B")
        # What C reads from: bytes as they lie, a writable buffer as it lies, anything else as a copy.
        memory = data if isinstance(data, bytes) else view.tobytes() if view.readonly else area(view)[0]
        start = ctypes.cast(memory, ctypes.c_void_p).value or 0
        written = 0

        def attempt(ms):
            nonlocal written
            done = ctypes.c_size_t()
            status = function(self._handle, start + written, view.nbytes - written, ctypes.byref(done), ms)
            written += done.value
            return status

        try:
            if self._sliced(timeout, attempt) == AGAIN:
                raise BlockingIOError("nothing fits now")
        except OSError as error:
            error.characters_written = written
            raise
        return written

    def write(self, data, timeout=...):
        """Writes everything. An error says in ``characters_written`` how far it came."""
        return self._write(lib.ssh_channel_write_all, data, timeout)

    def write_stderr(self, data, timeout=...):
        return self._write(lib.ssh_channel_write_all_stderr, data, timeout)

    def makefile(self, mode="r", buffering=io.DEFAULT_BUFFER_SIZE, encoding="utf-8", errors=None, newline=None,
                 stderr=False):
        """A file object over the channel: "r", "w", "rb" or "wb". Lines come as one iterates over it.

        Closing one for writing sends EOF; the channel itself stays open.
        """
        if mode not in ("r", "w", "rb", "wb"):
            raise ValueError(f"{mode!r} is no mode")
        raw = _RawChannel(self, "w" in mode, stderr)
        buffered = (io.BufferedWriter if "w" in mode else io.BufferedReader)(raw, buffering)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def send_eof(self):
        check(lib.ssh_channel_send_eof(self._handle))

    def close(self):
        """Closes the channel; what has come can still be read."""
        check(lib.ssh_channel_close(self._handle))

    # What there is to know of it.

    @property
    def kind(self):
        """"session", "direct-tcpip", ..."""
        return decode(lib.ssh_channel_kind(self._handle))

    @property
    def closed(self):
        return lib.ssh_channel_is_closed(self._handle)

    # Of a forwarded connection: (host, port) where it leads to or came in, and where it comes from; None for other kinds.
    destination = property(lambda self: address(lib.ssh_channel_destination, self._handle))
    origin = property(lambda self: address(lib.ssh_channel_origin, self._handle))

    @property
    def conditions(self):
        return Condition(lib.ssh_channel_conditions(self._handle))

    def set_event(self, event, conditions):
        """Sets an Event whenever one of the ``Condition``s begins to hold; None ends that."""
        check(lib.ssh_channel_set_event(self._handle, event and event._handle, conditions))

    def combine_stderr(self, combine=True):
        """Whether what comes on stderr is read as if it came on stdout."""
        check(lib.ssh_channel_set_combine_stderr(self._handle, combine))

    # What a client asks.

    def pty(self, term="xterm-256color", columns=80, rows=24, modes=b"", timeout=...):
        """A terminal; ``modes`` as RFC 4254 section 8 has them."""
        ask(lib.ssh_channel_request_pty, self._handle, encode(term), columns, rows, 0, 0, modes, len(modes),
            milliseconds(timeout))

    def resize(self, columns, rows):
        check(lib.ssh_channel_window_change(self._handle, columns, rows, 0, 0))

    def env(self, name, value):
        check(lib.ssh_channel_request_env(self._handle, encode(name), encode(value)))

    def exec(self, command, timeout=...):
        ask(lib.ssh_channel_request_exec, self._handle, encode(command), milliseconds(timeout))

    def shell(self, timeout=...):
        ask(lib.ssh_channel_request_shell, self._handle, milliseconds(timeout))

    def subsystem(self, name, timeout=...):
        ask(lib.ssh_channel_request_subsystem, self._handle, encode(name), milliseconds(timeout))

    def agent_forward(self, socket=None, timeout=...):
        """Lets the other side use the agent that listens on ``socket``; without one the channels come out of accept()."""
        ask(lib.ssh_channel_request_agent_forward, self._handle, None if socket is None else encode_path(socket),
            milliseconds(timeout))

    def request(self, name, data=b"", want_reply=True, timeout=...):
        """A request of any name."""
        raw = to_bytes(data)
        ask(lib.ssh_channel_request, self._handle, encode(name), raw, len(raw), want_reply, milliseconds(timeout))

    def signal(self, name):
        """Sends a signal, named without SIG."""
        check(lib.ssh_channel_signal(self._handle, encode(name)))

    def send_break(self, seconds=0, timeout=...):
        ask(lib.ssh_channel_break, self._handle, milliseconds(seconds), milliseconds(timeout))

    def wait_exit(self, timeout=...):
        """How the command ended. Read its output first, or in another thread: one that cannot write does not end."""
        kind, status = ctypes.c_int32(), ctypes.c_uint32()
        if self._sliced(timeout, lambda ms: lib.ssh_channel_wait_exit(self._handle, ms, ctypes.byref(kind),
                                                                      ctypes.byref(status))) == AGAIN:
            raise BlockingIOError("it runs on")
        if kind.value == 1:
            return Exit(status.value, None)
        return Exit(None, take_text(lib.ssh_channel_exit_signal(self._handle)) if kind.value == 2 else None)

    # What a server tells.

    def exit(self, status=0):
        """Tells the exit status and closes the channel."""
        check(lib.ssh_channel_send_exit_status(self._handle, status))
        self.close()

    def exit_signal(self, name, core_dumped=False, message=None):
        check(lib.ssh_channel_send_exit_signal(self._handle, encode(name), core_dumped, encode(message)))
        self.close()


class _RawChannel(io.RawIOBase):
    def __init__(self, channel, writing, stderr):
        super().__init__()
        self._channel, self._writing = channel, writing
        self._read = lib.ssh_channel_read_stderr if stderr else lib.ssh_channel_read
        self._write = channel.write_stderr if stderr else channel.write

    def readable(self):
        return not self._writing

    def writable(self):
        return self._writing

    def readinto(self, buffer):
        try:
            return self._channel._read_into(self._read, *area(buffer), ...)
        except BlockingIOError:
            return None

    def write(self, data):
        try:
            return self._write(data)
        except BlockingIOError as error:
            return error.characters_written or None

    def close(self):
        if self.closed:
            return
        super().close()
        if self._writing and not self._channel.closed:
            self._channel.send_eof()
