"""Only files that have an end are read: nothing hangs on a FIFO or fills memory from a device."""

from __future__ import annotations

import os
import struct
import zipfile

import numpy as np
import pytest

from numba_lstm.interop import npz, safetensors, weights
from numba_lstm.interop import onnx as interop

LOADERS = [
    (safetensors.load, "safetensors"),
    (npz.load, "numpy"),
    (interop.session, "onnx"),
    (interop.load, "onnx"),
    (weights.read_keras, "h5py"),
]


@pytest.mark.parametrize(("load", "needs"), LOADERS)
def test_a_fifo_or_a_device_is_refused_at_once(load, needs, tmp_path):
    pytest.importorskip(needs)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path / "link", "/dev/zero"):
        with pytest.raises(
            ValueError, match=f"^{path}: expected an ordinary file, got a (FIFO|device)"
        ):
            load(path)


@pytest.mark.parametrize(("load", "needs"), LOADERS)
def test_folders_absent_files_and_nul_characters_are_refused(load, needs, tmp_path):
    pytest.importorskip(needs)
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent")
    with pytest.raises(ValueError, match="expected a file's name"):
        load("a\0b")


def sparse(path, size, beginning=b""):
    """A file of a size that the disk need not have."""
    with open(path, "wb") as file:
        file.write(beginning)
        file.truncate(size)


@pytest.mark.parametrize(
    ("beginning", "words"),
    [
        (b"", "a header of 0 bytes"),
        (struct.pack("<Q", 2**40), "a header of 1099511627776 bytes"),
        (struct.pack("<Q", 2**39), "a header of 549755813888 bytes"),
        (struct.pack("<Q", 2) + b"{}", "bytes of arrays where the header says 0"),
        (struct.pack("<Q", 9) + b"[" * 9, "a header that cannot be read"),
        (struct.pack("<Q", 99_000) + b"[" * 99_000, r"a header .*\(RecursionError"),
        (
            struct.pack("<Q", 60)
            + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(60),
            "bytes of arrays where the header says 4",
        ),
    ],
)
def test_a_header_of_safetensors_is_checked_before_the_arrays_are_read(beginning, words, tmp_path):
    sparse(tmp_path / "large", 2**40, beginning)  # a terabyte, which would not fit in memory
    with pytest.raises(ValueError, match=rf"large: expected a whole .* file, got .*{words}"):
        safetensors.load(tmp_path / "large")


def test_an_onnx_file_of_more_than_protobuf_takes_is_not_read(tmp_path):
    pytest.importorskip("onnx")
    sparse(tmp_path / "large.onnx", 2**40)
    with pytest.raises(ValueError, match=r"large\.onnx: expected at most 2(\\.0)? GiB"):
        interop.session(tmp_path / "large.onnx")


def test_an_npz_that_claims_a_terabyte_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (137438953472,), }"
    header = header.ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", member)
    with pytest.raises(ValueError, match=r"a\.npz: expected a whole array for 'a'"):
        npz.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", a=np.ones(3))
    assert npz.load(tmp_path / "b.npz")["a"].tolist() == [1, 1, 1]
