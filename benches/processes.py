"""Processes of the benchmarks: their ends, their CPU time, their memory. Only what was started here is ended."""
import contextlib
import os
import re
import selectors
import socket
import subprocess
import time

LIMIT = float(os.environ.get("BENCH_LIMIT", "120"))
NOBODY = subprocess.DEVNULL


class Failed(Exception):
    """A measurement that gave no figure."""


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def family(pid):
    """The process and all below it."""
    found = [pid]
    for child in children(pid):
        found += family(child)
    return found


def status_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return int(re.search(rf"^{name}:\s*(\d+)", file.read(), re.M).group(1))


def proportional_kib(pids):
    """Resident memory of processes, pages they share counted once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += int(re.search(r"^Pss:\s*(\d+)", file.read(), re.M).group(1))
    return total


def cpu_clock(pid):
    """CPU seconds of all threads of a process, those that have ended too."""
    return time.clock_gettime((~pid << 3) | 2)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Process:
    """A process of ours, ended with the block at the latest."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, **options)
        self.usage = None

    def __enter__(self):
        return self

    def wait(self, limit=None):
        """Waits for the end, and returns the exit status."""
        end = time.monotonic() + (LIMIT if limit is None else limit)
        # A descriptor tells the end at once; polling would add its interval to the figure.
        descriptor = os.pidfd_open(self.process.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(descriptor, selectors.EVENT_READ)
                if not selector.select(max(0, end - time.monotonic())):
                    raise Failed("took too long")
        finally:
            os.close(descriptor)
        _, status, self.usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.process.returncode

    def cpu(self):
        """CPU seconds of the ended process."""
        return self.usage.ru_utime + self.usage.ru_stime

    def __exit__(self, *_):
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        # Both of these notice an end that has come already.
        self.process.terminate()
        if self.process.returncode is None:
            try:
                self.wait(5)
            except Failed:
                self.process.kill()
                self.wait(5)


def read_until(pipe, word):
    """Waits for a word from a process, within the limit, and returns what came."""
    end, text = time.monotonic() + LIMIT, b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while word not in text:
            if not selector.select(max(0, end - time.monotonic())):
                raise Failed("no answer")
            part = os.read(pipe.fileno(), 4096)
            if not part:
                raise Failed(text.decode(errors="replace").strip() or "ended early")
            text += part
    return text
