"""Write the tables of the README and of docs/performance.md anew, from the records in results/.

    python bench/table.py             # all of them
    python bench/table.py --check     # say what is not as recorded; exit code 1

A page's marks say which machine's records stand between them. A record is named by machine and
instruction set: MACHINE.json is the machine's own, then come MACHINE-avx512.json,
MACHINE-avx2.json, MACHINE-baseline.json; what was drawn at random adds -random to the name. Each
instruction set has its columns, one for each other library. A library that was not held to the
instruction set has none there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- table: python bench/table.py, {machine} -->", "<!-- end of the table -->"
PEERS = {"torch": "torch", "onnxruntime": "onnxruntime", "openvino": "OpenVINO"}
ISAS = {"native": "", "avx512": "-avx512", "avx2": "-avx2", "baseline": "-baseline"}
_WIDTHS = {512: "AVX-512", 256: "AVX2", 128: "128-bit vectors"}

Record = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A line of a table: what it says, and which measurements are its.

    Attributes
    ----------
    words : str
        May name {n}, how many cases there are, and {ms}, our time in the first column's record.
    kind : str
    groups : tuple of str
        The cases' groups, what stands before a name's first hyphen.
    short : bool
        Whether it is in the README, too.
    """

    words: str
    kind: str
    groups: tuple[str, ...]
    short: bool = True

    def cases(self, records: Iterable[Record]) -> list[Record]:
        """Its measurements in the records of one instruction set."""
        return [
            case
            for record in records
            for case in record["cases"]
            if case["kind"] == self.kind
            and case["name"].split("-")[0] in self.groups
            and "error" not in case
        ]


LSTMS = ("small", "usual", "lm", "odd", "row", "long", "wide")
MODELS = ("char", "word")
ROWS = (
    Row("LSTM inference, {n} shapes", "infer", LSTMS),
    Row("LSTM inference, {n} shapes drawn at random", "infer", ("random",)),
    Row("LSTM training (forward and backward), {n} shapes", "train", LSTMS),
    Row("LSTM training, {n} shapes drawn at random", "train", ("random",)),
    Row("a whole step of a language model ({n} models)", "step", MODELS),
    Row("GRU, inference", "infer", ("gru",), short=False),
    Row("GRU, training", "train", ("gru",)),
    Row("RNN, inference", "infer", ("rnn",), short=False),
    Row("RNN, training", "train", ("rnn",)),
    Row("LSTM with `proj_size`, training", "train", ("proj",)),
    Row("a loop of `LSTMCell`, training", "train", ("cells",), short=False),
    Row("two bidirectional layers, training", "train", ("deep",), short=False),
    Row("sequences of 1 to T steps, training; packed", "train", ("packed",), short=False),
    Row("sequences of 1 to T steps, training; padded", "train", ("padded",), short=False),
    Row("one step of one row, through Python ({ms})", "latency", ("row",)),
    Row("first result of a new process (compiled before)", "cold", ("usual",), short=False),
    Row("peak memory of a training step ({n} models)", "memory", MODELS, short=False),
)
# Of each page the machines that it has a table of, and the table's rows.
PAGES: dict[str, tuple[tuple[str, ...], Callable[[Row], bool]]] = {
    "README.md": (("zen4-2cores",), lambda row: row.short),
    "docs/performance.md": (("zen4-2cores", "zen5-2cores"), lambda row: True),
}


def records_of(machine: str, folder: Path) -> dict[str, list[Record]]:
    """The machine's records, {instruction set: its record, and the random one where there is}."""
    found = {}
    for isa, suffix in ISAS.items():
        files = [folder / f"{machine}{suffix}{more}.json" for more in ("", "-random")]
        some = [json.loads(file.read_text()) for file in files if file.exists()]
        for record, file in zip(some, [file for file in files if file.exists()]):
            if record.get("isa", "native") != isa:
                raise SystemExit(f"{file.name}: recorded with --isa {record.get('isa', 'native')}")
        if some:
            found[isa] = some
    if not found:
        raise SystemExit(f"no records of {machine} in {folder}")
    return found


def table(records: dict[str, list[Record]], rows: Iterable[Row]) -> str:
    """The Markdown of a table; lines and columns that have no figure are left out."""
    columns = [(isa, peer) for isa in records for peer in PEERS]
    cells = {row: {c: _cell(row.cases(records[c[0]]), c[1]) for c in columns} for row in rows}
    columns = [c for c in columns if any(cells[row][c] for row in cells)]
    named = len(records) > 1
    head = ["what"]
    for isa, peer in columns:
        head.append(f"× {PEERS[peer]}" + (f", {_isa(records[isa][0])}" if named else ""))
    lines = [head, ["---"] * len(head)]
    for row, of_row in cells.items():
        if any(of_row.values()):
            lines.append([_words(row, records), *(of_row[c] for c in columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _isa(record: Record) -> str:
    return _WIDTHS[record["machine"]["vector_bits"]]


def _words(row: Row, records: dict[str, list[Record]]) -> str:
    cases = row.cases(next(iter(records.values())))
    cases = cases or [case for some in records.values() for case in row.cases(some)]
    ms = cases[0]["ours_ms"]
    return row.words.format(n=len(cases), ms="" if ms is None else _milliseconds(ms))


def _cell(cases: list[Record], peer: str) -> str:
    """The peer's ratios: one, or from the least to the greatest, with the mean where many are."""
    ratios = [
        case["ratio"][peer]
        for case in cases
        if peer in case["ratio"] and "isa" not in case["peers"][peer]
    ]
    if len(ratios) < 2:
        return "".join(map(_number, ratios))
    text = f"{_number(min(ratios))} to {_number(max(ratios))}"
    return text + (f", mean {_number(geometric_mean(ratios))}" if len(ratios) > 3 else "")


def _number(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 5.0 else f"{ratio:.1f}"


def _milliseconds(ms: float) -> str:
    return f"{1e3 * ms:.0f} µs" if ms < 1.0 else f"{ms:.0f} ms"


def with_table(page: str, text: str, begin: str, end: str = END) -> str:
    """The page with the text between the two marks."""
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise SystemExit(f"no {begin} … {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def _of_machines(page: str, wanted: Any) -> str:
    machines, rows = wanted
    for machine in machines:
        records = records_of(machine, ROOT / "bench" / "results")
        page = with_table(page, table(records, filter(rows, ROWS)), BEGIN.format(machine=machine))
    return page


def write_pages(
    about: str | None, program: str, pages: dict[str, Any], new: Callable[[str, Any], str]
) -> None:
    """The command line of a program that writes pages, or with --check compares them.

    `new` gives the page, as it is to be, of a page and what stands beside its name in `pages`.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    old = []
    for name, wanted in pages.items():
        page = (ROOT / name).read_text(encoding="utf-8")
        if (written := new(page, wanted)) == page:
            continue
        old.append(name)
        if not options.check:
            (ROOT / name).write_text(written, encoding="utf-8")
    if options.check and old:
        sys.exit(f"not as recorded: {', '.join(old)}; run python bench/{program}")
    print(f"wrote {', '.join(old)}" if old else "all is as recorded")


def main() -> None:
    write_pages(__doc__, "table.py", PAGES, _of_machines)


if __name__ == "__main__":
    main()
