"""Workers ask for short slices; nobody else's are changed."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading

import pytest

from numba_lstm import time_slice
from numba_lstm.time_slice import _Attributes, ask_for_short_slices

_GET = {"x86_64": 315, "aarch64": 275}


def attributes():
    """What the system tells of the calling thread."""
    found = _Attributes()
    size = ctypes.sizeof(found)
    got = ctypes.CDLL(None).syscall(
        _GET[platform.machine()], 0, ctypes.byref(found), ctypes.c_uint(size), ctypes.c_uint(0)
    )
    assert got == 0
    return found


def told():
    """Whether the system tells of slices: since Linux 6.12."""
    if sys.platform != "linux" or platform.machine() not in _GET:
        return False
    release = platform.release().split(".")
    return (int(release[0]), int(release[1].split("-")[0])) >= (6, 12)


needs_slices = pytest.mark.skipif(not told(), reason="Linux before 6.12, or another system")


def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


@needs_slices
def test_the_thread_that_asks_has_a_short_slice_and_no_other():
    before = attributes().runtime

    def ask():
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        ask_for_short_slices()
        assert os.getpriority(os.PRIO_PROCESS, 0) == nice
        return attributes().runtime

    assert in_thread(ask) == 100_000
    assert attributes().runtime == before


@needs_slices
def test_a_thread_of_another_policy_is_left_alone():
    def ask():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        ask_for_short_slices()
        return os.sched_getscheduler(0)

    assert in_thread(ask) == os.SCHED_BATCH


@pytest.mark.parametrize("name, value", [("platform", "darwin"), ("maxsize", 2**31 - 1)])
def test_elsewhere_nothing_is_asked(monkeypatch, name, value):
    monkeypatch.setattr(sys, name, value)
    monkeypatch.setattr(time_slice.ctypes, "CDLL", None)
    ask_for_short_slices()


@needs_slices
def test_the_workers_have_asked(monkeypatch):
    from numba_lstm import parts, workers  # noqa: F401 (parts tells workers their work)

    found = []
    crew = workers.Crew(2, run=lambda *_: found.append(attributes().runtime))
    crew.grow(2)
    for worker in crew.workers:
        worker.join()
    assert found == [100_000]


def test_a_refusal_is_no_failure(monkeypatch):
    def refuse(*_):
        raise OSError("not permitted")

    monkeypatch.setattr(os, "sched_getscheduler", refuse, raising=False)
    ask_for_short_slices()
