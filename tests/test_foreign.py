"""Arrays of other libraries are taken in their own memory, or refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import checks, losses, nn

F4 = np.dtype("f4")


class Held:
    """An array that is seen through one protocol only."""

    def __init__(self, array):
        self._held = array


class ByArray(Held):
    def __array__(self, dtype=None, copy=None):
        return self._held


class ByInterface(Held):
    @property
    def __array_interface__(self):
        return self._held.__array_interface__


class ByDLPack(Held):
    device = (1, 0)

    def __dlpack__(self, **options):
        return self._held.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device


@pytest.mark.parametrize("protocol", [ByArray, ByInterface, ByDLPack])
def test_each_protocol_is_taken_without_a_copy(protocol):
    array = np.arange(6, dtype=F4).reshape(2, 3)
    x = checks.as_float("x", protocol(array), F4, shape=("T", 3))
    assert type(x) is np.ndarray and np.shares_memory(x, array)
    assert np.array_equal(x, array)
    wide = checks.as_input("x", protocol(array.astype("f8")))
    assert wide.dtype == np.float64 and np.array_equal(wide, array)
    tokens = checks.as_tokens("tokens", protocol(np.array([1, 0, 2])), 3)
    assert tokens.tolist() == [1, 0, 2]


@pytest.mark.parametrize("protocol", [ByArray, ByInterface, ByDLPack])
def test_a_module_gives_the_same_bits_for_each_protocol(rng, protocol):
    lstm, head = nn.LSTM(3, 5, seed=0), nn.Linear(5, 2, seed=1)
    x = rng.standard_normal((4, 2, 3)).astype(F4)
    h0, c0 = rng.standard_normal((2, 1, 2, 5)).astype(F4)
    y, (hn, cn) = lstm(x, (h0, c0))
    found, states = lstm(protocol(x), (protocol(h0), protocol(c0)))
    assert np.array_equal(y, found)
    assert np.array_equal(hn, states[0]) and np.array_equal(cn, states[1])
    assert np.array_equal(head(y), head(protocol(y)))
    loss, _ = losses.mse(y, protocol(np.zeros_like(y)))
    assert loss == losses.mse(y, np.zeros_like(y))[0]
    lstm.weight_hh_l0[...] = protocol(np.ones((20, 5)))
    assert (lstm.weight_hh_l0.numpy() == 1).all()


def test_what_is_on_another_device_or_breaks_is_refused_by_name():
    array = np.ones(3, F4)

    class Elsewhere(ByDLPack):
        device = (2, 0)

    class Broken(ByDLPack):
        def __dlpack__(self, **options):
            raise BufferError("not now")

    with pytest.raises(TypeError, match=r"^h0: .*type Elsewhere on another device, DLPack's 2:"):
        checks.as_float("h0", Elsewhere(array), F4)
    with pytest.raises(TypeError, match=r"^h0: .*type Broken: not now"):
        checks.as_float("h0", Broken(array), F4)


def test_a_plain_array_is_looked_at_no_further(monkeypatch):
    def refuse(name, value):
        raise AssertionError("real_array was called")

    monkeypatch.setattr(checks, "real_array", refuse)
    x = np.ones((2, 3), F4)
    assert checks.as_float("x", x, F4, shape=(2, 3)) is x
    tokens = np.array([1, 2])
    assert checks.as_tokens("tokens", tokens, 3) is tokens


def test_tensors_of_torch_are_taken_in_their_memory_or_say_what_to_do():
    torch = pytest.importorskip("torch")
    values = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    x = checks.as_float("x", values, F4)
    assert np.shares_memory(x, values.numpy())
    for narrow in (torch.bfloat16, torch.float16, torch.float8_e4m3fn):
        found = checks.as_float("x", values.to(narrow), F4)
        assert found.tolist() == values.tolist()
    assert checks.as_input("x", values.double()).dtype == np.float64
    assert checks.as_input("x", values).dtype == np.float32
    with pytest.raises(TypeError, match=r"^x: .*type Tensor: .*requires grad.*detach"):
        checks.as_float("x", values.clone().requires_grad_(), F4)
    with pytest.raises(TypeError, match=r"^x: .*type Tensor: .*requires grad"):
        checks.as_float("x", values.bfloat16().requires_grad_(), F4)
    with pytest.raises(TypeError, match=r"^x: expected real numbers, got an object of type Tensor"):
        checks.as_float("x", torch.empty(2, 3, device="meta"), F4)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_small_floats_of_ml_dtypes_become_float32(name):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.5, -2.0, 0.0], getattr(ml_dtypes, name))
    assert checks.as_float("x", array, F4).tolist() == [1.5, -2.0, 0.0]
    assert checks.as_input("x", array).dtype == np.float32


def test_frames_and_columns_are_arrays(rng):
    values = rng.standard_normal((5, 3))
    lstm = nn.LSTM(3, 4, dtype="f8", seed=0)
    expected, _ = lstm(values)
    pandas = pytest.importorskip("pandas")
    assert np.array_equal(lstm(pandas.DataFrame(values))[0], expected)
    polars = pytest.importorskip("polars")
    assert np.array_equal(lstm(polars.DataFrame(values))[0], expected)
    pyarrow = pytest.importorskip("pyarrow")
    assert checks.as_tokens("tokens", pyarrow.array([1, 2]), 3).tolist() == [1, 2]
    words = pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    with pytest.raises(TypeError, match=r"^x: expected real numbers, got an array of object"):
        checks.as_float("x", words, F4)


def test_masked_arrays_are_refused_where_they_hide_values():
    from numba_lstm.foreign import as_array

    hides = np.ma.masked_greater([1.0, 2.0], 1)
    for value in (hides, [hides], ([hides, hides],)):
        with pytest.raises(TypeError, match=r"^x: expected real numbers, got a masked array that"):
            as_array("x", value)
    assert as_array("x", np.ma.masked_greater([1.0, 2.0], 2)).tolist() == [1, 2]


def test_subclasses_of_arrays_are_plain_arrays_in_the_same_memory():
    """What a subclass makes of ``*``, of indices or of its shape is no business of a kernel."""
    from numba_lstm.foreign import as_array

    class Named(np.ndarray):
        pass

    values = np.arange(6, dtype=F4).reshape(2, 3)
    for kind in (Named, np.matrix, np.ma.MaskedArray):
        found = as_array("x", values.view(kind))
        assert type(found) is np.ndarray and np.shares_memory(found, values)


def test_nested_lists_and_numbers_become_float32_as_before():
    for value in ([[1.0]], (1.0, 2.0), 1.0, True, [np.float64(1.0)]):
        assert checks.as_input("x", value).dtype == np.float32
    for value in (np.float64(1.0), np.ones(2), np.ones((2, 2)).view(np.matrix)):
        assert checks.as_input("x", value).dtype == np.float64
