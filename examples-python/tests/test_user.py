"""A user's own things: configuration, agents, certificates, signers."""

import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

import sshwire
from pair import LIMIT, Case, Pair, environment
from sshwire import AuthorizedKeys, Certificate, Config, Holder, Key, Kind, Permit, Revocations, config
from sshwire.agent import NAMED_ONLY
from sshwire.certificate import USUAL


class Folder(Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class Certificates(Folder):
    def setUp(self):
        super().setUp()
        self.authority, self.key = Key.generate(), Key.generate()

    def issue(self, **options):
        return Certificate.issue(self.key, self.authority, ["alice", "admin"], key_id="a test", serial=7,
                                 extensions=USUAL, **options)

    def test_what_it_says(self):
        issued = self.issue(valid_after=1000, valid_before=2000, critical_options={"force-command": "true"})
        path = self.folder / "key-cert.pub"
        path.write_text(issued.line("comment") + "\n")
        for read in (issued, Certificate.load(path), Certificate.from_text(issued.line()),
                     Certificate.from_blob(issued.blob)):
            self.assertEqual(read, issued)
            self.assertEqual((read.kind, read.type), (Holder.USER, "ssh-ed25519-cert-v01@openssh.com"))
            self.assertEqual((read.serial, read.key_id, read.principals), (7, "a test", ["alice", "admin"]))
            self.assertEqual((read.valid_after, read.valid_before), (1000, 2000))
            self.assertEqual(read.critical_options, {"force-command": "true"})
            self.assertEqual(read.extensions, dict.fromkeys(USUAL))
            self.assertEqual((read.key, read.authority), (self.key, self.authority))
            self.assertEqual(read.signature_algorithm, "ssh-ed25519")
            self.assertTrue(read.fingerprint.startswith("SHA256:"))
        with self.assertRaises(sshwire.KeyFailure):
            Certificate.from_text(self.key.line())

    def test_who_it_counts_for(self):
        issued = self.issue(valid_after=1000, valid_before=2000, critical_options={"source-address": "192.0.2.0/24"})
        here = {"address": "192.0.2.7", "time": 1500}
        issued.check([Key.generate(), self.authority], "admin", **here)
        for authorities, principal, changes in (([Key.generate()], "alice", {}), ([], "alice", {}),
                                                ([self.authority], "bob", {}), ([self.authority], "alice", {"time": 2000}),
                                                ([self.authority], "alice", {"time": 0}),
                                                ([self.authority], "alice", {"address": "198.51.100.1"}),
                                                ([self.authority], "alice", {"kind": Holder.HOST})):
            with self.assertRaises(sshwire.Error) as caught:
                issued.check(authorities, principal, **{**here, **changes})
            self.assertIn("certificate refused", str(caught.exception))

    def test_login(self):
        pair = Pair()
        shown = []

        def proven(request):
            shown.append(request.certificate)
            request.accept()
        pair.server.on(Kind.AUTH_KEY_PROVEN, proven)
        pair.server.add_user_authority(self.authority)
        pair.server.set_user_principals("root", ["admin"])
        pair.start()
        issued = self.issue()
        certified = self.key.with_certificate(issued)
        self.assertEqual(certified.certificate, issued)
        self.assertIsNone(self.key.certificate)
        with self.assertRaises(sshwire.AuthenticationFailed):
            pair.client.auth_publickey("bob", certified, LIMIT)
        self.assertTrue(pair.client.auth_publickey("root", certified, LIMIT))
        self.assertEqual(shown, [issued])

    def test_what_is_revoked(self):
        path = self.folder / "revoked"
        path.write_text(self.key.line() + "\n")
        revoked = Revocations.load(path)
        self.assertIn(self.key, revoked)
        self.assertIn(self.issue(), revoked)
        self.assertNotIn(self.authority, revoked)
        self.assertEqual((revoked.version, revoked.comment), (0, ""))
        pair = Pair()
        pair.user_key = self.key
        pair.server.set_revocations(Revocations.from_bytes(self.key.line()))
        pair.start()
        with self.assertRaises(sshwire.AuthenticationFailed):
            pair.client.auth_publickey("alice", self.key, LIMIT)

    def test_host_keys_that_are_revoked(self):
        pair = Pair()
        pair.client.set_revoked_host_keys(Revocations.from_bytes(pair.host_key.line()))
        pair.client.insecure_accept_any_host_key()
        pair.accepted.begin_server(pair.server)
        with self.assertRaises(sshwire.HostKeyRejected):
            pair.client.start_client(None, LIMIT)
            pair.client.auth_none("alice", LIMIT)

    def test_certificates_of_strangers_are_asked_about(self):
        stranger = self.issue()
        for asks in (False, True):
            pair, asked = Pair(), []

            def proven(request):
                asked.append(request.certificate)
                request.accept()
            pair.server.on(Kind.AUTH_KEY_PROVEN, proven)
            pair.server.set_ask_certificates(asks)
            pair.start()
            # To be asked is one thing; only who has looked at the certificate lets it in.
            with self.assertRaises(sshwire.AuthenticationFailed):
                pair.client.auth_publickey("alice", self.key.with_certificate(stranger), LIMIT)
            self.assertEqual(asked, [stranger] if asks else [])


class Authorized(Folder):
    def test_lines(self):
        key, other = sshwire.Key.generate(comment="of hers"), sshwire.Key.generate()
        text = (f'# a comment\nrestrict,pty,command="echo \\"hi\\"",from="127.0.0.*",environment="A=1",environment="B=2" '
                f'{key.line()}\nno-such-option {key.line()}\ncert-authority,principals="a,b" {other.line()}\n')
        path = self.folder / "authorized_keys"
        path.write_text(text)
        for keys in (AuthorizedKeys.from_text(text), AuthorizedKeys.load(path)):
            self.assertEqual([line.line for line in keys], [2, 4])
            first, last = keys[0], keys[-1]
            self.assertEqual((first.key, first.key.comment, first.has_options), (key, "of hers", True))
            self.assertEqual(first.permits, Permit.PTY)
            self.assertEqual((first.command, first.sources, first.principals, first.tunnel),
                             ('echo "hi"', "127.0.0.*", None, None))
            self.assertEqual(first.environment, ["A=1", "B=2"])
            self.assertEqual((last.key, last.principals, last.environment), (other, "a,b", []))
            self.assertIn(Permit.CERTIFICATES, last.permits)
            self.assertEqual(len(keys.warnings), 1)
            self.assertTrue(keys.warnings[0].startswith("line 3: "))
            with self.assertRaises(IndexError):
                keys[2]
        with self.assertRaises(FileNotFoundError):
            AuthorizedKeys.load(self.folder / "none")

    def test_login(self):
        stranger = sshwire.Key.generate()
        answers = []
        pair = Pair()
        keys = AuthorizedKeys.from_text(f'command="talk" {pair.user_key.line()}')
        pair.server.on(Kind.AUTH_KEY_PROVEN, lambda request: answers.append(keys.answer(request)))
        pair.start()
        with self.assertRaises(sshwire.AuthenticationFailed):
            pair.client.auth_publickey("alice", stranger, LIMIT)
        self.assertTrue(pair.client.auth_publickey("alice", pair.user_key, LIMIT))
        # The command of the line, whatever was asked for.
        self.assertEqual(pair.client.run("hold", timeout=LIMIT).stdout, b"out")
        self.assertEqual([line and line.line for line in answers], [None, 1])


class Signers(Case):
    expected = (KeyError,)

    def test_a_signature_from_elsewhere(self):
        pair, asked = Pair(), []

        def sign(algorithm, data):
            asked.append(algorithm)
            return pair.user_key.sign(data, algorithm)
        key = Key.from_signer(pair.user_key.public, sign)
        pair.start()
        self.assertTrue(pair.client.auth_publickey("alice", key, LIMIT))
        self.assertEqual(asked, ["ssh-ed25519"])
        with self.assertRaises(sshwire.Error):
            Key.from_signer(pair.user_key, lambda algorithm, data: {}["on purpose"]).sign(b"data")
        with self.assertRaises(sshwire.Error):
            Key.from_signer(pair.user_key, lambda algorithm, data: b"no signature").sign(b"data")


class Agents(Folder):
    def setUp(self):
        super().setUp()
        path = self.folder / "agent"
        process = subprocess.Popen([environment("SSH_AGENT"), "-D", "-a", path], stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait, LIMIT)
        self.addCleanup(process.terminate)
        until = time.monotonic() + LIMIT
        # The name is there before it listens.
        with socket.socket(socket.AF_UNIX) as probe:
            while probe.connect_ex(str(path)) and time.monotonic() < until:
                time.sleep(0.01)
        self.socket, self.agent = path, sshwire.Agent(path, LIMIT)

    def test_keys_come_and_go(self):
        key, authority = Key.generate(comment="a key"), Key.generate()
        certificate = Certificate.issue(key, authority, ["alice"])
        self.assertEqual(self.agent.list(LIMIT), [])
        self.agent.add(key, timeout=LIMIT)
        self.agent.add(key, certificate, lifetime=600, timeout=LIMIT)
        plain, certified = self.agent.list(LIMIT)
        self.assertEqual((plain.type, plain.comment, plain.fingerprint, plain.blob, plain.key),
                         ("ssh-ed25519", "a key", key.fingerprint, key.blob, key))
        self.assertEqual((certified.type, certified.blob), (certificate.type, certificate.blob))
        for which in (plain, certified, key, certificate, key.blob):
            self.assertTrue(key.verify(self.agent.sign(which, b"data", timeout=LIMIT), b"data", "ssh-ed25519"))
        self.agent.lock("secret", LIMIT)
        self.assertEqual(self.agent.list(LIMIT), [])
        self.agent.unlock("secret", LIMIT)
        self.agent.remove(certified, LIMIT)
        with self.assertRaises(sshwire.Error):
            self.agent.sign(certified, b"data", timeout=LIMIT)
        self.agent.remove_all(LIMIT)
        self.assertEqual(self.agent.list(LIMIT), [])
        with self.assertRaises(sshwire.Error) as caught:
            sshwire.Agent(self.folder / "nobody")
        self.assertIn("nobody", str(caught.exception))

    def test_login(self):
        pair = Pair()
        pair.start()
        for key in (Key.generate(), pair.user_key):
            self.agent.add(key, timeout=LIMIT)
        with self.assertRaises(sshwire.AuthenticationFailed):
            pair.client.auth_agent("alice", self.agent, [Key.generate()], NAMED_ONLY, timeout=LIMIT)
        self.assertTrue(pair.client.auth_agent("alice", self.agent, timeout=LIMIT))
        other = Pair()
        other.user_key = pair.user_key
        other.start()
        key = self.agent.key(pair.user_key.public, LIMIT)
        self.assertTrue(other.client.auth_publickey("alice", key, LIMIT))

    def test_a_configuration_uses_it(self):
        pair = Pair()
        self.agent.add(pair.user_key, timeout=LIMIT)
        with Ways(pair, self.folder).config(IdentityAgent=self.socket).connect("there", LIMIT) as transport:
            self.assertEqual(transport.username, "alice")


class Ways:
    """A configuration that leads to a server in this process."""

    def __init__(self, pair, folder):
        self.pair, self.folder = pair, folder
        self.known = folder / "known_hosts"

    def proxy(self, command):
        self.command = command
        near, far = socket.socketpair()
        self.accepted = sshwire.Transport.from_socket(far)
        self.accepted.begin_server(self.pair.server, LIMIT)
        return near

    def config(self, **options):
        usual = {"User": "alice", "ProxyCommand": "to %h %p", "UserKnownHostsFile": self.known,
                 "GlobalKnownHostsFile": "none", "StrictHostKeyChecking": "accept-new", "IdentityFile": "none",
                 "IdentityAgent": "none"}
        made = Config(options={**options, **{name: usual[name] for name in usual if name not in options}},
                      defaults=False)
        made.on_proxy(self.proxy)
        return made


class Configurations(Folder):
    expected = (RuntimeError,)

    def test_what_holds_for_a_host(self):
        path = self.folder / "config"
        path.write_text("Host alias\n HostName real.example.org\n Port 2222\n ProxyJump me@gate:22,last\n"
                        " LocalForward 8080 web:80\n LocalForward /run/a /run/b\n DynamicForward 1080\n"
                        " SendEnv A B\n ForwardX11 true\n ServerAliveInterval 1m\n NoSuchThing yes\n"
                        "Match host real.example.org exec \"test %h\"\n User tester\n")
        files = Config(path, options=["ConnectTimeout=5"])
        with files.resolve("alias") as host:
            self.assertNotEqual(host.user, "tester")
        asked = []
        files.on_exec(lambda command: asked.append(command) or 0)
        host = files.resolve("alias")
        self.assertEqual((asked, host.user), (["test real.example.org"], "tester"))
        self.assertEqual((host.name, host.port, host["hostname"]), ("real.example.org", 2222, "real.example.org"))
        self.assertEqual((host["LocalCommand"], host["NoOption"]), (None, None))
        self.assertEqual(host.values("SendEnv"), ["A", "B"])
        self.assertEqual((host["ForwardX11"], host.written("ForwardX11")), ("yes", ["true"]))
        self.assertTrue(host.is_yes("ForwardX11") and not host.is_yes("BatchMode"))
        self.assertEqual((host.number("ServerAliveInterval"), host.number("ConnectTimeout"), host.number("User", 9)),
                         (60, 5, 9))
        self.assertEqual((host.place("Port"), host.place("AddressFamily")), (f"{path}:3", None))
        self.assertEqual(host.jumps, [("me", "gate", 22), (None, "last", None)])
        self.assertEqual(host.forwards(config.LOCAL), [((None, 8080), ("web", 80)), (("/run/a", 0), ("/run/b", 0))])
        self.assertEqual(host.forwards(config.DYNAMIC), [((None, 1080), None)])
        self.assertEqual(host.forwards(config.REMOTE), [])
        self.assertIn("Port", list(host))
        self.assertEqual(len(host.unsupported), 1)
        self.assertIn("NoSuchThing", host.unsupported[0])
        with self.assertRaises(sshwire.Error) as caught:
            Config(options={"Port": "none"}, defaults=False).resolve("host")
        self.assertIn("is not a port", str(caught.exception))

    def test_the_way_there(self):
        ways, asked = Ways(Pair(), self.folder), []

        def answer(request):
            asked.append(request.kind)
            if request.kind == Kind.HOST_KEY:
                request.accept()
            else:
                self.assertEqual(request.name, "alice@there")
                request.answer(b"open\0sesame")
        with sshwire.connect_config("there", answer, ways.config(StrictHostKeyChecking="ask"), LIMIT) as transport:
            self.assertTrue(transport.authenticated)
            self.assertEqual(transport.run("talk", timeout=LIMIT).stdout, b"out")
        self.assertEqual((asked, ways.command), ([Kind.HOST_KEY, Kind.PASSWORD], "to there 22"))
        self.assertIn("there ", ways.known.read_text())
        with self.assertRaises(sshwire.AuthenticationFailed) as caught:
            ways.config().connect("there", LIMIT)
        self.assertIn("there was nothing to log in with", str(caught.exception))
        with self.assertRaises(sshwire.Error):
            def fail(command):
                raise RuntimeError("on purpose")
            ways.proxy = fail
            ways.config().connect("there", LIMIT)

    def test_a_passphrase_is_asked_for_when_the_key_is_wanted(self):
        pair, path, asked = Pair(), self.folder / "key", []
        pair.user_key.save(path, passphrase="correct horse")
        ways = Ways(pair, self.folder)

        def answer(request):
            asked.append((request.kind, request.name, request.prompts[0][1]))
            request.answer("correct horse")
        pair.server.on(Kind.AUTH_KEY_ASKED, lambda request: request.accept() if request.key == pair.user_key else None)
        settings = ways.config(IdentityFile=path, PasswordAuthentication="no")
        with sshwire.connect_config("there", answer, settings, LIMIT):
            pass
        self.assertEqual(asked, [(Kind.PASSPHRASE, str(path), False)])
        pair.user_key = Key.generate()
        with self.assertRaises(sshwire.AuthenticationFailed) as caught:
            settings.connect("there", LIMIT)
        self.assertIn("refused publickey (1 key)", str(caught.exception))
        self.assertEqual(len(asked), 1)

    def test_the_agent_is_not_lent_unless_that_is_said(self):
        ways = Ways(Pair(), self.folder)
        ways.pair.server.on(Kind.AGENT_FORWARD, lambda request: self.fail("it was lent"))
        settings = ways.config()
        settings.on(Kind.PASSWORD, lambda request: request.answer(b"open\0sesame"))
        with settings.connect("there", LIMIT) as transport, settings.resolve("there") as host:
            host.forward_agent(transport.open_session(LIMIT), LIMIT)


if __name__ == "__main__":
    os.environ.pop("SSH_AUTH_SOCK", None)
    unittest.main()
