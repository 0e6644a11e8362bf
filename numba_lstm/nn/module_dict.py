"""A dictionary of modules whose parameters are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .module import Module

__all__ = ["ModuleDict"]


class ModuleDict(Module):
    """Modules by name; torch.nn.ModuleDict's names.

    In a plain dictionary a module's parameters are not found by `parameters`, `state_dict` and the
    rest. A ModuleDict is no function: the module that holds it says how its modules are called.

    Parameters
    ----------
    modules : mapping of str to Module, or iterable of such pairs, optional
        In their order.

    Raises
    ------
    TypeError
        If a value is no Module, or a name is no text.
    KeyError
        If a name is empty, holds a dot, or is that of another attribute, such as "keys".

    Examples
    --------
    >>> from numba_lstm import nn
    >>> heads = nn.ModuleDict({"class": nn.Linear(4, 3), "value": nn.Linear(4, 1)})
    >>> list(heads), heads["value"]([[1.0, 2.0, 3.0, 4.0]]).shape
    (['class', 'value'], (1, 1))
    """

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        if modules is not None:
            self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Take in all modules of a mapping, or none of them on any error.

        Parameters
        ----------
        modules : mapping of str to Module, or iterable of such pairs

        Raises
        ------
        TypeError, KeyError
            As for the constructor.
        """
        found = _pairs(modules)
        for name, module in found.items():
            self._check(name, module)
        for name, module in found.items():
            setattr(self, name, module)

    def keys(self) -> list[str]:
        """Return the names, in order."""
        return [name for name, _ in self.named_children()]

    def values(self) -> list[Module]:
        """Return the modules, in order."""
        return [module for _, module in self.named_children()]

    def items(self) -> list[tuple[str, Module]]:
        """Return pairs of name and module, in order."""
        return list(self.named_children())

    def pop(self, key: str) -> Module:
        """Take a module out, and return it.

        Parameters
        ----------
        key : str

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        for name in self.keys():
            delattr(self, name)

    def __getitem__(self, key: str) -> Module:
        module = vars(self).get(key)
        if not isinstance(module, Module):
            raise KeyError(key)
        return module

    def __setitem__(self, key: str, module: Module) -> None:
        self._check(key, module)
        setattr(self, key, module)

    def __delitem__(self, key: str) -> None:
        self[key]  # raises where there is none
        delattr(self, key)

    def __contains__(self, key: object) -> bool:
        return isinstance(vars(self).get(str(key)), Module) and isinstance(key, str)

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def _check(self, key: Any, module: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"modules: expected names to be text, got {key!r}")
        if not isinstance(module, Module):
            raise TypeError(f"modules[{key!r}]: expected a Module, got {type(module).__name__}")
        if not key or "." in key:
            raise KeyError(f"modules: expected names without dots and not empty, got {key!r}")
        if key not in self and hasattr(self, key):
            raise KeyError(f"modules: expected another name than that of an attribute, got {key!r}")


def _pairs(modules: Any) -> dict[str, Module]:
    if isinstance(modules, ModuleDict):
        return dict(modules.items())
    try:
        return dict(modules)
    except (TypeError, ValueError):
        raise TypeError(
            f"modules: expected names and modules, got {type(modules).__name__}"
        ) from None
