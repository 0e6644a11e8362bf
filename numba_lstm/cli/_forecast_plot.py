"""A picture of a forecaster's back-test: forecasts and intervals beside the truth and baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._text import printable

__all__ = ["draw"]

# So many panels of forecasts at most, and so many steps in one.
_PANELS = 4
_STEPS = 200
_BASELINES = (
    ("linear", "linear", "tab:green", "--"),
    ("seasonal_naive", "seasonal naive", "tab:purple", ":"),
)


def draw(
    title: str, forecasts: tuple[dict[str, Any], str], draw_losses: Callable[[Any], None]
) -> Any:
    """Draw what a run of ``train forecast`` has found, with its losses below.

    Parameters
    ----------
    title
        The picture's.
    forecasts
        Of `results.read_results`, and what the model is called.
    draw_losses
        Draws the losses on a part of a figure.
    """
    from matplotlib.figure import Figure

    results, name = forecasts
    panels = [(one, k) for one in results["drawn"] for k in range(len(one["names"]))][:_PANELS]
    height = 3.4 * len(panels)
    figure = Figure(figsize=(12, height + 2.9), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(height, 2.7))
    top, bottom = parts
    axes = top.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, (one, k) in zip(axes, panels):
        _draw_panel(axis, one, k, name, results["intervals"]["level"])
    above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "frameon": False}
    axes[0].legend(ncols=6, fontsize=8, **above)
    top.suptitle(f"{title}: {_words(results, name)}", parse_math=False)
    draw_losses(bottom)
    return figure


def _words(results: dict[str, Any], name: str) -> str:
    test = results["backtest"]
    rivals = ("linear_members", "linear", "seasonal_naive", "last_value")
    best = min((one for one in rivals if one in test), key=lambda model: test[model]["mae"])
    ours, theirs = (f"{test[model]['mae']:.3g}" for model in ("model", best))
    return (
        f"{test['folds']} forecasts of {test['horizon']} steps, mean absolute error {ours} "
        f"({name}) and {theirs} ({best.replace('_', ' ')})"
    )


def _draw_panel(axis: Any, one: dict[str, Any], k: int, name: str, level: float) -> None:
    """One target of one series: each forecast is a line of its own, from its origin on."""
    import numpy as np

    def column(key: str) -> Any:
        return np.array(one[key], dtype=float)[shown][..., k]

    folds, horizon = np.array(one["time"]).shape
    shown = slice(max(folds - max(_STEPS // horizon, 1), 0), None)
    times = [_time(row) for row in one["time"][shown]]
    truth, forecast = column("truth"), column("model")
    history = np.array(one["history"]["values"])[:, k]
    if shown.start:  # what is not drawn of the back-test is the history of what is
        before = slice(max(shown.start - 2, 0), shown.start)
        start = _time(np.concatenate(one["time"][before]))
        history = np.array(one["truth"])[before][..., k].reshape(-1)
    else:
        start = _time(one["history"]["time"])
    past = np.concatenate([start, *times]), np.concatenate([history, truth.reshape(-1)])
    axis.plot(*past, color="black", linewidth=1.3, marker=".", markersize=3, label="truth")
    for key, words, color, style in _BASELINES:
        for fold, values in enumerate(column(key)):
            about = {"color": color, "linestyle": style, "linewidth": 1.0, "alpha": 0.8}
            axis.plot(times[fold], values, label=words if fold == 0 else None, **about)
    for fold, values in enumerate(forecast):
        label = name if fold == 0 else None
        about = {"color": "tab:red", "linewidth": 1.6, "marker": ".", "markersize": 3}
        axis.plot(times[fold], values, label=label, **about)
        if one["low"] is not None:
            low, high = column("low")[fold], column("high")[fold]
            label = f"{level:.0%} interval" if fold == 0 else None
            about = {"color": "tab:red", "alpha": 0.15, "linewidth": 0}
            axis.fill_between(times[fold], low, high, label=label, **about)
    for time in times:
        axis.axvline(time[0], color="gray", linewidth=0.4, alpha=0.5)
    place = f" ({printable(one['id'])})" if one["id"] else ""
    axis.set_ylabel(printable(one["names"][k]) + place, parse_math=False)
    axis.margins(x=0.01)
    axis.grid(alpha=0.3)


def _time(values: Any) -> Any:
    """Times as they are drawn: dates, or numbers."""
    import numpy as np

    try:
        return np.array(values, dtype=float)
    except ValueError:
        return np.array(values, dtype="datetime64[us]")
