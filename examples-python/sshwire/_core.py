"""What every part of the package uses: handles with finalizers, errors, text that is ours to free, callbacks."""

import atexit
import ctypes
import itertools
import math
import os
import sys
import threading
import time
import weakref

from . import _abi
from ._abi import lib

OK, EOF, AGAIN, PARTIAL = 0, 1, 2, 3
BAD_HANDLE, TIMEOUT = -102, -301
FOREVER, DEFAULT = -1, -2


class Error(OSError):
    """A call failed. ``code`` is the status, ``name`` its name, and the other attributes are the details there are."""

    def __init__(self, code, message, **details):
        super().__init__(message)
        self.code = code
        self.name = lib.ssh_status_name(code).decode()
        self.message = message
        self.retryable = details.get("retryable", False)
        self.system_errno = details.get("errno") or None
        self.disconnect_reason = details.get("disconnect_reason") or None
        self.channel_reason = details.get("channel_reason") or None
        self.sftp_status = details.get("sftp_status") or None
        for field in _TEXT_DETAILS:
            setattr(self, field, details.get(field))

    def __str__(self):
        return f"{self.message} ({self.name})"


class Timeout(Error, TimeoutError):
    """The deadline passed."""


class Cancelled(Error):
    """Transport.cancel() ended the call."""


class Closed(Error):
    """The transport or channel was closed or freed by this side."""


class ConnectionLost(Error, ConnectionError):
    """The connection ended, with or without a word of the peer's."""


class AuthenticationFailed(Error, PermissionError):
    """The credentials were refused; ``auth_methods`` tells what else may be tried."""


class HostKeyRejected(Error):
    """The host key is not the expected one; both fingerprints are in the error."""


class Denied(Error):
    """The peer refused a channel or a request."""


class SftpError(Error):
    """The file server refused; ``sftp_status`` and ``peer_text`` say why."""


class NoSuchFile(SftpError, FileNotFoundError):
    """The file server knows no such file."""


class PermissionDenied(SftpError, PermissionError):
    """The file server does not let the user do that."""


class KeyFailure(Error, ValueError):
    """The bytes are no key, or the passphrase is missing or wrong."""


class Forked(Error):
    """The handle belongs to the process that this one was forked from."""


_TEXT_DETAILS = ("peer_text", "algorithm_list", "local_algorithms", "peer_algorithms", "auth_methods",
                 "expected_fingerprint", "found_fingerprint")
_CLASSES = {-105: Forked, -301: Timeout, -302: Cancelled, -303: Closed, -304: ConnectionLost, -305: ConnectionLost,
            -503: HostKeyRejected, -601: AuthenticationFailed, -701: Denied, -702: Denied, -703: SftpError}
_SFTP_CLASSES = {2: NoSuchFile, 3: PermissionDenied}


def failure(code, message=None, **details):
    cls = _CLASSES.get(code) or (KeyFailure if -code // 100 == 8 else Error)
    if cls is SftpError:
        cls = _SFTP_CLASSES.get(details.get("sftp_status"), cls)
    return cls(code, message or lib.ssh_status_name(code).decode(), **details)


def take_error(handle):
    """Makes an exception of an ``ssh_error`` and frees it."""
    try:
        details = {field: decode(getattr(lib, "ssh_error_" + field)(handle)) for field in _TEXT_DETAILS}
        return failure(lib.ssh_error_code(handle), decode(lib.ssh_error_message(handle)),
                       retryable=lib.ssh_error_is_retryable(handle), errno=lib.ssh_error_errno(handle),
                       disconnect_reason=lib.ssh_error_disconnect_reason(handle),
                       channel_reason=lib.ssh_error_channel_reason(handle),
                       sftp_status=lib.ssh_error_sftp_status(handle), **details)
    finally:
        lib.ssh_error_free(handle)


def check(status):
    """For functions without detail."""
    if status < 0:
        raise failure(status)
    return status


def call(function, *arguments):
    """Calls a function whose last argument is an ``ssh_error **``; gives its status, or its handle."""
    error = ctypes.c_void_p()
    result = function(*arguments, ctypes.byref(error))
    if error.value:
        raise take_error(error.value)
    if function.restype is ctypes.c_int32 and result < 0:
        raise failure(result)
    return result


def encode(text):
    """A C string. One with a NUL inside would be cut short there, so it is refused."""
    if text is None:
        return None
    raw = text.encode() if isinstance(text, str) else bytes(text)
    if b"\0" in raw:
        raise ValueError("a NUL byte cannot be passed here")
    return raw


def encode_path(path):
    """A path as a C string: str, bytes or PathLike, with any bytes but NUL."""
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise ValueError("a NUL byte cannot be passed here")
    return raw


def decode(text):
    return None if text is None else text.decode("utf-8", "replace")


def take_text(address):
    """A string that is ours to free."""
    if not address:
        return None
    try:
        return decode(ctypes.string_at(address))
    finally:
        lib.ssh_memory_free(address)


def take_bytes(function, *arguments):
    """Bytes that come out through a ``void **`` and a ``size_t *``, with nothing after them."""
    memory, length = ctypes.c_void_p(), ctypes.c_size_t()
    check(function(*arguments, ctypes.byref(memory), ctypes.byref(length)))
    try:
        return ctypes.string_at(memory.value, length.value)
    finally:
        lib.ssh_memory_free(memory.value)


def take_bytes_detailed(function, arguments, timeout_ms):
    """As take_bytes(), for functions with a timeout and an error behind."""
    memory, length = ctypes.c_void_p(), ctypes.c_size_t()
    call(function, *arguments, ctypes.byref(memory), ctypes.byref(length), timeout_ms)
    try:
        return ctypes.string_at(memory.value, length.value)
    finally:
        lib.ssh_memory_free(memory.value)


def borrowed(function, handle, *arguments):
    """Bytes with a length that stay the object's; copied here."""
    length = ctypes.c_size_t()
    address = function(handle, *arguments, ctypes.byref(length))
    return None if not address else ctypes.string_at(address, length.value)


def milliseconds(seconds):
    """Seconds as Python counts them: None waits for ever, ... takes the default that the C function has."""
    if seconds is None:
        return FOREVER
    if seconds is ...:
        return DEFAULT
    if seconds < 0:
        raise ValueError("a timeout cannot be negative")
    return min(math.ceil(seconds * 1000), 0x7FFFFFFF)


# Python runs the handlers of signals between two of its own instructions, so a call that may wait for long is made of
# short ones: Ctrl-C then ends it.
_SLICE_MS = 200


def sliced(seconds, attempt):
    """Calls ``attempt`` with milliseconds until its status is another than SSH_ERR_TIMEOUT or the time is over."""
    end = None if seconds is None else time.monotonic() + milliseconds(seconds) / 1000
    if seconds == 0:
        return attempt(0)
    while True:
        left = _SLICE_MS if end is None else min(math.ceil((end - time.monotonic()) * 1000), _SLICE_MS)
        status = attempt(max(left, 1))
        if status != TIMEOUT or (end is not None and time.monotonic() >= end):
            return status


class Handle:
    """Owns one C handle. It is freed once: by free(), at the end of a ``with``, or when the object is collected.

    The order does not matter to the library, and using a freed handle is an error there, not a crash. After a fork the
    child's finalizers free handles that say SSH_ERR_FORKED to everything, which is harmless too.
    """

    _free = None

    def __init__(self, handle):
        if not handle:
            raise Error(BAD_HANDLE, "there is no such object")
        self._handle = handle
        self._finalizer = weakref.finalize(self, getattr(lib, self._free), handle)
        # What is there at exit is ended by _end() below; there is no telling which objects are still whole then.
        self._finalizer.atexit = False
        _live[handle] = self

    def free(self):
        """Frees the handle now. Calls that wait on it in other threads end with Closed."""
        self._finalizer()

    def _disown(self):
        """Leaves the handle to somebody else."""
        self._finalizer.detach()

    @classmethod
    def _known(cls, handle):
        """The object that owns the handle, if there is one."""
        found = _live.get(handle) if handle else None
        return found if isinstance(found, cls) else None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.free()

    def __reduce__(self):
        raise TypeError(f"a {type(self).__name__} cannot be pickled: it belongs to this process")


# By handle. The library does not use a number again soon, and an object that was freed is of no harm here.
_live = weakref.WeakValueDictionary()


# Callbacks. One C function pointer for each kind lives as long as the process, because a library thread may be on its way
# into it at any time. Which Python function is meant stands in the userdata, a number; the library calls `destroy` once
# when it will not use the number again.
#
# The function is kept by the object that it was given to, not by the registry, so that an object and functions that refer
# to it are garbage together. No lock guards the registry: a finalizer may run at any instruction, also of the thread that
# would hold it, and a single operation on a dictionary needs none.

_registry = {}  # number: (weak reference to the owner or None, target if there is no owner)
_inherited = set()
_numbers = itertools.count(1)
_entries = set()  # the code that library threads enter


def register(target, owner=None):
    number = next(_numbers)
    if owner is None:
        _registry[number] = None, target
    else:
        owner.__dict__.setdefault("_targets", {})[number] = target
        _registry[number] = weakref.ref(owner), None
    return number


def unregister(number):
    owner, _ = _registry.pop(number, (None, None))
    owner = owner and owner()
    if owner is not None:
        owner._targets.pop(number, None)


def registered(number):
    """What was registered; None once its owner is gone."""
    owner, target = _registry.get(number, (None, None))
    if owner is None:
        return target
    owner = owner()
    return owner and owner._targets.get(number)


def give(target, owner, function, *arguments):
    """Calls a C function that takes userdata and `destroy` last, with a number for ``target``."""
    number = register(target, owner)
    try:
        check(function(*arguments, number, destroy))
    except BaseException:
        unregister(number)
        raise


def shielded(on_failure=None):
    """Makes a function fit to be called by C: an exception cannot go through C, so it is reported as that of a thread."""
    def wrap(function):
        def called(*arguments):
            try:
                return function(*arguments)
            except BaseException:
                report()
                return on_failure
        _entries.add(called.__code__)
        return called
    return wrap


def report():
    threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), None)))


@_abi.DESTROY
@shielded()
def destroy(number):
    unregister(number)


def _after_fork():
    # The child has none of the threads that would call these or `destroy`.
    _inherited.update(_registry)


def _called():
    """Whether a thread of the library is inside, or will come."""
    ours = {thread.ident for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}
    for ident, frame in sys._current_frames().items():
        if ident not in ours:
            return True
        while frame is not None:  # a thread of Python's that frees something may be called back
            if frame.f_code in _entries:
                return True
            frame = frame.f_back
    return bool(_registry.keys() - _inherited)


def _end():
    """At exit. A thread that wants to go on in Python once that is taken down is ended where it stands, which is in the
    middle of the library's code; so end the sessions while Python still stands, and wait until nobody is inside."""
    lib.ssh_set_log_callback(_abi.LOG_CALLBACK(), 0, None, _abi.DESTROY())
    for thing in list(_live.values()):
        thing.free()
    until = time.monotonic() + 2
    while _called() and time.monotonic() < until:
        time.sleep(0.001)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_end)
