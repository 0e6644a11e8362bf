"""``numba-lstm plot``: a run's losses as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._errors import BadInput, bad_input
from ._forecasts import named
from ._output import json_option, print_json
from ._paths import FILE, FOLDER, check_output, check_spares, suffix
from ._text import printable

if TYPE_CHECKING:
    from ..training.runs.checkpoint import Run

_LABELS = {
    "lm": "loss, nats a token",
    "classify": "loss, nats a sequence",
    "forecast": "loss of scaled values",
}

_HELP = """Draw the losses of a RUN against steps and against time.

Of a run that has come to its end more is drawn: of a classifier the confusion matrix, on its test
part or else on what it validates on; of a forecaster the forecasts of its back-test with their
intervals, beside the truth and the baselines.
"""


@click.command(help=_HELP)
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    metavar="FILE.png",
    help="The picture to write; - for standard output, as PNG.",
)
@json_option
def plot(run: str, output: str, as_json: bool) -> None:
    """Write a run's losses as a picture."""
    with bad_input():
        from ..training.runs.checkpoint import Run

        opened = Run(run)
        records = list(opened.metrics())
        if not records:
            raise ValueError(f"{run}: expected a run with metrics, but nothing was logged yet")
        if any(record.get("seconds") is None for record in records):
            raise ValueError(f"{run}: expected seconds in each line of its metrics, got none")
        check_output(output, "output")
        check_spares(output, "output", run)
        if output == "-" and as_json:
            raise ValueError("output: expected a file with --json, got - (standard output)")
        kind = opened.kind.kind
        confusion = _confusion(opened) if kind == "classify" else None
        forecasts = _forecasts(opened) if kind == "forecast" else None
    try:
        import matplotlib
    except ImportError:
        raise BadInput(
            "plot needs matplotlib, which is not installed: pip install 'numba_lstm[plot]'"
        ) from None
    # No window is opened, and none could be on a server.
    matplotlib.use("Agg")
    title = printable(Path(run).absolute().name)
    if forecasts is None:
        figure = _draw(records, title, _LABELS[kind], confusion)
    else:
        from ._forecast_plot import draw

        figure = draw(title, forecasts, lambda part: _draw_losses(part, records, _LABELS[kind]))
    with bad_input():
        about = _save(figure, output)
    if as_json:
        print_json(about)
    elif output != "-":
        click.echo(f"wrote {output}")


def _forecasts(run: Run) -> tuple[dict[str, Any], str] | None:
    """What was found at the end, and what the model is called."""
    from ..training.forecast.results import read_results

    results = read_results(run)
    if "backtest" not in results:
        return None
    return results, named(results["weights"], run.config().cell)


def _confusion(run: Run) -> tuple[str, dict[str, Any], tuple[str, ...]] | None:
    """Which part was measured at the end, what was found, and the classes."""
    from ..training.classify.results import read_results
    from ..training.classify.session import read_meaning

    results = read_results(run)
    part = next((name for name in ("test", "valid") if name in results), None)
    return None if part is None else (part, results[part], read_meaning(run).classes)


def _draw_confusion(axis: Any, part: str, found: dict[str, Any], classes: tuple[str, ...]) -> None:
    """Counts in their fields; the shade is the share of the true class."""
    counts = found["confusion"]
    shares = [[n / max(sum(row), 1) for n in row] for row in counts]
    axis.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    if len(classes) <= 20:
        for i, row in enumerate(counts):
            for j, n in enumerate(row):
                color = "white" if shares[i][j] > 0.5 else "black"
                axis.text(j, i, str(n), ha="center", va="center", color=color, fontsize=8)
    names = [printable(name) for name in classes]
    turned = 90 if max(map(len, names)) > 3 else 0
    # A dollar sign in a name is no formula.
    axis.set_xticks(range(len(names)), names, rotation=turned, parse_math=False)
    axis.set_yticks(range(len(names)), names, parse_math=False)
    axis.set_xlabel("found")
    axis.set_ylabel("true")
    axis.set_title(f"{'test' if part == 'test' else 'validation'}: {found['accuracy']:.2%} right")


def _draw(
    records: list[dict[str, Any]],
    title: str,
    label: str = "loss, nats a token",
    confusion: tuple[str, dict[str, Any], tuple[str, ...]] | None = None,
) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10 if confusion is None else 15, 4.2), layout="constrained")
    losses: Any = figure
    if confusion is not None:
        parts: Any = figure.subfigures(1, 2, width_ratios=(2, 1))
        losses, beside = parts
        _draw_confusion(beside.subplots(), *confusion)
    _draw_losses(losses, records, label)
    figure.suptitle(title, parse_math=False)
    return figure


def _draw_losses(part: Any, records: list[dict[str, Any]], label: str) -> None:
    """The losses by step and by time, on two axes of a figure or of a part of one."""
    from matplotlib.ticker import MaxNLocator

    validated = [record["val_loss"] for record in records if record.get("val_loss") is not None]
    best = f"validation (best {min(validated):.4f})" if validated else ""
    by_step, by_time = part.subplots(1, 2, sharey=True)
    minutes = max(record["seconds"] for record in records) >= 120.0
    second = 60.0 if minutes else 1.0
    axes = (
        (by_step, "step", lambda record: record["step"]),
        (by_time, "minutes" if minutes else "seconds", lambda record: record["seconds"] / second),
    )
    for axis, words, place in axes:
        for key, name, style in (
            ("train_loss", "training", {"color": "tab:blue", "linewidth": 1.2, "alpha": 0.8}),
            ("val_loss", best, {"color": "tab:orange", "marker": "o", "markersize": 4}),
        ):
            points = [(place(r), r[key]) for r in records if r.get(key) is not None]
            if points:
                axis.plot(*zip(*points, strict=True), label=name, **style)
        axis.set_xlabel(words)
        axis.grid(alpha=0.3)
    by_step.set_ylabel(label)
    by_step.xaxis.set_major_locator(MaxNLocator(integer=True))
    by_step.legend()


def _save(figure: Any, output: str) -> dict[str, Any]:
    """Write the picture; what was written, for JSON."""
    import io

    from .._files import write_atomic

    kind = suffix(output)
    if kind not in figure.canvas.get_supported_filetypes():
        raise ValueError(f"{output}: expected a file such as .png, .svg or .pdf, got .{kind}")
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=150)
    if output == "-":
        click.echo(picture.getvalue(), nl=False)
    else:
        write_atomic(output, picture.getvalue())
    return {"file": output, "format": kind, "bytes": len(picture.getvalue())}
