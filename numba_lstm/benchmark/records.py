"""From measurements to the figures of the JSON: one record for each case and kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import ratios
from .cases import flops
from .engine import Measurement
from .isa import NATIVE
from .peers import OURS

__all__ = ["geomeans", "pooled", "record"]

_MIB = 2.0**20
_WITHOUT_FLOPS = ("cold", "memory")


def pooled(runs: Sequence[Sequence[Measurement]]) -> list[Measurement]:
    """Several runs of the same measurements as one, with the rounds of all of them."""
    together = []
    for same in zip(*runs, strict=True):
        one = Measurement(same[0].case, same[0].kind)
        for each in same:
            one.error = one.error or each.error
            one.quiet += each.quiet
            for peer, values in each.values.items():
                one.values.setdefault(peer, []).extend(values)
            for peer, details in each.details.items():
                for name, numbers in details.items():
                    one.details.setdefault(peer, {}).setdefault(name, []).extend(numbers)
        one.plans = same[-1].plans
        if one.error:
            one = Measurement(one.case, one.kind, error=one.error)
        together.append(one)
    return together


def record(
    one: Measurement,
    peak_gflops: float,
    repeats: Sequence[Measurement] = (),
    unheld: Iterable[str] = (),
) -> dict[str, Any]:
    """The JSON of a measurement.

    Parameters
    ----------
    one : Measurement
    peak_gflops : float
        Of the same run.
    repeats : sequence of Measurement
        The runs of which `one` is the sum, for a reader to see the noise.
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
    case = one.case
    about = {name: getattr(case, name) for name in ("cell", "T", "B", "I", "H", "layers")}
    about |= {name: getattr(case, name) for name in ("bidirectional", "vocab", "proj", "form")}
    head = {"name": case.name, "kind": one.kind, **about}
    if one.error is not None:
        return {**head, "error": one.error}
    ours = one.values[OURS.name]
    told = {name: _figures(one, name) for name in one.values}
    peers = {name: figures for name, figures in told.items() if name != OURS.name}
    for name in unheld:
        if name in peers:
            peers[name]["isa"] = NATIVE
    seconds = None if one.kind == "memory" else float(np.median(ours))
    gflops = fraction = None
    if one.kind not in _WITHOUT_FLOPS and seconds is not None:
        gflops = flops(case, one.kind) / seconds / 1e9
        fraction = gflops / peak_gflops
    found = {
        **head,
        "ours_ms": None if seconds is None else 1e3 * seconds,
        "gflops": gflops,
        "peak_fraction": fraction,
        "ours": told[OURS.name],
        "peers": peers,
        "ratio": {name: ratios.ratio(ours, one.values[name]) for name in peers},
        "interval": {name: list(ratios.interval(ours, one.values[name])) for name in peers},
        "rounds": len(ours),
    }
    if one.plans:
        found["plans"] = one.plans
    if one.kind == "memory":
        found["ours_mib"] = told[OURS.name]["mib"]
    if one.quiet and seconds is not None:
        quiet = float(np.median(one.quiet))
        found |= {"quiet_one_thread_ms": 1e3 * quiet, "busy_factor": seconds / quiet}
    if len(repeats) > 1:
        found["repeats"] = [_repeat(each) for each in repeats]
    return found


def _figures(one: Measurement, peer: str) -> dict[str, Any]:
    """Medians of one peer's rounds, in milliseconds and MiB."""
    middle = float(np.median(one.values[peer]))
    details = {name: float(np.median(n)) for name, n in one.details.get(peer, {}).items()}
    if one.kind == "memory":
        return {"mib": middle / _MIB, "before_mib": details["before"] / _MIB}
    figures: dict[str, Any] = {"ms": 1e3 * middle}
    if one.kind == "latency":
        figures |= {"p50_ms": 1e3 * middle, "p99_ms": 1e3 * details["p99"]}
    if one.kind == "cold":
        figures |= {f"{name}_ms": 1e3 * value for name, value in details.items()}
        if "first_with_compiling" in details:
            compiling = details["first_with_compiling"] - details["first"]
            figures["compile_ms"] = 1e3 * compiling
    return figures


def _repeat(one: Measurement) -> dict[str, Any]:
    if one.error is not None:
        return {"error": one.error}
    ours = one.values[OURS.name]
    unit = ("ours_mib", 1 / _MIB) if one.kind == "memory" else ("ours_ms", 1e3)
    return {
        unit[0]: unit[1] * float(np.median(ours)),
        "ratio": {
            name: ratios.ratio(ours, values)
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
