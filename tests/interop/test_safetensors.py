"""State dicts survive the trip through a file, and damaged files are refused by name."""

from __future__ import annotations

import os
import stat
import struct

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import safetensors


def test_arrays_of_every_layout_and_byte_order_come_back_equal(tmp_path):
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(6, 4, 3))
    arrays = {
        "fortran": np.asfortranarray(whole[0]),
        "transposed": whole[1].T,
        "strided": whole[::2, 1:, ::-1],
        "big_endian": whole[2].astype(">f4"),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 3), np.float32),
        "half": whole[3].astype(np.float16),
        "counts": np.arange(5),
        "mask": np.array([True, False]),
    }
    path = tmp_path / "arrays.safetensors"
    safetensors.save(arrays, path)
    back = safetensors.load(path)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        array = np.asarray(array)
        assert back[name].dtype == array.dtype.newbyteorder("=")
        assert back[name].shape == array.shape
        assert np.array_equal(back[name], array), name
        assert back[name].flags.writeable


def test_metadata_come_back_and_equal_content_gives_equal_bytes(tmp_path):
    arrays = {"b": np.ones(3, np.float32), "a": np.arange(4.0)}
    for name in ("one", "two"):
        safetensors.save(arrays, tmp_path / name, {"note": "läuft\n"})
    assert safetensors.load_with_metadata(tmp_path / "one")[1] == {"note": "läuft\n"}
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_metadata_are_read_without_the_arrays(tmp_path):
    path = tmp_path / "one"
    safetensors.save({"a": np.arange(4.0)}, path, {"note": "läuft"})
    assert safetensors.load_metadata(path) == {"note": "läuft"}
    safetensors.save({"a": np.arange(4.0)}, path)
    assert safetensors.load_metadata(path) == {}
    header = b'{"__metadata__": {"note": 1}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    for read in (safetensors.load_metadata, safetensors.load):
        with pytest.raises(ValueError, match=r"expected a whole safetensors file, got .*no text"):
            read(path)


def test_torch_reads_what_is_saved_and_its_bfloat16_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    torch_files = pytest.importorskip("safetensors.torch")
    values = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    safetensors.save({"w": values.T}, tmp_path / "ours")
    assert np.array_equal(torch_files.load_file(tmp_path / "ours")["w"].numpy(), values.T)

    theirs = torch.from_numpy(values).to(torch.bfloat16)
    torch_files.save_file({"w": theirs}, tmp_path / "theirs")
    assert np.array_equal(
        safetensors.load(tmp_path / "theirs")["w"], theirs.to(torch.float32).numpy()
    )


@pytest.mark.parametrize("damage", ["cut", "empty", "header", "text"])
def test_a_damaged_file_is_refused_by_its_name(tmp_path, damage):
    path = tmp_path / "model.safetensors"
    safetensors.save({"w": np.ones((8, 8), np.float32)}, path)
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[:-5],
            "empty": b"",
            "header": data[:8] + b"?" + data[9:],
            "text": b"not a model at all, only words",
        }[damage]
    )
    with pytest.raises(ValueError, match=r"model\.safetensors: expected a whole safetensors file"):
        safetensors.load(path)


@pytest.mark.parametrize("value", [np.array(["text"]), np.array([None]), np.ones(2, np.complex128)])
def test_what_is_not_numbers_is_refused_and_the_old_file_stays(tmp_path, value):
    path = tmp_path / "model.safetensors"
    safetensors.save({"w": np.ones(2)}, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=r"state_dict\['bad'\]"):
        safetensors.save({"w": np.zeros(2), "bad": value}, path)
    assert path.read_bytes() == before


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        safetensors.save({"w": np.ones(2)}, tmp_path / "w")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "w").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["w"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    path = tmp_path / "w"
    safetensors.save({"w": np.ones(2)}, path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        safetensors.save({"w": np.zeros(2)}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["w"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1],), TypeError, "state_dict: expected a mapping of names to arrays, got list"),
        (({1: np.ones(2)},), TypeError, "state_dict: expected names to be text, got 1"),
        (({"a": [[1.0], [1.0, 2.0]]},), ValueError, r"state_dict\['a'\]: "),
        (({"a": np.longdouble(1)},), TypeError, r"state_dict\['a'\]: .* dtype .*float128"),
        (({"__metadata__": np.ones(2)},), ValueError, "expected other names than '__metadata__'"),
        (({}, {"step": 3}), TypeError, "metadata: expected text by name, got 'step': 3"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path, arguments, error, words):
    state, *metadata = arguments
    with pytest.raises(error, match=words):
        safetensors.save(state, tmp_path / "w", *metadata)
    assert os.listdir(tmp_path) == []


def test_no_arrays_and_nested_lists_are_a_dictionary_too(tmp_path):
    safetensors.save({}, tmp_path / "none")
    assert safetensors.load(tmp_path / "none") == {}
    safetensors.save({"a": [[1.0, 2.0]]}, tmp_path / "list")
    assert safetensors.load(tmp_path / "list")["a"].tolist() == [[1.0, 2.0]]


def test_half_precision_files_are_read_and_cast_into_a_module(tmp_path):
    torch = pytest.importorskip("torch")
    torch_files = pytest.importorskip("safetensors.torch")
    theirs = torch.nn.LSTM(3, 5, 2, bidirectional=True)
    for narrow in (torch.float16, torch.bfloat16):
        state = {name: value.to(narrow) for name, value in theirs.state_dict().items()}
        torch_files.save_file(state, tmp_path / "half")
        for dtype in ("f4", "f8"):
            ours = nn.LSTM(3, 5, 2, bidirectional=True, dtype=dtype, seed=0)
            ours.load_state_dict(safetensors.load(tmp_path / "half"))
            for name, value in ours.state_dict().items():
                assert value.dtype == np.dtype(dtype)
                assert np.array_equal(value, state[name].double().numpy())


def test_torchs_tensors_and_bfloat16_are_saved_with_their_values(tmp_path):
    torch = pytest.importorskip("torch")
    values = torch.arange(6.0).reshape(2, 3)
    safetensors.save({"t": values.T, "b": values.bfloat16(), "i": values.int()}, tmp_path / "w")
    back = safetensors.load(tmp_path / "w")
    assert back["t"].tolist() == values.T.tolist() and back["b"].dtype == np.float32
    assert back["b"].tolist() == values.tolist() and back["i"].dtype == np.int32
    with pytest.raises(TypeError, match=r"state_dict\['p'\]: .*requires grad"):
        safetensors.save({"p": torch.nn.Parameter(values)}, tmp_path / "w")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    safetensors.save({"b": np.ones(3, ml_dtypes.bfloat16)}, tmp_path / "w")
    assert safetensors.load(tmp_path / "w")["b"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {"num_layers": 2, "bidirectional": True}),
        ("LSTM", {"proj_size": 2, "bias": False}),
        ("GRU", {"num_layers": 3}),
        ("RNN", {"bidirectional": True, "nonlinearity": "relu"}),
        ("LSTMCell", {}),
    ],
)
def test_torch_to_file_to_ours_to_file_to_torch_is_exact(tmp_path, kind, options, dtype):
    torch = pytest.importorskip("torch")
    torch_files = pytest.importorskip("safetensors.torch")
    wide = getattr(torch, dtype)
    first = getattr(torch.nn, kind)(3, 5, **options, dtype=wide)
    torch_files.save_file(first.state_dict(), tmp_path / "one")
    ours = getattr(nn, kind)(3, 5, **options, dtype=dtype, seed=0)
    ours.load_state_dict(safetensors.load(tmp_path / "one"))
    safetensors.save(ours.state_dict(), tmp_path / "two")
    second = getattr(torch.nn, kind)(3, 5, **options, dtype=wide)
    second.load_state_dict(torch_files.load_file(tmp_path / "two"))
    for name, value in first.state_dict().items():
        assert second.state_dict()[name].dtype == value.dtype
        assert torch.equal(second.state_dict()[name], value), name
