"""The tables of ranks are their records', and what they compute is right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import geometric_mean

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
MACHINE = {"cpu": "it", "target_cpu": "z", "cpus": 2}


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import ranks_report

    return ranks_report


def cells(table):
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_pages_are_as_recorded():
    command = [sys.executable, str(BENCH / "ranks_report.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_two_ranks_train_nearly_as_fast_as_two_threads_and_as_well(report):
    """As recorded: no time is measured here."""
    page = (BENCH.parent / "docs" / "scale.md").read_text(encoding="utf-8")
    (machine,) = set(re.findall(r"python bench/ranks_report.py, (\S+) -->", page))
    record = json.loads((BENCH / "results" / f"{machine}-distributed.json").read_text())
    assert geometric_mean(report.ratios(record, "2 x 1")) >= 0.85
    for one, alone in zip(record["runs"]["2 x 1"], record["runs"]["1 x 2"]):
        assert abs(one["val_loss"] - alone["val_loss"]) < 0.01


def test_what_is_lost_adds_up(report):
    def run(k):
        parts = {part: 1.0 + 0.5 * n * k for n, part in enumerate(report.PARTS) if part != "step"}
        return parts | {"step": sum(parts.values())}

    runs = {"1 x 2": [run(1), run(3)], "half of it on 1": [run(0)], "2 x 1": [run(5)]}
    lines = cells(report.lost_table({"rows": 16, "runs": runs}))
    assert [line[0] for line in lines][-1] == "a step"
    columns = [[float(line[k]) for line in lines] for k in range(1, 7)]
    for *parts, step in columns:
        assert sum(parts) == pytest.approx(step, abs=1e-9)
    for threads, alone, ranks, half, beside, both in zip(*columns):
        assert (half, beside) == pytest.approx((alone - threads, ranks - alone))
        assert both == pytest.approx(half + beside)
    assert columns[0][1] == 2.0  # the mean of 1.5 and 2.5


def test_a_sum_is_hidden_as_far_as_layers_are_ready_before_the_end(report):
    one = {
        "name": "some",
        "ms": {"no sum": 10.0, "one message": 14.0, "a message a layer": 13.0},
        "sum_ms": 4.0,
        "layers": [{"ms": 7.0, "bytes": 3e6}, {"ms": 10.0, "bytes": 1e6}],
    }
    record = {"machine": MACHINE, "ranks": 2, "rows": 16, "overlap": [one]}
    ((*about, taken, share, network, least),) = cells(report.overlap_table(record))
    assert about == ["some", "4 MB", "10", "14", "13", "3"]
    # Three quarters of the sum are done when the backward pass ends.
    assert (taken, share) == ("4", "75 %")
    assert (
        network == f"{1e3 * report.allreduce(2, 4e6, report.NETWORKS[0]):.3g}" and least == "75 %"
    )


def test_a_page_s_mark_names_the_machine(report, tmp_path):
    (tmp_path / "here-kind.json").write_text(json.dumps({"told": "words"}))
    tables = {"it": ("kind", lambda record: record["told"])}
    begin, end = "<!-- it: python bench/ranks_report.py, here -->", "<!-- end of it -->"
    page = report.with_tables(f"a\n{begin}\nold\n{end}\nb", tables, tmp_path)
    assert page == f"a\n{begin}\n\nwords\n\n{end}\nb"
    with pytest.raises(SystemExit, match="no mark of it"):
        report.with_tables("a", tables, tmp_path)
