#!/usr/bin/env python3
"""GNU lsh: lsh, lsftp and lshd. Its newest release, 2.1, is of 2013."""

import subprocess
import sys

from common import *  # noqa: F403 - the words of the contract


def home() -> str:
    """One with a seed of its random generator, without which none of its programs begins."""
    place = os.path.join(DIRECTORY or os.environ["PEER_SCRATCH"], f"home-{os.getpid()}")
    os.makedirs(place + "/.lsh", exist_ok=True)
    with open(os.open(place + "/.lsh/yarrow-seed-file", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as seed:
        seed.write(os.urandom(32))
    return place


HOME = home()
ENVIRONMENT = {**os.environ, "HOME": HOME, "LSH_YARROW_SEED_FILE": HOME + "/.lsh/yarrow-seed-file"}


def piped(given: bytes, *commands: list[str]) -> bytes:
    """What comes out at the end of a row of filters."""
    for command in commands:
        given = subprocess.run(command, input=given, capture_output=True, env=ENVIRONMENT, check=True).stdout
    return given


def converted(key: str) -> str:
    """A private key in its form. Of the keys here it knows RSA only."""
    with open(key + ".pub", encoding="utf-8") as file:
        if not file.read().startswith("ssh-rsa "):
            cannot("it has RSA and DSA keys only")
    with open(key, encoding="utf-8") as file:
        old = scratch("pem", file.read())
    change = ["ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-f", old]
    subprocess.run(change, capture_output=True, check=True)
    place = os.path.join(HOME, "key-of-lsh")
    with open(old, "rb") as file:
        piped(file.read(), ["pkcs1-conv"], ["lsh-writekey", "-c", "none", "-o", place])
    return place


def options() -> list[str]:
    # Quiet, it asks nobody whether a host that it does not know may be trusted. CTR is offered only where it is named.
    words = ["-q", "--sloppy-host-authentication", "--capture-to", HOME + "/captured", "-c", "aes256-ctr", "-c", "all"]
    words += ["-p", PORT, "-l", USER]
    if AUTH == "publickey":
        return [*words, "-i", converted(KEY)]
    # It takes all that it is told there for the password, the end of the line as well.
    asked = scratch("askpass", f"#!/bin/sh\nprintf %s '{PASSWORD}'\n", 0o700)
    return [*words, "--no-publickey", "--askpass", asked]


def forward(host: str, port: str) -> None:
    """From a port of its own, which is all that it has."""
    here = free_port()
    child = subprocess.Popen(["lsh", *options(), "-N", "-L", f"{here}:{host}:{port}", "127.0.0.1"], env=ENVIRONMENT)
    while child.poll() is None:
        try:
            connection = socket.create_connection(("127.0.0.1", here))
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
            continue
        with connection:
            threading.Thread(target=send, args=(connection,), daemon=True).start()
            while data := connection.recv(65536):
                sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        child.terminate()
        child.wait()
        sys.exit(0)
    sys.exit(255)


def send(connection: socket.socket) -> None:
    while data := sys.stdin.buffer.read1(65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def files(*commands: str) -> str:
    """What lsftp says. It ends well whatever happened, and names files as they are on the other side."""
    environment = {**ENVIRONMENT, "LSFTP_RSH": "lsh", "LOGNAME": USER}
    words = ["lsftp", *options(), "127.0.0.1", "--", *commands]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    sys.stderr.write(done.stderr)
    return done.stdout


def put(here: str, there: str) -> None:
    place = os.path.join(HOME, "out")
    os.makedirs(place)
    shutil.copy(here, os.path.join(place, os.path.basename(there)))
    files(f"lcd {place}", f"cd {os.path.dirname(there)}", f"put {os.path.basename(there)}")


def get(there: str, here: str) -> None:
    place = os.path.join(HOME, "in")
    os.makedirs(place)
    files(f"lcd {place}", f"cd {os.path.dirname(there)}", f"get {os.path.basename(there)}")
    shutil.move(os.path.join(place, os.path.basename(there)), here)


def server() -> None:
    # It looks for the keys of a user at the user's.
    known = os.path.expanduser(f"~{USER}/.lsh/authorized_keys_sha1")
    os.makedirs(known, exist_ok=True)
    with open(AUTHORIZED_KEYS, "rb") as file:
        for line in file:
            if line.startswith(b"ssh-rsa "):
                key = piped(line, ["ssh-conv"], ["sexp-conv", "-s", "canonical", "--once"])
                name = piped(key, ["sexp-conv", "--once", "--hash=sha1"]).decode().strip()
                with open(os.path.join(known, name), "wb") as place:
                    place.write(key)
    for path, mode in ((os.path.dirname(known), 0o755), (known, 0o755)):
        os.chmod(path, mode)
        shutil.chown(path, USER)
    port = free_port()
    # The port belongs to the interfaces that come after it.
    words = [program("lshd"), "-q", "-p", str(port), "--interface", "127.0.0.1", "--host-key", converted(HOST_KEY)]
    words += ["-c", "aes256-ctr", "-c", "all", "--no-syslog", "--no-pid-file", "--password-helper", program("lsh-pam-checkpw")]
    words += ["--subsystems", "sftp=/usr/lib/lsh-server/sftp-server"]
    serve(subprocess.Popen(words, env=ENVIRONMENT), port)


if REKEY:
    cannot("it renews keys by the clock, and has no option for that")
if AUTH == "keyboard-interactive" and sys.argv[1] == "client":
    cannot("where that is all that is left to try, it says that it has no more methods")
match sys.argv[1:]:
    case ["client", "run", command]:
        run(["lsh", *options(), "--no-pty", "127.0.0.1", command], env=ENVIRONMENT)
    case ["client", "forward", host, port]:
        forward(host, port)
    case ["client", "put", here, there]:
        put(here, there)
    case ["client", "get", there, here]:
        get(there, here)
    case ["client", "list", there]:
        print("\n".join(line.split()[-1] for line in files(f"ls {there}").splitlines() if len(line.split()) > 8))
    case ["server"]:
        server()
