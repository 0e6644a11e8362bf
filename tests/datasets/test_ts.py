"""The .ts format is read as its header and its data say; what is broken is named with its line."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import read_sequences

HEADER = "@problemName Boats\n@univariate true\n@classLabel true red blue\n@data\n"


@pytest.fixture
def ts(tmp_path):
    def make(text, encoding="utf-8"):
        file = tmp_path / "boats.ts"
        file.write_bytes(text.encode(encoding))
        return read_sequences(file)

    return make


def test_comments_empty_lines_marks_and_line_ends_do_not_matter(ts):
    text = "#c\n%d\n\n" + HEADER + "\n# between\n 1, 2 ,3 : red \n\n4:blue\n"
    for encoded in (text, text.replace("\n", "\r\n"), "\ufeff" + text):
        found = ts(encoded)
        assert [one.ravel().tolist() for one in found.x] == [[1, 2, 3], [4]]
        assert found.y.tolist() == ["red", "blue"] and found.classes == ("red", "blue")
        assert found.names == ("channel 1",) and found.ids == ("1", "2")


def test_missing_values_are_nan_and_told(ts):
    found = ts(HEADER + "1,?,NaN:red\n")
    np.testing.assert_array_equal(found.x[0].ravel(), [1, np.nan, np.nan])
    assert found.notes == ("2 of 3 values are missing, although the header says there are none",)
    assert ts("@missing true\n" + HEADER + "1,?:red\n").notes == ("1 of 2 values are missing",)


def test_sequences_of_unequal_length_and_many_channels(ts):
    found = ts("@dimensions 2\n@equalLength false\n@classLabel true a b\n@data\n1,2:3,4:a\n5:6:b\n")
    assert [one.tolist() for one in found.x] == [[[1, 3], [2, 4]], [[5, 6]]]
    assert found.lengths.tolist() == [2, 1] and found.notes == ()


def test_without_labels_there_are_none(ts):
    found = ts("@classLabel false\n@univariate false\n@data\n1,2:3,4\n5,6:7,8\n")
    assert found.y is None and found.classes == () and found.width == 2


def test_classes_that_no_header_lists_are_those_of_the_data(ts):
    found = ts("@classLabel true\n@data\n1:10\n2:9\n")
    assert found.classes == ("9", "10") and "the header lists no classes" in found.notes[0]


def test_targets_are_numbers(ts):
    found = ts("@targetLabel true\n@data\n1,2:0.5\n3,4:-2e-3\n")
    assert found.y.tolist() == [0.5, -0.002] and found.classes == ()
    with pytest.raises(ValueError, match="line 3: the target 'red' is no number"):
        ts("@targetlabel true\n@data\n1,2:red\n")


def test_times_are_read_and_left_out(ts):
    header = "@timestamps true\n@classLabel true a b\n@data\n"
    found = ts(
        header + "(0,1.5),(2,2.5):(0,3),(2,4):a\n"
        "(2007-01-01 00:00:00,5),(2007-01-01 00:30:00,?):"
        "(2007-01-01 00:00:00,6),(2007-01-01 00:30:00,7):b\n"
    )
    assert found.x[0].tolist() == [[1.5, 3], [2.5, 4]]
    np.testing.assert_array_equal(found.x[1], [[5, 6], [np.nan, 7]])
    assert "times are left out: each value is a step" in found.notes
    for line, words in (
        ("(0,1),(0,2):a", "the time '0' does not come after"),
        ("1,2:a", "expected .time, value. in brackets"),
        ("(0,1),2:a", "expected .time, value. in brackets"),
        ("(0,x):a", "'x' is no number"),
    ):
        with pytest.raises(ValueError, match=f"line 4: {words}"):
            ts(header + line + "\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "1,2:3,4:red\n", "line 5: case 1 has 2 of 1 channels before its label 'red'"),
        (HEADER + "1,2\n", "line 5: label '1,2' is not among red, blue"),
        (HEADER + "1,2:\n", "line 5: expected a label behind the last ':'"),
        (HEADER + "1,,2:red\n", "line 5: a value is empty"),
        (HEADER + ":red\n", "line 5: a value is empty"),
        (HEADER + "1,inf:red\n", "line 5: 'inf' is no number"),
        (HEADER + "1,1_0:red\n", "line 5: '1_0' is no number"),
        (HEADER + "1,1e999:red\n", "line 5: '1e999' is too large"),
        (HEADER + "1," + "x" * 99 + ":red\n", r"line 5: 'x{37}\.\.\.' is no number"),
        ("@dimensions 2\n@data\n1,2:3\n", "line 3: case 1 has channels of 1 and 2 steps"),
        ("@dimensions 2\n@data\n1,2:3,4\n1,2\n", "line 4: case 2 has 1 of 2 channels$"),
        ("@dimensions two\n@data\n1\n", "line 1: @dimensions: expected a whole number, got 'two'"),
        ("@dimensions 0\n@data\n1\n", "line 1: @dimensions: expected a whole number, got '0'"),
        ("@univariate maybe\n@data\n1\n", "line 1: @univariate: expected true or false"),
        ("@univariate\n@data\n1\n", "line 1: @univariate: expected true or false"),
        ("1,2:red\n", "line 1: expected a header line such as '@data', got '1,2:red'"),
        ("@univariate true\n", "expected a line '@data', got none in 1 lines"),
        ("", "expected a line '@data', got none in 0 lines"),
        ("@targetLabel true\n@classLabel true\n@data\n1:2\n", ".*got both"),
        ("@classLabel true a b a\n@data\n1:a\n", "line 1: @classLabel: expected different ones"),
    ],
)
def test_what_is_broken_is_named(ts, text, message):
    with pytest.raises(ValueError, match=rf"boats\.ts: {message}"):
        ts(text)


def test_an_unknown_header_is_told(ts):
    assert (
        "line 1: @colour is not known and left out"
        in ts("@colour red\n" + HEADER + "1:red\n").notes
    )


def test_a_header_may_say_how_many_steps_there_are(ts):
    found = ts("@equalLength true\n@seriesLength 3\n@classLabel false\n@data\n1,2\n3,4\n")
    assert found.notes == ("the header says 3 steps, but 2 of 2 have others (case 1: 2)",)


def test_two_thousand_damaged_files_are_read_or_refused_by_name(ts, rng):

    whole = "@univariate true\n@classLabel true a b\n@data\n1.5,2:a\n-3,?,4e1:b\n"
    letters = list("0123456789,:?@ab\n ()%#\0é-+.")
    for _ in range(2000):
        text = list(whole)
        for _ in range(rng.integers(1, 4)):
            place = int(rng.integers(len(text)))
            text[place] = str(rng.choice(letters))
        try:
            found = ts("".join(text))
        except ValueError as error:
            assert "boats.ts" in str(error)
        else:
            assert len(found) >= 1
