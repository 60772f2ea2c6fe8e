"""Questions of the library to the program."""

import ctypes
import enum

from . import _abi, _callbacks
from ._abi import lib
from ._calls import call, check
from ._handle import Handle
from ._values import address, borrowed, decode, encode, encode_names, encode_path, to_bytes
from .channel import Channel
from .key import Key


class Kind(enum.IntEnum):
    """What is asked; sshwire.h says of each SSH_REQUEST_... what it has and how it is answered."""

    ANY = 0
    HOST_KEY = 1
    PROMPTS = 2
    PASSWORD = 3
    PASSPHRASE = 4
    HOST_KEYS = 5
    AUTH_METHODS = 9
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
        """The channel it is about. It belongs to whoever takes it, with accept_channel() or Transport.accept(). If nobody
        does, free it when it is done, as at the end of a ``with``: until then it counts as open."""
        return Channel._borrow(lib.ssh_request_channel(self._handle))

    username = property(lambda self: decode(lib.ssh_request_username(self._handle)))
    algorithm = property(lambda self: decode(lib.ssh_request_algorithm(self._handle)))
    submethods = property(lambda self: decode(lib.ssh_request_submethods(self._handle)))
    title = property(lambda self: decode(lib.ssh_request_title(self._handle)))
    instructions = property(lambda self: decode(lib.ssh_request_instructions(self._handle)))
    channel_kind = property(lambda self: decode(lib.ssh_request_channel_kind(self._handle)))
    name = property(lambda self: decode(lib.ssh_request_name(self._handle)))
    term = property(lambda self: decode(lib.ssh_request_term(self._handle)))
    wants_reply = property(lambda self: lib.ssh_request_wants_reply(self._handle))
    # Bytes, for anything may stand in these.
    password = property(lambda self: borrowed(lib.ssh_request_password, self._handle))
    value = property(lambda self: borrowed(lib.ssh_request_value, self._handle))
    data = property(lambda self: borrowed(lib.ssh_request_data, self._handle))
    terminal_modes = property(lambda self: borrowed(lib.ssh_request_terminal_modes, self._handle))
    # (host, port), or (path, 0) of a UNIX socket.
    destination = property(lambda self: address(lib.ssh_request_destination, self._handle))
    origin = property(lambda self: address(lib.ssh_request_origin, self._handle))

    @property
    def command(self):
        """As text; bytes that are no UTF-8 stand as os.fsdecode() has them."""
        raw = borrowed(lib.ssh_request_command, self._handle)
        return None if raw is None else raw.decode("utf-8", "surrogateescape")

    @property
    def key(self):
        handle = lib.ssh_request_key(self._handle)
        return Key(handle) if handle else None

    @property
    def certificate(self):
        """The certificate that a key was shown in. For users it holds; for HOST_KEY nobody has looked at it."""
        from .certificate import Certificate
        handle = lib.ssh_request_certificate(self._handle)
        return Certificate(handle) if handle else None

    # What a security key attests: 1 somebody touched it, 4 and told who they are.
    security_key_flags = property(lambda self: lib.ssh_request_security_key_flags(self._handle))
    # What the client asked for, where a certificate forces a command.
    original_command = property(lambda self: borrowed(lib.ssh_request_original_command, self._handle))

    # How many times accept_partial() counts for this user, for the AUTH kinds; a change of the user name begins anew.
    partial_successes = property(lambda self: lib.ssh_request_partial_successes(self._handle))

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
        return [borrowed(lib.ssh_request_answer, self._handle, index)
                for index in range(lib.ssh_request_answer_count(self._handle))]

    def accept(self):
        check(lib.ssh_request_accept(self._handle))

    def refuse(self):
        check(lib.ssh_request_refuse(self._handle))

    def accept_partial(self, methods):
        """The credentials are good, and more are wanted: the methods that may follow."""
        check(lib.ssh_request_accept_partial(self._handle, encode_names(methods)))

    def accept_methods(self, methods):
        """For AUTH_METHODS: the methods that this user may try."""
        check(lib.ssh_request_accept_methods(self._handle, encode_names(methods)))

    def send_banner(self, text):
        """Shows this user a text, before an answer about authentication."""
        check(lib.ssh_request_send_banner(self._handle, encode(text)))

    def refuse_with_methods(self, methods):
        """Says which methods this user may try."""
        check(lib.ssh_request_refuse_with_methods(self._handle, encode_names(methods)))

    def ask(self, prompts, title=None, instructions=None):
        """Puts prompts to the user: (text, whether what is typed may be seen) each."""
        prompts = list(prompts)
        texts = (ctypes.c_char_p * len(prompts))(*(encode(text) for text, _ in prompts))
        echo = (ctypes.c_bool * len(prompts))(*(shown for _, shown in prompts))
        check(lib.ssh_request_ask(self._handle, encode(title), encode(instructions), texts, echo, len(prompts)))

    def answer(self, *answers):
        """Answers the server's prompts, one text or bytes each."""
        for index, text in enumerate(answers):
            raw = to_bytes(text)
            check(lib.ssh_request_set_answer(self._handle, index, raw, len(raw)))
        self.accept()

    def accept_channel(self):
        """Accepts a channel and takes it; it does not come out of Transport.accept()."""
        return Channel._take(call(lib.ssh_request_accept_channel, self._handle))

    def refuse_channel(self, reason=1, text=None):
        """1 prohibited, 2 connect failed, 3 unknown type, 4 short of resources."""
        check(lib.ssh_request_refuse_channel(self._handle, reason, encode(text)))

    def accept_port(self, port):
        """Listens, and tells the port that was chosen."""
        check(lib.ssh_request_accept_port(self._handle, port))

    def accept_with_data(self, data):
        raw = to_bytes(data)
        check(lib.ssh_request_accept_with_data(self._handle, raw, len(raw)))

    def serve(self):
        """Does what CONNECT or LISTEN asks for: connects or listens, and copies, on threads of the library."""
        call(lib.ssh_request_serve, self._handle)

    def serve_sftp(self, directory):
        """Serves the "sftp" subsystem from an SftpDirectory."""
        call(lib.ssh_request_accept_sftp, self._handle, directory._handle)

    def serve_agent(self, socket):
        """Listens on a UNIX socket that leads to the client's agent, and goes on until the session is over."""
        call(lib.ssh_request_serve_agent, self._handle, encode_path(socket))


@_abi.REQUEST_CALLBACK
@_callbacks.shielded()
def on_request(handle, number):
    request = Request(handle)
    answer = _callbacks.registered(number)
    try:
        if answer is not None:
            answer(request)
    except BaseException:
        request.free()  # which refuses; the traceback may keep it
        raise


class Answering:
    """What has questions, and functions that answer."""

    _set_callback = None

    def on(self, kind, answer=None):
        """Has a function answer the questions of a kind; also as a decorator.

            @server.on(Kind.EXEC)
            def run(request): ...

        It is called on threads of the library, for one transport one after another. What it raises refuses.
        """
        if answer is None:
            return lambda function: self.on(kind, function) or function
        _callbacks.give(answer, self, getattr(lib, self._set_callback), self._handle, kind, on_request)


class Questions(Answering):
    """What transports and servers have in common."""

    _set_subsystem = None

    def on_subsystem(self, name, serve=None):
        """Has a function serve a subsystem, on a thread of its own: it gets the channel and the name, and gives the exit
        status, or None. The channel is closed when it returns. Also as a decorator."""
        if serve is None:
            return lambda function: self.on_subsystem(name, function) or function
        _callbacks.give(serve, self, getattr(lib, self._set_subsystem), self._handle, encode(name), _on_subsystem)


@_abi.SUBSYSTEM_CALLBACK
@_callbacks.shielded(-1)
def _on_subsystem(handle, name, number):
    status = _callbacks.registered(number)(Channel._borrow(handle), decode(name))
    return 0 if status is None else int(status)
