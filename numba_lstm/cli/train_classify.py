"""``numba-lstm train classify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..training.classify.config import ClassifyConfig
from ._paths import FILE
from ._training import stopped_early, train_command

if TYPE_CHECKING:
    from ..training.runs.checkpoint import Run
    from ..training.runs.trainer import RunTrainer

_HELP = """Train a classifier of sequences, which may be of unequal length.

A long table has a row for each step, a column that says which sequence it belongs to (--id), one of
its label (--label), perhaps one to sort the steps by (--time), and numbers in all others. Columns
are scaled by what the training part holds. The best model by validation is kept, and measured on
the test part where there is one.

A run is a folder. Ctrl-C saves it, --resume goes on with it; predict, evaluate and plot take it.

\b
An example, whose data come with sktime (98.5 % of the test part are found):
  numba-lstm train classify --data japanese-vowels --valid-fraction 0 \\
      --hidden 100 --bidirectional --pooling max --dropout 0.5 --input-dropout 0.1 \\
      --epochs 80
"""


def _finish(trainer: RunTrainer, run: Run) -> tuple[dict[str, Any], list[str]]:
    """Measure the model that was kept, and keep and tell what is found."""
    from ..training.classify.results import measure
    from ..training.classify.task import ClassifyTask

    assert isinstance(trainer.task, ClassifyTask)
    results = measure(trainer.task, run)
    test = results.get("test", {})
    more = {"test_loss": test.get("loss"), "test_accuracy": test.get("accuracy")}
    summary = trainer.summary()
    sizes = summary["sequences"]
    lines = [
        f"trained {summary['steps']} steps ({summary['epochs']:.1f} passes over {sizes['train']} "
        f"sequences) in {summary['seconds']:.1f} s",
        f"train loss {summary['train_loss']:.4f} nats a sequence",
    ]
    if summary["val_loss"] is not None:
        lines.append(
            f"validation loss {summary['val_loss']:.4f}, accuracy {summary['val_accuracy']:.2%} "
            f"of {sizes['valid']} sequences, best at step {summary['best_step']}"
        )
    if test:
        lines.append(
            f"test loss {test['loss']:.4f}, accuracy {test['accuracy']:.2%} of {sizes['test']} "
            "sequences"
        )
    if summary["stopped_early"]:
        lines.append(stopped_early(trainer.config.patience))
    return more, [*lines, f"saved in {run.path}"]


classify = train_command(
    ClassifyConfig, {"data": FILE, "test": FILE}, _finish, _HELP, unit="time steps"
)
