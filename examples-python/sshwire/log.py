"""The library's log as lines of the ``logging`` module."""

import logging

from . import _abi, _core

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


@_abi.LOG_CALLBACK
@_core.shielded()
def _on_line(level, channel, message, userdata):
    logger = _core.registered(userdata)
    if logger is not None:
        logger.getChild(_core.decode(channel)).log(_LEVELS.get(level, logging.DEBUG), "%s", _core.decode(message))


def set_log(logger=None, level=logging.INFO):
    """Sends the log of all transports to a logger; None ends that."""
    if logger is None:
        _core.check(_core.lib.ssh_set_log_callback(_abi.LOG_CALLBACK(), 0, None, _abi.DESTROY()))
        return
    ours = max((number for number, theirs in _LEVELS.items() if theirs >= level), default=0)
    _core.give(logger, None, _core.lib.ssh_set_log_callback, _on_line, ours)
