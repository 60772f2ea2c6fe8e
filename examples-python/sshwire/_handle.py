"""What owns one C handle."""

import weakref

from ._abi import lib
from .errors import BAD_HANDLE, failure

# By handle. The library does not use a number again soon, and an object that was freed is of no harm here.
live = weakref.WeakValueDictionary()


class Handle:
    """Owns one C handle. It is freed once: by free(), at the end of a ``with``, or when the object is collected.

    The order does not matter to the library, and using a freed handle is an error there, not a crash. After a fork the
    child's finalizers free handles that say SSH_ERR_FORKED to everything, which is harmless too.
    """

    _free = None
    _finalizer = None

    def __init__(self, handle, owned=True):
        if not handle:
            raise failure(BAD_HANDLE, "there is no such object")
        self._handle = handle
        if owned:
            self._own()
        live[handle] = self

    def _own(self):
        self._finalizer = weakref.finalize(self, getattr(lib, self._free), self._handle)
        self._finalizer.atexit = False  # see _process.py

    def free(self):
        """Frees the handle now. Calls that wait on it in other threads end with Closed."""
        if self._finalizer is not None:
            self._finalizer()
        else:
            getattr(lib, self._free)(self._handle)

    @classmethod
    def _known(cls, handle):
        """The object for the handle, if there is one."""
        found = live.get(handle) if handle else None
        return found if isinstance(found, cls) else None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.free()

    def __reduce__(self):
        raise TypeError(f"a {type(self).__name__} cannot be pickled: it belongs to this process")
