"""Inference of a stack where x is in the kernels' form already: no `Call`, no copies.

A short sequence takes a few microseconds, and a `Call` would be half of them. What runs here gives
what ``Call(module, hx, x=x).infer()`` gives, to the bit.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..parameters import epochs
from .states import as_state, pair_or_one
from .steps import whole
from .token_ids import NO_TOKENS

if TYPE_CHECKING:
    from .call import Call

__all__ = ["infer", "new_call", "step"]


def new_call(module: Any, hx: Any, **arguments: Any) -> Call:
    """Make a `Call`."""
    return _call()(module, hx, **arguments)


@functools.cache
def _call() -> type[Call]:
    """`Call`, which imports numba: only the first call of a module may do that."""
    from .call import Call

    return Call


class _Stack(NamedTuple):
    """What inference reads of a module.

    It holds until an attribute of any module is set: to look each up anew took 1 µs of a call's 6.

    Attributes
    ----------
    exchange : int
        `epochs.exchange` when it was made.
    plain : bool
        Whether inference runs the layers one after another, and nothing between or around them.
    time_first : bool
    dtype : numpy.dtype
    inputs : int
    weights : list of Weights
        Of each layer and direction.
    names : sequence of str
        Those of the states.
    sizes : tuple of int
        The states' widths.
    bidirectional : bool
    width : int
        Columns of y.
    """

    exchange: int
    plain: bool
    time_first: bool
    dtype: np.dtype
    inputs: int
    weights: list[Any]
    names: Sequence[str]
    sizes: Sequence[int]
    bidirectional: bool
    width: int


def _stack_of(module: Any) -> _Stack:
    found = module.__dict__.get("_stack")
    if found is not None and found.exchange == epochs.exchange:
        return found
    exchange = epochs.exchange
    plain = not (
        (module.training and module.drops)
        or module.zoneout
        or module.zoneout_cell
        or module.learn_initial_state
        or type(module.hidden_size) is not int
    )
    width = module.sizes[0] * (2 if module.bidirectional else 1)
    module._stack = found = _Stack(
        exchange, plain, not module.batch_first, module.dtype, module.input_size,
        module.weights(), module.STATES, module.sizes, module.bidirectional, width,
    )  # fmt: skip
    return found


def infer(
    module: Any, x: Any, hx: Any, lengths: Any = None, reset: Any = None
) -> tuple[np.ndarray, Any]:
    """Run all layers of `module` (an `nn.rnn_base.RNNBase`) over x and keep nothing."""
    stack = _stack_of(module)
    shape: tuple[int, ...] = x.shape if type(x) is np.ndarray else ()
    if (
        len(shape) != 3
        or x.dtype != stack.dtype
        or not x.flags.carray
        or shape[2] != stack.inputs
        or not shape[0]
        or lengths is not None
        or reset is not None
        or not stack.time_first
        or not stack.plain
    ):
        return new_call(module, hx, x=x, lengths=lengths, reset=reset).infer()
    return _infer_rows(stack, x, hx, shape)


def step(module: Any, x: np.ndarray, hx: Any) -> tuple[np.ndarray, Any]:
    """Run one time step of x, (B, I) or (I,), in the kernels' dtype and order."""
    single = x.ndim == 1
    if hx is not None:
        pair_or_one("state", module.STATES, hx)
    stack = _stack_of(module)
    if not stack.plain:
        axis = int(module.batch_first and not single)
        y, state = infer(module, np.expand_dims(x, axis), hx)
        return y[:, 0] if axis else y[0], state
    if not single:
        y, state = _infer_rows(stack, x[None], hx, x.shape)
        return y[0], state
    if hx is not None:
        names = module.STATES
        shapes = [(len(stack.weights), width) for width in module.sizes]
        hx = [
            as_state(name, state, x.dtype, shape, ("x", x.shape))[:, None]
            for name, shape, state in zip(names, shapes, pair_or_one("hx", names, hx))
        ]
        hx = tuple(hx) if len(hx) == 2 else hx[0]
    y, state = _infer_rows(stack, x[None, None], hx, x.shape)
    return y[0, 0], tuple(one[:, 0] for one in state) if type(state) is tuple else state[:, 0]


def _infer_rows(
    stack: _Stack, x: np.ndarray, hx: Any, about: tuple[int, ...]
) -> tuple[np.ndarray, Any]:
    """Run all layers over x (T, B, I) in the kernels' form; errors tell `about` as x's shape."""
    direction = _direction()
    _, _, _, dtype, inputs, weights, names, sizes, bidirectional, width = stack
    count, batch, _ = x.shape
    initial_states = None
    if hx is not None:
        initial_states = [
            as_state(name, state, dtype, (len(weights), batch, wide), ("x", about))
            for name, wide, state in zip(names, sizes, pair_or_one("hx", names, hx))
        ]
    finals = [np.empty((len(weights), batch, wide), dtype) for wide in sizes]
    hn, cn = finals[0], finals[-1]
    steps, rows = whole(count, batch), count * batch
    x = x.reshape(rows, inputs)
    initial, reverse = None, False
    for at, w in enumerate(weights):
        if bidirectional:
            reverse = at % 2 == 1
        if not reverse:
            y = np.empty((rows, width), dtype)
        if initial_states is not None:
            initial = initial_states[0][at], initial_states[-1][at]
        call = (
            w, steps, reverse, x, initial, y, sizes[0] * reverse, (hn[at], cn[at]), None, NO_TOKENS,
            None,
        )  # fmt: skip
        direction.infer(direction.as_tuple(direction.DirectionCall, call))
        if reverse or not bidirectional:
            x = y
    return y.reshape(count, batch, width), tuple(finals) if len(names) == 2 else finals[0]


@functools.cache
def _direction() -> Any:
    """Module `direction`, imported as late as `Call`."""
    from . import direction

    return direction
