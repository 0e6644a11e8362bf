"""JSON and TOML of files that somebody else may have made.

What our own files never have is refused in words: deep nesting, which ends in Python's recursion
limit or in memory; numbers of many digits, infinity and NaN.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from typing import Any, NoReturn

__all__ = ["parse_json", "parse_toml"]

#: Lists and objects within each other; of ours the optimizer's state has most, about 15.
MOST_DEEP = 64
#: A random state is a number of 39 digits.
MOST_DIGITS = 100
#: Names of a TOML key, which joins them by points. tomllib takes memory by the square of them.
MOST_PARTS = 16

# Possessive, and with an end that may be missing, so that the time is that of one pass.
_TEXTS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?' r"|'''(?:[^']|'(?!''))*+(?:''')?"
    r'|"(?:[^"\\\n]|\\.)*+"?' r"|'[^'\n]*+'?|#[^\n]*+",
    re.DOTALL,
)  # fmt: skip
_BRACKET = re.compile(r"[\[\]{}]")
_PARTS = re.compile(rf"(?:\.[ \t\w-]*+){{{MOST_PARTS},}}")
_DIGITS = re.compile(rf"\d[\d_]{{{MOST_DIGITS},}}")


def parse_json(data: bytes | bytearray | str, name: str) -> Any:
    """Read a JSON value.

    Parameters
    ----------
    data
        The text; bytes are UTF-8.
    name
        Where it is from, for messages.

    Raises
    ------
    ValueError
        When it is no JSON, is nested deeper than `MOST_DEEP`, or has a number of more than
        `MOST_DIGITS` digits or one that is not finite.
    """
    try:
        found = json.loads(data, parse_int=_whole, parse_float=_real, parse_constant=_refused)
    except (json.JSONDecodeError, UnicodeDecodeError, _Refused) as error:
        raise ValueError(f"{name}: expected JSON: {error}") from None
    except RecursionError:
        raise ValueError(_too_deep(name, "JSON")) from None
    level = [found]
    for _ in range(MOST_DEEP):
        level = [item for one in level for item in _within(one) if isinstance(item, list | dict)]
        if not level:
            return found
    raise ValueError(_too_deep(name, "JSON"))


def parse_toml(data: bytes, name: str) -> dict[str, Any]:
    """Read a TOML document.

    Parameters
    ----------
    data
        UTF-8; some editors put a byte-order mark at its start.
    name
        Where it is from, for messages.

    Raises
    ------
    ValueError
        When it is no TOML, is nested deeper than `MOST_DEEP`, has a number of more than
        `MOST_DIGITS` digits or a key of more than `MOST_PARTS` names.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: expected a TOML file: {error}") from None
    _check_toml(text, name)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        raise ValueError(f"{name}: expected a TOML file: {error}") from None


def _check_toml(text: str, name: str) -> None:
    """Refuse what tomllib would take for ever about, or all memory."""
    # What stands in quotation marks and comments is left out; lines stay in their places.
    plain = _TEXTS.sub(lambda found: "\n" * found[0].count("\n"), text.replace("\r\n", "\n"))

    def refuse(place: int, what: str) -> NoReturn:
        line = plain.count("\n", 0, place) + 1
        raise ValueError(f"{name}: line {line}: expected {what}, got more")

    depth = 0
    for bracket in _BRACKET.finditer(plain):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MOST_DEEP:
            refuse(bracket.start(), f"at most {MOST_DEEP} brackets within each other")
    if found := _PARTS.search(plain):
        refuse(found.start(), f"a key of at most {MOST_PARTS} names")
    if found := _DIGITS.search(plain):
        refuse(found.start(), f"a number of at most {MOST_DIGITS} digits")


class _Refused(ValueError):
    """A number that is valid JSON, or what Python takes for it, and that no file of ours has."""


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _Refused(f"a number of at most {MOST_DIGITS} digits, got {len(digits)}")
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused(f"finite numbers, got {digits:.20}")
    return value


def _refused(word: str) -> NoReturn:
    raise _Refused(f"finite numbers, got {word}")


def _within(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _too_deep(name: str, what: str) -> str:
    return f"{name}: expected {what} nested at most {MOST_DEEP} deep, got more"
