"""When any parameter changed last: one number, so that nobody compares the versions of many."""

from __future__ import annotations

import itertools

__all__ = ["begin_epoch", "epoch", "exchange", "exchanged"]

# A number that changes whenever any parameter is made, written, or exchanged in a module. What is
# cached of several parameters is fresh as long as this one number is the same. To compare the
# versions of four parameters would take 1 µs of each call.
epoch = 0
# The epoch in which a module's attribute was set or deleted last: which parameters a module has is
# the same as long as this is. Most epochs begin with a write.
exchange = 0
_epochs = itertools.count(1)


def begin_epoch() -> None:
    """Change `epoch`, so that whoever cached something of parameters compares their versions."""
    global epoch
    epoch = next(_epochs)


def exchanged() -> None:
    """Change `exchange`, too, so that whoever cached a module's parameters looks at them again."""
    global exchange
    begin_epoch()
    exchange = epoch
