"""One step of training: what a batch changes, and by which rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, optim
from ..distributed.errors import NonFiniteGradientError

if TYPE_CHECKING:
    from ..models import LanguageModel
    from ..nn import Module
    from .runs.options import TrainingOptions

__all__ = ["Diverged", "make_optimizer", "make_schedule", "scaled", "train_step", "update"]


class Diverged(ArithmeticError):
    """The loss, the gradient or a parameter stopped being a finite number."""


def _own(loss: float) -> float:
    """The loss of all ranks in a training of one process."""
    return loss


def update(
    optimizer: optim.Optimizer,
    forward: Callable[[], tuple[float, Callable[[], Any]]],
    clip: float | None = None,
    step: int = 0,
    agree: Callable[[float], float] = _own,
) -> float:
    """Update the parameters of an optimizer once.

    Parameters
    ----------
    optimizer
        Its parameters' gradients are cleared first.
    forward
        Gives the loss, and a function that adds its gradients.
    clip
        The highest norm of all gradients together; None or 0 does not clip.
    step
        Its number, for messages.
    agree
        Gives the loss of all ranks for this one's part of it. Gradients are summed over the ranks
        of the optimizer before that.

    Returns
    -------
    float
        The loss before the update, of all ranks.

    Raises
    ------
    Diverged
        When the loss or the gradient is not finite; the parameters are then as they were.
    """
    optimizer.zero_grad()
    loss, backward = forward()
    # What is not finite is told after the sum: other ranks wait for this one there.
    if math.isfinite(loss):
        backward()
    _reduce(optimizer, lambda: agree(loss), step)
    loss = agree(loss)
    if not math.isfinite(loss):
        raise Diverged(f"the loss at step {step} is {loss}")
    norm = optim.grad_norm([p for group in optimizer.param_groups for p in group["params"]])
    if not math.isfinite(norm):
        raise Diverged(f"the gradient's norm at step {step} is {norm}")
    # Clipping in the optimizer's own pass spares one over all gradients.
    optimizer.step(grad_scale=optim.clip_scale(norm, clip) if clip else 1.0)
    return loss


def _reduce(optimizer: optim.Optimizer, agree: Callable[[], float], step: int) -> None:
    """Sum the gradients over ranks, where the optimizer is one of several."""
    reduce = getattr(optimizer, "reduce", None)
    if reduce is None:
        return
    try:
        reduce()
    except NonFiniteGradientError as error:
        agree()  # a loss that is not finite tells more
        raise Diverged(f"{error} (step {step})") from None


def train_step(
    model: LanguageModel,
    optimizer: optim.Optimizer,
    inputs: np.ndarray,
    targets: np.ndarray,
    state: Any,
    clip: float,
    step: int = 0,
    share: float = 1.0,
    agree: Callable[[float], float] = _own,
) -> tuple[float, Any]:
    """Update a language model's parameters once.

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
    share
        How much these columns are of the whole batch.
    agree
        As for `update`.

    Returns
    -------
    loss : float
        Of the whole batch, before the update, in nats a token.
    state
        To carry on.

    Raises
    ------
    Diverged
        When the loss or the gradient is not finite; the parameters are then as they were.
    """

    def forward() -> tuple[float, Callable[[], Any]]:
        nonlocal state
        (logits, state), pullback = model.vjp(inputs, state)
        loss, dlogits = losses.cross_entropy(logits, targets)
        return float(loss) * share, lambda: pullback(scaled(dlogits, share))

    loss = update(optimizer, forward, clip, step, agree)
    return loss, state


def scaled(gradient: Any, share: float) -> Any:
    """A gradient, or a tuple of them, times a factor; written into the arrays it is given in."""
    if share != 1.0:
        for one in gradient if isinstance(gradient, tuple) else (gradient,):
            one *= one.dtype.type(share)
    return gradient


def make_optimizer(config: TrainingOptions, model: Module) -> optim.Optimizer:
    """The optimizer that the options name, over a model's parameters."""
    kinds = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD}
    options = {} if config.weight_decay is None else {"weight_decay": config.weight_decay}
    return kinds[config.optimizer](model.parameters(), lr=config.lr, **options)


def make_schedule(config: TrainingOptions, optimizer: optim.Optimizer) -> optim.ConstantLR:
    """The learning rate's course that the options name."""
    kinds = {"cosine": optim.CosineLR, "constant": optim.ConstantLR}
    return kinds[config.schedule](optimizer, warmup=config.warmup)
