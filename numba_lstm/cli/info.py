"""``numba-lstm info``: what this installation runs on, for bug reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ._errors import one_line
from ._output import json_option, print_json


@click.command(help="Tell versions, the target CPU, its caches, threads, and what is kept where.")
@click.option(
    "--plans", "list_plans", is_flag=True, help="List the plans that were found by measurement."
)
@json_option
def info(list_plans: bool, as_json: bool) -> None:
    """Tell what runs here."""
    figures = {name: _value(find) for name, find in _FIGURES.items()}
    if list_plans:
        figures["plans"] = _value(_plans)
    if as_json:
        print_json(figures)
        return
    plans = figures.pop("plans") if list_plans else None
    width = max(map(len, figures)) + 2
    for name, value in figures.items():
        click.echo(f"{name:<{width}}{_caches_text(value) if name == 'caches' else value}")
    if isinstance(plans, list):
        _print_plans(plans)
    elif plans is not None:
        click.echo(f"{'plans':<{width}}{plans}")


def _caches_text(caches: Any) -> str:
    if not isinstance(caches, dict):
        return str(caches)
    l1d, l2, l3 = (f"{caches[level] >> 10} KB" for level in ("l1d", "l2", "l3"))
    told = "" if caches["told"] else " (the system does not tell)"
    return f"L1 {l1d} and L2 {l2} a core, L3 {l3} for {caches['l3_cpus']} CPUs{told}"


def _print_plans(plans: list[dict[str, Any]]) -> None:
    """A line for each, the columns under their names."""
    if not plans:
        click.echo("\nno plans yet: they are kept once they were found while the machine was quiet")
        return
    rows = [("sizes", "plan", "µs a step", "the rule's plan", "µs a step")]
    for one in plans:
        times = [f"{1e6 * one[name]:.2f}" for name in ("step_seconds", "rule_step_seconds")]
        rows.append((one["sizes"], one["plan"], times[0], one["rule"], times[1]))
    widths = [max(map(len, column)) for column in zip(*rows)]
    click.echo()
    for row in rows:
        click.echo("  ".join(f"{text:<{width}}" for text, width in zip(row, widths)).rstrip())


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


def _caches() -> dict[str, Any]:
    from ..system import caches

    return caches()._asdict()


def _tuning() -> bool:
    from ..plans.switch import get_tuning

    return get_tuning()


def _known_plans() -> int:
    from ..plans import store

    return len(store.entries())


def _plans_file() -> str:
    from ..plans import store

    return store.path() or "none (there is no home folder)"


def _plans() -> list[dict[str, Any]]:
    from ..plans import store

    return [
        {
            "sizes": key,
            "plan": known.plan,
            "step_seconds": known.time,
            "rule": known.rule,
            "rule_step_seconds": known.rule_time,
            "checks": known.checks,
        }
        for key, known in sorted(store.entries().items())
    ]


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
    "caches": _caches,
    "threads": _threads,
    "workers": _workers,
    "cache_folder": _cache_folder,
    "tuning": _tuning,
    "known_plans": _known_plans,
    "plans_file": _plans_file,
}
