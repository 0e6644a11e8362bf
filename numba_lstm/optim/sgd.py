"""Stochastic gradient descent."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .optimizer import Optimizer, Options, Parameters, check_number

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent with torch's momentum, which the learning rate multiplies.

    With the gradient g of a parameter p and the momentum's buffer b::

        g = g + weight_decay · p
        b = momentum · b + (1 - dampening) · g      (where there was no b yet: b = g)
        p = p - lr · (g + momentum · b  if nesterov, else b)

    Parameters
    ----------
    parameters : Parameter, iterable of Parameter, or iterable of dict
        Each dictionary is a group with options of its own.
    lr : float
        Learning rate.
    momentum, dampening, weight_decay : float
    nesterov : bool
        Needs a momentum above 0 and no dampening.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, by name.
    """

    _arrays = ("momentum_buffer",)

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            parameters,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def _checked(self, options: Options) -> Options:
        checked: Options = {
            name: check_number(name, options[name]) for name in ("lr", "momentum", "weight_decay")
        }
        # As with torch, dampening may be any number.
        checked["dampening"] = check_number("dampening", options["dampening"], low=-np.inf)
        nesterov = options["nesterov"]
        if not isinstance(nesterov, (bool, np.bool_)):
            raise TypeError(f"nesterov: expected True or False, got {nesterov!r}")
        checked["nesterov"] = bool(nesterov)
        if nesterov and (checked["momentum"] == 0 or checked["dampening"] != 0):
            raise ValueError(
                "nesterov: expected a momentum above 0 and a dampening of 0, got momentum "
                f"{checked['momentum']:g} and dampening {checked['dampening']:g}"
            )
        return checked

    def _uses(self, options: Options) -> tuple[str, ...]:
        return self._arrays if options["momentum"] else ()

    def _row(
        self, options: Options, step: int, fresh: bool, grad_scale: float
    ) -> tuple[float, ...]:
        momentum = options["momentum"]
        return (
            grad_scale,
            options["weight_decay"],
            options["lr"],
            momentum,
            1.0 if fresh else 1.0 - options["dampening"],
            momentum if options["nesterov"] else 0.0,
        )

    @staticmethod
    @functools.cache
    def _kernel() -> Any:
        from ..kernels.optim import sgd

        return sgd
