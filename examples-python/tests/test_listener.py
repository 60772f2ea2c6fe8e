"""Listeners over loopback."""

import socket
import threading

import sshwire
from pair import LIMIT, Case, Pair
from sshwire import Count, Kind, Penalty


class Listeners(Case):
    def setUp(self):
        super().setUp()
        self.pair = Pair()
        self.listener = sshwire.Listener()
        self.addCleanup(self.listener.free)
        self.listener.set_penalty_bounds(sources=0)

    def login(self, port):
        client = sshwire.Transport.connect(f"127.0.0.1:{port}", LIMIT)
        client.start_client(self.pair.host_key, LIMIT)
        self.assertTrue(client.auth_password("alice", b"open\0sesame", LIMIT))
        return client

    def test_serves_until_it_is_stopped(self):
        port = self.listener.bind("127.0.0.1")
        self.assertTrue(self.listener.listening)
        serving = threading.Thread(target=self.listener.serve, args=(self.pair.server,))
        serving.start()
        clients = [self.login(port) for _ in range(3)]
        counters = self.listener.counters
        self.assertEqual((counters[Count.ACCEPTED], counters[Count.UNAUTHENTICATED]), (3, 0))
        self.listener.stop()
        serving.join(LIMIT)
        self.assertFalse(serving.is_alive() or self.listener.listening)
        with self.assertRaises(sshwire.Closed):
            self.listener.accept(LIMIT)
        for client in clients:
            client.free()

    def test_what_is_wrong_with_the_server_is_reported(self):
        self.expected = sshwire.Error
        port = self.listener.bind("127.0.0.1")
        with sshwire.Server() as keyless:
            serving = threading.Thread(target=self.listener.serve, args=(keyless,))
            serving.start()
            with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
                self.assertEqual(self.end(client), b"")
            self.listener.stop()
            serving.join(LIMIT)
        self.assertEqual(len(self.uncaught), 1)

    def test_connections_that_cannot_be_started_end_nothing_else(self):
        self.expected = sshwire.Freed
        class Unlucky(sshwire.Listener):
            """Gives out a transport that is freed, and one that is closed, before one that can be started."""

            ends = [sshwire.Transport.free, sshwire.Transport.close]

            def accept(self, timeout=None):
                transport = super().accept(timeout)
                if self.ends:
                    self.ends.pop(0)(transport)
                return transport

        self.listener.free()
        self.listener = Unlucky()
        self.addCleanup(self.listener.free)
        self.listener.set_penalty_bounds(sources=0)
        port = self.listener.bind("127.0.0.1")
        serving = threading.Thread(target=self.listener.serve, args=(self.pair.server,))
        serving.start()
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
                self.assertEqual(self.end(client), b"")
        self.login(port).free()
        self.listener.stop()
        serving.join(LIMIT)
        self.assertFalse(serving.is_alive())

    def test_transports_that_functions_free_end_nothing_else(self):
        @self.pair.server.on(Kind.EXEC)
        def leave(request):
            request.transport.free()

        port = self.listener.bind("127.0.0.1")
        serving = threading.Thread(target=self.listener.serve, args=(self.pair.server,))
        serving.start()
        for _ in range(3):
            with self.login(port) as client, client.open_session(LIMIT) as channel:
                with self.assertRaises(sshwire.Error):
                    channel.exec("leave", LIMIT)
        self.listener.stop()
        serving.join(LIMIT)
        self.assertFalse(serving.is_alive())

    def test_takes_a_socket_over_and_tells_the_peer(self):
        made = socket.create_server(("127.0.0.1", 0))
        port = made.getsockname()[1]
        self.listener.add_socket(made)
        with self.assertRaises(TimeoutError):
            self.listener.accept(0)
        with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
            with self.listener.accept(LIMIT) as transport:
                self.assertEqual(transport.peer, client.getsockname())

    def test_refuses_who_is_too_many(self):
        self.listener.set_max_unauthenticated(10, 10)
        self.listener.set_max_per_source(1)
        self.listener.set_penalty(Penalty.NO_AUTH, 0)
        port = self.listener.bind("127.0.0.1")
        with socket.create_connection(("127.0.0.1", port), LIMIT):
            with socket.create_connection(("127.0.0.1", port), LIMIT) as second:
                self.assertEqual(self.end(second), b"")
            self.assertEqual(self.listener.counters[Count.REFUSED_PER_SOURCE], 1)
            self.listener.add_exempt("127.0.0.0/8")
            with socket.create_connection(("127.0.0.1", port), LIMIT):
                self.listener.accept(LIMIT).free()
                self.listener.accept(LIMIT).free()

    @staticmethod
    def end(connection):
        try:
            return connection.recv(1)
        except ConnectionResetError:
            return b""

    def test_refuses_nonsense(self):
        for wrong in (lambda: self.listener.bind("example.org"), lambda: self.listener.add_exempt("example.org"),
                      lambda: self.listener.set_max_unauthenticated(1, 2)):
            with self.assertRaises(sshwire.Error):
                wrong()
