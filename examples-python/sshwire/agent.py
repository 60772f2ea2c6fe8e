"""Agents: who holds private keys and signs with them."""

from typing import NamedTuple, Optional

from ._abi import lib
from ._calls import ask, ask_bytes, call, check
from ._handle import Handle
from ._values import borrowed, decode, encode, encode_path, milliseconds, to_bytes
from .key import Key

# In which order Transport.auth_agent() tries keys: as ssh does, or those named first, or those alone.
AGENT_FIRST, NAMED_FIRST, NAMED_ONLY = 0, 1, 2


class Identity(NamedTuple):
    """A key or certificate that an agent has."""

    type: str
    comment: str
    fingerprint: str
    blob: bytes
    key: Optional[Key]


def _blob(key):
    return key if isinstance(key, bytes) else key.blob


class Agent(Handle):
    """The agent at a socket; without one the user's, which SSH_AUTH_SOCK names. Keys are given as Identity, Key,
    Certificate, or by their blob."""

    _free = "ssh_agent_free"

    def __init__(self, socket=None, timeout=...):
        path = None if socket is None else encode_path(socket)
        super().__init__(ask(lib.ssh_agent_new, path, milliseconds(timeout)))

    @classmethod
    def from_channel(cls, channel):
        """The agent at the other end of a channel: on a server, that of the client's user."""
        agent = cls.__new__(cls)
        Handle.__init__(agent, call(lib.ssh_agent_new_channel, channel._handle))
        return agent

    def list(self, timeout=...):
        """What it has: a list of Identity."""
        found = ask(lib.ssh_agent_list, self._handle, milliseconds(timeout))
        try:
            return [_identity(found, index) for index in range(lib.ssh_agent_identities_count(found))]
        finally:
            lib.ssh_agent_identities_free(found)

    def sign(self, key, data, algorithm=None, timeout=...):
        blob, raw = _blob(key), to_bytes(data)
        return ask_bytes(lib.ssh_agent_sign, self._handle, blob, len(blob), encode(algorithm), raw, len(raw),
                         timeout_ms=milliseconds(timeout))

    def add(self, key, certificate=None, lifetime=0, confirm=False, timeout=...):
        """Gives it a private key, or a certificate of it, for so many seconds or for ever; ``confirm`` has a person agree
        to each use."""
        blob = None if certificate is None else _blob(certificate)
        ask(lib.ssh_agent_add, self._handle, key._handle, blob, len(blob or b""), lifetime, confirm,
            milliseconds(timeout))

    def remove(self, key, timeout=...):
        blob = _blob(key)
        ask(lib.ssh_agent_remove, self._handle, blob, len(blob), milliseconds(timeout))

    def remove_all(self, timeout=...):
        ask(lib.ssh_agent_remove_all, self._handle, milliseconds(timeout))

    def lock(self, passphrase, timeout=...):
        """Until it is unlocked it has no keys."""
        raw = to_bytes(passphrase)
        ask(lib.ssh_agent_lock, self._handle, raw, len(raw), milliseconds(timeout))

    def unlock(self, passphrase, timeout=...):
        raw = to_bytes(passphrase)
        ask(lib.ssh_agent_unlock, self._handle, raw, len(raw), milliseconds(timeout))

    def key(self, public, timeout=...):
        """A private key whose signatures the agent makes, for use wherever a Key is. It needs this object."""
        key = Key(call(lib.ssh_key_new_agent, self._handle, public._handle, milliseconds(timeout)))
        key._agent = self
        return key

    def cancel(self):
        """Ends every call that waits for the agent, with Cancelled."""
        check(lib.ssh_agent_cancel(self._handle))


def _identity(found, index):
    key = lib.ssh_agent_identities_key(found, index)
    return Identity(decode(lib.ssh_agent_identities_type(found, index)),
                    decode(lib.ssh_agent_identities_comment(found, index)),
                    decode(lib.ssh_agent_identities_fingerprint(found, index)),
                    borrowed(lib.ssh_agent_identities_blob, found, index), Key(key) if key else None)
