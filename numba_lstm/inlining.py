"""Kernels without machine code of their own: they are compiled into what calls them only.

Numba makes every function ready to be called from Python. For the kernels, which never are, that
was two fifths of the time that compiling took.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from numba import _dynfunc  # type: ignore[attr-defined]
from numba.core import codegen
from numba.core.cpu import CPUContext

__all__ = ["intermediate_only"]


def _stays_intermediate(library: Any) -> None:
    library._finalized = True


def _not_callable(context: Any, library: Any, fndesc: Any, env: Any) -> Any:
    """What numba knows the function by; its address is null."""
    name = fndesc.qualname.split(".")[-1]
    return _dynfunc.make_function(fndesc.lookup_module(), name, "inlined", 0, env, (library,))


# By their names in numba 0.61 to 0.68; in another, kernels are compiled as everything is.
_REPLACED: tuple[tuple[Any, str, Any], ...] = (
    (getattr(codegen, "JITCodeLibrary", None), "_finalize_final_module", _stays_intermediate),
    (CPUContext, "get_executable", _not_callable),
)


@contextlib.contextmanager
def intermediate_only() -> Iterator[None]:
    """Within it what numba compiles stays LLVM's intermediate code; hold numba's compiler lock."""
    if any(getattr(owner, name, None) is None for owner, name, _ in _REPLACED):
        yield
        return
    originals = [getattr(owner, name) for owner, name, _ in _REPLACED]
    for owner, name, other in _REPLACED:
        setattr(owner, name, other)
    try:
        yield
    finally:
        for (owner, name, _), original in zip(_REPLACED, originals):
            setattr(owner, name, original)
