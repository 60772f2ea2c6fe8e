"""Values on their way between Python and C."""

import ctypes
import math
import os

from ._abi import lib

FOREVER, DEFAULT = -1, -2  # as a C timeout


def encode(text):
    """A C string of a str or bytes. One with a NUL inside would be cut short there, so it is refused."""
    if text is None:
        return None
    raw = to_bytes(text)
    if b"\0" in raw:
        raise ValueError("a NUL byte cannot be passed here")
    return raw


def encode_path(path):
    """A path as a C string: str, bytes or PathLike, with any bytes but NUL."""
    return encode(os.fsencode(path))


def encode_names(names):
    """A name-list: a str as it is, or several names."""
    return encode(names if names is None or isinstance(names, str) else ",".join(names))


def to_bytes(data):
    """What may hold any byte, passed with its length: a str is taken as UTF-8."""
    return data.encode() if isinstance(data, str) else bytes(data)


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


def borrowed(function, handle, *arguments):
    """Bytes with a length that stay the object's; copied here."""
    length = ctypes.c_size_t()
    address = function(handle, *arguments, ctypes.byref(length))
    return None if not address else ctypes.string_at(address, length.value)


def address(function, handle):
    """(host, port) as functions with a ``uint16_t *`` tell it; None for none."""
    port = ctypes.c_uint16()
    host = function(handle, ctypes.byref(port))
    return None if host is None else (decode(host), port.value)


def handles(objects):
    """The handles of objects, as an array."""
    objects = list(objects)
    return (ctypes.c_void_p * len(objects))(*(each._handle for each in objects))


def place(where):
    """(host, port), or the path of a UNIX socket, as two arguments."""
    return (encode_path(where), 0) if isinstance(where, (str, bytes, os.PathLike)) else (encode(where[0]), where[1])


def area(buffer):
    """The memory of a writable buffer, for C to fill, and its length."""
    view = memoryview(buffer).cast("B")
    return (ctypes.c_char * view.nbytes).from_buffer(view) if view.nbytes else None, view.nbytes


def milliseconds(seconds):
    """Seconds as Python counts them: None waits for ever, ... takes the default that the C function has."""
    if seconds is None:
        return FOREVER
    if seconds is ...:
        return DEFAULT
    if seconds < 0:
        raise ValueError("a timeout cannot be negative")
    return min(math.ceil(seconds * 1000), 0x7FFFFFFF)


class Memory:
    """Bytes that come out through a ``void **`` and a ``size_t *`` and are ours to free."""

    def __init__(self):
        self._address, self._length = ctypes.c_void_p(), ctypes.c_size_t()
        self.arguments = ctypes.byref(self._address), ctypes.byref(self._length)

    def take(self):
        try:
            return ctypes.string_at(self._address.value, self._length.value) if self._address.value else b""
        finally:
            lib.ssh_memory_free(self._address.value)
