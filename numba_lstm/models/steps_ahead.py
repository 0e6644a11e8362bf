"""What forecasters share: what is known of the steps ahead, the level of each window, layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..checks import as_cotangent, as_float, choice, size
from ..nn import Module
from ..nn.pullback import once
from ..typing import Array, ArrayLike
from .level import Level

__all__ = ["ForecastPullback", "StepsAhead"]


class ForecastPullback(Protocol):
    """Of a forecaster: ``(dy) -> dx, dfuture``."""

    def __call__(self, dy: ArrayLike | None) -> tuple[Array, Array | None]:
        """Add to every parameter's gradient; dfuture is None where there is no future."""


class StepsAhead(Module):
    """The base of modules that give the next steps of sequences; not used alone.

    A subclass gives the outputs of all steps in a row, ``(x, rows, lengths) -> (B, K·O)``, of
    which this makes y. There ``rows`` is the future in a row, (B, K·F), or None.
    """

    dtype: Any
    batch_first: bool
    input_size: int

    def _outputs(self, x: Array, rows: Array | None, lengths: Any) -> Array:
        raise NotImplementedError

    def _outputs_vjp(
        self, x: Array, rows: Array | None, lengths: Any
    ) -> tuple[Array, Callable[[Array], tuple[Array, Array | None]]]:
        """The same, and a pullback ``(doutputs) -> dx, drows``."""
        raise NotImplementedError

    def __call__(
        self, x: ArrayLike, future: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> Array:
        """Compute the forecast and keep nothing.

        Parameters
        ----------
        x : array_like, (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sequence
            T at least 1.
        future : array_like, (K, B, F), or (B, K, F) with batch_first, or (K, F), optional
            What is known of the steps ahead; None where future_size is 0.
        lengths : array_like of int, (B,), optional
            How long each sequence is, 0 to T, in any order; T where not given. What stands in x
            after a sequence's end is not looked at.

        Returns
        -------
        y : numpy.ndarray, (K, B, O), or (B, K, O) with batch_first, or (K, O)

        Raises
        ------
        TypeError, ValueError
            Naming x, future or lengths.
        """
        x, rows = self._arguments(x, future)
        level = self._level(x, lengths)
        if level is None:
            return self._by_step(self._outputs(x, rows, lengths))
        outputs = self._outputs(level.taken_from(x), rows, lengths)
        return self._by_step(outputs + self._spread(level.values))

    def vjp(
        self, x: ArrayLike, future: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, ForecastPullback]:
        """Compute what `__call__` does, and a pullback.

        `x` must keep its values until the pullback has been called.

        Parameters
        ----------
        x, future, lengths
            As for a call.

        Returns
        -------
        y : numpy.ndarray
            As from a call.
        pullback : callable
            ``pullback(dy) -> dx, dfuture``, with dy of the shape of y, or None for zero. It adds to
            every parameter's gradient. dfuture is None where future_size is 0. May be called once.

        Raises
        ------
        TypeError, ValueError
            Naming x, future or lengths; the pullback's name dy.
        """
        x, rows = self._arguments(x, future)
        level = self._level(x, lengths)
        read = x if level is None else level.taken_from(x)
        outputs, back = self._outputs_vjp(read, rows, lengths)
        if level is not None:
            outputs = outputs + self._spread(level.values)
        y, flat = self._by_step(outputs), outputs.shape
        shape = y.shape

        def pullback(dy: Any) -> tuple[Array, Array | None]:
            dy = as_cotangent("dy", dy, self.dtype, shape)
            doutputs = np.ascontiguousarray(self._batch_first(dy).reshape(flat))
            dx, drows = back(doutputs)
            if level is not None:
                dx = level.back(dx, self._gathered(doutputs))
            if drows is None:
                return dx, None
            dfuture = drows.reshape(*flat[:-1], self.horizon, self.future_size)
            return dx, np.ascontiguousarray(self._batch_first(dfuture))

        return y, once(pullback)

    def _settle(
        self,
        output_size: int,
        horizon: int,
        future_size: int,
        normalize: str | None,
        targets: int | None,
    ) -> None:
        """Check and keep what is about the steps ahead."""
        self.output_size = size("output_size", output_size)
        self.horizon = size("horizon", horizon)
        self.future_size = size("future_size", future_size, 0)
        self.normalize = None if normalize is None else choice("normalize", normalize, ("last",))
        self.targets = self.output_size if targets is None else size("targets", targets)
        if self.output_size % self.targets:
            raise ValueError(
                f"targets: expected a divisor of output_size={output_size}, got {targets}"
            )

    def _check_targets(self) -> None:
        """Once input_size has been checked."""
        if self.normalize is not None and self.targets > self.input_size:
            raise ValueError(
                f"targets: expected at most input_size={self.input_size} with "
                f"normalize={self.normalize!r}, got {self.targets}"
            )

    def _level(self, x: Array, lengths: Any) -> Level | None:
        fits = x.ndim in (2, 3) and x.shape[-1] == self.input_size
        if self.normalize is None or not fits or 0 in x.shape[: x.ndim - 1]:
            return None  # what does not fit is refused where it is read
        return Level(x, lengths, self.targets, self.batch_first)

    def _spread(self, level: Array) -> Array:
        """The level (B, C) beside each output (B, K·O)."""
        beside = np.repeat(level, self.output_size // self.targets, axis=-1)
        return np.tile(beside, self.horizon)

    def _gathered(self, doutputs: Array) -> Array:
        """What `_spread` gets back, (B, C)."""
        by_target = doutputs.reshape(*doutputs.shape[:-1], self.horizon, self.targets, -1)
        return by_target.sum(axis=(-3, -1))

    def _arguments(self, x: Any, future: Any) -> tuple[Array, Array | None]:
        """x in the module's dtype, and of the future one row a sequence, (B, K·F)."""
        x = as_float("x", x, self.dtype)
        if self.future_size == 0:
            if future is not None:
                raise ValueError("future: expected None with future_size=0, got an array")
            return x, None
        if future is None:
            raise ValueError(f"future: expected an array, as future_size is {self.future_size}")
        shape: tuple[int, ...] = (self.horizon, self.future_size)
        if x.ndim == 3:
            batch = x.shape[0 if self.batch_first else 1]
            at = 0 if self.batch_first else 1
            shape = (*shape[:at], batch, *shape[at:])
        future = as_float("future", future, self.dtype, shape=shape)
        rows = self._batch_first(future)
        return x, rows.reshape(*rows.shape[:-2], self.horizon * self.future_size)

    def _by_step(self, outputs: Array) -> Array:
        """The outputs (B, K·O) as y."""
        y = outputs.reshape(*outputs.shape[:-1], self.horizon, self.output_size)
        return np.ascontiguousarray(self._batch_first(y))

    def _batch_first(self, array: Array) -> Array:
        """Exchange the axes of steps and sequences where callers have steps first; either way."""
        return array if self.batch_first or array.ndim == 2 else array.swapaxes(0, 1)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        parts = [f"horizon={self.horizon}", f"output_size={self.output_size}"]
        if self.future_size:
            parts.append(f"future_size={self.future_size}")
        if self.normalize is not None:
            parts.append(f"normalize={self.normalize!r}")
        return ", ".join(parts)
