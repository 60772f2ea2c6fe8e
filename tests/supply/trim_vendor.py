#!/usr/bin/env python3
"""Takes what no build for Linux reads out of vendored sources.

    trim_vendor.py ROOT VENDOR

Cargo wants every package of Cargo.lock to be there, those for other systems too. Of these an empty crate is enough. What
is prebuilt, import libraries and assembled code for Windows, is no source and goes as well.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import sys

from trees import locked, used

# What is compiled, by how its name ends or its content begins.
ENDINGS = (".a", ".lib", ".dll", ".exe", ".so", ".o", ".obj", ".dylib", ".rlib", ".wasm", ".class", ".pyc")
BEGINNINGS = (b"\x7fELF", b"MZ\x90", b"!<arch>\n", b"\xcf\xfa\xed\xfe", b"\x00asm")


def empty(directory: pathlib.Path) -> None:
    """Leaves the manifest, and a library without content where it names one."""
    checksum = json.loads((directory / ".cargo-checksum.json").read_text())["package"]
    manifest = (directory / "Cargo.toml").read_text()
    for child in directory.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        elif child.name != "Cargo.toml":
            child.unlink()
    (directory / "src").mkdir()
    (directory / "src/lib.rs").write_text("")
    if 'build = "build.rs"' in manifest:
        (directory / "build.rs").write_text("fn main() {}\n")
    (directory / ".cargo-checksum.json").write_text(json.dumps({"files": {}, "package": checksum}))


def is_prebuilt(path: pathlib.Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.name.endswith(ENDINGS) or file.read(8).startswith(BEGINNINGS)


def drop_prebuilt(directory: pathlib.Path) -> list[str]:
    """Takes prebuilt files out of a crate, and their checksums with them."""
    found = sorted(path for path in directory.rglob("*") if is_prebuilt(path))
    if found:
        checksums = json.loads((directory / ".cargo-checksum.json").read_text())
        for path in found:
            del checksums["files"][str(path.relative_to(directory))]
            path.unlink()
        (directory / ".cargo-checksum.json").write_text(json.dumps(checksums, separators=(",", ":")))
    return [path.name for path in found]


def main() -> int:
    root, vendor = (pathlib.Path(word) for word in sys.argv[1:])
    needed = [package for package in used(root, "normal,build,dev") if (vendor / package.directory).is_dir()]
    gone = [package for package in locked(root) if package not in needed]
    for package in gone:
        empty(vendor / package.directory)
    dropped = [name for package in needed for name in drop_prebuilt(vendor / package.directory)]
    print(f"vendor: {len(needed)} packages, and {len(gone)} empty ones for other systems; {len(dropped)} prebuilt files dropped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
