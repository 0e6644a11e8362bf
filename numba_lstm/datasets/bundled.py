"""Data that come with the package, and data that another package brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .read_series import read_series
from .sequences import Sequences
from .series import Series
from .table import Table
from .ts import read_ts

__all__ = ["load_japanese_vowels", "load_seattle_weather"]

_WEATHER = ("precipitation", "temp_max", "temp_min", "wind")


def load_seattle_weather(
    target: str | Sequence[str] = "temp_max", exog: Sequence[str] | None = None
) -> Series:
    """Return the weather of Seattle, a row a day from 2012 to 2015 (1461 rows).

    The measurements are NOAA's and in the public domain; they come as the package vega-datasets
    has them. ``scripts/make_seattle_weather.py`` makes the file from that package, and
    ``seattle_weather.LICENSE`` beside it says where it comes from.

    Parameters
    ----------
    target
        Columns to forecast: ``"precipitation"`` (mm), ``"temp_max"``, ``"temp_min"`` (°C),
        ``"wind"`` (m/s).
    exog
        Columns that help; by default the others.

    Returns
    -------
    Series
    """
    # Imported here because most of those who import the package never read the bundled data.
    import csv
    import lzma
    from importlib.resources import files

    packed = files(__package__).joinpath("seattle_weather.csv.xz").read_bytes()
    header, *rows = csv.reader(lzma.decompress(packed).decode("ascii").splitlines())
    table = Table.from_columns(dict(zip(header, zip(*rows))), "seattle_weather.csv")
    targets = [target] if isinstance(target, str) else list(target)
    others = [name for name in _WEATHER if name not in targets] if exog is None else exog
    return read_series(table, time="date", target=targets, exog=others)[0]


def load_japanese_vowels() -> tuple[Sequences, Sequences]:
    """Return the Japanese Vowels: who of nine speakers says "ae".

    Kudo, Toyama and Shimbo (1999); 12 columns, 7 to 29 steps. The files are those of the package
    sktime, which is not imported.

    Returns
    -------
    train, test : Sequences
        270 and 370 sequences.

    Raises
    ------
    ImportError
        sktime is not installed.
    """
    from importlib.util import find_spec

    found = find_spec("sktime")
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            "the Japanese Vowels come with sktime; pip install 'numba_lstm[timeseries]'"
        )
    folder = Path(found.submodule_search_locations[0]) / "datasets" / "data" / "JapaneseVowels"
    train, test = (read_ts(folder / f"JapaneseVowels_{part}.ts") for part in ("TRAIN", "TEST"))
    return train, test
