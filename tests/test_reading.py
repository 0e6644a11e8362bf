"""Only ordinary files are read, and of them no more than was to be expected."""

from __future__ import annotations

import io
import os
import socket

import pytest

from numba_lstm import _reading
from numba_lstm._reading import open_ordinary, ordinary, read_bytes, size_in_words, take


def test_a_file_of_just_the_size_is_read_and_one_of_a_byte_more_is_not(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    assert read_bytes(file, 100) == b"x" * 100
    with pytest.raises(ValueError, match=r"file: expected at most 99 bytes, got 100 bytes$"):
        read_bytes(file, 99)


def test_a_file_of_holes_is_refused_before_it_is_read(tmp_path):
    file = tmp_path / "sparse"
    with open(file, "wb") as stream:
        stream.truncate(2**42)
    with pytest.raises(ValueError, match=r"sparse: expected at most 1 MiB, got 4,096 GiB$"):
        read_bytes(file, 2**20)


def test_a_file_that_grows_while_it_is_read_is_refused_there(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10)
    real = os.fstat
    monkeypatch.setattr(os, "fstat", lambda handle: os.stat_result([*real(handle)[:6], 3, 0, 0, 0]))
    with pytest.raises(ValueError, match=r"file: expected at most 5 bytes, got more$"):
        read_bytes(file, 5)


def test_a_link_is_followed_and_what_is_missing_or_a_folder_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"here")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "lost").symlink_to("absent")
    assert read_bytes(tmp_path / "link", 9) == b"here"
    with pytest.raises(IsADirectoryError, match="expected a text, got a folder"):
        ordinary(tmp_path, "a text")
    for name in ("absent", "lost"):
        with pytest.raises(FileNotFoundError, match=rf"{name}: no such file"):
            ordinary(tmp_path / name)


def test_what_may_have_no_end_is_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        for name, kind in (("pipe", "a FIFO"), ("/dev/zero", "a device"), ("sock", "a socket")):
            with pytest.raises(ValueError, match=f"{name}: expected an ordinary file, got {kind}"):
                open_ordinary(name)


def test_a_fifo_that_takes_a_file_s_place_is_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(_reading, "ordinary", lambda path, _: path)
    with pytest.raises(ValueError, match="expected an ordinary file, got a FIFO"):
        open_ordinary(tmp_path / "pipe")


@pytest.mark.parametrize("act", [ordinary, open_ordinary, lambda name: read_bytes(name, 9)])
def test_a_name_with_a_nul_is_told_as_such(act):
    with pytest.raises(ValueError, match=r"^'a\\x00b': expected a file's name: .*null"):
        act("a\0b")


class Endless(io.RawIOBase):
    """Gives zeros, and counts them."""

    count = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        self.count += len(buffer)
        buffer[:] = bytes(len(buffer))
        return len(buffer)


@pytest.mark.parametrize("stop", [None, b"\0"])
def test_a_stream_without_end_is_left_soon(stop):
    stream = Endless()
    if stop is None:
        with pytest.raises(ValueError, match="endless: expected at most 5 MiB, got more"):
            take(stream, "endless", 5 * 2**20)
        assert stream.count <= 7 * 2**20
    else:
        assert take(stream, "endless", 5 * 2**20, stop) == bytes(stream.count)
        assert stream.count <= 2**20


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB"),
     (2**30 - 2**20, "1,023 MiB"), (3 * 2**30, "3 GiB")],
)  # fmt: skip
def test_a_size_is_told_in_the_unit_people_read(size, words):
    assert size_in_words(size) == words
