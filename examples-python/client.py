"""Runs a command on another machine.

    python3 client.py HOST:PORT 'ssh-ed25519 AAAA...' USER PRIVATE-KEY-FILE COMMAND
"""

import sys

import sshwire


def main(address, host_key, user, key_file, command):
    with sshwire.connect(address, user, key=sshwire.Key.load(key_file),
                         host_key=sshwire.Key.from_line(host_key)) as transport:
        done = transport.run(command)
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(done.stderr)
    if done.exit.signal:
        print(f"ended by SIG{done.exit.signal}", file=sys.stderr)
    return 255 if done.exit.status is None else done.exit.status


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    try:
        sys.exit(main(*sys.argv[1:]))
    except sshwire.Error as error:
        print(error, file=sys.stderr)
        sys.exit(255)
