"""ONNX's backend interface on `session`: what ``onnx.backend.test`` and its users call.

The names are those of ``onnx.backend.base.Backend``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .files import package
from .running import Session, session

__all__ = ["is_compatible", "prepare", "run_model", "run_node", "supports_device"]


class _Prepared:
    """A model ready to run, as ``onnx.backend.base.BackendRep``."""

    def __init__(self, made: Session) -> None:
        self._session = made

    def run(self, inputs: Any, **_: Any) -> tuple[Any, ...]:
        """Run it on inputs in their order, or by name; give its outputs, by name or in order."""
        from onnx.backend.base import namedtupledict

        names = [one.name for one in self._session.get_inputs()]
        if isinstance(inputs, Mapping):
            feeds = dict(inputs)
        else:
            if isinstance(inputs, np.ndarray):
                inputs = [inputs]
            if len(inputs) != len(names):
                raise ValueError(f"inputs: expected {len(names)} ({names}), got {len(inputs)}")
            feeds = dict(zip(names, inputs))
        outputs = [one.name for one in self._session.get_outputs()]
        return namedtupledict("Outputs", outputs)(*self._session.run(None, feeds))


def supports_device(device: str) -> bool:
    """Say whether a device such as "CPU" or "CUDA:1" can run models: the CPU alone.

    Parameters
    ----------
    device : str

    Returns
    -------
    bool
    """
    return device.partition(":")[0] == "CPU"


def is_compatible(model: Any, device: str = "CPU", **_: Any) -> bool:
    """Say whether a model can be prepared for a device.

    Parameters
    ----------
    model : onnx.ModelProto
    device : str

    Returns
    -------
    bool
    """
    return supports_device(device)


def prepare(model: Any, device: str = "CPU", **_: Any) -> Any:
    """Check a model and make it ready to run.

    Parameters
    ----------
    model : onnx.ModelProto
    device : str

    Returns
    -------
    object
        Its ``run(inputs)`` takes a list of arrays in the order of the graph's inputs, and gives a
        tuple of the outputs.

    Raises
    ------
    ImportError
        If the package onnx is absent.
    ValueError
        For another device, and as from `session`.
    onnx.checker.ValidationError
        If the model is not valid.
    """
    checker = package().checker
    _check_device(device)
    checker.check_model(model)
    return _Prepared(session(model))


def run_model(model: Any, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
    """Run a model once.

    Parameters
    ----------
    model : onnx.ModelProto
    inputs : sequence of array_like
        In the order of the graph's inputs.
    device : str
    **kwargs
        As for `prepare`.

    Returns
    -------
    tuple of numpy.ndarray

    Raises
    ------
    ImportError, ValueError, onnx.checker.ValidationError
        As from `prepare`, and as from a session's ``run``.
    """
    return prepare(model, device, **kwargs).run(inputs)


def run_node(
    node: Any,
    inputs: Sequence[Any],
    device: str = "CPU",
    outputs_info: Any = None,
    *,
    opset_version: int | None = None,
    **_: Any,
) -> tuple[Any, ...]:
    """Run a single node once.

    Parameters
    ----------
    node : onnx.NodeProto
    inputs : sequence of array_like
        One for each input that has a name.
    device : str
    outputs_info : sequence of (dtype, shape), optional
        Not needed.
    opset_version : int, optional
        Of the node's domain; the newest that onnx knows where not given.

    Returns
    -------
    tuple of numpy.ndarray

    Raises
    ------
    ImportError, ValueError, onnx.checker.ValidationError
        As from `run_model`.
    """
    package()
    from onnx import TypeProto, ValueInfoProto, defs, helper

    _check_device(device)
    names = list(dict.fromkeys(name for name in node.input if name))
    if len(inputs) != len(names):
        raise ValueError(f"inputs: expected {len(names)} ({names}), got {len(inputs)}")
    arrays = [np.asarray(value) for value in inputs]
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(one.dtype), one.shape)
        for name, one in zip(names, arrays)
    ]
    results = [ValueInfoProto(name=name, type=TypeProto()) for name in node.output if name]
    graph = helper.make_graph([node], "node", infos, results)
    version = defs.onnx_opset_version() if opset_version is None else opset_version
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(node.domain, version)])
    return _Prepared(session(model)).run(arrays)


def _check_device(device: str) -> None:
    if not supports_device(device):
        raise ValueError(f"device: expected CPU, got {device!r}")
