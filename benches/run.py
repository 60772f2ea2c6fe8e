#!/usr/bin/env python3
"""Measures libsshwire and OpenSSH side by side over the loopback interface.

All four pairs of a client and a server are measured in one run, each repetition in a new random order, so that what
drifts on the machine hits all of them alike: compare figures of one run, never of two. Only the standard library is
used; only processes that were started here are ended.

Environment:
  BENCH_REPS     repetitions of everything (4)
  BENCH_SCALE    multiplies the amount of work of one measurement (1)
  BENCH_IDLE     idle connections (2000)
  BENCH_CIPHERS  names separated by commas
  BENCH_LIMIT    seconds after which one measurement has failed (60)
  BENCH_SEED     of the random order
"""
import argparse
import collections
import contextlib
import ctypes
import getpass
import json
import os
import platform
import random
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import report

REPS = int(os.environ.get("BENCH_REPS", "4"))
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
IDLE = int(os.environ.get("BENCH_IDLE", "2000"))
LIMIT = float(os.environ.get("BENCH_LIMIT", "60"))
CIPHERS = os.environ.get(
    "BENCH_CIPHERS",
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr",
).split(",")
BULK = 512 << 20
# How much of each mode, for our client and for OpenSSH's, which takes a process for some of them.
AMOUNT = {
    "echo": {"sshwire": 2000, "openssh": 2000},
    "exec": {"sshwire": 200, "openssh": 50},
    "handshake": {"sshwire": 50, "openssh": 15},
}
OPENSSH_IDLE = 50
KEX, HOST_KEY, MAC = "curve25519-sha256", "ssh-ed25519", "hmac-sha2-256-etm@openssh.com"
NOBODY = subprocess.DEVNULL
PR_SET_CHILD_SUBREAPER = 36


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


class Bench:
    """Keys, configuration and servers of one run, in a directory that is gone afterwards."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.user = getpass.getuser()
        self.servers, self.orphans, self.own = {}, 0.0, set()
        for name in ("id", "host"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        shutil.copy(self.path("id.pub"), self.path("authorized_keys"))
        with open(self.path("sshd_config"), "w", encoding="ascii") as file:
            file.write(
                "ListenAddress 127.0.0.1\n"
                f"HostKey {self.path('host')}\n"
                f"AuthorizedKeysFile {self.path('authorized_keys')}\n"
                "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
                "KbdInteractiveAuthentication no\nMaxStartups 4000:30:8000\nMaxSessions 4000\nLogLevel ERROR\n"
                "PrintMotd no\nUseDNS no\n"
                # bash under sshd reads the user's start-up files, unless it believes that another shell did.
                "SetEnv SHLVL=2\n"
            )

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name):
        return os.path.join(self.programs, name)

    def zeros(self, amount):
        """A file to send. It is in the page cache, so that the client is not charged for bringing it there."""
        path = self.path(f"zeros-{amount}")
        if not os.path.exists(path):
            with open(path, "w+b") as file:
                file.truncate(amount)
                while file.read(1 << 20):
                    pass
        return path

    def start_servers(self, stack, log):
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        for name, command in (
            ("sshwire", lambda port: [self.program("contract_server"), port, self.path("host")]),
            ("openssh", lambda port: [sshd, "-D", "-e", "-f", self.path("sshd_config"), "-p", port]),
        ):
            port = free_port()
            server = Process(command(str(port)), stdin=NOBODY, stdout=log, stderr=log)
            stack.enter_context(server)
            self.own.add(server.process.pid)
            self.servers[name] = (server.process.pid, port)
            end = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > end or server.process.poll() is not None:
                        sys.exit(f"the {name} server does not start, see {log.name}")
                    time.sleep(0.02)

    def server_cpu(self, pid):
        """CPU seconds of a server, of the processes it has reaped, and of those it has left to us."""
        for child in children(os.getpid()):
            if child not in self.own:
                with contextlib.suppress(ChildProcessError):
                    done, _, usage = os.wait4(child, os.WNOHANG)
                    if done:
                        self.orphans += usage.ru_utime + usage.ru_stime
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        reaped = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        return cpu_clock(pid) + reaped + self.orphans

    def settle(self, pid):
        """Waits until a server has seen the end of its last connection."""
        end = time.monotonic() + 3
        time.sleep(0.02)
        while children(pid) and time.monotonic() < end:
            time.sleep(0.01)
        return self.server_cpu(pid)

    def ssh(self, port, cipher, *more):
        options = [
            "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes",
            "IdentityAgent=none", "BatchMode=yes", f"HostKeyAlgorithms={HOST_KEY}", f"KexAlgorithms={KEX}",
            f"MACs={MAC}", f"Ciphers={cipher}",
        ]
        command = ["ssh", "-F", "none", "-i", self.path("id"), "-p", str(port)]
        for option in options:
            command += ["-o", option]
        return command + list(more) + [f"{self.user}@127.0.0.1"]


# Each of these returns the seconds of wall time and the client's CPU seconds.


def sshwire_client(bench, port, mode, amount, cipher):
    command = [bench.program("contract_client"), "127.0.0.1", str(port), bench.user, bench.path("id")]
    done = subprocess.run(
        command + [mode, str(amount), cipher], stdin=NOBODY, capture_output=True, timeout=LIMIT, check=False
    )
    if done.returncode != 0:
        raise Failed(done.stderr.decode(errors="replace").strip())
    figures = json.loads(done.stdout)
    return figures["secs"], figures["user"] + figures["sys"]


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


# ssh runs this when it has logged in and before it asks for a channel: the time begins where it does for our client.
LOGGED_IN = ("-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo ready >&2")


def openssh_bulk(bench, port, mode, amount, cipher):
    command = bench.ssh(port, cipher, *LOGGED_IN)
    with contextlib.ExitStack() as stack:
        if mode == "down":
            source = NOBODY
            command.append(f"head -c {amount} /dev/zero")
        else:
            source = stack.enter_context(open(bench.zeros(amount), "rb"))
            command.append("cat >/dev/null")
        client = stack.enter_context(Process(command, stdin=source, stdout=NOBODY, stderr=subprocess.PIPE))
        read_until(client.process.stderr, b"ready")
        start, used = time.monotonic(), cpu_clock(client.process.pid)
        if client.wait() != 0:
            raise Failed("ssh failed")
        return time.monotonic() - start, client.cpu() - used


def openssh_echo(bench, port, _mode, amount, cipher):
    pipe = subprocess.PIPE
    with Process(bench.ssh(port, cipher) + ["cat"], stdin=pipe, stdout=pipe, stderr=NOBODY, bufsize=0) as client:
        there, back = client.process.stdin.fileno(), client.process.stdout
        os.write(there, b"x")
        read_until(back, b"x")
        start, used = time.monotonic(), cpu_clock(client.process.pid)
        for _ in range(amount):
            os.write(there, b"x")
            if os.read(back.fileno(), 1) != b"x":
                raise Failed("ended early")
        return time.monotonic() - start, cpu_clock(client.process.pid) - used


def openssh_each(command, amount):
    used = 0.0
    for _ in range(amount):
        with Process(command, stdin=NOBODY, stdout=NOBODY, stderr=NOBODY) as client:
            if client.wait() != 0:
                raise Failed("ssh failed")
        used += client.cpu()
    return used


def openssh_handshake(bench, port, _mode, amount, cipher):
    start = time.monotonic()
    used = openssh_each(bench.ssh(port, cipher) + ["true"], amount)
    return time.monotonic() - start, used


def openssh_exec(bench, port, _mode, amount, cipher):
    # A name of its own each time: the socket of a master that is still ending would be taken for this one, and the
    # commands would make connections of their own.
    control = tempfile.mktemp(prefix="control-", dir=bench.folder)
    master = bench.ssh(port, cipher, "-M", "-S", control, "-N", *LOGGED_IN)
    with Process(master, stdin=NOBODY, stdout=NOBODY, stderr=subprocess.PIPE) as client:
        read_until(client.process.stderr, b"ready")
        end = time.monotonic() + 5
        while not os.path.exists(control):
            if time.monotonic() > end:
                raise Failed("no control socket")
            time.sleep(0.01)
        start, used = time.monotonic(), cpu_clock(client.process.pid)
        others = openssh_each(bench.ssh(port, cipher, "-S", control) + ["true"], amount)
        return time.monotonic() - start, cpu_clock(client.process.pid) - used + others


OPENSSH = {
    "down": openssh_bulk,
    "up": openssh_bulk,
    "echo": openssh_echo,
    "handshake": openssh_handshake,
    "exec": openssh_exec,
}


def amount_of(mode, client):
    amount = BULK if mode in ("down", "up") else AMOUNT[mode][client]
    return max(5, int(amount * SCALE))


def measure(bench, mode, cipher, client, server):
    pid, port = bench.servers[server]
    amount = amount_of(mode, client)
    before = bench.settle(pid)
    run = sshwire_client if client == "sshwire" else OPENSSH[mode]
    seconds, used = run(bench, port, mode, amount, cipher)
    return {
        "mode": mode, "cipher": cipher, "client": client, "server": server, "amount": amount, "seconds": seconds,
        "client_cpu": used, "server_cpu": bench.settle(pid) - before,
    }


def everything(bench):
    """All measurements, interleaved."""
    peers = ("sshwire", "openssh")
    combinations = [
        (mode, cipher, client, server)
        for client in peers
        for server in peers
        for mode, ciphers in [("down", CIPHERS), ("up", CIPHERS)] + [(mode, CIPHERS[:1]) for mode in AMOUNT]
        for cipher in ciphers
    ]
    results, failed = [], set()
    order = random.Random(os.environ.get("BENCH_SEED"))
    for repetition in range(REPS):
        order.shuffle(combinations)
        for combination in combinations:
            if combination in failed:
                continue
            try:
                results.append(dict(measure(bench, *combination), repetition=repetition))
            except (Failed, subprocess.TimeoutExpired) as cause:
                print(*combination, f"FAILED: {cause}", file=sys.stderr)
                failed.add(combination)
        print(f"repetition {repetition + 1} of {REPS} done", file=sys.stderr, flush=True)
    return results, failed


def hold(bench, port, count):
    """Our client with idle connections that last as long as its standard input."""
    command = [bench.program("contract_client"), "127.0.0.1", str(port), bench.user, bench.path("id")]
    command += ["idle", str(count), CIPHERS[0]]
    return Process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, BENCH_HOLD="1"), bufsize=0
    )


def idle_sshwire(bench):
    pid, port = bench.servers["sshwire"]
    sshwire_client(bench, port, "handshake", 5, CIPHERS[0])
    time.sleep(0.5)
    before, threads_before = status_of(pid, "VmRSS"), status_of(pid, "Threads")
    with hold(bench, port, IDLE) as client:
        figures = json.loads(read_until(client.process.stdout, b"}"))
        server_kib = (status_of(pid, "VmRSS") - before) / IDLE
        server_threads = status_of(pid, "Threads")
        client.process.stdin.close()
        client.process.stdin = None
        if client.wait() != 0:
            raise Failed("an idle connection did not last")
    return {
        "connections": IDLE, "seconds": figures["secs"], "client_kib": figures["rss_kb_per_conn"],
        "server_kib": server_kib, "client_threads": figures["threads"], "server_threads": server_threads,
        "server_threads_before": threads_before,
    }


def idle_openssh(bench):
    """OpenSSH takes processes for each connection: what those hold, shared pages counted once."""
    pid, port = bench.servers["openssh"]
    bench.settle(pid)
    before = proportional_kib(family(pid))
    with hold(bench, port, OPENSSH_IDLE) as client:
        read_until(client.process.stdout, b"}")
        # One more connection than asked for is open: the one our client begins with.
        server_kib = (proportional_kib(family(pid)) - before) / (OPENSSH_IDLE + 1)
        processes = (len(family(pid)) - 1) / (OPENSSH_IDLE + 1)
    _, port = bench.servers["sshwire"]
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(OPENSSH_IDLE):
            command = bench.ssh(port, CIPHERS[0], "-N", *LOGGED_IN)
            clients.append(Process(command, stdin=NOBODY, stdout=NOBODY, stderr=subprocess.PIPE))
            stack.enter_context(clients[-1])
            read_until(clients[-1].process.stderr, b"ready")
        client_kib = proportional_kib([client.process.pid for client in clients]) / OPENSSH_IDLE
    return {
        "connections": OPENSSH_IDLE, "server_kib": server_kib, "client_kib": client_kib,
        "server_processes": processes,
    }


def machine():
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = re.search(r"model name\s*:\s*(.*)", file.read()).group(1)
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, check=False).stderr.decode().strip()
    revision = subprocess.run(
        ["git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD"],
        capture_output=True, check=False,
    ).stdout.decode().strip()
    return {
        "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "openssh": ssh, "revision": revision,
        "date": time.strftime("%Y-%m-%d"), "repetitions": REPS, "bulk_mib": int(BULK * SCALE) >> 20,
        "kex": KEX, "host_key": HOST_KEY, "mac": MAC, "load": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="where contract_client and contract_server are")
    parser.add_argument("--write", help="the folder for performance.md and its plot")
    parser.add_argument("what", choices=("run", "idle"))
    arguments = parser.parse_args()
    for program in ("ssh", "ssh-keygen"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing: the benchmarks compare with OpenSSH")
    # Processes that sshd leaves behind come to us, and their CPU time is counted.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    facts, began = machine(), time.monotonic()
    results, failed, idle = [], set(), collections.OrderedDict()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sshwire-bench-"))
        log = stack.enter_context(open(os.path.join(arguments.programs, "servers.log"), "wb"))
        bench = Bench(os.path.abspath(arguments.programs), folder)
        bench.start_servers(stack, log)
        idle["sshwire"] = idle_sshwire(bench)
        idle["openssh"] = idle_openssh(bench)
        if arguments.what == "run":
            results, failed = everything(bench)
    facts["minutes"] = (time.monotonic() - began) / 60
    with open(os.path.join(arguments.programs, "results.json"), "w", encoding="utf-8") as file:
        json.dump({"facts": facts, "idle": idle, "results": results}, file, indent=1)
    print(report.text(facts, idle, results))
    if arguments.write and not failed:
        report.write(arguments.write, facts, idle, results)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
