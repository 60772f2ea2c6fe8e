"""Commands that are run to their end."""

import time
from typing import NamedTuple

from .channel import Condition, Exit
from .errors import TIMEOUT, Closed, failure
from .event import Event


class Completed(NamedTuple):
    """What a command said, and how it ended."""

    stdout: bytes
    stderr: bytes
    exit: Exit


def finish(channel, input, timeout):
    """Feeds a command that runs, and takes what it says, whichever is possible; for each side may wait for the other."""
    end = None if timeout is None else time.monotonic() + timeout

    def left():
        return None if end is None else max(end - time.monotonic(), 0)

    stdout, stderr = [], []
    outputs = {channel.read: stdout, channel.read_stderr: stderr}  # those that have not ended
    channel.settimeout(0)
    with Event() as event:
        channel.set_event(event, sum(Condition))
        while outputs:
            event.reset()
            input = _feed(channel, input)
            outputs = {read: pieces for read, pieces in outputs.items() if not _drain(read, pieces)}
            if outputs and not event.wait(left()):
                raise failure(TIMEOUT, "the command has not ended in time")
    channel.settimeout(None)
    return Completed(b"".join(stdout), b"".join(stderr), channel.wait_exit(left() or timeout))


def _feed(channel, input):
    """Writes what fits of the input, and EOF behind it; gives the rest, None when there is nothing left to do."""
    if input is None:
        return None
    try:
        while input:
            input = memoryview(input)[channel.write(input):]
        channel.send_eof()
    except BlockingIOError as error:
        return memoryview(input)[error.characters_written:]
    except Closed:
        pass  # a command may end without reading its input
    return None


def _drain(read, pieces):
    """Reads what has come; whether that was the end."""
    try:
        while True:
            piece = read(65536)
            if not piece:
                return True
            pieces.append(piece)
    except BlockingIOError:
        return False
