#!/usr/bin/env python3
"""tinysshd, which serves its standard input and output."""

import socket
import subprocess
import sys

from common import *  # noqa: F403 - the words of the contract

if REKEY:
    cannot("tinyssh has no option for that")
public = subprocess.run(["ssh-keygen", "-y", "-f", HOST_KEY], capture_output=True, text=True, check=True).stdout
if not public.startswith("ssh-ed25519 "):
    cannot("tinyssh has Ed25519 keys only")
keys = os.path.join(DIRECTORY, f"keys-{os.getpid()}")
subprocess.run([program("tinysshd-makekey"), keys], check=True, capture_output=True)
with open(AUTHORIZED_KEYS, encoding="utf-8") as file:
    authorized = file.read()
home = os.path.expanduser(f"~{USER}")
os.makedirs(home + "/.ssh", exist_ok=True)
with open(home + "/.ssh/authorized_keys", "w", encoding="utf-8") as file:
    file.write(authorized)
for path, mode in ((home, 0o755), (home + "/.ssh", 0o700), (home + "/.ssh/authorized_keys", 0o600)):
    os.chmod(path, mode)
    shutil.chown(path, USER)
listener = socket.create_server(("127.0.0.1", 0))
# The key is of its own making, so it is told.
listing = subprocess.run([program("tinysshd-printkey"), keys], capture_output=True, text=True, check=True).stdout
with open(os.path.join(DIRECTORY, "host-key"), "w", encoding="utf-8") as file:
    file.write(listing)
print("listening", listener.getsockname()[1], flush=True)


def accept() -> None:
    while True:
        connection, _ = listener.accept()
        words = [program("tinysshd"), "-v", "-x", "sftp=/usr/lib/openssh/sftp-server", keys]
        subprocess.Popen(words, stdin=connection, stdout=connection)
        connection.close()


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
