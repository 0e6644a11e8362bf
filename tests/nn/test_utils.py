"""Padded batches and their sequences."""

from __future__ import annotations

import numpy as np
import pytest
from lstm_tool import run_python

from numba_lstm import nn
from numba_lstm.nn import utils


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("rest", [(), (5,), (2, 3)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "i2"])
def test_unpadding_gives_the_sequences_to_the_bit(rng, dtype, rest, batch_first):
    lengths = [3, 0, 7, 1]
    sequences = [(9 * rng.standard_normal((n, *rest))).astype(dtype) for n in lengths]
    x, found = utils.pad_sequence(sequences, batch_first, padding_value=-1)
    assert x.shape == ((4, 7) if batch_first else (7, 4)) + rest
    assert x.dtype == dtype and x.flags.c_contiguous
    assert found.dtype == np.int64 and found.tolist() == lengths
    by_sequence = x if batch_first else x.swapaxes(0, 1)
    assert all((row[n:] == -1).all() for row, n in zip(by_sequence, lengths))
    back = utils.unpad_sequence(x, found, batch_first)
    for one, other in zip(sequences, back, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert np.array_equal(one, other)
        assert not np.shares_memory(other, x)


@pytest.mark.parametrize("batch_first", [False, True])
def test_padding_is_torchs(rng, batch_first):
    torch = pytest.importorskip("torch")
    sequences = [rng.standard_normal((n, 3)).astype("f4") for n in (2, 5, 1)]
    x, lengths = utils.pad_sequence(sequences, batch_first, 0.5)
    rnn = torch.nn.utils.rnn
    theirs = rnn.pad_sequence([torch.from_numpy(s) for s in sequences], batch_first, 0.5)
    assert np.array_equal(x, theirs.numpy())
    back = rnn.unpad_sequence(theirs, torch.from_numpy(lengths), batch_first)
    for one, other in zip(utils.unpad_sequence(x, lengths, batch_first), back, strict=True):
        assert np.array_equal(one, other.numpy())


def test_dtypes_that_differ_become_one_that_holds_both():
    x, _ = utils.pad_sequence([np.ones(2, "i4"), np.ones(3, "f4")])
    assert x.dtype == np.float64  # NumPy's rule: float32 does not hold every int32
    assert utils.pad_sequence([np.ones(2, "f4"), np.ones(3, "f8")])[0].dtype == np.float64


def test_an_empty_list_is_an_empty_sequence_of_the_others_kind():
    x, lengths = utils.pad_sequence([[], [3, 4], []])
    assert x.dtype.kind == "i" and x.tolist() == [[0, 3, 0], [0, 4, 0]]
    assert lengths.tolist() == [0, 2, 0]
    x, lengths = utils.pad_sequence([np.ones((2, 3), "f4"), []])
    assert x.dtype == np.float32 and x.shape == (2, 2, 3) and lengths.tolist() == [2, 0]
    assert utils.pad_sequence([[], []])[0].shape == (0, 2)


def test_sequences_may_come_from_any_iterable():
    x, lengths = utils.pad_sequence(range(n) for n in (1, 2))
    assert x.tolist() == [[0, 0], [0, 1]] and lengths.tolist() == [1, 2]


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_padded_batch_is_each_sequence_alone(rng, batch_first):
    sequences = [rng.standard_normal((n, 3)) for n in (4, 1, 6)]
    lstm = nn.LSTM(3, 5, batch_first=batch_first, bidirectional=True, dtype="f8", seed=0)
    x, lengths = nn.utils.pad_sequence(sequences, batch_first)
    y, _ = lstm(x, lengths=lengths)
    for one, other in zip(sequences, nn.utils.unpad_sequence(y, lengths, batch_first), strict=True):
        assert np.allclose(lstm(one)[0], other, rtol=0, atol=1e-14)


BAD = [
    (([],), ValueError, "sequences: expected at least one, got none"),
    ((3,), TypeError, "sequences: expected a list of arrays, got int"),
    (([1, 2],), ValueError, r"sequences\[0\]: expected at least 1 dimension, got 0"),
    (([[1], ["a"]],), TypeError, r"sequences\[1\]: expected real numbers"),
    (([[1], None],), TypeError, r"sequences\[1\]: expected real numbers, got None"),
    (([[1], [[1]]],), ValueError, r"sequences\[1\]: expected shape \(L,\), got \(1, 1\)"),
    (
        ([np.ones((2, 3)), np.ones((2, 4))],),
        ValueError,
        r"sequences\[1\]: expected shape \(L, 3\), got \(2, 4\)",
    ),
    (([[1]], False, 0.5), ValueError, "padding_value: expected a value of int64, got 0.5"),
    (([[1]], False, np.nan), ValueError, "padding_value: expected a value of int64, got nan"),
    (([np.ones(1, "u1")], False, -1), ValueError, "padding_value: expected a value of uint8"),
    (([[1.0]], False, "a"), TypeError, "padding_value: expected real numbers, got 'a'"),
    (([[1.0]], False, [0.0]), ValueError, r"padding_value: expected one number, got shape \(1,\)"),
]


@pytest.mark.parametrize("arguments, error, message", BAD)
def test_what_cannot_be_padded_is_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        utils.pad_sequence(*arguments)


def test_a_float_padding_rounds_and_may_be_nan():
    assert np.isnan(utils.pad_sequence([[1.0], []], False, np.nan)[0][0, 1])
    x, _ = utils.pad_sequence([np.ones(1, "f4"), []], padding_value=0.1)
    assert x[0, 1] == np.float32(0.1)


def test_what_cannot_be_unpadded_is_refused_by_name():
    for y, lengths, error, message in [
        (np.ones(3), [1], ValueError, "y: expected at least 2 dimensions, got 1"),
        ("a", [1], TypeError, "y: expected real numbers"),
        (np.ones((3, 2)), [1], ValueError, r"lengths: expected shape \(2,\), got \(1,\)"),
        (np.ones((3, 2)), [1, 4], ValueError, "lengths: expected 0 to 3, got 4 at index 1"),
        (np.ones((3, 2)), [1, 2.0], TypeError, "lengths: expected integers"),
    ]:
        with pytest.raises(error, match=f"^{message}"):
            utils.unpad_sequence(y, lengths)


def test_utils_is_there_by_its_name_and_loaded_on_first_use():
    assert "utils" in dir(nn) and nn.utils is utils
    code = "import sys; from numba_lstm import nn; print('numba_lstm.nn.utils' in sys.modules)"
    assert run_python(code).strip() == "False"


def test_batch_first_is_a_bool():
    with pytest.raises(TypeError, match="batch_first: expected True or False"):
        utils.pad_sequence([[1.0]], batch_first="no")
    with pytest.raises(TypeError, match="batch_first: expected True or False"):
        utils.unpad_sequence([[1.0]], [1], batch_first="no")
