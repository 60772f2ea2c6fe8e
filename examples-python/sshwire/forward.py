"""Forwardings: places that are listened on, with the connections that come in there."""

import ctypes
from typing import NamedTuple

from ._abi import lib
from ._calls import check
from ._handle import Handle
from ._values import decode


class Counters(NamedTuple):
    connections: int
    active: int
    failed: int
    sent: int
    received: int


class Forward(Handle):
    """Goes on until it is freed or its session ends. Made by Transport.forward_local() and the like."""

    _free = "ssh_forward_free"

    @property
    def address(self):
        """(host, port) that is listened on; for a UNIX socket (path, 0)."""
        return decode(lib.ssh_forward_address(self._handle)), lib.ssh_forward_port(self._handle)

    @property
    def listening(self):
        return lib.ssh_forward_is_listening(self._handle)

    @property
    def counters(self):
        numbers = [ctypes.c_uint64() for _ in Counters._fields]
        check(lib.ssh_forward_counters(self._handle, *map(ctypes.byref, numbers)))
        return Counters(*(number.value for number in numbers))

    def set_max_connections(self, number):
        """How many there may be at once; more are refused."""
        check(lib.ssh_forward_set_max_connections(self._handle, number))

    def stop(self):
        """Takes no new connections; those that there are go on."""
        check(lib.ssh_forward_stop(self._handle))
