"""Modules as graphs of ONNX: which function writes which class, what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...checks import flag
from ...nn.module import Module
from . import export_forecasters as forecasters
from . import export_layers as layers
from . import export_models as models
from . import export_recurrent as recurrent
from .export_graph import Graph, Shape, Value
from .export_recurrent import Outputs

__all__ = ["add", "add_module", "register"]


class _Kind(NamedTuple):
    """How modules of one class are written.

    Attributes
    ----------
    add : callable (graph, module, prefix, x) -> Value or Outputs
        Inside another module, or alone.
    size : callable (module) -> tuple of int
        The last sizes of its input; empty where it takes any, None where tokens.
    root : callable (graph, module) -> None, optional
        Alone: adds inputs and outputs, too.
    sequence : bool
        Whether its input has an axis of time.
    """

    add: Callable[..., Any] | None
    size: Callable[[Any], tuple[int, ...] | None]
    root: Callable[[Graph, Any], None] | None = None
    sequence: bool = False


def add_module(graph: Graph, module: Module) -> None:
    """Add a module, its inputs and its outputs to an empty graph.

    Raises
    ------
    TypeError, ValueError
        Naming the part of the module that ONNX has no place for, or the argument `shape`.
    """
    (_kind_of(module, "").root or _root)(graph, module)


def _recurrent_root(graph: Graph, module: Any, direction: str = "forward") -> None:
    x = _sequence(graph, module, (module.input_size,))
    if graph.options.states:
        initial = recurrent.states(graph, module, x)
        _give(graph, "y", recurrent.add_stack(graph, module, "", x, initial, direction))
    else:
        _give(graph, "y", recurrent.stack(graph, module, "", x, direction))


def _reverse_root(graph: Graph, module: Any) -> None:
    _recurrent_root(graph, module.module, "reverse")


def _cell_root(graph: Graph, module: Any) -> None:
    x = _input(graph, module, (module.input_size,), ("batch",))
    zeros = np.zeros((1, module.hidden_size))
    about = "The state before the step."
    initial = [recurrent.state(graph, name, zeros, x, 0, about) for name in module.STATES]
    for letter, value in zip("hc", recurrent.add_cell(graph, module, x, initial)):
        graph.output(letter, value, "The state after the step.")


def _language_model_root(graph: Graph, module: Any) -> None:
    turned = recurrent.batch_first(graph, module.stack)
    tokens = _input(graph, module, None, ("batch", "time") if turned else ("time", "batch"))
    _give(graph, "logits", models.language_model(graph, module, tokens))


def _classifier_root(graph: Graph, module: Any) -> None:
    x = _sequence(graph, module, (module.input_size,))
    _give(graph, "logits", models.encoder(graph, module, "", x))


def _whole_windows_root(graph: Graph, module: Any) -> None:
    """A linear forecaster, or several forecasters put together: without lengths."""
    features = _kind_of(module, "").size(module)
    first = module.members[0] if hasattr(module, "members") else module
    turned = recurrent.batch_first(graph, first)
    window = _window(module)
    steps = window or "time"
    x = _input(graph, module, features, ("batch", steps) if turned else (steps, "batch"))
    given = x.shape[1 if turned else 0]
    if isinstance(given, int) and given < window:
        raise ValueError(
            f"shape: expected at least window={window} steps, which a linear forecaster reads, got "
            f"{given}"
        )
    future = forecasters.future_of(graph, first, x)
    if first is module:
        y = forecasters.steps_ahead(graph, module, "", x, future)
    else:
        y = forecasters.combination(graph, module, x, future)
    _give(graph, "y", y)


def _window(module: Any) -> int:
    """The steps that a forecaster, or one of its members, cannot do without; 0 where none does."""
    members = getattr(module, "members", [module])
    return max(getattr(one, "window", 0) for one in members)


def _root(graph: Graph, module: Any) -> None:
    """Any module that takes one array, and lengths if one in it does."""
    kind = _kind_of(module, "")
    if _sequences(module):
        x = _sequence(graph, module, kind.size(module))
    else:
        x = _input(graph, module, kind.size(module), ("batch",))
    _give(graph, "y", _add(graph, module, "", x))


def _sequential(graph: Graph, module: Any, prefix: str, x: Value) -> Value | Outputs:
    """Each module reads what the one before gives; of a recurrent one that is y."""
    given: Value | Outputs = x
    for name, child in module.named_children():
        if isinstance(given, Outputs):
            given = given.y
        given = _add(graph, child, f"{prefix}{name}.", given)
    return given


def _sequential_size(module: Any) -> tuple[int, ...] | None:
    """That of the first module that has one."""
    for name, child in module.named_children():
        found = _kind_of(child, name).size(child)
        if found != ():
            return found
    return ()


def _inputs(module: Any) -> tuple[int, ...]:
    return (module.input_size,)


def _of_members(module: Any) -> tuple[int, ...]:
    """That of the first member; all must be of the kinds that a combination is written of."""
    written = [_KINDS[name] for name in _MEMBERS]
    for number, member in enumerate(module.members):
        if _kind_of(member, f"members.{number}") not in written:
            known = " or ".join(name.rpartition(".")[2] for name in _MEMBERS)
            raise TypeError(f"members.{number}: expected {known}, got {type(member).__name__}")
    return (module.members[0].input_size,)


def _any(module: Any) -> tuple[int, ...]:
    return ()


_STACK = _Kind(recurrent.stack, _inputs, _recurrent_root, True)
_CELL = _Kind(None, _inputs, _cell_root)
_KINDS = {
    "nn.lstm.LSTM": _STACK,
    "nn.gru.GRU": _STACK,
    "nn.rnn.RNN": _STACK,
    "interop.onnx.reverse.Reverse": _Kind(recurrent.reverse, _inputs, _reverse_root, True),
    "nn.lstm_cell.LSTMCell": _CELL,
    "nn.gru_cell.GRUCell": _CELL,
    "nn.rnn_cell.RNNCell": _CELL,
    "nn.linear.Linear": _Kind(layers.linear, lambda module: (module.in_features,)),
    "nn.embedding.Embedding": _Kind(layers.embedding, lambda module: None),
    "nn.layer_norm.LayerNorm": _Kind(layers.layer_norm, lambda module: module.normalized_shape),
    "nn.activations.ReLU": _Kind(layers.activation, _any),
    "nn.activations.Sigmoid": _Kind(layers.activation, _any),
    "nn.activations.Tanh": _Kind(layers.activation, _any),
    "nn.activations.Identity": _Kind(layers.identity, _any),
    "nn.softmax.Softmax": _Kind(layers.softmax, _any),
    "nn.dropout.Dropout": _Kind(layers.identity, _any),
    "nn.sequential.Sequential": _Kind(_sequential, _sequential_size),
    "models.language_model.LanguageModel": _Kind(None, lambda module: None, _language_model_root),
    "models.classifier.SequenceClassifier": _Kind(models.encoder, _inputs, _classifier_root, True),
    "models.regressor.SequenceRegressor": _Kind(models.encoder, _inputs, None, True),
    "models.forecaster.Forecaster": _Kind(forecasters.forecaster, _inputs, None, True),
    "models.linear_forecaster.LinearForecaster": _Kind(None, _inputs, _whole_windows_root),
    "models.combination.Combination": _Kind(None, _of_members, _whole_windows_root),
}

# What a Combination that is written may hold.
_MEMBERS = ("models.forecaster.Forecaster", "models.linear_forecaster.LinearForecaster")

# What `register` was told.
_REGISTERED: dict[type, _Kind] = {}


def register(
    cls: type,
    write: Callable[[Graph, Any, str, Value], Value],
    *,
    size: Callable[[Any], int] | None = None,
    sequence: bool = False,
) -> None:
    """Tell `save` how to write modules of a class of your own.

    Parameters
    ----------
    cls : type
        A subclass of `Module`. Its subclasses that keep its ``__call__`` are written so, too.
    write : callable (graph, module, prefix, x) -> value
        Adds to the graph what the module computes of the value `x` in evaluation, and gives the
        result. `prefix` stands before the names of its parameters, with its dot, or is empty.
        A value has a ``name`` and a ``shape``, in which words stand for lengths that vary. A graph
        has ``node(operator, inputs, shape, **attributes)`` for a node of one output,
        ``parameter(name, parameter)`` and ``constant(array, dtype)``, all of which give values.
        `add` writes a module that stands in this one.
    size : callable (module) -> int, optional
        The last size of its input. Without it `save` needs its argument `shape` where no other
        module tells.
    sequence : bool
        Whether its input is (T, B, …), and the graph has an input lengths, which recurrent modules
        in it read.

    Raises
    ------
    TypeError
        Naming the argument.

    Examples
    --------
    >>> class Scale(Module):
    ...     def __init__(self, factor):
    ...         self.factor = factor
    ...
    ...     def __call__(self, x):
    ...         return self.factor * x
    >>> def write_scale(graph, module, prefix, x):
    ...     factor = graph.constant(module.factor, graph.dtype)
    ...     return graph.node("Mul", [x, factor], x.shape)
    >>> register(Scale, write_scale)
    """
    if not (isinstance(cls, type) and issubclass(cls, Module)):
        raise TypeError(f"cls: expected a subclass of Module, got {cls!r}")
    for name, value in (("write", write), ("size", size)):
        if not (callable(value) or (name == "size" and value is None)):
            raise TypeError(f"{name}: expected a function, got {type(value).__name__}")
    last = _any if size is None else lambda module: (size(module),)
    _REGISTERED[cls] = _Kind(write, last, sequence=flag("sequence", sequence))


def add(graph: Graph, module: Module, prefix: str, x: Value) -> Value:
    """Write a module that stands in another one, for functions that `register` is given.

    Parameters
    ----------
    graph : Graph
    module : Module
        Of any class that `save` writes.
    prefix : str
        What stands before its parameters' names, with its dot: that of the other module, and the
        name that this one has there.
    x : Value
        What it reads.

    Returns
    -------
    Value
        What it gives; of a recurrent module y.

    Raises
    ------
    TypeError, ValueError
        As from `save`.
    """
    given = _add(graph, module, prefix, x)
    return given.y if isinstance(given, Outputs) else given


def _found(base: type) -> _Kind | None:
    name = f"{base.__module__}.{base.__qualname__}".removeprefix("numba_lstm.")
    return _REGISTERED.get(base) or _KINDS.get(name)


def _kind_of(module: Any, path: str) -> _Kind:
    """Find how a module is written.

    Raises
    ------
    TypeError
        If there is no way, naming where it stands.
    """
    where = path.rstrip(".") or "module"
    for base in type(module).__mro__:
        kind = _found(base)
        if kind is None:
            continue
        if _call_of(type(module)) is not _call_of(base):
            raise TypeError(
                f"{where}: expected {base.__name__}'s own __call__, got that of "
                f"{type(module).__name__}, which cannot be written as ONNX; "
                "interop.onnx.register takes a function that writes it"
            )
        return kind
    known = ", ".join(name.rpartition(".")[2] for name in _KINDS)
    raise TypeError(
        f"{where}: expected one of {known}, got {type(module).__name__}; "
        "interop.onnx.register takes a function that writes it"
    )


def _call_of(kind: type) -> Any:
    return kind.__call__  # type: ignore[operator]


def _add(graph: Graph, module: Any, prefix: str, x: Value) -> Value | Outputs:
    kind = _kind_of(module, prefix)
    where = prefix.rstrip(".")
    if kind.add is None:
        raise TypeError(
            f"{where}: expected a module that takes one array, got {type(module).__name__}"
        )
    tokens = x.name == "tokens"
    if (kind.size(module) is None) != tokens and kind.size(module) != ():
        raise TypeError(
            f"{where or 'module'}: expected {'tokens' if not tokens else 'floats'} before "
            f"{type(module).__name__}, got {'tokens' if tokens else 'floats'}"
        )
    return kind.add(graph, module, prefix, x)


# -- inputs and outputs ----------------------------------------------------------------------------


def _sequences(module: Module) -> list[Any]:
    """The modules in this one, it included, whose input has an axis of time.

    One of a class that cannot be written counts for none: if it is written all the same, it is by
    a function that `register` was given for the module around it.
    """
    kinds = ((one, map(_found, type(one).__mro__)) for one in module.modules())
    return [one for one, some in kinds if any(kind is not None and kind.sequence for kind in some)]


def _layout(graph: Graph, module: Module) -> bool:
    """Whether sequences are (B, T, …); all modules inside this one say the same."""
    found = {recurrent.batch_first(graph, one) for one in _sequences(module)}
    if len(found) > 1:
        raise ValueError("module: expected one batch_first of all its recurrent modules, got both")
    return found.pop()


def _sequence(graph: Graph, module: Any, features: tuple[int, ...] | None) -> Value:
    """The input of a recurrent module, with the lengths where they are asked for."""
    turned = _layout(graph, module)
    x = _input(graph, module, features, ("batch", "time") if turned else ("time", "batch"))
    if graph.options.lengths:
        recurrent.add_lengths(graph, x, turned)
    return x


def _input(graph: Graph, module: Any, features: tuple[int, ...] | None, axes: Shape) -> Value:
    """Add x, or tokens."""
    if features == () and graph.options.shape is None:
        raise ValueError(
            f"shape: expected that of x, as no module of this {type(module).__name__} tells its "
            "size, got None"
        )
    usual = (*axes, *(features or ()))
    shape = graph.options.shape or usual
    fits = shape[len(shape) - len(features or ()) :] == (features or ())
    if not fits or (len(axes) == 2 and len(shape) != len(usual)):
        raise ValueError(f"shape: expected ({', '.join(map(str, usual))}), got {shape}")
    if features is None:
        return graph.input("tokens", shape, "Token ids.", dtype=np.int64)
    return graph.input("x", shape, "The input.")


def _give(graph: Graph, name: str, given: Value | Outputs) -> None:
    """Add the outputs: y, or what else it is called, and the states of a recurrent module."""
    y, finals = given if isinstance(given, Outputs) else (given, [])
    graph.output(name, y, "The output.")
    for letter, layers_ in zip("hc", finals if graph.options.states else []):
        about = f"The final {letter} of each layer and direction."
        if len({one.shape for one in layers_}) == 1:
            rows = sum(int(one.shape[0]) for one in layers_)
            whole = graph.node("Concat", layers_, (rows, *layers_[0].shape[1:]), axis=0)
            graph.output(f"{letter}n", whole if len(layers_) > 1 else layers_[0], about)
            continue
        for layer, one in enumerate(layers_):
            graph.output(f"{letter}n_l{layer}", one, about)
