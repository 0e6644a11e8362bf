"""Many steps ahead as linear functions of the last rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks import as_float, flag, positive, size
from ..checks import dtype as check_dtype
from ..datasets.least_squares import Equations, ridge_path
from ..nn import Linear
from ..typing import Array, ArrayLike, DTypeLike, Seed
from .finite import check_finite
from .steps_ahead import StepsAhead

__all__ = ["LinearForecaster"]


class LinearForecaster(StepsAhead):
    """The next steps of each sequence, each a linear function of its last `window` steps.

    ``y = head([x of the last steps, future of all steps ahead])``: an autoregression with an
    equation of its own for each step ahead. `solve` finds its weights by least squares, so that it
    needs no training; it has gradients like any other module.

    Parameters
    ----------
    input_size : int
        I, the features of each step.
    output_size : int
        O, the numbers that are forecast for each step.
    horizon : int
        K, the steps ahead.
    window : int
        W, the steps that it reads.
    reads : int, optional
        R, so many features of each step are read, the first ones; I where not given. Fewer weights
        than windows can tell of make better forecasts.
    future_size, normalize, targets, batch_first, dtype, seed
        As for a `Forecaster`.

    Attributes
    ----------
    head : Linear
        ``head.weight`` (K·O, W·R + K·F) and ``head.bias`` (K·O,). Row k·O + o gives output o of
        step k ahead. Column w·R + i reads feature i of the window's step w.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1 (below 0 for future_size), another dtype or normalize,
        targets or reads that do not fit, a flag that is no boolean.

    Examples
    --------
    >>> t = np.arange(60)
    >>> x = np.sin([t[n : n + 8] for n in range(40)]).T[..., None]
    >>> y = np.sin([t[n + 8 : n + 11] for n in range(40)]).T[..., None]
    >>> model = LinearForecaster(1, 1, horizon=3, window=8)
    >>> model.solve(x, y, ridge=1e-9)
    >>> bool(np.abs(model(x) - y).max() < 1e-3)
    True
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        horizon: int,
        window: int,
        *,
        reads: int | None = None,
        future_size: int = 0,
        normalize: str | None = None,
        targets: int | None = None,
        batch_first: bool = False,
        dtype: DTypeLike | None = None,
        seed: Seed = None,
    ) -> None:
        self._settle(output_size, horizon, future_size, normalize, targets)
        self.input_size = size("input_size", input_size)
        self.window = size("window", window)
        self.reads = self.input_size if reads is None else size("reads", reads)
        if self.reads > self.input_size:
            raise ValueError(f"reads: expected at most input_size={input_size}, got {reads}")
        self.batch_first = flag("batch_first", batch_first)
        self.dtype = check_dtype(np.float32 if dtype is None else dtype)
        self._check_targets()
        inputs = self.window * self.reads + self.horizon * self.future_size
        outputs = self.horizon * self.output_size
        self.head = Linear(inputs, outputs, dtype=self.dtype, seed=seed)

    def equations(
        self,
        x: ArrayLike,
        y: ArrayLike,
        future: ArrayLike | None = None,
        ridges: Sequence[float] = (1e-6,),
    ) -> list[Equations]:
        """Solve for the weights with several penalties, and change nothing.

        Parameters
        ----------
        x, future
            As for a call, all windows of the training part.
        y : array_like, (K, B, C), or (B, K, C) with batch_first
            What followed: the targets.
        ridges : sequence of float
            Penalties above 0, in units of the variance of each input.

        Returns
        -------
        list of Equations
            One for each penalty, for `use`.

        Raises
        ------
        TypeError, ValueError
            Naming x, y, future or ridges: shapes that do not fit, no windows, values that are not
            finite in what is read, penalties that are no numbers above 0.
        """
        x, rows = self._arguments(x, future)
        if x.ndim != 3:
            raise ValueError(f"x: expected 3 dimensions, got shape {x.shape}")
        count = x.shape[0 if self.batch_first else 1]
        if not count:
            raise ValueError(f"x: expected at least one window, got shape {x.shape}")
        shape = [self.horizon, self.targets]
        shape.insert(0 if self.batch_first else 1, count)
        y = as_float("y", y, self.dtype, shape=shape)
        penalties = as_float("ridges", ridges, np.dtype(np.float64), ndim=1).tolist()
        if not all(ridge > 0 for ridge in penalties):
            raise ValueError(f"ridges: expected numbers above 0, got {ridges}")
        level = self._level(x, None)
        inputs = self._inputs(x if level is None else level.taken_from(x), rows)
        self._check_finite(x, y, future)
        followed = self._batch_first(y)
        if level is not None:
            followed = followed - level.values[:, None]
        return ridge_path(
            inputs.astype(np.float64), followed.reshape(count, -1).astype(np.float64), penalties
        )

    def use(self, equations: Equations, beside: ArrayLike = 0.0) -> None:
        """Take the weights of equations; of several outputs a target has, all get the same.

        Parameters
        ----------
        equations : Equations
            Of `equations`.
        beside : array_like
            Added to the forecasts, (K, C, O / C) or what becomes of that shape: how far quantiles
            lie from the mean.
        """
        copies = self.output_size // self.targets
        bias = np.repeat(equations.intercept, copies).reshape(self.horizon, self.targets, copies)
        self.head.weight[...] = np.repeat(equations.slopes.T, copies, axis=0)
        assert self.head.bias is not None
        self.head.bias[...] = (bias + np.asarray(beside)).reshape(-1)

    def solve(
        self, x: ArrayLike, y: ArrayLike, future: ArrayLike | None = None, ridge: float = 1e-6
    ) -> None:
        """Set the weights to those of least squares.

        Parameters
        ----------
        x, y, future
            As for `equations`.
        ridge : float
            The penalty of the weights, in units of the variance of each input.

        Raises
        ------
        TypeError, ValueError
            As from `equations`, but naming ridge.
        """
        self.use(self.equations(x, y, future, (positive("ridge", ridge),))[0])

    def _check_finite(self, x: Array, y: Array, future: Any) -> None:
        """Check what the equations are made of: of x the window's features that are read."""
        width = self.reads if self.normalize is None else max(self.reads, self.targets)
        last = slice(-self.window, None)
        axes = (slice(None), last) if self.batch_first else (last, slice(None))
        check_finite("x", x, (*axes, slice(width)))
        check_finite("y", y)
        if future is not None:
            check_finite("future", as_float("future", future, self.dtype))

    def _inputs(self, x: Array, rows: Array | None) -> Array:
        """What the head reads, (B, W·R + K·F)."""
        axis = 1 if self.batch_first and x.ndim == 3 else 0
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size or x.shape[axis] < self.window:
            raise ValueError(
                f"x: expected at least window={self.window} steps of input_size={self.input_size} "
                f"features, got shape {x.shape}"
            )
        last = self._batch_first(x)[..., -self.window :, : self.reads]
        flat = last.reshape(*last.shape[:-2], self.window * self.reads)
        return flat if rows is None else np.concatenate([flat, rows], axis=-1)

    def _outputs(self, x: Array, rows: Array | None, lengths: Any) -> Array:
        _without(lengths)
        return self.head(self._inputs(x, rows))

    def _outputs_vjp(
        self, x: Array, rows: Array | None, lengths: Any
    ) -> tuple[Array, Callable[[Array], tuple[Array, Array | None]]]:
        _without(lengths)
        outputs, head_back = self.head.vjp(self._inputs(x, rows))
        width = self.window * self.reads

        def back(doutputs: Array) -> tuple[Array, Array | None]:
            d = head_back(doutputs)
            dx = np.zeros_like(x)
            last = d[..., :width].reshape(*d.shape[:-1], self.window, self.reads)
            self._batch_first(dx)[..., -self.window :, : self.reads] = last
            return dx, None if rows is None else d[..., width:]

        return outputs, back

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return f"window={self.window}, {super().extra_repr()}"


def _without(lengths: Any) -> None:
    if lengths is not None:
        raise ValueError("lengths: expected None, as a linear forecaster reads whole windows")
