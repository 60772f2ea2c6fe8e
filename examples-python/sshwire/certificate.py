"""Certificates: what an authority says about a key, and lists of what must not be trusted any more."""

import enum

from ._abi import lib
from ._calls import call, check
from ._handle import Handle
from ._values import Memory, encode, encode_path, handles, take_text, to_bytes
from .errors import REVOKED
from .key import Key

ALWAYS = 2 ** 64 - 1  # as the end of a certificate's time
# What ssh-keygen permits users unless it is told otherwise.
USUAL = ("permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc")


class Holder(enum.IntEnum):
    """Whom a certificate is for."""

    USER, HOST = 1, 2


class Certificate(Handle):
    """A signed certificate. It does not change. Nothing in it is verified until check() is called."""

    _free = "ssh_certificate_free"

    @classmethod
    def load(cls, path):
        """From a file, often that of the key with -cert.pub behind it."""
        return cls(call(lib.ssh_certificate_load_file, encode_path(path)))

    @classmethod
    def from_text(cls, text):
        """From the line in such a file."""
        raw = to_bytes(text)
        return cls(call(lib.ssh_certificate_load, raw, len(raw)))

    @classmethod
    def from_blob(cls, blob):
        """From the form that it has on the wire."""
        return cls(call(lib.ssh_certificate_from_blob, to_bytes(blob), len(blob)))

    @classmethod
    def issue(cls, key, authority, principals, kind=Holder.USER, key_id="", serial=0, valid_after=0, valid_before=ALWAYS,
              critical_options=(), extensions=(), algorithm=None):
        """Has an authority, a private key, certify a key for the users or hosts in ``principals``. Times are seconds since
        1970. Options and extensions are names, or a dictionary of names and texts; for a user's shell, USUAL."""
        draft = cls(lib.ssh_certificate_new(kind, key._handle))
        with draft:
            handle = draft._handle
            check(lib.ssh_certificate_set_key_id(handle, encode(key_id)))
            check(lib.ssh_certificate_set_serial(handle, serial))
            check(lib.ssh_certificate_set_validity(handle, valid_after, valid_before))
            for principal in principals:
                check(lib.ssh_certificate_add_principal(handle, encode(principal)))
            for names, function in ((critical_options, lib.ssh_certificate_set_critical_option),
                                    (extensions, lib.ssh_certificate_set_extension)):
                for name in names:
                    text = names[name] if isinstance(names, dict) else None
                    check(function(handle, encode(name), encode(text or None)))
            return cls(call(lib.ssh_certificate_sign, handle, authority._handle, encode(algorithm)))

    def check(self, authorities, principal, kind=Holder.USER, address=None, time=0):
        """Raises unless it counts: for the principal, from the address, at the time in seconds since 1970 or now, by one of
        the authorities. What it forces and permits is in critical_options and extensions."""
        keys = handles(authorities)
        call(lib.ssh_certificate_check, self._handle, kind, keys, len(keys), encode(principal), encode(address), time)

    @property
    def kind(self):
        return Holder(lib.ssh_certificate_kind(self._handle))

    # Text is what the authority wrote.
    type = property(lambda self: take_text(lib.ssh_certificate_type(self._handle)))
    serial = property(lambda self: lib.ssh_certificate_serial(self._handle))
    key_id = property(lambda self: take_text(lib.ssh_certificate_key_id(self._handle)))
    valid_after = property(lambda self: lib.ssh_certificate_valid_after(self._handle))
    valid_before = property(lambda self: lib.ssh_certificate_valid_before(self._handle))
    fingerprint = property(lambda self: take_text(lib.ssh_certificate_fingerprint(self._handle)))
    signature_algorithm = property(lambda self: take_text(lib.ssh_certificate_signature_algorithm(self._handle)))

    @property
    def principals(self):
        return [take_text(lib.ssh_certificate_principal(self._handle, index))
                for index in range(lib.ssh_certificate_principal_count(self._handle))]

    def _options(self, count, name_of, text_of):
        names = [take_text(name_of(self._handle, index)) for index in range(count(self._handle))]
        return {name: take_text(text_of(self._handle, encode(name))) for name in names}

    @property
    def critical_options(self):
        """What must be obeyed, with its texts; None for what has none."""
        return self._options(lib.ssh_certificate_critical_option_count, lib.ssh_certificate_critical_option_name,
                             lib.ssh_certificate_critical_option)

    @property
    def extensions(self):
        """What is permitted, likewise."""
        return self._options(lib.ssh_certificate_extension_count, lib.ssh_certificate_extension_name,
                             lib.ssh_certificate_extension)

    @property
    def key(self):
        """The key that it is about."""
        return Key(lib.ssh_certificate_key(self._handle))

    @property
    def authority(self):
        """The key that has signed it."""
        return Key(lib.ssh_certificate_authority(self._handle))

    def line(self, comment=None):
        """One line for a -cert.pub file."""
        return take_text(lib.ssh_certificate_line(self._handle, encode(comment)))

    @property
    def blob(self):
        memory = Memory()
        check(lib.ssh_certificate_blob(self._handle, *memory.arguments))
        return memory.take()

    def __eq__(self, other):
        return isinstance(other, Certificate) and self.blob == other.blob

    def __hash__(self):
        return hash(self.blob)

    def __repr__(self):
        return f"<sshwire.Certificate {self.type} {self.key_id!r} for {', '.join(self.principals)}>"


class Revocations(Handle):
    """Keys and certificates that are revoked: a list of ssh-keygen -k, or a file of public keys."""

    _free = "ssh_revocations_free"

    @classmethod
    def load(cls, path):
        return cls(call(lib.ssh_revocations_load_file, encode_path(path)))

    @classmethod
    def from_bytes(cls, data):
        raw = to_bytes(data)
        return cls(call(lib.ssh_revocations_load, raw, len(raw)))

    version = property(lambda self: lib.ssh_revocations_version(self._handle))
    comment = property(lambda self: take_text(lib.ssh_revocations_comment(self._handle)))

    def __contains__(self, key):
        """Whether a key or a certificate is revoked."""
        function = (lib.ssh_revocations_check_certificate if isinstance(key, Certificate)
                    else lib.ssh_revocations_check_key)
        status = function(self._handle, key._handle)
        return status == REVOKED or check(status) != 0
