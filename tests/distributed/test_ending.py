"""Where processes meet at their end: all of them, or not; Ctrl-C is for those that still work."""

from __future__ import annotations

import signal
import time
from types import SimpleNamespace

from numba_lstm.distributed.ending import Ending


class Comm:
    """A communicator whose ranks are all there at the look with this number."""

    def __init__(self, looks, each=lambda: None):
        self.looks, self.each = looks, each

    def Dup(self):
        return self

    def Ibarrier(self):
        return SimpleNamespace(Test=self.test)

    def test(self):
        self.looks -= 1
        self.each()
        return self.looks <= 0

    def allgather(self, words):
        return [words, "others"]


def test_it_waits_for_all_and_gives_their_words():
    assert Ending(SimpleNamespace(_comm=Comm(4))).met("mine") == ["mine", "others"]


def test_after_the_seconds_it_waits_no_longer():
    began = time.monotonic()
    assert Ending(SimpleNamespace(_comm=Comm(10**9))).met("mine", 0.05) is None
    assert 0.05 <= time.monotonic() - began < 5.0


def test_ctrl_c_is_not_heard_meanwhile_and_is_afterwards():
    before = signal.getsignal(signal.SIGINT)
    comm = Comm(3, lambda: signal.raise_signal(signal.SIGINT))
    assert Ending(SimpleNamespace(_comm=comm)).met("") == ["", "others"]
    assert signal.getsignal(signal.SIGINT) is before
