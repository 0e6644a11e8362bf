"""What a training counts, all of which a continuation needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

__all__ = ["Counters", "TextCounters"]


@dataclass
class Counters:
    """What the loop counts, all of which a continuation needs.

    Attributes
    ----------
    step, tokens
        Steps done, and what they trained on: tokens of a text, or time steps of sequences.
    seconds
        The time training has taken, validation and saving included, over all continuations.
    position
        Batches taken, over all passes over the data.
    loss_sum, loss_count
        The losses of the steps since the last line of metrics, and the sum of their weights.
    measured_step
        The step of the last line of metrics.
    train_loss, val_loss
        Of the last line that had them.
    best_loss, best_step
        Of the lowest loss so far.
    since_best
        Measurements in a row, none of them lower by more than ``min_delta`` than the lowest before.
    digest, valid_digest
        Fingerprints of all data, and of those that validate.
    ended_step
        The step at which a run came to its end the last time; it has gone on where `step` is
        another one.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    position: int = 0
    loss_sum: float = 0.0
    loss_count: float = 0
    measured_step: int = 0
    train_loss: float | None = None
    val_loss: float | None = None
    best_loss: float | None = None
    best_step: int | None = None
    since_best: int = 0
    digest: str = ""
    valid_digest: str = ""
    ended_step: int | None = None

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Take them of what a file holds; those that are missing are as in a new training.

        Raises
        ------
        TypeError
            When one has another name.
        ValueError
            Naming the counter that has a wrong type, or cannot have such a value.
        """
        counters = cls(**found)
        for about in fields(cls):
            value = getattr(counters, about.name)
            kind, _, rest = str(about.type).partition(" | ")
            if not (value is None and rest) and not _fits(kind, value, about.name):
                raise ValueError(f"{about.name}: expected {_WORDS[kind]}, got {value!r:.40}")
        for name in ("measured_step", "best_step", "ended_step"):
            value = getattr(counters, name)
            if value is not None and value > counters.step:
                raise ValueError(f"{name}: expected at most {counters.step} (step), got {value}")
        return counters

    def count(self, loss: float, weight: float, tokens: int) -> None:
        """Count a step with its loss, the weight of that in the mean, and its tokens."""
        self.step += 1
        self.tokens += tokens
        self.loss_sum += loss * weight
        self.loss_count += weight

    def mean_loss(self) -> float | None:
        """The mean loss since the last measurement; where no step was done since, the one of it."""
        return self.loss_sum / self.loss_count if self.loss_count else self.train_loss

    def measured(self) -> None:
        """Keep the mean loss, and begin the next one."""
        self.train_loss = self.mean_loss()
        self.loss_sum, self.loss_count, self.measured_step = 0.0, 0, self.step

    def judge(self, loss: float, min_delta: float = 0.0) -> bool:
        """Count a measured loss; whether it is the lowest so far.

        Any lower loss is the best. Only one that is lower by more than ``min_delta`` than the best
        before it ends the count of those that are no better.
        """
        best = self.best_loss
        falls = best is None or loss < best - min_delta
        self.since_best = 0 if falls else self.since_best + 1
        if best is not None and loss >= best:
            return False
        self.best_loss, self.best_step = loss, self.step
        return True


@dataclass
class TextCounters(Counters):
    """Of a language model's training.

    Attributes
    ----------
    best_known_loss
        Of the best validation, over the tokens that are not unknown.
    windows
        Windows in a pass over the text.
    text_length, text_digest
        The text's `Fingerprint`.
    """

    best_known_loss: float | None = None
    windows: int = 0
    text_length: int = 0
    text_digest: str = ""

    def on_text_of(self, other: TextCounters) -> TextCounters:
        """The same run over the text that ``other`` is of; where that is not the text so far, at
        the beginning of its next pass."""
        position = self.position
        if self.digest != other.digest:
            position = -(-position // max(self.windows, 1)) * other.windows
        names = ("windows", "text_length", "text_digest", "digest", "valid_digest")
        text = {name: getattr(other, name) for name in names}
        return replace(self, position=position, **text)


_WORDS = {
    "int": "a whole number of at least 0",
    "float": "a finite number",
    "str": "text",
}
_ANY_SIGN = ("loss_sum", "train_loss", "val_loss", "best_loss", "best_known_loss")


def _fits(kind: str, value: Any, name: str) -> bool:
    """Whether a value read from a file can be that of a counter."""
    if kind == "str":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int if kind == "int" else int | float):
        return False
    return abs(value) < 2**63 and math.isfinite(value) and (value >= 0 or name in _ANY_SIGN)
