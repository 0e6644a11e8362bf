"""Dictionaries of arrays survive the trip through .npz, and nothing is ever unpickled."""

from __future__ import annotations

import io
import os
import stat
import zipfile

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import npz


def arrays_of_all_kinds():
    whole = np.random.default_rng(0).normal(size=(6, 4, 3))
    return {
        "fortran": np.asfortranarray(whole[0]),
        "transposed": whole[1].T,
        "strided": whole[::2, 1:, ::-1],
        "big_endian": whole[2].astype(">f4"),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 3), np.float32),
        "half": whole[3].astype(np.float16),
        "mask": np.array([True, False]),
        "complex": np.ones(2, np.complex128),
        "file": np.arange(3),
        "a.b/c": np.arange(2),
    }


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_of_every_layout_and_any_name_come_back_equal_here_and_in_numpy(
    tmp_path, compressed
):
    arrays = arrays_of_all_kinds()
    path = tmp_path / "arrays"
    npz.save(arrays, path, compressed=compressed)
    assert os.listdir(tmp_path) == ["arrays"]
    back = npz.load(path)
    theirs = np.load(path)
    assert back.keys() == arrays.keys() == set(theirs.files)
    for name, array in arrays.items():
        array = np.asarray(array)
        assert back[name].dtype == array.dtype.newbyteorder("=")
        assert back[name].shape == array.shape
        assert np.array_equal(back[name], array) and np.array_equal(theirs[name], array)
        assert back[name].flags.carray


def test_numpys_own_files_are_read_with_text_beside(tmp_path):
    arrays = {"w": np.asfortranarray(np.ones((3, 2))), "vocabulary": np.array(["a", "é"])}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "theirs.npz", **arrays, order=np.arange(3, dtype=">i4"))
        back = npz.load(tmp_path / "theirs.npz")
        assert back["vocabulary"].tolist() == ["a", "é"]
        assert back["order"].dtype == np.dtype("=i4") and back["w"].flags.c_contiguous


def test_equal_content_gives_equal_bytes(tmp_path):
    for name in ("one", "two"):
        npz.save(arrays_of_all_kinds(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_modules_parameters_survive(tmp_path):
    one, two = nn.GRU(3, 5, 2, seed=0), nn.GRU(3, 5, 2, seed=1)
    npz.save(one.state_dict(), tmp_path / "gru.npz")
    two.load_state_dict(npz.load(tmp_path / "gru.npz"))
    x = np.ones((4, 2, 3))
    assert np.array_equal(one(x)[0], two(x)[0])


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        npz.save({"w": np.ones(2)}, tmp_path / "w.npz")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "w.npz").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"bad": np.array([None])}, r"state_dict\['bad'\]: .* dtype object"),
        ({"bad": ["text"]}, r"state_dict\['bad'\]: .* dtype <U4"),
        ({"bad": np.ma.masked_greater([1.0, 2.0], 1)}, r"state_dict\['bad'\]: .* hides values"),
        (
            {"bad": [np.ma.masked_greater([1.0, 2.0], 1)]},
            r"state_dict\['bad'\]: .* hides values",
        ),
        ({3: np.ones(2)}, "state_dict: expected names to be text, got 3"),
        ([1], "state_dict: expected a mapping of names to arrays, got list"),
    ],
)
def test_what_is_not_numbers_by_name_is_refused_and_the_old_file_stays(tmp_path, bad, words):
    path = tmp_path / "w.npz"
    npz.save({"w": np.ones(2)}, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=words):
        npz.save(bad, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a", "a.npy"), "expected one of 'a' and 'a.npy'"),
        (("a\0b",), r"expected names without NUL characters, got 'a\\x00b'"),
    ],
)
def test_names_that_numpy_would_mistake_are_refused(tmp_path, names, words):
    path = tmp_path / "w.npz"
    with pytest.raises(ValueError, match=f"state_dict: {words}"):
        npz.save({name: np.ones(2) for name in names}, path)
    assert not path.exists()
    npz.save({"a.npy": np.ones(2)}, path)
    assert list(npz.load(path)) == ["a.npy"]


def test_a_file_with_names_that_numpy_mistakes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("a.npy", npy(np.ones(2)))
        archive.writestr("a.npy.npy", npy(np.zeros(2)))
    with pytest.raises(ValueError, match=r"w\.npz: expected one of 'a' and 'a\.npy'"):
        npz.load(tmp_path / "w.npz")


class Trap:
    """An object whose pickle would leave a trace when it is read."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def test_pickled_objects_are_never_read(tmp_path):
    path = tmp_path / "trap.npz"
    np.savez(path, w=np.ones(2), trap=np.array([Trap()], dtype=object))
    with pytest.raises(ValueError, match=r"trap\.npz: .* pickled Python objects for 'trap'"):
        npz.load(path)
    path = tmp_path / "trap.npy"
    np.save(path, np.array([Trap()], dtype=object))
    with pytest.raises(ValueError, match=r"trap\.npy: expected"):
        npz.load(path)


def member(name, data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, data)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected a whole .npz file"),
        (b"words, no arrays", "expected a whole .npz file"),
        (npy(np.ones(2)), "the single array of a .npy file"),
        (member("a.npy", npy(np.ones(9))[:-8]), "expected a whole array for 'a'"),
        (member("a.npy", npy(np.ones(9)))[:-30], "expected a whole .npz file"),
        (member("config.json", "{}"), "a file 'config.json' that is none"),
        (member("a.npy", npy(np.ones(3, "V2"))), "bytes whose dtype NumPy did not keep"),
    ],
)
def test_a_damaged_or_other_file_is_refused_by_its_name(tmp_path, data, words):
    path = tmp_path / "model.npz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"model\.npz: .*{words}"):
        npz.load(path)


def huge():
    """An array whose header tells of more numbers than any memory holds."""
    return npy(np.ones(9)).replace(b"(9,), }" + b" " * 17, b"(9" + b"0" * 17 + b",), }")


def changed(data, at, value):
    """The data with 2 bytes at this place of its central directory's entry."""
    entry = data.index(b"PK\x01\x02") + at
    return data[:entry] + value.to_bytes(2, "little") + data[entry + 2 :]


@pytest.mark.parametrize(
    "data",
    [
        changed(member("a.npy", npy(np.ones(9))), 6, 99),  # made for version 9.9 of zip
        changed(member("a.npy", npy(np.ones(9))), 8, 1),  # with a password
        changed(member("a.npy", npy(np.ones(9))), 10, 97),  # compressed in an unknown way
        changed(member("a.npy", npy(np.ones(9))), 10, 8),  # compressed, which it is not
        member("a.npy", npy(np.ones(9))[:8]),
        member("a.npy", npy(np.ones(9)).replace(b"(9,)", b"('')")),
        member("a.npy", huge()),
    ],
    ids=["version", "password", "method", "deflated", "cut", "shape", "huge"],
)
def test_damage_of_any_kind_is_a_valueerror_that_names_the_file(tmp_path, data):
    path = tmp_path / "model.npz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"model\.npz: expected a whole"):
        npz.load(path)


def test_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        npz.load(tmp_path / "absent.npz")
