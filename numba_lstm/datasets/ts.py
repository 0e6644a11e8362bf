"""The .ts format of sktime and the time series archives: sequences with classes or targets.

A header of ``@key value`` lines in any case, ``@data``, then a line for each sequence: its channels
separated by ":", their values by ",", the class or target last. Where header and data differ in
what only describes (lengths, missing values), the data count and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .distinct import check_distinct
from .files import text_lines
from .sequences import Sequences

__all__ = ["read_ts"]

_FLAGS = ("timestamps", "missing", "univariate", "equallength", "classlabel", "targetlabel")
_COUNTS = {"dimensions": "dimensions", "dimension": "dimensions", "serieslength": "serieslength"}
_COUNT = re.compile(r"\d{1,9}")
# Each character can be matched in one way only, so that no line takes the square of its length.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_POINT = re.compile(r"\(([^(),]+),([^(),]*)\)")


@dataclass
class _Header:
    flags: dict[str, bool] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def labelled(self) -> bool:
        return self.flags.get("classlabel", False) or self.flags.get("targetlabel", False)


def read_ts(file: Path, encoding: str | None = None) -> Sequences:
    """Read a .ts file; see `read_sequences`."""
    lines = _content(file, encoding)
    header = _read_header(lines, file)
    channels = header.counts.get("dimensions")
    if header.flags.get("univariate") and channels is None:
        channels = 1
    x: list[np.ndarray] = []
    labels: list[str] = []
    for number, line in lines:
        where = f"{file}: line {number}"
        parts = _split(line) if header.flags.get("timestamps") else line.split(":")
        if header.labelled:
            labels.append(_label(parts.pop().strip(), header, where))
        case = len(x) + 1
        if channels is None:
            channels = len(parts)
        if len(parts) != channels:
            what = f"case {case} has {len(parts)} of {channels} channels"
            if header.labelled:
                what += f" before its label {labels[-1]!r}"
            raise ValueError(f"{where}: {what}")
        values = [_values(part, where, header) for part in parts]
        lengths = sorted({len(one) for one in values})
        if len(lengths) > 1:
            raise ValueError(
                f"{where}: case {case} has channels of {lengths[0]} and {lengths[-1]} steps"
            )
        x.append(np.array(values, dtype=np.float64).T)
    if not x:
        raise ValueError(f"{file}: no cases: expected lines behind @data, got none")
    y = _labels(labels, header, file)
    return Sequences(
        x,
        y,
        names=[f"channel {i + 1}" for i in range(x[0].shape[1])],
        classes=header.classes,
        ids=[str(i + 1) for i in range(len(x))],
        source=str(file),
        notes=[*header.notes, *_differences(x, header)],
    )


def _content(file: Path, encoding: str | None) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of the lines that are neither empty nor comments."""
    for number, line in enumerate(text_lines(file, encoding), 1):
        stripped = line.strip()
        if stripped and stripped[0] not in "#%":
            yield number, stripped


def _read_header(lines: Iterator[tuple[int, str]], file: Path) -> _Header:
    header = _Header()
    number = 0
    for number, line in lines:
        where = f"{file}: line {number}"
        if not line.startswith("@"):
            raise ValueError(f"{where}: expected a header line such as '@data', got {line[:40]!r}")
        key, *words = line[1:].split() or [""]
        key = key.lower()
        if key == "data":
            return header
        if key in _FLAGS:
            header.flags[key] = _flag(words, key, where)
            if key == "classlabel":
                header.classes = tuple(words[1:])
                check_distinct(f"{where}: @classLabel", header.classes)
        elif key in _COUNTS:
            if len(words) != 1 or not _COUNT.fullmatch(words[0]) or int(words[0]) == 0:
                raise ValueError(
                    f"{where}: @{key}: expected a whole number, got {' '.join(words)!r}"
                )
            header.counts[_COUNTS[key]] = int(words[0])
        elif key != "problemname":
            header.notes.append(f"line {number}: @{key} is not known and left out")
    raise ValueError(f"{file}: expected a line '@data', got none in {number} lines")


def _flag(words: list[str], key: str, where: str) -> bool:
    word = words[0].lower() if words else ""
    if word not in ("true", "false"):
        raise ValueError(f"{where}: @{key}: expected true or false, got {' '.join(words)!r}")
    return word == "true"


def _split(line: str) -> list[str]:
    """Cut at each ":" that is not within brackets, where it belongs to a time."""
    return re.findall(r"(?:^|:)((?:\([^()]*\)|[^:()])*)", line)


def _label(text: str, header: _Header, where: str) -> str:
    if not text:
        raise ValueError(f"{where}: expected a label behind the last ':', got nothing")
    if header.flags.get("targetlabel"):
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{where}: the target {text[:40]!r} is no number")
    elif header.classes and text not in header.classes:
        shown = text if len(text) <= 40 else f"{text[:37]}..."
        raise ValueError(f"{where}: label {shown!r} is not among {', '.join(header.classes)}")
    return text


def _values(part: str, where: str, header: _Header) -> list[float]:
    if header.flags.get("timestamps"):
        points = [(time.strip(), value.strip()) for time, value in _POINT.findall(part)]
        rest = _POINT.sub("", part).replace(",", "").strip()
        if rest or not points or not all(time for time, _ in points):
            raise ValueError(f"{where}: expected (time, value) in brackets, got {part[:40]!r}")
        _in_order([time for time, _ in points], where)
        return [_value(value, where) for _, value in points]
    return [_value(cell.strip(), where) for cell in part.split(",")]


def _value(cell: str, where: str) -> float:
    if _NUMBER.fullmatch(cell):
        value = float(cell)
        if value in (float("inf"), -float("inf")):
            raise ValueError(f"{where}: {cell[:40]!r} is too large")
        return value
    if cell == "?" or cell.lower() == "nan":
        return float("nan")
    if not cell:
        raise ValueError(f"{where}: a value is empty (a missing one is written '?')")
    shown = cell if len(cell) <= 40 else f"{cell[:37]}..."
    raise ValueError(f"{where}: {shown!r} is no number")


def _in_order(times: list[str], where: str) -> None:
    keys: list[float] | list[str] = times
    if all(_NUMBER.fullmatch(time) for time in times):
        keys = [float(time) for time in times]
    for before, after, text in zip(keys, keys[1:], times[1:]):
        if not before < after:  # type: ignore[operator]
            raise ValueError(f"{where}: the time {text!r} does not come after the one before it")


def _labels(labels: list[str], header: _Header, file: Path) -> np.ndarray | None:
    if not header.labelled:
        return None
    if header.flags.get("targetlabel"):
        if header.flags.get("classlabel"):
            raise ValueError(f"{file}: expected @classLabel or @targetLabel to be true, got both")
        return np.array([float(label) for label in labels])
    if not header.classes:
        header.notes.append("the header lists no classes: they are those of the data")
    return np.array(labels)


def _differences(x: list[np.ndarray], header: _Header) -> Iterator[str]:
    """What the header says of all cases, and is not so."""
    said = header.counts.get("serieslength")
    if header.flags.get("equallength", said is not None):
        said = said or len(x[0])
        wrong = [case for case, one in enumerate(x, 1) if len(one) != said]
        if wrong:
            yield (
                f"the header says {said} steps, but {len(wrong)} of {len(x)} have others "
                f"(case {wrong[0]}: {len(x[wrong[0] - 1])})"
            )
    missing = sum(int(np.isnan(one).sum()) for one in x)
    if missing:
        word = "" if header.flags.get("missing") else ", although the header says there are none"
        yield f"{missing} of {sum(one.size for one in x)} values are missing{word}"
    if header.flags.get("timestamps"):
        yield "times are left out: each value is a step"
