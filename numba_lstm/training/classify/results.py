"""What is found of a classifier when its training is done: ``results.json`` in its run."""

from __future__ import annotations

import json
from typing import Any

from ..._files import write_atomic
from ..runs.checkpoint import RESULTS, Run
from ..runs.folders import RunError
from .session import load_classifier
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
    write_atomic(run.path / RESULTS, json.dumps(found) + "\n")
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
        When the file is damaged.
    """
    path = run.path / RESULTS
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
        for part in found.values():
            part["accuracy"] + part["loss"] + part["confusion"][0][0]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise RunError(f"{path}: expected results of a run: {error}") from None
    return found
