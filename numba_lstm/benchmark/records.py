"""From measurements to the figures of the JSON: one record for each case and kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from . import ratios
from .cases import flops
from .engine import Measurement
from .isa import NATIVE
from .peers import OURS

__all__ = ["geomeans", "record"]

_MIB = 2.0**20
_WITHOUT_FLOPS = ("cold", "memory")


def record(
    runs: Sequence[Measurement], peak_gflops: float, unheld: Iterable[str] = ()
) -> dict[str, Any]:
    """The JSON of a measurement.

    Parameters
    ----------
    runs : sequence of Measurement
        The same one, once or several times. Figures are geometric means of the runs' medians; each
        run's own are told, too, for a reader to see the noise.
    peak_gflops : float
        Of these runs.
    unheld : iterable of str
        Peers that were not held to the run's instruction set: ``peers.….isa`` is then "native".

    Returns
    -------
    dict
        {name, kind, cell, T, B, I, H, layers, bidirectional, vocab, proj, form, ours_ms, gflops,
        peak_fraction, ours, peers, ratio, interval}. For "memory" there are ``ours_mib`` and
        ``peers.….mib``, and the ratio is one of memory. Beside busy loops there are
        ``quiet_one_thread_ms`` and ``busy_factor``, ours_ms divided by that. With an error there
        are no figures.
    """
    first = runs[0]
    case, kind = first.case, first.kind
    about = {name: getattr(case, name) for name in ("cell", "T", "B", "I", "H", "layers")}
    about |= {name: getattr(case, name) for name in ("bidirectional", "vocab", "proj", "form")}
    head = {"name": case.name, "kind": kind, **about}
    for one in runs:
        if one.error is not None:
            return {**head, "error": one.error}
    values = {name: [one.values[name] for one in runs] for name in first.values}
    ours = values[OURS.name]
    told = {name: _figures(runs, name) for name in values}
    peers = {name: figures for name, figures in told.items() if name != OURS.name}
    for name in unheld:
        if name in peers:
            peers[name]["isa"] = NATIVE
    seconds = None if kind == "memory" else ratios.middle(ours)
    gflops = fraction = None
    if kind not in _WITHOUT_FLOPS and seconds is not None:
        gflops = flops(case, kind) / seconds / 1e9
        fraction = gflops / peak_gflops
    found = {
        **head,
        "ours_ms": None if seconds is None else 1e3 * seconds,
        "gflops": gflops,
        "peak_fraction": fraction,
        "ours": told[OURS.name],
        "peers": peers,
        "ratio": {name: ratios.ratio(ours, values[name]) for name in peers},
        "interval": {name: list(ratios.interval(ours, values[name])) for name in peers},
        "rounds": sum(map(len, ours)),
    }
    if runs[-1].plans:
        found["plans"] = runs[-1].plans
    if kind == "memory":
        found["ours_mib"] = told[OURS.name]["mib"]
    if first.quiet and seconds is not None:
        quiet = ratios.middle([one.quiet for one in runs])
        found |= {"quiet_one_thread_ms": 1e3 * quiet, "busy_factor": seconds / quiet}
    if len(runs) > 1:
        found["repeats"] = [_repeat(each) for each in runs]
    return found


def _figures(runs: Sequence[Measurement], peer: str) -> dict[str, Any]:
    """One peer's figures, in milliseconds and MiB."""
    kind = runs[0].kind
    middle = ratios.middle([one.values[peer] for one in runs])
    details = {
        name: ratios.middle([one.details[peer][name] for one in runs])
        for name in runs[0].details.get(peer, {})
    }
    if kind == "memory":
        return {"mib": middle / _MIB, "before_mib": details["before"] / _MIB}
    figures: dict[str, Any] = {"ms": 1e3 * middle}
    if kind == "latency":
        figures |= {"p50_ms": 1e3 * middle, "p99_ms": 1e3 * details["p99"]}
    if kind == "cold":
        figures |= {f"{name}_ms": 1e3 * value for name, value in details.items()}
        if "first_with_compiling" in details:
            compiling = details["first_with_compiling"] - details["first"]
            figures["compile_ms"] = 1e3 * compiling
    return figures


def _repeat(one: Measurement) -> dict[str, Any]:
    ours = [one.values[OURS.name]]
    unit = ("ours_mib", 1 / _MIB) if one.kind == "memory" else ("ours_ms", 1e3)
    return {
        unit[0]: unit[1] * ratios.middle(ours),
        "ratio": {
            name: ratios.ratio(ours, [values])
            for name, values in one.values.items()
            if name != OURS.name
        },
    }


def geomeans(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The geometric mean of the ratios, {kind: {peer: mean}}, of the cases without an error.

    A peer that was not held to the run's instruction set has none.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for one in records:
        for peer, ratio in one.get("ratio", {}).items():
            if "isa" in one["peers"][peer]:
                continue
            found.setdefault(one["kind"], {}).setdefault(peer, []).append(ratio)
    return {
        kind: {peer: ratios.geometric_mean(values) for peer, values in peers.items()}
        for kind, peers in found.items()
    }
