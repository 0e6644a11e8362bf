"""Long tables give sequences: grouped by id, sorted by time, with one class or target each."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import read_sequences, read_table

LONG = """id,t,label,a,b
x,0,red,1,10
x,1,red,2,20
y,0,blue,3,30
x,2,red,4,
z,5,red,5,50
"""


@pytest.fixture
def table(tmp_path):
    def make(text=LONG):
        file = tmp_path / "long.csv"
        file.write_text(text)
        return file

    return make


def test_rows_are_grouped_by_id_and_sorted_by_time(table):
    found = read_sequences(table(), id="id", time="t", label="label")
    assert found.ids == ("x", "y", "z") and found.names == ("a", "b")
    np.testing.assert_array_equal(found.x[0], [[1, 10], [2, 20], [4, np.nan]])
    assert found.x[1].tolist() == [[3, 30]]
    assert found.y.tolist() == ["red", "blue", "red"] and found.classes == ("blue", "red")
    assert found.missing == 1 and "column 'b': 1 of 5 values are missing" in found.notes


def test_the_order_of_the_rows_does_not_matter_with_a_time(table):
    header, *rows = LONG.splitlines()
    again = read_sequences(
        table("\n".join([header, *rows[::-1]])), id="id", time="t", label="label"
    )
    found = read_sequences(table(), id="id", time="t", label="label")
    assert again.ids == ("z", "x", "y")
    for name in found.ids:
        a, b = found.ids.index(name), again.ids.index(name)
        np.testing.assert_array_equal(found.x[a], again.x[b])


def test_without_a_time_rows_must_stand_together(table):
    text = "id,a\n2,1\n2,2\n1,3\n"
    found = read_sequences(table(text), id="id")
    assert found.ids == ("2", "1") and found.x[0].ravel().tolist() == [1, 2] and found.y is None
    assert "no time column: the steps are in the file's order" in found.notes
    with pytest.raises(ValueError, match=r"long\.csv: line 5, column 'id': 'x' begins again"):
        read_sequences(table(), id="id", label="label")


def test_columns_may_be_chosen_and_targets_are_numbers(table):
    text = "id,t,a,y,z\n1,0,5,0.5,1\n1,1,6,0.5,1\n2,0,7,-1,2\n"
    found = read_sequences(table(text), id="id", time="t", target="y", columns=["a"])
    assert found.y.tolist() == [0.5, -1] and found.classes == () and found.width == 1
    found = read_sequences(table(text), id="id", time="t", target=["y", "z"])
    assert found.y.tolist() == [[0.5, 1], [-1, 2]] and found.names == ("a",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "id: .*long.csv: expected the column that tells the sequences apart; there are 'id'"),
        ({"id": "nr"}, "no column 'nr'; there are 'id', 't', 'label', 'a', 'b'"),
        ({"id": "id", "time": "t"}, "line 2, column 'label': 'red' is no number"),
        (
            {"id": "id", "time": "t", "label": "t", "columns": ["a"]},
            "line 3, column 't': 'x' has '1' here and '0' in line 2",
        ),
        (
            {"id": "id", "time": "t", "label": "b", "columns": ["a"]},
            "line 5, column 'b': nothing is written here",
        ),
        (
            {"id": "id", "time": "t", "target": "b", "columns": ["a"]},
            "line 5, column 'b': a target is missing",
        ),
        (
            {"id": "id", "time": "t", "target": "a", "columns": ["b"]},
            "line 3, column 'a': 'x' has '2.0' here and '1.0'",
        ),
        ({"id": "id", "time": "a", "label": "label", "columns": []}, "expected a column besides"),
        ({"id": "id", "label": "label", "target": "a"}, "expected a label or a target, got both"),
    ],
)
def test_what_does_not_fit_is_named(table, options, message):
    with pytest.raises(ValueError, match=message):
        read_sequences(table(), **options)


def test_a_time_that_a_sequence_has_twice_is_named(table):
    text = "id,t,a\n1,0,5\n2,0,5\n1,0,6\n"
    with pytest.raises(ValueError, match=r"line 4, column 't': '1' has the time of line 2 again"):
        read_sequences(table(text), id="id", time="t")


def test_columns_are_for_tables_only(tmp_path):
    for name in ("a.ts", "a.npz"):
        with pytest.raises(ValueError, match=r"label: expected for a table only"):
            read_sequences(tmp_path / name, label="y")


def test_a_table_that_was_read_before_is_taken(table):
    read = read_table(table("id;t;a\n1;0;1,5\n"))
    assert read_sequences(read, id="id", time="t").x[0].tolist() == [[1.5]]


@pytest.mark.parametrize("wrong", ["id", "time", "label", "target", "columns"])
def test_a_column_that_is_not_there_is_told_before_any_number_is_read(table, wrong):
    """Else the word in a column that nobody wants would be told."""
    about = {"id": "id", "time": "t"}
    about[wrong] = ["absent"] if wrong == "columns" else "absent"
    with pytest.raises(ValueError, match="no column 'absent'; there are 'id', 't', 'label'"):
        read_sequences(table(), **about)
