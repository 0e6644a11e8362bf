"""One step of training: what a window of tokens changes, and by which rule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, optim
from .config import TrainConfig

if TYPE_CHECKING:
    from ..models import LanguageModel

__all__ = ["Diverged", "make_optimizer", "make_schedule", "train_step"]


class Diverged(ArithmeticError):
    """The loss, the gradient or a parameter stopped being a finite number."""


def train_step(
    model: LanguageModel,
    optimizer: optim.Optimizer,
    inputs: np.ndarray,
    targets: np.ndarray,
    state: Any,
    clip: float,
    step: int = 0,
) -> tuple[float, Any]:
    """Update a model's parameters once.

    Parameters
    ----------
    model, optimizer
        The optimizer is over the model's parameters.
    inputs, targets
        (T, B) tokens.
    state
        Carried from the step before; None at the start of the streams.
    clip
        The highest gradient norm; 0 does not clip.
    step
        Its number, for messages.

    Returns
    -------
    loss : float
        Before the update, in nats a token.
    state
        To carry on.

    Raises
    ------
    Diverged
        When the loss or the gradient is not finite; the parameters are then as they were.
    """
    optimizer.zero_grad()
    (logits, state), pullback = model.vjp(inputs, state)
    loss, dlogits = losses.cross_entropy(logits, targets)
    loss = float(loss)
    if not math.isfinite(loss):
        raise Diverged(f"the loss at step {step} is {loss}")
    pullback(dlogits)
    norm = optim.grad_norm(model.parameters())
    if not math.isfinite(norm):
        raise Diverged(f"the gradient's norm at step {step} is {norm}")
    # Clipping in the optimizer's own pass spares one over all gradients.
    optimizer.step(grad_scale=optim.clip_scale(norm, clip) if clip else 1.0)
    return loss, state


def make_optimizer(config: TrainConfig, model: LanguageModel) -> optim.Optimizer:
    """The optimizer that the options name, over a model's parameters."""
    kinds = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD}
    options = {} if config.weight_decay is None else {"weight_decay": config.weight_decay}
    return kinds[config.optimizer](model.parameters(), lr=config.lr, **options)


def make_schedule(config: TrainConfig, optimizer: optim.Optimizer) -> optim.ConstantLR:
    """The learning rate's course that the options name."""
    kinds = {"cosine": optim.CosineLR, "constant": optim.ConstantLR}
    return kinds[config.schedule](optimizer, warmup=config.warmup)
