"""Objects of the program's that carry a transport."""

import ctypes
import time

from . import _abi, _callbacks
from ._abi import lib
from ._calls import call
from .errors import CALLBACK, CONN_LOST, IO, TIMEOUT, Timeout


def new_transport(stream):
    """The handle of a transport over the stream."""
    number = _callbacks.register(stream)
    try:
        return call(lib.ssh_transport_new_stream, _on_read, _on_write, _on_close, number, _callbacks.destroy)
    except BaseException:
        _callbacks.unregister(number)
        raise


def _on_stream(work, timeout_ms):
    """Gives the result of a stream's function as C wants it."""
    began = time.monotonic()
    try:
        return work()
    except Timeout:  # of a Channel: one that comes early is what ended its session, as for sliced()
        return CONN_LOST if time.monotonic() - began < timeout_ms / 2000 else TIMEOUT
    except TimeoutError:
        return TIMEOUT
    except ConnectionError:
        return CONN_LOST
    except OSError:
        return IO


@_abi.READ_CALLBACK
@_callbacks.shielded(CALLBACK)
def _on_read(buffer, capacity, timeout_ms, number):
    def work():
        data = _callbacks.registered(number).read(min(capacity, 1 << 20), timeout_ms / 1000)
        if len(data) > capacity:
            raise ValueError("more was read than asked for")
        ctypes.memmove(buffer, bytes(data), len(data))
        return len(data)
    return _on_stream(work, timeout_ms)


@_abi.WRITE_CALLBACK
@_callbacks.shielded(CALLBACK)
def _on_write(data, length, timeout_ms, number):
    return _on_stream(lambda: _callbacks.registered(number).write(ctypes.string_at(data, length), timeout_ms / 1000), timeout_ms)


@_abi.CLOSE_CALLBACK
@_callbacks.shielded()
def _on_close(number):
    _callbacks.registered(number).close()
