"""The end of the interpreter, and fork.

Until Python 3.14 a thread that wants to go on in Python once that is taken down is ended where it stands, which for a
thread of the library is in the middle of the library's code, and ends the process. So sessions end while Python still
stands, and the interpreter waits until nobody is inside.
"""

import atexit
import ctypes
import os
import sys
import threading
import time

from . import _abi
from ._abi import lib
from ._callbacks import ending, entries, registry, visitors
from ._handle import live

_inherited = set()  # numbers that the parent of a fork has registered; nobody in this process will call `destroy`


def _inside():
    """The threads that are in Python because the library called; with their numbers."""
    ours = {thread.ident for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}
    return [ident for ident, frame in sys._current_frames().items() if ident != threading.get_ident()
            and (ident in visitors - ours or any(code in entries for code in _codes(frame)))]


def _codes(frame):
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def _left(seconds):
    """Waits until nobody is inside, and nobody will come."""
    until = time.monotonic() + seconds
    while _inside() or registry.keys() - _inherited:
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


def end():
    ending.set()
    lib.ssh_set_log_callback(_abi.LOG_CALLBACK(), 0, None, _abi.DESTROY())
    for thing in list(live.values()):
        getattr(lib, thing._free)(thing._handle)
    if not _left(2):
        for ident in _inside():  # functions of the program's that go on and on
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(SystemExit))
        _left(1)


os.register_at_fork(after_in_child=lambda: _inherited.update(registry))
atexit.register(end)
