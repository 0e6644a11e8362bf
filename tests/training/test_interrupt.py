"""Signals are heard between steps, once; a second one is not waited with."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

import pytest

from numba_lstm.training.interrupt import Interrupted, Interrupts


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_waits_for_the_check_and_the_second_does_not(signum, code):
    before = signal.getsignal(signum)
    with Interrupts() as interrupts:
        interrupts.check()
        os.kill(os.getpid(), signum)
        with pytest.raises(Interrupted) as caught:
            interrupts.check()
        assert caught.value.exit_code == code
        assert caught.value.between_steps
        with pytest.raises(Interrupted) as caught:
            os.kill(os.getpid(), signum)
            signal.sigtimedwait([], 0.2)
        assert caught.value.exit_code == code
        assert not caught.value.between_steps
    assert signal.getsignal(signum) is before


def test_within_at_once_the_first_signal_is_not_waited_with():
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted), interrupts.at_once():
            os.kill(os.getpid(), signal.SIGINT)
            signal.sigtimedwait([], 0.2)
        interrupts.check()


def test_a_signal_that_came_before_at_once_is_raised_at_its_start():
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([], 0.2)
        with pytest.raises(Interrupted) as caught, interrupts.at_once():
            pytest.fail("what is within was begun")
        assert caught.value.between_steps


def test_in_another_thread_it_changes_nothing():
    before = signal.getsignal(signal.SIGINT)
    seen = []
    interrupts = Interrupts()
    with interrupts:
        pass

    def enter():
        with interrupts:
            interrupts.check()
            seen.append(signal.getsignal(signal.SIGINT))
        seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before, before]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_terminal_that_is_closed_is_heard_once_however_often_it_says_so():
    with Interrupts() as interrupts:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
            signal.sigtimedwait([], 0.1)
        with pytest.raises(Interrupted) as caught:
            interrupts.check()
        assert caught.value.exit_code == 129
        assert caught.value.between_steps
        with pytest.raises(Interrupted) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 0.2)
        assert caught.value.exit_code == 143


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_hangup_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            signal.sigtimedwait([], 0.1)
            interrupts.check()
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_that_is_lost_in_a_call_from_c_is_raised_at_the_end_and_not_shown(capsys):
    """The compiler calls back to Python, from where nothing can be raised."""
    seen = []

    def call_back(_):
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([], 0.2)

    before, from_c = sys.unraisablehook, ctypes.CFUNCTYPE(None, ctypes.c_int)(call_back)
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted) as caught, interrupts.at_once():
            from_c(0)
            seen.append("went on")
        assert not caught.value.between_steps
        interrupts.check()
    assert seen == ["went on"]
    assert capsys.readouterr().err == ""
    assert sys.unraisablehook is before
