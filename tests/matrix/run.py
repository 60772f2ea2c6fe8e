#!/usr/bin/env python3
"""Has every implementation of the table talk to ours, in each role that it has.

    run.py [--only NAME,NAME...] [--role client|server] [--write FILE]

Needs `tests/matrix/setup.sh` to have run. Prints what fails as it happens; the result is a table in Markdown. What is found
is kept in build/matrix/outcomes, one file for each pair, so that a run of some peers writes a page of all.
Ends with 1 when something failed that the table does not know of, or the page would lack a pair.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import report
from checks import KEYS, Outcome, check_pair
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


def keep(folder: pathlib.Path, peer, role: str, told: str, outcomes: list[Outcome]) -> None:
    """Writes down what came of a pair, and when."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {"version": told, "day": str(datetime.date.today()), "outcomes": [dataclasses.asdict(one) for one in outcomes]}
    (folder / f"{peer.slug}-{role}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))


def kept(folder: pathlib.Path):
    """All that was written down, in the order of the table, and the names of what is not there."""
    results, absent = [], []
    for peer in PEERS:
        for role in peer.roles:
            path = folder / f"{peer.slug}-{role}.json"
            if not path.exists():
                absent.append(f"{peer.name} as {role}")
                continue
            found = json.loads(path.read_text())
            outcomes = [Outcome(**one) for one in found["outcomes"]]
            results.append((peer, found["version"], role, outcomes, found["day"]))
    return results, absent


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
        failures = 0
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
                keep(build / "outcomes", peer, role, told, outcomes)
    if options.write:
        results, absent = kept(build / "outcomes")
        options.write.write_text(report.page(results))
        for pair in absent:
            print(f"{pair}: never run, so the page lacks it", flush=True)
        failures += len(absent)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
