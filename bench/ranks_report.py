"""Write the tables of records of ranks anew: of distributed.py, and of overlap.py.

    python bench/ranks_report.py             # all of them
    python bench/ranks_report.py --check     # say what is not as recorded; exit code 1

A page's marks say which machine's record stands between them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any

from scale_cost import NETWORKS, allreduce, hidden
from scale_report import markdown, milliseconds
from table import with_table, write_pages

__all__ = ["beside_table", "lost_table", "overlap_table", "with_tables"]

ROOT = Path(__file__).resolve().parent.parent
Record = dict[str, Any]
# The parts of a step in a record of distributed.py, and what the page calls them.
PARTS = {
    "gradients": "forward and backward pass",
    "norm": "the gradient's norm",
    "update": "update",
    "waiting": "waiting for the other rank",
    "summing": "looking for NaN, Allreduce, a message of a few numbers",
    "rest": "the rest: batches, log, the loop",
    "step": "a step",
}


def _machine(record: Record) -> str:
    about = record["machine"]
    return f"{about['cpu']} ({about['target_cpu']}), {about['cpus']} cores"


def ratios(record: Record, kind: str) -> list[float]:
    """Of each turn, the tokens a second of a kind of training over those of one process."""
    runs = zip(record["runs"][kind], record["runs"]["1 x 2"])
    return [one["tokens_per_second"] / alone["tokens_per_second"] for one, alone in runs]


def beside_table(record: Record) -> str:
    """Tokens a second and losses of ranks beside one process of two threads."""
    head = ["ranks × threads", "tokens/s", "of one process, turn by turn", "geometric mean"]
    head += ["validation loss", "beside one process"]
    alone = record["runs"]["1 x 2"]
    lines = []
    for kind, runs in record["runs"].items():
        if not runs or " x " not in kind:
            continue
        of = ratios(record, kind)
        rate = geometric_mean(one["tokens_per_second"] for one in runs)
        beside = fmean(one["val_loss"] - two["val_loss"] for one, two in zip(runs, alone))
        turns, mean = ("", "1") if kind == "1 x 2" else (_turns(of), f"{geometric_mean(of):.3f}")
        loss = fmean(one["val_loss"] for one in runs)
        cells = [kind.replace("x", "×"), f"{rate:,.0f}", turns, mean, f"{loss:.4f}"]
        lines.append([*cells, f"{beside:+.4f}" if turns else ""])
    about = f"{_machine(record)}; {len(alone)} turns of {record['steps']} steps of "
    return f"{about}{record['rows']} rows:\n\n{markdown(head, lines)}"


def _turns(of: list[float]) -> str:
    return ", ".join(f"{one:.3f}" for one in of)


def lost_table(record: Record) -> str:
    """Milliseconds of each part of a step, and where two ranks lose time: columns add up."""
    half = f"{record['rows'] // 2} rows on one thread, alone"
    head = ["part of a step, ms", "1 × 2", half, "2 × 1"]
    head += ["lost by half the rows", "lost beside the other rank", "together"]
    lines = []
    for part, name in PARTS.items():
        kinds = ("1 x 2", "half of it on 1", "2 x 1")
        threads, alone, ranks = (fmean(r[part] for r in record["runs"][kind]) for kind in kinds)
        cells = [f"{ms:.2f}" for ms in (threads, alone, ranks)]
        lost = [f"{ms:+.2f}" for ms in (alone - threads, ranks - alone, ranks - threads)]
        lines.append([name, *cells, *lost])
    return markdown(head, lines)


def overlap_table(record: Record) -> str:
    """A sum after the backward pass beside one in parts meanwhile, and what could be hidden."""
    network = NETWORKS[0]
    head = ["model", "gradients", "no sum, ms", "one message", "a message a layer, meanwhile"]
    head += ["from the first gradients to the last, ms", "sum, ms", "of it hidden at most"]
    head += [f"sum on {network.name}, ms", "of it hidden at most"]
    lines = []
    for one in record["overlap"]:
        layers = [(layer["ms"], layer["bytes"]) for layer in one["layers"]]
        size = sum(some for _, some in layers)
        sums = [one["sum_ms"], 1e3 * allreduce(record["ranks"], size, network)]
        cells = [one["name"], f"{size / 1e6:.3g} MB"]
        cells += [milliseconds(one["ms"][kind]) for kind in one["ms"]]
        cells.append(milliseconds(layers[-1][0] - layers[0][0]))
        for taken in sums:
            cells += [milliseconds(taken), f"{100 * hidden(layers, taken) / taken:.0f} %"]
        lines.append(cells)
    about = f"{_machine(record)}; {record['ranks']} ranks of one thread, {record['rows']} rows in "
    return f"{about}all:\n\n{markdown(head, lines)}"


# Of each page the tables that it has, and which records they are of.
PAGES: dict[str, dict[str, tuple[str, Callable[[Record], str]]]] = {
    "docs/scale.md": {
        "ranks beside threads": ("distributed", beside_table),
        "lost where": ("distributed", lost_table),
    },
    "docs/howto/distributed.md": {"overlap": ("overlap", overlap_table)},
}


def with_tables(page: str, tables: dict[str, Any], results: Path) -> str:
    """The page with its tables, each from the record of the machine that its mark names."""
    for name, (kind, table) in tables.items():
        begin = re.search(rf"<!-- {name}: python bench/ranks_report.py, (\S+) -->", page)
        if begin is None:
            sys.exit(f"no mark of {name}")
        record = json.loads((results / f"{begin[1]}-{kind}.json").read_text(encoding="utf-8"))
        page = with_table(page, table(record), begin[0], f"<!-- end of {name} -->")
    return page


def main() -> None:
    results = ROOT / "bench" / "results"
    write_pages(
        __doc__, "ranks_report.py", PAGES, lambda page, tables: with_tables(page, tables, results)
    )


if __name__ == "__main__":
    main()
