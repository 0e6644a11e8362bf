"""State dicts survive the trip through a file, and damaged files are refused by name."""

from __future__ import annotations

import numpy as np
import pytest

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
