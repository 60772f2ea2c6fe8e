"""The two ends of a pair, each ours or a peer's, behind the same few words."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import random

from processes import Done, Server, run
from table import Peer

CANNOT = 254


@dataclasses.dataclass(frozen=True)
class Setting:
    """What one run is about. An empty name leaves the choice to the two sides."""

    auth: str = "publickey"
    user_key: str = "ed25519"
    host_key: str = "ed25519"
    cipher: str = ""
    # The algorithms that ours offers: the default, or a preset by name.
    preset: str = ""
    # New keys after so many bytes, where our side or the peer's asks for that.
    our_rekey: int = 0
    peer_rekey: int = 0


@dataclasses.dataclass(frozen=True)
class Rig:
    """Where everything is."""

    root: pathlib.Path
    build: pathlib.Path
    programs: pathlib.Path
    scratch: pathlib.Path
    python: str
    user: str
    password: str

    def random(self, length: int) -> bytes:
        """The same bytes each time."""
        return random.Random(length).randbytes(length)

    def key(self, name: str) -> pathlib.Path:
        return self.scratch / f"key_{name}"

    def command(self, words: tuple[str, ...]) -> list[str]:
        """The words of a peer's command; a script that is not run by another program is run by itself."""
        places = {"build": str(self.build), "python": self.python, "java": f"{self.build}/java/classes:{self.build}/java/lib/*"}
        filled = [word.format(**places) for word in words]
        return [self.python, *filled] if filled[0].endswith(".py") else filled

    @property
    def adapters(self) -> pathlib.Path:
        return self.root / "tests/matrix/adapters"

    def environment(self, setting: Setting, **more: str) -> dict[str, str]:
        told = {
            "PEER_USER": self.user,
            "PEER_PASSWORD": self.password,
            "PEER_AUTH": setting.auth,
            "PEER_KEY": str(self.key(setting.user_key)),
            "PEER_HOST_KEY": str(self.key(f"host_{setting.host_key}")),
            "PEER_AUTHORIZED_KEYS": str(self.scratch / "authorized_keys"),
            "PEER_SCRATCH": str(self.scratch),
        }
        if setting.peer_rekey:
            told["PEER_REKEY"] = str(setting.peer_rekey)
        return {**os.environ, **told, **more, "PYTHONDONTWRITEBYTECODE": "1"}

    def known_hosts(self, port: int, host_key: str, told: pathlib.Path) -> pathlib.Path:
        """The server's key; one that has only keys of its own making tells which."""
        public = told / "host-key"
        line = (public if public.exists() else pathlib.Path(f"{self.key('host_' + host_key)}.pub")).read_text()
        path = self.scratch / f"known-{port}"
        path.write_text(f"[127.0.0.1]:{port} {' '.join(line.split()[:2])}\n")
        return path


class OurServer:
    """examples-c/server."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    @contextlib.contextmanager
    def serve(self, setting: Setting, files: pathlib.Path):
        """Yields what a client needs: a port and the place of files there."""
        rig = self.rig
        words = [str(rig.programs / "server"), "--listen", "127.0.0.1:0", "--host-key", str(rig.key(f"host_{setting.host_key}"))]
        words += ["--authorized-keys", str(rig.scratch / "authorized_keys"), "--password-file", str(rig.scratch / "passwords")]
        words += ["--shell", "/bin/sh", "--forward", "--sftp", str(files), "-vv"]
        if setting.preset:
            words += ["--preset", setting.preset]
        if setting.cipher:
            words += ["--ciphers", setting.cipher]
        if setting.our_rekey:
            words += ["--rekey-bytes", str(setting.our_rekey)]
        if setting.auth == "keyboard-interactive":
            # For those that choose the method themselves.
            words += ["--require", setting.auth]
        with Server(words, rig.environment(setting), rig.scratch) as server:
            yield server, "/"


class PeerServer:
    """A peer's."""

    def __init__(self, rig: Rig, peer: Peer) -> None:
        self.rig, self.peer = rig, peer

    @contextlib.contextmanager
    def serve(self, setting: Setting, files: pathlib.Path):
        environment = self.rig.environment(setting, PEER_DIRECTORY=str(files))
        with Server([*self.rig.command(self.peer.command), "server"], environment, self.rig.adapters) as server:
            yield server, f"{files}/"


class OurClient:
    """examples-c/exec, sftp, and ssh for what only that does."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def act(self, words: list[str], setting: Setting, port: int, known: pathlib.Path, given: bytes = b"") -> Done:
        rig = self.rig
        programs = {"run": "exec", "forward": "ssh"}
        program = str(rig.programs / programs.get(words[0], "sftp"))
        if words[0] == "forward":
            return self._forward(program, words, setting, port, known, given)
        options = ["-p", str(port), "-l", rig.user, "--known-hosts", str(known), "--auth", setting.auth, "-vv"]
        if setting.preset:
            options += ["--preset", setting.preset]
        if setting.auth == "publickey":
            options += ["-i", str(rig.key(setting.user_key))]
        elif setting.auth == "password":
            options += ["--password-file", str(rig.scratch / "password")]
        else:
            options += ["--answers-file", str(rig.scratch / "password")]
        if setting.cipher:
            options += ["--ciphers", setting.cipher]
        if setting.our_rekey:
            options += ["--rekey-bytes", str(setting.our_rekey)]
        match words:
            case ["run", command]:
                tail = [command]
            case ["put", here, there]:
                tail = ["put", here, there]
            case ["get", there, here]:
                tail = ["get", there, here]
            case ["list", there]:
                tail = ["ls", there]
        return run([program, *options, "127.0.0.1", *tail], rig.environment(setting), given, rig.scratch)

    def _forward(self, program, words, setting, port, known, given) -> Done:
        options = ["-F", "none", "-p", str(port), "-l", self.rig.user, "-i", str(self.rig.key(setting.user_key)), "-v"]
        options += ["-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]
        if setting.preset == "legacy":
            options += ["-o", "KexAlgorithms=+diffie-hellman-group14-sha1", "-o", "Ciphers=+aes256-cbc", "-o", "MACs=+hmac-sha1"]
            options += ["-o", "HostKeyAlgorithms=+ssh-rsa", "-o", "PubkeyAcceptedAlgorithms=+ssh-rsa"]
        command = [program, *options, "-W", f"{words[1]}:{words[2]}", "127.0.0.1"]
        return run(command, self.rig.environment(setting), given, self.rig.scratch)


class PeerClient:
    """A peer's."""

    def __init__(self, rig: Rig, peer: Peer) -> None:
        self.rig, self.peer = rig, peer

    def act(self, words: list[str], setting: Setting, port: int, known: pathlib.Path, given: bytes = b"") -> Done:
        environment = self.rig.environment(setting, PEER_PORT=str(port), PEER_KNOWN_HOSTS=str(known))
        return run([*self.rig.command(self.peer.command), "client", *words], environment, given, self.rig.adapters)
