"""A model made ready to run: read, local functions inlined, constants folded.

An input of the graph for which the file has a value need not be given. What depends on none of
these is folded once, and shared by the graphs in which some of them are given and some are not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import opsets
from .checking import check
from .constants import Constants
from .external import read_external
from .files import Source, read, replace, source_name
from .folding import fold
from .functions import inlined

__all__ = ["General", "Prepared", "opened", "prepared"]


class Prepared(NamedTuple):
    """A folded model, and its arrays, for which its initializers stand."""

    model: Any
    constants: Constants


def opened(path: Source) -> Any:
    """Read a model, with operators that ONNX's evaluator knows and without local functions."""
    model, name = read(path), source_name(path)
    check(model, name)
    read_external(model, name, name if isinstance(path, (str, os.PathLike)) else None)
    model = inlined(model, name)
    opsets.unify(model)
    return model


def prepared(path: Source) -> Prepared:
    """Read a model and fold it, each input that need not be given taken as a constant."""
    return General(opened(path), source_name(path), ()).without(())


class General:
    """A model in which what depends on no input is folded, the optional ones included.

    Parameters
    ----------
    model : onnx.ModelProto
        As `opened` gives it; not to be used any more.
    name : str
        What messages call it.
    optional : iterable of str
        The inputs that have a value in the file.

    Raises
    ------
    ValueError
        Naming the file, and the node or initializer that is wrong.
    """

    def __init__(self, model: Any, name: str, optional: Iterable[str]) -> None:
        self._name, self._optional = name, frozenset(optional)
        self._constants = Constants()
        self._model = self._folded(model, self._optional)

    def without(self, given: Iterable[str]) -> Prepared:
        """Fold the model in which these optional inputs have no value in the file."""
        if not self._optional:
            return Prepared(self._model, self._constants)
        model = type(self._model)()
        model.CopyFrom(self._model)
        kept = [one for one in model.graph.initializer if one.name not in given]
        replace(model.graph.initializer, kept)
        return Prepared(self._folded(model, frozenset()), self._constants)

    def _folded(self, model: Any, optional: frozenset[str]) -> Any:
        try:
            fold(model, self._name, self._constants, optional)
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None
        except RecursionError:
            raise ValueError(f"{self._name}: expected fewer graphs inside each other") from None
        # Protobuf frees what was taken out of a message with the message only.
        compact = type(model)()
        compact.CopyFrom(model)
        return compact
