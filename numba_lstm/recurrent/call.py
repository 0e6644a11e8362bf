"""One call of a recurrent stack: arguments checked, layers run, backward kept at hand.

A `Call` lives as long as the pullback that belongs to it. The kernels are imported when the first
one is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..checks import as_float
from ..dropout_masks import draw_mask
from ..parameters.scratch import Lease
from ..parameters.versions import Versions
from .masks import DirectionMasks, draw_direction, keep_masks
from .states import Flat, as_state, check_state, new_state, state_taken
from .steps import whole
from .token_ids import check_ids

# What a module's caller gives and gets: a pair for an LSTM, one state for cells without c; each as
# `states` says.
State = Any


class _Direction(NamedTuple):
    """What the backward pass of one direction of a layer needs."""

    saved: Any  # a `layer.Saved`
    weights: Any  # the `weights.Weights` that ran, some of them dropped
    masks: DirectionMasks


class _Done(NamedTuple):
    """What the backward pass of one layer needs."""

    directions: list[_Direction]
    mask: np.ndarray | None  # of the dropout on the layer's outputs


def parts(name: str, names: Sequence[str], value: Any) -> Sequence[Any]:
    """A state's arrays: of the pair that an LSTM's is, or the one that other cells have."""
    if len(names) == 1:
        return (value,)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        expected = f"({', '.join(names)})"
        came = type(value).__name__
        if isinstance(value, (tuple, list)):
            came += f" of {len(value)}"
        raise TypeError(f"{name}: expected a pair {expected}, got {came}")
    return value


def infer(
    module: Any, x: Any, hx: Any, lengths: Any = None, reset: Any = None
) -> tuple[np.ndarray, State]:
    """Run all layers of `module` (a `RNNBase`) over x and keep nothing.

    Short sequences take a few microseconds, and a `Call` would be half of them: where x is in the
    kernels' form already there is little to be done.
    """
    if (
        type(x) is not np.ndarray
        or x.dtype != module.dtype
        or x.ndim != 3
        or not x.flags.carray
        or x.shape[2] != module.input_size
        or not x.shape[0]
        or lengths is not None
        or reset is not None
        or module.batch_first
        or not _is_plain(module)
    ):
        return Call(module, hx, x=x, lengths=lengths, reset=reset).infer()
    return _infer_rows(module, x, hx, x.shape)


def step(module: Any, x: np.ndarray, hx: Any) -> tuple[np.ndarray, State]:
    """Run one time step of x, (B, I) or (I,), in the kernels' dtype and order."""
    single = x.ndim == 1
    if hx is not None:
        parts("state", module.STATES, hx)
    if not _is_plain(module):
        axis = int(module.batch_first and not single)
        y, state = infer(module, np.expand_dims(x, axis), hx)
        return y[:, 0] if axis else y[0], state
    if not single:
        y, state = _infer_rows(module, x[None], hx, x.shape)
        return y[0], state
    if hx is not None:
        names = module.STATES
        shapes = [(len(module.weights()), own) for own in module.sizes]
        hx = [
            as_state(name, state, x.dtype, shape, ("x", x.shape))[:, None]
            for name, shape, state in zip(names, shapes, parts("hx", names, hx))
        ]
        hx = tuple(hx) if len(hx) == 2 else hx[0]
    y, state = _infer_rows(module, x[None, None], hx, x.shape)
    return y[0, 0], tuple(one[:, 0] for one in state) if type(state) is tuple else state[:, 0]


def _is_plain(module: Any) -> bool:
    """Whether inference runs the layers one after another, and nothing between or around them."""
    return not (
        (module.training and module.drops)
        or module.zoneout
        or module.zoneout_cell
        or type(module.hidden_size) is not int
    )


def _infer_rows(
    module: Any, x: np.ndarray, hx: Any, about: tuple[int, ...]
) -> tuple[np.ndarray, State]:
    """Run all layers over x (T, B, I) in the kernels' form; errors tell `about` as x's shape."""
    kernels = _kernels or _import_kernels()
    count, batch, inputs = x.shape
    sizes, weights, names = module.sizes, module.weights(), module.STATES
    size = sizes[0]
    width = 2 * size if module.bidirectional else size
    dtype = x.dtype
    initial_states = None
    if hx is not None:
        initial_states = [
            as_state(name, state, dtype, (len(weights), batch, own), ("x", about))
            for name, own, state in zip(names, sizes, parts("hx", names, hx))
        ]
    finals = [np.empty((len(weights), batch, own), dtype) for own in sizes]
    steps = whole(count, batch)
    x = x.reshape(-1, inputs)
    for at, w in enumerate(weights):
        reverse = module.bidirectional and at % 2 == 1
        if not reverse:
            y = np.empty((count * batch, width), dtype)
        initial = None
        if initial_states is not None:
            initial = initial_states[0][at], initial_states[-1][at]
        final = finals[0][at], finals[-1][at]
        kernels.infer(w, steps, x, initial, reverse, y, size * reverse, final)
        if reverse or not module.bidirectional:
            x = y
    return y.reshape(count, batch, width), tuple(finals) if len(names) == 2 else finals[0]


_kernels: Any = None


def _import_kernels() -> Any:
    """Module `layer`: numba is imported when the first call is made."""
    global _kernels
    from . import direction as layer

    _kernels = layer
    return layer


class Call:
    """Arguments of one call of `module` (a `RNNBase`), in the kernels' form: rows, sorted."""

    def __init__(
        self,
        module: Any,
        hx: Any,
        *,
        x: Any = None,
        tokens: Any = None,
        embedding: Any = None,
        lengths: Any = None,
        reset: Any = None,
    ) -> None:
        self.kernels = layer = _kernels or _import_kernels()
        self.module = module
        self.embedding = None if embedding is None else embedding.checked_weight()
        self.padding = None if embedding is None else embedding.padding_idx
        self.lease = Lease()
        self.done: list[_Done] = []
        self.directions = 2 if module.bidirectional else 1
        self.weights = module.weights()
        if embedding is None:
            given = self._input(x)
        else:
            given = check_ids(module, embedding, tokens, lengths)
        self.given = given.shape
        self.batched = embedding is not None or given.ndim == 3
        self.count, self.batch = self._sizes()
        self._set_steps(lengths)
        self.keep = self._keep(reset)
        self.tokens = layer.NO_TOKENS
        if embedding is None:
            self.x = self._rows(given if self.batched else given[:, None])
        else:
            # A copy, as in `Embedding`: the pullback reads the ids again, and unchecked.
            if self.ragged is not None:
                self.tokens = given.reshape(-1)[self.ragged.index]
            else:
                self.tokens = (given.T if module.batch_first else given).flatten()
            self.x = np.empty((self.steps.rows, 0), module.dtype)
        self.initial = None if hx is None else self._states_given("hx", module.STATES, hx)

    # -- arguments ----------------------------------------------------------------------------

    def _input(self, x: Any) -> np.ndarray:
        module = self.module
        x = as_float("x", x, module.dtype)
        if x.ndim not in (2, 3) or x.shape[-1] != module.input_size:
            order = "(B, T, " if module.batch_first else "(T, B, "
            raise ValueError(
                f"x: expected shape {order}{module.input_size}) or (T, {module.input_size}), "
                f"got {x.shape}"
            )
        return x

    def _sizes(self) -> tuple[int, int]:
        """T and B."""
        if not self.batched:
            count, batch = self.given[0], 1
        else:
            count, batch = self.given[:2][:: -1 if self.module.batch_first else 1]
        if count == 0:
            name = "x" if self.embedding is None else "tokens"
            raise ValueError(f"{name}: expected at least one time step, got shape {self.given}")
        return count, batch

    def _set_steps(self, lengths: Any) -> None:
        self.steps = whole(self.count, self.batch)
        self.ragged = None
        if lengths is None:
            return
        from .ragged import Ragged, check_lengths

        if not self.batched:
            raise ValueError("lengths: expected none for a single sequence, whose length is x's")
        checked = check_lengths(lengths, self.count, self.batch)
        if (checked < self.count).any():
            self.ragged = Ragged(checked, self.count, self.module.batch_first)
            self.steps = self.ragged.steps

    def _keep(self, reset: Any) -> list[np.ndarray] | None:
        """For each direction what the states are multiplied by before each row's step, (N,)."""
        if reset is None:
            return None
        shape = self.given[:2] if self.batched else self.given[:1]
        lengths = None if self.ragged is None else self.ragged.lengths
        first = self.batched and self.module.batch_first
        keep = keep_masks(reset, shape, first, lengths, self.module.dtype)[: self.directions]
        return [self._rows(one[:, :, None]).reshape(-1) for one in keep]

    def _rows(self, array: np.ndarray) -> np.ndarray:
        """(N, …) of an array in the caller's order of axes, batched."""
        if self.ragged is not None:
            return self.ragged.gather(array, self.lease)
        if self.batched and self.module.batch_first:
            array = np.ascontiguousarray(array.swapaxes(0, 1))
        return array.reshape(self.steps.rows, array.shape[2])

    def _as_given(self, rows: np.ndarray) -> np.ndarray:
        """Rows in the caller's order of axes."""
        width = rows.shape[1]
        if not self.batched:
            return rows
        if self.ragged is not None:
            return self.ragged.scatter(rows, (*self.given[:2], width))
        array = rows.reshape(self.count, self.batch, width)
        return array.swapaxes(0, 1) if self.module.batch_first else array

    def _states_given(self, name: str, names: Sequence[str], value: Any) -> list[Flat | None]:
        """Each state in the layers' form and the order of the rows; None stays None."""
        module, initial = self.module, name == "hx"
        batch = self.batch if self.batched else None
        about = "x" if self.embedding is None else "tokens", self.given
        found: list[Flat | None] = []
        for part, widths, state in zip(names, module.widths, parts(name, names, value)):
            if state is None and not initial:
                found.append(None)
                continue
            checked = check_state(
                part, state, widths, self.directions, batch, module.dtype, about, not initial
            )
            found.append(checked if self.ragged is None else self.ragged.sort(checked))
        return found

    def _states_taken(self, states: list[Flat]) -> State:
        """States as the caller gets them."""
        if self.ragged is not None:
            states = [self.ragged.unsort(state) for state in states]
        taken = [state_taken(state, self.directions, self.batched) for state in states]
        return tuple(taken) if len(taken) == 2 else taken[0]

    def _new_states(self) -> list[Flat]:
        module = self.module
        return [
            new_state(widths, self.directions, self.batch, module.dtype) for widths in module.widths
        ]

    # -- forward ------------------------------------------------------------------------------

    def infer(self) -> tuple[np.ndarray, State]:
        """Run all layers and keep nothing."""
        result = self._run(save=False)
        self.lease.release()
        return result

    def forward(self) -> tuple[np.ndarray, State]:
        """Run all layers and keep what `backward` needs."""
        parameters = [p for w in self.weights for p in w.parameters()]
        self.versions = Versions([*parameters, self.embedding])
        return self._run(save=True)

    def _run(self, save: bool) -> tuple[np.ndarray, State]:
        module = self.module
        last = module.num_layers - 1
        dtype = module.dtype
        finals = self._new_states()
        x = self.x
        for number in range(module.num_layers):
            shape = (self.steps.rows, self.directions * module.widths[0][number])
            own = number == last and self.ragged is None
            y = np.empty(shape, dtype) if own else self.lease.array(shape, dtype)
            done = [
                self._direction(number, direction, x, y, finals, save)
                for direction in range(self.directions)
            ]
            mask = None
            if number != last and module.training and module.dropout > 0:
                mask = draw_mask(module.rng, shape, module.dropout, dtype)
                np.multiply(y, mask, out=y)
            if save:
                self.done.append(_Done(done, mask))
            x = y
        self._hand_on(self.initial, finals)
        return self._as_given(y), self._states_taken(finals)

    def _direction(
        self,
        number: int,
        direction: int,
        x: np.ndarray,
        y: np.ndarray,
        finals: list[Flat],
        save: bool,
    ) -> _Direction:
        """Run one direction of layer `number`."""
        kernels, module = self.kernels, self.module
        at = number * self.directions + direction
        masks = draw_direction(module, self.weights[at], self.steps)
        w = masks.weights(self.weights[at])
        x = masks.on_inputs(x, self.steps, self.lease)
        initial = None
        if self.initial is not None:
            initial = self.initial[0][at], self.initial[-1][at]  # type: ignore[index]
        column = direction * module.widths[0][number]
        final = finals[0][at], finals[-1][at]
        about = (w, self.steps, x, initial, direction == 1, y, column, final)
        by_token = self.embedding is not None and number == 0
        tokens, table = (self.tokens, self._table(w)) if by_token else (kernels.NO_TOKENS, None)
        keep = None if self.keep is None else self.keep[direction]
        hidden = kernels.masks_of(w, keep, masks.state, masks.zoneout)
        if save:
            saved = kernels.forward(*about, self.lease, tokens, table, hidden)
        else:
            saved = kernels.infer(*about, tokens, table, hidden)
        return _Direction(saved, w, masks)

    def _hand_on(self, given: Sequence[Flat | None] | None, taken: list[Flat]) -> None:
        """Sequences of length 0 have the states that they had."""
        if self.ragged is not None:
            some = self.ragged.some
            for number, state in enumerate(taken):
                before = None if given is None else given[number]
                for at, part in enumerate(state):
                    part[some:] = 0 if before is None else before[at][some:]

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

    # -- cells --------------------------------------------------------------------------------

    def infer_cells(self) -> tuple[np.ndarray, State, np.ndarray]:
        """As `infer`, and the last layer's cell states at every step."""
        result = self.forward_cells()
        self.lease.release()
        return result

    def forward_cells(self) -> tuple[np.ndarray, State, np.ndarray]:
        """As `forward`, and the last layer's cell states at every step."""
        y, finals = self.forward()
        width = self.module.sizes[-1]
        cells = np.empty((self.steps.rows, self.directions * width), self.module.dtype)
        for direction, done in enumerate(self.done[-1].directions):
            own = slice(direction * width, (direction + 1) * width)
            cells[:, own] = done.saved.c[self.steps.after(direction == 1), :width]
        return y, finals, self._as_given(cells)

    # -- backward -----------------------------------------------------------------------------

    def backward(self, dy: Any = None, dstate: Any = None) -> tuple[np.ndarray | None, State]:
        """The pullback of `forward`: (dy, dstate=None) -> dx, dinitial."""
        return self.backward_cells(dy, dstate)

    def backward_cells(
        self, dy: Any = None, dstate: Any = None, dcells: Any = None
    ) -> tuple[np.ndarray | None, State]:
        """The pullback of `forward_cells`: (dy, dstate=None, dcells=None) -> dx, dinitial."""
        module = self.module
        names = [f"d{name[0]}n" for name in module.STATES]
        single = len(names) == 1
        given: list[Flat | None] = [None] * len(names)
        if dstate is not None:
            given = self._states_given(names[0] if single else "dstate", names, dstate)
        dy = self._cotangent("dy", dy, module.sizes[0])
        dcells = self._cotangent("dcells", dcells, module.sizes[-1])
        self.versions.check()
        dx, dinitial = self._run_back(dy, given, dcells)
        self._hand_on(given, dinitial)
        result = None if dx is None else self._as_given(dx), self._states_taken(dinitial)
        self.lease.release()
        return result

    def _cotangent(self, name: str, value: Any, size: int) -> np.ndarray | None:
        """Rows of what came for a sequence of the last layer, `size` in each direction."""
        if value is None:
            return None
        shape = (*self.given[: 1 + self.batched], self.directions * size)
        array = as_float(name, value, self.module.dtype, shape=shape)
        return self._rows(array if self.batched else array[:, None])

    def _run_back(
        self,
        dy: np.ndarray | None,
        dfinal: Sequence[Flat | None],
        dcells: np.ndarray | None,
    ) -> tuple[np.ndarray | None, list[Flat]]:
        from . import direction_backward as kernels

        dinitial = self._new_states()
        dx = dy
        for number in reversed(range(self.module.num_layers)):
            done = self.done[number]
            if done.mask is not None and dy is not None:
                np.multiply(dy, done.mask, out=dy)
            for direction, (saved, w, masks) in enumerate(done.directions):
                at = number * self.directions + direction
                part = self._input_gradient(number, direction)
                dh, dc = (None if d is None else d[at] for d in (dfinal[0], dfinal[-1]))
                own = None
                if dcells is not None and number == self.module.num_layers - 1:
                    own = dcells[:, direction * w.hidden : (direction + 1) * w.hidden]
                kernels.backward(
                    w, saved, dy, direction * self.module.widths[0][number], dh, dc,
                    (dinitial[0][at], dinitial[-1][at]), part,
                    self.embedding if number == 0 else None, self.padding, own,
                )  # fmt: skip
                masks.add_gradient(w, self.weights[at])
                if part is not None:
                    masks.on_inputs(part, self.steps, None)
                if direction == 0 or part is None or dx is None:
                    dx = part
                else:
                    np.add(dx, part, out=dx)
            dy = dx
        return dx, dinitial

    def _input_gradient(self, number: int, direction: int) -> np.ndarray | None:
        """Memory for dx of one direction; None where tokens went in."""
        if number == 0 and self.embedding is not None:
            return None
        shape = (self.steps.rows, self.weights[number * self.directions + direction].inputs)
        # What the caller gets is his own; the rest is scratch.
        if number == 0 and direction == 0 and self.ragged is None:
            return np.empty(shape, self.module.dtype)
        return self.lease.array(shape, self.module.dtype)
