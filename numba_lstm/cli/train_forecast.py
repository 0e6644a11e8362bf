"""``numba-lstm train forecast``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..training.forecast.config import ForecastConfig
from ._forecasts import lines_of, rounded
from ._paths import FILE
from ._training import stopped_early, train_command

if TYPE_CHECKING:
    from ..training.runs.checkpoint import Run
    from ..training.runs.trainer import RunTrainer

_HELP = """Train a forecaster of time series, and tell whether it earns its keep.

A table has a row for each time: a column of it (--time), one or several to forecast (--target),
perhaps others that help (--exog; --known for those known ahead), and perhaps one that tells several
series apart (--id). The step in time is found; what is missing is told and filled, or refused.

The last rows are held back: --folds forecasts, each made from all that came before it, are judged
beside those of a linear model, of the last season and of the last value. What trains comes before
all of them, then what validates, so that nothing of the future is learnt; series are cut at the
same dates. The model that is judged is the one that is kept: nothing is trained again afterwards.
Prediction intervals come from the errors of that back-test, or with --loss quantile from the model.

A run is a folder. Ctrl-C saves it, --resume goes on with it; predict, evaluate, plot and export
take it. With --folds 0 all rows train and validate, once it is known that the model is worth it;
intervals are then of the errors on what validates.

\b
An example, whose data come with the package:
  numba-lstm train forecast --csv seattle-weather --target temp_max --horizon 7
"""


def _finish(trainer: RunTrainer, run: Run) -> tuple[dict[str, Any], list[str]]:
    """Back-test the model that was kept, and keep and tell what is found."""
    from ..training.forecast.results import measure
    from ..training.forecast.task import ForecastTask

    assert isinstance(trainer.task, ForecastTask)
    results = measure(trainer.task, run)
    more = {name: results.get(name) for name in ("backtest", "intervals")}
    more["weights"] = rounded(results["weights"])
    summary, config = trainer.summary(), trainer.config
    assert isinstance(config, ForecastConfig)
    rows = summary["rows"]
    lines = [
        f"trained {summary['steps']} steps ({summary['epochs']:.1f} passes over {rows['train']} "
        f"rows) in {summary['seconds']:.1f} s",
        f"train loss {summary['train_loss']:.4f}",
    ]
    if summary["val_loss"] is not None:
        lines[-1] += (
            f", validation loss {summary['val_loss']:.4f} on {rows['valid']} rows, best at step "
            f"{summary['best_step']}"
        )
    if summary["stopped_early"]:
        lines.append(stopped_early(config.patience))
    if "backtest" in results:
        lines += ["", *lines_of(results, config.cell, trainer.task.data.meaning.frequency), ""]
    return more, [*lines, f"saved in {run.path}"]


forecast = train_command(ForecastConfig, {"data": FILE}, _finish, _HELP, unit="time steps")
