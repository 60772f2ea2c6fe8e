"""Failures as exceptions, by status and with the detail there is."""

import errno
import functools

from ._abi import lib
from ._values import decode

OK, EOF, AGAIN, PARTIAL = 0, 1, 2, 3
BAD_HANDLE, CALLBACK, IO, TIMEOUT, CLOSED, CONN_LOST, AUTH, SIGNATURE = -102, -107, -201, -301, -303, -304, -601, -805
PASSPHRASE_MISSING, PASSPHRASE_WRONG = -803, -804

_TEXTS = ("peer_text", "algorithm_list", "local_algorithms", "peer_algorithms", "auth_methods", "expected_fingerprint",
          "found_fingerprint")
_NUMBERS = ("errno", "disconnect_reason", "channel_reason", "sftp_status")


class Error(OSError):
    """A call failed: ``code`` is the status, ``name`` its name in sshwire.h, ``message`` a sentence.

    Then the detail, None where there is none: ``errno``, ``peer_text``, ``disconnect_reason``, ``channel_reason``,
    ``sftp_status``, ``auth_methods``, ``expected_fingerprint``, ``found_fingerprint``, ``algorithm_list``,
    ``local_algorithms``, ``peer_algorithms``.
    """

    def __init__(self, code, message=None, **detail):
        super().__init__(message)
        self.code = code
        self.name = lib.ssh_status_name(code).decode()
        self.message = message
        self.retryable = detail.get("retryable", False)
        for field in _TEXTS + _NUMBERS:
            setattr(self, field, detail.get(field))
        self._detail = detail

    def __str__(self):
        return f"{self.message} ({self.name})" if self.message else self.name

    def __reduce__(self):
        return functools.partial(failure, **self._detail), (self.code, self.message)


class Freed(Error):
    """The object was freed."""


class Timeout(Error, TimeoutError):
    """The deadline passed."""


class Cancelled(Error):
    """Transport.cancel() or a progress function ended the call."""


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


class SystemFailure(Error):
    """The operating system refused; the exception is also of the class that Python has for its ``errno``."""


_CLASSES = {BAD_HANDLE: Freed, -105: Forked, IO: SystemFailure, TIMEOUT: Timeout, -302: Cancelled, CLOSED: Closed,
            CONN_LOST: ConnectionLost, -305: ConnectionLost, -503: HostKeyRejected, AUTH: AuthenticationFailed,
            -701: Denied, -702: Denied, -703: SftpError}
_SFTP_CLASSES = {2: (NoSuchFile, errno.ENOENT), 3: (PermissionDenied, errno.EACCES)}


@functools.cache
def _system_class(number):
    known = type(OSError(number, ""))
    return SystemFailure if known is OSError else type(known.__name__, (SystemFailure, known), {})


def failure(code, message=None, **detail):
    """The exception for a status."""
    cls = _CLASSES.get(code) or (KeyFailure if -code // 100 == 8 else Error)
    if cls is SftpError and detail.get("sftp_status") in _SFTP_CLASSES:
        cls, detail["errno"] = _SFTP_CLASSES[detail["sftp_status"]]
    elif cls is SystemFailure:
        cls = _system_class(detail.get("errno"))
    if message is None and cls is not Error and cls.__doc__:
        message = cls.__doc__.rstrip(".")
    return cls(code, message, **detail)


def take_error(handle):
    """Makes an exception of an ``ssh_error`` and frees it."""
    try:
        detail = {field: decode(getattr(lib, "ssh_error_" + field)(handle)) for field in _TEXTS}
        detail.update((field, getattr(lib, "ssh_error_" + field)(handle) or None) for field in _NUMBERS)
        return failure(lib.ssh_error_code(handle), decode(lib.ssh_error_message(handle)),
                       retryable=lib.ssh_error_is_retryable(handle), **detail)
    finally:
        lib.ssh_error_free(handle)
