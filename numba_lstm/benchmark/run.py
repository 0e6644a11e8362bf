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
        {machine, threads, peak_gflops, bandwidth_gbs, versions, settings, skipped, busy, started,
        seconds, repeat, cases, geomean}, plain values for JSON. `cases` holds a record of each case
        and kind; see `records.record`.

    Raises
    ------
    PeerFailed
        If not even the machine's peak could be measured.
    """
    skipped = missing(peers)
    for name, reason in skipped.items():
        warn(f"{name} is left out: {reason}")
    watch, begin = Watch(), time.monotonic()
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    for warning in watch.at_start():
        warn(warning)
    engine = make_engine(
        [peer for peer in peers if peer.name not in skipped], threads, settings, say=say
    )
    bandwidth = engine.survey()
    runs: list[list[Measurement]] = []
    for _ in range(repeat):
        runs.append([])
        for case in cases:
            wanted = [kind for kind in case.kinds if kind in kinds]
            runs[-1] += engine.measure(case, wanted) if wanted else []
    busy = watch.finish(engine.peaks)
    for warning in busy["warnings"]:
        if warning not in watch.at_start():
            warn(warning)
    peak = max(engine.peaks)
    found = [
        records.record(one, peak, same)
        for one, same in zip(records.pooled(runs), zip(*runs, strict=True))
    ]
    ours = engine.about[OURS.name]
    return {
        "machine": describe(ours["machine"]),
        "threads": threads,
        "peak_gflops": peak,
        "bandwidth_gbs": bandwidth,
        "versions": {k: v for about in engine.about.values() for k, v in about["versions"].items()},
        "peer_settings": {
            name: about["settings"] for name, about in engine.about.items() if "settings" in about
        },
        "settings": asdict(settings),
        "skipped": skipped,
        "busy": busy,
        "started": started,
        "seconds": time.monotonic() - begin,
        "repeat": repeat,
        "cases": found,
        "geomean": records.geomeans(found),
    }
