"""What the tests share: a server and a client in one process, and watching for exceptions that nobody caught."""

import gc
import os
import socket
import threading
import time
import unittest

import sshwire
from sshwire import Kind

LIMIT = 60  # seconds after which something hangs


class Pair:
    """A server that lets "alice" in with "open sesame" or her key, and serves what its functions say."""

    def __init__(self, serve=None):
        self.host_key = sshwire.Key.generate(comment="host")
        self.user_key = sshwire.Key.generate()
        self.server = sshwire.Server(self.host_key)
        self.server.on(Kind.AUTH_PASSWORD, self._password)
        self.server.on(Kind.AUTH_KEY_PROVEN, self._key)
        self.server.on(Kind.CHANNEL_OPEN, lambda request: request.accept())
        self.server.on(Kind.EXEC, serve or self.serve)
        near, far = socket.socketpair()
        self.client = sshwire.Transport.from_socket(near)
        self.accepted = sshwire.Transport.from_socket(far)

    @staticmethod
    def _password(request):
        if request.username == "raise":
            raise RuntimeError("on purpose")
        if (request.username, request.password) == ("alice", b"open\0sesame"):
            request.accept()

    def _key(self, request):
        if request.key == self.user_key:
            request.accept()

    @staticmethod
    def serve(request):
        channel, command = request.channel, request.command
        request.accept()
        if command == "hold":  # the test has both ends
            return
        with channel:
            if command == "talk":
                channel.write(b"out")
                channel.write_stderr(b"err")
                channel.exit(7)
            elif command == "die":
                channel.exit_signal("TERM")

    def start(self):
        started = self.accepted.begin_server(self.server, LIMIT)
        self.client.start_client(self.host_key, LIMIT)
        assert started.wait(LIMIT)
        return self

    def login(self):
        self.start()
        assert self.client.auth_password("alice", b"open\0sesame", LIMIT)
        return self

    def channel(self):
        """A session channel, both ends."""
        near = self.client.open_session(LIMIT)
        near.exec("hold", LIMIT)
        return near, self.accepted.accept(LIMIT)


class Case(unittest.TestCase):
    """A test that fails when a function called by the library raises, unless `expected` names the exception."""

    expected = ()

    def setUp(self):
        self.uncaught = []
        hook = threading.excepthook
        threading.excepthook = lambda report: self.uncaught.append(report.exc_value)
        self.addCleanup(setattr, threading, "excepthook", hook)

    def tearDown(self):
        self.assertEqual([error for error in self.uncaught if not isinstance(error, self.expected)], [])


def eventually(condition):
    """Waits until something holds that comes by itself, or is left to the collector."""
    until = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < until:
        gc.collect()
        time.sleep(0.005)
    return condition()


def environment(name):
    """A setting of the test runner's, or a skipped test, which it names."""
    value = os.environ.get("SSHWIRE_TEST_" + name)
    if not value:
        raise unittest.SkipTest(f"SSHWIRE_TEST_{name} is not set")
    return value
