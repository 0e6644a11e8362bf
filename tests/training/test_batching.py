"""Batches hold every sample once, near lengths together, in an order that the seed decides."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.training import batches
from numba_lstm.training.batching import POOL

RNG = np.random.default_rng(0)


def sequences(lengths, features=2):
    """Sequences whose every number is their own, so that they can be told apart."""
    return [np.full((n, features), k, np.float32) for k, n in enumerate(lengths, 1)]


def ids(source):
    """The samples of each batch, by the number that they are filled with."""
    return [(b[0][0] if isinstance(b[0], tuple) else b[0])[0, :, 0].astype(int) for b in source]


def test_an_array_comes_time_first_and_each_sample_once():
    x, y = RNG.normal(size=(10, 4, 3)), np.arange(10)
    source = batches(x, y, 4, seed=0)
    assert len(source) == 3
    found = list(source)
    assert [inputs.shape for inputs, _ in found] == [(4, 4, 3), (4, 4, 3), (4, 2, 3)]
    assert sorted(np.concatenate([targets for _, targets in found])) == list(range(10))
    for inputs, targets in found:
        assert inputs.flags.c_contiguous
        assert np.array_equal(inputs, x[targets].swapaxes(0, 1))


def test_sequences_are_padded_with_zeros_and_come_with_their_lengths():
    lengths = [3, 1, 4, 2, 2]
    x = sequences(lengths)
    for (padded, found), targets in batches(x, np.arange(5), 2, seed=0):
        assert padded.dtype == np.float32 and padded.shape == (found.max(), len(targets), 2)
        for column, k in enumerate(targets):
            assert found[column] == lengths[k]
            assert np.array_equal(padded[: lengths[k], column], x[k])
            assert not padded[lengths[k] :, column].any()


def test_the_seed_decides_the_orders_and_each_pass_has_another():
    x = sequences(RNG.integers(3, 30, 50))

    def passes(seed, count=3):
        source = batches(x, np.arange(50), 8, seed=seed)
        return [np.concatenate(ids(source)).tolist() for _ in range(count)]

    first = passes(5)
    assert first == passes(5)
    assert first != passes(6)
    assert first[0] != first[1] != first[2]
    assert all(sorted(order) == list(range(1, 51)) for order in first)
    one, two = (np.random.default_rng(9) for _ in range(2))
    assert passes(one) == passes(two)
    assert passes(None) != passes(None)


def test_a_pass_can_be_begun_again_at_any_batch():
    x = sequences(RNG.integers(3, 30, 50))
    source = batches(x, np.arange(50), 8, seed=5)
    whole = [ids(source) for _ in range(3)]
    other = batches(x, np.arange(50), 8, seed=5)
    rest = ids(other.beginning_at(2, 3))
    assert all(map(np.array_equal, rest, whole[2][3:]))
    other.epoch = 1
    assert all(map(np.array_equal, ids(other), whole[1]))


def test_two_iterations_at_once_do_not_disturb_each_other():
    source = batches(sequences([3] * 9), np.arange(9), 2, seed=5)
    one, two = iter(source), iter(source)
    mixed = [next(one)[1].tolist(), next(two)[1].tolist(), next(one)[1].tolist()]
    again = batches(sequences([3] * 9), np.arange(9), 2, seed=5)
    first = [targets.tolist() for _, targets in again]
    assert [mixed[0], mixed[2]] == first[:2]


def test_near_lengths_go_together():
    lengths = RNG.integers(10, 101, 10_000)
    source = batches(sequences(lengths, 1), np.zeros(10_000), 32, seed=0)

    def padding(order):
        steps = sum(int(lengths[chosen].max()) * len(chosen) for chosen in order)
        return 1.0 - lengths.sum() / steps

    shuffled = RNG.permutation(10_000)
    assert padding(np.split(shuffled[:9984], 312)) > 0.40
    assert padding(source.order(0)) < 0.02
    # Yet they are not sorted: short and long batches come mixed, and neighbours change.
    means = [lengths[chosen].mean() for chosen in source.order(0)]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.2
    assert len(source.order(0)) == len(source) > POOL


def test_without_shuffling_the_order_is_that_of_the_samples():
    source = batches(sequences([5, 1, 4, 2, 3]), np.arange(5), 2, shuffle=False)
    for _ in range(2):
        assert [list(one) for one in ids(source)] == [[1, 2], [3, 4], [5]]


def test_an_array_with_lengths_is_cut_and_what_stands_behind_them_is_not_read():
    x = np.arange(24.0).reshape(3, 4, 2)
    x[0, 2:] = np.nan
    x[2, 3:] = np.inf
    ((padded, lengths), targets), *rest = batches(x, [7, 8, 9], 2, shuffle=False, lengths=[2, 1, 3])
    assert (padded.shape, lengths.tolist(), targets.tolist()) == ((2, 2, 2), [2, 1], [7, 8])
    assert np.array_equal(padded[:, 0], x[0, :2]) and not padded[1, 1].any()
    ((padded, lengths), _) = rest[0]
    assert padded.shape == (3, 1, 2) and np.isfinite(padded).all()
    with pytest.raises(ValueError, match=r"x: expected finite numbers, got nan at \(0, 2, 0\)"):
        batches(x, [7, 8, 9], 2, lengths=[3, 1, 3])


def test_sequences_of_no_step_have_one_of_padding():
    x = [np.empty((0, 2)), np.empty((0, 2))]
    (((padded, lengths), _),) = batches(x, [0, 1], 2)
    assert padded.shape == (1, 2, 2) and lengths.tolist() == [0, 0]


def test_tokens_are_integers_without_features():
    (((padded, _), _),) = batches([np.array([1, 2, 3]), np.array([4])], [0, 1], 2, shuffle=False)
    assert padded.dtype.kind == "i" and padded.T.tolist() == [[1, 2, 3], [4, 0, 0]]
    ((tokens, _),) = batches(np.arange(6).reshape(2, 3), [0, 1], 2, shuffle=False)
    assert tokens.T.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_targets_for_each_step_are_time_first_and_padding_has_no_weight():
    x = sequences([3, 1])
    y = [np.array([[1.0], [2.0], [3.0]]), np.array([[4.0]])]
    ((_, targets, weight),) = batches(x, y, 2, shuffle=False)
    assert targets.shape == (3, 2, 1) and targets[:, 1, 0].tolist() == [4.0, 0.0, 0.0]
    assert weight.T.tolist() == [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    ((_, _, weight),) = batches(x, y, 2, shuffle=False, sample_weight=[0.5, 2.0])
    assert weight.T.tolist() == [[0.5, 0.5, 0.5], [2.0, 0.0, 0.0]]


def test_an_array_of_targets_for_each_step_is_time_first():
    x, y = RNG.normal(size=(4, 3, 2)), RNG.normal(size=(4, 3, 1))
    ((_, targets),) = batches(x, y, 4, shuffle=False)
    assert np.array_equal(targets, y.swapaxes(0, 1))
    # A horizon has no padding, whatever the lengths of x are.
    ahead = RNG.normal(size=(4, 5, 1))
    ((_, targets),) = batches(sequences([3, 2, 1, 4]), ahead, 4, shuffle=False)
    assert np.array_equal(targets, ahead.swapaxes(0, 1))
    ((_, targets, weight),) = batches(x, ahead, 4, shuffle=False, sample_weight=[1, 2, 3, 4])
    assert targets.shape == (5, 4, 1) and weight.tolist() == [[1, 2, 3, 4]] * 5


def test_targets_of_several_columns_stay_samples_first():
    x, y = sequences([3, 2]), [np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])]
    ((_, targets),) = batches(x, y, 2, shuffle=False)
    assert targets.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_weights_go_with_their_samples_and_those_of_zero_are_left_out():
    x = np.arange(1.0, 6.0)[:, None, None] * np.ones((5, 3, 1))
    source = batches(x, np.arange(5), 2, seed=0, sample_weight=[1.0, 0.0, 3.0, 0.0, 5.0])
    assert len(source) == 2
    found = [pair for _, targets, weight in source for pair in zip(targets, weight)]
    assert sorted(found) == [(0, 1.0), (2, 3.0), (4, 5.0)]


@pytest.mark.parametrize(
    ("about", "error", "words"),
    [
        ({"x": np.ones((3, 4))}, ValueError, r"x: expected shape \(N, T, I\), or \(N, T\) of tok"),
        ({"x": np.ones((0, 4, 1))}, ValueError, "x: expected at least one sample, got none"),
        ({"x": []}, ValueError, "x: expected shape"),
        ({"x": np.ones((3, 2, 1)) * 1j}, TypeError, "x: expected real numbers"),
        ({"x": [np.ones((2, 1)), np.ones((2, 2))]}, ValueError, r"x\[1\]: expected shape \(T, 1\)"),
        ({"x": [np.ones(2), np.ones(3)]}, ValueError, r"of one feature that is \(T, 1\)"),
        (
            {"x": [np.ones((2, 1)), np.array([[1.0], [np.inf]])], "y": [0, 1]},
            ValueError,
            r"x\[1\]: expected finite numbers, got inf at \(1, 0\)",
        ),
        ({"y": [0, 1]}, ValueError, "y: expected 3 targets, one a sample, got 2"),
        ({"y": 3}, ValueError, "y: expected an array of N targets, got a number"),
        ({"y": ["a", "b", "c"]}, TypeError, "y: expected real numbers"),
        ({"y": [0.0, np.nan, 1.0]}, ValueError, r"y: expected finite numbers, got nan at \(1\)"),
        (
            {"y": [np.ones((2, 1)), np.ones((2, 1)), np.ones((1, 1))]},
            ValueError,
            "y: expected sequences as long as those of x, 2 steps for number 2, got 1",
        ),
        ({"batch_size": 0}, ValueError, "batch_size: expected at least 1"),
        ({"shuffle": 1}, TypeError, "shuffle: expected True or False"),
        ({"seed": "a"}, TypeError, "seed: expected None, an integer"),
        ({"lengths": [1, 2]}, ValueError, "lengths: expected 3, one a sample, got 2"),
        ({"lengths": [1, 2, 3]}, ValueError, r"lengths: expected ids from 0 to 2, got 3"),
        (
            {"x": sequences([1, 2, 3]), "lengths": [1, 2, 3]},
            ValueError,
            "lengths: expected none for a list of sequences",
        ),
        ({"sample_weight": [1, 2]}, ValueError, "sample_weight: expected 3, one a sample, got 2"),
        ({"sample_weight": [1, -1, 1]}, ValueError, "at least 0, got -1.0 at index 1"),
        ({"sample_weight": [1, np.nan, 1]}, ValueError, "at least 0, got nan at index 1"),
        ({"sample_weight": [0, 0, 0]}, ValueError, "sample_weight: expected at least one above 0"),
    ],
)
def test_arguments_are_refused_by_name(about, error, words):
    good = {"x": np.ones((3, 2, 1)), "y": [0, 1, 0], "batch_size": 2}
    with pytest.raises(error, match=words):
        batches(**{**good, **about})
