"""Texts are read by the names that people give them: files, folders, pipes, the bundled plays."""

from __future__ import annotations

import io
import os
import sys

import pytest

from numba_lstm.text import read_sources, shakespeare
from numba_lstm.text.sources import absolute_name, portable_name


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b.txt").write_text("second\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("\ufefffirst", encoding="utf-8")
    (tmp_path / "notes.md").write_text("none of it")
    (tmp_path / "c.txt").mkdir()
    return tmp_path


def test_texts_come_one_after_the_other_each_beginning_a_line(folder):
    a, b = str(folder / "a.txt"), str(folder / "b.txt")
    assert read_sources([b]) == "second\n"
    assert read_sources([b, a]) == "second\nfirst"
    assert read_sources([a, b, a]) == "first\nsecond\nfirst"


def test_of_a_folder_all_texts_are_read_in_order(folder):
    assert read_sources([str(folder)]) == "first\nsecond\n"
    with pytest.raises(ValueError, match=r"c\.txt: expected .*folder of \*\.txt files, got none"):
        read_sources([str(folder / "c.txt")])


def test_the_bundled_text_is_read_by_its_name(folder):
    assert read_sources(["shakespeare"]) == shakespeare()
    (folder / "shakespeare").write_text("a file of that name")
    assert read_sources([f"{folder}/./shakespeare"]) == "a file of that name"


def standard_input(monkeypatch, data):
    # As it may be on any system: text of another encoding with other line ends.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


def test_standard_input_is_a_text_like_any_other(folder, monkeypatch):
    standard_input(monkeypatch, "\ufeffpip\u00e9d\r\n".encode())
    assert read_sources([str(folder / "a.txt"), "-"]) == "first\npip\u00e9d\n"
    for data, words in ((b"", "empty"), (b"caf\xe9", "byte 0xe9")):
        standard_input(monkeypatch, data)
        with pytest.raises(ValueError, match=f"standard input: .*{words}"):
            read_sources(["-"])
    with pytest.raises(ValueError, match="-: expected once"):
        read_sources(["-", str(folder), "-"])


@pytest.mark.parametrize("data", [b"", b"ab\0c", b"caf\xe9"])
def test_what_is_no_text_is_named(folder, data):
    (folder / "b.txt").write_bytes(data)
    with pytest.raises(ValueError, match=r"b\.txt: expected"):
        read_sources([str(folder)])
    with pytest.raises(FileNotFoundError, match=r"none\.txt: no such file"):
        read_sources([str(folder / "none.txt")])


def test_a_name_is_made_absolute_unless_it_is_no_files(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert absolute_name("a b.txt") == str(tmp_path / "a b.txt")
    for name in ("shakespeare", "-", "file:///a.txt"):
        assert absolute_name(name) == name


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_not_utf_8_has_a_portable_form(monkeypatch, tmp_path):
    name = os.fsdecode(b"caf\xe9 %.txt")
    (tmp_path / name).write_text("strange")
    monkeypatch.chdir(tmp_path)
    portable = f"{tmp_path.as_uri()}/caf%E9%20%25.txt"
    assert portable_name(name) == absolute_name(name) == portable
    assert read_sources([name]) == read_sources([portable]) == "strange"
    assert portable_name("plain.txt") == "plain.txt"
