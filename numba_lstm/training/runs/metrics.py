"""A run's ``metrics.jsonl``: a line of JSON for each measurement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..._parsing import parse_json
from ..._reading import open_ordinary
from .folders import RunError

__all__ = ["read_metrics"]

# What the commands draw or compare. A kind of run may add others.
_NUMBERS = ("tokens", "train_loss", "val_loss", "lr", "seconds", "val_accuracy")
_LINE = 1 << 16
# Some millions of lines.
_MOST = 1 << 30


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines as dictionaries; a last line cut short by a kill is passed by.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    FileNotFoundError
        When there is none.
    RunError
        When any other line is no JSON object with a step, or holds something else than numbers or
        null where they should be; or the file is larger than any run's, or no ordinary one.
    """
    try:
        stream = open_ordinary(path, _MOST)
    except ValueError as error:
        raise RunError(str(error)) from None
    with stream:
        number = 0
        while line := stream.readline(_LINE):
            number += 1
            if not line.endswith(b"\n"):
                if len(line) < _LINE:
                    return
                raise RunError(f"{path}: line {number}: expected at most {_LINE} bytes, got more")
            try:
                yield _record(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except ValueError as error:
                raise RunError(f"{path}: line {number}: {error}") from None


def _record(line: bytes) -> dict[str, Any]:
    wanted = "expected a JSON object with a step"
    try:
        record = parse_json(line.strip(), wanted)
    except ValueError as error:
        raise ValueError(str(error).replace("expected JSON: ", "")) from None
    step = record.get("step") if isinstance(record, dict) else None
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < 2**63:
        raise ValueError(f"{wanted}, a whole number; got {step!r:.40}")
    for name in _NUMBERS:
        value = record.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and abs(value) < 2**63):
            raise ValueError(f"{name}: expected a number, got {value!r:.40}")
    return record
