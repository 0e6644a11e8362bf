"""Windows over a time series: what a forecaster sees, and what it is to say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..checks import size
from .regularity import regular
from .series import Series

__all__ = ["Windows", "windows"]


class Windows(NamedTuple):
    """N windows of one series, read-only views of its values.

    Attributes
    ----------
    x : numpy.ndarray
        (N, window, C), all columns.
    y : numpy.ndarray
        (N, horizon, K), the targets that follow.
    future : numpy.ndarray or None
        (N, horizon, E), the columns known ahead, of the steps of `y`; None where there are none.
    origins : numpy.ndarray
        (N,) int64, the row of each first y.
    """

    x: np.ndarray
    y: np.ndarray
    future: np.ndarray | None
    origins: np.ndarray


def windows(series: Series, window: int, horizon: int, stride: int = 1) -> Windows:
    """Cut a series into windows of `window` rows and the `horizon` rows that follow each.

    Parameters
    ----------
    series
        Without gaps and missing values; see `regular`.
    window
        The rows that are seen.
    horizon
        The rows that are to be forecast.
    stride
        The rows from one window to the next.

    Returns
    -------
    Windows

    Raises
    ------
    ValueError
        The series has gaps or missing values, or fewer than ``window + horizon`` rows.
    """
    window, horizon = size("window", window), size("horizon", horizon)
    stride = size("stride", stride)
    series = regular(series)
    need_rows(series, window + horizon, f"window {window} and horizon {horizon}")
    origins = np.arange(window, len(series) - horizon + 1, stride)
    known = series.future
    return Windows(
        _sliding(series.values, window)[origins - window],
        _sliding(series.target, horizon)[origins],
        _sliding(known, horizon)[origins] if known.shape[1] else None,
        origins,
    )


def need_rows(series: Series, rows: int, what: str) -> None:
    """Refuse a series that is too short.

    Raises
    ------
    ValueError
        Telling how many rows `what` needs.
    """
    if len(series) < rows:
        name = f" series {series.id!r}" if series.id else ""
        raise ValueError(
            f"{series.source}:{name} too short: {what} need {rows} rows, got {len(series)}"
        )


def _sliding(values: np.ndarray, width: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, width, axis=0).swapaxes(1, 2)
