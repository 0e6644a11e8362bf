"""What the tests of all recurrent modules share: a module run here, in torch, in the reference."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from lstm_tool import assert_all_close

from numba_lstm import nn, threads
from numba_lstm.reference import stack
from numba_lstm.reference.gru_cell import GRUCell
from numba_lstm.reference.lstm_cell import LSTMCell
from numba_lstm.reference.recurrent import Dropout
from numba_lstm.reference.rnn_cell import RNNCell

MODULES = {
    "lstm": lambda *a, **k: nn.LSTM(*a, **k),
    "gru": lambda *a, **k: nn.GRU(*a, **k),
    "rnn-tanh": lambda *a, **k: nn.RNN(*a, **k),
    "rnn-relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "lstm-projected": lambda *a, **k: nn.LSTM(
        *a, proj_size=max(1, 2 * np.min(a[1]).item() // 3), **k
    ),
    "gru-before": lambda *a, **k: nn.GRU(*a, reset_after=False, **k),
    "lstm-normalised": lambda *a, **k: nn.LSTM(*a, layer_norm=True, **k),
    "gru-normalised": lambda *a, **k: nn.GRU(*a, layer_norm=True, **k),
}
TORCHS = [kind for kind in MODULES if kind != "gru-before" and "normalised" not in kind]


class Case(NamedTuple):
    """Arguments of a call, and cotangents; states are lists of one or two, as the module's are."""

    x: np.ndarray
    states: list[Any]
    dy: np.ndarray
    dstates: list[Any]
    lengths: np.ndarray | None = None
    reset: np.ndarray | None = None
    dcells: np.ndarray | None = None  # an LSTM's: asks for its cell states, too


def given(arrays: list[Any]) -> Any:
    """States as the module takes and gives them."""
    return tuple(arrays) if len(arrays) == 2 else arrays[0]


def taken(states: Any) -> list[Any]:
    return list(states) if isinstance(states, tuple) else [states]


def flat(state: Any) -> list[np.ndarray]:
    """A state's arrays (B, H), one for each layer and direction, whether array or list."""
    if isinstance(state, list):
        return [one for layer in state for one in layer]
    return list(state)


def grouped(module: Any, widths: Any, parts: list[np.ndarray]) -> Any:
    """The inverse: an array where all layers have one size, else a list of arrays, one a layer."""
    if len(set(widths)) == 1:
        return np.stack(parts)
    d = 2 if module.bidirectional else 1
    return [np.stack(parts[first : first + d]) for first in range(0, len(parts), d)]


def draw(
    rng: Any, module: Any, steps: int, batch: int, lengths: bool = False, cells: bool = False
) -> Case:
    """Draw a case; lengths run from 0 to T with both among them where there is room."""
    d = 2 if module.bidirectional else 1
    first = (batch, steps) if module.batch_first else (steps, batch)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(module.dtype)

    def state() -> list[Any]:
        return [
            grouped(module, widths, [normal(batch, width) for width in widths for _ in range(d)])
            for widths in module.widths
        ]

    some = None
    if lengths:
        some = rng.integers(0, steps + 1, batch)
        some[: min(batch, 2)] = [steps, 0][:batch]
        some = rng.permutation(some)
    case = Case(
        normal(*first, module.input_size), state(), normal(*first, d * module.sizes[0]),
        state(), some,
    )  # fmt: skip
    return case._replace(dcells=normal(*first, d * module.sizes[-1])) if cells else case


def named(module: Any, y: Any, states: Any, dx: Any, dinitial: Any, grads: Any) -> dict[str, Any]:
    found = {"y": y, "dx": dx}
    for state_name, state, d in zip(module.STATES, states, dinitial):
        for name, value in ((f"{state_name[0]}n", state), (f"d{state_name}", d)):
            if isinstance(value, list):
                found |= {f"{name}[{layer}]": one for layer, one in enumerate(value)}
            else:
                found[name] = value
    return found | grads


def tails(module: Any) -> list[str]:
    """Of the names of each layer's and direction's parameters."""
    directions, layers = ["", "_reverse"][: 1 + module.bidirectional], range(module.num_layers)
    return [f"_l{layer}{direction}" for layer in layers for direction in directions]


@contextlib.contextmanager
def one_thread(wanted: bool) -> Iterator[None]:
    """Run on one thread if so `wanted`."""
    before = threads._chosen
    threads._chosen = 1 if wanted else before
    try:
        yield
    finally:
        threads._chosen = before


def ours(module: Any, case: Case, fixed: bool = False) -> dict[str, np.ndarray]:
    """All outputs and gradients by name; `fixed` says that each call takes the same masks."""
    # Half of the suite's time is compilation, and loops on several threads are float32's here.
    with one_thread(module.dtype == np.float64):
        return _ours(module, case, fixed)


def _ours(module: Any, case: Case, fixed: bool) -> dict[str, np.ndarray]:
    module.zero_grad()
    about = case.x, given(case.states), case.lengths, case.reset
    cells = case.dcells is not None
    options = {"return_cells": True} if cells else {}
    (y, states, *more), pullback = module.vjp(*about, **options)
    if fixed or not (module.training and module.drops):
        y0, states0, *more0 = module(*about, **options)
        assert len(more) == len(more0) == cells
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(more, more0))
        assert np.array_equal(y, y0, equal_nan=True)
        for state, state0 in zip(taken(states), taken(states0)):
            for one, other in zip(flat(state), flat(state0), strict=True):
                assert np.array_equal(one, other, equal_nan=True)
    dx, dinitial = pullback(case.dy, given(case.dstates), *([case.dcells] if cells else []))
    grads = {name: p.grad.copy() for name, p in module.named_parameters()}
    rest = {"cells": more[0]} if cells else {}
    return named(module, y, taken(states), dx, taken(dinitial), grads) | rest


def reference_cell(module: Any) -> Any:
    if isinstance(module, nn.LSTM):
        return LSTMCell(module.cell_clip, module.coupled)
    if isinstance(module, nn.GRU):
        return GRUCell(module.reset_after)
    return RNNCell(module.nonlinearity)


def expected_masks(module: Any) -> dict[str, Dropout]:
    """The reference's masks of evaluation, by tail: zoneout's expectations."""
    k = tuple(p or None for p in (module.zoneout, module.zoneout_cell)[: len(module.STATES)])
    return {tail: Dropout(zoneout=k) for tail in tails(module)}


def by_reference(
    module: Any, case: Case, dropout: Any = None, between: Any = ()
) -> dict[str, np.ndarray]:
    """The same by the NumPy float64 reference; `dropout` its masks by tail, those of evaluation
    where there are none, and `between` those between layers."""

    def turned(array: np.ndarray) -> np.ndarray:
        return array.swapaxes(0, 1) if module.batch_first else array

    parameters = {n: p.numpy().astype("f8") for n, p in module.named_parameters()}
    wide = [[part.astype("f8") for part in flat(state)] for state in case.states]
    dwide = [[part.astype("f8") for part in flat(state)] for state in case.dstates]
    output, saved = stack.stack_forward(
        reference_cell(module), parameters, turned(case.x).astype("f8"), wide,
        lengths=case.lengths, reset=None if case.reset is None else turned(case.reset),
        dropout=dropout or expected_masks(module), between=between,
    )  # fmt: skip
    dsequences, cells = [], {}
    if case.dcells is not None:
        none = [None] * module.num_layers
        dsequences = [none, [*none[1:], turned(case.dcells).astype("f8")]]
        cells = {"cells": turned(output.sequences[1][-1])}
    back = stack.stack_backward(saved, turned(case.dy).astype("f8"), dwide, dsequences)
    finals, dinitial = (
        [grouped(module, widths, s) for widths, s in zip(module.widths, states)]
        for states in (output.finals, back.dinitial)
    )
    y, dx = turned(output.y), turned(back.dx)
    return named(module, y, finals, dx, dinitial, back.parameters) | cells


def assert_references(
    module: Any, case: Case, masks: Any = None, between: Any = (), note: Any = ""
) -> dict[str, np.ndarray]:
    """All outputs and gradients are the reference's; they are returned.

    A layer normalisation hardly sees how large its argument is. Where little else can change, as
    with one input, the gradient is what is left of numbers near 1 that cancel; and where the
    argument varies little, its roundings are scaled up with it.
    """
    found = ours(module, case, fixed=masks is not None)
    expected = by_reference(module, case, masks, between)
    allowed = {"floor": 1.0, "times": 10.0} if module.layer_norm else {}
    assert_all_close(found, expected, module.dtype, note, **allowed)
    return found


def by_torch(module: Any, case: Case) -> dict[str, np.ndarray]:
    """The same by torch, with packed sequences where there are lengths (none of them 0)."""
    import torch

    torch.set_num_threads(1)
    kinds = {nn.LSTM: torch.nn.LSTM, nn.GRU: torch.nn.GRU, nn.RNN: torch.nn.RNN}
    more = {"nonlinearity": module.nonlinearity} if isinstance(module, nn.RNN) else {}
    if isinstance(module, nn.LSTM):
        more = {"proj_size": module.proj_size}
    twin = kinds[type(module)](
        module.input_size, module.hidden_size, module.num_layers, bias=module.use_bias,
        batch_first=module.batch_first, bidirectional=module.bidirectional,
        dtype=getattr(torch, module.dtype.name), **more,
    )  # fmt: skip
    twin.load_state_dict({n: torch.from_numpy(v) for n, v in module.state_dict().items()})
    x = torch.from_numpy(case.x.copy()).requires_grad_()
    states = [torch.from_numpy(s.copy()).requires_grad_() for s in case.states]
    if case.lengths is None:
        y, finals = twin(x, given(states))
    else:
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_padded_sequence(
            x, torch.from_numpy(case.lengths), module.batch_first, enforce_sorted=False
        )
        packed, finals = twin(packed, given(states))
        total = case.x.shape[1 if module.batch_first else 0]
        y, _ = rnn.pad_packed_sequence(packed, module.batch_first, total_length=total)
    cotangents = [torch.from_numpy(d.copy()) for d in (case.dy, *case.dstates)]
    torch.autograd.backward([y, *taken(finals)], cotangents)
    grads = {n: p.grad.numpy() for n, p in twin.named_parameters()}
    return named(
        module, y.detach().numpy(), [s.detach().numpy() for s in taken(finals)], x.grad.numpy(),
        [s.grad.numpy() for s in states], grads,
    )  # fmt: skip
