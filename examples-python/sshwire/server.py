"""What the transports of a server share: host keys, and who answers their questions."""

import ctypes

from ._abi import lib
from ._calls import call, check
from ._handle import Handle
from ._values import encode, encode_names, encode_path, milliseconds
from .request import Questions


class Server(Questions, Handle):
    """Refuses everything until functions are set that accept: see on()."""

    _free = "ssh_server_free"
    _set_callback = "ssh_server_set_callback"
    _set_subsystem = "ssh_server_set_subsystem_handler"

    def __init__(self, *keys):
        super().__init__(lib.ssh_server_new())
        for key in keys:
            self.add_key(key)

    def add_key(self, key):
        check(lib.ssh_server_add_key(self._handle, key._handle))

    def set_auth_methods(self, methods):
        """The methods that users are told they may try; by default those that have an answering function."""
        check(lib.ssh_server_set_auth_methods(self._handle, encode_names(methods)))

    def set_banner(self, text):
        check(lib.ssh_server_set_banner(self._handle, encode(text)))

    def set_auth_limits(self, max_failures=6, login_grace=120):
        check(lib.ssh_server_set_auth_limits(self._handle, max_failures, milliseconds(login_grace)))

    def set_algorithms(self, algorithms):
        check(lib.ssh_server_set_security_options(self._handle, algorithms._handle))

    def add_user_authority(self, key):
        """Lets the users in that certificates of this key name. What they do not permit is refused without asking."""
        check(lib.ssh_server_add_user_authority(self._handle, key._handle))

    def set_user_principals(self, user, principals):
        """Which names a certificate for this user has; otherwise that is the user's."""
        names = [encode(name) for name in principals]
        texts = (ctypes.c_char_p * len(names))(*names)
        check(lib.ssh_server_set_user_principals(self._handle, encode(user), texts, len(names)))

    def set_revocations(self, revocations):
        """Refuses keys and certificates of a Revocations; None for none."""
        handle = None if revocations is None else revocations._handle
        check(lib.ssh_server_set_revocations(self._handle, handle))

    def set_ask_certificates(self, enabled):
        """Whether certificates of authorities that the server does not know are put to whoever answers. At first they let
        nobody in, without asking."""
        check(lib.ssh_server_set_ask_certificates(self._handle, enabled))

    def set_touch_required(self, required):
        """Whether security keys must attest a touch, as at first; else who answers looks at security_key_flags."""
        check(lib.ssh_server_set_touch_required(self._handle, required))

    def load_moduli(self, path):
        """The groups for Diffie-Hellman group exchange, from a file as moduli(5) has it."""
        call(lib.ssh_server_load_moduli, self._handle, encode_path(path))


class SftpDirectory(Handle):
    """A directory to serve by SFTP. Nothing outside of it can be reached."""

    _free = "ssh_sftp_server_free"

    def __init__(self, path, read_only=False, home="/", umask=None):
        super().__init__(call(lib.ssh_sftp_server_new_directory, encode_path(path)))
        check(lib.ssh_sftp_server_set_read_only(self._handle, read_only))
        check(lib.ssh_sftp_server_set_home(self._handle, encode_path(home)))
        if umask is not None:
            check(lib.ssh_sftp_server_set_umask(self._handle, umask))
