"""CSV files: the separator is found or asked for, and every fault has its line."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from numba_lstm.datasets import read_table


@pytest.fixture
def table(tmp_path):
    def make(text, **options):
        file = tmp_path / "t.csv"
        file.write_text(text, encoding="utf-8", newline="")
        return read_table(file, **options)

    return make


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_found(table, delimiter):
    found = table("a,b,c\n1,2,3\n4,5,6\n".replace(",", delimiter))
    assert found.names == ("a", "b", "c") and found["c"].tolist() == [3, 6]
    assert any("separated by" in note for note in found.notes) == (delimiter != ",")


def test_decimal_commas_do_not_pass_for_separators(table):
    found = table("day;a;b\n1;1,5;2,25\n2;1.000,5;3\n")
    assert found["a"].tolist() == [1.5, 1000.5] and found["b"].tolist() == [2.25, 3]
    assert found.notes == (
        "separated by ';'",
        "decimal commas in 'a', 'b'",
        "separators of thousands left out of 'a'",
    )


def test_the_separator_that_the_file_says_is_taken(table):
    found = table("sep=;\na;b\n1;2\n")
    assert found.names == ("a", "b") and found.lines.tolist() == [3]


def test_comments_before_the_names_are_left_out_and_told(table):
    found = table("# made by hand, yesterday\n\n# again\na,b\n1,2\n")
    assert found.names == ("a", "b") and found.lines.tolist() == [5]
    assert found.notes == ("comments before line 4 are left out",)
    with pytest.raises(ValueError, match="line 2: expected the columns' names, got 1, 2"):
        table("# a,b\n1,2\n3,4\n")


def test_a_separator_that_is_unclear_is_asked_for(table):
    text = "a,b;c\n1,2;3\n"
    with pytest.raises(ValueError, match="may be any of ',', ';'; say delimiter="):
        table(text)
    assert table(text, delimiter=";").names == ("a,b", "c")
    with pytest.raises(ValueError, match="delimiter: expected one character"):
        table(text, delimiter=";;")


def test_names_and_cells_are_without_the_spaces_around_them(table):
    found = table(' date , "sales" \n 1 , 2 \n')
    assert found.names == ("date", "sales")
    assert found["sales"].tolist() == [2]
    assert found.numbers(" sales ").tolist() == [2]


def test_quotes_hold_separators_line_ends_and_quotes(table):
    found = table('name,note\nx,"a, ""b""\nc"\ny,z\n')
    assert found["note"].tolist() == ['a, "b"\nc', "z"]
    assert found.lines.tolist() == [2, 4]


def test_a_quote_that_is_never_closed_is_named(table):
    for end in ('"blue', '"blue\n', '"bl""ue'):
        with pytest.raises(ValueError, match="line 3: a quotation mark is opened and never closed"):
            table("a,b\n1,red\n2," + end)
    assert table('a,b\n1,red\n2,5" pipe')["b"].tolist() == ["red", '5" pipe']
    assert table('a,b\n1,red\n2,"blue"')["b"].tolist() == ["red", "blue"]
    with pytest.raises(ValueError, match="line 3: a quotation mark is opened and never closed"):
        table('a,b\n1,red\n2,"blue\n3,green\n4,red\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "line 3: expected 2 cells as in line 1, got 1$"),
        ("a,b\n1,2\n2021-01-01,10,5\n", "line 3: .*got 3; a number with a comma needs"),
        ("a,b\n1,2,\n", "line 2: .*got 3; ',' stands at the end of the line"),
        ("a,a\n1,2\n", "line 1: two columns are called 'a'"),
        ("a, a\n1,2\n", "line 1: two columns are called 'a'"),
        ("1,2\n3,4\n", "line 1: expected the columns' names, got 1, 2"),
        ("2021-01-01,2\n2021-01-02,4\n", "line 1: expected the columns' names"),
    ],
)
def test_a_row_or_a_header_that_does_not_fit_is_named(table, text, message):
    with pytest.raises(ValueError, match=rf"t\.csv: {message}"):
        table(text)


def test_a_column_without_a_name_gets_one_or_goes(table):
    found = table(",a\n0,5\n1,6\n")
    assert found.names == ("column 1", "a") and "called 'column 1'" in found.notes[0]
    assert table("a,b,\n1,2,\n3,4,\n").names == ("a", "b")


def test_empty_lines_are_passed_over_and_counted_as_lines(table):
    found = table("\na,b\n\n1,2\n,\n  \n3,x\n")
    assert found["a"].tolist() == [1, 3] and found.lines.tolist() == [4, 7]
    with pytest.raises(ValueError, match=r"t\.csv: line 7, column 'b': 'x' is no number"):
        found.numbers("b")


def test_a_column_takes_the_decimal_mark_that_others_show(table):
    assert table("a;b\n1,5;1,234\n").numbers("b") == 1.234
    assert table("a;b\n1.5;1,234\n").numbers("b") == 1234
    assert table('a,b\n1.5,"1,234"\n').numbers("b") == 1234
    both = table("a;b;c\n1.5;1,5;1,234\n")
    with pytest.raises(ValueError, match=r"line 2, column 'c': '1,234' may be 1234 or 1\.234"):
        both.numbers("c")


def test_one_point_two_three_four_is_a_number_above_one_unless_semicolons_make_it_unclear(table):
    found = table("a,b\n1.234,x\n")
    assert found.numbers("a") == 1.234
    assert "'a' does not show its decimal mark: taken for points" in found.notes[0]
    with pytest.raises(ValueError, match=r"may be 1\.234 or 1234; say decimal="):
        table("a;b\n1.234;x\n").numbers("a")
    assert table("a;b\n1.234;x\n", decimal=",").numbers("a") == 1234
    with pytest.raises(ValueError, match=r"'10,132' may be 10132 or 10\.132"):
        table('a,b\n"10,132",x\n').numbers("a")
    with pytest.raises(ValueError, match=r"decimal: expected '\.' or ','"):
        table("a,b\n1,2\n", decimal="x")


def test_missing_values_are_nan_and_told(table):
    found = table("a,b\n1,\nNA,3\n")
    np.testing.assert_array_equal(found["a"], [1, np.nan])
    assert found.notes == tuple(f"column {c!r}: 1 of 2 values are missing" for c in "ab")


def test_text_stays_as_it_is_written(table):
    found = table("id,x\n007,1\n08,2\n")
    assert found.text("id").tolist() == ["007", "08"] and found["id"].tolist() == [7, 8]
    with pytest.raises(ValueError, match="line 3, column 'b': nothing is written here"):
        table("a,b\n1,x\n2,\n").text("b")


def test_what_python_writes_is_read_back(tmp_path, rng):
    rows = rng.standard_normal((200, 4))
    for dialect in ("excel", "excel-tab", "unix"):
        file = tmp_path / f"{dialect}.csv"
        with open(file, "w", newline="") as stream:
            csv.writer(stream, dialect).writerows([list("abcd"), *rows.tolist()])
        found = read_table(file)
        np.testing.assert_array_equal(np.stack([found[name] for name in found], axis=1), rows)


def test_two_thousand_damaged_files_are_read_or_refused_by_name(table, rng):
    whole = 'day;sales;"a, b"\n2021-01-01;1.000,5;x\n2021-01-02;2,5;"y\nz"\n'
    letters = list("0123456789,;.:\t|\"'xé \n\r-+$")
    for _ in range(2000):
        text = list(whole)
        for _ in range(rng.integers(1, 5)):
            text[int(rng.integers(len(text)))] = str(rng.choice(letters))
        try:
            found = table("".join(text))
            for name in found:
                found.numbers(name)
                found.times(name)
        except ValueError as error:
            assert "t.csv: " in str(error)
