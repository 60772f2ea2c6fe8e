"""Public and private keys."""

from ._abi import lib
from ._calls import call, check
from ._handle import Handle
from ._values import Memory, encode, encode_path, take_text, to_bytes
from .errors import SIGNATURE

ED25519, ECDSA_P256, ECDSA_P384, ECDSA_P521, RSA = 1, 2, 3, 4, 5
OPENSSH, PKCS8 = 1, 2


class Key(Handle):
    """A public key, or a private one with its public half. It does not change."""

    _free = "ssh_key_free"

    @classmethod
    def load(cls, path, passphrase=None):
        """A private key from a file, in any of the usual formats."""
        return cls(call(lib.ssh_key_load_file, encode_path(path), encode(passphrase)))

    @classmethod
    def from_text(cls, text, passphrase=None):
        """A private key from the text of its file."""
        raw = to_bytes(text)
        return cls(call(lib.ssh_key_load, raw, len(raw), encode(passphrase)))

    @classmethod
    def generate(cls, kind=ED25519, bits=0, comment=None):
        return cls(call(lib.ssh_key_generate, kind, bits, encode(comment)))

    @classmethod
    def from_line(cls, line):
        """A public key from ``type base64 comment``, as in a .pub file."""
        return cls(call(lib.ssh_key_from_line, encode(line)))

    @classmethod
    def from_blob(cls, blob):
        """A public key from its form on the wire."""
        return cls(call(lib.ssh_key_from_blob, to_bytes(blob), len(blob)))

    @property
    def public(self):
        """The public half, as a key of its own."""
        return Key(lib.ssh_key_public(self._handle))

    @property
    def is_private(self):
        return lib.ssh_key_is_private(self._handle)

    @property
    def type(self):
        """As in RFC 4253: "ssh-ed25519"."""
        name = lib.ssh_key_type(self._handle)
        return name and name.decode()

    @property
    def bits(self):
        return lib.ssh_key_bits(self._handle)

    @property
    def fingerprint(self):
        """``SHA256:`` and 43 characters, as ssh-keygen -l shows it."""
        return take_text(lib.ssh_key_fingerprint(self._handle))

    @property
    def comment(self):
        return take_text(lib.ssh_key_comment(self._handle))

    @property
    def blob(self):
        memory = Memory()
        check(lib.ssh_key_blob(self._handle, *memory.arguments))
        return memory.take()

    def line(self, comment=None):
        """One line for a .pub or authorized_keys file."""
        return take_text(lib.ssh_key_public_line(self._handle, encode(comment)))

    def private_text(self, format=OPENSSH, passphrase=None):
        return take_text(call(lib.ssh_key_private_text, self._handle, format, encode(passphrase)))

    def save(self, path, format=OPENSSH, passphrase=None):
        """Writes the private key to a new file that only its owner may read."""
        call(lib.ssh_key_save_file, self._handle, encode_path(path), format, encode(passphrase))

    def sign(self, data, algorithm=None):
        memory, raw = Memory(), to_bytes(data)
        call(lib.ssh_key_sign, self._handle, encode(algorithm), raw, len(raw), *memory.arguments)
        return memory.take()

    def verify(self, signature, data, algorithm):
        """Whether the signature is good."""
        raw = to_bytes(data)
        status = lib.ssh_key_verify(self._handle, encode(algorithm), raw, len(raw), bytes(signature), len(signature))
        return status != SIGNATURE and check(status) == 0

    def __eq__(self, other):
        """Whether both have the same public half."""
        return isinstance(other, Key) and lib.ssh_key_equals(self._handle, other._handle)

    def __hash__(self):
        return hash(self.blob)

    def __repr__(self):
        return f"<sshwire.Key {self.type} {self.fingerprint}>"
