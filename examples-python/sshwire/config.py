"""ssh_config: what a user has set up for hosts, and the way there."""

import ctypes
from typing import NamedTuple, Optional

from . import _abi, _callbacks
from ._abi import lib
from ._calls import ask, call, check
from ._handle import Handle
from ._values import decode, encode, encode_path, milliseconds
from .errors import EOF
from .request import Answering, Kind
from .transport import Transport

LOCAL, REMOTE, DYNAMIC = 0, 1, 2


class Hop(NamedTuple):
    """A host of ProxyJump; None for what is not named."""

    user: Optional[str]
    host: str
    port: Optional[int]


class Route(NamedTuple):
    """A forwarding: (host, port), or (path, 0) of a UNIX socket. The host to listen on is None where GatewayPorts decides;
    there is nothing to connect to where SOCKS tells."""

    listen: tuple
    connect: Optional[tuple]


class Config(Answering, Handle):
    """Files as ssh reads them; without any, those that it reads. Options, which go before all files, are a dictionary, or
    texts such as "Port=2222".

    Functions set with on() answer the questions of transports: Kind.HOST_KEY for hosts that are not known, PASSPHRASE,
    PASSWORD and PROMPTS. Without one the answer is no.
    """

    _free = "ssh_config_free"
    _set_callback = "ssh_config_set_callback"

    def __init__(self, *paths, options=(), defaults=None):
        super().__init__(lib.ssh_config_new())
        for path in paths:
            call(lib.ssh_config_load_file, self._handle, encode_path(path))
        if defaults if defaults is not None else not paths:
            call(lib.ssh_config_load_defaults, self._handle)
        options = [f"{name}={value}" for name, value in options.items()] if isinstance(options, dict) else options
        for option in options:
            call(lib.ssh_config_add_option, self._handle, encode(option))

    def on_exec(self, run):
        """``run(command)`` gives the exit status of a command of ``Match exec``. Without it such blocks do not apply."""
        _callbacks.give(run, self, lib.ssh_config_set_exec_callback, self._handle, _on_exec)

    def on_proxy(self, make):
        """``make(command)`` gives a connected socket in place of the command of ProxyCommand, which is run otherwise."""
        _callbacks.give(make, self, lib.ssh_config_set_proxy_callback, self._handle, _on_proxy)

    def resolve(self, destination):
        """What holds for ``[user@]host``, an alias, or ssh://[user@]host[:port], as a Host."""
        return Host(ask(lib.ssh_config_resolve, self._handle, encode(destination)))

    def connect(self, destination, timeout=...):
        """A transport with a user, reached and logged in as ssh would do it. The timeout is for all of it, a person
        included; by default each step has its own, and a person all the time they need."""
        transport = Transport(ask(lib.ssh_connect_config, self._handle, encode(destination), milliseconds(timeout)))
        transport._config = self  # its functions are wanted as long as there is a session
        return transport


class Host(Handle):
    """What configuration says about one destination. ``host["HostName"]`` is a value in the form of the manual, with tokens
    and ``~`` replaced, or None. It does not change."""

    _free = "ssh_config_host_free"

    name = property(lambda self: decode(lib.ssh_config_host_name(self._handle)))
    port = property(lambda self: lib.ssh_config_host_port(self._handle))
    user = property(lambda self: decode(lib.ssh_config_host_user(self._handle)))

    def __getitem__(self, keyword):
        return decode(lib.ssh_config_host_get(self._handle, encode(keyword), 0))

    def _all(self, function, *arguments):
        found = []
        while (text := function(self._handle, *arguments, len(found))) is not None:
            found.append(decode(text))
        return found

    def values(self, keyword):
        """All values of an option that may have several."""
        return self._all(lib.ssh_config_host_get, encode(keyword))

    def written(self, keyword):
        """The same as they were written."""
        return self._all(lib.ssh_config_host_get_written, encode(keyword))

    def place(self, keyword, index=0):
        """Where a value is set: "file:line". None for a default."""
        return decode(lib.ssh_config_host_get_place(self._handle, encode(keyword), index))

    def is_yes(self, keyword):
        return lib.ssh_config_host_is_yes(self._handle, encode(keyword))

    def number(self, keyword, otherwise=0):
        """A number, or a time in seconds."""
        return lib.ssh_config_host_number(self._handle, encode(keyword), otherwise)

    def __iter__(self):
        """The options that have a value."""
        return iter(self._all(lib.ssh_config_host_keyword))

    @property
    def unsupported(self):
        """What the files say and has no effect: a list of "file:line: keyword: why"."""
        return self._all(lib.ssh_config_host_unsupported)

    @property
    def jumps(self):
        """The hosts of ProxyJump, as Hop each, the first one to connect to first."""
        found = []
        user, host, port = ctypes.c_char_p(), ctypes.c_char_p(), ctypes.c_uint16()
        while check(lib.ssh_config_host_jump(self._handle, len(found), ctypes.byref(user), ctypes.byref(host),
                                             ctypes.byref(port))) != EOF:
            found.append(Hop(decode(user.value), decode(host.value), port.value or None))
        return found

    def forwards(self, kind):
        """The forwardings of a kind, LOCAL, REMOTE or DYNAMIC, as Route each."""
        found = []
        ends = [ctypes.c_char_p(), ctypes.c_uint16(), ctypes.c_char_p(), ctypes.c_uint16()]
        while check(lib.ssh_config_host_forward(self._handle, kind, len(found), *map(ctypes.byref, ends))) != EOF:
            listen, listen_port, host, port = (end.value for end in ends)
            found.append(Route((decode(listen), listen_port), None if host is None else (decode(host), port)))
        return found

    def forward_agent(self, channel, timeout=...):
        """Does for a session, before its command is started, what ForwardAgent says; nothing where it says no."""
        ask(lib.ssh_config_host_request_agent_forward, self._handle, channel._handle, milliseconds(timeout))


def connect_config(destination, answer=None, config=None, timeout=...):
    """A session ready for use, as ssh would make it: ``connect_config("alias")``.

    ``answer(request)`` is asked whatever a person has to be asked: about the key of a host that is not known, passphrases
    and passwords. ``config`` is a Config; without one ssh's files hold.
    """
    config = Config() if config is None else config
    if answer is not None:
        config.on(Kind.ANY, answer)
    return config.connect(destination, timeout)


@_abi.EXEC_CALLBACK
@_callbacks.shielded(-1)
def _on_exec(command, number):
    run = _callbacks.registered(number)
    return -1 if run is None else int(run(decode(command)))


@_abi.PROXY_CALLBACK
@_callbacks.shielded(-1)
def _on_proxy(command, number):
    make = _callbacks.registered(number)
    return -1 if make is None else make(decode(command)).detach()
