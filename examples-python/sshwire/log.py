"""The library's log as lines of the ``logging`` module."""

import logging

from . import _abi, _callbacks
from ._abi import lib
from ._calls import check
from ._values import decode

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


@_abi.LOG_CALLBACK
@_callbacks.shielded()
def _on_line(level, channel, message, number):
    logger = _callbacks.registered(number)
    if logger is not None:
        logger.getChild(decode(channel)).log(_LEVELS.get(level, logging.DEBUG), "%s", decode(message))


def set_log(logger=None, level=logging.INFO):
    """Sends the log of all transports to a logger; None ends that."""
    if logger is None:
        check(lib.ssh_set_log_callback(_abi.LOG_CALLBACK(), 0, None, _abi.DESTROY()))
        return
    ours = max((number for number, theirs in _LEVELS.items() if theirs >= level), default=0)
    _callbacks.give(logger, None, lib.ssh_set_log_callback, _on_line, ours)
