"""OpenSSH among the soak test's connections: its servers, one of which loses its sessions, and clients that come and go."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import time

from evidence import Evidence
from programs import Failed

LIMIT = 240
# Longer than anything takes on a busy machine, and shorter than what ends a thing that hangs: what it looks like is kept.
STALLED = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_listened_at(path: pathlib.Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


class Sshd:
    """A real server for our client."""

    def __init__(self, program: str, scratch: pathlib.Path, name: str) -> None:
        self._log = (scratch / f"{name}.log").open("wb")
        os.makedirs("/run/sshd", exist_ok=True)
        for _ in range(10):
            # It listens by itself only, so its port is one that was free a moment ago.
            self.port = free_port()
            lines = [f"Port {self.port}", "AddressFamily inet", "ListenAddress 127.0.0.1", f"HostKey {scratch}/host", "PidFile none", "UsePAM no",
                     f"AuthorizedKeysFile {scratch}/authorized_keys", "StrictModes no", "MaxStartups 1000", "UseDNS no",
                     "PrintMotd no", "Subsystem sftp internal-sftp", "AllowTcpForwarding yes", "Compression yes"]
            config = scratch / f"{name}.config"
            config.write_text("\n".join(lines) + "\n")
            self.child = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=self._log)
            if self._listens():
                return
        raise Failed(f"sshd does not start; see {self._log.name}")

    def _listens(self) -> bool:
        end = time.monotonic() + LIMIT
        while self.child.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            time.sleep(0.05)
        return False

    def kill_session(self, dice: random.Random) -> bool:
        """Kills the process that holds one connection, if there is one."""
        holders = [holder for monitor in children(self.child.pid) for holder in children(monitor)]
        if not holders:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(holders), signal.SIGKILL)
        return True

    def end(self) -> None:
        self.child.terminate()
        self.child.wait()
        self._log.close()


class Clients:
    """Threads that run `ssh` and `sftp` against our server, one after another."""

    def __init__(self, scratch: pathlib.Path, port: int, echo_port: int, count: int, evidence: Evidence) -> None:
        self.scratch, self.port, self.echo_port, self._evidence = scratch, port, echo_port, evidence
        self.runs, self.killed, self.failures = 0, 0, []
        # The name and the seconds of what took the longest, and what each thread is at, since when.
        self.longest = ("nothing", 0.0)
        self._under_way: dict[int, tuple[str, float]] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._options = ["-F", "none", "-i", str(scratch / "user"), "-o", f"UserKnownHostsFile={scratch}/known_hosts"]
        for word in ("StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes", "RekeyLimit=128K", "LogLevel=INFO",
                     "GlobalKnownHostsFile=none", "ExitOnForwardFailure=yes"):
            self._options += ["-o", word]
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(count)]
        self._threads.append(threading.Thread(target=self._watch))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        dice = random.Random(number)
        acts = (self._echo, self._files, self._stdio_forward, self._local_forward, self._remote_forward, self._killed)
        while not self._stop.wait(dice.uniform(0, 4)):
            act = dice.choice(acts)
            name, began = act.__name__.strip("_"), time.monotonic()
            with self._lock:
                self._under_way[number] = (name, began)
            try:
                act(number, dice)
            except (Failed, OSError, subprocess.SubprocessError) as error:
                with self._lock:
                    after = time.monotonic() - self._began
                    self.failures.append(f"{name}, after {after:.0f} s: {error}")
            with self._lock:
                self.runs += 1
                self._under_way.pop(number)
                self.longest = max(self.longest, (name, time.monotonic() - began), key=lambda entry: entry[1])

    def _watch(self) -> None:
        """Has evidence taken of each thing that stalls, once."""
        seen = set()
        while not self._stop.wait(1):
            with self._lock:
                under_way = list(self._under_way.items())
            for number, (name, began) in under_way:
                if time.monotonic() - began > STALLED and (number, began) not in seen:
                    seen.add((number, began))
                    self._evidence.take(f"{name} of OpenSSH's client has taken {STALLED} s")

    def _ssh(self, *words: str) -> list[str]:
        return ["ssh", *self._options, "-p", str(self.port), *words]

    def _run(self, words: list[str], given: bytes) -> bytes:
        try:
            done = subprocess.run(words, input=given, capture_output=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise Failed(f"{words[0]} has not ended after {LIMIT} s") from None
        if done.returncode:
            raise Failed(f"{words[0]} ends with {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
        return done.stdout

    def _echo(self, _number: int, dice: random.Random) -> None:
        data = dice.randbytes(dice.randrange(1 << 20))
        if self._run(self._ssh("127.0.0.1", "cat"), data) != data:
            raise Failed("other bytes came back")

    def _files(self, number: int, dice: random.Random) -> None:
        here, back = self.scratch / f"here-{number}", self.scratch / f"back-{number}"
        here.write_bytes(dice.randbytes(dice.randrange(1 << 20)))
        lines = f"put {here} /sftp-{number}\nget /sftp-{number} {back}\nrm /sftp-{number}\n"
        self._run(["sftp", *self._options, "-P", str(self.port), "-b", "-", "127.0.0.1"], lines.encode())
        if back.read_bytes() != here.read_bytes():
            raise Failed("another file came back")

    def _stdio_forward(self, _number: int, dice: random.Random) -> None:
        data = dice.randbytes(dice.randrange(1 << 18))
        if self._run(self._ssh("-W", f"127.0.0.1:{self.echo_port}", "127.0.0.1"), data) != data:
            raise Failed("other bytes came through")

    def _through(self, family: int, address, dice: random.Random) -> None:
        data, got = dice.randbytes(dice.randrange(1, 1 << 16)), b""
        with socket.socket(family) as connection:
            connection.settimeout(LIMIT)
            connection.connect(address)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                got += part
        if got != data:
            raise Failed("other bytes came through the forwarded port")

    @contextlib.contextmanager
    def _forwarding(self, *words: str):
        """An `ssh` that forwards until the block ends, and its output."""
        command = self._ssh("-N", *words, "127.0.0.1")
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
            try:
                yield child
            finally:
                self._terminate(child)

    @staticmethod
    def _terminate(child: subprocess.Popen) -> None:
        """Ends an `ssh`. One before 9.6 that is signalled just before it polls sleeps until something happens: it is told again."""
        while child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1)

    def _local_forward(self, number: int, dice: random.Random) -> None:
        path = self.scratch / f"socket-{number}"
        with self._forwarding("-L", f"{path}:127.0.0.1:{self.echo_port}") as child:
            end = time.monotonic() + LIMIT
            # The socket's name is there before ssh listens at it.
            while not is_listened_at(path):
                if child.poll() is not None or time.monotonic() > end:
                    raise Failed("ssh does not forward")
                time.sleep(0.02)
            self._through(socket.AF_UNIX, str(path), dice)
        path.unlink(missing_ok=True)

    def _remote_forward(self, _number: int, dice: random.Random) -> None:
        with self._forwarding("-R", f"127.0.0.1:0:127.0.0.1:{self.echo_port}") as child:
            for line in child.stderr:
                if found := re.match(rb"Allocated port (\d+) for remote forward", line):
                    self._through(socket.AF_INET, ("127.0.0.1", int(found.group(1))), dice)
                    return
            raise Failed("ssh forwards no port of the server")

    def _killed(self, _number: int, dice: random.Random) -> None:
        """A client that dies in the midst of it, with bytes on their way in both directions."""
        with subprocess.Popen(self._ssh("127.0.0.1", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as child:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(dice.randbytes(32 * 1024))
                child.stdin.flush()
            time.sleep(dice.uniform(0, 1))
            child.kill()
        with self._lock:
            self.killed += 1
