"""What the package's own models need: kernels are compiled by training small ones for a step.

Kernels differ by cell and dtype, by whether the state is masked, and by whether they run on one
thread or on several. Directions, layers, pooling and the other dropouts share them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import checks, losses, optim
from ..models import SequenceClassifier, generate
from ..models.stacks import STACKS
from ..text import CharVocabulary
from ..training.lm.config import TrainConfig
from ..training.lm.data import Data
from ..training.lm.loading import make_model
from ..training.lm.task import TextTask
from ..training.step import update

__all__ = ["warm_models"]

# (T, B, hidden): the first stays on one thread, the second has those that help compiled, too.
_SIZES = ((4, 3, 8), (50, 32, 128))


def warm_models(cells: Sequence[str] = ("lstm",), dtype: str = "float32") -> None:
    """Compile what language models, classifiers, regressors and forecasters need.

    Parameters
    ----------
    cells
        Kinds of cells: ``"lstm"``, ``"gru"``, ``"rnn"``.
    dtype
        ``"float32"`` or ``"float64"``.

    Raises
    ------
    ValueError
        For another cell or dtype.
    """
    cells = [checks.choice("cells", cell, tuple(STACKS)) for cell in cells]
    checks.choice("dtype", dtype, ("float32", "float64"))
    for cell in cells:
        _language_models(cell, dtype)
        for steps, batch, hidden in _SIZES:
            for recurrent_dropout in (0.0, 0.1):
                _classifier(cell, dtype, steps, batch, hidden, recurrent_dropout)
    _losses_and_optimizers(dtype)


def _language_models(cell: str, dtype: str) -> None:
    """Two steps, an evaluation and a short sample, of a small model and of the default one."""
    vocabulary = CharVocabulary([chr(code) for code in range(32, 97)])
    small = TrainConfig(steps=1, hidden=16, embedding=8, batch=2, seq_len=4, cell=cell, dtype=dtype)
    for config in (small, TrainConfig(steps=1, cell=cell, dtype=dtype)):
        tokens = np.arange(config.batch * config.seq_len + 1) % len(vocabulary)
        model = make_model(config, len(vocabulary))
        TextTask(config, Data(vocabulary, tokens, tokens), model).warm_up()
        list(generate(model, tokens[:2], 2, seed=0))


def _classifier(
    cell: str, dtype: str, steps: int, batch: int, hidden: int, recurrent_dropout: float
) -> None:
    """Two steps on sequences of unequal lengths, and some inferences."""
    model = SequenceClassifier(
        3,
        hidden,
        4,
        2,
        cell=cell,
        bidirectional=True,
        dropout=0.1,
        recurrent_dropout=recurrent_dropout,
        pooling="max",
        dtype=dtype,
        seed=0,
    )
    optimizer = optim.Adam(model.parameters())
    x, lengths = np.zeros((steps, batch, 3), dtype), 1 + np.arange(batch) % steps
    targets = np.arange(batch) % 4

    def forward() -> tuple[float, Callable[[], Any]]:
        logits, pullback = model.vjp(x, lengths)
        loss, dlogits = losses.cross_entropy(logits, targets)
        return float(loss), lambda: pullback(dlogits)

    for _ in range(2):
        update(optimizer, forward, 1.0)
    model.eval()
    model(x, lengths)
    model(x)
    model(x[:, :1])


def _losses_and_optimizers(dtype: str) -> None:
    """Those that the models above do not have."""
    outputs = np.zeros((4, 3), dtype)
    losses.mse(outputs, outputs)
    losses.binary_cross_entropy_with_logits(outputs, outputs)
    model = SequenceClassifier(3, 4, 2, dtype=dtype, seed=0)
    for momentum in (0.0, 0.9):
        optimizer = optim.SGD(model.parameters(), lr=0.0, momentum=momentum)
        _, pullback = model.vjp(np.zeros((2, 1, 3), dtype))
        pullback(None)
        optimizer.step()
