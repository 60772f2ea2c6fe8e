"""What a person reads who has no library yet."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

_SOURCES = str(pathlib.Path(__file__).resolve().parents[1])


class Missing(unittest.TestCase):
    def said(self, pkg_config):
        """What importing the package says where ``pkg_config`` is all that is in PATH."""
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "pkg-config")
            program.write_text(f"#!/bin/sh\n{pkg_config}\n")
            program.chmod(0o755)
            ran = subprocess.run([sys.executable, "-c", "import sshwire"], capture_output=True, text=True, check=False,
                                 env={"PATH": folder, "PYTHONPATH": _SOURCES})
        if ran.returncode == 0:
            self.skipTest("the system's loader finds the library")
        return ran.stderr.splitlines()[-1]

    def test_it_is_said_what_to_set(self):
        for pkg_config in ("exit 1", "echo /nowhere"):
            with self.subTest(pkg_config):
                self.assertIn("set SSHWIRE_LIBRARY to the path of libsshwire.so.0", self.said(pkg_config))


if __name__ == "__main__":
    unittest.main()
