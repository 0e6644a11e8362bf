"""``numba-lstm info``: what this installation runs on, for bug reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ._errors import one_line
from ._output import json_option, print_json


@click.command(help="Tell versions, the target CPU, threads and where kernels are kept.")
@json_option
def info(as_json: bool) -> None:
    """Tell what runs here."""
    figures = {name: _value(find) for name, find in _FIGURES.items()}
    if as_json:
        print_json(figures)
        return
    width = max(map(len, figures)) + 2
    for name, value in figures.items():
        click.echo(f"{name:<{width}}{value}")


def _value(find: Callable[[], Any]) -> Any:
    """A figure; or, as a bug report is most needed where something is broken, what is wrong."""
    try:
        return find()
    except Exception as error:
        return f"unknown ({one_line(error)})"


def _version(name: str) -> Callable[[], Any]:
    def find() -> Any:
        from importlib import import_module

        return import_module(name).__version__

    return find


def _python() -> str:
    import platform

    return platform.python_version()


def _platform() -> str:
    import platform

    return platform.platform()


def _target(find: Callable[[Any], Any]) -> Callable[[], Any]:
    def found() -> Any:
        from ..simd import TARGET

        return find(TARGET)

    return found


def _threads() -> int:
    from ..threads import get_num_threads

    return get_num_threads()


def _workers() -> int:
    """How many threads help the calling one: one less than there are threads, where all is well."""
    from .. import parts  # noqa: F401 (it tells workers what to do)
    from ..threads import get_num_threads
    from ..workers import count

    return count(get_num_threads())


def _cache_folder() -> str:
    from ..compile_cache import cache_folder

    return cache_folder() or "none (there is no home folder)"


_FIGURES: dict[str, Callable[[], Any]] = {
    "numba_lstm": _version("numba_lstm"),
    "python": _python,
    "numpy": _version("numpy"),
    "scipy": _version("scipy"),
    "numba": _version("numba"),
    "llvmlite": _version("llvmlite"),
    "platform": _platform,
    "target_cpu": _target(lambda target: target.cpu),
    "vector_bits": _target(lambda target: 8 * target.vector_bytes),
    "vector_width": _target(lambda target: target.lanes(4)),
    "fma": _target(lambda target: target.fma),
    "threads": _threads,
    "workers": _workers,
    "cache_folder": _cache_folder,
}
