"""Which algorithms a session may use."""

import enum

from ._abi import lib
from ._calls import call
from ._handle import Handle
from ._values import encode_names, take_text


class Preset(enum.IntEnum):
    """Nothing that is remarked on; the default; or also what old gear needs."""

    MODERN, COMPATIBLE, LEGACY = 1, 2, 3


class Algorithms(Handle):
    """Lists of names in order of preference, each a str with commas or several names. "+name", "-name" and "^name" add
    to the list that there is, take from it, and put first."""

    _free = "ssh_security_options_free"

    def __init__(self, preset=None, kex=None, key_types=None, ciphers=None, digests=None, compression=None):
        super().__init__(lib.ssh_security_options_new())
        if preset is not None:
            call(lib.ssh_security_options_set_preset, self._handle, preset)
        for names, function in ((kex, lib.ssh_security_options_set_kex),
                                (key_types, lib.ssh_security_options_set_key_types),
                                (ciphers, lib.ssh_security_options_set_ciphers),
                                (digests, lib.ssh_security_options_set_digests),
                                (compression, lib.ssh_security_options_set_compression)):
            if names is not None:
                call(function, self._handle, encode_names(names))

    def _names(self, function):
        return take_text(function(self._handle)).split(",")

    kex = property(lambda self: self._names(lib.ssh_security_options_kex))
    key_types = property(lambda self: self._names(lib.ssh_security_options_key_types))
    ciphers = property(lambda self: self._names(lib.ssh_security_options_ciphers))
    digests = property(lambda self: self._names(lib.ssh_security_options_digests))
    compression = property(lambda self: self._names(lib.ssh_security_options_compression))
