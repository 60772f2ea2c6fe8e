#!/usr/bin/env python3
"""Writes what the library is made of, as CycloneDX 1.5 in JSON, with cargo-cyclonedx.

    sbom.py ROOT OUT        writes it
    sbom.py --check ROOT FILE

The same for each folder and time: SOURCE_DATE_EPOCH is its time, and paths of this machine are taken out. Each is compared
with Cargo.lock, also what was just written: every package of the one is in the other, with the same checksum. Ends with 1
when they differ.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from trees import Package, locked

NAME = "sbom"


def make(root: pathlib.Path) -> str:
    """From the manifests alone, in a folder of its own, for the tool writes beside Cargo.toml."""
    with tempfile.TemporaryDirectory(prefix="sshwire-sbom-") as name:
        folder = pathlib.Path(name)
        for file in ("Cargo.toml", "Cargo.lock"):
            shutil.copy(root / file, folder)
        for file in ("build.rs", "src/lib.rs", "tests/interop/main.rs"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text("fn main() {}\n")
        command = ["cargo", "cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--target", "all",
                   "--all-features", "--override-filename", NAME]
        environment = {"SOURCE_DATE_EPOCH": "0", **os.environ}
        subprocess.run(command, cwd=folder, env=environment, check=True)
        text = (folder / f"{NAME}.json").read_text()
    return text.replace(f"path+file://{name}", "path+file:///sshwire")


def differences(root: pathlib.Path, text: str) -> list[str]:
    """What is in one of the two only."""
    listed = {}
    for component in json.loads(text)["components"]:
        hashes = [one["content"] for one in component.get("hashes", []) if one["alg"] == "SHA-256"]
        listed[Package(component["name"], component["version"])] = hashes[0] if hashes else ""
    wanted = locked(root)
    return [f"{package.directory}: Cargo.lock has {wanted.get(package, 'nothing')}, the list {listed.get(package, 'nothing')}"
            for package in sorted(wanted.keys() | listed.keys()) if wanted.get(package) != listed.get(package)]


def main() -> int:
    words = sys.argv[1:]
    checks = words[:1] == ["--check"]
    root, out = (pathlib.Path(word) for word in words[checks:])
    if not checks:
        out.write_text(make(root))
    text = out.read_text()
    found = differences(root, text)
    for line in found:
        print(f"sbom: {line}", file=sys.stderr)
    print(f"sbom: {len(json.loads(text)['components'])} packages, {len(found)} differences from Cargo.lock")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
