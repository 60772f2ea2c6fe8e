#!/usr/bin/env python3
"""plink and psftp."""

import subprocess
import sys

from common import *  # noqa: F403 - the words of the contract


def options() -> list[str]:
    listed = subprocess.run(["ssh-keygen", "-l", "-f", KNOWN_HOSTS], capture_output=True, text=True, check=True).stdout
    fingerprint = listed.split()[1]
    words = ["-batch", "-noagent", "-P", PORT, "-l", USER, "-hostkey", fingerprint]
    if REKEY:
        # A setting without an option: it has a place in a saved session only.
        os.environ["PUTTYDIR"] = os.path.join(os.environ["PEER_SCRATCH"], f"putty-{os.getpid()}")
        os.makedirs(os.environ["PUTTYDIR"] + "/sessions")
        with open(os.environ["PUTTYDIR"] + "/sessions/rekeys", "w", encoding="utf-8") as file:
            file.write(f"Protocol=ssh\nRekeyBytes={REKEY}\n")
        words += ["-load", "rekeys"]
    if AUTH == "publickey":
        key = scratch("key", "") + ".ppk"
        subprocess.run(["puttygen", KEY, "-o", key], check=True)
        return [*words, "-i", key]
    return [*words, "-pw", PASSWORD]


def psftp(line: str) -> None:
    script = scratch("script", line + "\nquit\n")
    done = subprocess.run(["psftp", *options(), "-b", script, "127.0.0.1"], capture_output=True, text=True, check=False)
    names = [words[-1] for words in map(str.split, done.stdout.splitlines()) if len(words) > 8]
    print("\n".join(names))
    sys.stderr.write(done.stderr)
    # Without -be what fails does not end it.
    sys.exit(done.returncode or ("open for" in done.stdout or "unable" in done.stdout))


match sys.argv[1:]:
    case ["client", "run", command]:
        run(["plink", "-ssh", *options(), "127.0.0.1", command])
    case ["client", "forward", host, port]:
        run(["plink", "-ssh", *options(), "-nc", f"{host}:{port}", "127.0.0.1"])
    case ["client", "put", here, there]:
        psftp(f"put {here} {there}")
    case ["client", "get", there, here]:
        psftp(f"get {there} {here}")
    case ["client", "list", there]:
        psftp(f"ls {there}")
