"""A client of OpenSSH's sshd, and a server that OpenSSH's clients use."""

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import sshwire
from pair import LIMIT, Case, environment
from sshwire import Kind


class Echo:
    """Sends back what comes, and then ends its side as the other has."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection):
        with connection:
            data = b"".join(iter(lambda: connection.recv(65536), b""))
            connection.sendall(b"echo " + data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def talk(address, data):
    """Sends, ends, and gives all that comes back."""
    with socket.create_connection(address, LIMIT) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


class Client(Case):
    """Against the sshd that run.sh has started."""

    def setUp(self):
        super().setUp()
        self.address, self.user = environment("ADDRESS"), environment("USER")
        self.key, self.host_key = environment("KEY"), environment("HOST_KEY")
        self.transport = sshwire.connect(self.address, self.user, key=sshwire.Key.load(self.key), host_key=self.host_key,
                                         timeout=LIMIT)
        self.addCleanup(self.transport.free)

    def test_commands(self):
        run = self.transport.run
        self.assertEqual(run("echo out; echo err >&2; exit 7", timeout=LIMIT), (b"out\n", b"err\n", (7, None)))
        self.assertEqual(run("kill -TERM $$", timeout=LIMIT).exit, (None, "TERM"))
        noise = os.urandom(3 << 20)
        self.assertTrue(run("cat", noise, timeout=LIMIT).stdout == noise)
        self.assertEqual(run("true", noise, timeout=LIMIT).exit, (0, None))
        with self.assertRaises(sshwire.Timeout):
            run("sleep 1000", timeout=0.1)
        self.assertEqual(run("echo still here", timeout=LIMIT).stdout, b"still here\n")

    def test_lines(self):
        with self.transport.open_session(LIMIT) as channel:
            channel.exec("cat; echo done >&2", LIMIT)
            with channel.makefile("w") as stdin:
                print("eins", "zwei", "drei é", sep="\n", file=stdin)
            self.assertEqual([line.rstrip() for line in channel.makefile()], ["eins", "zwei", "drei é"])
            self.assertEqual(channel.makefile(stderr=True).read(), "done\n")
            self.assertEqual(channel.wait_exit(LIMIT), (0, None))

    def test_about(self):
        self.assertTrue(self.transport.active and self.transport.authenticated)
        self.assertEqual(self.transport.username, self.user)
        self.assertEqual("%s:%d" % self.transport.peer, self.address)
        self.assertEqual(self.transport.server_key.line(), self.host_key)
        self.assertEqual(self.transport.algorithms.host_key, "ssh-ed25519")
        self.transport.renegotiate_keys(LIMIT)
        self.assertEqual(self.transport.statistics.key_exchanges, 2)
        self.transport.name = "mine"
        self.assertIn("mine", repr(self.transport))

    def test_refusals(self):
        with self.assertRaises(sshwire.AuthenticationFailed) as caught:
            sshwire.connect(self.address, self.user, key=sshwire.Key.generate(), host_key=self.host_key, timeout=LIMIT)
        self.assertIn("publickey", caught.exception.auth_methods)
        with self.assertRaises(sshwire.Denied) as caught:
            self.transport.open_tcp("127.0.0.1", 1, LIMIT)
        self.assertEqual(caught.exception.channel_reason, 2)
        with self.assertRaises(ConnectionRefusedError) as caught:
            sshwire.Transport.connect("127.0.0.1:1", LIMIT)
        self.assertIsInstance(caught.exception, sshwire.SystemFailure)

    def test_known_hosts(self):
        host, port = self.address.rsplit(":", 1)
        known = sshwire.KnownHosts(lines=f"[{host}]:{port} {self.host_key}\n")
        key = sshwire.Key.load(self.key)
        with sshwire.connect(self.address, self.user, key=key, known_hosts=known, timeout=LIMIT) as transport:
            self.assertEqual(transport.known_hosts_verdict, sshwire.Verdict.MATCH)
        with self.assertRaises(sshwire.HostKeyRejected):  # nothing is known of the host, and nobody is asked
            sshwire.connect(self.address, self.user, key=key, known_hosts=sshwire.KnownHosts(lines=""), timeout=LIMIT)

    def test_algorithms(self):
        algorithms = sshwire.Algorithms(sshwire.Preset.MODERN, ciphers=["aes256-ctr"], digests="hmac-sha2-512")
        self.assertEqual(algorithms.ciphers, ["aes256-ctr"])
        with sshwire.Transport.connect(self.address, LIMIT) as transport:
            transport.set_algorithms(algorithms)
            transport.start_client(self.host_key, LIMIT)
            self.assertEqual(transport.algorithms.cipher_sent, "aes256-ctr")
            self.assertEqual(transport.algorithms.mac_received, "hmac-sha2-512")
        with self.assertRaises(sshwire.Error) as caught:
            sshwire.Algorithms(ciphers="rot13")
        self.assertIn("rot13", str(caught.exception))

    def test_files(self):
        folder = self.transport.run("mktemp -d").stdout.decode().strip()
        self.addCleanup(self.transport.run, f"rm -r '{folder}'")
        noise = os.urandom(2 << 20)
        with self.transport.sftp(LIMIT) as sftp, tempfile.TemporaryDirectory() as local:
            self.assertEqual(sftp.realpath(folder + "/."), folder)
            with sftp.open(folder + "/noise", "wb") as file:
                file.write(noise)
            self.assertEqual([(entry.name, entry.size) for entry in sftp.scandir(folder)], [("noise", len(noise))])
            sftp.get(folder, local + "/copy", flags=sshwire.Transfer.RECURSIVE)
            self.assertTrue(pathlib.Path(local, "copy/noise").read_bytes() == noise)
            sftp.put(local + "/copy", folder + "/back", flags=sshwire.Transfer.RECURSIVE)
            with sftp.open(folder + "/back/noise", "rb") as file:
                file.seek(-1000, os.SEEK_END)
                self.assertEqual(file.read(), noise[-1000:])
            sftp.link(folder + "/noise", folder + "/other")
            sftp.replace(folder + "/other", folder + "/back/noise")
            self.assertGreater(sftp.statvfs(folder).f_blocks, 0)
            self.assertTrue(sftp.has_extension("statvfs@openssh.com"))
            with self.assertRaises(FileNotFoundError):
                sftp.listdir(folder + "/nothing")
            with self.assertRaises(PermissionError):
                sftp.open("/etc/shadow")

    def test_forwarding(self):
        echo = Echo()
        self.addCleanup(echo.close)
        noise = os.urandom(200000)
        with self.transport.forward_local(("127.0.0.1", 0), echo.address) as local:
            self.assertTrue(talk(local.address, noise) == b"echo " + noise)
            self.assertEqual(local.counters.connections, 1)
            local.stop()
            self.assertFalse(local.listening)
        with self.transport.forward_remote(("127.0.0.1", 0), echo.address, LIMIT) as remote:
            self.assertTrue(talk(remote.address, noise) == b"echo " + noise)
        permitted = ["%s:%d" % echo.address, "[::1]:*"]
        with self.transport.forward_remote_dynamic(("127.0.0.1", 0), permitted, LIMIT) as remote:
            for name, answer in (b"127.0.0.1", 0), (b"localhost", 2):
                with socket.create_connection(remote.address, LIMIT) as connection:
                    request = bytes([5, 1, 0, 5, 1, 0, 3, len(name)]) + name + echo.address[1].to_bytes(2, "big")
                    connection.sendall(request)
                    # A socket with a time limit does not wait for all by itself.
                    answers = connection.makefile("rb")
                    said = answers.read(12)
                    self.assertEqual(said, bytes([5, 0, 5, answer, 0, 1, 0, 0, 0, 0, 0, 0]))
                    if answer == 0:
                        connection.sendall(b"hello")
                        connection.shutdown(socket.SHUT_WR)
                        self.assertEqual(answers.read(20), b"echo hello")
        with self.assertRaisesRegex(sshwire.Error, "INVALID_ARG"):
            self.transport.forward_remote_dynamic(("127.0.0.1", 0), "localhost", LIMIT)
        with self.transport.open_tcp(*echo.address, LIMIT) as channel:
            channel.write(b"by hand")
            channel.send_eof()
            self.assertEqual(channel.read(timeout=LIMIT), b"echo by hand")
        port = self.transport.request_port_forward("127.0.0.1", 0, LIMIT)
        with socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
            channel = self.transport.accept(LIMIT)
            self.assertEqual((channel.kind, channel.destination), ("forwarded-tcpip", ("127.0.0.1", port)))
            self.assertEqual(channel.origin, connection.getsockname())
            connection.sendall(b"hello")
            self.assertEqual(channel.read(5, LIMIT), b"hello")
        self.transport.cancel_port_forward("127.0.0.1", port, LIMIT)

    def test_jump(self):
        host, port = self.address.rsplit(":", 1)
        through = sshwire.Transport.from_channel(self.transport.open_tcp(host, int(port), LIMIT))
        with through:
            through.start_client(self.host_key, LIMIT)
            self.assertTrue(through.auth_publickey(self.user, sshwire.Key.load(self.key), LIMIT))
            self.assertEqual(through.run("echo through", timeout=LIMIT).stdout, b"through\n")

    def test_readme(self):
        """The program of README.md, as it stands there, but for whom it talks to."""
        readme = pathlib.Path(__file__).parents[2].joinpath("README.md").read_text()
        (program,) = re.findall(r"^```python\n(.*?)^```$", readme, re.S | re.M)
        for theirs, ours in (("example.org:22", self.address), ('"user"', repr(self.user)), ("id_ed25519", self.key),
                             ("ssh-ed25519 AAAA...", self.host_key)):
            self.assertEqual(program.count(theirs), 1, theirs)
            program = program.replace(theirs, ours)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        kernel, *names = done.stdout.splitlines()
        self.assertEqual(kernel, os.uname().sysname)
        listed = self.transport.run("ls -A").stdout.decode().splitlines()
        self.assertEqual(sorted(line.split()[-1] for line in names), sorted(listed))


def end(ssh):
    """Ends ssh. A signal that comes just before it waits does not wake it (in 9.2, and with any server), so it gets others."""
    for _ in range(LIMIT):
        ssh.terminate()
        try:
            ssh.communicate(timeout=1)
            return
        except subprocess.TimeoutExpired:
            pass
    ssh.kill()
    ssh.communicate()
    raise AssertionError("ssh does not end")


class Server(Case):
    """A server in this process; ssh and sftp as its clients."""

    def setUp(self):
        super().setUp()
        self.ssh, self.sftp = environment("SSH"), environment("SFTP")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        user_key, host_key = sshwire.Key.generate(), sshwire.Key.generate()
        user_key.save(self.root / "key")
        self.server = self.make_server(host_key, user_key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.root.joinpath("known_hosts").write_text(f"[127.0.0.1]:{port} {host_key.line()}\n")
        self.options = ["-F", "none", "-i", self.root / "key", "-o", f"Port={port}", "-o", "IdentitiesOnly=yes",
                        "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ExitOnForwardFailure=yes",
                        "-o", f"UserKnownHostsFile={self.root / 'known_hosts'}"]
        self.transports = []
        acceptor = threading.Thread(target=self.accept)
        acceptor.start()
        self.addCleanup(acceptor.join)
        self.addCleanup(self.listener.close)
        self.addCleanup(self.listener.shutdown, socket.SHUT_RDWR)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.transports.append(sshwire.Transport.from_socket(connection))
            self.transports[-1].begin_server(self.server, LIMIT)

    def make_server(self, host_key, user_key):
        server = sshwire.Server(host_key)

        @server.on(Kind.AUTH_KEY_PROVEN)
        def let_in(request):
            if (request.username, request.key) == ("alice", user_key):
                request.accept()

        @server.on(Kind.CHANNEL_OPEN)
        def open_session(request):
            request.accept()

        @server.on(Kind.EXEC)
        def run(request):
            channel, command = request.channel, request.command
            if command == "no":
                return
            request.accept()

            def work():  # the callback is for answering; what takes time has a thread of its own
                with channel:
                    channel.write(f"{command}: ".encode() + channel.read(timeout=LIMIT).upper())
                    channel.write_stderr(b"err")
                    channel.exit(42)
            threading.Thread(target=work).start()

        served = self.root / "served"
        served.mkdir()
        directory = sshwire.SftpDirectory(served)
        server.on(Kind.SUBSYSTEM, lambda request: request.serve_sftp(directory))
        server.on(Kind.CONNECT, lambda request: request.serve())
        server.on(Kind.LISTEN, lambda request: request.serve())
        return server

    def client(self, program, *arguments, input=b""):
        return subprocess.run([program, *self.options, *arguments], input=input, capture_output=True, timeout=LIMIT)

    def test_commands(self):
        done = self.client(self.ssh, "alice@127.0.0.1", "shout", input=b"hello" * 100000)
        self.assertEqual((done.returncode, done.stderr), (42, b"err"))
        self.assertTrue(done.stdout == b"shout: " + b"HELLO" * 100000)
        self.assertEqual(self.client(self.ssh, "alice@127.0.0.1", "no").returncode, 255)
        self.assertIn(b"Permission denied", self.client(self.ssh, "bob@127.0.0.1", "x").stderr)

    def test_files(self):
        noise = os.urandom(1 << 20)
        self.root.joinpath("up").write_bytes(noise)
        batch = f"put {self.root}/up there\nmkdir d\nrename there d/here\nget d/here {self.root}/down\nls d\n"
        done = self.client(self.sftp, "-b", "-", "alice@127.0.0.1", input=batch.encode())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"d/here", done.stdout)
        self.assertTrue(self.root.joinpath("served/d/here").read_bytes() == noise)
        self.assertTrue(self.root.joinpath("down").read_bytes() == noise)

    def test_forwarding(self):
        echo = Echo()
        self.addCleanup(echo.close)
        done = self.client(self.ssh, "-W", "%s:%d" % echo.address, "alice@127.0.0.1", input=b"through")
        self.assertEqual(done.stdout, b"echo through")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        held = subprocess.Popen([self.ssh, *self.options, "-v", "-N", "-R", "127.0.0.1:%d:%s:%d" % (port, *echo.address),
                                 "alice@127.0.0.1"], stderr=subprocess.PIPE)
        try:
            for line in held.stderr:
                if b"remote forward success" in line:
                    break
            self.assertEqual(talk(("127.0.0.1", port), b"back"), b"echo back")
        finally:
            end(held)


if __name__ == "__main__":
    unittest.main()
