"""Channels: streams with bytes in both directions, and stderr beside them."""

import ctypes
import enum
import io
from typing import NamedTuple, Optional

from ._core import (AGAIN, EOF, Handle, call, check, decode, encode, failure, lib, milliseconds, sliced,
                    take_text)


class Condition(enum.IntFlag):
    READABLE, STDERR_READABLE, WRITABLE, EOF, CLOSED = 1, 2, 4, 8, 16


class Exit(NamedTuple):
    """How a command ended: with a status, by a signal, or without a word."""

    status: Optional[int]
    signal: Optional[str]


class Channel(Handle):
    """One stream in each direction. Reading and writing may go on at once in two threads.

    read() returns what there is, b"" at the end; write() writes everything. Without a timeout of their own, they take
    the one given to settimeout(), which is None at first.
    """

    _free = "ssh_channel_free"
    _timeout = None

    @classmethod
    def _borrow(cls, handle):
        """A channel that somebody else owns, or will: the one object for it, or one that frees nothing."""
        known = cls._known(handle)
        if known is None and handle:
            known = cls(handle)
            known._disown()
        return known

    @classmethod
    def _own(cls, handle):
        known = cls._known(handle)
        if known is not None and not known._finalizer.alive:
            known.__init__(handle)
        return known or cls(handle)

    def settimeout(self, seconds):
        milliseconds(seconds)
        self._timeout = seconds

    def _seconds(self, timeout):
        return self._timeout if timeout is ... else timeout

    @property
    def kind(self):
        """"session", "direct-tcpip", ..."""
        return decode(lib.ssh_channel_kind(self._handle))

    def _read(self, function, size, timeout):
        if size is None or size < 0:
            return b"".join(iter(lambda: self._read(function, 65536, timeout), b""))
        buffer = ctypes.create_string_buffer(size)
        return ctypes.string_at(buffer, self._read_into(function, buffer, size, timeout))

    def _read_into(self, function, buffer, size, timeout):
        done = ctypes.c_size_t()
        status = sliced(self._seconds(timeout),
                        lambda ms: function(self._handle, buffer, size, ctypes.byref(done), ms))
        if status == AGAIN:
            raise BlockingIOError("nothing has come")
        return 0 if check(status) == EOF else done.value

    def read(self, size=-1, timeout=...):
        """Up to ``size`` bytes as they come; without a size, everything until the end."""
        return self._read(lib.ssh_channel_read, size, timeout)

    def read_stderr(self, size=-1, timeout=...):
        return self._read(lib.ssh_channel_read_stderr, size, timeout)

    def readinto(self, buffer, timeout=...):
        """Fills a writable buffer without a copy between; gives how many bytes came, 0 at the end."""
        view = memoryview(buffer).cast("B")
        if not view.nbytes:
            return 0
        area = (ctypes.c_char * view.nbytes).from_buffer(view)
        return self._read_into(lib.ssh_channel_read, area, view.nbytes, timeout)

    def _write(self, function, data, timeout):
        view = memoryview(data).cast("B")
        # Bytes are passed as they lie; what is writable too; the rest is copied.
        raw = data if isinstance(data, bytes) else view.tobytes() if view.readonly else None
        area = (ctypes.c_char * view.nbytes).from_buffer(view) if raw is None and view.nbytes else raw or b""
        start = ctypes.cast(area, ctypes.c_void_p).value or 0
        written = 0

        def attempt(ms):
            nonlocal written
            done = ctypes.c_size_t()
            status = function(self._handle, start + written, view.nbytes - written, ctypes.byref(done), ms)
            written += done.value
            return status

        status = sliced(self._seconds(timeout), attempt)
        if status != 0:
            error = failure(status) if status < 0 else BlockingIOError("nothing fits now")
            error.characters_written = written
            raise error
        return written

    def write(self, data, timeout=...):
        """Writes everything. An error says in ``characters_written`` how far it came."""
        return self._write(lib.ssh_channel_write_all, data, timeout)

    def write_stderr(self, data, timeout=...):
        return self._write(lib.ssh_channel_write_all_stderr, data, timeout)

    def makefile(self, mode="rb", buffering=io.DEFAULT_BUFFER_SIZE):
        """A file object over the channel: "rb", "wb", "r" or "w". Closing a file for writing sends EOF."""
        raw = _RawChannel(self, "w" in mode)
        buffered = (io.BufferedWriter if "w" in mode else io.BufferedReader)(raw, buffering)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding="utf-8")

    def send_eof(self):
        check(lib.ssh_channel_send_eof(self._handle))

    def close(self):
        """Closes the channel; what has come can still be read."""
        check(lib.ssh_channel_close(self._handle))

    @property
    def closed(self):
        return lib.ssh_channel_is_closed(self._handle)

    def combine_stderr(self, combine=True):
        check(lib.ssh_channel_set_combine_stderr(self._handle, combine))

    # What a client asks.

    def pty(self, term="xterm-256color", columns=80, rows=24, timeout=...):
        call(lib.ssh_channel_request_pty, self._handle, encode(term), columns, rows, 0, 0, None, 0,
             milliseconds(timeout))

    def resize(self, columns, rows):
        check(lib.ssh_channel_window_change(self._handle, columns, rows, 0, 0))

    def env(self, name, value):
        check(lib.ssh_channel_request_env(self._handle, encode(name), encode(value)))

    def exec(self, command, timeout=...):
        call(lib.ssh_channel_request_exec, self._handle, encode(command), milliseconds(timeout))

    def shell(self, timeout=...):
        call(lib.ssh_channel_request_shell, self._handle, milliseconds(timeout))

    def subsystem(self, name, timeout=...):
        call(lib.ssh_channel_request_subsystem, self._handle, encode(name), milliseconds(timeout))

    def signal(self, name):
        """Sends a signal, named without SIG."""
        check(lib.ssh_channel_signal(self._handle, encode(name)))

    def wait_exit(self, timeout=...):
        kind, status = ctypes.c_int32(), ctypes.c_uint32()
        if check(sliced(self._seconds(timeout),
                        lambda ms: lib.ssh_channel_wait_exit(self._handle, ms, ctypes.byref(kind),
                                                             ctypes.byref(status)))) == AGAIN:
            raise BlockingIOError("it runs on")
        if kind.value == 1:
            return Exit(status.value, None)
        return Exit(None, take_text(lib.ssh_channel_exit_signal(self._handle)) if kind.value == 2 else None)

    def set_event(self, event, conditions):
        """Sets an Event whenever one of the ``Condition``s holds; None ends that."""
        check(lib.ssh_channel_set_event(self._handle, event and event._handle, conditions))

    # What a server tells.

    def exit(self, status=0):
        """Tells the exit status and closes the channel."""
        check(lib.ssh_channel_send_exit_status(self._handle, status))
        self.close()

    def exit_signal(self, name, core_dumped=False, message=None):
        check(lib.ssh_channel_send_exit_signal(self._handle, encode(name), core_dumped, encode(message)))
        self.close()

    def free(self):
        if not self._finalizer.alive:
            lib.ssh_channel_close(self._handle)  # somebody else's, or freed, and then this does nothing
        super().free()


class _RawChannel(io.RawIOBase):
    def __init__(self, channel, writing):
        super().__init__()
        self._channel, self._writing = channel, writing

    def readable(self):
        return not self._writing

    def writable(self):
        return self._writing

    def readinto(self, buffer):
        return self._channel.readinto(buffer)

    def write(self, data):
        return self._channel.write(data)

    def close(self):
        if not self.closed:
            super().close()
            if self._writing:
                self._channel.send_eof()
