"""Questions of the library to the program."""

import ctypes
import enum

from . import _abi, _core
from ._core import Handle, borrowed, call, check, decode, encode, lib
from .channel import Channel
from .key import Key


class Kind(enum.IntEnum):
    """What is asked; sshwire.h says of each SSH_REQUEST_... what it has and how it is answered."""

    ANY = 0
    HOST_KEY = 1
    PROMPTS = 2
    AUTH_NONE = 10
    AUTH_PASSWORD = 11
    AUTH_KEY_ASKED = 12
    AUTH_KEY_PROVEN = 13
    AUTH_INTERACTIVE = 14
    AUTH_INTERACTIVE_ANSWERS = 15
    CHANNEL_OPEN = 20
    PTY = 21
    SHELL = 22
    EXEC = 23
    SUBSYSTEM = 24
    ENV = 25
    WINDOW_CHANGE = 26
    SIGNAL = 27
    BREAK = 28
    CHANNEL_REQUEST = 29
    GLOBAL_REQUEST = 30
    CONNECT = 31
    LISTEN = 32
    CANCEL_LISTEN = 33
    X11 = 34
    AGENT_FORWARD = 35


class Request(Handle):
    """A question. Answer it in the function that gets it, or keep it and answer later, from any thread.

    One that is freed or collected without an answer is refused. What the kind does not have is None.
    """

    _free = "ssh_request_free"

    @property
    def kind(self):
        number = lib.ssh_request_kind(self._handle)
        try:
            return Kind(number)
        except ValueError:
            return number

    @property
    def transport(self):
        """The Transport that asks, unless it is gone."""
        from .transport import Transport
        return Transport._known(lib.ssh_request_transport(self._handle))

    @property
    def channel(self):
        """The channel it is about. Freeing it here closes it, whoever has accepted it."""
        return Channel._borrow(lib.ssh_request_channel(self._handle))

    def _text(self, function):
        return decode(function(self._handle))

    username = property(lambda self: self._text(lib.ssh_request_username))
    algorithm = property(lambda self: self._text(lib.ssh_request_algorithm))
    title = property(lambda self: self._text(lib.ssh_request_title))
    instructions = property(lambda self: self._text(lib.ssh_request_instructions))
    channel_kind = property(lambda self: self._text(lib.ssh_request_channel_kind))
    name = property(lambda self: self._text(lib.ssh_request_name))
    term = property(lambda self: self._text(lib.ssh_request_term))
    # Any bytes may stand in these.
    password = property(lambda self: borrowed(lib.ssh_request_password, self._handle))
    value = property(lambda self: borrowed(lib.ssh_request_value, self._handle))
    data = property(lambda self: borrowed(lib.ssh_request_data, self._handle))

    @property
    def command(self):
        """As text; bytes that are no UTF-8 stand as os.fsdecode() has them."""
        raw = borrowed(lib.ssh_request_command, self._handle)
        return None if raw is None else raw.decode("utf-8", "surrogateescape")

    @property
    def key(self):
        handle = lib.ssh_request_key(self._handle)
        return Key(handle) if handle else None

    def _address(self, function):
        port = ctypes.c_uint16()
        host = function(self._handle, ctypes.byref(port))
        return None if host is None else (decode(host), port.value)

    destination = property(lambda self: self._address(lib.ssh_request_destination))
    origin = property(lambda self: self._address(lib.ssh_request_origin))

    @property
    def terminal_size(self):
        """(columns, rows), as the peer tells it."""
        columns, rows = ctypes.c_uint32(), ctypes.c_uint32()
        check(lib.ssh_request_terminal_size(self._handle, ctypes.byref(columns), ctypes.byref(rows), None, None))
        return columns.value, rows.value

    @property
    def prompts(self):
        """A list of (text, whether what is typed may be seen)."""
        echo, found = ctypes.c_bool(), []
        for index in range(lib.ssh_request_prompt_count(self._handle)):
            text = lib.ssh_request_prompt(self._handle, index, ctypes.byref(echo))
            found.append((decode(text), echo.value))
        return found

    @property
    def answers(self):
        """The user's answers, as bytes."""
        return [borrowed(lambda handle, *rest: lib.ssh_request_answer(handle, *rest), self._handle, index)
                for index in range(lib.ssh_request_answer_count(self._handle))]

    def accept(self):
        check(lib.ssh_request_accept(self._handle))

    def refuse(self):
        check(lib.ssh_request_refuse(self._handle))

    def accept_partial(self, methods):
        """The credentials are good, and more are wanted: an iterable of the methods that may follow."""
        check(lib.ssh_request_accept_partial(self._handle, encode(",".join(methods))))

    def ask(self, prompts, title=None, instructions=None):
        """Puts prompts to the user: (text, whether what is typed may be seen) each."""
        prompts = list(prompts)
        texts = (ctypes.c_char_p * len(prompts))(*(encode(text) for text, _ in prompts))
        echo = (ctypes.c_bool * len(prompts))(*(shown for _, shown in prompts))
        check(lib.ssh_request_ask(self._handle, encode(title), encode(instructions), texts, echo, len(prompts)))

    def answer(self, *answers):
        """Answers the server's prompts, one text or bytes each."""
        for index, text in enumerate(answers):
            raw = text.encode() if isinstance(text, str) else bytes(text)
            check(lib.ssh_request_set_answer(self._handle, index, raw, len(raw)))
        self.accept()

    def accept_channel(self):
        """Accepts a channel and takes it; it does not come out of Transport.accept()."""
        return Channel._own(call(lib.ssh_request_accept_channel, self._handle))

    def refuse_channel(self, reason=1, text=None):
        """1 prohibited, 2 connect failed, 3 unknown type, 4 short of resources."""
        check(lib.ssh_request_refuse_channel(self._handle, reason, encode(text)))

    def accept_port(self, port):
        check(lib.ssh_request_accept_port(self._handle, port))

    def accept_with_data(self, data):
        check(lib.ssh_request_accept_with_data(self._handle, bytes(data), len(data)))

    def accept_sftp(self, directory):
        """Serves the "sftp" subsystem from an SftpDirectory."""
        call(lib.ssh_request_accept_sftp, self._handle, directory._handle)


@_abi.REQUEST_CALLBACK
@_core.shielded()
def on_request(handle, number):
    request = Request(handle)
    answer = _core.registered(number)
    try:
        if answer is not None:
            answer(request)
    except BaseException:
        request.free()  # which refuses; the traceback may keep it
        raise


class Questions:
    """What transports and servers have in common: functions that answer."""

    _set_callback = _set_subsystem = None

    def on(self, kind, answer=None):
        """Has a function answer the questions of a kind; also as a decorator.

            @server.on(Kind.EXEC)
            def run(request): ...

        It is called on threads of the library, for different transports also at once. What it raises refuses.
        """
        if answer is None:
            return lambda function: self.on(kind, function) or function
        _core.give(answer, self, getattr(lib, self._set_callback), self._handle, kind, on_request)

    def on_subsystem(self, name, serve=None):
        """Has a function serve a subsystem, on a thread of its own: it gets the channel and the name, and gives the exit
        status, or None. The channel is closed when it returns. Also as a decorator."""
        if serve is None:
            return lambda function: self.on_subsystem(name, function) or function
        _core.give(serve, self, getattr(lib, self._set_subsystem), self._handle, encode(name), _on_subsystem)


@_abi.SUBSYSTEM_CALLBACK
@_core.shielded(-1)
def _on_subsystem(handle, name, number):
    status = _core.registered(number)(Channel._borrow(handle), decode(name))
    return 0 if status is None else int(status)
