"""Files of host keys, as ssh has them."""

import ctypes
import enum

from ._abi import lib
from ._calls import call
from ._handle import Handle
from ._values import encode, encode_path, take_text, to_bytes


class Verdict(enum.IntEnum):
    """What is known about the key that a host has shown."""

    MATCH, UNKNOWN, OTHER_TYPE, CHANGED, REVOKED = 1, 2, 3, 4, 5


class KnownHosts(Handle):
    """Files, of which the first is the one that changes; without any, those that ssh uses. Or lines that stand in none."""

    _free = "ssh_known_hosts_free"

    def __init__(self, *paths, lines=None):
        super().__init__(lib.ssh_known_hosts_new() if paths or lines is not None
                         else call(lib.ssh_known_hosts_new_default))
        for path in paths:
            call(lib.ssh_known_hosts_add_file, self._handle, encode_path(path))
        if lines is not None:
            raw = to_bytes(lines)
            call(lib.ssh_known_hosts_add_lines, self._handle, raw, len(raw))

    def check(self, host, port, key):
        verdict = ctypes.c_int32()
        call(lib.ssh_known_hosts_check, self._handle, encode(host), port, key._handle, ctypes.byref(verdict), None)
        return Verdict(verdict.value)

    def add(self, host, port, key, comment=None, hashed=False):
        """Adds a line to the first file."""
        call(lib.ssh_known_hosts_add, self._handle, 0, encode(host), port, key._handle, encode(comment), hashed)

    def remove(self, host, port):
        """Removes the host from the first file; gives how many lines that were."""
        count = ctypes.c_size_t()
        call(lib.ssh_known_hosts_remove, self._handle, encode(host), port, ctypes.byref(count))
        return count.value

    @property
    def warnings(self):
        """A list of "file:line: why" for lines that make no sense."""
        return take_text(call(lib.ssh_known_hosts_warnings, self._handle)).splitlines()
