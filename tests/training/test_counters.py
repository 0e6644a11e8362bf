"""Counters tell the best loss, and go over to a text that has grown."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from numba_lstm.training.counters import Counters, TextCounters


def test_a_run_goes_on_at_the_beginning_of_the_next_pass_over_a_grown_text():
    before = TextCounters(step=25, tokens=99, position=25, windows=10, text_length=50, digest="old")
    here = TextCounters(windows=14, text_length=70, text_digest="t", digest="new", valid_digest="v")
    after = before.on_text_of(here)
    assert (after.step, after.tokens) == (25, 99)
    assert (after.position, after.windows) == (3 * 14, 14)
    assert (after.text_length, after.text_digest) == (70, "t")
    assert (after.digest, after.valid_digest) == ("new", "v")


def test_a_whole_pass_is_not_begun_again():
    before = TextCounters(step=20, position=20, windows=10, digest="old")
    assert before.on_text_of(TextCounters(windows=14, digest="new")).position == 2 * 14


def test_on_the_same_text_it_stays_where_it_is_and_learns_what_it_did_not_know():
    # A run of an older version counted neither windows nor characters.
    before = TextCounters(step=25, position=25, digest="same")
    here = TextCounters(
        windows=10, text_length=50, text_digest="t", digest="same", valid_digest="v"
    )
    after = before.on_text_of(here)
    assert (after.step, after.position, after.windows) == (25, 25, 10)
    assert (after.text_length, after.text_digest, after.valid_digest) == (50, "t", "v")


def test_any_lower_loss_is_the_best_and_only_a_lower_one_by_min_delta_ends_the_count():
    counters = Counters()
    found = [(counters.judge(loss, 0.5), counters.since_best) for loss in (3.0, 2.7, 2.4, 1.8, 1.9)]
    assert found == [(True, 0), (True, 1), (True, 2), (True, 0), (False, 1)]
    assert counters.best_loss == 1.8
    assert not counters.judge(1.8) and counters.since_best == 2


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"step": -1}, "step: expected a whole number of at least 0, got -1"),
        ({"step": 1.0}, "step: expected a whole number"),
        ({"step": True}, "step: expected a whole number"),
        ({"step": None}, "step: expected a whole number"),
        ({"step": 2**63}, "step: expected a whole number"),
        ({"tokens": "3"}, "tokens: expected a whole number"),
        ({"seconds": -0.5}, "seconds: expected a finite number"),
        ({"seconds": float("inf")}, "seconds: expected a finite number"),
        ({"loss_sum": [1.0]}, "loss_sum: expected a finite number"),
        ({"best_loss": "low"}, "best_loss: expected a finite number"),
        ({"best_loss": 10**99}, "best_loss: expected a finite number"),
        ({"digest": 3}, "digest: expected text, got 3"),
        ({"windows": {}}, "windows: expected a whole number"),
        ({"step": 3, "measured_step": 4}, r"measured_step: expected at most 3 \(step\), got 4"),
        ({"step": 3, "best_step": 4}, r"best_step: expected at most 3 \(step\), got 4"),
    ],
)
def test_what_a_file_counts_is_checked_by_name(found, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        TextCounters.of(found)


def test_what_a_file_counts_comes_back_and_what_it_lacks_is_as_at_the_beginning():
    whole = TextCounters(step=9, seconds=0.5, loss_sum=-1.0, loss_count=2, best_loss=-3, windows=2)
    assert TextCounters.of(asdict(whole)) == whole
    assert TextCounters.of({"step": 3}) == TextCounters(step=3)
    with pytest.raises(TypeError, match="laps"):
        TextCounters.of({"laps": 3})


def test_a_run_that_counted_no_windows_goes_on_over_a_grown_text():
    before = TextCounters(step=20, position=20, digest="old")
    assert before.on_text_of(TextCounters(windows=14, digest="new")).position == 20 * 14
