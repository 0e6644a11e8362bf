"""What a compiled function depends on, as a short text: equal texts, equal machine code.

Numba freezes into a function what its global names and closure held when it was compiled, and so on
through the functions it calls. All of that is read here from the live objects: bytecode, constants,
defaults, closures, globals. No source file is looked at, so that a comment, a docstring or the
place of a file changes nothing, and programs without ``.py`` files work as well.

Libraries count by name only: their versions belong into the key of whoever asks. So what a program
registers with numba for a library's functions and types (an ``overload`` of NumPy's, say) is not
seen; what it registers for functions of its own is.
"""

from __future__ import annotations

import contextlib
import dis
import enum
import functools
import hashlib
import importlib
import re
import sys
import types as pytypes
from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.typing.templates import builtin_registry
from numba.extending import _Intrinsic  # type: ignore[attr-defined]

__all__ = ["Fingerprints", "Unknown", "of_code", "of_modules", "of_types"]

_LIBRARIES = {"numba", "numpy", "llvmlite", "builtins", *sys.stdlib_module_names} - {"__main__"}
_PLAIN = (int, float, complex, str, bytes, type(None), type(Ellipsis))  # bool is an int
_FIRST_CONSTANT = [
    bytes([dis.opmap[name], 0]) for name in ("LOAD_CONST", "RETURN_CONST") if name in dis.opmap
]


class Unknown(TypeError):
    """Something that compiled code may depend on, and of which no stable text can be made."""


def _hash(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@functools.cache
def of_code(code: pytypes.CodeType) -> str:
    """A text for bytecode and the code within it, without names of files, lines and docstrings."""
    constants = [
        of_code(item) if isinstance(item, pytypes.CodeType) else _constant(item)
        for item in code.co_consts
    ]
    if constants and isinstance(code.co_consts[0], str) and not _reads_first(code.co_code):
        constants[0] = "docstring"
    return _hash(
        code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars,
        code.co_cellvars, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount,
        code.co_flags & _ARGUMENT_FLAGS, getattr(code, "co_exceptiontable", b""),
    )  # fmt: skip


_ARGUMENT_FLAGS = 0x04 | 0x08 | 0x20  # *args, **kwargs, generator


def _reads_first(instructions: bytes) -> bool:
    """Whether the first constant may be more than a docstring."""
    return any(load in instructions for load in _FIRST_CONSTANT)


def _constant(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_constant, value))
    if isinstance(value, frozenset):
        return "frozenset", sorted(repr(_constant(item)) for item in value)
    return type(value).__name__, repr(value)


def _names(code: pytypes.CodeType) -> set[str]:
    """All names that code and the code within it look up: of globals and of attributes."""
    found = set(code.co_names)
    for item in code.co_consts:
        if isinstance(item, pytypes.CodeType):
            found |= _names(item)
    return found


def of_modules(names: Iterable[str]) -> str:
    """A text for whole modules that were imported: their bytecode, or else their files.

    Raises
    ------
    Unknown
        If a module has neither.
    """
    return _hash(*((name, _of_module(name)) for name in sorted(names)))


@functools.cache
def _of_module(name: str) -> str:
    module = importlib.import_module(name)
    with contextlib.suppress(Exception):  # whatever a loader raises
        loader: Any = getattr(module.__spec__, "loader", None)  # a script has no __spec__
        if (code := loader.get_code(name)) is not None:
            return of_code(code)
    with contextlib.suppress(OSError), open(getattr(module, "__file__", None) or "", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
    raise Unknown(f"{name}, a module without bytecode that could be read")


def of_types(signature: Any) -> Any:
    """A text for the types of arguments; numba's own leaves out what the fields of tuples are."""
    if isinstance(signature, (tuple, list)):
        return tuple(map(of_types, signature))
    if isinstance(signature, types.BaseTuple):
        items: Any = signature
        kind: Any = getattr(signature, "instance_class", None)  # of a named tuple
        return kind and (_class_name(kind), kind._fields), [of_types(item) for item in items]
    return type(signature).__name__, repr(signature)


class Fingerprints:
    """Texts for Python functions: what compiling them would freeze into their code.

    Each function is read once, when it is first asked for, as numba freezes what it finds then.

    Parameters
    ----------
    by_name : tuple of str
        Packages of which, as of libraries, only the names of things count.
    """

    def __init__(self, by_name: tuple[str, ...] = ()) -> None:
        self._by_name = by_name
        self._done: dict[Any, str] = {}
        self._open: list[Any] = []
        self._reached = sys.maxsize  # how far out recursion led, by the place in _open

    def of(self, function: Any) -> str:
        """A text for a function: its code, defaults, closure and globals, and what they lead to.

        Raises
        ------
        Unknown
            If it reaches something that no stable text can be made of.
        """
        if function in self._done:
            return self._done[function]
        if function in self._open:
            place = self._open.index(function)
            self._reached = min(self._reached, place)
            return f"{len(self._open) - place} calls up"
        before, self._reached = self._reached, sys.maxsize
        place = len(self._open)
        self._open.append(function)
        try:
            text = _hash(of_code(function.__code__), *self._surroundings(function))
        finally:
            self._open.pop()
            inside, self._reached = self._reached, before
        if inside >= place:
            self._done[function] = text
        else:  # a part of a recursion: its text depends on where that was entered
            self._reached = min(before, inside)
        return text

    def forget_unfinished(self) -> None:
        """Be ready to read, in a child that was forked while another thread was in `of`."""
        self._open.clear()
        self._reached = sys.maxsize

    def _surroundings(self, function: Any) -> Any:
        names = _names(function.__code__)
        yield self._value(function.__defaults__, names)
        yield self._value(function.__kwdefaults__, names)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            try:
                yield name, self._value(cell.cell_contents, names)
            except ValueError:
                yield name, "empty"
        for name in sorted(names & function.__globals__.keys()):
            yield name, self._value(function.__globals__[name], names)

    def _value(self, value: Any, names: set[str]) -> Any:
        """What a name holds; of a module only its attributes in `names` count."""
        kind = type(value)
        if kind is bool or kind in _PLAIN:
            return kind.__name__, repr(value)
        if kind in (tuple, list):
            return kind.__name__, [self._value(item, names) for item in value]
        if kind in (set, frozenset):
            return kind.__name__, sorted(repr(self._value(item, names)) for item in value)
        if kind is dict:
            return "dict", [
                (self._value(key, names), self._value(item, names)) for key, item in value.items()
            ]
        if isinstance(value, Dispatcher):
            options = sorted(value.targetoptions.items())
            return "jit", self._value(options, names), self.of(value.py_func)
        if isinstance(value, pytypes.ModuleType):
            return self._module(value, names)
        if self._is_named(value):
            return "library", value.__module__, value.__qualname__
        if isinstance(value, pytypes.FunctionType):
            return "function", self.of(value), self._overloads(value)
        if isinstance(value, _Intrinsic):
            # What it emits may rest on what its module registers with numba.
            return "intrinsic", self.of(value._defn), _of_module(value.__module__)
        if isinstance(value, type):
            return self._class(value, names)
        return self._object(value, names)

    def _is_named(self, value: Any) -> bool:
        """Whether it is a library's function or class, which its name is enough for."""
        module = getattr(value, "__module__", None)
        named = isinstance(getattr(value, "__qualname__", None), str)
        return named and isinstance(module, str) and self._of_library(module)

    def _of_library(self, module: str) -> bool:
        package = module.partition(".")[0]
        return package in _LIBRARIES or any(
            module == name or module.startswith(f"{name}.") for name in self._by_name
        )

    def _module(self, module: pytypes.ModuleType, names: set[str]) -> Any:
        if self._of_library(module.__name__):
            return "module", module.__name__
        found = sorted(names & vars(module).keys())
        return "module", [(name, self._value(vars(module)[name], names)) for name in found]

    def _overloads(self, function: Any) -> list[str]:
        """What numba compiles in a function's stead: those registered by ``overload``."""
        found = []
        for held, kind in builtin_registry.globals:
            if held is function:
                for template in getattr(kind, "templates", ()):
                    of = getattr(template, "_overload_func", None)
                    found.append(self.of(of) if of else _of_module(template.__module__))
        return found

    def _class(self, kind: type, names: set[str]) -> Any:
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            defaults = self._value(getattr(kind, "_field_defaults", {}), names)
            return "named tuple", _class_name(kind), kind._fields, defaults
        if issubclass(kind, BaseException):
            return "exception", _class_name(kind)
        return "class", _class_name(kind), _of_module(kind.__module__)

    def _object(self, value: Any, names: set[str]) -> Any:
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            about = (value.dtype.str, value.dtype.descr, value.shape, value.flags.f_contiguous)
            return "array", about, hashlib.sha256(value.tobytes()).hexdigest()
        if isinstance(value, (np.generic, np.dtype)):
            return type(value).__name__, repr(value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            items = [self._value(item, names) for item in value]
            return self._class(type(value), names), items
        if isinstance(value, enum.Enum):
            return _class_name(type(value)), value.name, self._value(value.value, names)
        if isinstance(value, np.ufunc):
            return "ufunc", value.__name__
        text = repr(value)
        if isinstance(value, types.Type) and not re.search(r"\b0x[0-9a-f]+", text):
            return type(value).__name__, text
        raise Unknown(f"{type(value).__module__}.{type(value).__qualname__}: {text[:80]}")


def _class_name(kind: type) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__
