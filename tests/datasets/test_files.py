"""Only ordinary text files are read, in bounded memory; everything else is told in words."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import time

import pytest

from numba_lstm import _reading
from numba_lstm.datasets import files, read_sequences, read_table


def write(folder, data, name="table.csv"):
    file = folder / name
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_tells_the_encoding_and_line_ends_are_any(tmp_path, encoding, end):
    file = write(tmp_path, end.join(["größe,b", "1,2", "3,4"]).encode(encoding))
    table = read_table(file)
    assert table.names == ("größe", "b") and table["b"].tolist() == [2, 4]
    assert table.lines.tolist() == [2, 3]


def test_an_encoding_is_said_or_asked_for_never_guessed(tmp_path):
    file = write(tmp_path, "a,größe\n1,2\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"table\.csv: line 1: byte 0xf6; expected UTF-8.*cp1252"):
        read_table(file)
    assert read_table(file, encoding="cp1252").names == ("a", "größe")
    with pytest.raises(ValueError, match=r"encoding: expected a name.*'klingon'"):
        read_table(file, encoding="klingon")
    with pytest.raises(ValueError, match=r"encoding: expected a name"):
        read_table(file, encoding="hex")
    later = write(tmp_path, b"a,b\n1,2\n3,\xff\n")
    with pytest.raises(ValueError, match=r"line 3: byte 0xff"):
        read_table(later)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,b\n1,\x00\n", "line 2: expected text, got a NUL byte"),
        ("a,b\n1,2\n".encode("utf-16-le"), "NUL byte.*utf-16-le"),
        (gzip.compress(b"a,b\n", mtime=0), "gzip"),
        (b"PK\x03\x04rest", "Excel"),
        (b"\xd0\xcf\x11\xe0rest", "Excel"),
        (b"\x89PNG\r\n", "picture"),
        (b"", "empty file"),
        (b"\xef\xbb\xbf", "empty file"),
        (b"\n \n\n", "empty file"),
        (b"sep=;\n", "got empty lines"),
        (b",,\n,,\n", "got empty lines"),
        (b"a,b\n", "expected rows under the names of line 1, got none"),
        (b"a,b", "expected rows under the names"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, data, words):
    with pytest.raises(ValueError, match=rf"table\.csv: .*{words}"):
        read_table(write(tmp_path, data))


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LINE_LIMIT", 1000)
    long = write(tmp_path, b"a,b\n1," + b"7" * 5000)
    with pytest.raises(ValueError, match=r"line 2: expected at most 1000 characters"):
        read_table(long)
    series = write(tmp_path, b"@classLabel false\n@data\n" + b"1," * 5000, "long.ts")
    with pytest.raises(ValueError, match=r"long\.ts: line 3: expected at most 1000"):
        read_sequences(series)


def test_a_cell_of_a_megabyte_is_refused(tmp_path):
    file = write(tmp_path, b'a,b\n1,"' + b"x\n" * 500_000)
    with pytest.raises(ValueError, match=r"table\.csv: line 2: field larger than"):
        read_table(file)


@pytest.mark.parametrize("name", ["table.csv", "table.ts", "table.npz", "table.parquet"])
def test_a_path_that_is_no_ordinary_file_is_refused(tmp_path, name):
    def read(path):
        return read_table(path) if name.endswith(("csv", "parquet")) else read_sequences(path)

    with pytest.raises(FileNotFoundError, match=rf"{name}: no such file"):
        read(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(IsADirectoryError, match="expected a file, got a folder"):
        read(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_a_device_and_a_socket_are_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ValueError, match=r"pipe\.csv: expected an ordinary file, got a FIFO"):
        read_table(tmp_path / "pipe.csv")
    with pytest.raises(ValueError, match=r"/dev/zero: expected an ordinary file, got a device"):
        read_table("/dev/zero")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.ts")
        with pytest.raises(ValueError, match=r"s\.ts: expected an ordinary file, got a socket"):
            read_sequences("s.ts")


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    file = write(tmp_path, b"a,b\n1,2\n")

    def denied(*arguments, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_reading, "open", denied, raising=False)
    with pytest.raises(PermissionError, match=r"table\.csv: permission denied"):
        read_table(file)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "1" * 120_000 + "x,b\n1,2\n"),
        ("b.csv", "1" * 120_000 + ",b\n1,2\n"),
        ("c.csv", "a,b\n1," + "1" * 120_000 + "x\n"),
        ("d.csv", "a,b\n1,-" + " " * 120_000 + "x\n"),
        ("e.csv", "a,b\n1,1" + ",111" * 30_000 + "x\n"),
        ("f.csv", "a,b\n1,1." + "1" * 120_000 + "e\n"),
        ("g.csv", 'a,b\n1,"' + "1 " * 60_000 + 'x"\n'),
        ("h.csv", "a;b\n" + "1;2\n" * 20_000),
        ("i.csv", ("a" * 120_000 + ",") * 20 + "b\n"),
        ("a.ts", "@timeStamps false\n@classLabel false\n@data\n1," + "1" * 10**6 + "x\n"),
        ("b.ts", "@timeStamps true\n@classLabel false\n@data\n(" + " " * 10**6 + "\n"),
        ("c.ts", "@timeStamps true\n@classLabel false\n@data\n(1, 2" + " " * 10**6 + "\n"),
        ("d.ts", "@timeStamps true\n@classLabel false\n@data\n" + "(1" * 10**6 + "\n"),
        ("e.ts", "@timeStamps true\n@classLabel false\n@data\n" + ":(" * 10**6 + "\n"),
        ("f.ts", "@timeStamps true\n@classLabel false\n@data\n(" + ":" * 10**6 + "\n"),
        ("g.ts", "@timeStamps false\n@classLabel true a b\n@data\n" + ":" * 10**6 + "a\n"),
        ("h.ts", "@x" * 10**6 + "\n@data\n"),
    ],
)
def test_no_line_takes_the_square_of_its_length(tmp_path, name, content):
    """A cell of 131,072 characters took minutes, and a line of a .ts file has 16 million."""
    file = write(tmp_path, content.encode(), name)
    began = time.monotonic()
    with contextlib.suppress(ValueError):
        if name.endswith(".ts"):
            read_sequences(file)
        else:
            table = read_table(file)
            for column in table.names:
                with contextlib.suppress(ValueError):
                    table.times(column)
    assert time.monotonic() - began < 8


def test_numbers_and_times_read_as_before_where_patterns_were_made_quick(tmp_path):
    head = "@timeStamps true\n@classLabel false\n@data\n"
    file = write(tmp_path, f"{head}( 1 , 2.5 ),(2,?),( 3,-1e3 )\n".encode(), "a.ts")
    assert read_sequences(file).x[0][:, 0].tolist()[::2] == [2.5, -1000.0]
    for bad in ("( ,1)", "(,1)", "(1 2)", "(1,)", "1,2"):
        with pytest.raises(ValueError, match="line 4"):
            read_sequences(write(tmp_path, f"{head}{bad}\n".encode(), "b.ts"))
    table = read_table(write(tmp_path, b"a,b\n- $ 5.,+ 1\n\xe2\x82\xac 3,.5\n"))
    assert table["a"].tolist() == [-5.0, 3.0] and table["b"].tolist() == [1.0, 0.5]
