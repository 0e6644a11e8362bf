"""Text files are read strictly, the bundled plays are whole, and a text is split in one place."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files

import pytest

from numba_lstm import _reading
from numba_lstm.text import load_text, shakespeare, split

ALPHABET = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_file_is_read_as_utf_8_whatever_its_line_ends(tmp_path):
    file = tmp_path / "text"
    file.write_bytes("\ufeffnaïve\r\n中\r🙂\n\n".encode())
    assert load_text(file) == "naïve\n中\n🙂\n\n"
    assert load_text(str(file)) == load_text(file)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"], ids=["nothing", "mark"])
def test_an_empty_file_is_refused(tmp_path, data):
    file = tmp_path / "text"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=rf"{re.escape(str(file))}: .*empty"):
        load_text(file)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ab\0c", "NUL byte at byte offset 2"),
        ("é".encode() + b"\xffc", "byte 0xff at byte offset 2"),
        (b"abc\xc3", "byte 0xc3 at byte offset 3"),
        (b"\xed\xa0\x80", "byte 0xed at byte offset 0"),
        (b"a\xffb\0", "byte 0xff at byte offset 1"),
        (b"a\0b\xff", "NUL byte at byte offset 1"),
        (b"\x89PNG\r\n\x1a\n\0\0", "byte 0x89 at byte offset 0"),
        (b"\0ab", "NUL byte at byte offset 0"),
        ("text".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + "text".encode("utf-16-be"), "UTF-16"),
    ],
)
def test_a_binary_file_is_refused_at_its_first_fault(tmp_path, data, message):
    file = tmp_path / "text"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=message) as error:
        load_text(file)
    assert str(error.value).startswith(f"{file}: expected ")


def test_a_missing_file_and_a_folder_are_refused_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        load_text(tmp_path / "none")
    assert str(missing.value) == f"{tmp_path / 'none'}: no such file"
    with pytest.raises(IsADirectoryError) as folder:
        load_text(tmp_path)
    assert str(folder.value) == f"{tmp_path}: expected a text file, got a folder"


def test_a_file_that_may_not_be_read_is_refused_in_one_line(tmp_path, monkeypatch):
    def denied(path, *arguments, **named):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "text").write_text("so")
    monkeypatch.setattr(_reading, "open", denied, raising=False)
    with pytest.raises(PermissionError) as error:
        load_text(tmp_path / "text")
    assert str(error.value) == f"{tmp_path / 'text'}: permission denied"


def test_the_bundled_text_has_the_promised_length_and_alphabet():
    text = shakespeare()
    assert len(text) == 1_115_130
    assert "".join(sorted(set(text))) == ALPHABET
    assert text.startswith(
        "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\n"
    )
    assert text.endswith(".\n")
    assert len(files("numba_lstm.text").joinpath("shakespeare.txt.xz").read_bytes()) < 400_000


@pytest.mark.parametrize(
    "line",
    [
        "You are all resolved rather to die than to famish?",  # Coriolanus
        "A horse! a horse! my kingdom for a horse!",  # Richard III
        "This blessed plot, this earth, this realm, this England,",  # Richard II
        "O Romeo, Romeo! wherefore art thou Romeo?",  # Romeo and Juliet
        "O tiger's heart wrapt in a woman's hide!",  # Henry VI, part 3
        "A sad tale's best for winter: I have one",  # A Winter's Tale
        "Some rise by sin, and some by virtue fall:",  # Measure for Measure
        "What, with my tongue in your tail? nay, come again,",  # The Taming of the Shrew
        "Was dukedom large enough: of temporal royalties",  # The Tempest
    ],
)
def test_each_of_the_nine_plays_is_there(line):
    assert f"\n{line}\n" in shakespeare()


def test_the_plays_come_in_the_promised_order():
    text = shakespeare()
    first_words = (
        "hear me speak.",
        "Now is the winter of our discontent",
        "Old John of Gaunt, time-honour'd Lancaster,",
        "Two households, both alike in dignity,",
        "I wonder how the king escaped our hands.",
        "If you shall chance, Camillo, to visit Bohemia,",
        "Of government the properties to unfold,",
        "I'll pheeze you, in faith.",
        "Boatswain!",
    )
    places = [text.find(words) for words in first_words]
    assert -1 not in places
    assert places == sorted(places)


def test_the_bundled_text_is_speeches_and_nothing_else():
    blocks = shakespeare().rstrip("\n").split("\n\n")
    odd = [block for block in blocks if not re.match(r"[A-Z][A-Za-z ,&'-]*:\n\S", block)]
    assert odd == ["3 KING HENRY VI"]
    lines = shakespeare().split("\n")
    headings = re.compile(r"(ACT|SCENE|PROLOGUE|Enter|Exit|Exeunt|Re-enter)\b(?! you)")
    assert [line for line in lines if headings.match(line)] == []
    assert [line for line in lines if line != line.strip() or "  " in line] == []


def test_the_last_tenth_of_the_bundled_text_validates():
    text = shakespeare()
    train, valid = split(text, 0.1, seq_len=64)
    assert train + valid == text
    assert len(valid) == 111_513


def test_the_licences_come_with_the_text():
    licence = files("numba_lstm.text").joinpath("shakespeare.LICENSE").read_text()
    assert "public domain" in licence
    assert "Copyright 2019 Sean Stewart" in licence
    assert "Permission is hereby granted, free of charge" in licence


def test_a_split_is_by_characters():
    assert split("äbcd🙂fghij", 0.3) == ("äbcd🙂fg", "hij")
    assert split("abcd", 0.5, seq_len=1) == ("ab", "cd")
    assert split("abcdefghij", 0.25) == ("abcdefg", "hij")  # what is left over validates


def test_a_part_too_short_for_one_sequence_is_refused():
    text = "x" * 100
    assert [len(part) for part in split(text, 0.1, seq_len=9)] == [90, 10]
    with pytest.raises(ValueError, match=r"of 100 characters 10 are left for validation .* 11"):
        split(text, 0.1, seq_len=10)
    with pytest.raises(ValueError, match=r"of 100 characters 10 are left for training .* 11"):
        split(text, 0.9, seq_len=10)
    with pytest.raises(ValueError, match="text: too short"):
        split("", 0.1)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), float("inf")])
def test_a_fraction_outside_0_to_1_is_refused(fraction):
    with pytest.raises(ValueError, match=r"^valid_fraction: "):
        split("x" * 100, fraction)


def test_arguments_of_the_wrong_kind_are_refused():
    with pytest.raises(TypeError, match="valid_fraction"):
        split("x" * 100, "0.1")
    with pytest.raises(TypeError, match="valid_fraction"):
        split("x" * 100, True)
    with pytest.raises(TypeError, match="text"):
        split(b"x" * 100, 0.1)
    with pytest.raises(ValueError, match="seq_len"):
        split("x" * 100, 0.1, seq_len=0)


def test_importing_text_needs_numpy_alone():
    code = (
        "import sys, numba_lstm.text; "
        "print([m for m in ('numba', 'scipy', 'click', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
