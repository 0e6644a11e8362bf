"""Gradients by numbers: what every hand-derived gradient in the package is checked with.

`complex_gradient` for analytic NumPy functions, exact to rounding; `central_gradient` for
everything else, five points, good to about 1e-10 in float64; `check_vjp` for a module with its
pullback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

COMPLEX_STEP = 1e-30
CENTRAL_STEP = 1e-3


def complex_gradient(f: Callable[[np.ndarray], Any], x: np.ndarray) -> np.ndarray:
    """The gradient of an analytic scalar function: Im f(x + ih)/h for each element."""
    gradient = np.empty(x.shape)
    for place in np.ndindex(*x.shape):
        moved = x.astype(complex)
        moved[place] += 1j * COMPLEX_STEP
        gradient[place] = np.imag(f(moved)) / COMPLEX_STEP
    return gradient


def central_difference(f: Callable[[float], float], step: float = CENTRAL_STEP) -> float:
    """f'(0) from five points: (8(f(s) - f(-s)) - (f(2s) - f(-2s))) / 12s, with an error of s⁴."""
    near, far = f(step) - f(-step), f(2 * step) - f(-2 * step)
    return (8 * near - far) / (12 * step)


def central_gradient(
    f: Callable[[np.ndarray], float], x: np.ndarray, step: float = CENTRAL_STEP
) -> np.ndarray:
    """The gradient of a scalar function of a float64 array."""
    gradient = np.empty(x.shape)
    for place in np.ndindex(*x.shape):

        def along(s: float, place: tuple[int, ...] = place) -> float:
            moved = x.copy()
            moved[place] += s
            return float(f(moved))

        gradient[place] = central_difference(along, step)
    return gradient


def error(actual: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest expected value (absolute where that is 0)."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    if not expected.size:
        return 0.0
    scale = float(np.max(np.abs(expected)))
    difference = float(np.max(np.abs(actual.astype(np.float64) - expected)))
    return difference / scale if scale > 0 else difference


def assert_close(actual: Any, expected: Any, tolerance: float, name: str = "values") -> None:
    """Fail unless `error` is at most `tolerance`; NaN fails."""
    found = error(actual, expected)
    assert found <= tolerance, f"{name}: error {found:.3g}, tolerance {tolerance:.3g}"


def leaves(value: Any) -> list[np.ndarray]:
    """The arrays in nested tuples, in order."""
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    return [np.asarray(value)]


def rebuild(like: Any, arrays: Iterator[np.ndarray]) -> Any:
    """Put arrays into nested tuples shaped like `like`."""
    if isinstance(like, (tuple, list)):
        return tuple(rebuild(item, arrays) for item in like)
    return next(arrays)


def check_vjp(
    module: Any,
    *args: Any,
    rng: np.random.Generator,
    tolerance: float = 1e-8,
    samples: int = 40,
    pull: Callable[[Any, Any], Any] | None = None,
    **kwargs: Any,
) -> None:
    """Check a float64 module's pullback against differences: every float argument and parameter.

    The scalar is the sum of all outputs, each times a random cotangent. Random generators in the
    module are put back before each call, so that dropout draws one mask throughout.

    Parameters
    ----------
    module : Module
        Of float64. Its gradients are cleared first.
    *args : nested tuples of arrays
        As for `module.vjp`. Integer arrays are passed but not differentiated.
    rng : numpy.random.Generator
    tolerance : float
        For `error` of each gradient.
    samples : int
        Of larger arrays this many elements are checked, and one random direction through all.
    pull : callable (pullback, cotangents) -> gradients of args
        How to call the pullback: by default ``pullback(*cotangents)`` if the output is a tuple,
        else ``pullback(cotangent)``.
    **kwargs
        Passed to `module.vjp`.
    """
    state = module.random_state()
    args = rebuild(args, (np.array(leaf) for leaf in leaves(args)))

    def run() -> tuple[Any, Any]:
        module.load_random_state(state)
        return module.vjp(*args, **kwargs)

    output, pullback = run()
    cotangents = [rng.standard_normal(leaf.shape) for leaf in leaves(output)]

    def scalar() -> float:
        return sum(float((a * b).sum()) for a, b in zip(leaves(run()[0]), cotangents))

    module.zero_grad()
    nested = rebuild(output, iter([c.copy() for c in cotangents]))
    if pull is not None:
        back = pull(pullback, nested)
    else:
        back = pullback(*nested) if isinstance(output, tuple) else pullback(nested)

    inputs = [(f"argument {k}", leaf) for k, leaf in enumerate(leaves(args))]
    inputs = [(name, leaf) for name, leaf in inputs if leaf.dtype.kind == "f"]
    gradients = leaves(back) if inputs else []
    assert len(gradients) == len(inputs), f"{len(gradients)} gradients for {len(inputs)} inputs"
    for (name, leaf), gradient in zip(inputs, gradients):

        def move(delta: np.ndarray, leaf: np.ndarray = leaf) -> float:
            before = leaf.copy()
            leaf += delta
            try:
                return scalar()
            finally:
                leaf[...] = before

        _check(name, gradient, leaf.shape, move, rng, tolerance, samples)
    for name, parameter in module.named_parameters():

        def move_parameter(delta: np.ndarray, parameter: Any = parameter) -> float:
            before = parameter.numpy().copy()
            parameter[...] = before + delta
            try:
                return scalar()
            finally:
                parameter[...] = before

        assert parameter.grad is not None, f"{name} got no gradient"
        _check(name, parameter.grad, parameter.shape, move_parameter, rng, tolerance, samples)


def _check(
    name: str,
    gradient: np.ndarray,
    shape: tuple[int, ...],
    move: Callable[[np.ndarray], float],
    rng: np.random.Generator,
    tolerance: float,
    samples: int,
) -> None:
    assert gradient.shape == shape, f"{name}: gradient {gradient.shape} for shape {shape}"
    size = int(np.prod(shape))
    chosen = np.arange(size)
    if size > samples:
        chosen = rng.choice(size, samples, replace=False)
    numeric = []
    for place in chosen:
        unit = np.zeros(size)
        unit[place] = 1.0
        numeric.append(central_difference(lambda s, u=unit: move((s * u).reshape(shape))))
    scale = np.max(np.abs(gradient), initial=0.0)
    if size:
        found = np.max(np.abs(gradient.ravel()[chosen] - np.array(numeric)))
        found = found / scale if scale > 0 else found
        assert found <= tolerance, f"{name}: error {found:.3g}, tolerance {tolerance:.3g}"
    if size > samples:
        direction = rng.standard_normal(shape)
        direction /= np.sqrt(size)
        numeric_slope = central_difference(lambda s: move(s * direction))
        slope = float((gradient * direction).sum())
        found = abs(slope - numeric_slope) / max(abs(slope), scale)
        assert found <= tolerance, f"{name} along a direction: error {found:.3g}"
