"""Numbers are read as they are meant, or the cell is named that is none or may be two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numba_lstm.datasets import number_forms
from numba_lstm.datasets.number_forms import read_numbers


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (
            ["1", "-2", "+3", "4.5", ".5", "5.", "1e3", "2.5E-1"],
            [1, -2, 3, 4.5, 0.5, 5, 1000, 0.25],
        ),
        (["1,5", "12,355", "7"], [1.5, 12.355, 7]),
        (["0,123", "1,234"], [0.123, 1.234]),
        (["0.123", "1.234"], [0.123, 1.234]),
        (["1,234.5", "12,355"], [1234.5, 12355]),
        (["1.234,5", "12.355"], [1234.5, 12355]),
        (["1,234,567", "1"], [1234567, 1]),
        (["1.234.567", "1"], [1234567, 1]),
        (["1 234,5", "1\u202f234\u202f567", "1\u00a0000"], [1234.5, 1234567, 1000]),
        (["1'234.50", "1\u2019234\u2019567.25"], [1234.5, 1234567.25]),
        (["$1,010.50", "-$3.25", "$ -4.00", "7.5 €"], [1010.5, -3.25, -4, 7.5]),
        (["\u22125.5", "1234.5"], [-5.5, 1234.5]),
        (["1.5", "", "NA", "n/a", "NaN", "null", "?", "None", "#N/A"], [1.5] + [np.nan] * 8),
        (["", ""], [np.nan, np.nan]),
        (["True", "false", ""], [1, 0, np.nan]),
    ],
)
def test_a_column_is_read_in_the_form_that_all_its_cells_fit(cells, numbers):
    np.testing.assert_array_equal(read_numbers(cells).numbers, numbers)


@pytest.mark.parametrize(
    ("cells", "row", "fault"),
    [
        (["1", "two", "3"], 1, "'two' is no number"),
        (["1.5", "1,5"], 1, "both '1.5' and '1,5' are there"),
        (["1,5", "2", "1.5"], 2, "both '1.5' and '1,5' are there"),
        (["1,234.5", "1.234,5"], 1, "both '1,234.5' and '1.234,5'"),
        (["1.5", "inf"], 1, "'inf' is no number"),
        (["1", "1e999"], 1, "'1e999' is too large"),
        (["1", "1_000"], 1, "'1_000' is no number"),
        (["1", "12%"], 1, "'12%' is no number"),
        (["1", "(5)"], 1, "is no number"),
        (["1", "1,23,4"], 1, "is no number"),
        (["1", "1 23"], 1, "is no number"),
        (["1", "1 234'567"], 1, "is no number"),
        (["1", "\u0663"], 1, "is no number"),
        (["1", "0x10"], 1, "is no number"),
        (["2021-01-01", "1"], 0, "is no number"),
        (["1", "x" * 100], 1, "x" * 37 + r"\.\.\.' is no number"),
        (["true", "1", "yes"], 0, "'true' is no number"),
    ],
)
def test_a_cell_that_is_no_number_is_named(cells, row, fault):
    reading = read_numbers(cells)
    assert reading.numbers is None and reading.row == row
    with pytest.raises(AssertionError, match=fault):
        raise AssertionError(reading.fault)


def test_where_two_forms_fit_and_differ_nothing_is_guessed():
    reading = read_numbers(["7", "10,132"])
    assert reading.numbers is None and reading.row == 1
    assert reading.fault == "'10,132' may be 10132 or 10.132; say decimal='.' or decimal=','"
    assert read_numbers(["10,132"], decimal=",").numbers == 10.132
    assert read_numbers(["10,132"], decimal=".").numbers == 10132
    assert read_numbers(["10.132"], otherwise=".").numbers == 10.132
    assert read_numbers(["10.132"]).unsure == "."
    assert read_numbers(["1.132", "1,132"]).unsure == ","


def test_a_form_that_is_said_is_kept_to():
    reading = read_numbers(["1.5", "1,5"], decimal=",")
    assert (reading.row, reading.fault) == (0, "'1.5' is no number")


def test_what_was_left_out_is_told():
    reading = read_numbers(["$1,010.50"])
    assert (reading.money, reading.thousands, reading.decimal) == ("$", True, ".")
    reading = read_numbers(["1 010,5"])
    assert (reading.money, reading.thousands, reading.decimal) == ("", True, ",")
    assert not read_numbers(["1010.5"]).thousands


def test_ten_thousand_numbers_of_all_sizes_come_back_to_the_bit(rng):
    numbers = rng.standard_normal(10_000) * 10.0 ** rng.integers(-300, 300, 10_000)
    np.testing.assert_array_equal(read_numbers([repr(float(n)) for n in numbers]).numbers, numbers)
    grouped = np.round(rng.standard_normal(1000) * 1e6, 2)
    for form, cells in (
        (".", [f"{n:,.2f}" for n in grouped]),
        (",", [f"{n:,.2f}".translate(str.maketrans(",.", ".,")) for n in grouped]),
    ):
        reading = read_numbers(cells)
        np.testing.assert_array_equal(reading.numbers, grouped)
        assert reading.decimal == form


@pytest.mark.parametrize(
    "kinds",
    [
        *("%d", "%.1f", "%.2f", "%.3f", "%.3f %d", "%d %.3f %.4f"),
        *("%e %d", "%.3e", "0.%d", ".%d %d", "+%d."),
    ],
)
def test_plain_columns_are_read_at_once_as_they_are_one_by_one(kinds, rng, monkeypatch):
    for size in (1, 100, 10_000):
        numbers = rng.integers(-size, size, 20)
        kind = kinds.split()
        cells = [
            kind[i % len(kind)] % abs(n) if "%d" in kinds else kind[0] % n
            for i, n in enumerate(numbers.tolist())
        ]
        cells += ["", "NA"]
        for decimal in (None, ".", ","):
            monkeypatch.undo()
            at_once = read_numbers(cells, decimal)
            monkeypatch.setattr(number_forms, "_plain", lambda *arguments: None)
            slowly = read_numbers(cells, decimal)
            np.testing.assert_array_equal(at_once.numbers, slowly.numbers)
            assert replace(at_once, numbers=None) == replace(slowly, numbers=None) or (
                decimal == "." and at_once.numbers is not None
            )
