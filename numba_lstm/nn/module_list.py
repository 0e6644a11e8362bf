"""A list of modules whose parameters are found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self, overload

from .module import Module
from .numbered import Numbered, as_modules

__all__ = ["ModuleList"]


class ModuleList(Numbered):
    """A list of modules; torch.nn.ModuleList's names.

    In a plain list a module's parameters are not found by `parameters`, `state_dict` and the rest.
    A ModuleList is no function: the module that holds it says how its modules are called.

    Parameters
    ----------
    modules : iterable of Module, optional
        Named "0", "1", … in this order.

    Raises
    ------
    TypeError
        If one is no Module.

    Examples
    --------
    >>> from numba_lstm import nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> layers.append(nn.ReLU())
    ModuleList(
      (0-2): 3 x Linear(in_features=4, out_features=4, bias=True)
      (3): ReLU()
    )
    >>> list(layers.state_dict())[:2]
    ['0.weight', '0.bias']
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        self._set_all(as_modules("modules", () if modules is None else modules))

    def append(self, module: Module) -> Self:
        """Put a module at the end.

        Parameters
        ----------
        module : Module

        Returns
        -------
        ModuleList
            Itself.

        Raises
        ------
        TypeError
            If it is no Module.
        """
        return self.insert(len(self), module)

    def extend(self, modules: Iterable[Module]) -> Self:
        """Put several modules at the end.

        Parameters
        ----------
        modules : iterable of Module

        Returns
        -------
        ModuleList
            Itself.

        Raises
        ------
        TypeError
            If one is no Module.
        """
        self._set_all([*self, *as_modules("modules", modules)])
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before that of a number; those from there on get the next numbers.

        Parameters
        ----------
        index : int
            As in a list: from 0, or negative from the end.
        module : Module

        Returns
        -------
        ModuleList
            Itself.

        Raises
        ------
        TypeError
            If it is no Module.
        """
        modules = self._list()
        modules[index:index] = [_checked(module)]
        self._set_all(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take a module out, and return it.

        Parameters
        ----------
        index : int
            As in a list; the last one where not given.

        Raises
        ------
        IndexError
            If there is none of that number.
        """
        modules = self._list()
        taken = modules.pop(index)
        self._set_all(modules)
        return taken

    @overload
    def __getitem__(self, key: int) -> Module: ...

    @overload
    def __getitem__(self, key: slice) -> ModuleList: ...

    def __getitem__(self, key: int | slice) -> Module:
        """Return a module, or for a slice a ModuleList of the same modules."""
        found = self._list()[key]
        return ModuleList(found) if isinstance(found, list) else found

    def __setitem__(self, index: int, module: Module) -> None:
        modules = self._list()
        modules[index] = _checked(module)
        self._set_all(modules)

    def __delitem__(self, key: int | slice) -> None:
        modules = self._list()
        del modules[key]
        self._set_all(modules)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *as_modules("modules", modules)])

    def __repr__(self) -> str:
        """Like torch's: neighbours that look alike are counted."""
        texts = [repr(module) for module in self]
        lines, first = [], 0
        for k, text in enumerate(texts):
            if k + 1 < len(texts) and texts[k + 1] == text:
                continue
            alike = k + 1 - first
            lines.append(f"({k}): {text}" if alike == 1 else f"({first}-{k}): {alike} x {text}")
            first = k + 1
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)" if lines else f"{type(self).__name__}()"


def _checked(module: Module) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"module: expected a Module, got {type(module).__name__}")
    return module
