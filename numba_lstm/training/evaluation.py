"""The loss of a language model over a text in which every token is predicted once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import losses
from ..text import IGNORE, windows

if TYPE_CHECKING:
    from ..models import LanguageModel

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """A mean loss in nats a token, over so many predicted tokens."""

    loss: float
    tokens: int

    @property
    def perplexity(self) -> float:
        """How many equally likely tokens would be as hard to predict."""
        return math.exp(self.loss) if self.loss < 700.0 else math.inf

    @property
    def bits_per_token(self) -> float:
        """The loss in bits."""
        return self.loss / math.log(2.0)


def evaluate(
    model: LanguageModel,
    tokens: np.ndarray,
    batch: int,
    seq_len: int,
    *,
    check: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Predict each of ``tokens`` but the first from those before it.

    The text is cut into ``batch`` contiguous streams, each begun with a zero state which is carried
    to its end.

    Parameters
    ----------
    model : LanguageModel
        Run in evaluation mode, and left in the mode it was in.
    tokens
        (N,) tokens, at least two.
    batch, seq_len
        Streams, and steps in a window. The result depends on ``seq_len`` by rounding only.
    check
        Called between windows; what it raises ends the evaluation.
    """
    was_training = model.training
    model.eval()
    total, count, state = 0.0, 0, None
    try:
        for inputs, targets, _ in windows(tokens, batch, seq_len):
            check()
            logits, state = model(inputs, state)
            loss, _ = losses.cross_entropy(logits, targets, IGNORE, with_gradient=False)
            here = int((targets != IGNORE).sum())
            total += float(loss) * here
            count += here
    finally:
        model.train(was_training)
    return Evaluation(total / count, count)
