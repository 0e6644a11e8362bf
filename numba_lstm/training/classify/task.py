"""The task of ``train classify``: one label a sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import losses
from ...distributed.group import Alone, Group
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
    group
        The ranks that share each batch.
    """

    kind = "classify"
    what = "sequences"
    counters = ClassifyCounters
    config: ClassifyConfig
    data: SequenceData
    model: SequenceClassifier

    def __init__(
        self,
        config: ClassifyConfig,
        data: SequenceData,
        model: SequenceClassifier,
        group: Group | None = None,
    ) -> None:
        train = data.train
        assert train.labels is not None
        batches = Batches(train.x, train.labels, config.batch, seed=config.seed)
        super().__init__(config, data, model, losses.cross_entropy, batches, group=group)
        self.validates = data.valid is not None

    def evaluate(self, model: Any, check: Callable[[], None]) -> Classified:
        """Measure a model on the validation part."""
        assert self.data.valid is not None
        return classify_part(model, self.data.valid, check, self.group)

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


def classify(model: SequenceClassifier, part: Part) -> np.ndarray:
    """Give the logits (N, C) of sequences, by a model that is left in the mode it was in."""
    return _share(model, part, lambda: None, Alone())[0]


def _share(
    model: SequenceClassifier, part: Part, check: Callable[[], None], group: Group
) -> tuple[np.ndarray, np.ndarray]:
    """The logits (n, C) of this rank's share of some sequences, and which (n,) those are."""
    logits, own = np.empty((len(part), model.num_classes), model.dtype), np.zeros(len(part), bool)
    # Near lengths together, each in its place again.
    order = np.argsort([len(one) for one in part.x], kind="stable")
    source = Batches(part.x, np.zeros(len(part)), _BATCH, shuffle=False)
    with evaluating(model):
        for first in range(0, len(part), _BATCH):
            check()
            chosen = order[first : first + _BATCH]
            chosen = chosen[group.share(len(chosen))]
            if chosen.size:
                logits[chosen] = model(*source.batch(chosen)[0])
                own[chosen] = True
    rows = np.flatnonzero(own)
    return (logits if rows.size == len(part) else logits[rows]), rows


def classify_part(
    model: SequenceClassifier,
    part: Part,
    check: Callable[[], None] = lambda: None,
    group: Group | None = None,
) -> Classified:
    """Measure a model on labelled sequences, of which each rank of a group takes its share."""
    group = Alone() if group is None else group
    assert part.labels is not None
    logits, rows = _share(model, part, check, group)
    labels, loss = part.labels[rows], 0.0
    confusion = np.zeros((model.num_classes, model.num_classes), np.int64)
    if labels.size:
        loss, _ = losses.cross_entropy(logits, labels, with_gradient=False)
        np.add.at(confusion, (labels, logits.argmax(axis=1)), 1)
    (loss,) = group.sums(float(loss) * (labels.size / len(part)))
    group.sum(confusion)
    return Classified(loss, confusion)
