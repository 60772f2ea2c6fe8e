"""Which packages the library is made of, as Cargo sees it."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import tomllib

# As in deny.toml.
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")


@dataclasses.dataclass(frozen=True, order=True)
class Package:
    """One version of a crate; its directory, vendored with --versioned-dirs, has the same name."""

    name: str
    version: str

    @property
    def directory(self) -> str:
        return f"{self.name}-{self.version}"


def locked(root: pathlib.Path) -> dict[Package, str]:
    """All packages in Cargo.lock that come from elsewhere, with the checksum of each."""
    content = tomllib.loads((root / "Cargo.lock").read_text())
    return {Package(one["name"], one["version"]): one["checksum"] for one in content["package"] if "source" in one}


def used(root: pathlib.Path, edges: str) -> dict[Package, str]:
    """The packages that are needed where the library is built for, along such edges, with the licence of each."""
    found = {}
    for target in TARGETS:
        command = ["cargo", "tree", "--locked", "--offline", "--all-features", "--target", target, "--edges", edges,
                   "--prefix", "none", "--no-dedupe", "--format", "{p}\t{l}"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            package, _, licence = line.partition("\t")
            words = package.split()
            if len(words) >= 2 and "(/" not in package:
                found[Package(words[0], words[1].removeprefix("v"))] = licence
    return found
