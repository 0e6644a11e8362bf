"""Any ONNX graph run whole: recurrent nodes on this library's kernels, others on ONNX's NumPy."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...foreign import as_array
from ...quiet import without_errors
from . import opsets
from .evaluator import evaluator_class
from .files import Source, package, source_name
from .operators import NodeError, operators
from .preparing import General, Prepared, opened

__all__ = ["NodeArg", "Session", "session"]


# All that have a lock, for the child of a fork.
_alive: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    # If another thread held a lock, the child has no such thread that would release it.
    for one in _alive:
        one._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class NodeArg(NamedTuple):
    """An input or output of a graph, as onnxruntime tells it."""

    name: str
    shape: list[int | str | None]  # a name, or None, where the file fixes no length
    type: str  # such as tensor(float)


def session(path: Source) -> Session:
    """Make a graph ready to run.

    Parameters
    ----------
    path : path, bytes or onnx.ModelProto
        The file, or what stands in one.

    Returns
    -------
    Session

    Raises
    ------
    ImportError
        If the package onnx is absent.
    ValueError
        Naming the file, and the node and its input or attribute, where the file is damaged, a
        recurrent node's weights do not fit, or an operator is unknown to onnx.
    TypeError
        If `path` is none of these.
    OSError
        If the file cannot be read.
    """
    return Session(path)


class Session:
    """A graph that runs: onnxruntime's ``InferenceSession`` where its names matter.

    Parameters
    ----------
    path : path, bytes or onnx.ModelProto
        As for `session`.

    Raises
    ------
    ImportError, ValueError, TypeError, OSError
        As from `session`.

    Notes
    -----
    Constants are folded and the weights of recurrent nodes packed once, here. A run keeps nothing,
    so threads may share a session. An input that the file gives a value, too, need not be given.
    For each set of such inputs that are, the graph is made ready once more, at the first run; what
    does not depend on them, weights above all, is in memory once.

    For a sequence of length 0 the final states are the initial ones, as everywhere in this library;
    onnxruntime gives zeros.
    """

    def __init__(self, path: Source) -> None:
        package()
        name, model = source_name(path), opened(path)
        self._defaults = _defaults(model)
        self._general: General | None = General(model, name, self._defaults)
        del model
        self._others: dict[frozenset[str], Session] = {}
        self._lock = threading.Lock()
        _alive.add(self)
        self._start(name, self._general.without(()))
        if not self._defaults:
            self._general = None

    @classmethod
    def of(cls, name: str, ready: Prepared) -> Session:
        """Make a session of a model that is folded, and in which every input must be given."""
        made = cls.__new__(cls)
        made._defaults, made._general = {}, None
        made._start(name, ready)
        return made

    def _start(self, name: str, ready: Prepared) -> None:
        self._name, (model, constants) = name, ready
        versions = {one.domain: one.version for one in model.opset_import}
        new_ops = operators(constants) + opsets.operators(versions.get("", 0))
        try:
            self._evaluator: Any = evaluator_class(constants)(model, new_ops=new_ops)
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None
        except Exception as error:  # of an operator's class, in whatever way
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(
                f"{self._name}: this graph cannot run whole: {first} "
                "interop.onnx.load(path, node=NAME) gives a recurrent node's module"
            ) from None
        for array in self._evaluator.rt_inits_.values():
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        self._inputs = [_node_arg(one) for one in model.graph.input]
        self._outputs = [_node_arg(one) for one in model.graph.output]
        self._dtypes = {one.name: _dtype(one) for one in model.graph.input}

    def get_inputs(self) -> list[NodeArg]:
        """Give the graph's inputs: name, shape, type.

        Returns
        -------
        list of NodeArg
        """
        return list(self._inputs)

    def get_overridable_initializers(self) -> list[NodeArg]:
        """Give the inputs that need not be given, as the file has a value for each.

        Returns
        -------
        list of NodeArg
        """
        return list(self._defaults.values())

    def get_outputs(self) -> list[NodeArg]:
        """Give the graph's outputs: name, shape, type.

        Returns
        -------
        list of NodeArg
        """
        return list(self._outputs)

    @without_errors
    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any]) -> list[Any]:
        """Run the graph.

        Parameters
        ----------
        output_names : sequence of str or None
            Which outputs; None for all.
        input_feed : mapping of str to array_like
            Every input by name, and those that need not be given as wanted. Numbers are cast where
            no kind is lost: integers to floating point, not back.

        Returns
        -------
        list of numpy.ndarray
            The outputs in order, of memory of their own.

        Raises
        ------
        ValueError
            Naming the input that is absent, unknown or of another shape, an unknown output, or the
            node and the input where a recurrent node's do not fit; where ONNX's evaluator fails.
        TypeError
            Naming the input that is of another kind.
        """
        known = [one.name for one in self._outputs]
        for name in output_names or ():
            if name not in known:
                raise ValueError(f"output_names: expected some of {known}, got {name!r}")
        given = frozenset(name for name in self._defaults if name in input_feed)
        if given:
            return self._with(given).run(output_names, input_feed)
        feeds = self._feeds(input_feed)
        names = known if output_names is None else list(output_names)
        results = self._evaluated(names, feeds)
        return [_own(one, feeds.values()) for one in results]

    @without_errors
    def values(self, input_feed: Mapping[str, Any]) -> dict[str, Any]:
        """Run the graph and give every value in it by name.

        Parameters
        ----------
        input_feed : mapping of str to array_like
            As for `run`.

        Returns
        -------
        dict of str to numpy.ndarray
            Not to be written to.
        """
        return self._evaluated(None, self._feeds(input_feed), intermediate=True)

    def _evaluated(self, names: Any, feeds: Mapping[str, Any], **options: Any) -> Any:
        try:
            return self._evaluator.run(names, feeds, **options)
        except NodeError:
            raise
        except Exception as error:  # an operator of ONNX's, in whatever way
            raise ValueError(
                f"{self._name}: ONNX's evaluator cannot run it on these inputs: {error}"
            ) from error

    def _with(self, names: frozenset[str]) -> Session:
        """The session in which these inputs have no value in the file."""
        with self._lock:
            if names not in self._others:
                assert self._general is not None
                self._others[names] = Session.of(self._name, self._general.without(names))
            return self._others[names]

    def _feeds(self, given: Mapping[str, Any]) -> dict[str, Any]:
        names = [one.name for one in self._inputs]
        missing = [name for name in names if name not in given]
        unknown = [str(name) for name in given if name not in names]
        if missing or unknown:
            came = f"{missing} missing" if missing else f"{unknown}"
            raise ValueError(f"input_feed: expected {names}, got {came}")
        return {one.name: self._feed(one, given[one.name]) for one in self._inputs}

    def _feed(self, wanted: NodeArg, value: Any) -> Any:
        dtype = self._dtypes[wanted.name]
        if dtype is None:  # no tensor, or one of a type that NumPy lacks
            return value
        array = as_array(f"input {wanted.name!r}", value)
        if array.dtype != dtype:
            if dtype.kind != "O" and not np.can_cast(array.dtype, dtype, "same_kind"):
                raise TypeError(f"input {wanted.name!r}: expected {wanted.type}, got {array.dtype}")
            array = array.astype(dtype)
        shape = wanted.shape
        fits = len(array.shape) == len(shape) and all(
            not isinstance(want, int) or want == got for want, got in zip(shape, array.shape)
        )
        if shape and not fits:
            words = ", ".join("any" if one is None else str(one) for one in shape)
            raise ValueError(f"input {wanted.name!r}: expected shape ({words}), got {array.shape}")
        return array


def _defaults(model: Any) -> dict[str, NodeArg]:
    """The inputs that have a value in the file."""
    stored = {one.name for one in model.graph.initializer}
    # Before IR version 4 every initializer had to be an input, too.
    inputs = model.graph.input if model.ir_version >= 4 else ()
    return {one.name: _node_arg(one) for one in inputs if one.name in stored}


def _own(value: Any, feeds: Any) -> Any:
    """An output in C order that shares no memory with inputs or the graph's constants."""
    if not isinstance(value, np.ndarray):
        return value
    shared = not value.flags.writeable or any(
        isinstance(one, np.ndarray) and np.may_share_memory(value, one) for one in feeds
    )
    return value.copy() if shared or not value.flags.c_contiguous else value


def _node_arg(info: Any) -> NodeArg:
    kind, tensor = _tensor_type(info.type)
    shape: list[int | str | None] = []
    if tensor is not None:
        for dim in tensor.shape.dim:
            if dim.HasField("dim_value"):
                shape.append(dim.dim_value if dim.dim_value >= 0 else None)
            else:
                shape.append(dim.dim_param or None)
    return NodeArg(info.name, shape, kind)


def _tensor_type(proto: Any) -> tuple[str, Any]:
    """onnxruntime's name of a type, and its tensor part if it is one."""
    from onnx import TensorProto

    which = proto.WhichOneof("value")
    if which == "tensor_type":
        number = proto.tensor_type.elem_type
        word = TensorProto.DataType.Name(number).lower() if number else "undefined"
        return f"tensor({word})", proto.tensor_type
    if which in ("sequence_type", "optional_type"):
        word = "seq" if which == "sequence_type" else "optional"
        return f"{word}({_tensor_type(getattr(proto, which).elem_type)[0]})", None
    return "undefined" if which is None else which.removesuffix("_type"), None


def _dtype(info: Any) -> np.dtype | None:
    from onnx import TensorProto, helper

    number = info.type.tensor_type.elem_type
    if info.type.WhichOneof("value") != "tensor_type" or not number:
        return None
    if number == TensorProto.STRING:
        return np.dtype(object)
    return np.dtype(helper.tensor_dtype_to_np_dtype(number))
