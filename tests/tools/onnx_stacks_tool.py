"""Stacks of recurrent layers as exporters write them, with weights of a module of ours."""

from __future__ import annotations

from typing import Any

import numpy as np

ORDERS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


def node_arrays(module: Any, layer: int) -> dict[str, np.ndarray]:
    """A layer's W, R and B as ONNX has them."""
    kind = type(module).__name__
    parameters = {name: value.numpy() for name, value in module.named_parameters()}

    def of(name: str) -> np.ndarray:
        both = ("", "_reverse")[: 2 if module.bidirectional else 1]
        blocks = [np.split(parameters[f"{name}_l{layer}{s}"], module.GATES) for s in both]
        return np.stack([np.concatenate([b[k] for k in ORDERS[kind]]) for b in blocks])

    found = {"W": of("weight_ih"), "R": of("weight_hh")}
    if module.use_bias:
        found["B"] = np.concatenate([of("bias_ih"), of("bias_hh")], axis=1)
    return found


def stack_model(
    module: Any, *, states: str = "none", batch_first: bool = False, lengths: bool = False
) -> Any:
    """A model of a whole stack.

    `states` is "none", "inputs" (one for all layers, split) or "shape" (zeros made of x's shape).
    """
    from onnx import TensorProto, helper, numpy_helper

    make, info = helper.make_node, helper.make_tensor_value_info
    kind, layers = type(module).__name__, module.num_layers
    d, letters = (2 if module.bidirectional else 1), ("h", "c")[: len(module.STATES)]
    constants = {"axis1": [1], "zero": [0], "one": [1], "last": [0, 0, -1]}
    arrays = {name: np.array(value) for name, value in constants.items()}
    nodes, inputs = [], [info("x", TensorProto.FLOAT, ["N", "M", module.input_size])]
    x = "x"
    if batch_first:
        nodes.append(make("Transpose", ["x"], ["xt"], perm=[1, 0, 2]))
        x = "xt"
    for letter in letters:
        names = [f"{letter}0_{k}" for k in range(layers)]
        shape = [layers * d, "M" if not batch_first else "N", module.hidden_size]
        if states == "inputs":
            inputs.append(info(f"{letter}0", TensorProto.FLOAT, shape))
            arrays["parts"] = np.full(layers, d)
            nodes.append(make("Split", [f"{letter}0", "parts"], names, axis=0))
        elif states == "shape":
            arrays |= {"head": np.array([d]), "tail": np.array([module.hidden_size])}
            nodes += [
                make("Shape", [x], [f"shape_{letter}"]),
                make("Gather", [f"shape_{letter}", "one"], [f"batch_{letter}"]),
                make("Concat", ["head", f"batch_{letter}", "tail"], [f"all_{letter}"], axis=0),
            ]
            nodes += [make("ConstantOfShape", [f"all_{letter}"], [name]) for name in names]
    if lengths:
        inputs.append(info("lengths", TensorProto.INT64, ["M"]))
        nodes.append(make("Cast", ["lengths"], ["lens"], to=TensorProto.INT32))
    for layer in range(layers):
        own = node_arrays(module, layer)
        arrays |= {f"{name}{layer}": value for name, value in own.items()}
        given = [x, f"W{layer}", f"R{layer}", f"B{layer}" if "B" in own else ""]
        given += ["lens" if lengths else ""]
        given += [f"{letter}0_{layer}" for letter in letters if states != "none"]
        outputs = [f"raw{layer}", *(f"{letter}n_{layer}" for letter in letters)]
        options = {"linear_before_reset": int(module.reset_after)} if kind == "GRU" else {}
        nodes.append(
            make(kind, given, outputs, name=f"layer {layer}", hidden_size=module.hidden_size,
                 direction="bidirectional" if d == 2 else "forward", **options)
        )  # fmt: skip
        x = f"y{layer}"
        if d == 1:
            nodes.append(make("Squeeze", [f"raw{layer}", "axis1"], [x]))
        else:
            nodes.append(make("Transpose", [f"raw{layer}"], [f"t{layer}"], perm=[0, 2, 1, 3]))
            nodes.append(make("Reshape", [f"t{layer}", "last"], [x]))
    outputs = [x]
    if batch_first:
        nodes.append(make("Transpose", [x], ["yt"], perm=[1, 0, 2]))
        outputs = ["yt"]
    for letter in letters:
        names = [f"{letter}n_{layer}" for layer in range(layers)]
        nodes.append(make("Concat", names, [f"{letter}n"], axis=0))
        outputs.append(f"{letter}n")
    graph = helper.make_graph(
        nodes, "stack", inputs, [info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
