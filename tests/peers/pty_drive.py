#!/usr/bin/env python3
"""Runs a program on a terminal and talks to it as a script says.

usage: pty_drive.py ROWS COLUMNS SCRIPT -- PROGRAM [ARGUMENT...]

The script's lines: `expect REGEX` waits for it in what came since the last match, `send TEXT` types TEXT and a line
end (backslash escapes work), `type TEXT` does so without the line end, `resize ROWS COLUMNS` changes the terminal's size. The whole output goes to standard
output. Ends with the program's exit status, or with 99 when an `expect` or the end did not come in time.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 30


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    rows, columns, script = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    command = sys.argv[5:]
    pid, fd = pty.fork()
    if pid == 0:
        set_size(0, rows, columns)
        os.execvp(command[0], command)
    seen = b""
    ended = False

    def pump(until):
        """Reads for a moment; True while the program's side is open."""
        nonlocal seen, ended
        ready, _, _ = select.select([fd], [], [], max(0, min(0.2, until - time.monotonic())))
        if not ready:
            return
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            ended = True
        seen += data
        sys.stdout.buffer.write(data)
        sys.stdout.flush()

    def give_up(why):
        sys.stderr.write("pty_drive: %s; unmatched: %r\n" % (why, seen))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        sys.exit(99)

    for line in open(script):
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "expect":
            until = time.monotonic() + LIMIT
            pattern = re.compile(rest.encode())
            while True:
                match = pattern.search(seen)
                if match:
                    seen = seen[match.end():]
                    break
                if ended or time.monotonic() > until:
                    give_up("no %r" % rest)
                pump(until)
        elif verb in ("send", "type"):
            text = rest.encode().decode("unicode_escape").encode("latin-1")
            os.write(fd, text + (b"\r" if verb == "send" else b""))
        elif verb == "resize":
            new_rows, new_columns = rest.split()
            set_size(fd, int(new_rows), int(new_columns))
    until = time.monotonic() + LIMIT
    while not ended:
        if time.monotonic() > until:
            give_up("no end")
        pump(until)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > until:
            give_up("no exit")
        time.sleep(0.01)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
