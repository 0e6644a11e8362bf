"""Numbers as people write them: decimal points and commas, thousands, currency signs, nothing.

A column is read in one form, which all of its cells must fit. Where two forms fit and give
different numbers (10,132 may be ten or ten thousand), nothing is guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["FORMS", "Reading", "is_missing", "read_numbers"]

# Those of pandas, and the "?" of the UCI and time series archives; compared in lower case.
_MISSING = frozenset(
    ["", "na", "n/a", "nan", "null", "none", "?", "#n/a", "#na", "<na>", "-nan", "#n/a n/a"]
)
_CURRENCY = "$€£¥¢₩₽₹₺₴₫₪฿₦₱"
# Separators of thousands besides "." and ",": spaces of three kinds, and the Swiss apostrophes.
_GROUPS = " \u00a0\u202f\u2009'\u2019"
_SIGNS = {"\u2212": "-", "": "", "-": "-", "+": ""}
_DROPPED = str.maketrans("", "", _GROUPS)
_FLAGS = {"true": 1.0, "false": 0.0}


def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    d, t, groups = re.escape(decimal), re.escape(thousands), re.escape(_GROUPS)
    body = rf"(?:[1-9]\d{{0,2}}(?:{t}\d{{3}})+|\d{{1,3}}(?:(?P<group>[{groups}])\d{{3}})"
    body += rf"(?:(?P=group)\d{{3}})*|\d+)(?:{d}\d*)?|{d}\d+"
    sign = r"[+\-\u2212]?"
    money = rf"[{re.escape(_CURRENCY)}]?"
    return re.compile(
        rf"(?P<sign>{sign})\s*+(?P<money>{money})\s*+(?P<inner>{sign})(?P<body>{body})"
        rf"(?P<power>(?:[eE][+-]?\d+)?)\s*(?P<after>{money})",
        re.ASCII,
    )


#: By decimal mark: what a cell must match.
FORMS = {".": _pattern(".", ","), ",": _pattern(",", ".")}
_OTHER = {".": ",", ",": "."}
# Most columns are plain: whole lines are then checked at once, which takes a tenth of the time.
_PLAIN = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$"
_NOT_PLAIN = re.compile(rf"^(?!{_PLAIN})", re.ASCII | re.MULTILINE)
# A point that cannot separate thousands: not three digits behind it, or not one to three before.
_POINT = re.compile(
    r"^[+-]?(?:\d*\.(?!\d{3}(?:[eE\n]|\Z))|\d{4,}\.|0\d*\.|\.)", re.ASCII | re.MULTILINE
)


@dataclass(frozen=True)
class Reading:
    """What became of a column.

    Attributes
    ----------
    numbers
        (N,) float64, NaN where nothing is written; None where the column holds no numbers, or it
        is not clear which.
    decimal
        The mark that the cells demand; None where both would give the same numbers.
    row
        The first row that is no number, or from which it is not clear.
    fault
        What is the matter with that row.
    money
        The currency sign that was left out; empty where there is none.
    thousands
        Whether separators of thousands were left out.
    unsure
        The separator of which it is not clear whether it is a decimal mark; empty where it is.
    """

    numbers: np.ndarray | None
    decimal: str | None = None
    row: int = 0
    fault: str = ""
    money: str = ""
    thousands: bool = False
    unsure: str = ""


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no number."""
    return cell.lower() in _MISSING


def read_numbers(
    cells: Sequence[str], decimal: str | None = None, otherwise: str | None = None
) -> Reading:
    """Read a column of stripped cells.

    Parameters
    ----------
    cells
        The text of each row.
    decimal
        The decimal mark, where it is known.
    otherwise
        The mark that is taken where both fit and differ; by default that is a fault.
    """
    filled = [(row, cell) for row, cell in enumerate(cells) if not is_missing(cell)]
    plain = None if decimal == "," else _plain(cells, filled)
    if plain is not None:
        return plain
    if filled and all(cell.lower() in _FLAGS for _, cell in filled):
        return Reading(_place(len(cells), filled, [_FLAGS[cell.lower()] for _, cell in filled]))
    first: dict[str, int] = {}  # by form, the first row that does not fit
    differs: dict[str, int] = {}  # by mark, the first row that both forms fit
    for row, cell in filled:
        fits = [form for form in FORMS if form not in first]
        for form in fits:
            if FORMS[form].fullmatch(cell) is None:
                first[form] = row
        if len(first) == len(FORMS):
            break
        for mark in FORMS:
            if mark in cell:
                differs.setdefault(mark, row)
    fitting = [form for form in FORMS if form not in first]
    if decimal is not None:
        if decimal not in fitting:
            return Reading(None, row=first[decimal], fault=_no_number(cells[first[decimal]]))
        return _parse(cells, filled, decimal, decimal)
    if not fitting:
        return _neither(cells, first)
    if len(fitting) == 1:
        return _parse(cells, filled, fitting[0], fitting[0])
    if not differs:
        return _parse(cells, filled, ".", None)
    if otherwise is not None:
        return _parse(cells, filled, otherwise, otherwise)
    return _unsure(cells, differs)


def _plain(cells: Sequence[str], filled: list[tuple[int, str]]) -> Reading | None:
    """A column of numbers as programs write them; None where it is not, or not clear to be."""
    joined = "\n".join([cell for _, cell in filled])
    if not filled or joined.count("\n") >= len(filled) or _NOT_PLAIN.search(joined):
        return None
    pointed = "." in joined
    if pointed and not _POINT.search(joined):
        return None
    numbers = _place(len(cells), filled, [float(cell) for _, cell in filled])
    return None if np.isinf(numbers).any() else Reading(numbers, "." if pointed else None)


def _neither(cells: Sequence[str], first: dict[str, int]) -> Reading:
    """No form fits all: a cell that is no number at all, or two that contradict each other."""
    last = max(first.values())
    if any(form.fullmatch(cells[last]) for form in FORMS.values()):
        point, comma = cells[first[","]], cells[first["."]]
        fault = f"both {point!r} and {comma!r} are there, and no decimal mark fits both"
        return Reading(None, row=last, fault=fault)
    return Reading(None, row=last, fault=_no_number(cells[last]))


def _unsure(cells: Sequence[str], differs: dict[str, int]) -> Reading:
    """Both forms fit all cells, and give different numbers."""
    mark = "," if "," in differs else "."
    row = differs[mark]
    matches = [(form, FORMS[form].fullmatch(cells[row])) for form in FORMS]
    words = " or ".join(f"{_value(match, form):.10g}" for form, match in matches)
    fault = f"{cells[row]!r} may be {words}; say decimal='.' or decimal=','"
    return Reading(None, row=row, fault=fault, unsure=mark)


def _no_number(cell: str) -> str:
    shown = cell if len(cell) <= 40 else f"{cell[:37]}..."
    return f"{shown!r} is no number"


def _parse(
    cells: Sequence[str], filled: list[tuple[int, str]], form: str, decimal: str | None
) -> Reading:
    money, thousands, found = "", False, []
    for row, cell in filled:
        match = FORMS[form].fullmatch(cell)
        assert match is not None
        value = _value(match, form)
        if not math.isfinite(value):
            return Reading(None, row=row, fault=f"{cell!r} is too large")
        money = money or match["money"] or match["after"]
        body = match["body"]
        thousands = thousands or _OTHER[form] in body or body != body.translate(_DROPPED)
        found.append(value)
    return Reading(_place(len(cells), filled, found), decimal, money=money, thousands=thousands)


def _value(match: re.Match[str] | None, form: str) -> float:
    assert match is not None
    digits = match["body"].translate(_DROPPED).replace(_OTHER[form], "").replace(form, ".")
    sign = _SIGNS[match["sign"]] or _SIGNS[match["inner"]]
    return float(f"{sign}{digits}{match['power']}")


def _place(count: int, filled: list[tuple[int, str]], values: list[float]) -> np.ndarray:
    """(count,) the values in the rows that are filled, NaN in the others."""
    if len(filled) == count:
        return np.array(values)
    numbers = np.full(count, np.nan)
    numbers[[row for row, _ in filled]] = values
    return numbers
