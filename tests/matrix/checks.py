"""What is checked of a pair, one client and one server of which one is ours."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

from sides import CANNOT, OurClient, OurServer, PeerClient, PeerServer, Rig, Setting
from table import Peer

MUCH = 10 * 1024 * 1024
REKEY = 1024 * 1024
CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr",
    "aes256-ctr", "aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc",
)
KEYS = ("ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa")
# In this order until one gets in: what ours offers by itself, then all that it has.
FIRST_TRIES = tuple((preset, key) for preset in ("", "legacy") for key in ("ed25519", "rsa"))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one check."""

    check: str
    # "yes", "no" for a failure, "absent" where the peer does not have it, and says so.
    verdict: str
    detail: str = ""


class Refused(Exception):
    """The check has failed; or the peer has no such thing."""

    def __init__(self, detail: str, absent: bool = False) -> None:
        super().__init__(detail)
        self.absent = absent


class Pair:
    """One client and one server."""

    def __init__(self, rig: Rig, peer: Peer, role: str) -> None:
        self.rig, self.peer, self.role = rig, peer, role
        if role == "client":
            self.client, self.server = PeerClient(rig, peer), OurServer(rig)
        else:
            self.client, self.server = OurClient(rig), PeerServer(rig, peer)
        self.base = Setting()
        self.files = rig.scratch / f"files-{peer.slug}-{role}"
        shutil.rmtree(self.files, ignore_errors=True)
        self.files.mkdir()
        self.files.chmod(0o777)
        self.negotiated = ""
        self.said = ""

    # ---- acting --------------------------------------------------------------------------------------------------

    def act(self, words: list[str], setting: Setting, given: bytes = b"", status: int = 0):
        """One session; anything but the exit status that is wanted is a failure."""
        with self.server.serve(setting, self.files) as (server, place):
            if server.port == 0:
                done = server.done()
                raise Refused(done.tail(), absent=done.status == CANNOT)
            known = self.rig.known_hosts(server.port, setting.host_key, self.files)
            done = self.client.act([word.replace("{files}/", place) for word in words], setting, server.port, known, given)
            said = server.said() if done.status == status else self.last_words(server)
            self.said = done.err if self.role == "server" else said
        if done.status == CANNOT:
            raise Refused(done.tail(), absent=True)
        if done.status != status:
            both = done.err + said
            # Our side tells what the other offers when they have nothing in common.
            nothing_common = re.search(r"they offer: ([^\n]*)|no common .*; peer: ([^\n]*)", both)
            if nothing_common:
                raise Refused(f"it offers {nothing_common[1] or nothing_common[2]}", absent=True)
            allowed = re.search(r"the server allows: (\S+)", done.err)
            if self.role == "server" and allowed and setting.auth not in allowed[1].split(","):
                raise Refused(f"it allows {allowed[1]} only", absent=True)
            ours = "" if self.role == "server" else " | " + " / ".join(said.strip().splitlines()[-3:])
            raise Refused(done.tail() + ours)
        return done

    def last_words(self, server) -> str:
        """What the server has said, once it has said how the session ended, if it does."""
        for _ in range(20):
            if self.role == "server" or "ended:" in server.said():
                break
            time.sleep(0.05)
        return server.said()

    def key_exchanges(self) -> int:
        """How many our side has counted in the last session."""
        return self.said.count("keys exchanged")

    # ---- checks --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Finds a setting with which the two understand each other at all, and keeps it for what follows."""
        problems = []
        for preset, key in FIRST_TRIES:
            setting = Setting(preset=preset, user_key=key, host_key=key, auth=self.base.auth)
            for auth in ("publickey", "password"):
                setting = dataclasses.replace(setting, auth=auth)
                try:
                    self.say_hello(setting)
                except Refused as refused:
                    problems.append(f"{auth}, {key}, {preset or 'default'}: {refused}")
                    continue
                self.base = setting
                return
        raise Refused("; ".join(problems[:1] + problems[-1:]))

    def say_hello(self, setting: Setting) -> str:
        if self.peer.work == "files":
            self.act(["list", "{files}/"], setting)
            return ""
        if self.peer.work == "commits":
            self.act(["heads", str(self.repository())], setting)
            return ""
        done = self.act(["run", "echo hello"], setting)
        if done.out.strip() != b"hello":
            raise Refused(f"said {done.out[:80]!r} instead of hello")
        return ""

    def say_hello_somehow(self, setting: Setting) -> str:
        """With what ours offers by itself, or else with all that it has: ECDSA and SHA-1 are offered only when that is said."""
        try:
            return self.say_hello(setting)
        except Refused:
            self.say_hello(dataclasses.replace(setting, preset="legacy"))
            return "with the preset legacy of ours"

    def best(self) -> str:
        """What is negotiated with the offers as they are."""
        self.say_hello(self.base)
        found = re.search(r"<ssh-transport[^>]*?, ((?:\S+ ){2}\S+?), \d+ channels>", self.said)
        notes = []
        if self.base.preset:
            notes.append(f"preset {self.base.preset}")
        return "; ".join([found[1] if found else "?", *notes])

    def set_base(self, **changes) -> Setting:
        return dataclasses.replace(self.base, **changes)

    def upload(self, setting: Setting, data: bytes) -> None:
        if self.peer.work == "files":
            self.put(setting, data)
            return
        if self.peer.work == "commits":
            self.push(setting, data)
            return
        done = self.act(["run", "sha256sum"], setting, data)
        if done.out.split()[:1] != [hashlib.sha256(data).hexdigest().encode()]:
            raise Refused("what arrived there is not what was sent")

    def put(self, setting: Setting, data: bytes) -> None:
        here = self.rig.scratch / "sent"
        here.write_bytes(data)
        self.act(["put", str(here), "{files}/stored"], setting)
        if (self.files / "stored").read_bytes() != data:
            raise Refused("what is stored is not what was put")

    def repository(self) -> pathlib.Path:
        """One without commits at first."""
        place = self.files / "repository.git"
        if not place.exists():
            subprocess.run(["git", "init", "-q", "--bare", str(place)], check=True)
        return place

    def push(self, setting: Setting, data: bytes) -> None:
        here = self.rig.scratch / "sent"
        here.write_bytes(data)
        repository = str(self.repository())
        self.act(["push", str(here), repository], setting)
        words = ["git", "--git-dir", repository, "cat-file", "blob", "main:sent"]
        if subprocess.run(words, capture_output=True, check=False).stdout != data:
            raise Refused("what is committed there is not what was pushed")

    def download(self, setting: Setting, data: bytes) -> None:
        if self.peer.work == "commits":
            # What was pushed is the same.
            self.get(["fetch", str(self.repository())], setting, data)
            return
        source = self.rig.scratch / "much"
        source.write_bytes(data)
        done = self.act(["run", f"cat {source}"], setting)
        if done.out != data:
            raise Refused(f"{len(done.out)} bytes came, of {len(data)}, or others")

    def get(self, words: list[str], setting: Setting, data: bytes) -> None:
        back = self.rig.scratch / "received"
        back.unlink(missing_ok=True)
        self.act([*words, str(back)], setting)
        if back.read_bytes() != data:
            raise Refused("what came back is not what was put")

    def both_ways(self, setting: Setting) -> str:
        data = self.rig.random(MUCH)
        self.upload(setting, data)
        self.download(setting, data)
        return ""

    def exit_status(self) -> str:
        self.act(["run", "exit 7"], self.base, status=7)
        return ""

    def rekey(self, setting: Setting) -> str:
        data = self.rig.random(MUCH)
        self.upload(setting, data)
        up = self.key_exchanges()
        self.download(setting, data)
        down = self.key_exchanges()
        # Some count in one direction only, and some a part of what they send.
        if up + down < 2 + MUCH // REKEY // 2:
            raise Refused(f"only {up} and {down} key exchanges for {MUCH // REKEY} times the limit")
        return f"{up} up, {down} down"

    def files_there_and_back(self) -> str:
        data = self.rig.random(1024 * 1024 + 17)
        self.put(self.base, data)
        self.get(["get", "{files}/stored"], self.base, data)
        listed = self.act(["list", "{files}/"], self.base).out.decode(errors="replace").split()
        if "stored" not in listed:
            raise Refused(f"listed are {listed}")
        return ""

    def forward(self) -> str:
        data = self.rig.random(300_000)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=echo_once, args=(listener,), daemon=True).start()
            done = self.act(["forward", "127.0.0.1", str(listener.getsockname()[1])], self.base, data)
        if done.out != data:
            raise Refused(f"{len(done.out)} bytes came back, of {len(data)}, or others")
        return ""

    # ---- all of them ---------------------------------------------------------------------------------------------

    def checks(self):
        """Pairs of a name and what to do."""
        yield "connect, best algorithms", self.best
        for cipher in CIPHERS:
            yield cipher, lambda cipher=cipher: self.say_much(self.set_base(cipher=cipher))
        for auth in ("password", "keyboard-interactive"):
            yield auth, lambda auth=auth: self.say_hello(self.set_base(auth=auth))
        for key in KEYS:
            changed = {"auth": "publickey", "user_key": key}
            yield f"user key {key}", lambda changed=changed: self.say_hello_somehow(self.set_base(**changed))
        for key in KEYS:
            yield f"host key {key}", lambda key=key: self.say_hello_somehow(self.set_base(host_key=key))
        yield "exec, 10 MiB each way", lambda: self.both_ways(self.base)
        yield "exit status", self.exit_status
        yield "rekey, asked for by ours", lambda: self.rekey(self.set_base(our_rekey=REKEY))
        yield "rekey, asked for by the peer", lambda: self.rekey(self.set_base(peer_rekey=REKEY))
        yield "SFTP", self.files_there_and_back
        yield "forwarding", self.forward

    def say_much(self, setting: Setting) -> str:
        """Enough that counters and padding of a cipher have their turn."""
        self.upload(setting, self.rig.random(200_001))
        return ""


def echo_once(listener: socket.socket) -> None:
    """Sends back what one connection says, and its end after that."""
    try:
        connection, _ = listener.accept()
    except OSError:
        return
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # What is missing then is missed by the check.
            return


def check_pair(rig: Rig, peer: Peer, role: str):
    """All outcomes of one pair, as they come."""
    pair = Pair(rig, peer, role)
    try:
        pair.begin()
    except Refused as refused:
        yield Outcome("connect, best algorithms", "no", str(refused))
        return
    for name, check in pair.checks():
        try:
            yield Outcome(name, "yes", check())
        except Refused as refused:
            known = peer.lack(role, name)
            absent = refused.absent or known is not None
            yield Outcome(name, "absent" if absent else "no", known or str(refused))
        except OSError as error:
            yield Outcome(name, "no", str(error))
