"""Checks for modules of one's own: `gradcheck` compares a pullback with differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .checks import generator, size
from .nn import Module
from .typing import Array, Seed

__all__ = ["gradcheck"]

# Five points make the error that of the fourth power: 1e-12, where rounding makes 1e-13.
STEP = 1e-3

Pull = Callable[[Callable[..., Any], Any], Any]


def gradcheck(
    module: Module,
    *inputs: Any,
    tolerance: float = 1e-7,
    samples: int = 40,
    seed: Seed = 0,
    pull: Pull | None = None,
    **options: Any,
) -> None:
    """Check a module's pullback against differences: every float input and every parameter.

    What is differentiated is the sum of all outputs, each times a random cotangent. Also checked:
    a call gives what `vjp` gives, and a second pullback adds to the gradients of the first.

    Parameters
    ----------
    module : Module
        With parameters of float64, where it has any: float32 has too few digits for differences.
        Its random generators are put back before each call, so that dropout draws one mask. Its
        gradients are cleared; values and generators are at the end as they were.
    *inputs : array_like, or tuple of them
        What `vjp` is called with. Floats become float64. Integers, such as tokens, and None are
        passed on and not differentiated.
    tolerance : float
        The greatest error of a gradient, relative to its largest element (of the input or parameter
        at hand); absolute where that is 0.
    samples : int
        Of a larger array so many elements are checked, and one direction through all.
    seed : None, int or numpy.random.Generator
        For the cotangents, samples and directions.
    pull : callable (pullback, cotangents) -> gradients of the inputs, optional
        How to call the pullback: by default ``pullback(*cotangents)`` where the output is a tuple,
        else ``pullback(cotangent)``. For an LSTMCell, which takes the pair as one argument,
        ``lambda pullback, pair: pullback(pair)``.
    **options
        Passed on to the module.

    Raises
    ------
    AssertionError
        Naming the input or parameter whose gradient is wrong, and where: the pullback is at fault,
        or the function has a corner within 2e-3 of this place, as ReLU has at 0.
    TypeError
        If `module` is no Module.
    ValueError
        If a parameter is float32, or `samples` is below 1.

    Examples
    --------
    >>> from numba_lstm import nn, testing
    >>> class Square(nn.Module):
    ...     def __call__(self, x):
    ...         return np.square(x)
    ...
    ...     def vjp(self, x):
    ...         return np.square(x), lambda dy: 3 * x * dy
    >>> testing.gradcheck(Square(), np.array([1.0, 2.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: input 0: the pullback gives ... at index (...), differences give ...
    >>> lstm = nn.LSTM(2, 3, dtype="float64", seed=0)
    >>> testing.gradcheck(lstm, np.ones((4, 1, 2)))
    """
    _check_module(module)
    check = _Check(module, inputs, options, generator(seed), pull)
    samples = size("samples", samples)
    check.call_equals_vjp(tolerance)
    gradients = check.gradients(tolerance)
    for name, array, gradient in gradients:
        _compare(name, gradient, array, check.scalar, check.rng, tolerance, samples)
    module.zero_grad()
    check.reset()


class _Check:
    """One module, its arguments, and the scalar that is differentiated."""

    def __init__(
        self,
        module: Module,
        inputs: tuple[Any, ...],
        options: dict[str, Any],
        rng: np.random.Generator,
        pull: Pull | None,
    ) -> None:
        self.module, self.options, self.rng, self.pull = module, options, rng, pull
        self.state = module.random_state()
        self.inputs = _rebuild(inputs, (_own(leaf) for leaf in _leaves(inputs)))
        self.output, self.pullback = self.run()
        self.cotangents = [
            np.asarray(rng.standard_normal(np.shape(leaf))) for leaf in _leaves(self.output)
        ]

    def reset(self) -> None:
        """Put the module's random generators where they were at first."""
        self.module.load_random_state(self.state)

    def run(self) -> tuple[Any, Any]:
        self.reset()
        return self.module.vjp(*self.inputs, **self.options)

    def scalar(self) -> float:
        outputs = _leaves(self.run()[0])
        return sum(float((a * b).sum()) for a, b in zip(outputs, self.cotangents))

    def call_equals_vjp(self, tolerance: float) -> None:
        self.reset()
        called, expected = _leaves(self.module(*self.inputs, **self.options)), _leaves(self.output)
        _require(
            len(called) == len(expected),
            f"a call gives {len(called)} arrays, and vjp {len(expected)}",
        )
        for k, (one, other) in enumerate(zip(called, expected)):
            _require(
                np.shape(one) == np.shape(other),
                f"output {k}: a call gives shape {np.shape(one)}, and vjp {np.shape(other)}",
            )
            _require(
                np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True),
                f"output {k}: a call gives other values than vjp",
            )

    def gradients(self, tolerance: float) -> list[tuple[str, _Place, Array]]:
        """Names, places and gradients of all inputs and parameters that have one."""
        self.module.zero_grad()
        found = self._of_inputs(self._pull(self.pullback))
        parameters = [(n, p) for n, p in self.module.named_parameters() if p.requires_grad]
        first = {}
        for name, parameter in parameters:
            _require(parameter.grad is not None, f"{name}: the pullback adds no gradient")
            first[name] = np.array(parameter.grad)
            found.append((name, _InParameter(parameter), first[name]))
        self._pull(self.run()[1])
        for name, parameter in parameters:
            twice = np.asarray(parameter.grad)
            _require(
                np.allclose(twice, 2 * first[name], rtol=tolerance, atol=tolerance),
                f"{name}: a second pullback does not add to the gradient of the first one, as "
                "Parameter.add_grad does",
            )
        return found

    def _pull(self, pullback: Any) -> Any:
        nested = _rebuild(self.output, (one.copy() for one in self.cotangents))
        if self.pull is not None:
            return self.pull(pullback, nested)
        return pullback(*nested) if isinstance(self.output, tuple) else pullback(nested)

    def _of_inputs(self, back: Any) -> list[tuple[str, _Place, Array]]:
        backs = list(back) if isinstance(back, tuple) else [back]
        found: list[tuple[str, _Place, Array]] = []
        for k, value in enumerate(self.inputs):
            arrays = [leaf for leaf in _leaves(value) if _is_float(leaf)]
            if not arrays:
                continue
            given = _leaves(backs[k]) if k < len(backs) else []
            given = [np.array(one) for one in given if one is not None]
            _require(
                len(given) == len(arrays),
                f"input {k}: the pullback gives {len(given)} gradients for {len(arrays)} arrays",
            )
            for part, (array, gradient) in enumerate(zip(arrays, given)):
                name = f"input {k}" if len(arrays) == 1 else f"input {k}[{part}]"
                found.append((name, _InArray(array), gradient))
        return found


class _InArray:
    """Values of an input, which are moved in place."""

    def __init__(self, array: Array) -> None:
        self.array, self.shape = array, array.shape

    def read(self) -> Array:
        return self.array.copy()

    def write(self, values: Array) -> None:
        self.array[...] = values


class _InParameter:
    """Values of a parameter, which are moved in place."""

    def __init__(self, parameter: Any) -> None:
        self.parameter, self.shape = parameter, parameter.shape

    def read(self) -> Array:
        return np.array(self.parameter.numpy())

    def write(self, values: Array) -> None:
        self.parameter[...] = values


_Place = _InArray | _InParameter


def central_difference(f: Callable[[float], float], step: float = STEP) -> float:
    """f'(0) from five points: (8(f(s) - f(-s)) - (f(2s) - f(-2s))) / 12s, with an error of s⁴."""
    near, far = f(step) - f(-step), f(2 * step) - f(-2 * step)
    return (8 * near - far) / (12 * step)


def _compare(
    name: str,
    gradient: Array,
    place: _Place,
    scalar: Callable[[], float],
    rng: np.random.Generator,
    tolerance: float,
    samples: int,
) -> None:
    """Compare a gradient with differences: element by element, and along a direction."""
    shape = place.shape
    _require(gradient.shape == shape, f"{name}: a gradient of shape {gradient.shape} for {shape}")
    _require(bool(np.isfinite(gradient).all()), f"{name}: the pullback gives what is not finite")
    if not gradient.size:
        return
    before = place.read()

    def along(direction: Array) -> float:
        def moved(step: float) -> float:
            place.write(before + step * direction)
            return scalar()

        try:
            return central_difference(moved)
        finally:
            place.write(before)

    scale = float(np.max(np.abs(gradient)))
    chosen = np.arange(gradient.size)
    if gradient.size > samples:
        chosen = rng.choice(gradient.size, samples, replace=False)
    for k in chosen:
        unit = np.zeros(gradient.size)
        unit[k] = 1.0
        numeric, given = along(unit.reshape(shape)), float(gradient.reshape(-1)[k])
        index = tuple(int(i) for i in np.unravel_index(k, shape))
        _require(
            abs(numeric - given) <= tolerance * (scale or 1.0),
            f"{name}: the pullback gives {given:.8g} at index {index}, differences give "
            f"{numeric:.8g}",
        )
    if gradient.size > samples:
        direction = rng.standard_normal(shape) / np.sqrt(gradient.size)
        numeric, given = along(direction), float((gradient * direction).sum())
        _require(
            abs(numeric - given) <= tolerance * (max(abs(given), scale) or 1.0),
            f"{name}: the pullback gives {given:.8g} along a direction, differences give "
            f"{numeric:.8g}",
        )


def _require(holds: bool, message: str) -> None:
    """An assertion that stands with ``python -O``, too."""
    if not holds:
        raise AssertionError(message)


def _check_module(module: Any) -> None:
    if not isinstance(module, Module):
        raise TypeError(f"module: expected a Module, got {type(module).__name__}")
    for name, parameter in module.named_parameters():
        if parameter.dtype != np.float64:
            raise ValueError(
                f"module: expected parameters of float64, got {parameter.dtype} for {name}; "
                'make it with dtype="float64"'
            )


def _own(leaf: Any) -> Any:
    """A copy to move: float64 where it is of floats; None as it is."""
    if leaf is None:
        return None
    array = np.array(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"


def _is_nest(value: Any) -> bool:
    """Whether it holds arrays; a list of numbers is one itself."""
    if isinstance(value, list):
        return any(isinstance(one, (np.ndarray, tuple)) for one in value)
    return isinstance(value, tuple)


def _leaves(value: Any) -> list[Any]:
    """The arrays in nested tuples and lists, in order."""
    return [leaf for one in value for leaf in _leaves(one)] if _is_nest(value) else [value]


def _rebuild(like: Any, leaves: Iterator[Any]) -> Any:
    """Put arrays into tuples and lists nested as in `like`."""
    if not _is_nest(like):
        return next(leaves)
    kind = list if isinstance(like, list) else tuple
    return kind(_rebuild(one, leaves) for one in like)
