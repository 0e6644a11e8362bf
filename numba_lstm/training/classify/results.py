"""What is found of a classifier when its training is done: ``results.json`` in its run."""

from __future__ import annotations

import json
from typing import Any

from ..runs.checkpoint import RESULTS, Run
from ..runs.folders import RunError
from .session import load_classifier, read_meaning
from .task import Classified, ClassifyTask, classify_part

__all__ = ["as_json", "measure", "read_results"]


def measure(task: ClassifyTask, run: Run) -> dict[str, Any]:
    """Measure the model that a run keeps on what validates and on what tests, and write it down.

    Returns
    -------
    dict
        For "valid" and "test", where there are such parts, what `as_json` gives.
    """
    model = load_classifier(run.path).model
    parts = {"valid": task.data.valid, "test": task.data.test}
    found = {
        name: as_json(classify_part(model, part))
        for name, part in parts.items()
        if part is not None
    }
    run.write(RESULTS, json.dumps(found) + "\n")
    return found


def as_json(found: Classified) -> dict[str, Any]:
    """Loss, accuracy, number of sequences and confusion matrix, for JSON."""
    return {
        "loss": found.loss,
        "accuracy": found.accuracy,
        "sequences": int(found.confusion.sum()),
        "confusion": found.confusion.tolist(),
    }


def read_results(run: Run) -> dict[str, Any]:
    """Read what `measure` wrote; nothing of a run that has not come to its end.

    Raises
    ------
    RunError
        When the file is damaged, or something else has its name.
    """
    if not run.has(RESULTS):
        return {}
    found = run.read_json(RESULTS)
    classes = len(read_meaning(run).classes)
    if not isinstance(found, dict) or not all(_is_result(one, classes) for one in found.values()):
        raise RunError(
            f"{run.path / RESULTS}: expected for each part loss, accuracy and a confusion matrix "
            f"of {classes} classes, got something else"
        )
    return found


def _is_result(found: Any, classes: int) -> bool:
    """Whether this is what `as_json` gives."""
    if not isinstance(found, dict):
        return False
    numbers, rows = [found.get("loss"), found.get("accuracy")], found.get("confusion")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return False
    counts = [count for row in rows for count in row]
    return (
        all(isinstance(one, int | float) for one in numbers)
        and [len(row) for row in rows] == [classes] * classes
        and all(isinstance(count, int) and 0 <= count < 2**63 for count in counts)
    )
