"""Training streams are contiguous and resumable; validation counts every target once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from numba_lstm.text import IGNORE, Streams, windows

SIZES = [
    (n, batch, seq_len)
    for n in (2, 3, 10, 61, 64, 65, 66, 127, 128, 129, 200)
    for batch in (1, 2, 3, 4, 7)
    for seq_len in (1, 2, 5, 16, 63, 64)
    if n - 1 >= batch * seq_len
]


def test_a_window_holds_inputs_and_the_tokens_after_them():
    tokens = np.random.default_rng(0).integers(0, 50, 300)
    for window in itertools.islice(Streams(tokens, 4, 7), 50):
        for array in window[:2]:
            assert array.shape == (7, 4)
            assert array.dtype == np.int64
            assert array.flags.c_contiguous
            assert not np.shares_memory(array, tokens)
        assert np.array_equal(window.inputs[1:], window.targets[:-1])


def test_an_epoch_has_contiguous_streams_that_reach_over_the_text():
    assert len(SIZES) > 180
    for sizes in SIZES:
        assert_an_epoch_reaches_over_the_text(*sizes)


def assert_an_epoch_reaches_over_the_text(n, batch, seq_len):
    streams = Streams(np.arange(n), batch, seq_len)
    epoch = [next(streams) for _ in range(len(streams))]
    assert [window.fresh for window in epoch] == [True] + [False] * (len(epoch) - 1)
    inputs = np.concatenate([window.inputs for window in epoch])
    targets = np.concatenate([window.targets for window in epoch])
    # Each token is its own place, so a stream that goes on without a gap counts upwards.
    assert (np.diff(inputs, axis=0) == 1).all()
    assert (targets == inputs + 1).all()
    assert inputs.min() == 0
    covered = np.unique(targets)
    if batch == 1:
        assert n - 1 - covered.size < seq_len
    else:
        assert covered.tolist() == list(range(1, n))
    # What is seen twice is less than a window for each stream.
    assert inputs.size - covered.size < batch * seq_len


def test_a_new_epoch_repeats_the_first_and_says_so():
    streams = Streams(np.arange(50), 3, 4)
    count = len(streams)
    first, second = (list(itertools.islice(streams, count)) for _ in range(2))
    assert streams.position == 2 * count
    assert streams.epoch == 2
    assert second[0].fresh
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.inputs, b.inputs)
        assert np.array_equal(a.targets, b.targets)


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 6, 13])
def test_a_saved_position_continues_exactly(stop):
    tokens = np.random.default_rng(1).integers(0, 9, 61)
    whole, resumed = Streams(tokens, 3, 4), Streams(tokens, 3, 4)
    for _ in range(stop):
        next(whole)
    assert type(whole.position) is int
    resumed.position = whole.position
    assert resumed.epoch == whole.epoch
    for _ in range(12):
        a, b = next(whole), next(resumed)
        assert a.fresh == b.fresh
        assert np.array_equal(a.inputs, b.inputs)
        assert np.array_equal(a.targets, b.targets)


def test_too_few_tokens_for_one_window_of_every_stream_are_refused():
    assert len(Streams(np.arange(13), 3, 4)) == 1
    with pytest.raises(ValueError, match=r"tokens: .*at least 13 .*batch=3 .*seq_len=4 .*got 12"):
        Streams(np.arange(12), 3, 4)


def test_validation_counts_every_target_exactly_once_in_contiguous_streams():
    for sizes in itertools.product(
        (2, 3, 5, 8, 33, 64, 65, 100), (1, 2, 3, 8, 50), (1, 3, 16, 200)
    ):
        assert_every_target_is_counted_once(*sizes)


def assert_every_target_is_counted_once(n, batch, seq_len):
    steps = list(windows(np.arange(n), batch, seq_len))
    assert [step.fresh for step in steps] == [True] + [False] * (len(steps) - 1)
    inputs = np.concatenate([step.inputs for step in steps])
    targets = np.concatenate([step.targets for step in steps])
    counted = targets != IGNORE
    assert sorted(targets[counted].tolist()) == list(range(1, n))
    assert (targets[counted] == inputs[counted] + 1).all()
    assert inputs.min() >= 0
    assert inputs.max() < n
    # The streams end at most one token apart, and ignored targets stand only at their ends.
    assert counted[:-1].all()
    for column, real in zip(inputs.T, counted.T, strict=True):
        assert (np.diff(column[real]) == 1).all()
    assert inputs.shape[1] == min(batch, n - 1)
    assert {len(step.inputs) for step in steps[:-1]} <= {seq_len}
    for step in steps:
        assert step.inputs.flags.c_contiguous
        assert step.targets.flags.c_contiguous
        assert step.inputs.dtype == step.targets.dtype == np.int64


def test_each_stream_but_the_first_reads_some_tokens_before_its_own():
    for sizes in itertools.product((5, 8, 33, 64, 100), (1, 2, 3, 8), (1, 5, 200), (1, 4, 7)):
        assert_streams_read_tokens_before_their_own(*sizes)


def assert_streams_read_tokens_before_their_own(n, batch, seq_len, warmup):
    steps = list(windows(np.arange(n), batch, seq_len, warmup))
    inputs = np.concatenate([step.inputs for step in steps])
    targets = np.concatenate([step.targets for step in steps])
    counted = targets != IGNORE
    assert sorted(targets[counted].tolist()) == list(range(1, n))
    assert all((step.targets != IGNORE).any() for step in steps)
    assert inputs[0, 0] == 0
    assert counted[:-1, 0].all()
    for column, real in zip(inputs.T[1:], counted.T[1:], strict=True):
        # Contiguous from the first warming token to the last of its own.
        first, last = np.flatnonzero(real)[[0, -1]]
        assert first == warmup
        assert (np.diff(column[: last + 1]) == 1).all()
        assert real[first : last + 1].all()
        assert last >= len(column) - 2


def test_a_text_no_longer_than_the_warm_up_is_one_stream():
    (step,) = windows(np.arange(6), 4, 9, warmup=5)
    assert step.targets.T.tolist() == [[1, 2, 3, 4, 5]]


def test_validation_refuses_a_text_without_a_target_at_the_call():
    for tokens in ([1], []):
        with pytest.raises(ValueError, match="tokens: too short"):
            windows(np.array(tokens, dtype=np.int64), 2, 3)


@pytest.mark.parametrize("make", [Streams, windows])
def test_bad_arguments_are_named(make):
    tokens = np.arange(50)
    for name in ("batch", "seq_len"):
        for value, kind in ((0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError)):
            with pytest.raises(kind, match=f"^{name}: "):
                make(tokens, **{"batch": 2, "seq_len": 3, name: value})
    with pytest.raises(ValueError, match=r"^tokens: "):
        make(tokens.reshape(5, 10), 2, 3)
    with pytest.raises(TypeError, match=r"^tokens: "):
        make(tokens.astype(float), 2, 3)
    with pytest.raises(ValueError, match=r"^tokens: "):
        make(-tokens, 2, 3)


def test_a_bad_position_is_refused():
    streams = Streams(np.arange(50), 2, 3)
    for value, kind in ((-1, ValueError), (1.0, TypeError)):
        with pytest.raises(kind, match="position"):
            streams.position = value
    assert streams.position == 0


def test_tokens_of_any_integer_kind_and_layout_give_the_same_windows():
    tokens = np.arange(60)
    expected = next(Streams(tokens, 2, 5)).inputs
    for other in (
        tokens.astype(np.uint8),
        tokens.astype(">i4"),
        np.repeat(tokens, 2)[::2],
        tokens.tolist(),
    ):
        window = next(Streams(other, 2, 5))
        assert np.array_equal(window.inputs, expected)
        assert window.inputs.dtype == window.targets.dtype == np.int64


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_compact_tokens_are_kept_as_they_are_and_windows_are_int64(kind):
    tokens = np.arange(60, dtype=kind)
    assert Streams(tokens, 2, 5).tokens is tokens
    for step in (next(Streams(tokens, 2, 5)), next(windows(tokens, 2, 5))):
        assert step.inputs.dtype == step.targets.dtype == np.int64
    assert [step.targets.tolist() for step in windows(tokens, 7, 5)] == [
        step.targets.tolist() for step in windows(np.arange(60), 7, 5)
    ]


@pytest.mark.parametrize(("batch", "warmup"), [(1, 0), (4, 0), (4, 30), (7, 12)])
def test_parts_of_the_streams_are_the_streams(batch, warmup):
    tokens = np.random.default_rng(0).integers(0, 50, 400).astype(np.uint8)
    parts = [slice(0, 2), slice(2, 3), slice(3, 3), slice(3, batch)]
    streams = [Streams(tokens, batch, 7), *(Streams(tokens, batch, 7, part=one) for one in parts)]
    passes = [
        windows(tokens, batch, 7, warmup),
        *(windows(tokens, batch, 7, warmup, part=one) for one in parts),
    ]
    several = [itertools.islice(zip(*streams), 2 * len(streams[0]) + 1), zip(*passes, strict=True)]
    for whole, *of_parts in itertools.chain(*several):
        for name in ("inputs", "targets"):
            found = [getattr(one, name) for one in of_parts]
            assert all(one.flags.c_contiguous and one.dtype == np.int64 for one in found)
            assert np.array_equal(np.concatenate(found, axis=1), getattr(whole, name))
        assert {one.fresh for one in of_parts} == {whole.fresh}
