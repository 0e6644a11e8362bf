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
    figures = _gather()
    if as_json:
        print_json(figures)
        return
    width = max(map(len, figures)) + 2
    for name, value in figures.items():
        click.echo(f"{name:<{width}}{value}")


def _gather() -> dict[str, Any]:
    import platform

    from .. import __version__

    figures: dict[str, Any] = {
        "numba_lstm": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("numpy", "scipy", "numba", "llvmlite")},
        "platform": platform.platform(),
    }
    for name, tell in _TOLD.items():
        try:
            figures[name] = tell()
        except Exception as error:  # a broken installation is what bug reports are about
            figures[name] = f"failed: {one_line(error)}"
    return figures


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _target() -> Any:
    from .. import simd

    return simd.TARGET


def _threads() -> Any:
    from .. import threads

    return threads


def _cache_folder() -> str:
    from .. import jit

    return jit.cache_folder()


_TOLD: dict[str, Callable[[], Any]] = {
    "target_cpu": lambda: _target().cpu,
    "vector_bits": lambda: 8 * _target().vector_bytes,
    "vector_width": lambda: _target().lanes(4),
    "fma": lambda: _target().fma,
    "threads": lambda: _threads().get_num_threads(),
    "threading_layer": lambda: _threads().threading_layer(),
    "cache_folder": _cache_folder,
}
