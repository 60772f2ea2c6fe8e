"""Calling C: failures become exceptions, and Ctrl-C ends a call that waits."""

import ctypes
import math
import threading
import time

from .errors import OK, TIMEOUT, Error, failure, take_error
from ._values import Memory, milliseconds

# Python runs the handlers of signals between two of its own instructions, so a call that may wait for long is made of
# short ones where it can be asked again: see sliced(). Where it cannot, see apart().
_SLICE_MS = 200


def check(status):
    """For functions that tell no detail."""
    if status < 0:
        raise failure(status)
    return status


def call(function, *arguments):
    """Calls a function whose last argument is an ``ssh_error **``; gives its status, or its handle."""
    error = ctypes.c_void_p()
    result = function(*arguments, ctypes.byref(error))
    if error.value:
        raise take_error(error.value)
    if function.restype is ctypes.c_int32 and result < 0:
        raise failure(result)
    return result


def ask(function, *arguments):
    """As call(), for a question to the peer."""
    return apart(lambda: call(function, *arguments))


def apart(work):
    """Does what cannot be interrupted. In the main thread, where Ctrl-C arrives, another one does it: so an exception of a
    signal's handler comes through at once, and the work is left to itself, at most until its timeout."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome = []

    def run():
        try:
            outcome.append((work(), None))
        except BaseException as error:
            outcome.append((None, error))

    worker = threading.Thread(target=run, name="sshwire-apart", daemon=True)
    try:
        worker.start()
    except RuntimeError:  # no thread can be had, as at the end of the interpreter
        return work()
    worker.join()
    result, error = outcome.pop()
    if error is not None:
        raise error
    return result


def ask_bytes(function, *arguments, timeout_ms):
    """As ask(), for functions that give bytes, before their timeout."""
    memory = Memory()
    ask(function, *arguments, *memory.arguments, timeout_ms)
    return memory.take()


def sliced(seconds, attempt):
    """Calls ``attempt`` with milliseconds until its status is another than SSH_ERR_TIMEOUT or the time is over."""
    if seconds == 0:
        return attempt(0)
    end = math.inf if seconds is None else time.monotonic() + milliseconds(seconds) / 1000
    while True:
        began = time.monotonic()
        slice_ms = max(1, math.ceil(min((end - began) * 1000, _SLICE_MS)))
        status = attempt(slice_ms)
        now = time.monotonic()
        # A time-out that comes early is none of this call's: it is what ended the session.
        if status != TIMEOUT or now >= end or now - began < slice_ms / 2000:
            return status


def sliced_call(seconds, function, *arguments):
    """As call(), for functions that can be asked again when time has run out; the timeout is the last argument but
    one. None for a handle that there is not."""
    outcome = None

    def attempt(timeout_ms):
        nonlocal outcome
        error = ctypes.c_void_p()
        outcome = function(*arguments, timeout_ms, ctypes.byref(error))
        if not error.value:
            return OK
        outcome = take_error(error.value)
        return outcome.code

    sliced(seconds, attempt)
    if isinstance(outcome, Error):
        raise outcome
    return outcome
