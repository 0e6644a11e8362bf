"""One call of a recurrent stack: arguments checked, layers run, backward kept at hand.

A `Call` lives as long as the pullback that belongs to it. This file imports numba, which takes half
a second, so that only a module's first call may import it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..checks import as_float
from ..dropout_masks import apply_mask, draw_mask
from ..parameters.scratch import Lease
from ..parameters.versions import Versions
from ..quiet import add_into
from .direction import DirectionCall, Saved, as_tuple, forward, infer, kernel_masks, token_table
from .direction_backward import Cotangents, backward
from .layout import Layout
from .learnt_state import LearntState
from .masks import NO_MASKS, DirectionMasks, draw_direction, keep_masks
from .states import Flat
from .token_ids import NO_TOKENS, check_ids
from .weights import Weights

__all__ = ["Call"]

# States as a module's caller gives and gets them: a pair for an LSTM, one state for cells without
# c; each as `states` says.
CallerState = Any


class _Direction(NamedTuple):
    """What the backward pass of one direction of a layer needs."""

    saved: Saved
    weights: Weights  # those that ran, some of them dropped
    masks: DirectionMasks


class _Layer(NamedTuple):
    """What the backward pass of one layer needs."""

    directions: list[_Direction]
    mask: np.ndarray | None  # of the dropout on the layer's outputs


class Call:
    """Arguments of one call of a module, in the kernels' form, and then what backward needs.

    Parameters
    ----------
    module : nn.rnn_base.RNNBase
    hx
        Initial states as the caller gave them; None for zeros.
    x : array_like, or None with tokens
    tokens, embedding : array_like of int and nn.Embedding, or None
    lengths, reset
        As `RNNBase.__call__` says.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """

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
        self.module = module
        self.embedding = None if embedding is None else embedding.checked_weight()
        self.padding = None if embedding is None else embedding.padding_idx
        self.lease = Lease()
        self.layers: list[_Layer] = []
        self.weights = module.weights()
        if embedding is None:
            given = _check_input(module, x)
            self.layout = Layout(module, "x", given.shape, given.ndim == 3, lengths)
        else:
            given = check_ids(module, embedding, tokens, lengths)
            self.layout = Layout(module, "tokens", given.shape, True, lengths)
        self.keep = None if reset is None else self._keep(reset)
        if embedding is None:
            self.tokens = NO_TOKENS
            self.x = self.layout.rows(given, self.lease)
        else:
            self.tokens = self.layout.rows_of_ids(given)
            self.x = np.empty((self.layout.steps.rows, 0), module.dtype)
        self.initial: Sequence[Flat | None] | None = None
        self.learnt: LearntState | None = None
        if hx is not None:
            self.initial = self.layout.states("hx", module.STATES, hx, False)
        elif module.learn_initial_state:
            self.learnt = LearntState(module, self.layout)
            self.initial = self.learnt.states

    def _keep(self, reset: Any) -> list[np.ndarray]:
        """For each direction what the states are multiplied by before each row's step, (N,)."""
        layout = self.layout
        shape = layout.shape[: 1 + layout.batched]
        lengths = None if layout.ragged is None else layout.ragged.lengths
        both = keep_masks(reset, shape, layout.batch_first, lengths, layout.dtype)
        if not layout.batched:
            both = both[0][:, 0], both[1][:, 0]
        return [
            layout.rows(one[..., None], self.lease).reshape(-1) for one in both[: layout.directions]
        ]

    # -- forward ------------------------------------------------------------------------------

    def infer(self) -> tuple[np.ndarray, CallerState]:
        """Run all layers and keep nothing."""
        self._look_up_few()
        result = self._run(save=False)
        self.lease.release()
        return result

    def _look_up_few(self) -> None:
        """Take the embedding's rows of tokens that are fewer than it has.

        Their product with W_ih is less work than that of the whole table, and has the same bits.
        """
        if self.embedding is not None and self.layout.steps.rows < self.embedding.shape[0]:
            self.x = self.embedding.numpy()[self.tokens]
            self.tokens, self.embedding = NO_TOKENS, None

    def forward(self) -> tuple[np.ndarray, CallerState]:
        """Run all layers and keep what `backward` needs."""
        parameters = [p for w in self.weights for p in w.present]
        self.versions = Versions([*parameters, self.embedding])
        return self._run(save=True)

    def _run(self, save: bool) -> tuple[np.ndarray, CallerState]:
        module, layout = self.module, self.layout
        last = module.num_layers - 1
        dtype = module.dtype
        finals = layout.new_states()
        x = self.x
        for number in range(module.num_layers):
            shape = (layout.steps.rows, layout.directions * module.widths[0][number])
            # The caller keeps the last layer's outputs; others, and rows to be scattered, are lent.
            kept = number == last and layout.ragged is None
            y = np.empty(shape, dtype) if kept else self.lease.array(shape, dtype)
            directions = [
                self._run_direction(number, direction, x, y, finals, save)
                for direction in range(layout.directions)
            ]
            mask = None
            if number != last and module.training and module.dropout > 0:
                mask = draw_mask(module.rng, shape, module.dropout, dtype)
                apply_mask(y, mask, out=y)
            if save:
                self.layers.append(_Layer(directions, mask))  # type: ignore[arg-type]
            x = y
        layout.hand_on(self.initial, finals)
        return layout.as_given(y), layout.states_as_given(finals)

    def _run_direction(
        self,
        number: int,
        direction: int,
        x: np.ndarray,
        y: np.ndarray,
        finals: list[Flat],
        save: bool,
    ) -> _Direction | None:
        """Run one direction of layer `number`; with `save` give what backward needs of it."""
        layout = self.layout
        at = number * layout.directions + direction
        masks = draw_direction(self.module, self.weights[at], layout.steps)
        w = masks.weights(self.weights[at])
        initial = None
        if self.initial is not None:
            initial = self.initial[0][at], self.initial[-1][at]  # type: ignore[index]
        keep = None if self.keep is None else self.keep[direction]
        tokens, table = NO_TOKENS, None
        if self.embedding is not None and number == 0:
            tokens, table = self.tokens, token_table(w, self.embedding, self.lease)
        arguments = (
            w, layout.steps, direction == 1, masks.on_inputs(x, layout.steps, self.lease), initial,
            y, direction * self.module.widths[0][number], (finals[0][at], finals[-1][at]),
            kernel_masks(w, keep, masks), tokens, table,
        )  # fmt: skip
        call = as_tuple(DirectionCall, arguments)
        if save:
            return _Direction(forward(call, self.lease), w, masks)
        infer(call)
        return None

    # -- cells --------------------------------------------------------------------------------

    def infer_cells(self) -> tuple[np.ndarray, CallerState, np.ndarray]:
        """As `infer`, and the last layer's cell states at every step."""
        result = self.forward_cells()
        self.lease.release()
        return result

    def forward_cells(self) -> tuple[np.ndarray, CallerState, np.ndarray]:
        """As `forward`, and the last layer's cell states at every step."""
        y, finals = self.forward()
        layout, width = self.layout, self.module.sizes[-1]
        cells = np.empty((layout.steps.rows, layout.directions * width), layout.dtype)
        for direction, done in enumerate(self.layers[-1].directions):
            columns = slice(direction * width, (direction + 1) * width)
            cells[:, columns] = done.saved.gate_state[layout.steps.after(direction == 1), :width]
        return y, finals, layout.as_given(cells)

    # -- backward -----------------------------------------------------------------------------

    def backward(self, dy: Any = None, dstate: Any = None) -> tuple[np.ndarray | None, CallerState]:
        """The pullback of `forward`: (dy, dstate=None) -> dx, dinitial."""
        return self.backward_cells(dy, dstate)

    def backward_cells(
        self, dy: Any = None, dstate: Any = None, dcells: Any = None
    ) -> tuple[np.ndarray | None, CallerState]:
        """The pullback of `forward_cells`: (dy, dstate=None, dcells=None) -> dx, dinitial."""
        module, layout = self.module, self.layout
        names = [f"d{name[0]}n" for name in module.STATES]
        given: list[Flat | None] = [None] * len(names)
        if dstate is not None:
            name = names[0] if len(names) == 1 else "dstate"
            given = layout.states(name, names, dstate, True)
        dy = self._cotangent("dy", dy, module.sizes[0])
        dcells = self._cotangent("dcells", dcells, module.sizes[-1])
        self.versions.check()
        dx, dinitial = self._run_back(dy, given, dcells)
        layout.hand_on(given, dinitial)
        if self.learnt is not None:
            self.learnt.add_gradients(dinitial)
        result = None if dx is None else layout.as_given(dx), layout.states_as_given(dinitial)
        self.lease.release()
        return result

    def _cotangent(self, name: str, value: Any, size: int) -> np.ndarray | None:
        """Rows of what came for a sequence of the last layer, `size` in each direction."""
        if value is None:
            return None
        layout = self.layout
        shape = (*layout.shape[: 1 + layout.batched], layout.directions * size)
        return layout.rows(as_float(name, value, layout.dtype, shape=shape), self.lease)

    def _run_back(
        self,
        dy: np.ndarray | None,
        dfinal: Sequence[Flat | None],
        dcells: np.ndarray | None,
    ) -> tuple[np.ndarray | None, list[Flat]]:
        """All layers from the last to the first: dx (N, I), and the initial states' gradients."""
        dinitial = self.layout.new_states()
        last = self.module.num_layers - 1
        for number in range(last, -1, -1):
            mask = self.layers[number].mask
            if mask is not None and dy is not None:
                apply_mask(dy, mask, out=dy)
            of_cells = dcells if number == last else None
            dy = self._layer_back(number, dy, dfinal, of_cells, dinitial)
        return dy, dinitial

    def _layer_back(
        self,
        number: int,
        dy: np.ndarray | None,
        dfinal: Sequence[Flat | None],
        dcells: np.ndarray | None,
        dinitial: list[Flat],
    ) -> np.ndarray | None:
        """One layer: dx of both directions together; None where tokens went in."""
        dx = None
        width = self.module.widths[0][number]
        embedding = self.embedding if number == 0 else None
        dhn, dcn, dh0, dc0 = dfinal[0], dfinal[-1], dinitial[0], dinitial[-1]
        for direction, (saved, w, masks) in enumerate(self.layers[number].directions):
            at = number * self.layout.directions + direction
            of_cells = None
            if dcells is not None:
                of_cells = dcells[:, direction * w.hidden : (direction + 1) * w.hidden]
            cotangents = (
                dy, direction * width, None if dhn is None else dhn[at],
                None if dcn is None else dcn[at], of_cells,
            )  # fmt: skip
            part = self._input_gradient(number, direction)
            backward(
                w, saved, as_tuple(Cotangents, cotangents), part, (dh0[at], dc0[at]), embedding,
                self.padding,
            )  # fmt: skip
            if masks is not NO_MASKS:
                masks.add_gradient(w, self.weights[at])
                if part is not None:
                    masks.on_inputs(part, self.layout.steps, None)
            if dx is None or part is None:
                dx = part
            else:
                add_into(dx, part)
        return dx

    def _input_gradient(self, number: int, direction: int) -> np.ndarray | None:
        """Memory for dx of one direction; None where tokens went in."""
        if number == 0 and self.embedding is not None:
            return None
        layout = self.layout
        shape = layout.steps.rows, self.weights[number * layout.directions + direction].inputs
        # The caller keeps the first layer's dx; the rest is scratch.
        if number == 0 and direction == 0 and layout.ragged is None:
            return np.empty(shape, layout.dtype)
        return self.lease.array(shape, layout.dtype)


def _check_input(module: Any, x: Any) -> np.ndarray:
    x = as_float("x", x, module.dtype)
    if x.ndim not in (2, 3) or x.shape[-1] != module.input_size:
        order = "(B, T, " if module.batch_first else "(T, B, "
        raise ValueError(
            f"x: expected shape {order}{module.input_size}) or (T, {module.input_size}), "
            f"got {x.shape}"
        )
    return x
