"""A pullback that answers one call only, of however many and from whichever thread."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref

import pytest

from numba_lstm.nn import once


def test_once_answers_once_and_lets_what_it_held_go():
    class Big:
        pass

    big = Big()
    gone = weakref.ref(big)
    pull = once(lambda dy, big=big: dy)
    del big
    assert pull(3) == 3
    gc.collect()
    assert gone() is None
    with pytest.raises(RuntimeError, match=r"^this pullback has been called already; "):
        pull(3)


def test_once_hands_on_what_is_given_by_name():
    assert once(lambda dy, dhn=None: (dy, dhn))(1, dhn=2) == (1, 2)


def test_once_can_be_called_again_after_a_refusal_only():
    def fn(error):
        if error:
            raise error
        return "done"

    pull = once(fn)
    for refusal in (ValueError("dy"), TypeError("dy")):
        with pytest.raises(type(refusal)):
            pull(refusal)
    assert pull(None) == "done"
    pull = once(fn)
    with pytest.raises(MemoryError):
        pull(MemoryError())
    with pytest.raises(RuntimeError, match="called already"):
        pull(None)


def test_once_answers_one_of_many_threads():
    answers, barrier = [], threading.Barrier(8)
    pull = once(lambda: answers.append(1))

    def run():
        barrier.wait()
        with contextlib.suppress(RuntimeError):
            pull()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1
