"""What the tests of the LSTM share: one module run here, in torch and in the reference."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gradcheck import error

ROOT = Path(__file__).resolve().parents[2]
# Of the largest value: a few roundings of sums of up to 200 terms.
TOLERANCE = {np.dtype("f4"): 1e-5, np.dtype("f8"): 1e-13}


class Case(NamedTuple):
    """Arguments of a recurrent stack and cotangents of its outputs, in its dtype and layout."""

    x: np.ndarray
    hx: tuple[np.ndarray, np.ndarray] | None
    dy: np.ndarray
    dstate: tuple[np.ndarray, np.ndarray]


def draw(
    rng: np.random.Generator,
    module: Any,
    steps: int,
    batch: int,
    states: bool = True,
    batched: bool = True,
) -> Case:
    """Draw a case for `module`, an LSTM."""
    directions = 2 if module.bidirectional else 1

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(module.dtype)

    def sequence(width: int) -> np.ndarray:
        if not batched:
            return normal(steps, width)
        first = (batch, steps) if module.batch_first else (steps, batch)
        return normal(*first, width)

    def state() -> np.ndarray:
        layers = module.num_layers * directions
        return normal(*((layers, batch) if batched else (layers,)), module.hidden_size)

    hx = (state(), state()) if states else None
    dy = sequence(directions * module.hidden_size)
    return Case(sequence(module.input_size), hx, dy, (state(), state()))


def ours(module: Any, case: Case) -> dict[str, np.ndarray]:
    """All outputs, input gradients and parameter gradients by name, by `vjp`."""
    module.zero_grad()
    (y, (hn, cn)), pullback = module.vjp(case.x, case.hx)
    result = {"y": y, "hn": hn, "cn": cn}
    result["dx"], (result["dh0"], result["dc0"]) = pullback(case.dy, case.dstate)
    return result | {name: p.grad for name, p in module.named_parameters()}


def torch_twin(module: Any) -> Any:
    """The torch module with the same options and parameters."""
    import torch

    torch.set_num_threads(1)
    state = {name: torch.from_numpy(value) for name, value in module.state_dict().items()}
    twin = torch.nn.LSTM(
        module.input_size,
        module.hidden_size,
        module.num_layers,
        "bias_ih_l0" in state,
        module.batch_first,
        module.dropout,
        module.bidirectional,
        dtype=getattr(torch, module.dtype.name),
    )
    twin.load_state_dict(state)
    return twin


def by_torch(module: Any, case: Case) -> dict[str, np.ndarray]:
    """What `ours` returns, computed by torch. Gradients of states not given are left out."""
    import torch

    twin = torch_twin(module)
    x = torch.from_numpy(case.x.copy()).requires_grad_()
    hx = None
    if case.hx is not None:
        hx = tuple(torch.from_numpy(s.copy()).requires_grad_() for s in case.hx)
    y, (hn, cn) = twin(x, hx)
    cotangents = [torch.from_numpy(d) for d in (case.dy, *case.dstate)]
    torch.autograd.backward([y, hn, cn], cotangents)
    result = {"y": y, "hn": hn, "cn": cn, "dx": x.grad}
    if hx is not None:
        result |= {"dh0": hx[0].grad, "dc0": hx[1].grad}
    result |= {name: p.grad for name, p in twin.named_parameters()}
    return {name: value.detach().numpy() for name, value in result.items()}


def by_reference(module: Any, case: Case, masks: Any = ()) -> dict[str, np.ndarray]:
    """What `ours` returns, computed by the slow float64 reference. Batched, time first."""
    from numba_lstm.reference.lstm import lstm_stack_backward, lstm_stack_forward

    parameters = {name: value.astype("f8") for name, value in module.state_dict().items()}
    h0, c0 = [np.zeros(s.shape) for s in case.dstate] if case.hx is None else case.hx
    y, hn, cn, saved = lstm_stack_forward(
        case.x.astype("f8"), np.asarray(h0, "f8"), np.asarray(c0, "f8"), parameters, masks
    )
    dx, dh0, dc0, gradients = lstm_stack_backward(
        saved, case.dy.astype("f8"), *(d.astype("f8") for d in case.dstate)
    )
    result = {"y": y, "hn": hn, "cn": cn, "dx": dx, "dh0": dh0, "dc0": dc0}
    return result | gradients


def assert_all_close(
    actual: dict[str, np.ndarray],
    expected: dict[str, np.ndarray],
    dtype: Any,
    note: Any = "",
    floor: float = 0.0,
    times: float = 1.0,
) -> None:
    """Every expected array is there and close, relative to its largest value; NaN fails.

    Where that value is smaller than `floor`, relative to `floor`; within `times` the tolerance.
    """
    for name, value in expected.items():
        assert actual[name].dtype == dtype, (name, actual[name].dtype)
        found = error(actual[name], value)
        largest = np.abs(value).max(initial=0.0)
        if 0 < largest < floor:
            found *= largest / floor
        assert found <= times * TOLERANCE[np.dtype(dtype)], f"{name} {note}: error {found:.3g}"


def assert_same_bits(
    one: dict[str, np.ndarray], two: dict[str, np.ndarray], note: Any = ""
) -> None:
    """The same names, shapes, dtypes and bytes."""
    assert one.keys() == two.keys()
    for name, value in one.items():
        other = two[name]
        assert (value.shape, value.dtype) == (other.shape, other.dtype), (name, note)
        if value.tobytes() != other.tobytes():
            places = np.argwhere(value != other)
            raise AssertionError(f"{name} {note}: {len(places)} differ, the first at {places[:1]}")


def run_python(code: str, *folders: Path, timeout: float = 300, **env: str) -> str:
    """Run code in a process of its own; its standard output.

    It can import the tests' tools, and what stands in `folders`.

    Fails with the process's standard error if it does not exit with 0.
    """
    places = [os.environ.get("PYTHONPATH"), ROOT, ROOT / "tests" / "tools", *folders]
    path = os.pathsep.join(str(place) for place in places if place)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": path, **env},
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
