#!/usr/bin/env python3
"""ssh, sftp and sshd."""

import subprocess
import sys

from common import *  # noqa: F403 - the words of the contract


def options() -> list[str]:
    chosen = {
        "UserKnownHostsFile": KNOWN_HOSTS,
        "StrictHostKeyChecking": "yes",
        "IdentityFile": KEY,
        "IdentitiesOnly": "yes",
        "PreferredAuthentications": AUTH,
        # What is old is the other side's choice.
        "HostKeyAlgorithms": "+ssh-rsa",
        "PubkeyAcceptedAlgorithms": "+ssh-rsa",
    }
    for name, what in (("Ciphers", "cipher"), ("KexAlgorithms", "kex"), ("MACs", "mac")):
        known = subprocess.run(["ssh", "-Q", what], capture_output=True, text=True, check=True).stdout.split()
        chosen[name] = "+" + ",".join(known)
    if REKEY:
        chosen["RekeyLimit"] = str(REKEY)
    words = ["-F", "none"]
    for name, value in chosen.items():
        words += ["-o", f"{name}={value}"]
    return words


def environment() -> dict[str, str]:
    asks = scratch("askpass", f"#!/bin/sh\necho '{PASSWORD}'\n", 0o700)
    return {**os.environ, "SSH_ASKPASS": asks, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}


def batch(line: str) -> subprocess.CompletedProcess:
    """sftp in its batch mode asks nobody, so without."""
    command = ["sftp", "-S", program("ssh"), *options(), "-P", PORT, "-b", "-", f"{USER}@127.0.0.1"]
    return subprocess.run(command, input=line, text=True, capture_output=True, env=environment(), check=False)


def server() -> None:
    port = free_port()
    lines = [
        "AddressFamily inet",
        f"ListenAddress 127.0.0.1:{port}",
        f"HostKey {HOST_KEY}",
        f"AuthorizedKeysFile {AUTHORIZED_KEYS}",
        "PidFile none",
        "StrictModes no",
        # The questions are those of PAM.
        f"UsePAM {'yes' if AUTH == 'keyboard-interactive' else 'no'}",
        "PasswordAuthentication yes",
        "KbdInteractiveAuthentication yes",
        "PubkeyAcceptedAlgorithms +ssh-rsa",
        "HostKeyAlgorithms +ssh-rsa",
        "Subsystem sftp internal-sftp",
        "MaxStartups 100",
    ]
    sshd = program("sshd")
    # One that is not installed finds its parts beside it.
    for name, word in (("sshd-session", "SshdSessionPath"), ("sshd-auth", "SshdAuthPath")):
        beside = os.path.join(os.path.dirname(sshd), name)
        if os.path.exists(beside):
            lines.append(f"{word} {beside}")
    for name, what in (("Ciphers", "cipher"), ("KexAlgorithms", "kex"), ("MACs", "mac")):
        known = subprocess.run(["ssh", "-Q", what], capture_output=True, text=True, check=True).stdout.split()
        lines.append(f"{name} +{','.join(known)}")
    if REKEY:
        lines.append(f"RekeyLimit {REKEY}")
    config = scratch("sshd_config", "\n".join(lines) + "\n")
    os.makedirs("/run/sshd", exist_ok=True)
    serve(subprocess.Popen([sshd, "-D", "-e", "-f", config]), port)


match sys.argv[1:]:
    case ["client", "run", command]:
        run(["ssh", *options(), "-p", PORT, f"{USER}@127.0.0.1", command], env=environment())
    case ["client", "forward", host, port]:
        run(["ssh", *options(), "-p", PORT, "-W", f"{host}:{port}", f"{USER}@127.0.0.1"], env=environment())
    case ["client", "put", here, there]:
        sys.exit(batch(f"put {here} {there}\n").returncode)
    case ["client", "get", there, here]:
        sys.exit(batch(f"get {there} {here}\n").returncode)
    case ["client", "list", there]:
        done = batch(f"ls -1 {there}\n")
        print("\n".join(os.path.basename(line) for line in done.stdout.splitlines() if not line.startswith("sftp>")))
        sys.exit(done.returncode)
    case ["server"]:
        server()
