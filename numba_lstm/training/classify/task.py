"""The task of ``train classify``: one label a sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import losses
from ..batching import Batches
from ..counters import Counters
from ..runs.supervised_run import SupervisedRun
from ..task import evaluating
from .config import ClassifyConfig
from .data import Part, SequenceData

if TYPE_CHECKING:
    from ...models import SequenceClassifier

__all__ = ["Classified", "ClassifyCounters", "ClassifyTask", "classify", "classify_part"]

# Sequences that are classified at once.
_BATCH = 256


@dataclass
class ClassifyCounters(Counters):
    """Of a classifier's training.

    Attributes
    ----------
    best_accuracy
        Of the best validation.
    """

    best_accuracy: float | None = None


@dataclass(frozen=True)
class Classified:
    """How well a model classifies.

    Attributes
    ----------
    loss
        The mean cross entropy, in nats.
    confusion : numpy.ndarray of int, (C, C)
        How many sequences of each class (a row) are taken for each class (a column).
    """

    loss: float
    confusion: np.ndarray

    @property
    def accuracy(self) -> float:
        """The share of sequences whose class is found."""
        return float(np.trace(self.confusion) / self.confusion.sum())


class ClassifyTask(SupervisedRun):
    """Trains a classifier of sequences.

    Parameters
    ----------
    config
        The options.
    data
        The sequences.
    model
        A new SequenceClassifier, or one that will be restored.
    """

    kind = "classify"
    what = "sequences"
    counters = ClassifyCounters
    config: ClassifyConfig
    data: SequenceData
    model: SequenceClassifier
    batches: Batches

    def __init__(
        self, config: ClassifyConfig, data: SequenceData, model: SequenceClassifier
    ) -> None:
        train = data.train
        assert train.labels is not None
        batches = Batches(train.x, train.labels, config.batch, seed=config.seed)
        super().__init__(config, data, model, losses.cross_entropy, batches)
        self.validates = data.valid is not None

    def evaluate(self, model: Any, check: Callable[[], None]) -> Classified:
        """Measure a model on the validation part."""
        assert self.data.valid is not None
        return classify_part(model, self.data.valid, check)

    def record(self, result: Classified) -> dict[str, Any]:
        """The accuracy, for the line of metrics."""
        return {"val_accuracy": result.accuracy}

    def note_best(self, counters: Counters, result: Classified) -> None:
        """Keep the best model's accuracy."""
        assert isinstance(counters, ClassifyCounters)
        counters.best_accuracy = result.accuracy

    def figures(self, counters: Counters) -> dict[str, Any]:
        """What is told beside the loss."""
        assert isinstance(counters, ClassifyCounters)
        parts = {"train": self.data.train, "valid": self.data.valid, "test": self.data.test}
        return {
            "val_accuracy": counters.best_accuracy,
            "sequences": {name: 0 if part is None else len(part) for name, part in parts.items()},
            "classes": len(self.data.meaning.classes),
        }


def classify(
    model: SequenceClassifier, part: Part, check: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Give the logits (N, C) of sequences, by a model that is left in the mode it was in."""
    logits = np.empty((len(part), model.num_classes), model.dtype)
    # Near lengths together, each in its place again.
    order = np.argsort([len(one) for one in part.x], kind="stable")
    source = Batches(part.x, np.zeros(len(part)), _BATCH, shuffle=False)
    with evaluating(model):
        for first in range(0, len(part), _BATCH):
            check()
            chosen = order[first : first + _BATCH]
            logits[chosen] = model(*source.batch(chosen)[0])
    return logits


def classify_part(
    model: SequenceClassifier, part: Part, check: Callable[[], None] = lambda: None
) -> Classified:
    """Measure a model on labelled sequences."""
    logits = classify(model, part, check)
    assert part.labels is not None
    loss, _ = losses.cross_entropy(logits, part.labels, with_gradient=False)
    confusion = np.zeros((model.num_classes, model.num_classes), np.int64)
    np.add.at(confusion, (part.labels, logits.argmax(axis=1)), 1)
    return Classified(float(loss), confusion)
