"""The forms in which people write points in time, as patterns with a name for each part."""

from __future__ import annotations

import re

__all__ = ["DIGITS", "FORMS", "ISO", "LONG_NAMES", "NUMBER", "SHORT_NAMES"]

_CLOCK = (
    r"(?:(?:T|,? +)(?P<hour>\d{1,2}):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?(?: ?(?P<offset>Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
)
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
#: The form of ISO 8601.
ISO = "year, month, day"
_DAYS = {
    ISO: r"(?P<year>\d{4})(?P<s>[-/.])(?P<month>\d{1,2})(?P=s)(?P<day>\d{1,2})",
    "day and month": r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<year>\d{4})",
    "digits": r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?=T| )",
    "day, name, year": rf"(?P<day>\d{{1,2}})[-/ ]{_NAME}[-/ ](?P<year>\d{{4}})",
    "name, day, year": rf"{_NAME} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}})",
    "year, name, day": rf"(?P<year>\d{{4}})[-/ ]{_NAME}[-/ ](?P<day>\d{{1,2}})",
}
_PERIODS = {
    "year and month": r"(?P<year>\d{4})[-/.M](?P<month>\d{1,2})",
    "year and quarter": r"(?P<year>\d{4})[- ]?[Qq](?P<quarter>[1-4])",
    "name and year": rf"{_NAME}[-/ ](?P<year>\d{{4}})",
    "year and week": r"(?P<year>\d{4})[- ]?[Ww](?P<week>\d\d)(?:-(?P<weekday>[1-7]))?",
    # As pandas writes periods of a week.
    "first and last day": (
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)/(?P<end>\d{4}-\d\d-\d\d)"
    ),
}
#: By name; the first one that a cell fits is taken.
FORMS = {
    **{name: re.compile(day + _CLOCK, re.ASCII) for name, day in _DAYS.items()},
    **{name: re.compile(period, re.ASCII) for name, period in _PERIODS.items()},
}
#: Days and months in digits alone, which may be plain numbers, too.
DIGITS = re.compile(r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)?", re.ASCII)
NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d+)?", re.ASCII)
LONG_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
SHORT_NAMES = tuple(name[:3] for name in LONG_NAMES)
