#!/usr/bin/env python3
"""Collects what the licences of the linked packages want to be passed on with the library.

    licences.py ROOT VENDOR OUT

One text for all: which packages are in the library, under which terms, and their notices, each text once. Of a choice the
MIT licence is taken where it is offered. Ends with 1 when a package has no text of its own and none is known.
"""

from __future__ import annotations

import pathlib
import sys

from trees import Package, used

NAMES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
# Texts of code that a package contains of somebody else's.
WITHIN = {"aws-lc-sys": ("aws-lc/LICENSE",)}
HEAD = """The library sshwire is under the MIT licence or the Apache License 2.0, as you choose: see LICENSE-MIT and
LICENSE-APACHE. It is linked with the packages below, whose terms ask that these notices are passed on with copies of it, also
with compiled ones. Made by tests/supply/licences.py.
"""


def texts(directory: pathlib.Path, licence: str, name: str) -> list[str]:
    """The texts that go with a package."""
    files = sorted(path for path in directory.iterdir() if path.is_file() and path.name.upper().startswith(NAMES))
    if "MIT" in licence and " AND " not in licence:
        files = [path for path in files if "MIT" in path.name.upper()] or files
    files += [directory / path for path in WITHIN.get(name, ())]
    return ["\n".join(line.rstrip() for line in path.read_text(errors="replace").strip().splitlines()) for path in files]


def main() -> int:
    root, vendor, out = (pathlib.Path(word) for word in sys.argv[1:])
    packages = used(root, "normal,no-proc-macro")
    under: dict[str, list[Package]] = {}
    bare = []
    for package in sorted(packages):
        found = texts(vendor / package.directory, packages[package], package.name)
        bare += [] if found else [package]
        for text in found:
            under.setdefault(text, []).append(package)
    lines = [HEAD, "Packages", "========", ""]
    lines += [f"{package.name} {package.version}: {packages[package]}" for package in sorted(packages)]
    for text, owners in sorted(under.items(), key=lambda item: item[1]):
        names = ", ".join(f"{owner.name} {owner.version}" for owner in owners)
        lines += ["", "", names, "=" * min(len(names), 100), "", text]
    out.write_text("\n".join(lines) + "\n")
    for package in bare:
        print(f"no licence text: {package.name} {package.version}: {packages[package]}", file=sys.stderr)
    print(f"licences: {len(packages)} packages, {len(under)} texts")
    return 1 if bare else 0


if __name__ == "__main__":
    sys.exit(main())
