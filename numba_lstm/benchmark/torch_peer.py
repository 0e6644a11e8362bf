"""PyTorch as its user would write it, with its best settings; imported by its worker only."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import Case
from .subject import CLIP, LEARNING_RATE, STEPS, Arrays, Subject, parameters

__all__ = ["about", "load", "prepare", "set_threads"]


def load() -> None:
    """Import torch."""
    import torch  # noqa: F401


def set_threads(n: int) -> None:
    """Run on `n` threads, with denormals flushed as our kernels flush them."""
    import torch

    # Before there is a pool: its threads inherit the setting.
    torch.set_flush_denormal(True)
    torch.set_num_threads(n)


def about() -> dict[str, Any]:
    """Versions and settings."""
    import torch

    settings = {
        "onednn": torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled,
        "threads": torch.get_num_threads(),
        "flush_denormal": True,
        "infer": "inference_mode",
        "step": "Adam(fused=True), clip_grad_norm_",
    }
    return {"versions": {"torch": torch.__version__}, "settings": settings}


def prepare(case: Case, kind: str, arrays: Arrays) -> Subject:
    """Build the case's module with the given weights."""
    if kind in ("step", "memory"):
        return _step(case, arrays)
    return _train(case, arrays) if kind == "train" else _infer(case, arrays)


def _stack(case: Case, arrays: Arrays) -> Any:
    import torch

    kinds = {"lstm": torch.nn.LSTM}
    module = kinds[case.cell](case.I, case.H, case.layers, bidirectional=case.bidirectional)
    module.load_state_dict(_tensors(parameters(arrays)))
    return module


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _infer(case: Case, arrays: Arrays) -> Subject:
    import torch

    module = _stack(case, arrays).eval()
    x, h0, c0 = (torch.from_numpy(arrays[name]) for name in ("x", "h0", "c0"))

    def run() -> Any:
        with torch.inference_mode():
            return module(x, (h0, c0))

    def results() -> dict[str, np.ndarray]:
        y, (hn, cn) = run()
        return {"y": y.numpy(), "hn": hn.numpy(), "cn": cn.numpy()}

    return Subject(run, results)


def _train(case: Case, arrays: Arrays) -> Subject:
    import torch

    module = _stack(case, arrays).train()
    inputs = {name: torch.from_numpy(arrays[name]).requires_grad_() for name in ("x", "h0", "c0")}
    cotangents = [torch.from_numpy(arrays[name]) for name in ("dy", "dhn", "dcn")]

    def run() -> Any:
        module.zero_grad()
        for tensor in inputs.values():
            tensor.grad = None
        y, (hn, cn) = module(inputs["x"], (inputs["h0"], inputs["c0"]))
        torch.autograd.backward([y, hn, cn], cotangents)
        return y, hn, cn

    def results() -> dict[str, np.ndarray]:
        y, hn, cn = run()
        found = {"y": y, "hn": hn, "cn": cn}
        found |= {f"d{name}": tensor.grad for name, tensor in inputs.items()}
        found |= {f"grad {name}": p.grad for name, p in module.named_parameters()}
        return {name: tensor.detach().numpy() for name, tensor in found.items()}

    return Subject(run, results)


def _step(case: Case, arrays: Arrays) -> Subject:
    import torch
    from torch.nn.functional import cross_entropy

    class LanguageModel(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(case.vocab, case.I)
            self.lstm = torch.nn.LSTM(case.I, case.H, case.layers)
            self.decoder = torch.nn.Linear(case.H, case.vocab)

        def forward(self, tokens: Any) -> Any:
            y, state = self.lstm(self.embedding(tokens))
            return self.decoder(y), state

    model: Any = LanguageModel()
    model.load_state_dict(_tensors(parameters(arrays)))
    tokens, targets = (torch.from_numpy(arrays[name]) for name in ("tokens", "targets"))
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

    def gradients() -> Any:
        optimizer.zero_grad()
        logits, _ = model(tokens)
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        return loss

    def run() -> float:
        loss = gradients()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        return loss.item()

    def results() -> dict[str, np.ndarray]:
        gradients()
        found = {f"grad {name}": p.grad.numpy().copy() for name, p in model.named_parameters()}
        return found | {"losses": np.array([run() for _ in range(STEPS)])}

    return Subject(run, results)
