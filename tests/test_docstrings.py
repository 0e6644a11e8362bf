"""Public docstrings name every argument, what is returned, and what may be raised."""

from __future__ import annotations

import inspect
import re
from types import FunctionType, ModuleType

from numba_lstm import (
    datasets,
    distributed,
    estimators,
    interop,
    losses,
    models,
    nn,
    optim,
    testing,
)

PUBLIC = [
    *(getattr(nn, name) for name in nn.__all__),
    *(getattr(models, name) for name in models.__all__),
    *(getattr(optim, name) for name in optim.__all__),
    *(getattr(distributed, name) for name in distributed.__all__),
    *(
        one
        for one in (getattr(datasets, name) for name in datasets.__all__)
        if not isinstance(one, ModuleType)
    ),
    datasets.baselines.linear,
    datasets.baselines.seasonal_naive,
    datasets.metrics,
    *(getattr(estimators, name) for name in estimators.__all__),
    losses,
    testing,
    interop.onnx.load,
    interop.onnx.save,
    interop.onnx.session,
    interop.npz,
    interop.safetensors,
    interop.weights,
]


def functions():
    """Yield (name, docstring, signature) of all that a user calls; a class documents `__init__`."""
    for one in PUBLIC:
        if isinstance(one, ModuleType):
            for name in one.__all__:
                yield f"{one.__name__}.{name}", getattr(one, name).__doc__, getattr(one, name)
        elif isinstance(one, type):
            if "__init__" in vars(one):
                yield one.__qualname__, one.__doc__, one.__init__
            for name, method in vars(one).items():
                public = not name.startswith("_") or name == "__call__"
                if public and isinstance(method, FunctionType):
                    yield method.__qualname__, method.__doc__, method
        else:
            yield one.__qualname__, one.__doc__, one


CLASSES = {one.__name__: one for one in PUBLIC if isinstance(one, type)}
FUNCTIONS = {name: (text, function) for name, text, function in functions()}


def source(function: FunctionType) -> str:
    """A function's source; that of a dataclass's `__init__` is generated, so its checks count."""
    if function.__code__.co_filename == "<string>":
        checks = getattr(CLASSES.get(function.__qualname__.split(".")[0]), "__post_init__", None)
        return inspect.getsource(checks) if checks else ""
    return inspect.getsource(function)


def section(text: str, title: str) -> str:
    found = re.search(rf"^ *{title}\n *-+\n(.*?)(?=^ *\w[\w ]*\n *---|\Z)", text, re.M | re.S)
    return found[1] if found else ""


def test_there_are_many():
    assert len(FUNCTIONS) > 100 and {"LSTM", "LSTM.vjp", "Adam", "Module.train"} < set(FUNCTIONS)


def test_every_argument_is_documented():
    missing = {name: undocumented(*about) for name, about in FUNCTIONS.items()}
    assert {name: words for name, words in missing.items() if words} == {}


def undocumented(text, function):
    """Arguments that a docstring does not name."""
    if not text:
        return ["no docstring"]
    signature = inspect.signature(function)
    takes = [p for p in list(signature.parameters) if p not in ("self", "args", "kwargs")]
    documented = section(text, "Parameters")
    heads = re.findall(r"^ *(\*{0,2}\w+(?:, \*{0,2}\w+)*) ?(?::|$)", documented, re.M)
    names = {one.lstrip("*") for head in heads for one in head.split(", ")}
    # A single argument may be told of in a sentence.
    missing = [p for p in takes if p not in names and f"`{p}`" not in text]
    same = re.search(r"Do the same|^As ``", text)
    return [] if same else missing


def test_what_is_raised_is_documented():
    asked, missing = 0, {}
    for name, (text, function) in FUNCTIONS.items():
        raised = set(re.findall(r"raise (\w+(?:Error|Warning)|Diverged)\b", source(function)))
        asked += len(raised)
        if words := [error for error in raised if error not in section(text, "Raises")]:
            missing[name] = words
    assert missing == {} and asked > 50
