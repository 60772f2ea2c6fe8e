#!/usr/bin/env python3
"""openssh.py, with the programs of the newest OpenSSH, which tests/peers/setup.sh unpacks."""

import os
import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
newest = here.parents[2] / "build/peers/newest/bin"
if not (newest / "ssh").exists():
    sys.exit(f"no {newest}: tests/peers/setup.sh")
os.environ["PATH"] = f"{newest}:{os.environ['PATH']}"
if sys.argv[1:] == ["version"]:
    os.execvp("ssh", ["ssh", "-V"])
os.execv(sys.executable, [sys.executable, str(here / "openssh.py"), *sys.argv[1:]])
