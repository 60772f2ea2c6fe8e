#!/usr/bin/env python3
"""dbclient and dropbear."""

import subprocess
import sys

from common import *  # noqa: F403 - the words of the contract


def converted(key: str) -> str:
    """A key in the form of dropbear."""
    place = scratch("key", "")
    os.remove(place)
    convert = ["dropbearconvert", "openssh", "dropbear", key, place]
    if subprocess.run(convert, capture_output=True, check=False).returncode != 0:
        cannot("dropbear does not read this key")
    return place


def client(*more: str, command: list[str]) -> None:
    home = os.path.join(os.environ["PEER_SCRATCH"], f"home-{os.getpid()}")
    os.makedirs(home + "/.ssh", exist_ok=True)
    words = ["dbclient", "-y", "-y", "-p", PORT, "-l", USER, *more]
    if AUTH == "publickey":
        words += ["-i", converted(KEY)]
    environment = {**os.environ, "HOME": home, "DROPBEAR_PASSWORD": PASSWORD}
    run([*words, "127.0.0.1", *command], env=environment)


def server() -> None:
    port = free_port()
    home = os.path.expanduser(f"~{USER}")
    os.makedirs(home + "/.ssh", exist_ok=True)
    with open(AUTHORIZED_KEYS, encoding="utf-8") as keys, open(home + "/.ssh/authorized_keys", "w", encoding="utf-8") as file:
        file.write(keys.read())
    for path, mode in ((home, 0o755), (home + "/.ssh", 0o700), (home + "/.ssh/authorized_keys", 0o600)):
        os.chmod(path, mode)
        shutil.chown(path, USER)
    words = [program("dropbear"), "-F", "-E", "-r", converted(HOST_KEY), "-p", f"127.0.0.1:{port}", "-P", scratch("pid", "")]
    serve(subprocess.Popen(words), port)


if REKEY:
    cannot("dropbear has no option for that")
match sys.argv[1:]:
    case ["client", "run", command]:
        client(command=[command])
    case ["client", "forward", host, port]:
        client("-B", f"{host}:{port}", command=[])
    case ["client", *_]:
        cannot("dropbear has no SFTP of its own")
    case ["server"]:
        server()
