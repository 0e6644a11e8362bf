"""A file is replaced whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from numba_lstm import _files


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    _files.write_atomic(tmp_path / "text", "ü\r\nend\n")
    _files.write_atomic(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == "ü\r\nend\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_a_failure_before_the_rename_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "model"
    _files.write_atomic(path, b"old")

    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        _files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_new_file_has_the_permissions_open_would_give_and_an_old_one_keeps_its_own(tmp_path):
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"")
    _files.write_atomic(ours, b"")
    assert stat.S_IMODE(ours.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    ours.chmod(0o640)
    _files.write_atomic(ours, b"again")
    assert stat.S_IMODE(ours.stat().st_mode) == 0o640
