"""A server and a client of the library in one process."""

import errno
import gc
import logging
import os
import pathlib
import pickle
import selectors
import signal
import socket
import tempfile
import threading
import time
import unittest

import sshwire
from pair import LIMIT, Case, Pair, eventually
from sshwire import Kind


class Authentication(Case):
    expected = RuntimeError

    def test_wrong_host_key(self):
        pair, other = Pair(), sshwire.Key.generate()
        pair.accepted.begin_server(pair.server)
        with self.assertRaises(sshwire.HostKeyRejected) as caught:
            pair.client.start_client(other, LIMIT)
            pair.client.auth_none("alice", LIMIT)
        error = caught.exception
        self.assertEqual((error.name, error.code), ("SSH_ERR_HOSTKEY", -503))
        self.assertEqual(error.expected_fingerprint, other.fingerprint)
        self.assertEqual(error.found_fingerprint, pair.host_key.fingerprint)

    def test_known_hosts(self):
        with tempfile.TemporaryDirectory() as folder:
            pair, other, path = Pair(), sshwire.Key.generate(), folder + "/known_hosts"
            known = sshwire.KnownHosts(path)
            self.assertEqual(known.check("host", 22, pair.host_key), sshwire.Verdict.UNKNOWN)
            known.add("host", 22, pair.host_key, hashed=True)
            self.assertEqual(known.check("host", 22, pair.host_key), sshwire.Verdict.MATCH)
            self.assertEqual(known.check("host", 22, other), sshwire.Verdict.CHANGED)
            self.assertEqual(known.warnings, [])
            pair.client.set_known_hosts(known, "host")
            self.assertIsNone(pair.client.known_hosts_verdict)
            pair.accepted.begin_server(pair.server)
            pair.client.start_client(timeout=LIMIT)
            self.assertTrue(pair.client.auth_publickey("alice", pair.user_key, LIMIT))
            self.assertEqual(pair.client.known_hosts_verdict, sshwire.Verdict.MATCH)
            self.assertEqual(known.remove("host", 22), 1)
        pair = Pair()
        pair.client.set_known_hosts(sshwire.KnownHosts(lines=f"host {other.line()}\n"), "host")
        pair.accepted.begin_server(pair.server)
        with self.assertRaises(sshwire.HostKeyRejected):
            pair.client.start_client(timeout=LIMIT)
            pair.client.auth_none("alice", LIMIT)

    def test_refusals_and_success(self):
        pair = Pair().start()
        with self.assertRaises(PermissionError) as caught:
            pair.client.auth_password("alice", "wrong", LIMIT)
        self.assertIsInstance(caught.exception, sshwire.AuthenticationFailed)
        self.assertEqual(set(caught.exception.auth_methods.split(",")), {"password", "publickey"})
        with self.assertRaises(sshwire.AuthenticationFailed):
            pair.client.auth_password("raise", "x", LIMIT)
        self.assertTrue(eventually(lambda: [str(error) for error in self.uncaught] == ["on purpose"]))
        with self.assertRaises(sshwire.AuthenticationFailed):
            pair.client.auth_publickey("alice", sshwire.Key.generate(), LIMIT)
        self.assertTrue(pair.client.auth_publickey("alice", pair.user_key, LIMIT))
        self.assertTrue(pair.client.authenticated)
        self.assertEqual(pair.accepted.username, "alice")
        self.assertEqual(pair.client.server_key, pair.host_key)

    def test_interactive_and_partial(self):
        pair = Pair()
        pair.server.on(Kind.AUTH_INTERACTIVE, lambda request: request.ask([("Token: ", False), ("Who: ", True)], "Hello"))

        @pair.server.on(Kind.AUTH_INTERACTIVE_ANSWERS)
        def answers(request):
            if request.answers == [b"123\0", "Zoë".encode()]:
                request.accept_partial(["password"])

        seen = []

        def answer(request):
            seen.append((request.title, request.prompts))
            request.answer(b"123\0", "Zoë")

        pair.start()
        self.assertFalse(pair.client.auth_interactive("alice", answer, timeout=LIMIT))
        self.assertEqual(seen, [("Hello", [("Token: ", False), ("Who: ", True)])])
        self.assertEqual(pair.client.auth_methods, ["password"])
        self.assertTrue(pair.client.auth_password("alice", b"open\0sesame", LIMIT))

    def test_partial_successes_count_for_one_user(self):
        pair, counts = Pair(), []

        @pair.server.on(Kind.AUTH_PASSWORD)
        def password(request):
            counts.append(request.partial_successes)
            request.accept_partial(["password"])

        pair.start()
        for user in ["alice", "alice", "bob", "alice"]:
            self.assertFalse(pair.client.auth_password(user, "any", LIMIT))
        self.assertEqual(counts, [0, 1, 0, 0])


class Channels(Case):
    def test_run(self):
        pair = Pair().login()
        done = pair.client.run("talk", timeout=LIMIT)
        self.assertEqual(done, (b"out", b"err", (7, None)))
        self.assertEqual(pair.client.run("die", timeout=LIMIT).exit, (None, "TERM"))

    def test_freed_channels_make_room(self):
        """A server that does all in its functions takes no channel from accept(); those it has freed do not add up."""
        pair = Pair()
        pair.accepted.set_channel_limit(4)
        pair.login()
        for _ in range(20):
            self.assertEqual(pair.client.run("talk", timeout=LIMIT).stdout, b"out")
        self.assertTrue(eventually(lambda: pair.accepted.statistics.channels == 0))
        with self.assertRaises(sshwire.Timeout):
            pair.accepted.accept(0)

    def test_streams(self):
        pair = Pair().login()
        near, far = pair.channel()
        self.assertIsNot(near, far)
        self.assertEqual((near.kind, far.kind), ("session", "session"))
        noise = os.urandom(5 << 20)

        def write():
            near.write(noise)
            near.write(bytearray(noise))
            near.write(memoryview(noise)[100:])
            near.send_eof()

        writer = threading.Thread(target=write)
        writer.start()
        self.assertTrue(far.read(timeout=LIMIT) == noise + noise + noise[100:])
        writer.join()
        with far.makefile("w") as text:
            text.write("eins\nzwei\n")
        with near.makefile("r") as text:
            self.assertEqual(list(text), ["eins\n", "zwei\n"])
        pair.client.renegotiate_keys(LIMIT)
        with self.assertRaises(sshwire.Closed) as caught:
            far.close()
            far.write(b"x" * 10)
        self.assertEqual(caught.exception.characters_written, 0)

    def test_timeouts(self):
        pair = Pair().login()
        near, _far = pair.channel()
        with self.assertRaises(TimeoutError):
            near.read(1, timeout=0.01)
        with self.assertRaises(BlockingIOError):
            near.read(1, timeout=0)
        near.settimeout(0.01)
        with self.assertRaises(sshwire.Timeout):
            near.read(1)
        with self.assertRaises(sshwire.Timeout):
            near.wait_exit()
        with self.assertRaises(sshwire.Timeout):
            pair.accepted.accept(0)
        with self.assertRaises(ValueError):
            near.read(1, timeout=-1)
        with self.assertRaises(sshwire.Timeout) as caught:
            while True:
                near.write(b"x" * 1000000, timeout=0.3)
        self.assertLess(caught.exception.characters_written, 1000000)

    def test_events(self):
        pair = Pair().login()
        near, far = pair.channel()
        event = sshwire.Event()
        near.set_event(event, sshwire.Condition.READABLE)
        with selectors.DefaultSelector() as selector:
            selector.register(event, selectors.EVENT_READ)
            self.assertEqual(selector.select(0), [])
            far.write(b"x")
            self.assertEqual(len(selector.select(LIMIT)), 1)
        self.assertEqual(near.read(10, timeout=LIMIT), b"x")

    def test_terminal_and_environment(self):
        pair, seen = Pair(), []

        @pair.server.on(Kind.AUTH_METHODS)
        def greet(request):
            request.send_banner(f"Hello {request.username}")
            request.accept_methods(["password"])

        @pair.server.on(Kind.ANY)
        def note(request):
            if request.kind == Kind.PTY:
                seen.append((request.term, request.terminal_size))
            elif request.kind in (Kind.ENV, Kind.SIGNAL):
                seen.append((request.name, request.value))
            else:
                seen.append(request.kind)
            request.accept()

        pair.client.on_banner(seen.append)
        pair.login()
        self.assertTrue(eventually(lambda: seen == ["Hello alice"]), seen)
        seen.clear()
        channel = pair.client.open_session(LIMIT)
        channel.env("LANG", "C")
        channel.pty("xterm", 120, 40, timeout=LIMIT)
        channel.shell(LIMIT)
        channel.signal("INT")
        channel.resize(100, 30)
        self.assertTrue(eventually(lambda: len(seen) == 5), seen)
        self.assertEqual(seen, [("LANG", b"C"), ("xterm", (120, 40)), Kind.SHELL, ("INT", None), Kind.WINDOW_CHANGE])

    def test_subsystems(self):
        pair = Pair()

        @pair.server.on_subsystem("upper")
        def upper(channel, name):
            channel.write(channel.read().upper())
            return len(name)

        pair.login()
        channel = pair.client.open_session(LIMIT)
        channel.subsystem("upper", LIMIT)
        channel.write(b"shout")
        channel.send_eof()
        self.assertEqual(channel.read(timeout=LIMIT), b"SHOUT")
        self.assertEqual(channel.wait_exit(LIMIT), (5, None))
        with self.assertRaises(sshwire.Denied):
            pair.client.open_session(LIMIT).subsystem("other", LIMIT)

    def test_answers_later_and_pulled(self):
        kept = []
        pair = Pair(kept.append)
        pair.login()
        channel = pair.client.open_session(LIMIT)

        def answer():
            while not kept:
                time.sleep(0.001)
            kept[0].accept()

        thread = threading.Thread(target=answer)
        thread.start()
        channel.exec("x", LIMIT)
        thread.join()
        with self.assertRaises(sshwire.Error) as caught:
            kept[0].accept()
        self.assertEqual(caught.exception.name, "SSH_ERR_STATE")
        pair.accepted.pull_requests()
        other = pair.client.open_session(LIMIT)
        results = []
        asker = threading.Thread(target=lambda: results.append(other.shell(LIMIT)))
        asker.start()
        request = pair.accepted.next_request(LIMIT)
        self.assertIs(request.transport, pair.accepted)
        self.assertEqual(request.kind, Kind.SHELL)
        request.accept()
        asker.join()
        self.assertEqual(results, [None])

    def test_taken_channels(self):
        taken = []
        pair = Pair()
        pair.server.on(Kind.CHANNEL_OPEN, lambda request: taken.append(request.accept_channel()))
        pair.login()
        near = pair.client.open_session(LIMIT)
        near.exec("hold", LIMIT)
        near.write(b"hello")
        self.assertEqual(taken[0].read(5, timeout=LIMIT), b"hello")
        taken.clear()
        gc.collect()
        self.assertEqual(near.read(timeout=LIMIT), b"")

    def test_cancel_and_death(self):
        pair = Pair().login()
        near, _far = pair.channel()
        failures = []

        def read():
            try:
                near.read(1)
            except sshwire.Error as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        while reader.is_alive():
            pair.client.cancel()
            time.sleep(0.001)
        self.assertIsInstance(failures[0], sshwire.Cancelled)
        self.assertIsNone(pair.client.error)
        pair.accepted.free()
        self.assertTrue(pair.client.join(LIMIT))
        self.assertIsInstance(pair.client.error, ConnectionError)
        with self.assertRaises(ConnectionError):
            pair.client.open_session(LIMIT)


class Interrupts(Case):
    """A signal's handler that raises, as Ctrl-C does, ends whatever the main thread waits for, and nothing else."""

    def setUp(self):
        super().setUp()
        previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)

    def interrupted(self, wait):
        signal.setitimer(signal.ITIMER_REAL, 0.05, 1)  # again, for one that hits a finalizer is lost in Python
        try:
            with self.assertRaises(KeyboardInterrupt):
                wait()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def test_waits(self):
        pair = Pair().login()
        near, far = pair.channel()
        for wait in (near.read, near.wait_exit, pair.client.accept, pair.client.join, sshwire.Event().wait,
                     near.makefile().readline):
            self.interrupted(wait)
        far.write(b"still here")
        self.assertEqual(near.read(10, LIMIT), b"still here")
        self.assertEqual(pair.client.run("talk", timeout=LIMIT).stdout, b"out")

    def test_full_window(self):
        pair = Pair().login()
        near, far = pair.channel()
        self.interrupted(lambda: near.write(bytes(100 << 20)))
        near.send_eof()
        self.assertGreater(len(far.read(timeout=LIMIT)), 0)

    def test_questions_to_a_peer_that_is_silent(self):
        kept = []
        pair = Pair(kept.append)
        pair.login()
        channel = pair.client.open_session(LIMIT)
        self.interrupted(lambda: channel.exec("x", LIMIT))
        self.interrupted(lambda: pair.client.run("x"))
        for request in kept:
            request.free()
        self.assertTrue(pair.client.active)
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        with sshwire.Transport.from_socket(near) as transport:
            self.interrupted(lambda: transport.start_client(pair.host_key, LIMIT))

    def test_transfers(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with open(folder.name + "/large", "wb") as file:
            file.truncate(64 << 20)
        pair = Pair()
        directory = sshwire.SftpDirectory(folder.name)
        pair.server.on(Kind.SUBSYSTEM, lambda request: request.serve_sftp(directory))
        with pair.login().client.sftp(LIMIT) as sftp:
            self.interrupted(lambda: sftp.get("large", os.devnull, lambda *_: time.sleep(0.1)))
            self.assertEqual(sftp.listdir(), ["large"])


class Errors(Case):
    def test_in_another_process(self):
        for detail in ({}, {"sftp_status": 2}, {"errno": errno.ECONNREFUSED}, {"peer_text": "no"}):
            for code in (-101, -201, -301, -503, -601, -703, -804, -901):
                error = sshwire.errors.failure(code, "sentence", **detail)
                copy = pickle.loads(pickle.dumps(error))
                self.assertEqual((type(copy), str(copy), copy.__dict__), (type(error), str(error), error.__dict__))

    def test_classes_of_python(self):
        with self.assertRaises(FileNotFoundError) as caught:
            sshwire.Key.load("/nowhere/at/all")
        self.assertEqual((caught.exception.name, caught.exception.errno), ("SSH_ERR_IO", errno.ENOENT))
        with self.assertRaises(ValueError) as caught:
            sshwire.Key.from_line("ssh-ed25519 AAAA")
        self.assertIsInstance(caught.exception, sshwire.KeyFailure)
        with self.assertRaises(sshwire.KeyFailure) as caught:
            sshwire.Key.from_text(sshwire.Key.generate().private_text(passphrase="right"), "wrong")
        self.assertEqual(caught.exception.name, "SSH_ERR_PASSPHRASE_WRONG")
        with self.assertRaises(ValueError):
            sshwire.Key.from_line("ssh-ed25519\0")


class Keys(Case):
    def test_keys(self):
        key = sshwire.Key.generate(comment="mine")
        public = sshwire.Key.from_line(key.line())
        self.assertEqual((key, hash(key), key.comment), (public, hash(public), "mine"))
        self.assertTrue(key.is_private and not key.public.is_private)
        signature = key.sign("text")
        self.assertTrue(public.verify(signature, b"text", key.type))
        self.assertFalse(public.verify(signature, b"test", key.type))
        self.assertEqual(sshwire.Key.from_text(key.private_text(passphrase="x"), "x"), key)
        self.assertNotEqual(sshwire.Key.generate(), key)

    def test_files_of_keys(self):
        key, asked = sshwire.Key.generate(comment="mine"), []

        def ask(attempt):
            asked.append(attempt)
            return "right" if attempt == 3 else "wrong"

        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/key"
            key.save(path, passphrase="right")
            self.assertEqual((sshwire.Key.load(path, ask), asked), (key, [1, 2, 3]))
            with self.assertRaises(sshwire.KeyFailure) as caught:
                sshwire.Key.load(path, lambda attempt: None)
            self.assertIn(path, str(caught.exception))
            info = sshwire.Key.inspect(path)
            self.assertEqual((info.is_private, info.is_encrypted, info.type, info.bits, info.public),
                             (True, True, key.type, 256, key))
            self.assertEqual(sshwire.Key.load_public(path), key)
            key.save_public(path + ".pub")
            self.assertEqual(sshwire.Key.load_public(path + ".pub").comment, "mine")
        self.assertEqual(sshwire.Key.public_from_text(key.public_text(8)), key)
        self.assertIsNone(sshwire.Key.inspect_text(key.line()).encryption)

    def test_short_forms_and_messages(self):
        key, other = sshwire.Key.generate(), sshwire.Key.generate()
        self.assertEqual(key.fingerprint_with(1), key.fingerprint)
        self.assertEqual(len(key.randomart().splitlines()), 11)
        self.assertTrue(key.matches_sshfp(key.sshfp()) and not other.matches_sshfp(key.sshfp()))
        signature = key.sign_message("text", "file")
        self.assertEqual(sshwire.Key.signer(signature, "text", "file"), key)
        for data, namespace in ("test", "file"), ("text", "git"):
            with self.assertRaises(sshwire.Error):
                sshwire.Key.signer(signature, data, namespace)
        signers = f'me@example.org namespaces="file" {key.line()}\n'
        key.check_signer(signers, "me@example.org", "file")
        self.assertEqual(key.find_principals(signers), "me@example.org")
        with self.assertRaises(sshwire.Error):
            key.check_signer(signers, "me@example.org", "git")


class Streams(Case):
    expected = ZeroDivisionError

    class Wrapped:
        def __init__(self, sock, broken=False):
            self.sock, self.broken, self.closed, self.deaf = sock, broken, threading.Event(), threading.Event()

        def read(self, size, timeout):
            if self.broken:
                raise ZeroDivisionError
            if self.deaf.wait(0):
                time.sleep(timeout)
                raise TimeoutError
            self.sock.settimeout(timeout)
            return self.sock.recv(size)

        def write(self, data, timeout):
            return len(data) if self.deaf.is_set() else self.sock.send(data)

        def close(self):
            self.sock.shutdown(socket.SHUT_RDWR)
            self.closed.set()

    def test_stream(self):
        pair = Pair()
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        stream = self.Wrapped(near)
        pair.client = sshwire.Transport.from_stream(stream)
        pair.accepted = sshwire.Transport.from_socket(far)
        pair.login()
        self.assertEqual(pair.client.run("talk", timeout=LIMIT).stdout, b"out")
        pair.client.free()
        self.assertTrue(stream.closed.wait(LIMIT))

    def test_silent_peer(self):
        """What ends a session is told by calls that wait for ever, also when it is a time-out itself."""
        pair, heard = Pair(), []
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        stream = self.Wrapped(near)
        pair.client = sshwire.Transport.from_stream(stream)
        pair.accepted = sshwire.Transport.from_socket(far)
        pair.login()
        channel, _far = pair.channel()
        pair.client.set_keepalive(0.05, 0, lambda round_trip, missed: heard.append(round_trip))
        self.assertTrue(eventually(lambda: any(round_trip is not None for round_trip in heard)))
        stream.deaf.set()
        pair.client.set_keepalive(0.05, 2, lambda round_trip, missed: heard.append(round_trip))
        for wait in (channel.read, channel.wait_exit, pair.client.accept, lambda: channel.write(b"x")):
            with self.assertRaises(sshwire.Timeout) as caught:
                wait()
            self.assertIn("keepalive", str(caught.exception))
        self.assertTrue(eventually(lambda: heard[-1] is None))
        self.assertTrue(stream.closed.wait(LIMIT))

    def test_broken_stream(self):
        pair = Pair()
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        stream = self.Wrapped(near, broken=True)
        pair.client = sshwire.Transport.from_stream(stream)
        with self.assertRaises(sshwire.Error) as caught:
            pair.client.start_client(pair.host_key, LIMIT)
        self.assertEqual(caught.exception.name, "SSH_ERR_CALLBACK")
        self.assertTrue(stream.closed.wait(LIMIT))
        far.close()

    def test_session_in_a_session(self):
        outer, inner = Pair().login(), Pair()
        near, far = outer.channel()
        inner.client = sshwire.Transport.from_channel(near)
        inner.accepted = sshwire.Transport.from_channel(far)
        inner.login()
        self.assertEqual(inner.client.run("talk", timeout=LIMIT).stdout, b"out")


class SessionsUnderStreams(Case):
    def test_a_timeout_that_comes_early_is_the_end(self):
        late = sshwire.Timeout(-301)

        def raises(seconds):
            time.sleep(seconds)
            raise late

        gives = sshwire.stream._on_stream
        self.assertEqual(gives(lambda: raises(0), 10000), -304)  # SSH_ERR_CONN_LOST
        self.assertEqual(gives(lambda: raises(0.02), 20), -301)  # not yet


class Files(Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "served").mkdir()
        self.pair = Pair()
        directory = sshwire.SftpDirectory(self.root / "served")
        self.pair.server.on(Kind.SUBSYSTEM, lambda request: request.serve_sftp(directory))
        self.pair.login()
        self.sftp = self.pair.client.sftp(LIMIT)

    def test_files(self):
        sftp = self.sftp
        with sftp.open("a.txt", "w") as file:
            file.write("eins\nzwei\n")
        self.assertEqual((self.root / "served/a.txt").read_text(), "eins\nzwei\n")
        with sftp.open("a.txt", "a") as file:
            file.write("drei\n")
        with sftp.open("a.txt") as file:
            self.assertEqual(list(file), ["eins\n", "zwei\n", "drei\n"])
        with sftp.open("a.txt", "r+b") as file:
            file.seek(5)
            file.write(b"ZWEI")
            file.seek(-5, os.SEEK_END)
            self.assertEqual(file.read(), b"drei\n")
        self.assertEqual(sftp.stat("a.txt").size, 15)
        self.assertTrue(sftp.stat("a.txt").is_file)
        with self.assertRaises(OSError):
            sftp.open("a.txt", "x")
        with self.assertRaises(FileNotFoundError) as caught:
            sftp.open("b.txt")
        self.assertEqual(caught.exception.sftp_status, 2)
        self.assertTrue(caught.exception.peer_text)

    def test_directories(self):
        sftp = self.sftp
        sftp.mkdir("d")
        odd = os.fsdecode(b"caf\xe9 \xc3\xa9")
        with sftp.open("d/" + odd, "wb"):
            pass
        sftp.symlink(odd, "d/link")
        self.assertEqual(sorted(sftp.listdir("d")), sorted([odd, "link"]))
        self.assertEqual(sftp.readlink("d/link"), odd)
        self.assertTrue(sftp.lstat("d/link").is_symlink and sftp.stat("d").is_dir)
        sftp.rename("d/link", "d/other")
        sftp.chmod("d/" + odd, 0o640)
        self.assertEqual(sftp.stat("d/other").mode & 0o777, 0o640)
        sftp.remove("d/other")
        with self.assertRaises(sshwire.SftpError):
            sftp.rmdir("d")
        self.assertFalse(sftp.exists("d/other"))

    def test_transfers(self):
        noise, seen = os.urandom(3 << 20), []
        (self.root / "local").write_bytes(noise)
        self.sftp.put(self.root / "local", "up", lambda file, done, total: seen.append((done, total)))
        self.assertEqual(seen[-1], (len(noise), len(noise)))
        self.sftp.get("up", self.root / "down")
        self.assertTrue((self.root / "down").read_bytes() == noise)
        with self.assertRaises(sshwire.Cancelled):
            self.sftp.get("up", self.root / "part", lambda *_: False)
        with self.assertRaises(ZeroDivisionError):
            self.sftp.get("up", self.root / "part", lambda *_: 1 / 0)
        self.sftp.get("up", self.root / "part", flags=sshwire.Transfer.RESUME)
        self.assertTrue((self.root / "part").read_bytes() == noise)


class Log(Case):
    def test_log(self):
        logger = logging.getLogger("test")
        with self.assertLogs(logger, logging.DEBUG) as caught:
            sshwire.set_log(logger, logging.DEBUG)
            try:
                pair = Pair().login()
                self.assertTrue(eventually(lambda: len(caught.records) > 3))  # lines come when they come
                pair.client.free()
            finally:
                sshwire.set_log()
        self.assertFalse(any("sesame" in record.getMessage() for record in caught.records))


if __name__ == "__main__":
    unittest.main()
