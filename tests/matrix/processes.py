"""Starting programs, and ending them: only those that were started here, by their process group."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import subprocess
import tempfile

LIMIT = 60


@dataclasses.dataclass(frozen=True)
class Done:
    """A program that has ended."""

    status: int
    out: bytes
    err: str

    def tail(self, length: int = 300) -> str:
        """The last that it said about what went wrong, on one line."""
        words = " / ".join(line.strip() for line in self.err.strip().splitlines()[-6:] if line.strip())
        return words[-length:] or f"exit status {self.status}, and nothing said"


def end(child: subprocess.Popen) -> None:
    """Ends a program and what it has started."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, ending)
            child.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
    child.wait()


def run(command: list[str], environment: dict[str, str], given: bytes = b"", where: pathlib.Path | None = None) -> Done:
    """Runs a program to its end, or to that of its time."""
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=where,
        start_new_session=True,
    )
    try:
        out, err = child.communicate(given, LIMIT)
    except subprocess.TimeoutExpired:
        end(child)
        out, err = child.communicate()
        return Done(-1, out, err.decode(errors="replace") + f"\nno end after {LIMIT} s")
    return Done(child.returncode, out, err.decode(errors="replace"))


class Server:
    """A server that tells its port on a line of its own, for as long as the block lasts."""

    def __init__(self, command: list[str], environment: dict[str, str], where: pathlib.Path) -> None:
        self._words = (command, environment, where)
        self._said = tempfile.TemporaryFile()

    def __enter__(self) -> Server:
        command, environment, where = self._words
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env=environment, cwd=where,
            start_new_session=True,
        )
        self.port = 0
        for line in iter(self.child.stdout.readline, b""):
            words = line.decode(errors="replace").split()
            if words[:1] == ["listening"]:
                self.port = int(words[-1].rpartition(":")[2])
                break
        if self.port == 0:
            self.child.wait(LIMIT)
        return self

    def said(self) -> str:
        """All that it has said so far on standard error."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")

    def done(self) -> Done:
        """How it ended, if it has ended by itself."""
        return Done(self.child.returncode or 0, b"", self.said())

    def __exit__(self, *_) -> None:
        self.child.stdin.close()
        try:
            self.child.wait(1)
        except subprocess.TimeoutExpired:
            pass
        end(self.child) if self.child.poll() is None else self._end_group()
        self.child.stdout.close()
        self._said.close()

    def _end_group(self) -> None:
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
