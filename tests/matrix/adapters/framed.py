#!/usr/bin/env python3
"""Runs a command for a program that has one pipe each way and cannot end one alone: data go in frames of four bytes of
length, and an empty one is the end."""

import os
import subprocess
import sys
import threading

child = subprocess.Popen(["/bin/sh", "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def hear() -> None:
    try:
        while len(head := sys.stdin.buffer.read(4)) == 4 and (length := int.from_bytes(head, "big")):
            child.stdin.write(sys.stdin.buffer.read(length))
        child.stdin.close()
    except BrokenPipeError:
        # The command wants no more.
        pass


threading.Thread(target=hear, daemon=True).start()
while data := child.stdout.read(32768):
    sys.stdout.buffer.write(len(data).to_bytes(4, "big") + data)
    sys.stdout.buffer.flush()
os._exit(child.wait())
