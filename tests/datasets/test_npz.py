"""Sequences in .npz files: padded, one after the other, or of one length; never pickled."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from numba_lstm import system
from numba_lstm.datasets import read_sequences


@pytest.fixture
def npz(tmp_path):
    def make(**arrays):
        file = tmp_path / "d.npz"
        np.savez(file, **arrays)
        return read_sequences(file)

    return make


def test_arrays_of_one_length_are_sequences(npz, rng):
    x = rng.standard_normal((4, 5, 2)).astype(np.float32)
    found = npz(x=x, y=np.array(["b", "a", "b", "a"]))
    np.testing.assert_array_equal(np.stack(found.x), x)
    assert found.classes == ("a", "b") and found.codes.tolist() == [1, 0, 1, 0]
    assert npz(X=x[:, :, 0]).x[0].shape == (5, 1)


def test_lengths_cut_padding_or_separate_what_stands_in_one_row(npz):
    x = np.arange(12.0).reshape(2, 3, 2)
    lengths = np.array([3, 1])
    padded = npz(x=x, lengths=lengths)
    assert [one.tolist() for one in padded.x] == [x[0].tolist(), x[1, :1].tolist()]
    joined = npz(x=np.concatenate([x[0], x[1, :1]]), lengths=lengths)
    for a, b in zip(padded.x, joined.x):
        np.testing.assert_array_equal(a, b)
    assert npz(x=np.arange(4.0), lengths=lengths).x[0].tolist() == [[0], [1], [2]]
    plain = npz(x=x[:, :, 0], lengths=lengths)
    assert [one.tolist() for one in plain.x] == [[[0], [2], [4]], [[6]]]
    assert plain.notes == padded.notes == ("sequences are padded; lengths cut them",)
    assert len(npz(x=x[0], lengths=[2, 1])) == 2
    assert npz(x=np.zeros((2, 1)), lengths=[1, 1]).lengths.tolist() == [1, 1]


def test_whole_numbers_are_classes_and_floats_are_targets(npz):
    x = np.zeros((3, 2, 1))
    assert npz(x=x, y=np.array([10, 9, 10])).classes == ("9", "10")
    found = npz(x=x, y=np.array([0.5, 1, 2]))
    assert found.y.tolist() == [0.5, 1, 2] and found.classes == ()
    assert "y are targets" in found.notes
    named = npz(
        x=x, y=np.array([0, 1, 1]), classes=np.array(["0", "1", "2"]), names=["v"], ids=[7, 8, 9]
    )
    assert (
        named.classes == ("0", "1", "2") and named.names == ("v",) and named.ids == ("7", "8", "9")
    )


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": [1]}, "expected an array 'x', got y"),
        ({"x": np.array([{}], dtype=object)}, "objects in it need pickle"),
        ({"x": np.array(["a"])}, "x: expected numbers"),
        ({"x": np.zeros((2, 2), complex)}, "x: expected numbers, got complex128"),
        ({"x": np.zeros(3)}, r"x: expected shape \(N, T\) or \(N, T, I\)"),
        ({"x": np.zeros((2, 3, 1)), "lengths": [4, 1]}, "lengths: expected those of 2 padded"),
        ({"x": np.zeros((2, 3, 1)), "lengths": [0, 1]}, "lengths: expected .N,. whole numbers"),
        ({"x": np.zeros((2, 3, 1)), "lengths": [1.5, 1]}, "lengths: expected .N,. whole numbers"),
        ({"x": np.zeros((5, 1)), "lengths": [3, 1]}, "a sum of 5 steps, got 2 lengths"),
        ({"x": np.zeros((2, 3, 1)), "y": [1, 2, 3]}, "y: expected 2 values"),
        ({"x": np.zeros((2, 3, 1)), "y": [0.5, np.nan]}, r"y\[1\]: expected a finite number"),
        (
            {"x": np.zeros((2, 3, 1)), "y": [1, 2], "classes": ["1"]},
            "'2' is not among the classes 1",
        ),
        (
            {"x": np.zeros((3, 4)), "lengths": [1, 1, 1]},
            r"x of shape \(3, 4\) may be padded or have 4 columns; give x as \(N, T, I\)",
        ),
        ({"x": np.full((2, 3, 1), np.inf)}, r"x\[0\]: expected finite numbers or NaN, got inf"),
        ({"x": np.zeros((2, 3, 2)), "names": ["a", "a"]}, "names: expected different ones, got .a"),
        (
            {"x": np.zeros((2, 3, 1)), "y": ["1", "2"], "classes": ["1", "2", "1"]},
            "classes: expected different ones, got .1. twice",
        ),
        ({"x": np.zeros((0, 3, 1))}, "expected at least one sequence"),
        ({"x": np.zeros((2, 0, 1))}, r"x\[0\]: expected at least one step"),
    ],
)
def test_what_does_not_fit_is_named(npz, arrays, message):
    with pytest.raises(ValueError, match=rf"d\.npz: .*{message}"):
        npz(**arrays)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"PK\x03\x04", b"\x93NUMPY", b"PK\x05\x06" + b"\0" * 18]
)
def test_what_is_no_npz_file_is_refused(tmp_path, data):
    file = tmp_path / "d.npz"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=r"d\.npz: expected"):
        read_sequences(file)
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(file)
    with pytest.raises(
        ValueError, match=r"d\.npz: expected a \.npz file of plain arrays: it is a single"
    ):
        read_sequences(file)


def test_a_cut_off_file_is_refused(tmp_path, rng):
    file = tmp_path / "d.npz"
    np.savez_compressed(file, x=rng.standard_normal((20, 5, 2)))
    data = file.read_bytes()
    for cut in range(10, len(data), 97):
        file.write_bytes(data[:cut])
        with pytest.raises(ValueError, match=r"d\.npz: expected"):
            read_sequences(file)


def test_an_archive_that_unpacks_to_more_than_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    """Zeros shrink to a thousandth: ten megabytes may be ten gigabytes."""
    file = tmp_path / "bomb.npz"
    np.savez_compressed(file, x=np.zeros((100, 1000, 10)))
    monkeypatch.setattr(system, "memory", lambda: 4 * 8_100_000)
    assert len(read_sequences(file)) == 100
    monkeypatch.setattr(system, "memory", lambda: 4 * 7_900_000)
    with pytest.raises(ValueError, match=r"bomb\.npz: .*its arrays: expected at most 7\.5 MiB"):
        read_sequences(file)


def test_an_array_that_claims_more_than_there_is_is_refused(tmp_path):
    file = tmp_path / "claims.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 9, 2), }"
    for rows in (2**20, 2**36, 2**58, 2**62):
        text = (header % rows).ljust(117) + b"\n"
        data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(400)
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("x.npy", data)
        with pytest.raises(ValueError, match=r"claims\.npz: expected a \.npz file of plain arrays"):
            read_sequences(file)
