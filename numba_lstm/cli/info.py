"""``numba-lstm info``: what this installation runs on, for bug reports."""

from __future__ import annotations

from typing import Any

import click

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

    import llvmlite
    import numba
    import numpy
    import scipy

    from .. import __version__, jit, simd, threads

    return {
        "numba_lstm": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "platform": platform.platform(),
        "target_cpu": simd.TARGET.cpu,
        "vector_bits": 8 * simd.TARGET.vector_bytes,
        "vector_width": simd.TARGET.lanes(4),
        "fma": simd.TARGET.fma,
        "threads": threads.get_num_threads(),
        "threading_layer": threads.threading_layer(),
        "cache_folder": jit.cache_folder(),
    }
