"""Functions that the library calls.

One C function pointer for each kind lives as long as the process, because a library thread may be on its way into it at
any time. Which Python function is meant stands in the userdata, a number; the library calls `destroy` once when it will
not use the number again.

The function is kept by the object that it was given to, not by the registry, so that an object and functions that refer
to it are garbage together. No lock guards the registry: a finalizer may run at any instruction, also of the thread that
would hold it, and a single operation on a dictionary needs none.
"""

import _thread
import itertools
import sys
import threading
import weakref

from . import _abi
from ._calls import check
from .errors import CLOSED, Error, failure

registry = {}  # number: (weak reference to the owner or None, target if there is no owner)
entries = set()  # the code that library threads enter
visitors = set()  # the threads that did
ending = threading.Event()  # set when the interpreter ends: see _process.py
_numbers = itertools.count(1)


def register(target, owner=None):
    if ending.is_set():
        raise failure(CLOSED, "the interpreter ends")
    number = next(_numbers)
    if owner is None:
        registry[number] = None, target
    else:
        owner.__dict__.setdefault("_targets", {})[number] = target
        registry[number] = weakref.ref(owner), None
    return number


def unregister(number):
    owner, _ = registry.pop(number, (None, None))
    owner = owner and owner()
    if owner is not None:
        owner._targets.pop(number, None)


def registered(number):
    """What was registered; None once its owner is gone."""
    owner, target = registry.get(number, (None, None))
    if owner is None:
        return target
    owner = owner()
    return owner and owner._targets.get(number)


def give(target, owner, function, *arguments):
    """Calls a C function that takes userdata and `destroy` last, with a number for ``target``."""
    number = register(target, owner)
    try:
        check(function(*arguments, number, destroy))
    except BaseException:
        unregister(number)
        raise


def shielded(on_failure=None):
    """Makes a function fit to be called by C: an exception cannot go through C, so it is reported as that of a thread."""
    def wrap(function):
        def called(*arguments):
            visitors.add(threading.get_ident())
            try:
                return function(*arguments)
            except BaseException as error:
                report(error)
                return on_failure
        entries.add(called.__code__)
        return called
    return wrap


def report(error):
    """Tells of what nobody can catch, within its ``except``."""
    if isinstance(error, KeyboardInterrupt):  # of the main thread's, which was on its way elsewhere
        _thread.interrupt_main()
    elif not (ending.is_set() and isinstance(error, Error)):  # sessions end under whoever uses them then
        threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), None)))


@_abi.DESTROY
@shielded()
def destroy(number):
    unregister(number)
