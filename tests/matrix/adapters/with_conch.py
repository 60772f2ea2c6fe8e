#!/usr/bin/env python3
"""Twisted Conch, client and server."""

import os
import sys

from common import *  # noqa: F403 - the words of the contract
from twisted.conch import avatar, error, interfaces
from twisted.conch.checkers import InMemorySSHKeyDB, SSHPublicKeyChecker
from twisted.conch.ssh import channel, common, connection, factory, filetransfer, forwarding, keys, session, transport, userauth
from twisted.cred import checkers, portal
from twisted.internet import defer, endpoints, protocol, reactor, stdio
from zope.interface import implementer

if REKEY:
    cannot("Conch does not renew keys by itself")
outcome = 255


def finish(code: int) -> None:
    global outcome
    outcome = code
    if reactor.running:
        reactor.stop()


# ---- client --------------------------------------------------------------------------------------------------------


class Login(userauth.SSHUserAuthClient):
    preferredOrder = [AUTH.encode()]

    def getPublicKey(self):
        if AUTH != "publickey" or getattr(self, "shown", False):
            return None
        self.shown = True
        return keys.Key.fromFile(KEY).public()

    def getPrivateKey(self):
        return defer.succeed(keys.Key.fromFile(KEY))

    def getPassword(self, prompt=None):
        return defer.succeed(PASSWORD) if AUTH == "password" else None

    def getGenericAnswers(self, name, information, prompts):
        return defer.succeed([PASSWORD for _ in prompts])


class Client(transport.SSHClientTransport):
    def verifyHostKey(self, host_key, fingerprint):
        return defer.succeed(True)

    is_secure = False

    def connectionSecure(self):
        # It comes again with each new key.
        if not self.is_secure:
            self.is_secure = True
            self.requestService(Login(USER.encode(), Work()))

    def connectionLost(self, reason):
        print(reason, file=sys.stderr)
        finish(outcome)


class Standard(protocol.Protocol):
    """Standard input and output, joined to a channel."""

    def __init__(self, carried):
        self.carried = carried

    def dataReceived(self, data):
        self.carried.write(data)

    def connectionLost(self, reason):
        pass

    def readConnectionLost(self):
        self.carried.end_input()


class Carried(channel.SSHChannel):
    status = 255

    def __init__(self, command=None, **words):
        super().__init__(**words)
        self.command = command
        if command is not None:
            self.name = b"session"

    def channelOpen(self, data):
        self.standard = None
        if self.command is None:
            self.status = 0
            self.begin(None)
            return
        asked = self.conn.sendRequest(self, b"exec", common.NS(self.command), wantReply=1)
        asked.addCallback(self.begin)
        asked.addErrback(lambda reason: finish(255))

    def begin(self, _):
        # It would have standard output refuse what does not fit.
        nowhere = os.open("/dev/null", os.O_WRONLY)
        self.standard = stdio.StandardIO(HalfClosing(self), stdout=nowhere)

    def openFailed(self, reason):
        finish(255)

    # EOF does not wait for what waits for the window, so it is made to.
    ends = False

    def end_input(self):
        self.ends = True
        if not self.buf:
            self.conn.sendEOF(self)

    def addWindowBytes(self, data):
        waited = bool(self.buf)
        super().addWindowBytes(data)
        if self.ends and waited and not self.buf:
            self.conn.sendEOF(self)

    def dataReceived(self, data):
        sys.stdout.buffer.write(data)

    def request_exit_status(self, data):
        self.status = int.from_bytes(data, "big")

    def eofReceived(self):
        if self.command is None:
            self.conn.sendClose(self)

    def closed(self):
        sys.stdout.buffer.flush()
        finish(self.status)


@implementer(__import__("twisted.internet.interfaces", fromlist=["IHalfCloseableProtocol"]).IHalfCloseableProtocol)
class HalfClosing(Standard):
    def writeConnectionLost(self):
        pass


class Direct(Carried):
    name = b"direct-tcpip"


class Files(channel.SSHChannel):
    name = b"session"

    def channelOpen(self, data):
        asked = self.conn.sendRequest(self, b"subsystem", common.NS(b"sftp"), wantReply=1)
        asked.addCallback(self.begin)
        asked.addErrback(self.fail)

    def fail(self, reason):
        print(reason, file=sys.stderr)
        finish(255)

    def begin(self, _):
        client = filetransfer.FileTransferClient()
        client.makeConnection(self)
        self.dataReceived = client.dataReceived
        self.client = client
        work = self.work(client)
        work.addCallback(lambda _: finish(0))
        work.addErrback(self.fail)

    @defer.inlineCallbacks
    def work(self, client):
        match sys.argv[2:]:
            case ["put", here, there]:
                flags = filetransfer.FXF_WRITE | filetransfer.FXF_CREAT | filetransfer.FXF_TRUNC
                remote = yield client.openFile(there.encode(), flags, {})
                with open(here, "rb") as file:
                    at = 0
                    while data := file.read(32768):
                        yield remote.writeChunk(at, data)
                        at += len(data)
                yield remote.close()
            case ["get", there, here]:
                remote = yield client.openFile(there.encode(), filetransfer.FXF_READ, {})
                with open(here, "wb") as file:
                    try:
                        while True:
                            data = yield remote.readChunk(file.tell(), 32768)
                            file.write(data)
                    except EOFError:
                        pass
            case ["list", there]:
                directory = yield client.openDirectory(there.encode())
                try:
                    while True:
                        for name, *_ in (yield directory.read()):
                            print(name.decode())
                except EOFError:
                    pass


class Work(connection.SSHConnection):
    def serviceStarted(self):
        match sys.argv[2:]:
            case ["run", command]:
                self.openChannel(Carried(command.encode(), conn=self))
            case ["forward", host, port]:
                opening = forwarding.packOpen_direct_tcpip((host, int(port)), ("127.0.0.1", 1))
                self.openChannel(Direct(conn=self), opening)
            case _:
                self.openChannel(Files(conn=self))


# ---- server --------------------------------------------------------------------------------------------------------


@implementer(interfaces.ISession)
class Session:
    def __init__(self, user):
        pass

    def execCommand(self, proto, command):
        reactor.spawnProcess(proto, "/bin/sh", ["sh", "-c", command], env=os.environ)

    def eofReceived(self):
        pass

    def closed(self):
        pass


class User(avatar.ConchUser):
    def __init__(self):
        super().__init__()
        self.channelLookup = {b"session": session.SSHSession, b"direct-tcpip": forwarding.openConnectForwardingClient}
        self.subsystemLookup = {b"sftp": filetransfer.FileTransferServer}


class EofSession(session.SSHSession):
    def eofReceived(self):
        if self.session and self.client:
            self.client.transport.closeStdin()


class Realm:
    def requestAvatar(self, name, mind, *faces):
        user = User()
        user.channelLookup[b"session"] = EofSession
        return interfaces.IConchUser, user, lambda: None


def server() -> None:
    from twisted.conch import unix
    from twisted.python import components

    components.registerAdapter(Session, User, interfaces.ISession)

    class Plain(unix.SFTPServerForUnixConchUser):
        """Files as whoever runs this."""

        def __init__(self, user):
            self.avatar = user
            user._runAsUser = lambda step, *words: step(*words) if callable(step) else [one[0](*(one[1] if len(one) > 1 else ())) for one in step][-1]
            user.getHomeDir = lambda: DIRECTORY

        def _setAttrs(self, path, attrs):
            if "permissions" in attrs:
                os.chmod(path, attrs["permissions"])

        def _absPath(self, path):
            return os.path.abspath(os.path.join(DIRECTORY.encode(), path))

    components.registerAdapter(Plain, User, interfaces.ISFTPServer)
    with open(AUTHORIZED_KEYS, "rb") as file:
        known = [keys.Key.fromString(line) for line in file]
    key = keys.Key.fromFile(HOST_KEY)
    made = factory.SSHFactory()
    made.publicKeys = {key.sshType(): key.public()}
    made.privateKeys = {key.sshType(): key}
    made.services = {b"ssh-userauth": userauth.SSHUserAuthServer, b"ssh-connection": connection.SSHConnection}
    passwords = checkers.InMemoryUsernamePasswordDatabaseDontUse(**{USER: PASSWORD.encode()})
    made.portal = portal.Portal(Realm(), [passwords, SSHPublicKeyChecker(InMemorySSHKeyDB({USER.encode(): known}))])
    listening = reactor.listenTCP(0, made, interface="127.0.0.1")
    print("listening", listening.getHost().port, flush=True)

    class End(protocol.Protocol):
        def connectionLost(self, reason):
            finish(0)

    stdio.StandardIO(End())


if sys.argv[1] == "server":
    server()
else:
    endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(PORT)).connect(protocol.Factory.forProtocol(Client)).addErrback(
        lambda reason: finish(255)
    )
reactor.run()
os._exit(outcome)
