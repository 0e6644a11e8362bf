"""Counters go over to a text that has grown."""

from __future__ import annotations

from numba_lstm.training.counters import Counters


def test_a_run_goes_on_at_the_beginning_of_the_next_pass_over_a_grown_text():
    before = Counters(step=25, tokens=99, position=25, windows=10, text_length=50, digest="old")
    here = Counters(windows=14, text_length=70, text_digest="t", digest="new", valid_digest="v")
    after = before.on_text_of(here)
    assert (after.step, after.tokens) == (25, 99)
    assert (after.position, after.windows) == (3 * 14, 14)
    assert (after.text_length, after.text_digest) == (70, "t")
    assert (after.digest, after.valid_digest) == ("new", "v")


def test_a_whole_pass_is_not_begun_again():
    before = Counters(step=20, position=20, windows=10)
    assert before.on_text_of(Counters(windows=14)).position == 2 * 14
