#!/usr/bin/env python3
"""Connections that come, work, break and come again, for a long time: nothing may grow, and nothing fail that was not meant to.

    run.py --programs FOLDER [--minutes N] [--workers N] [--default-allocator] [--write FOLDER]

Our client and our server are a process each; OpenSSH's servers and clients take their share of the connections. After a
warm-up, a sixth of the time, resident memory, descriptors, threads and handles of both processes have to stay flat, by the
rule of rule.py. Ends with 1 when something does not hold.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import report
from evidence import Evidence
from openssh import Clients, Sshd
from programs import Failed, Program

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKERS, VICTIMS, OPENSSH_CLIENTS = 200, 4, 8
# Why a session of our server may end: the other side says so, is gone, or the server breaks the connection itself.
CAUSES = {"SSH_OK", "SSH_ERR_CLOSED", "SSH_ERR_CONN_LOST", "SSH_ERR_DISCONNECTED", "SSH_ERR_IO"}
# By itself glibc gives threads arenas of their own, 16 on two cores, and lets larger and larger blocks into them. What is
# resident is then mostly memory in pieces, whose highest mark creeps up for long while what is allocated stays the same.
# Without caches for each thread: what lies in one, malloc counts as given out, and two hundred threads take long to fill theirs.
ALLOCATOR = {
    "MALLOC_ARENA_MAX": "4", "MALLOC_MMAP_THRESHOLD_": "131072", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
}


def make_keys(scratch: pathlib.Path) -> None:
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "soak", "-f", str(scratch / name)]
        subprocess.run(words, check=True)
    (scratch / "authorized_keys").write_text((scratch / "user.pub").read_text())
    (scratch / "authorized_keys").chmod(0o644)


def place_words(port: int, user: str, files: pathlib.Path | str, words: str) -> str:
    return f"{port},{user},{files},{words}"


class Soak:
    """Everything that runs, and what has become of it."""

    def __init__(self, options: argparse.Namespace, scratch: pathlib.Path, sshd: str, account: str) -> None:
        self.options, self.scratch, self.account = options, scratch, account
        self.began = time.monotonic()
        self.problems: list[str] = []
        self.victims = self.sessions_killed = 0
        self._stop = threading.Event()
        (scratch / "ours").mkdir()
        (scratch / "theirs").mkdir(mode=0o777)
        (scratch / "theirs").chmod(0o777)
        self.steady, self.mortal = Sshd(sshd, scratch, "steady"), Sshd(sshd, scratch, "mortal")

    def start(self, name: str, *words: str, **environment: str) -> Program:
        command = [str(self.options.programs / name.split("-")[0]), *words]
        if not self.options.default_allocator:
            environment = {**ALLOCATOR, **environment}
        return Program(command, self.scratch / f"{name}.errors", self.began, **environment)

    def client(self, name: str, workers: int, places: list[str], **environment: str) -> Program:
        words = (str(self.scratch / "user"), str(self.scratch / "host.pub"), str(self.echo_port), str(workers), *places)
        return self.start(name, *words, **environment)

    def run(self) -> None:
        with self.start("echo") as echo, self.start("server", str(self.scratch / "host"), str(self.scratch / "ours")) as server:
            self.echo_port, (listened, raw) = echo.ports()[0], server.ports()
            server.watch()
            ours = place_words(listened, "anybody", "/", "p")
            ours_raw = place_words(raw, "anybody", "/", "pa")
            steady = place_words(self.steady.port, self.account, self.scratch / "theirs", "-")
            mortal = place_words(self.mortal.port, self.account, self.scratch / "theirs", "m")
            (self.scratch / "known_hosts").write_text(
                f"[127.0.0.1]:{listened} {' '.join((self.scratch / 'host.pub').read_text().split()[:2])}\n")
            with self.client("client", self.options.workers, [ours] * 4 + [ours_raw] * 2 + [steady, mortal]) as client:
                client.watch()
                evidence = Evidence(self.options.programs, {"server": server.child.pid, "client": client.child.pid})
                clients = Clients(self.scratch, listened, self.echo_port, OPENSSH_CLIENTS, evidence)
                killers = [threading.Thread(target=self._kill_sessions),
                           threading.Thread(target=self._kill_clients, args=([ours, ours_raw, steady],))]
                for killer in killers:
                    killer.start()
                self._wait(client, server)
                self._stop.set()
                clients.stop()
                for killer in killers:
                    killer.join()
                self._end("client", client)
                self._end("server", server)
                self.ssh_runs, self.ssh_killed, self.ssh_longest = clients.runs, clients.killed, clients.longest
                self.problems += [f"OpenSSH's client: {failure}" for failure in clients.failures]
            echo.finish()
        self.client_program, self.server_program = client, server
        self._judge_server(server)

    def _wait(self, client: Program, server: Program) -> None:
        end = self.began + 60 * self.options.minutes
        shown = 0.0
        while (now := time.monotonic()) < end:
            if client.child.poll() is not None or server.child.poll() is not None:
                raise Failed(f"a program has ended early: {client.said()[-2000:]}{server.said()[-2000:]}")
            if now - shown >= 30 and client.samples and server.samples:
                shown = now
                ours, theirs = client.samples[-1], server.samples[-1]
                print(f"{ours.time:5.0f} s: client {ours.resident_kib} KiB, {ours.descriptors} fds, {ours.threads} threads, "
                      f"{ours.said['rounds']} connections, {ours.said['unplanned']} failures; "
                      f"server {theirs.resident_kib} KiB, {theirs.descriptors} fds, {theirs.threads} threads, "
                      f"{theirs.said['open']} open", flush=True)
            time.sleep(1)

    def _kill_sessions(self) -> None:
        dice = random.Random(1)
        while not self._stop.wait(dice.uniform(0, 3)):
            self.sessions_killed += self.mortal.kill_session(dice)

    def _kill_clients(self, places: list[str]) -> None:
        """A client of ours that is killed, again and again."""
        dice = random.Random(2)
        while not self._stop.is_set():
            victim = self.client("client-victim", VICTIMS, places, SOAK_NAME="victim-", SOAK_PAUSE_MS="500")
            self._stop.wait(dice.uniform(1, 8))
            victim.kill()
            self.victims += 1
            if victim.said().strip():
                self.problems.append(f"a client that was killed later: {victim.said().strip()[:500]}")

    def _end(self, name: str, program: Program) -> None:
        status = program.finish()
        if status != 0:
            self.problems.append(f"the {name} ends with {status}")
        self.problems += [f"the {name}: {line}" for line in program.said().splitlines()]
        for what in ("handles", "open", "tasks"):
            if program.last.get(what, 0) != 0:
                self.problems.append(f"the {name} has {program.last[what]} {what} left at its end")

    def _judge_server(self, server: Program) -> None:
        for cause, count in server.last["causes"].items():
            if cause not in CAUSES:
                self.problems.append(f"{count} sessions of the server ended with {cause}")
        if any(one.said.get("shortages", 0) for one in server.samples):
            self.problems.append("the server was short of descriptors")

    def end(self) -> None:
        self._stop.set()
        self.steady.end()
        self.mortal.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--default-allocator", action="store_true", help="leave malloc as it is")
    parser.add_argument("--write", type=pathlib.Path)
    options = parser.parse_args()
    # Told to end, it ends what it has started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("soak: ended from outside"))
    peers = dict(line.split("=", 1) for line in (ROOT / "build/peers/env").read_text().splitlines())
    if not peers.get("SSHD") or not peers.get("ACCOUNT"):
        sys.exit("soak: OpenSSH and an account are needed; run tests/peers/setup.sh")
    with tempfile.TemporaryDirectory(prefix="sshwire-soak-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        make_keys(scratch)
        soak = Soak(options, scratch, peers["SSHD"], peers["ACCOUNT"])
        try:
            soak.run()
        except Failed as error:
            sys.exit(f"soak: {error}")
        finally:
            soak.end()
        rows = report.rows(soak.client_program.samples, soak.server_program.samples, 10 * options.minutes)
        soak.problems += [f"{row.process}: {row.name} is not flat: {row.verdict}" for row in rows if not row.verdict.flat]
        if options.write:
            report.write(options.write, soak, rows)
        print(report.table(rows))
        for problem in soak.problems[:50]:
            print(f"PROBLEM: {problem}")
        print(f"soak: {len(soak.problems)} problems", flush=True)
        return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
