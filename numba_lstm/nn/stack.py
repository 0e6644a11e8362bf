"""One call of a recurrent stack: arguments checked, layers run, backward kept at hand.

A `Call` lives as long as the pullback that belongs to it. The kernels are imported when the first
one is made.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .checks import as_float, as_tokens
from .dropout import draw_mask
from .scratch import Lease

State = tuple[np.ndarray, np.ndarray]


class _Done(NamedTuple):
    """What the backward pass of one layer needs: a `layer.Saved` for each direction."""

    saved: list[Any]
    mask: np.ndarray | None  # of the dropout on the layer's outputs


def _pair(name: str, parts: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"{name}: expected a pair {parts}, got {type(value).__name__}")
    return value[0], value[1]


def infer(module: Any, x: Any, hx: Any) -> tuple[np.ndarray, State]:
    """Run all layers of `module` (an `LSTM`) over x and keep nothing.

    A step of a stream takes a few microseconds, and a `Call` would be half of them: where x is in
    the kernels' form already there is little to be done.
    """
    if (
        type(x) is not np.ndarray
        or x.dtype != module.dtype
        or x.ndim != 3
        or not x.flags.carray
        or x.shape[2] != module.input_size
        or not x.shape[0]
        or module.batch_first
        or (module.training and module.dropout)
    ):
        return Call(module, hx, x=x).infer()
    steps, batch, _ = x.shape
    size, weights = module.hidden_size, module.weights()
    width = 2 * size if module.bidirectional else size
    states = (len(weights), batch, size)
    if hx is not None:
        h0, c0 = _pair("hx", "(h0, c0)", hx)
        h0 = as_float("h0", h0, x.dtype, shape=states)
        c0 = as_float("c0", c0, x.dtype, shape=states)
    dtype = x.dtype
    hn, cn = np.empty(states, dtype), np.empty(states, dtype)
    run = (_kernels or _import_kernels()).infer
    for at, w in enumerate(weights):
        reverse = module.bidirectional and at % 2 == 1
        if not reverse:
            y = np.empty((steps, batch, width), dtype)
        initial = None if hx is None else (h0[at], c0[at])
        run(w, x, initial, reverse, y, size * reverse, (hn[at], cn[at]))
        if reverse or not module.bidirectional:
            x = y
    return y, (hn, cn)


_kernels: Any = None


def _import_kernels() -> Any:
    """Module `layer`: numba is imported when the first call is made."""
    global _kernels
    from . import layer

    _kernels = layer
    return layer


class Call:
    """Arguments of one call of `module` (an `LSTM`), in the kernels' form: time first, batched."""

    def __init__(
        self, module: Any, hx: Any, *, x: Any = None, tokens: Any = None, embedding: Any = None
    ) -> None:
        self.kernels = layer = _kernels or _import_kernels()
        self.module = module
        self.embedding = None if embedding is None else embedding.weight
        self.padding = None if embedding is None else embedding.padding_idx
        self.tokens = layer.NO_TOKENS
        self.batched = True
        if embedding is None:
            self.x = self._input(x)
        else:
            self.x = self._token_input(embedding, tokens)
        self.steps, self.batch = self.x.shape[0], self.x.shape[1]
        if self.steps == 0:
            name = "x" if embedding is None else "tokens"
            raise ValueError(f"{name}: expected at least one time step, got shape {self.given}")
        self.directions = 2 if module.bidirectional else 1
        self.weights = module.weights()
        h0, c0 = (None, None) if hx is None else _pair("hx", "(h0, c0)", hx)
        self.h0 = None if hx is None else self._state("h0", h0)
        self.c0 = None if hx is None else self._state("c0", c0)
        self.lease = Lease()
        self.done: list[_Done] = []

    # -- arguments ----------------------------------------------------------------------------

    def _input(self, x: Any) -> np.ndarray:
        module = self.module
        x = as_float("x", x, module.dtype)
        self.given = x.shape
        if x.ndim not in (2, 3) or x.shape[-1] != module.input_size:
            order = "(B, T, " if module.batch_first else "(T, B, "
            raise ValueError(
                f"x: expected shape {order}{module.input_size}) or (T, {module.input_size}), "
                f"got {x.shape}"
            )
        self.batched = x.ndim == 3
        return self._time_first(x)

    def _token_input(self, embedding: Any, tokens: Any) -> np.ndarray:
        module = self.module
        width = embedding.weight.shape[1]
        if width != module.input_size or embedding.weight.dtype != module.dtype:
            raise ValueError(
                f"embedding: expected {module.input_size} columns of {module.dtype}, got {width} "
                f"of {embedding.weight.dtype}"
            )
        tokens = as_tokens("tokens", tokens, embedding.num_embeddings, ndim=2)
        self.given = tokens.shape
        tokens = self._time_first(tokens)
        # A copy, as in `Embedding`: the pullback reads the ids again, and unchecked.
        self.tokens = tokens.flatten()
        return np.empty((*tokens.shape, 0), module.dtype)

    def _time_first(self, array: np.ndarray) -> np.ndarray:
        """(T, B, …) of what the caller gave, or of one sequence."""
        if not self.batched:
            return array[:, None]
        return np.ascontiguousarray(array.swapaxes(0, 1)) if self.module.batch_first else array

    def _as_given(self, array: np.ndarray) -> np.ndarray:
        if not self.batched:
            return array[:, 0]
        return array.swapaxes(0, 1) if self.module.batch_first else array

    def _state(self, name: str, value: Any) -> np.ndarray:
        shape: tuple[int, ...] = (len(self.weights), self.batch, self.module.hidden_size)
        if self.batched:
            return as_float(name, value, self.module.dtype, shape=shape)
        return as_float(name, value, self.module.dtype, shape=shape[::2])[:, None]

    def _states(self, h: np.ndarray, c: np.ndarray) -> State:
        return (h, c) if self.batched else (h[:, 0], c[:, 0])

    # -- forward ------------------------------------------------------------------------------

    def infer(self) -> tuple[np.ndarray, State]:
        """Run all layers and keep nothing."""
        result = self._run(save=False)
        self.lease.release()
        return result

    def forward(self) -> tuple[np.ndarray, State]:
        """Run all layers and keep what `backward` needs."""
        return self._run(save=True)

    def _run(self, save: bool) -> tuple[np.ndarray, State]:
        module, kernels, size = self.module, self.kernels, self.module.hidden_size
        width = self.directions * size
        last = module.num_layers - 1
        x = self.x
        states = (len(self.weights), self.batch, size)
        hn, cn = np.empty(states, x.dtype), np.empty(states, x.dtype)
        for number in range(module.num_layers):
            shape = (self.steps, self.batch, width)
            y = np.empty(shape, x.dtype) if number == last else self.lease.array(shape, x.dtype)
            saved = []
            for direction in range(self.directions):
                at = number * self.directions + direction
                w = self.weights[at]
                initial = None
                if self.h0 is not None and self.c0 is not None:
                    initial = self.h0[at], self.c0[at]
                about = (w, x, initial, direction == 1, y, direction * size, (hn[at], cn[at]))
                by_token = self.embedding is not None and number == 0
                more = (self.tokens, self._table(w)) if by_token else ()
                if save:
                    saved.append(kernels.forward(*about, self.lease, *more))
                else:
                    kernels.infer(*about, *more)
            mask = None
            if number != last and module.training and module.dropout > 0:
                mask = draw_mask(module.rng, shape, module.dropout, x.dtype)
                np.multiply(y, mask, out=y)
            if save:
                self.done.append(_Done(saved, mask))
            x = y
        return self._as_given(y), self._states(hn, cn)

    def _table(self, w: Any) -> np.ndarray:
        """The embedding's rows times W_ih plus the biases, packed: (P, V, PANEL·V)."""
        kernels = self.kernels
        assert self.embedding is not None
        rows, inputs = self.embedding.shape
        packed = kernels.packed_weights(w)
        table = self.lease.array((packed.shape[0], rows, packed.shape[2]), packed.dtype)
        kernels.project(
            self.embedding.values_for_kernel(), rows, inputs, packed, kernels.packed_bias(w), table
        )
        return table

    # -- backward -----------------------------------------------------------------------------

    def backward(
        self, dy: Any = None, dstate: tuple[Any, Any] | None = None
    ) -> tuple[np.ndarray | None, State]:
        """The pullback of `forward`: (dy, (dhn, dcn)=None) -> dx, (dh0, dc0)."""
        dy, dhn, dcn = self._cotangents(dy, dstate)
        dx, dh0, dc0 = self._run_back(dy, dhn, dcn)
        self.lease.release()
        return None if dx is None else self._as_given(dx), self._states(dh0, dc0)

    def _cotangents(self, dy: Any, dstate: Any) -> tuple[Any, Any, Any]:
        dhn, dcn = (None, None) if dstate is None else _pair("dstate", "(dhn, dcn)", dstate)
        if dy is not None:
            width = self.directions * self.module.hidden_size
            dy = as_float(
                "dy", dy, self.module.dtype, shape=(*self.given[: 1 + self.batched], width)
            )
            dy = self._time_first(dy)
        dhn = None if dhn is None else self._state("dhn", dhn)
        dcn = None if dcn is None else self._state("dcn", dcn)
        return dy, dhn, dcn

    def _run_back(
        self, dy: np.ndarray | None, dhn: np.ndarray | None, dcn: np.ndarray | None
    ) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
        from . import layer_backward as kernels

        states = (len(self.weights), self.batch, self.module.hidden_size)
        dh0, dc0 = np.empty(states, self.module.dtype), np.empty(states, self.module.dtype)
        dx = dy
        for number in reversed(range(self.module.num_layers)):
            done = self.done[number]
            if done.mask is not None and dy is not None:
                np.multiply(dy, done.mask, out=dy)
            for direction, saved in enumerate(done.saved):
                at = number * self.directions + direction
                w = self.weights[at]
                part = self._input_gradient(number, direction)
                kernels.backward(
                    w, saved, dy, direction * self.module.hidden_size,
                    None if dhn is None else dhn[at], None if dcn is None else dcn[at],
                    (dh0[at], dc0[at]), part, self.embedding if number == 0 else None,
                    self.padding,
                )  # fmt: skip
                if direction == 0 or part is None or dx is None:
                    dx = part
                else:
                    np.add(dx, part, out=dx)
            dy = dx
        return dx, dh0, dc0

    def _input_gradient(self, number: int, direction: int) -> np.ndarray | None:
        """Memory for dx of one direction; None where tokens went in."""
        if number == 0 and self.embedding is not None:
            return None
        w = self.weights[number * self.directions + direction]
        shape = (self.steps, self.batch, w.inputs)
        # What the caller gets is his own; the rest is scratch.
        if number == 0 and direction == 0:
            return np.empty(shape, self.module.dtype)
        return self.lease.array(shape, self.module.dtype)
