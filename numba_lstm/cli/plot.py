"""``numba-lstm plot``: a run's losses as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._errors import BadInput, bad_input
from ._paths import FILE, FOLDER, check_output, suffix
from ._text import printable


@click.command(help="Draw the losses of a RUN against steps and against time.")
@click.argument("run", type=FOLDER, metavar="RUN")
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    metavar="FILE.png",
    help="The picture to write; - for standard output, as PNG.",
)
def plot(run: str, output: str) -> None:
    """Write a run's losses as a picture."""
    with bad_input():
        from ..training.checkpoint import Run

        records = list(Run(run).metrics())
        if not records:
            raise ValueError(f"{run}: expected a run with metrics, but nothing was logged yet")
        check_output(output, "output")
    try:
        import matplotlib
    except ImportError:
        raise BadInput(
            "plot needs matplotlib, which is not installed: pip install 'numba_lstm[plot]'"
        ) from None
    # No window is opened, and none could be on a server.
    matplotlib.use("Agg")
    figure = _draw(records, printable(Path(run).absolute().name))
    with bad_input():
        _save(figure, output)


def _draw(records: list[dict[str, Any]], title: str) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    validated = [record["val_loss"] for record in records if record.get("val_loss") is not None]
    best = f"validation (best {min(validated):.4f})" if validated else ""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    by_step, by_time = figure.subplots(1, 2, sharey=True)
    minutes = max(record["seconds"] for record in records) >= 120.0
    unit = 60.0 if minutes else 1.0
    axes = (
        (by_step, "step", lambda record: record["step"]),
        (by_time, "minutes" if minutes else "seconds", lambda record: record["seconds"] / unit),
    )
    for axis, label, place in axes:
        for key, words, style in (
            ("train_loss", "training", {"color": "tab:blue", "linewidth": 1.2, "alpha": 0.8}),
            ("val_loss", best, {"color": "tab:orange", "marker": "o", "markersize": 4}),
        ):
            points = [(place(r), r[key]) for r in records if r.get(key) is not None]
            if points:
                axis.plot(*zip(*points, strict=True), label=words, **style)
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
    by_step.set_ylabel("loss, nats a token")
    by_step.xaxis.set_major_locator(MaxNLocator(integer=True))
    by_step.legend()
    figure.suptitle(title)
    return figure


def _save(figure: Any, output: str) -> None:
    import io

    from .._files import write_atomic

    kind = suffix(output)
    if kind not in figure.canvas.get_supported_filetypes():
        raise ValueError(f"{output}: expected a file such as .png, .svg or .pdf, got .{kind}")
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=150)
    if output == "-":
        click.echo(picture.getvalue(), nl=False)
        return
    write_atomic(output, picture.getvalue())
    click.echo(f"wrote {output}")
