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
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
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

    kinds = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
    more = {"proj_size": case.proj} if case.proj else {}
    module = kinds[case.cell](case.I, case.H, case.layers, bidirectional=case.bidirectional, **more)
    module.load_state_dict(_tensors(parameters(arrays)))
    return module


def _given(states: list[Any]) -> Any:
    """States as modules take them: a pair, or one tensor."""
    return tuple(states) if len(states) == 2 else states[0]


def _taken(states: Any) -> list[Any]:
    return list(states) if isinstance(states, tuple) else [states]


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _infer(case: Case, arrays: Arrays) -> Subject:
    import torch

    module = _stack(case, arrays).eval()
    x = torch.from_numpy(arrays["x"])
    state = _given([torch.from_numpy(arrays[f"{letter}0"]) for letter in case.states])

    def run() -> Any:
        with torch.inference_mode():
            return module(x, state)

    def results() -> dict[str, np.ndarray]:
        y, finals = run()
        return {"y": y.numpy()} | {f"{k}n": v.numpy() for k, v in zip(case.states, _taken(finals))}

    return Subject(run, results)


def _train(case: Case, arrays: Arrays) -> Subject:
    import torch

    if case.form == "cells":
        return _train_cells(case, arrays)
    rnn = torch.nn.utils.rnn
    module = _stack(case, arrays).train()
    initial = [f"{letter}0" for letter in case.states]
    inputs = {name: torch.from_numpy(arrays[name]).requires_grad_() for name in ("x", *initial)}
    finals = [f"d{letter}n" for letter in case.states]
    cotangents = [torch.from_numpy(arrays[name]) for name in ("dy", *finals)]
    lengths = torch.from_numpy(arrays["lengths"]) if case.form == "packed" else None
    if case.form == "padded":
        inside = torch.arange(case.T)[:, None, None] < torch.from_numpy(arrays["lengths"])[:, None]

    def forward() -> tuple[Any, Any]:
        x, state = inputs["x"], _given([inputs[name] for name in initial])
        if lengths is None:
            return module(x, state)
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, state = module(packed, state)
        return rnn.pad_packed_sequence(y, total_length=case.T)[0], state

    def run() -> Any:
        module.zero_grad()
        for tensor in inputs.values():
            tensor.grad = None
        y, states = forward()
        torch.autograd.backward([y, *_taken(states)], cotangents)
        return y, states

    def results() -> dict[str, np.ndarray]:
        y, states = run()
        found = {"y": y} | {f"d{name}": tensor.grad for name, tensor in inputs.items()}
        if case.form == "padded":
            found["y"] = y * inside
        else:
            found |= {f"{k}n": v for k, v in zip(case.states, _taken(states))}
        found |= {f"grad {name}": p.grad for name, p in module.named_parameters()}
        return {name: tensor.detach().numpy() for name, tensor in found.items()}

    return Subject(run, results)


def _train_cells(case: Case, arrays: Arrays) -> Subject:
    """A loop of LSTMCell."""
    import torch

    cell = torch.nn.LSTMCell(case.I, case.H)
    weights = {n.removesuffix("_l0"): v for n, v in parameters(arrays).items()}
    cell.load_state_dict(_tensors(weights))
    inputs = {n: torch.from_numpy(arrays[n]).requires_grad_() for n in ("x", "h0", "c0")}
    cotangents = [torch.from_numpy(arrays[name]) for name in ("dy", "dhn", "dcn")]

    def run() -> Any:
        cell.zero_grad()
        for tensor in inputs.values():
            tensor.grad = None
        h, c = inputs["h0"][0], inputs["c0"][0]
        outputs = []
        for t in range(case.T):
            h, c = cell(inputs["x"][t], (h, c))
            outputs.append(h)
        y = torch.stack(outputs)
        torch.autograd.backward([y, h[None], c[None]], cotangents)
        return y, h, c

    def results() -> dict[str, np.ndarray]:
        y, h, c = run()
        found = {"y": y, "hn": h[None], "cn": c[None]}
        found |= {f"d{name}": tensor.grad for name, tensor in inputs.items()}
        found |= {f"grad {n}_l0": p.grad for n, p in cell.named_parameters()}
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
