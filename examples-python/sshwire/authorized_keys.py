"""Files of keys that let a user in, as sshd has them."""

import ctypes
import enum

from ._abi import lib
from ._calls import call
from ._handle import Handle
from ._values import encode, encode_path, take_text, to_bytes
from .errors import AUTH, Error
from .key import Key


class Permit(enum.IntFlag):
    """What the options of a line leave."""

    PTY, PORT_FORWARDING, AGENT_FORWARDING, X11_FORWARDING, USER_RC, CERTIFICATES = 1, 2, 4, 8, 16, 32


class AuthorizedKey:
    """A line. Its texts are those of its options; None for what it does not have."""

    def __init__(self, keys, index):
        self._keys, self._index = keys, index
        self.line = lib.ssh_authorized_keys_line(keys._handle, index)
        self.permits = Permit(lib.ssh_authorized_keys_permits(keys._handle, index))
        self.has_options = lib.ssh_authorized_keys_has_options(keys._handle, index)

    @property
    def key(self):
        """The key, with the comment of the line."""
        return Key(lib.ssh_authorized_keys_key(self._keys._handle, self._index))

    def _option(self, name):
        return take_text(lib.ssh_authorized_keys_option(self._keys._handle, self._index, name))

    command = property(lambda self: self._option(b"command"))
    sources = property(lambda self: self._option(b"from"))
    principals = property(lambda self: self._option(b"principals"))
    tunnel = property(lambda self: self._option(b"tunnel"))

    @property
    def environment(self):
        """NAME=value for each variable that it sets. Whether users may set any is for the program to decide."""
        found = []
        while (text := take_text(lib.ssh_authorized_keys_environment(self._keys._handle, self._index, len(found)))):
            found.append(text)
        return found

    def __repr__(self):
        return f"<sshwire.AuthorizedKey line {self.line}>"


class AuthorizedKeys(Handle):
    """The lines of a file, a sequence. It does not change: load a file anew, best at each login."""

    _free = "ssh_authorized_keys_free"

    @classmethod
    def load(cls, path):
        """From a file. Whose it is, and who may write it, is for the program to see to."""
        return cls(call(lib.ssh_authorized_keys_load_file, encode_path(path)))

    @classmethod
    def from_text(cls, text):
        raw = to_bytes(text)
        return cls(call(lib.ssh_authorized_keys_load, raw, len(raw)))

    @property
    def warnings(self):
        """A list of "line 3: why" for lines that let nobody in."""
        return take_text(lib.ssh_authorized_keys_warnings(self._handle)).splitlines()

    def answer(self, request, host_name=None):
        """Answers a request of kind AUTH_KEY_ASKED or AUTH_KEY_PROVEN: lets the user in by the first line that has the key
        and whose options do not keep them from it, and gives that line; or refuses, and gives None. What the options force
        and forbid holds from then on. ``host_name`` is the client's, for the option "from"."""
        index = ctypes.c_size_t()
        try:
            call(lib.ssh_authorized_keys_answer, self._handle, request._handle, encode(host_name), ctypes.byref(index))
        except Error as error:
            if error.code == AUTH:
                return None
            raise
        return self[index.value]

    def __len__(self):
        return lib.ssh_authorized_keys_count(self._handle)

    def __getitem__(self, index):
        count = len(self)
        if not -count <= index < count:
            raise IndexError(index)
        return AuthorizedKey(self, index % count)
