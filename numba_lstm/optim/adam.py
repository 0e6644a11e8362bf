"""Adam and AdamW."""

from __future__ import annotations

import functools
import math
from typing import Any

from .optimizer import Optimizer, Options, Parameters, check_number

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015), its weight decay an addend of the gradient.

    At step t, with the gradient g of a parameter p::

        g = g + weight_decay · p
        m = β1 · m + (1 - β1) · g        v = β2 · v + (1 - β2) · g²
        p = p - lr · (m / (1 - β1ᵗ)) / (√(v / (1 - β2ᵗ)) + eps)

    Parameters
    ----------
    parameters : Parameter, iterable of Parameter, or iterable of dict
        Each dictionary is a group with options of its own.
    lr : float
        Learning rate.
    betas : tuple of two floats
        β1 and β2, each from 0 to below 1.
    eps : float
    weight_decay : float

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, by name.
    """

    _arrays = _required = ("exp_avg", "exp_avg_sq")
    _work = 20

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    def _checked(self, options: Options) -> Options:
        betas = options["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise TypeError(f"betas: expected two numbers, got {betas!r}")
        return {
            "lr": check_number("lr", options["lr"]),
            "betas": tuple(check_number("betas", beta, below=1.0) for beta in betas),
            "eps": check_number("eps", options["eps"]),
            "weight_decay": check_number("weight_decay", options["weight_decay"]),
        }

    def _decay(self, options: Options) -> tuple[float, float]:
        """(l2, decay): l2·p is added to the gradient, and p is multiplied by decay."""
        return options["weight_decay"], 1.0

    def _row(
        self, options: Options, step: int, fresh: bool, grad_scale: float
    ) -> tuple[float, ...]:
        beta1, beta2 = options["betas"]
        return (
            grad_scale,
            *self._decay(options),
            beta1,
            1.0 - beta1,
            beta2,
            1.0 - beta2,
            1.0 / math.sqrt(1.0 - beta2**step),
            options["eps"],
            options["lr"] / (1.0 - beta1**step),
        )

    @staticmethod
    @functools.cache
    def _kernel() -> Any:
        from ..kernels.optim import adam

        return adam


class AdamW(Adam):
    """AdamW (Loshchilov & Hutter, 2019): Adam after p = p - lr · weight_decay · p.

    Parameters
    ----------
    parameters : Parameter, iterable of Parameter, or iterable of dict
        Each dictionary is a group with options of its own.
    lr : float
        Learning rate.
    betas : tuple of two floats
        β1 and β2, each from 0 to below 1.
    eps : float
    weight_decay : float

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, by name.
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _decay(self, options: Options) -> tuple[float, float]:
        return 0.0, 1.0 - options["lr"] * options["weight_decay"]
