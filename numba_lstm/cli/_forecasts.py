"""What commands do with a run of ``train forecast``."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ._errors import bad_input
from ._kernels import announce_compiling
from ._output import print_json, print_notes
from ._text import printable
from ._unfinished import not_ended

if TYPE_CHECKING:
    from ..datasets.frequency import Frequency
    from ..training.forecast.prediction import Prediction

__all__ = ["evaluate_forecaster", "lines_of", "named", "predict_steps", "rounded"]

_BASELINES = ("linear", "seasonal_naive", "last_value")
_MEASURES = (("mae", "MAE"), ("rmse", "RMSE"), ("mase", "MASE"), ("smape", "sMAPE %"))
# So many series have a line of their own.
_MOST_SERIES = 10


def evaluate_forecaster(
    run: str, data: tuple[str, ...], table: dict[str, Any], as_json: bool
) -> None:
    """Back-test a forecaster on a file, or again on what its run holds back."""
    with bad_input():
        if len(data) > 1:
            raise ValueError(f"data: expected one table, got {len(data)}")
        if table and not data:
            raise ValueError(f"{min(table)}: expected with a file (--data) only")
        from ..training.forecast.evaluation import own_back_test, prepared
        from ..training.forecast.session import load_forecaster

        loaded = load_forecaster(run)
        tested = prepared(loaded, data[0], table) if data else own_back_test(loaded)
    print_notes([*tested.notes, *not_ended(run)])
    announce_compiling(lambda line: click.echo(line, err=True))
    with bad_input():
        found = tested.run(loaded)
    if as_json:
        print_json(
            {
                "frequency": str(loaded.meaning.frequency),
                **found,
                "weights": rounded(found["weights"]),
            }
        )
        return
    for line in lines_of(found, loaded.config.cell, loaded.meaning.frequency):
        click.echo(line)


def predict_steps(run: str, source: str, table: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
    """Forecast what follows a file's series: a table as text, and what of it is told in JSON and in
    words."""
    with bad_input():
        from ..training.forecast.prediction import predict, read_for
        from ..training.forecast.results import read_results
        from ..training.forecast.session import load_forecaster
        from ..training.runs.checkpoint import Run

        loaded, results = load_forecaster(run), read_results(Run(run))
        series = read_for(loaded, source, "input", table, loaded.meaning.window)
    print_notes([*(note for one in series for note in one.notes), *not_ended(run)])
    announce_compiling(lambda line: click.echo(line, err=True))
    with bad_input():
        found = predict(loaded, series, results)
    bare = found[0].low is None
    if bare:
        ended = "it has no back-test, and nothing validated"
        why = ended if results else "it has not ended"
        print_notes([f"no intervals: the run has no errors to make them of, for {why}"])
    start = min(found, key=lambda one: one.time[0])
    stop = max(found, key=lambda one: one.time[-1])
    first, last = start.form.written(start.time)[0], stop.form.written(stop.time)[-1]
    rows = sum(len(one.time) for one in found)
    level = None if bare else loaded.config.level
    about = {"series": len(found), "rows": rows, "from": first, "to": last, "level": level}
    ends = "" if bare else f", with intervals of {level:.0%}"
    told = f"{rows} steps from {first} to {last}{ends}"
    id = table.get("id", loaded.config.id)
    return _as_csv(found, loaded.meaning.names, id), about, told


def rounded(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights for JSON: no reader wants more than six digits, and 0.06 is 0.06."""
    return {kind: round(share, 6) for kind, share in weights.items()}


def _as_csv(found: list[Prediction], names: tuple[str, ...], id: str | None) -> str:
    """A row for each step of each series; what the input has, too, is called and written alike."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    sides = ("low", "high") if found[0].low is not None else ()
    several = id is not None or len(found) > 1
    time = found[0].form.column
    taken = {*([id] if id else []), time, *names}
    columns = []
    for name in names:
        columns += [name, *(_free(f"{name}_{side}", taken) for side in sides)]
    ids = [id or _free("id", taken)] if several else []
    table.writerow([*ids, time, _free("step", taken), *columns])
    for one in found:
        values = [side for side in (one.values, one.low, one.high) if side is not None]
        for step, time in enumerate(one.form.written(one.time)):
            cells = [f"{side[step, k]:.7g}" for k in range(len(names)) for side in values]
            table.writerow([*([one.id] if several else []), time, step + 1, *cells])
    return text.getvalue()


def _free(name: str, taken: set[str]) -> str:
    """A name that no column has; from now on it is taken."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


# -- people's table -------------------------------------------------------------------------------


def lines_of(found: Mapping[str, Any], cell: str, frequency: Frequency) -> list[str]:
    """The back-test as a table, what it says of the model, and of its intervals."""
    test, intervals = found["backtest"], found["intervals"]
    name = named(found["weights"], cell)
    words = {
        "model": name,
        "network": f"{cell.upper()} alone",
        "linear_members": "linear members alone",
        "linear": "linear regression",
        "seasonal_naive": f"seasonal naive ({frequency.season} before)",
        "last_value": "last value",
    }
    steps = "step" if test["horizon"] == 1 else "steps"
    forecasts = "forecast" if test["folds"] == 1 else "forecasts"
    lines = [
        f"back-test: {test['folds']} {forecasts} of {test['horizon']} {steps} "
        f"({frequency.words} each), {test['from']} to {test['to']}"
    ]
    if test["filled"]:
        lines.append(f"{test['filled']} of the values to forecast were missing and are not judged")
    networks = [share for kind, share in found["weights"].items() if not _is_linear(kind)]
    if name == cell.upper():
        del words["network"]
    if "linear_members" not in test or not any(networks):  # then they are the model
        del words["linear_members"]
    for target, models in test.get("targets", {"": test}).items():
        lines += _table(printable(target), {word: models[key] for key, word in words.items()})
    if "series" in test:
        lines += _each_series(test["series"], words)
    if len(found["weights"]) > 1:
        shares = [f"{share:.0%} {kind}" for kind, share in found["weights"].items() if share]
        lines.append(f"by what validates, the forecast is {', '.join(shares)}")
    lines.append(_verdict(test, words) if any(networks) else _without(test, words, cell))
    if intervals["coverage"] is not None:
        width = intervals["width"]
        wide = "" if width is None else f"; {_number(width)} wide on average"
        lines.append(
            f"intervals of {intervals['level']:.0%} hold {intervals['coverage']:.1%} of the truth"
            f"{wide} (from {intervals['source']})"
        )
    return lines


def named(weights: Mapping[str, float], cell: str) -> str:
    """What a forecast is made of: networks, linear forecasters, or both."""
    lines = any(share for kind, share in weights.items() if _is_linear(kind))
    networks = any(share for kind, share in weights.items() if not _is_linear(kind))
    parts = [cell.upper()] * networks + ["linear"] * lines
    return " + ".join(parts)


def _is_linear(kind: str) -> bool:
    return kind.startswith("linear")


def _table(title: str, models: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    rows = [[title, *(word for _, word in _MEASURES)]]
    best: dict[str, float | None] = {}
    for key, _ in _MEASURES:
        found = [one[key] for one in models.values()]
        best[key] = min((value for value in found if value is not None), default=None)
    for word, measures in models.items():
        values = [(measures[key], best[key]) for key, _ in _MEASURES]
        marks = ["*" if value is not None and value == least else " " for value, least in values]
        cells = [_number(value) for value, _ in values]
        rows.append([word, *(cell + mark for cell, mark in zip(cells, marks))])
    return _aligned(rows)


def _each_series(
    series: Mapping[str, Mapping[str, float | None]], words: Mapping[str, str]
) -> list[str]:
    """The scaled error of each series, or of the worst ones."""
    ids, what = list(series), "of each series"
    if len(ids) > _MOST_SERIES:
        ids.sort(key=lambda id: -(series[id]["model"] or 0.0))
        what = f"of the worst {_MOST_SERIES} of {len(ids)} series"
    rows = [[f"MASE {what}", *words.values()]]
    for id in ids[:_MOST_SERIES]:
        rows.append([printable(id), *(_number(series[id][name]) for name in words)])
    return _aligned(rows)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for name, *cells in rows:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:])]
        lines.append("  " + "  ".join([name.ljust(widths[0]), *padded]).rstrip())
    return lines


def _verdict(test: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Whether the networks are worth it: the model beside the best that has none."""
    measure, rival = _judged(test, words)
    ours, theirs = test["model"][measure], test[rival][measure]
    ahead = test["better"][rival]
    share = f"lower error in {ahead:.0%} of the forecasts"
    named = dict(_MEASURES)[measure]
    if theirs == 0.0:
        verdict = "does not earn its keep here" if ours > 0.0 else "is as good as the baselines"
        return f"the {words['model']} {verdict}: {words[rival]} makes no error at all"
    if _equal(ours, theirs):
        return (
            f"the {words['model']} does not earn its keep here: {words[rival]} has the same "
            f"{named}, and costs less"
        )
    gain = 1.0 - ours / theirs
    than = f"{gain:.1%} less {named} than the best without a network ({words[rival]})"
    if gain > 0.0 and ahead <= 0.5:
        return f"the {words['model']} has {than}, but {share} only: that may be chance"
    if gain > 0.0:
        return f"the {words['model']} earns its keep: {than}, {share}"
    return (
        f"the {words['model']} does not earn its keep here: {words[rival]} has "
        f"{1.0 - theirs / ours:.1%} less {named}; use that, or train otherwise"
    )


def _without(test: Mapping[str, Any], words: Mapping[str, str], cell: str) -> str:
    """What is said of networks that got no weight."""
    measure, rival = _judged(test, words)
    ours, theirs = test["model"][measure], test[rival][measure]
    better = theirs < ours and not _equal(ours, theirs)
    named = dict(_MEASURES)[measure]
    enough = f"{words[rival]} has {1.0 - theirs / ours:.1%} less {named}" if better else ""
    return (
        f"the {cell.upper()} does not earn its keep here: by what validates it got no weight; "
        + (f"{enough}; use that" if better else "a linear forecaster is enough")
    )


def _judged(test: Mapping[str, Any], words: Mapping[str, str]) -> tuple[str, str]:
    """The measure that decides, and the best forecaster that has no network."""
    several = "targets" in test or "series" in test  # they have no common unit
    measure = "mase" if several and test["model"]["mase"] is not None else "mae"
    rivals = [name for name in ("linear_members", *_BASELINES) if name in words]
    return measure, min(rivals, key=lambda name: test[name][measure])


def _equal(ours: float, theirs: float) -> bool:
    """Whether errors are the same but for round-off."""
    return abs(ours - theirs) <= 1e-5 * max(ours, theirs)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.4g}"
