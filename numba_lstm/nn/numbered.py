"""Modules named "0", "1", …: what Sequential and ModuleList share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .module import Module

__all__ = ["Numbered", "as_modules"]


class Numbered(Module):
    """A module whose submodules are numbered."""

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._list())

    def _list(self) -> list[Module]:
        return [module for _, module in self.named_children()]

    def _set_all(self, modules: Iterable[Module]) -> None:
        """Replace all submodules by these."""
        for name, _ in list(self.named_children()):
            delattr(self, name)
        for k, module in enumerate(modules):
            setattr(self, str(k), module)


def as_modules(name: str, values: Any) -> list[Module]:
    """Check a list of modules.

    Raises
    ------
    TypeError
        Naming the argument, or its first item that is no Module.
    """
    if isinstance(values, Module) and not isinstance(values, Numbered):
        raise TypeError(f"{name}: expected an iterable of Module, got one {type(values).__name__}")
    try:
        listed = list(values)
    except TypeError:
        came = type(values).__name__
        raise TypeError(f"{name}: expected an iterable of Module, got {came}") from None
    for k, module in enumerate(listed):
        if not isinstance(module, Module):
            came = type(module).__name__
            raise TypeError(f"{name}[{k}]: expected a Module, got {came}")
    return listed
