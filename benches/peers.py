"""The programs that are measured: keys, servers, slow lines, and how each client is told what to do.

OpenSSH's programs have a way of their own. All others follow the command line of contract_client.c and contract_server.c.
"""
import contextlib
import getpass
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import plan
from processes import NOBODY, LIMIT, Failed, Process, children, cpu_clock, free_port, read_until

HOST_KEY, MAC = "ssh-ed25519", "hmac-sha2-256-etm@openssh.com"
SSHD_CONFIG = """ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 4000:30:8000
MaxSessions 4000
LogLevel ERROR
PrintMotd no
UseDNS no
Subsystem sftp internal-sftp
# bash under sshd reads the user's start-up files, unless it believes that another shell did.
SetEnv SHLVL=2
"""


class Bench:
    """Keys, configuration and servers of one run, in a directory that is gone afterwards."""

    def __init__(self, programs, folder, stack, log):
        self.programs, self.folder, self.stack, self.log = programs, folder, stack, log
        self.user = getpass.getuser()
        self.servers, self.lines, self.orphans, self.own = {}, {}, 0.0, set()
        for name in ("id", "host"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        shutil.copy(self.path("id.pub"), self.path("authorized_keys"))
        with open(self.path("sshd_config"), "w", encoding="ascii") as file:
            file.write(SSHD_CONFIG.format(folder=folder))
        for name in ("files", "local"):
            os.mkdir(self.path(name))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def program(self, name):
        """The command of NAME_client or NAME_server, or None."""
        peer, role = name.rsplit("_", 1)
        if peer == "tcp":
            return [os.path.join(self.programs, "loopback"), role]
        path = os.path.join(self.programs, f"contract_{role}" if peer == "sshwire" else os.path.join("peers", name))
        return [path] if os.access(path, os.X_OK) else None

    def has(self, task):
        return (task.client == "openssh" or self.program(f"{task.client}_client") is not None) and (
            task.server == "openssh" or self.program(f"{task.server}_server") is not None
        )

    def zeros(self, amount, folder="files"):
        """A file to send. It is in the page cache, so that the client is not charged for bringing it there."""
        path = self.path(folder, f"zeros-{amount}")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                for done in range(0, amount, 1 << 20):
                    file.write(bytes(min(1 << 20, amount - done)))
        return path

    def tree(self):
        """Many small files."""
        folder = self.path("local", "tree")
        if not os.path.exists(folder):
            os.mkdir(folder)
            for number in range(plan.TREE_FILES):
                with open(os.path.join(folder, f"file-{number:05}"), "wb") as file:
                    file.write(bytes(plan.TREE_SIZE))
        return folder

    def remote(self, server, *names):
        """How a server calls a file below the folder that is served: ours sees nothing else."""
        return "/" + "/".join(names) if server == "sshwire" else self.path("files", *names)

    def command_of_server(self, name, port):
        if name == "openssh":
            if os.geteuid() == 0:
                os.makedirs("/run/sshd", exist_ok=True)
            sshd = shutil.which("sshd") or "/usr/sbin/sshd"
            return [sshd, "-D", "-e", "-f", self.path("sshd_config"), "-p", port]
        command = self.program(f"{name}_server") + [port, self.path("host")]
        return command + [self.path("files")] if name == "sshwire" else command

    def start(self, command, port, what, **environment):
        server = Process(
            command, stdin=NOBODY, stdout=self.log, stderr=self.log, env=dict(os.environ, **environment)
        )
        self.stack.enter_context(server)
        self.own.add(server.process.pid)
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return server.process.pid
            except OSError:
                if time.monotonic() > end or server.process.poll() is not None:
                    sys.exit(f"{what} does not start, see {self.log.name}")
                time.sleep(0.02)

    def server(self, name, delay=0):
        """The process and the port of a server, at the end of a slow line if need be."""
        if name not in self.servers:
            port = free_port()
            self.servers[name] = (self.start(self.command_of_server(name, str(port)), port, f"the {name} server"), port)
        pid, port = self.servers[name]
        if delay:
            if (name, delay) not in self.lines:
                entrance = free_port()
                command = [os.path.join(self.programs, "loopback"), "delay", str(entrance), str(port), str(delay / 2)]
                self.start(command, entrance, "the slow line")
                self.lines[name, delay] = entrance
            port = self.lines[name, delay]
        return pid, port

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

    def options(self, cipher, kex=""):
        options = [
            "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes",
            "IdentityAgent=none", "BatchMode=yes", f"HostKeyAlgorithms={HOST_KEY}", f"KexAlgorithms={kex or plan.KEX}",
            f"MACs={MAC}", f"Ciphers={cipher}",
        ]
        words = ["-F", "none", "-i", self.path("id")]
        for option in options:
            words += ["-o", option]
        return words

    def ssh(self, port, cipher, *more):
        return ["ssh", *self.options(cipher), "-p", str(port), *more, f"{self.user}@127.0.0.1"]

    def sftp(self, port, cipher):
        return ["sftp", *self.options(cipher), "-P", str(port), "-q", "-b", "-", f"{self.user}@127.0.0.1"]


# Each client returns a dictionary with at least the seconds of wall time and the client's CPU seconds.


def contract_client(bench, port, task, environment):
    command = bench.program(f"{task.client}_client") + ["127.0.0.1", str(port), bench.user, bench.path("id")]
    done = subprocess.run(
        command + [task.mode, str(task.amount), task.cipher], stdin=NOBODY, capture_output=True, timeout=LIMIT,
        check=False, env=dict(os.environ, **environment, **({"BENCH_KEX": task.kex} if task.kex else {})),
    )
    if done.returncode != 0:
        raise Failed(done.stderr.decode(errors="replace").strip()[-300:])
    figures = json.loads(done.stdout)
    return dict(figures, seconds=figures["secs"], client_cpu=figures["user"] + figures["sys"], amount=figures["count"])


# ssh runs this when it has logged in and before it asks for a channel: the time begins where it does for our client.
LOGGED_IN = ("-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo ready >&2")


def openssh_bulk(bench, port, task, _):
    command = bench.ssh(port, task.cipher, *LOGGED_IN)
    with contextlib.ExitStack() as stack:
        if task.mode == "down":
            source = NOBODY
            command.append(f"head -c {task.amount} /dev/zero")
        else:
            source = stack.enter_context(open(bench.zeros(task.amount), "rb"))
            command.append("cat >/dev/null")
        client = stack.enter_context(Process(command, stdin=source, stdout=NOBODY, stderr=subprocess.PIPE))
        read_until(client.process.stderr, b"ready")
        start, used = time.monotonic(), cpu_clock(client.process.pid)
        if client.wait() != 0:
            raise Failed("ssh failed")
        return {"seconds": time.monotonic() - start, "client_cpu": client.cpu() - used}


def openssh_echo(bench, port, task, _):
    pipe = subprocess.PIPE
    command = bench.ssh(port, task.cipher) + ["cat"]
    with Process(command, stdin=pipe, stdout=pipe, stderr=NOBODY, bufsize=0) as client:
        there, back = client.process.stdin.fileno(), client.process.stdout
        os.write(there, b"x")
        read_until(back, b"x")
        start, used = time.monotonic(), cpu_clock(client.process.pid)
        for _number in range(task.amount):
            os.write(there, b"x")
            if os.read(back.fileno(), 1) != b"x":
                raise Failed("ended early")
        return {"seconds": time.monotonic() - start, "client_cpu": cpu_clock(client.process.pid) - used}


def openssh_handshake(bench, port, task, _):
    start, used = time.monotonic(), 0.0
    for _number in range(task.amount):
        with Process(bench.ssh(port, task.cipher) + ["true"], stdin=NOBODY, stdout=NOBODY, stderr=NOBODY) as client:
            if client.wait() != 0:
                raise Failed("ssh failed")
        used += client.cpu()
    return {"seconds": time.monotonic() - start, "client_cpu": used}


def batch(bench, port, task, line):
    """One line of a batch of sftp: its seconds and CPU seconds, with logging in."""
    with tempfile.TemporaryFile() as lines:
        lines.write(line.encode() + b"\n")
        lines.seek(0)
        start = time.monotonic()
        with Process(bench.sftp(port, task.cipher), stdin=lines, stdout=NOBODY, stderr=NOBODY) as client:
            if client.wait() != 0:
                raise Failed("sftp failed")
        return time.monotonic() - start, client.cpu()


def openssh_files(bench, port, task, environment):
    file, local = environment["BENCH_FILE"], environment["BENCH_LOCAL"]
    line = {
        "sftpget": f"get {file} /dev/null",
        "sftpput": f"put {bench.path('files', os.path.basename(file))} {file}.up",
        "sftpputtree": f"put -r {local} {file}",
        "sftpgettree": f"get -r {file} {local}",
    }[task.mode]
    # What it costs to do nothing is taken off.
    nothing = [batch(bench, port, task, "pwd") for _number in range(3)]
    seconds, used = batch(bench, port, task, line)
    return {
        "seconds": seconds - statistics.median(one[0] for one in nothing),
        "client_cpu": max(0.0, used - statistics.median(one[1] for one in nothing)),
    }


OPENSSH = {
    "down": openssh_bulk, "up": openssh_bulk, "echo": openssh_echo, "handshake": openssh_handshake,
    "sftpget": openssh_files, "sftpput": openssh_files, "sftpputtree": openssh_files, "sftpgettree": openssh_files,
}


def count_files(folder):
    return sum(len(names) for _, _, names in os.walk(folder))


@contextlib.contextmanager
def files_of(bench, task):
    """What a task with files needs in the environment. Afterwards looks whether all has arrived, and clears up."""
    if not task.mode.startswith("sftp"):
        yield {}
    elif not task.mode.endswith("tree"):
        name = os.path.basename(bench.zeros(task.amount))
        yield {"BENCH_FILE": bench.remote(task.server, name), "BENCH_LOCAL": ""}
        if task.mode in ("sftpput", "sftpwrite"):
            arrived = bench.path("files", name + ".up")
            if os.stat(arrived).st_size != task.amount:
                raise Failed("the file that arrived is not whole")
            os.unlink(arrived)
    else:
        puts, source = task.mode == "sftpputtree", bench.tree()
        arrived = bench.path("files" if puts else "local", "arrived")
        if not puts and not os.path.exists(bench.path("files", "tree")):
            shutil.copytree(source, bench.path("files", "tree"))
        try:
            yield {
                "BENCH_FILE": bench.remote(task.server, "arrived" if puts else "tree"),
                "BENCH_LOCAL": source if puts else arrived,
            }
            count = count_files(arrived)
        finally:
            shutil.rmtree(arrived, ignore_errors=True)
        if count != plan.TREE_FILES:
            raise Failed(f"{count} files have arrived")


def measure(bench, task):
    pid, port = bench.server(task.server, task.delay)
    run = OPENSSH[task.mode] if task.client == "openssh" else contract_client
    with files_of(bench, task) as environment:
        before = bench.settle(pid)
        result = run(bench, port, task, environment)
        used = bench.settle(pid) - before
    return {**task._asdict(), **result, "server_cpu": used}
