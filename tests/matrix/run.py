#!/usr/bin/env python3
"""Has every implementation of the table talk to ours, in each role that it has.

    run.py [--only NAME,NAME...] [--role client|server] [--write FILE]

Needs `tests/matrix/setup.sh` to have run. Prints what fails as it happens; the result is a table in Markdown.
Ends with 1 when something failed that the table does not know of.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import report
from checks import KEYS, check_pair
from sides import Rig
from table import PEERS

ROOT = pathlib.Path(__file__).resolve().parents[2]


def make_keys(rig: Rig) -> None:
    """Keys of users and hosts, and what a server is told of the users'."""
    kinds = {"ed25519": ["ed25519"], "rsa": ["rsa", "-b", "3072"]}
    kinds |= {f"ecdsa{bits}": ["ecdsa", "-b", bits] for bits in ("256", "384", "521")}
    lines = []
    for kind in KEYS:
        for path in (rig.key(kind), rig.key(f"host_{kind}")):
            words = ["ssh-keygen", "-q", "-t", *kinds[kind], "-N", "", "-C", "matrix", "-f", str(path)]
            subprocess.run(words, check=True)
        lines.append(pathlib.Path(f"{rig.key(kind)}.pub").read_text())
    (rig.scratch / "authorized_keys").write_text("".join(lines))
    (rig.scratch / "authorized_keys").chmod(0o644)
    (rig.scratch / "password").write_text(rig.password + "\n")
    (rig.scratch / "passwords").write_text(f"{rig.user}:{rig.password}\n")


def version(rig: Rig, peer) -> str:
    """What it says of itself, in one short line."""
    try:
        done = subprocess.run(rig.command(peer.version), capture_output=True, text=True, cwd=rig.adapters, check=False)
    except OSError:
        return ""
    return next((line for line in (done.stdout + done.stderr).splitlines() if line.strip()), "").strip()[:80]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("--role", choices=("client", "server"))
    parser.add_argument("--write", type=pathlib.Path)
    options = parser.parse_args()
    build = pathlib.Path(os.environ.get("MATRIX_BUILD", ROOT / "build/matrix"))
    peers = dict(line.split("=", 1) for line in (ROOT / "build/peers/env").read_text().splitlines())
    with tempfile.TemporaryDirectory(prefix="sshwire-matrix-") as folder:
        pathlib.Path(folder).chmod(0o755)
        rig = Rig(ROOT, build, ROOT / "build/bin", pathlib.Path(folder), str(build / "venv/bin/python"),
                  peers["ACCOUNT"], pathlib.Path(peers["ACCOUNT_PASSWORD"]).read_text().strip())
        make_keys(rig)
        results, failures = [], 0
        for peer in PEERS:
            if options.only and peer.name not in options.only:
                continue
            told = version(rig, peer)
            for role in peer.roles:
                if options.role not in (None, role):
                    continue
                outcomes = []
                for outcome in check_pair(rig, peer, role):
                    outcomes.append(outcome)
                    if outcome.verdict != "yes":
                        print(f"{peer.name} as {role}: {outcome.check}: {outcome.verdict}: {outcome.detail}", flush=True)
                    failures += outcome.verdict == "no"
                good = sum(outcome.verdict == "yes" for outcome in outcomes)
                print(f"{peer.name} as {role}: {good} of {len(outcomes)} hold", flush=True)
                results.append((peer, told, role, outcomes))
    if options.write:
        options.write.write_text(report.page(results))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
