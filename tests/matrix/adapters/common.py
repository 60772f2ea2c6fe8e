"""What the adapters in Python share."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading

PORT = os.environ.get("PEER_PORT", "0")
USER = os.environ.get("PEER_USER", "")
PASSWORD = os.environ.get("PEER_PASSWORD", "")
AUTH = os.environ.get("PEER_AUTH", "publickey")
KEY = os.environ.get("PEER_KEY", "")
KNOWN_HOSTS = os.environ.get("PEER_KNOWN_HOSTS", "")
REKEY = int(os.environ.get("PEER_REKEY", "0"))
HOST_KEY = os.environ.get("PEER_HOST_KEY", "")
AUTHORIZED_KEYS = os.environ.get("PEER_AUTHORIZED_KEYS", "")
DIRECTORY = os.environ.get("PEER_DIRECTORY", "")


def cannot(why: str) -> None:
    """Ends: the peer has no such thing."""
    print(why, file=sys.stderr)
    sys.exit(254)


def program(name: str) -> str:
    """The path of a program, which may be one for administrators."""
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") or cannot(f"no {name} here")


def scratch(name: str, content: str, mode: int = 0o600) -> str:
    """A file of this adapter's own."""
    path = os.path.join(DIRECTORY or os.environ["PEER_SCRATCH"], f"{name}-{os.getpid()}")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(content)
    os.chmod(path, mode)
    return path


def run(command: list[str], **more) -> None:
    """Runs a program in this one's place."""
    sys.exit(subprocess.run(command, check=False, **more).returncode)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port: int, child: subprocess.Popen) -> None:
    """Until somebody listens there, as long as the child runs."""
    while child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            threading.Event().wait(0.05)
    sys.exit("the server has ended")


def serve(child: subprocess.Popen, port: int) -> None:
    """Tells of a server that is a process, and ends it when nobody wants it any more."""
    wait_for_port(port, child)
    print("listening", port, flush=True)
    sys.stdin.read()
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
