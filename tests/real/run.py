#!/usr/bin/env python3
"""Has the programs of every day do their work over ours, and compares what they have done.

    run.py [--only PART,PART...] [--mebibytes N] [--write FILE]

`examples-c/ssh` takes the place of `ssh` under git, rsync, sftp, scp, sshfs, lftp and ansible and on the way of the real `ssh`,
against a real sshd; then the real ones talk to `examples-c/server`. Needs `tests/real/setup.sh` to have run.
Ends with 1 when something failed, or could not be run.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/matrix"))
from run import make_keys  # noqa: E402
from sides import OurServer, PeerServer, Rig, Setting  # noqa: E402
from table import PEERS  # noqa: E402

LIMIT = 900


class Failed(Exception):
    """What went wrong."""


class Place:
    """A server, and a configuration by which programs go there under the name `rig`."""

    def __init__(self, rig: Rig, port: int, ssh: str, work: pathlib.Path, mebibytes: int) -> None:
        self.rig, self.ssh, self.work, self.mebibytes = rig, ssh, work, mebibytes
        self.port, self.known = port, rig.known_hosts(port, "ed25519", work)
        self.config = work / "config"
        lines = ["Host rig again", "HostName 127.0.0.1", f"Port {port}", f"User {rig.user}", f"IdentityFile {rig.key('ed25519')}",
                 "IdentitiesOnly yes", f"UserKnownHostsFile {self.known}", "StrictHostKeyChecking yes", "BatchMode yes"]
        self.config.write_text("\n".join(lines) + "\n")

    def command(self) -> str:
        return f"{self.ssh} -F {self.config}"

    def run(self, words: list[str], given: bytes = b"", where: pathlib.Path | None = None, **environment: str) -> bytes:
        """Runs a program that has to succeed; what it says on its output."""
        child = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=where or self.work,
            env={**os.environ, **environment}, start_new_session=True,
        )
        try:
            out, err = child.communicate(given, LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            child.communicate()
            raise Failed(f"{words[0]}: no end after {LIMIT} s") from None
        if child.returncode:
            raise Failed(f"{words[0]} ends with {child.returncode}: {err.decode(errors='replace').strip()[-400:]}")
        return out

    def there(self, command: str, given: bytes = b"") -> bytes:
        return self.run([self.ssh, "-F", str(self.config), "rig", command], given)

    @contextlib.contextmanager
    def directory(self):
        """One over there that is gone afterwards."""
        name = self.there("mktemp -d").decode().strip()
        try:
            yield name
        finally:
            self.there(f"rm -rf {name}")


def tree(path: pathlib.Path) -> dict[str, str]:
    """What is in a directory, by hash."""
    found = {}
    for file in sorted(path.rglob("*")):
        if file.is_file() and not file.is_symlink():
            found[str(file.relative_to(path))] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def fill(path: pathlib.Path, files: int, length: int) -> None:
    """Some files in some directories, the same each time."""
    dice = random.Random(files * length)
    for number in range(files):
        file = path / f"part {number % 7}" / f"file-{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(dice.randbytes(length + number))


def same(one: pathlib.Path, other: pathlib.Path) -> None:
    if tree(one) != tree(other):
        raise Failed("what came back is not what was sent")


# ---- parts ---------------------------------------------------------------------------------------------------------


def with_git(place: Place) -> str:
    """Pushes a repository, clones it, and compares."""
    repository, clone = place.work / "repository", place.work / "clone"
    ours = {"GIT_SSH_COMMAND": place.command(), "GIT_CONFIG_GLOBAL": "/dev/null"}
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
    place.run(["git", *who, "init", "-q", str(repository)])
    fill(repository, place.mebibytes // 4, 4 * 1024 * 1024)
    place.run(["git", *who, "add", "-A"], where=repository)
    place.run(["git", *who, "commit", "-q", "-m", "all of it"], where=repository)
    with place.directory() as there:
        place.there(f"git -c init.defaultBranch=main init -q --bare {there}/bare")
        place.run(["git", "push", "-q", f"rig:{there}/bare", "HEAD:refs/heads/main"], where=repository, **ours)
        place.run(["git", "clone", "-q", f"rig:{there}/bare", str(clone)], **ours)
    place.run(["git", "fsck", "--strict"], where=clone)
    heads = [place.run(["git", "rev-parse", "HEAD"], where=path) for path in (repository, clone)]
    if heads[0] != heads[1]:
        raise Failed("another commit came back")
    return f"{place.mebibytes} MiB pushed and cloned"


def with_rsync(place: Place) -> str:
    sent, back = place.work / "sent", place.work / "back"
    fill(sent, 200, 100_000)
    with place.directory() as there:
        place.run(["rsync", "-a", "-e", place.command(), f"{sent}/", f"rig:{there}/"])
        place.run(["rsync", "-a", "-e", place.command(), f"rig:{there}/", f"{back}/"])
        again = place.run(["rsync", "-ain", "-e", place.command(), f"{sent}/", f"rig:{there}/"])
    same(sent, back)
    if again.strip():
        raise Failed(f"a second run would still do something: {again[:200]!r}")
    return "200 files there and back, nothing left to do"


def with_sftp(place: Place) -> str:
    sent, back = place.work / "sent", place.work / "back"
    fill(sent, 20, 500_000)
    with place.directory() as there:
        lines = f"put -r {sent} {there}/stored\nget -r {there}/stored {back}\nls -l {there}\nrm {there}/stored/*/*\n"
        place.run(["sftp", "-q", "-S", place.ssh, "-F", str(place.config), "-b", "-", "rig"], lines.encode())
    same(sent, back)
    return "20 files there and back"


def with_scp(place: Place) -> str:
    sent = place.work / "sent"
    fill(sent, 20, 500_000)
    for number, old in enumerate(([], ["-O"])):
        back = place.work / f"back-{number}"
        with place.directory() as there:
            words = ["scp", "-q", "-S", place.ssh, "-F", str(place.config), *old, "-r"]
            place.run([*words, str(sent), f"rig:{there}/stored"])
            place.run([*words, f"rig:{there}/stored", str(back)])
        same(sent, back)
    return "20 files there and back, by SFTP and by the old protocol"


def with_sshfs(place: Place) -> str:
    mounted, sent = place.work / "mounted", place.work / "sent"
    mounted.mkdir()
    fill(sent, 20, 500_000)
    with place.directory() as there:
        words = ["sshfs", "-f", "-o", f"ssh_command={place.command()}", f"rig:{there}", str(mounted)]
        child = subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True)
        try:
            until = time.monotonic() + 30
            while not os.path.ismount(mounted):
                if child.poll() is not None or time.monotonic() > until:
                    raise Failed(f"sshfs does not mount: {child.stderr.read(400) if child.poll() is not None else ''}")
                time.sleep(0.05)
            place.run(["cp", "-r", str(sent), str(mounted / "stored")])
            same(sent, mounted / "stored")
            (mounted / "stored/part 0/file-0").rename(mounted / "moved")
            (mounted / "moved").unlink()
        finally:
            subprocess.run(["fusermount3" if which("fusermount3") else "fusermount", "-u", str(mounted)], check=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(20)
            if child.poll() is None:
                os.killpg(child.pid, 9)
    return "20 files copied and compared, one renamed and removed"


def with_lftp(place: Place) -> str:
    """A tree up and down, several files at once."""
    sent, back = place.work / "sent", place.work / "back"
    fill(sent, 40, 200_000)
    with place.directory() as there:
        lines = [
            "set net:max-retries 1", "set net:timeout 60", "set cmd:fail-exit yes",
            f'set sftp:connect-program "{place.command()} -a -x"', "open sftp://rig",
            f'mirror -R --parallel=3 "{sent}" "{there}/stored"', f'mirror --parallel=3 "{there}/stored" "{back}"',
            f'mv "{there}/stored/part 0/file-0" "{there}/moved"', f'rm "{there}/moved"', "bye",
        ]
        place.run(["lftp", "--norc", "-c", "; ".join(lines)], HOME=str(place.work))
    same(sent, back)
    return "40 files mirrored there and back, one renamed and removed"


def with_rclone(place: Place) -> str:
    """Its ssh is that of Go, so that only the server can be ours."""
    sent, back = place.work / "sent", place.work / "back"
    fill(sent, 40, 200_000)
    settings = {
        "RCLONE_CONFIG": str(place.work / "rclone.conf"), "RCLONE_CONFIG_RIG_TYPE": "sftp", "RCLONE_CONFIG_RIG_HOST": "127.0.0.1",
        "RCLONE_CONFIG_RIG_PORT": str(place.port), "RCLONE_CONFIG_RIG_USER": place.rig.user,
        "RCLONE_CONFIG_RIG_KEY_FILE": str(place.rig.key("ed25519")), "RCLONE_CONFIG_RIG_KNOWN_HOSTS_FILE": str(place.known),
        "HOME": str(place.work),
    }
    with place.directory() as there:
        for words in (["copy", str(sent), f"rig:{there}/stored"], ["copy", f"rig:{there}/stored", str(back)],
                      # By the hash of each side's own.
                      ["check", str(sent), f"rig:{there}/stored"]):
            place.run(["rclone", "--retries", "1", "--quiet", *words], **settings)
        (sent / "part 0/file-0").unlink()
        place.run(["rclone", "--retries", "1", "--quiet", "sync", str(sent), f"rig:{there}/stored"], **settings)
        left = place.run(["rclone", "lsf", "-R", "--files-only", f"rig:{there}/stored"], **settings).decode().splitlines()
    (back / "part 0/file-0").unlink()
    same(sent, back)
    if sorted(left) != sorted(tree(sent)):
        raise Failed(f"after the removal of one file {len(left)} are left there, of {len(tree(sent))}")
    return "40 files copied there and back and checked, one removed by sync"


def with_ansible(place: Place) -> str:
    ansible = str(ROOT / "build/real/venv/bin/ansible")
    settings = {
        "ANSIBLE_SSH_EXECUTABLE": place.ssh, "ANSIBLE_SSH_ARGS": f"-F {place.config}", "ANSIBLE_HOME": str(place.work),
        "ANSIBLE_LOCAL_TEMP": str(place.work / "temporary"), "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_SFTP_EXTRA_ARGS": f"-F {place.config} -S {place.ssh}", "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_SCP_EXTRA_ARGS": f"-F {place.config} -S {place.ssh}", "LC_ALL": "C.UTF-8",
        "ANSIBLE_REMOTE_TMP": "/tmp/.ansible-${USER}",
    }
    sent = place.work / "sent"
    fill(sent, 3, 100_000)
    with place.directory() as there:
        base = [ansible, "all", "-i", "rig,", "-m"]
        if b"pong" not in place.run([*base, "ping"], **settings):
            raise Failed("no pong")
        if b"42" not in place.run([*base, "command", "-a", "expr 6 * 7"], **settings):
            raise Failed("no answer of a command")
        file = sent / "part 0/file-0"
        place.run([*base, "copy", "-a", f"src='{file}' dest={there}/copied"], **settings)
        copied = place.there(f"sha256sum < {there}/copied").split()[0].decode()
        if copied != hashlib.sha256(file.read_bytes()).hexdigest():
            raise Failed("what is there is not what was copied")
    return "ping, command, copy"


def as_proxy_command(place: Place) -> str:
    """The real ssh goes through ours to the same server."""
    words = ["ssh", "-F", str(place.config), "-o", f"ProxyCommand={place.command()} -W %h:%p again", "rig", "sha256sum"]
    return through(place, words)


def as_proxy_jump(place: Place) -> str:
    """The real ssh goes on under the name by which it was called, and so its jump host is reached by ours."""
    script = place.work / "named"
    script.write_text(f'#!/bin/bash\nexec -a {place.ssh} "$(command -v ssh)" "$@"\n')
    script.chmod(0o755)
    return through(place, [str(script), "-F", str(place.config), "-J", "again", "rig", "sha256sum"])


def through(place: Place, words: list[str]) -> str:
    data = place.rig.random(20 * 1024 * 1024)
    if place.run(words, data).split()[0].decode() != hashlib.sha256(data).hexdigest():
        raise Failed("what arrived is not what was sent")
    return "20 MiB"


def which(name: str) -> bool:
    return subprocess.run(["which", name], capture_output=True, check=False).returncode == 0


PARTS = {
    "git": with_git, "rsync": with_rsync, "sftp": with_sftp, "scp": with_scp, "sshfs": with_sshfs, "lftp": with_lftp,
    "rclone": with_rclone, "ansible": with_ansible, "ProxyCommand": as_proxy_command, "ProxyJump": as_proxy_jump,
}
OF_CLIENT = tuple(name for name in PARTS if name != "rclone")
OF_SERVER = tuple(name for name in PARTS if name != "ProxyJump")


# ---- all of them ---------------------------------------------------------------------------------------------------


def version(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return "absent"
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()), "")[:70]


def page(rows: list[tuple[str, str, bool, float, str]]) -> str:
    programs = (["ssh", "-V"], ["git", "--version"], ["rsync", "--version"], ["sshfs", "--version"], ["lftp", "--version"],
                ["rclone", "--version"], [str(ROOT / "build/real/venv/bin/ansible"), "--version"])
    lines = ["# Under the programs of every day", "", "Written by `make -C tests real`; changes made here are lost.", "",
             "`examples-c/ssh` in the place of `ssh`, against a real sshd, and the real programs against `examples-c/server`. Files",
             "that go there and come back are compared by hash.", "", f"Last run: {datetime.date.today()}, with "
             + "; ".join(version(words) for words in programs) + ".", "",
             "| program | ours is | | seconds | |", "|---|---|---|---|---|"]
    for name, role, good, seconds, detail in rows:
        lines.append(f"| {name} | {role} | {'✓' if good else '✗'} | {seconds:.1f} | {detail} |")
    return "\n".join(lines) + "\n"


def attempt(place: Place, name: str) -> tuple[bool, float, str]:
    began = time.monotonic()
    try:
        good, detail = True, PARTS[name](place)
    except (Failed, OSError) as error:
        good, detail = False, str(error).replace("\n", " / ").replace("|", "\\|")
    return good, time.monotonic() - began, detail


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PARTS))
    parser.add_argument("--mebibytes", type=int, default=500)
    parser.add_argument("--write", type=pathlib.Path)
    options = parser.parse_args()
    peers = dict(line.split("=", 1) for line in (ROOT / "build/peers/env").read_text().splitlines())
    openssh = next(peer for peer in PEERS if peer.name == "OpenSSH")
    rows = []
    with tempfile.TemporaryDirectory(prefix="sshwire-real-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        rig = Rig(ROOT, ROOT / "build", ROOT / "build/bin", scratch, sys.executable, peers["ACCOUNT"],
                  pathlib.Path(peers["ACCOUNT_PASSWORD"]).read_text().strip())
        make_keys(rig)
        sides = (("the client", PeerServer(rig, openssh), str(rig.programs / "ssh"), OF_CLIENT),
                 ("the server", OurServer(rig), "ssh", OF_SERVER))
        for role, server, ssh, parts in sides:
            files = scratch / role.split()[1]
            files.mkdir()
            # Files of our server are those of the machine, for programs that name them as commands do.
            root = files if role == "the client" else pathlib.Path("/")
            for name in (name for name in parts if name in options.only):
                with tempfile.TemporaryDirectory(dir=scratch) as work, server.serve(Setting(), root) as (running, _):
                    place = Place(rig, running.port, ssh, pathlib.Path(work), options.mebibytes)
                    good, seconds, detail = attempt(place, name)
                rows.append((name, role, good, seconds, detail))
                print(f"{name}, ours is {role}: {'holds' if good else 'FAILED'} in {seconds:.1f} s: {detail}", flush=True)
    if options.write:
        options.write.write_text(page(rows))
    return 0 if all(good for _, _, good, _, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
