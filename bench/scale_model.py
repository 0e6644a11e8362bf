"""A cost model of data-parallel training on N nodes, from what is measured on one machine.

    python bench/scale_model.py                        # tables of docs/scale.md and the figure anew
    python bench/scale_model.py --check                # say what is not as recorded; exit code 1
    python bench/scale_model.py --measure              # measure all first: about five minutes
    python bench/scale_model.py --measure allreduce    # only this part of the record

Measured are the seconds of a language model's step by the number of rows, on all cores and on one
(`step_parts.py`), Allreduce between 2 and 4 ranks by size (`allreduce.py`), and whole steps on 1, 2
and 4 ranks, with which the model is compared. The record is written after each of them. The
equations are in `scale_cost.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from allreduce import SIZES
from scale_report import SECTIONS, draw
from table import with_table
from tools import ROOT, apart, describe, mpiexec, numbers, warn_if_busy

BENCH = ROOT / "bench"
# V,E,H,L,T, and the rows that are measured: the default of `train lm`, and the medium and the large
# model of Zaremba, Sutskever and Vinyals (2014), "Recurrent Neural Network Regularization".
MODELS = {
    "small": ([65, 128, 384, 1, 64], [1, 2, 4, 8, 16, 32, 64]),
    "medium": ([10000, 650, 650, 2, 35], [1, 2, 4, 8, 16, 32]),
    "large": ([10000, 1500, 1500, 2, 35], [1, 2, 4, 8, 16]),
}
PARTS = ("steps", "allreduce", "ranks")
RANKS = [2, 4]
ROWS = 16  # of all ranks together, where the model is compared


def _words(values: list[int]) -> str:
    return ",".join(map(str, values))


def _step_parts(model: list[int], rows: list[int], threads: int, seconds: float, ranks: int) -> Any:
    """What step_parts.py tells of a model on so many ranks."""
    words = [_words(model), "--rows", _words(rows), "--threads", threads, "--seconds", seconds]
    launcher = mpiexec(ranks) if ranks > 1 else ()
    return json.loads(apart(BENCH / "step_parts.py", *words, launcher=launcher))


def measure(part: str, given: argparse.Namespace) -> Iterator[tuple[list[str], Any]]:
    """Measure a part of the record; yield where in it each result belongs, and the result."""
    if part == "allreduce":
        for ranks in given.ranks:
            words = ["--seconds", given.seconds, "--sizes", _words(given.sizes)]
            told = apart(BENCH / "allreduce.py", *words, launcher=mpiexec(ranks))
            yield [part, str(ranks)], json.loads(told)
        return
    for name, (model, rows) in given.model or MODELS.items():
        if part == "steps":
            for kind, threads in (("node", given.cores), ("rank", 1)):
                yield [part, name, kind], _step_parts(model, rows, threads, given.seconds, 1)
        else:
            for ranks in (1, *given.ranks):
                threads = max(1, given.cores // ranks)
                told = _step_parts(model, [ROWS], threads, 4 * given.seconds, ranks)
                yield [part, name, str(ranks)], told


def read(file: Path) -> dict[str, Any]:
    """The record so far."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def keep(file: Path, place: list[str], value: Any) -> None:
    """Set a value in a record of records, and the machine that it is of."""
    record = read(file) | describe()
    within = record
    for key in place[:-1]:
        within = within.setdefault(key, {})
    within[place[-1]] = value
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def pages(record: dict[str, Any], page: str) -> str:
    """The page with all tables of the record."""
    for name, table in SECTIONS.items():
        begin, end = f"<!-- {name}: python bench/scale_model.py -->", f"<!-- end of {name} -->"
        page = with_table(page, table(record), begin, end)
    return page


def _model(text: str) -> tuple[str, tuple[list[int], list[int]]]:
    """``NAME=V,E,H,L,T:ROWS,...``."""
    name, _, rest = text.partition("=")
    sizes, _, rows = rest.partition(":")
    return name, (numbers(sizes), numbers(rows))


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("machine", nargs="?", default="zen4-2cores", metavar="MACHINE")
    options.add_argument("--measure", nargs="*", choices=PARTS, metavar="PART")
    options.add_argument("--check", action="store_true", help="write nothing")
    options.add_argument("--seconds", type=float, default=0.7, help="for each figure")
    options.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="of a node")
    options.add_argument(
        "--model", action="append", type=_model, metavar="NAME=V,E,H,L,T:ROWS,...", help="others"
    )
    options.add_argument("--ranks", type=numbers, default=RANKS, help="beside one", metavar="N,N")
    options.add_argument("--sizes", type=numbers, default=SIZES, help="of Allreduce, in bytes")
    options.add_argument("--json", type=Path, metavar="FILE", help="the record")
    options.add_argument("--plot", type=Path, metavar="FILE.png")
    options.add_argument("--page", type=Path, default=ROOT / "docs" / "scale.md", metavar="FILE")
    given = options.parse_args()
    file = given.json or BENCH / "results" / f"{given.machine}-scale.json"
    if given.measure is not None:
        warn_if_busy()
        for part in given.measure or PARTS:
            for place, told in measure(part, given):
                keep(file, place, told)
                print("measured", *place, flush=True)
    record = read(file)
    if missing := [part for part in PARTS if part not in record]:
        sys.exit(f"{file}: no {', '.join(missing)}; --measure measures")
    old = given.page.read_text(encoding="utf-8")
    new = pages(record, old)
    if given.check:
        sys.exit(f"{given.page}: not as recorded; run {Path(__file__).name}" if new != old else 0)
    given.page.write_text(new, encoding="utf-8")
    draw(record, str(given.plot or BENCH / "results" / f"{given.machine}-scale.png"))


if __name__ == "__main__":
    main()
