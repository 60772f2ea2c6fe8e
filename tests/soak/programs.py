"""The programs of the soak test: started, sampled each time they print their figures, ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import threading
import time

LIMIT = 600


class Failed(Exception):
    """Something that has nothing to do with the library and ends the test."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a process held at one moment, and what it said of itself."""

    time: float
    resident_kib: int
    descriptors: int
    threads: int
    said: dict


def sample(pid: int, began: float, said: dict) -> Sample | None:
    """None of a process that has just ended."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")

    if "VmRSS" not in status:
        return None

    def field(name: str) -> int:
        return int(re.search(rf"^{name}:\s*(\d+)", status, re.M).group(1))

    return Sample(time.monotonic() - began, field("VmRSS"), len(os.listdir(f"/proc/{pid}/fd")), field("Threads"), said)


class Program:
    """One of tests/soak/*.c. It tells its ports on the first line, or figures on every one, and ends when its standard
    input does."""

    def __init__(self, command: list[str], errors: pathlib.Path, began: float, **environment: str) -> None:
        self.samples: list[Sample] = []
        self.last: dict = {}
        self.began = began
        self.errors = errors
        self._errors = errors.open("wb")
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env={**os.environ, **environment},
        )
        self._reader: threading.Thread | None = None

    def ports(self) -> list[int]:
        """What stands behind the word `listening`."""
        words = self.child.stdout.readline().decode().split()
        if words[:1] != ["listening"]:
            raise Failed(f"{self.child.args[0]} does not listen: {self.said()}")
        return [int(word) for word in words[1:]]

    def watch(self) -> None:
        """Reads its figures from now on, and looks at the process each time."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.child.stdout:
            self.last = json.loads(line)
            with contextlib.suppress(OSError):
                if (taken := sample(self.child.pid, self.began, self.last)) is not None:
                    self.samples.append(taken)

    def said(self) -> str:
        return self.errors.read_text(errors="replace")

    def finish(self) -> int:
        """Has it end by itself, and returns its exit status."""
        self.child.stdin.close()
        try:
            status = self.child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            status = -9
        if self._reader is not None:
            self._reader.join(LIMIT)
        self._close()
        return status

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self._close()

    def _close(self) -> None:
        self.child.stdout.close()
        self._errors.close()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_) -> None:
        if self.child.poll() is None:
            self.kill()
