"""The task of a module, a loss, and batches of inputs and targets."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, NamedTuple

import numpy as np

from .. import optim
from ..distributed.errors import name_ranks
from ..nn import Module
from .shares import Share, Shares
from .step import Diverged, scaled, update
from .task import Measured, Step, Task, evaluating

__all__ = ["Batch", "MeanLoss", "Supervised"]


class Batch(NamedTuple):
    """What one step is over.

    Attributes
    ----------
    inputs
        What the module is called with.
    targets
        What the loss compares its outputs with.
    weight
        Of each target, or None.
    number
        Its place in its pass, for messages.
    share
        How much it is of a batch that several ranks share. Of 0 there are no inputs.
    """

    inputs: tuple[Any, ...]
    targets: Any
    weight: Any
    number: int
    share: float = 1.0


class MeanLoss(NamedTuple):
    """A loss over several batches.

    Attributes
    ----------
    loss
        The mean over batches, each with the sum of its weights, or with its number of targets.
    weight
        The sum of those.
    """

    loss: float
    weight: float


def _nothing() -> None:
    """Check nothing."""


class Supervised(Task):
    """The task of a module, a loss, and batches of inputs and targets.

    Parameters
    ----------
    model
        Called as ``model.vjp(*inputs)``.
    loss
        Called as ``loss(outputs, targets)``, with ``sample_weight=`` where a batch has weights;
        gives the loss and its gradient with respect to the outputs.
    batches, valid
        Iterables of ``(inputs, targets)`` or ``(inputs, targets, sample_weight)``, of which each
        iteration is one pass.
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[..., Any],
        batches: Iterable[Any],
        valid: Iterable[Any] | None = None,
    ) -> None:
        self.model, self.loss = model, loss
        self.batches, self.valid = batches, valid
        self.validates = valid is not None
        self.length = len(batches) if isinstance(batches, Sized) else None
        self._iterator: Iterator[Any] | None = None
        self._validated = 0  # batches of this rank, in the last validation
        self._quick = _takes(loss, "with_gradient")

    def next(self) -> Batch | None:
        """Take the next batch; None where a pass has ended."""
        if self._iterator is None:
            self._iterator = iter(self.batches)
        try:
            item = next(self._iterator)
        except StopIteration:
            if self.place == 0:
                raise ValueError(_none_left("batches", self.passes)) from None
            self.length = self.place
            self._iterator, self.place, self.passes = None, 0, self.passes + 1
            return None
        self.place += 1
        return _as_batch("batches", item, self.place)

    def step(
        self, batch: Batch, optimizer: optim.Optimizer, clip: float | None, number: int
    ) -> Step:
        """Train on a batch; Diverged, and no parameter changed, where a number is not finite."""
        whole = Step(0.0, 0.0, 0)

        def forward() -> tuple[float, Callable[[], Any]]:
            if not batch.share:
                return 0.0, lambda: None
            outputs, pullback = self.model.vjp(*batch.inputs)
            loss, gradient = self._loss(outputs, batch)
            gradient = scaled(gradient, batch.share)
            if isinstance(outputs, tuple):
                return loss * batch.share, lambda: pullback(*gradient)
            return loss * batch.share, lambda: pullback(gradient)

        def agree(loss: float) -> float:
            nonlocal whole
            counts = (_weight_of(batch), _steps_of(batch)) if batch.share else (0.0, 0)
            whole = Step(*self.exchange.step(number, loss, *counts))
            return whole.loss

        try:
            update(optimizer, forward, clip, number, agree)
        except Diverged:
            _refuse_nan("batches", "targets", batch.targets, batch.number)
            raise
        return whole

    def evaluate(self, model: Module, check: Callable[[], None]) -> Measured:
        """Measure a model on what validates; it is left in the mode it was in.

        Where ranks have batches of their own some may have none.
        """
        total = weights = 0.0
        batches = 0
        own = self.group.size > 1 and not isinstance(self.valid, Shares)
        if own:
            check = _nothing  # it is a message, and other ranks may have more batches
        with evaluating(model):
            for batch, _, loss in self.measured("valid", self.valid, model, check, or_none=own):
                weight = _weight_of(batch)
                total, weights = total + loss * weight, weights + weight
                batches += 1
        used_up = own and self._validated > 0 and batches == 0
        self._validated = batches
        total, weights, found, lost = self.group.sums(total, weights, batches, used_up)
        if lost:
            ranks = [rank for rank, one in enumerate(self.group.all_gather(used_up)) if one]
            raise ValueError(_none_left(f"valid on {name_ranks(ranks)}", 1))
        if not found:
            raise ValueError(_none_left("valid on all ranks", 0))
        if weights == 0.0:
            raise ValueError("valid: expected a sample_weight above 0, got none")
        return MeanLoss(total / weights, weights)

    def measured(
        self,
        name: str,
        source: Iterable[Any] | None,
        model: Module,
        check: Callable[[], None] = _nothing,
        *,
        or_none: bool = False,
    ) -> Iterator[tuple[Batch, Any, float]]:
        """Yield batches, the outputs for them of a model in evaluation mode, and the losses.

        Where a rank's share of a batch is empty, there is nothing to yield. ``name`` is what
        messages call the source; ``check`` is called before each batch; ``or_none`` says that a
        source may have no batches.
        """
        assert source is not None
        more = {"with_gradient": False} if self._quick else {}
        number = 0
        for number, item in enumerate(source, 1):
            check()
            batch = _as_batch(name, item, number)
            if not batch.share:
                continue
            outputs = model(*batch.inputs)
            loss, _ = self._loss(outputs, batch, **more)
            if not math.isfinite(loss):
                _refuse_nan(name, "targets", batch.targets, number)
            yield batch, outputs, loss
        if number == 0 and not or_none:
            raise ValueError(_none_left(name, self.passes - 1))

    def _loss(self, outputs: Any, batch: Batch, **more: Any) -> tuple[float, Any]:
        if batch.weight is not None:
            more["sample_weight"] = batch.weight
        found = self.loss(outputs, batch.targets, **more)
        if not (isinstance(found, tuple) and len(found) == 2):
            raise TypeError(f"loss: expected it to return (loss, gradient), got {_kind(found)}")
        try:
            return float(found[0]), found[1]
        except (TypeError, ValueError):
            raise TypeError(
                f"loss: expected it to return (loss, gradient) with a number for the loss, got "
                f"{_kind(found[0])}"
            ) from None


def _takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function takes an argument of this name."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a builtin that does not tell
        return False


def _as_batch(name: str, item: Any, number: int) -> Batch:
    share = 1.0
    if isinstance(item, Share):
        item, share = item
        if not share:
            return Batch((), None, None, number, share)
    if not isinstance(item, tuple | list) or len(item) not in (2, 3):
        raise TypeError(
            f"{name}: expected (inputs, targets) or (inputs, targets, sample_weight), got "
            f"{_kind(item)} as batch {number}"
        )
    inputs = item[0] if isinstance(item[0], tuple) else (item[0],)
    batch = Batch(inputs, item[1], item[2] if len(item) == 3 else None, number, share)
    for array in inputs:
        _refuse_nan(name, "inputs", array, number, _lengths(array, inputs))
    if batch.weight is not None:
        _refuse_nan(name, "sample_weight", batch.weight, number)
    return batch


def _lengths(x: Any, inputs: tuple[Any, ...]) -> np.ndarray | None:
    """The lengths that inputs (x, lengths) give for x (T, B, …): its padding may hold anything."""
    if len(inputs) < 2 or x is not inputs[0] or inputs[1] is None or np.ndim(x) < 2:
        return None
    lengths = np.asarray(inputs[1])
    fits = lengths.dtype.kind in "iu" and lengths.shape == np.shape(x)[1:2]
    return lengths if fits else None


def _refuse_nan(
    name: str, part: str, value: Any, number: int, lengths: np.ndarray | None = None
) -> None:
    """Raise ValueError where an array of floats holds NaN."""
    for array in value if isinstance(value, tuple) else (value,):
        try:
            floats = np.asarray(array)
        except (TypeError, ValueError):
            continue  # not an array; the module says what it thinks of it
        if floats.dtype.kind != "f":
            continue
        bad = np.isnan(floats)
        if lengths is not None and bad.any():
            bad[np.arange(len(bad))[:, None] >= lengths] = False
        if bad.any():
            place = ", ".join(str(int(i)) for i in np.argwhere(bad)[0])
            raise ValueError(
                f"{name}: expected {part} without NaN, got NaN at index ({place}) of batch {number}"
            )


def _weight_of(batch: Batch) -> float:
    if batch.weight is not None:
        return float(np.sum(batch.weight, dtype=np.float64))
    targets = batch.targets[0] if isinstance(batch.targets, tuple) else batch.targets
    return float(np.size(targets))


def _steps_of(batch: Batch) -> int:
    """Time steps of x (T, B, …), without its padding where lengths are told."""
    lengths = _lengths(batch.inputs[0], batch.inputs)
    if lengths is not None:
        return int(lengths.sum())
    return int(np.prod(np.shape(batch.inputs[0])[:2], dtype=np.int64))


def _none_left(name: str, passes: int) -> str:
    if passes <= 0:
        return f"{name}: expected at least one batch, got none"
    return (
        f"{name}: expected an iterable that can be iterated again, as a list can, got one that is "
        "used up (a generator can be iterated once)"
    )


def _kind(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"an object of type {type(value).__name__}"
