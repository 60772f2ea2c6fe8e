"""Public and private keys."""

from typing import NamedTuple, Optional

from ._abi import lib
from ._calls import call, check
from ._handle import Handle
from ._values import Memory, encode, encode_path, take_text, to_bytes
from .errors import PASSPHRASE_MISSING, PASSPHRASE_WRONG, SIGNATURE, Error

ED25519, ECDSA_P256, ECDSA_P384, ECDSA_P521, RSA = 1, 2, 3, 4, 5
OPENSSH, PKCS8, PKCS1, SEC1, PPK2, PPK3, LINE, RFC4716 = range(1, 9)
SHA256, MD5, SHA1, SHA512 = 1, 2, 3, 4

_ATTEMPTS = 3


def _asking(load, passphrase):
    """Loads with a passphrase, or with what a function gives when it is asked."""
    if not callable(passphrase):
        return load(encode(passphrase))
    given = None
    for attempt in range(1, _ATTEMPTS + 2):
        try:
            return load(encode(given))
        except Error as error:
            if error.code not in (PASSPHRASE_MISSING, PASSPHRASE_WRONG) or attempt > _ATTEMPTS:
                raise
            given = passphrase(attempt)
            if not given:
                raise


class KeyInfo(NamedTuple):
    """What a key file holds, as far as it can be told without a passphrase; None for what is hidden."""

    format: int
    is_private: bool
    encryption: Optional[str]
    type: Optional[str]
    bits: int
    comment: str
    public: Optional["Key"]

    @property
    def is_encrypted(self):
        return self.encryption is not None


class Key(Handle):
    """A public key, or a private one with its public half. It does not change."""

    _free = "ssh_key_free"

    @classmethod
    def load(cls, path, passphrase=None):
        """A private key from a file, in any of the usual formats. ``passphrase(attempt)`` may be a function; it is asked
        when there is a passphrase, three times at most, and gives None to give up."""
        return cls(_asking(lambda given: call(lib.ssh_key_load_file, encode_path(path), given), passphrase))

    @classmethod
    def from_text(cls, text, passphrase=None):
        """A private key from the text of its file."""
        raw = to_bytes(text)
        return cls(_asking(lambda given: call(lib.ssh_key_load, raw, len(raw), given), passphrase))

    @classmethod
    def load_public(cls, path):
        """The public half of whatever key a file holds, public or private."""
        return cls(call(lib.ssh_key_load_public_file, encode_path(path)))

    @classmethod
    def public_from_text(cls, text):
        """As load_public(), from the text of a file."""
        raw = to_bytes(text)
        return cls(call(lib.ssh_key_load_public, raw, len(raw)))

    @staticmethod
    def inspect(path):
        """What a file holds, without its passphrase."""
        return _take_info(call(lib.ssh_key_inspect_file, encode_path(path)))

    @staticmethod
    def inspect_text(text):
        """As inspect(), of the text of a file."""
        raw = to_bytes(text)
        return _take_info(call(lib.ssh_key_inspect, raw, len(raw)))

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

    def fingerprint_with(self, hash):
        """The fingerprint with SHA256 or MD5."""
        return take_text(lib.ssh_key_fingerprint_with(self._handle, hash))

    def randomart(self, hash=SHA256):
        """A drawing of the fingerprint, as ssh-keygen -lv shows it."""
        return take_text(lib.ssh_key_randomart(self._handle, hash))

    def sshfp(self, hash=SHA256):
        """The data of the key's SSHFP record, with SHA256 or SHA1."""
        return take_text(lib.ssh_key_sshfp(self._handle, hash))

    def matches_sshfp(self, record):
        return lib.ssh_key_matches_sshfp(self._handle, encode(record))

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

    def public_text(self, format=LINE, comment=None):
        """The public half as the text of a file: LINE, RFC4716, PKCS8, or PKCS1 of an RSA key."""
        return take_text(call(lib.ssh_key_public_text, self._handle, format, encode(comment)))

    def save_public(self, path, format=LINE, comment=None):
        """Writes the public half to a new file."""
        call(lib.ssh_key_save_public_file, self._handle, encode_path(path), format, encode(comment))

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

    def sign_message(self, data, namespace, hash=SHA512):
        """A signature as ssh-keygen -Y makes it: the text of a .sig file. The namespace says what it is good for."""
        raw = to_bytes(data)
        return take_text(call(lib.ssh_sshsig_sign, self._handle, encode(namespace), hash, raw, len(raw)))

    @classmethod
    def signer(cls, signature, data, namespace):
        """The key that made a signature of sign_message(); an error with ``code`` SIGNATURE when it is not good."""
        text, raw = to_bytes(signature), to_bytes(data)
        return cls(call(lib.ssh_sshsig_verify, text, len(text), encode(namespace), raw, len(raw)))

    def check_signer(self, allowed_signers, principal, namespace, time=0):
        """Raises unless the text of a file of allowed signers lets this key sign so for the principal, at a time in
        seconds since 1970, or now."""
        raw = to_bytes(allowed_signers)
        call(lib.ssh_sshsig_check_signer, self._handle, raw, len(raw), encode(principal), encode(namespace), time)

    def find_principals(self, allowed_signers, time=0):
        """Whose key this is by the text of a file of allowed signers: patterns separated by commas."""
        raw = to_bytes(allowed_signers)
        return take_text(call(lib.ssh_sshsig_find_principals, self._handle, raw, len(raw), time))

    def __eq__(self, other):
        """Whether both have the same public half."""
        return isinstance(other, Key) and lib.ssh_key_equals(self._handle, other._handle)

    def __hash__(self):
        return hash(self.blob)

    def __repr__(self):
        return f"<sshwire.Key {self.type} {self.fingerprint}>"


def _take_info(handle):
    try:
        public = lib.ssh_key_info_public(handle)
        return KeyInfo(lib.ssh_key_info_format(handle), lib.ssh_key_info_is_private(handle),
                       take_text(lib.ssh_key_info_encryption(handle)), take_text(lib.ssh_key_info_type(handle)),
                       lib.ssh_key_info_bits(handle), take_text(lib.ssh_key_info_comment(handle)),
                       Key(public) if public else None)
    finally:
        lib.ssh_key_info_free(handle)
