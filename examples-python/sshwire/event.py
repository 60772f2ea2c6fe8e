"""Events: for loops that wait for many things at once."""

from ._abi import lib
from ._calls import check, sliced
from ._handle import Handle
from .errors import AGAIN, TIMEOUT


class Event(Handle):
    """Is set when something has happened. It has a fileno(), so that select, selectors and asyncio can wait for it."""

    _free = "ssh_event_free"

    def __init__(self):
        super().__init__(lib.ssh_event_new())

    def wait(self, timeout=None):
        """Whether it was set in time."""
        status = sliced(timeout, lambda ms: lib.ssh_event_wait(self._handle, ms))
        return False if status in (AGAIN, TIMEOUT) else check(status) == 0

    def is_set(self):
        return lib.ssh_event_is_set(self._handle)

    def set(self):
        check(lib.ssh_event_set(self._handle))

    def reset(self):
        check(lib.ssh_event_reset(self._handle))

    def fileno(self):
        """Readable while the event is set; it stays the event's."""
        return check(lib.ssh_event_fd(self._handle))
