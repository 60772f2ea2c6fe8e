"""SSH-2, client and server, over the C library libsshwire.

    with sshwire.connect("example.org", "user", password="secret", host_key=key) as transport:
        print(transport.run("uname -a").stdout.decode())

    with sshwire.connect_config("alias", answer=ask_a_person) as transport:  # where ssh would go
        ...

Every object may be used from any thread. Timeouts are seconds; None waits for ever. Ctrl-C ends a call that waits. Objects
are freed at the end of a ``with``, by free(), or when they are collected, in any order; a forked process makes its own.
Text is str, taken and given as UTF-8; what may hold any byte, such as data, passwords and signatures, is bytes.

Failures are exceptions below sshwire.Error, which is an OSError; where Python has a class for the case (TimeoutError,
ConnectionError, FileNotFoundError, PermissionError), they are of that, too. What a function that the library calls raises
goes to threading.excepthook, and counts as a refusal.

When the interpreter ends, so do all sessions. It waits two seconds for functions that the library has called.
"""

from . import _process
from ._abi import lib as _lib
from .agent import Agent, Identity
from .algorithms import Algorithms, Preset
from .authorized_keys import AuthorizedKey, AuthorizedKeys, Permit
from .certificate import Certificate, Holder, Revocations
from .channel import Channel, Condition, Exit
from .command import Completed
from .config import Config, Host, connect_config
from .errors import (AuthenticationFailed, Cancelled, Closed, ConnectionLost, Denied, Error, Forked, Freed,
                     HostKeyRejected, KeyFailure, NoSuchFile, PermissionDenied, SftpError, SystemFailure, Timeout)
from .event import Event
from .forward import Counters, Forward
from .key import Key, KeyInfo
from .known_hosts import KnownHosts, Verdict
from .listener import Count, Listener, Penalty
from .log import set_log
from .request import Kind, Request
from .server import Server, SftpDirectory
from .sftp import Attributes, Sftp, SftpFile, Transfer
from .transport import Agreed, Statistics, Transport, connect

__version__ = _lib.ssh_version_string().decode()

__all__ = ["Agent", "Agreed", "Algorithms", "Attributes", "AuthenticationFailed", "AuthorizedKey", "AuthorizedKeys",
           "Cancelled", "Certificate", "Channel", "Closed", "Completed", "Condition", "Config", "ConnectionLost", "Count",
           "Counters", "Denied", "Error",
           "Event", "Exit", "Forked", "Forward", "Freed", "Holder", "Host", "HostKeyRejected", "Identity", "Key",
           "KeyFailure", "KeyInfo", "Kind", "KnownHosts", "Listener", "NoSuchFile", "Penalty", "PermissionDenied", "Permit",
           "Preset", "Request",
           "Revocations", "Server", "Sftp", "SftpDirectory", "SftpError", "SftpFile", "Statistics", "SystemFailure",
           "Timeout", "Transfer", "Transport", "Verdict", "connect", "connect_config", "set_log"]
