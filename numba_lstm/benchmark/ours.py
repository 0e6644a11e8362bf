"""This library as a user would call it, for the benchmark's worker process."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import Case
from .subject import CLIP, LEARNING_RATE, STEPS, Arrays, Subject, parameters

__all__ = ["about", "load", "prepare", "set_threads"]


def load() -> None:
    """Import what a user's first call would import."""
    from .. import jit, nn  # noqa: F401


def set_threads(n: int) -> None:
    """Run on `n` threads."""
    from .. import threads

    threads.set_num_threads(n)


def about() -> dict[str, Any]:
    """Versions, and what kernels are compiled for."""
    import numba

    from .. import __version__, simd

    enabled = [name[1:] for name in simd.TARGET.features.split(",") if name.startswith("+")]
    return {
        "versions": {
            "numba_lstm": __version__,
            "numba": numba.__version__,
            "llvmlite": simd.LLVMLITE_VERSION,
            "numpy": np.__version__,
        },
        "machine": {
            "target_cpu": simd.TARGET.cpu,
            "vector_bits": 8 * simd.TARGET.vector_bytes,
            "vector_registers": simd.TARGET.registers,
            "features": enabled,
        },
    }


def prepare(case: Case, kind: str, arrays: Arrays) -> Subject:
    """Build the case's module with the given weights."""
    if kind in ("step", "memory"):
        return _step(case, arrays)
    return _train(case, arrays) if kind == "train" else _infer(case, arrays)


def _stack(case: Case, arrays: Arrays) -> Any:
    from .. import nn

    kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
    more = {"proj_size": case.proj} if case.proj else {}
    module = kinds[case.cell](case.I, case.H, case.layers, bidirectional=case.bidirectional, **more)
    module.load_state_dict(parameters(arrays))
    return module


def _given(states: list[np.ndarray]) -> Any:
    """States as modules take them: a pair, or one array."""
    return tuple(states) if len(states) == 2 else states[0]


def _taken(states: Any) -> list[np.ndarray]:
    return list(states) if isinstance(states, tuple) else [states]


def _infer(case: Case, arrays: Arrays) -> Subject:
    module = _stack(case, arrays).eval()
    x, state = arrays["x"], _given([arrays[f"{letter}0"] for letter in case.states])

    def results() -> dict[str, np.ndarray]:
        y, finals = module(x, state)
        return {"y": y} | {f"{k}n": v for k, v in zip(case.states, _taken(finals))}

    return Subject(lambda: module(x, state), results)


def _train(case: Case, arrays: Arrays) -> Subject:
    if case.form == "cells":
        return _train_cells(case, arrays)
    module = _stack(case, arrays).train()
    names = dict(module.named_parameters())
    x, dy, lengths = arrays["x"], arrays["dy"], arrays.get("lengths")
    state = _given([arrays[f"{letter}0"] for letter in case.states])
    dstate = _given([arrays[f"d{letter}n"] for letter in case.states])

    def run() -> Any:
        _written(names.values())
        module.zero_grad()
        outputs, pullback = module.vjp(x, state, lengths)
        return outputs, pullback(dy, dstate)

    def results() -> dict[str, np.ndarray]:
        (y, finals), (dx, dinitial) = run()
        found = {"y": y, "dx": dx}
        for letter, final, d in zip(case.states, _taken(finals), _taken(dinitial)):
            found |= {f"{letter}n": final, f"d{letter}0": d}
        if case.form == "padded":
            for letter in case.states:
                del found[f"{letter}n"]
        return found | {f"grad {name}": p.grad for name, p in names.items()}

    return Subject(run, results)


def _written(parameters: Any) -> None:
    """As an optimizer will have written the weights since the last time: packed copies are void."""
    for p in parameters:
        with p.mutate():
            pass


def _train_cells(case: Case, arrays: Arrays) -> Subject:
    """A loop of LSTMCell."""
    from .. import nn

    cell = nn.LSTMCell(case.I, case.H)
    cell.load_state_dict({n.removesuffix("_l0"): v for n, v in parameters(arrays).items()})
    x, dy = arrays["x"], arrays["dy"]
    h0, c0, dhn, dcn = (arrays[name][0] for name in ("h0", "c0", "dhn", "dcn"))

    def run() -> Any:
        _written(cell.parameters())
        cell.zero_grad()
        h, c = h0, c0
        outputs, pullbacks = [], []
        dx: list[Any] = [None] * case.T
        for t in range(case.T):
            (h, c), pullback = cell.vjp(x[t], (h, c))
            outputs.append(h)
            pullbacks.append(pullback)
        dh, dc = dhn, dcn
        for t in reversed(range(case.T)):
            dx[t], (dh, dc) = pullbacks[t]((dh + dy[t], dc))
        return outputs, h, c, dx, dh, dc

    def results() -> dict[str, np.ndarray]:
        y, hn, cn, dx, dh0, dc0 = run()
        found = {"y": np.stack(y), "dx": np.stack(dx)}
        found |= {"hn": hn[None], "cn": cn[None], "dh0": dh0[None], "dc0": dc0[None]}
        return found | {f"grad {n}_l0": np.asarray(p.grad) for n, p in cell.named_parameters()}

    return Subject(run, results)


def _step(case: Case, arrays: Arrays) -> Subject:
    from .. import losses, models, optim

    model = models.LanguageModel(case.vocab, case.I, case.H, case.layers)
    model.load_state_dict(parameters(arrays))
    tokens, targets = arrays["tokens"], arrays["targets"]
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def gradients() -> float:
        optimizer.zero_grad()
        (logits, _), pullback = model.vjp(tokens)
        loss, dlogits = losses.cross_entropy(logits, targets)
        pullback(dlogits)
        return loss

    def run() -> float:
        loss = gradients()
        norm = optim.grad_norm(model.parameters())
        optimizer.step(grad_scale=optim.clip_scale(norm, CLIP))
        return loss

    def results() -> dict[str, np.ndarray]:
        gradients()
        found = {f"grad {name}": np.array(p.grad) for name, p in model.named_parameters()}
        return found | {"losses": np.array([run() for _ in range(STEPS)])}

    return Subject(run, results)
