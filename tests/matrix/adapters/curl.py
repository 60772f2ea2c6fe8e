#!/usr/bin/env python3
"""curl, whose SFTP is that of libssh2."""

import subprocess
import sys

from common import *  # noqa: F403 - the words of the contract

if REKEY:
    cannot("curl has no option for that")
words = ["curl", "-sS", "--insecure"]
if AUTH == "publickey":
    public = subprocess.run(["ssh-keygen", "-y", "-f", KEY], capture_output=True, text=True, check=True).stdout
    words += ["--user", f"{USER}:", "--key", KEY, "--pubkey", scratch("public", public)]
else:
    words += ["--user", f"{USER}:{PASSWORD}"]
place = f"sftp://127.0.0.1:{PORT}"
match sys.argv[1:]:
    case ["client", "put", here, there]:
        run([*words, "-T", here, place + there])
    case ["client", "get", there, here]:
        run([*words, "-o", here, place + there])
    case ["client", "list", there]:
        run([*words, "-l", f"{place}{there}/"])
    case ["client", *_]:
        cannot("curl moves files only")
