"""onnxruntime on a model made of ONNX's own LSTM operator; imported by its worker only."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import Case
from .subject import Arrays, Subject, parameters

__all__ = ["about", "load", "prepare", "set_threads"]

_GATES = (0, 3, 1, 2)  # ONNX orders them i, o, f, g; torch i, f, g, o
_threads = 1


def load() -> None:
    """Import onnxruntime."""
    import onnxruntime  # noqa: F401


def set_threads(n: int) -> None:
    """Let sessions from now on run on `n` threads."""
    global _threads
    _threads = n


def about() -> dict[str, Any]:
    """Versions and settings."""
    import onnx
    import onnxruntime

    return {
        "versions": {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__},
        "settings": {
            "provider": "CPUExecutionProvider",
            "threads": _threads,
            "denormal_as_zero": True,
        },
    }


def prepare(case: Case, kind: str, arrays: Arrays) -> Subject:
    """Build a session with the given weights."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(
        _model(case, arrays).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {name: arrays[name] for name in ("x", "h0", "c0")}

    def run() -> Any:
        return session.run(None, feeds)

    def results() -> dict[str, np.ndarray]:
        y, *states = run()
        hn, cn = states[: case.layers], states[case.layers :]
        return {"y": y, "hn": np.concatenate(hn), "cn": np.concatenate(cn)}

    return Subject(run, results)


def _reordered(weights: list[np.ndarray]) -> np.ndarray:
    """One array for all directions, its gates in ONNX's order."""
    gates = [np.split(w, 4) for w in weights]
    return np.stack([np.concatenate([parts[g] for g in _GATES]) for parts in gates])


def _model(case: Case, arrays: Arrays) -> Any:
    """A graph of one LSTM node a layer. It gives y, then hn of each layer, then cn of each."""
    from onnx import TensorProto, helper, numpy_helper

    weights = parameters(arrays)
    suffixes = ("", "_reverse")[: case.directions]
    d, width = case.directions, case.directions * case.H
    constants: dict[str, np.ndarray] = {"y_shape": np.array([case.T, case.B, width])}
    nodes: list[Any] = []
    states: dict[str, list[str]] = {"hn": [], "cn": []}
    for name in ("h0", "c0"):
        outputs = [f"{name}_{layer}" for layer in range(case.layers)]
        constants["split"] = np.full(case.layers, d)
        nodes.append(helper.make_node("Split", [name, "split"], outputs, axis=0))
    for layer in range(case.layers):

        def of(kind: str, layer: int = layer) -> list[np.ndarray]:
            return [weights[f"{kind}_l{layer}{suffix}"] for suffix in suffixes]

        constants[f"W{layer}"] = _reordered(of("weight_ih"))
        constants[f"R{layer}"] = _reordered(of("weight_hh"))
        biases = (_reordered(of("bias_ih")), _reordered(of("bias_hh")))
        constants[f"B{layer}"] = np.concatenate(biases, axis=1)
        x = "x" if layer == 0 else f"y_{layer - 1}"
        y = "y" if layer == case.layers - 1 else f"y_{layer}"
        inputs = [x, *(f"{kind}{layer}" for kind in "WRB"), "", f"h0_{layer}", f"c0_{layer}"]
        outputs = [f"raw_{layer}", f"hn_{layer}", f"cn_{layer}"]
        direction = "bidirectional" if case.bidirectional else "forward"
        nodes.append(
            helper.make_node("LSTM", inputs, outputs, hidden_size=case.H, direction=direction)
        )
        # (T, D, B, H) to (T, B, D·H)
        last = outputs[0]
        if case.bidirectional:
            last = f"turned_{layer}"
            nodes.append(helper.make_node("Transpose", outputs[:1], [last], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [last, "y_shape"], [y]))
        states["hn"].append(outputs[1])
        states["cn"].append(outputs[2])

    def info(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    state = (case.layers * d, case.B, case.H)
    graph = helper.make_graph(
        nodes,
        "stack",
        [info("x", case.T, case.B, case.I), info("h0", *state), info("c0", *state)],
        [
            info("y", case.T, case.B, width),
            *(info(name, d, case.B, case.H) for name in states["hn"] + states["cn"]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
