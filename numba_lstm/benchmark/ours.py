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

    from .. import __version__, simd, threads

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
            "threading_layer": threads.threading_layer(),
        },
    }


def prepare(case: Case, kind: str, arrays: Arrays) -> Subject:
    """Build the case's module with the given weights."""
    if kind in ("step", "memory"):
        return _step(case, arrays)
    return _train(case, arrays) if kind == "train" else _infer(case, arrays)


def _stack(case: Case, arrays: Arrays) -> Any:
    from .. import nn

    kinds = {"lstm": nn.LSTM}
    module = kinds[case.cell](case.I, case.H, case.layers, bidirectional=case.bidirectional)
    module.load_state_dict(parameters(arrays))
    return module


def _infer(case: Case, arrays: Arrays) -> Subject:
    module = _stack(case, arrays).eval()
    x, state = arrays["x"], (arrays["h0"], arrays["c0"])

    def results() -> dict[str, np.ndarray]:
        y, (hn, cn) = module(x, state)
        return {"y": y, "hn": hn, "cn": cn}

    return Subject(lambda: module(x, state), results)


def _train(case: Case, arrays: Arrays) -> Subject:
    module = _stack(case, arrays).train()
    names = dict(module.named_parameters())
    x, dy = arrays["x"], arrays["dy"]
    state, dstate = (arrays["h0"], arrays["c0"]), (arrays["dhn"], arrays["dcn"])

    def run() -> Any:
        # An optimizer will have written the weights since the last time: packed copies are void.
        for p in names.values():
            with p.mutate():
                pass
        module.zero_grad()
        outputs, pullback = module.vjp(x, state)
        return outputs, pullback(dy, dstate)

    def results() -> dict[str, np.ndarray]:
        (y, (hn, cn)), (dx, (dh0, dc0)) = run()
        found = {"y": y, "hn": hn, "cn": cn, "dx": dx, "dh0": dh0, "dc0": dc0}
        return found | {f"grad {name}": p.grad for name, p in names.items()}

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
        found = {f"grad {name}": p.grad.copy() for name, p in model.named_parameters()}
        return found | {"losses": np.array([run() for _ in range(STEPS)])}

    return Subject(run, results)
