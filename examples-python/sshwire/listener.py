"""Listeners: places where a server's connections come in, and who may."""

import ctypes
import enum

from ._abi import lib
from ._callbacks import report
from ._calls import call, check, sliced_call
from ._handle import Handle
from ._values import encode, milliseconds
from .errors import Closed, ConnectionLost, Error
from .transport import Transport


def _over(transport):
    try:
        return transport.join(0)
    except Error:  # a function of the server's has freed it
        return True


class Penalty(enum.IntEnum):
    """What a source is penalized for."""

    NO_AUTH = 1
    AUTH_FAILED = 2
    GRACE_EXCEEDED = 3
    PROTOCOL = 4


class Count(enum.IntEnum):
    """What a listener counts: so far, but for the last three, which are how many there are now."""

    ACCEPTED = 1
    REFUSED_TOTAL = 2
    REFUSED_PER_SOURCE = 3
    REFUSED_PENALTY = 4
    SHORTAGES = 5
    UNAUTHENTICATED = 6
    WAITING = 7
    PENALIZED = 8


class Listener(Handle):
    """Accepts connections, and turns away who is too many or has been penalized. Limits hold for connections that come
    later, so they are set before bind(). docs/limits.md has their defaults."""

    _free = "ssh_listener_free"

    def __init__(self):
        super().__init__(lib.ssh_listener_new())

    def bind(self, address, port=0):
        """Listens at an IP address, "localhost", "" for all, or the /path of a UNIX socket; gives the port."""
        bound = ctypes.c_uint16()
        call(lib.ssh_listener_bind, self._handle, encode(address), port, ctypes.byref(bound))
        return bound.value

    def add_socket(self, sock):
        """Takes a socket over that listens; the socket object is empty then."""
        call(lib.ssh_listener_add_fd, self._handle, sock.fileno())
        sock.detach()

    def accept(self, timeout=None):
        """The next connection, as a Transport that is not started; raises Timeout, and Closed after stop()."""
        found = sliced_call(timeout, lib.ssh_listener_accept, self._handle)
        if not found:
            raise TimeoutError("nobody has come")
        return Transport(found)

    def serve(self, server):
        """Starts the transport of each connection with a Server, until stop() or free() in another thread. A connection
        that cannot be started ends nothing else; what is not its peer's doing is reported as an exception of the thread."""
        transports = []
        while True:
            try:
                transport = self.accept()
            except Closed:
                return
            try:
                transport.begin_server(server)  # nobody waits for it: the functions do the rest
            except Error as error:
                if not isinstance(error, (Closed, ConnectionLost)):  # the client is gone again
                    report(error)
                transport.free()
                continue
            transports = [other for other in transports if not _over(other)] + [transport]

    def set_max_unauthenticated(self, full=512, start=256, rate_percent=30):
        """Bounds connections that are not logged in; from ``start`` on some are refused by chance."""
        check(lib.ssh_listener_set_max_unauthenticated(self._handle, start, rate_percent, full))

    def set_max_per_source(self, number=64, ipv4_bits=32, ipv6_bits=64):
        """The same for each source, a network of so many bits; 0 for no bound."""
        check(lib.ssh_listener_set_max_per_source(self._handle, number, ipv4_bits, ipv6_bits))

    def set_penalty(self, kind, seconds):
        """What a connection that came to nothing costs its source: see Penalty."""
        check(lib.ssh_listener_set_penalty(self._handle, kind, milliseconds(seconds)))

    def set_penalty_bounds(self, least=15, most=600, sources=65536):
        """From how many seconds on a source is refused, up to how many they add up, and for how many sources; 0 sources
        turn penalties off."""
        check(lib.ssh_listener_set_penalty_bounds(self._handle, milliseconds(least), milliseconds(most), sources))

    def add_exempt(self, network):
        """Holds nothing against an address or a network such as "192.0.2.0/24"."""
        check(lib.ssh_listener_add_exempt(self._handle, encode(network)))

    @property
    def listening(self):
        return lib.ssh_listener_is_listening(self._handle)

    @property
    def counters(self):
        """Everything that it counts, by Count."""
        return {kind: lib.ssh_listener_counter(self._handle, kind) for kind in Count}

    def stop(self):
        """Listens no longer; what was let in before may still be accepted."""
        check(lib.ssh_listener_stop(self._handle))
