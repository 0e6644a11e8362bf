"""A whole run, as one JSON object."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from . import records
from .cases import KINDS, Case
from .engine import FULL, Engine, Measurement, Settings
from .isa import find, held
from .machine import Watch, describe
from .peers import OURS, Peer, missing

__all__ = ["run"]


def run(
    cases: Sequence[Case],
    peers: Sequence[Peer],
    threads: int,
    settings: Settings = FULL,
    *,
    kinds: Sequence[str] = KINDS,
    repeat: int = 1,
    say: Callable[[str], Any] = lambda text: None,
    warn: Callable[[str], Any] = lambda text: None,
    make_engine: Callable[..., Engine] = Engine,
) -> dict[str, Any]:
    """Measure cases, all of them `repeat` times.

    Returns
    -------
    dict
        {machine, isa, threads, busy_loops, peak_gflops, bandwidth_gbs, versions, peer_settings,
        environment, unheld, settings, skipped, busy, started, seconds, repeat, cases, geomean},
        plain values for JSON. `environment` is what each peer was told, `unheld` names the peers
        that were not held to ``isa``. `cases` holds a record of each case and kind; see
        `records.record`.

    Raises
    ------
    ValueError
        If the machine lacks the instruction set.
    PeerFailed
        If not even the machine's peak could be measured.
    """
    isa = find(settings.isa)
    skipped = missing(peers)
    for name, reason in skipped.items():
        warn(f"{name} is left out: {reason}")
    watch, begin = Watch(), time.monotonic()
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    for warning in watch.at_start():
        warn(warning)
    there = [peer for peer in peers if peer.name not in skipped]
    engine = make_engine(there, threads, settings, say=say)
    bandwidth = engine.survey()
    runs: list[list[Measurement]] = []
    for _ in range(repeat):
        runs.append([])
        for case in cases:
            wanted = [kind for kind in case.kinds if kind in kinds]
            runs[-1] += engine.measure(case, wanted) if wanted else []
    noticed = watch.finish(engine.peaks)
    for warning in noticed["warnings"]:
        if warning not in watch.at_start():
            warn(warning)
    peak = max(engine.peaks)
    unheld = [peer.name for peer in there if not held(isa, peer)]
    found = [records.record(same, peak, unheld) for same in zip(*runs, strict=True)]
    ours = engine.about[OURS.name]
    return {
        "machine": describe(ours["machine"]),
        "isa": settings.isa,
        "threads": threads,
        "busy_loops": settings.busy,
        "peak_gflops": peak,
        "bandwidth_gbs": bandwidth,
        "versions": {k: v for about in engine.about.values() for k, v in about["versions"].items()},
        "peer_settings": {
            name: about.get("settings", {})
            for name, about in engine.about.items()
            if name != OURS.name
        },
        "environment": engine.environments,
        "unheld": unheld,
        "settings": asdict(settings),
        "skipped": skipped,
        "busy": noticed,
        "started": started,
        "seconds": time.monotonic() - begin,
        "repeat": repeat,
        "cases": found,
        "geomean": records.geomeans(found),
    }
