"""Learning-rate schedules: each sets the optimizer's learning rates when its `step` is called.

`ConstantLR` and `CosineLR` get the share of the training that is done, a number from 0 to 1, which
may be a share of the steps or of the time. `StepLR` counts its calls, and `ReduceLROnPlateau` gets
a measured loss; these two are torch's.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import checks
from .optimizer import Optimizer, check_number

__all__ = ["ConstantLR", "CosineLR", "ReduceLROnPlateau", "Schedule", "StepLR"]

# The warm-up starts at this share of the learning rate: a step at zero would change nothing.
_LEAST_WARMUP = 0.01


class Schedule:
    """The base class of the schedules; use those.

    Parameters
    ----------
    optimizer : Optimizer
        The schedule multiplies the learning rates that its groups have now.

    Raises
    ------
    TypeError
        If it is no Optimizer.
    """

    # The attributes that `state_dict` saves besides the base learning rates.
    _counters: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer: expected an Optimizer, got a {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.base_lrs = [float(group["lr"]) for group in optimizer.param_groups]

    def _multiply(self, factor: float) -> None:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs):
            group["lr"] = base * factor

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to continue: numbers, and the list ``base_lrs``."""
        return {
            "base_lrs": list(self.base_lrs),
            **{name: getattr(self, name) for name in self._counters},
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the state of another schedule of the same kind.

        The learning rates belong to the optimizer and are saved with it.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`.

        Raises
        ------
        ValueError
            If the keys or the number of groups differ; nothing changes then.
        """
        expected = ("base_lrs", *self._counters)
        if set(state_dict) != set(expected):
            raise ValueError(
                f"state_dict: expected {', '.join(expected)}, got {', '.join(map(str, state_dict))}"
            )
        base = [check_number("base_lrs", lr) for lr in state_dict["base_lrs"]]
        if len(base) != len(self.base_lrs):
            raise ValueError(f"state_dict: expected {len(self.base_lrs)} base_lrs, got {len(base)}")
        self.base_lrs = base
        for name in self._counters:
            setattr(self, name, state_dict[name])


class ConstantLR(Schedule):
    """A linear rise, then the learning rate that the optimizer was made with.

    Parameters
    ----------
    optimizer : Optimizer
    warmup : float
        The share of the training, from 0 to 1, in which the learning rate rises.
    """

    _counters = ("progress",)

    def __init__(self, optimizer: Optimizer, warmup: float = 0.0) -> None:
        super().__init__(optimizer)
        self.warmup = checks.probability("warmup", warmup)
        self.step(0.0)

    def factor(self, progress: float) -> float:
        """Give the factor of the learning rate when `progress` of the training is done.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            If it is something else.
        """
        progress = checks.probability("progress", progress)
        if progress < self.warmup:
            return max(progress / self.warmup, _LEAST_WARMUP)
        return self._after_warmup(progress)

    def _after_warmup(self, progress: float) -> float:
        return 1.0

    def step(self, progress: float) -> None:
        """Set the learning rates for when `progress` of the training is done.

        Parameters
        ----------
        progress : float
            From 0 to 1.

        Raises
        ------
        TypeError, ValueError
            If it is something else.
        """
        self._multiply(self.factor(progress))
        self.progress = float(progress)


class CosineLR(ConstantLR):
    """A linear rise, then half a cosine down to `final` times the learning rate.

    Loshchilov & Hutter, SGDR (2017), without restarts.

    Parameters
    ----------
    optimizer : Optimizer
    warmup : float
        The share of the training, from 0 to 1, in which the learning rate rises.
    final : float
        From 0 to 1: the last learning rate as a share of the highest.
    """

    def __init__(self, optimizer: Optimizer, warmup: float = 0.0, final: float = 0.0) -> None:
        self.final = checks.probability("final", final)
        super().__init__(optimizer, warmup)

    def _after_warmup(self, progress: float) -> float:
        done = (progress - self.warmup) / (1.0 - self.warmup) if self.warmup < 1.0 else 1.0
        return self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * done))


class StepLR(Schedule):
    """The learning rate times gamma after each `step_size` calls of `step`.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        At least 1.
    gamma : float
        At least 0.
    """

    _counters = ("last_epoch",)

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer)
        self.step_size = checks.size("step_size", step_size)
        self.gamma = check_number("gamma", gamma)
        self.last_epoch = 0

    def step(self) -> None:
        """Count an epoch, or whatever a call stands for, and set the learning rates."""
        self.last_epoch += 1
        self._multiply(self.gamma ** (self.last_epoch // self.step_size))


class ReduceLROnPlateau(Schedule):
    """The learning rate times `factor` after more than `patience` calls without improvement.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {'min', 'max'}
        Whether less or more is better.
    factor : float
        From 0 to below 1.
    patience : int
        How many calls without an improvement do not reduce the learning rate yet.
    threshold : float
        What counts as an improvement: for 'min', less than best·(1 - threshold), or with
        `threshold_mode` 'abs' less than best - threshold.
    threshold_mode : {'rel', 'abs'}
    cooldown : int
        For so many calls after a reduction, calls without an improvement are not counted.
    min_lr : float
        The learning rate is not reduced below it.
    eps : float
        A reduction by less than this is not made.
    """

    _counters = ("best", "num_bad_epochs", "cooldown_counter")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(optimizer)
        self.mode = checks.choice("mode", mode, ("min", "max"))
        self.factor = check_number("factor", factor, below=1.0)
        self.patience = checks.size("patience", patience, minimum=0)
        self.threshold = check_number("threshold", threshold)
        self.threshold_mode = checks.choice("threshold_mode", threshold_mode, ("rel", "abs"))
        self.cooldown = checks.size("cooldown", cooldown, minimum=0)
        self.min_lr = check_number("min_lr", min_lr)
        self.eps = check_number("eps", eps)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0

    def step(self, metric: float) -> None:
        """Take a new value of the metric, and reduce the learning rates if it is time.

        Parameters
        ----------
        metric : float
            Such as the validation loss of an epoch.

        Raises
        ------
        TypeError
            If it is not a real number.
        ValueError
            If it is NaN.
        """
        if isinstance(metric, (bool, np.bool_)) or not isinstance(metric, numbers.Real):
            raise TypeError(f"metric: expected a number, got {type(metric).__name__}")
        value = float(metric)
        if math.isnan(value):
            raise ValueError("metric: expected a number, got nan")
        if self._is_better(value):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def _is_better(self, value: float) -> bool:
        if math.isinf(self.best):  # inf · threshold would be NaN for a threshold of 0
            return value < self.best if self.mode == "min" else value > self.best
        margin = self.threshold * (self.best if self.threshold_mode == "rel" else 1.0)
        return value < self.best - margin if self.mode == "min" else value > self.best + margin

    def _reduce(self) -> None:
        for group in self.optimizer.param_groups:
            reduced = max(group["lr"] * self.factor, self.min_lr)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced
