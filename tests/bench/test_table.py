"""The tables of the README and of the documentation are the records', nobody's typing."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load():
    spec = importlib.util.spec_from_file_location("bench_table", ROOT / "bench" / "table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


TABLE = load()


def case(name, kind="infer", ms=2.0, **ratios):
    peers = {peer: {"ms": 1.0} for peer in ratios}
    return {"name": name, "kind": kind, "ours_ms": ms, "ratio": ratios, "peers": peers}


def record(*cases, isa="native", bits=512):
    return {"isa": isa, "machine": {"vector_bits": bits}, "cases": list(cases)}


def cells(records, short=True):
    """{first cell: the others} of the table."""
    text = TABLE.table(records, [row for row in TABLE.ROWS if row.short or not short])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {row[0]: row[1:] for row in rows}


def test_the_pages_tables_are_as_recorded():
    command = [sys.executable, str(ROOT / "bench" / "table.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_figure_is_the_records_own():
    native = record(
        *(case(f"lm-{i}", torch=r, onnxruntime=1.5) for i, r in enumerate([1.0, 2.0, 4.0, 8.0])),
        case("gru-1", "train", torch=1.234),
        case("row-1", "latency", ms=0.0341, torch=7.07),
        case("char-1", "step", torch=1.5),
        case("word-1", "step", torch=1.25),
        {"name": "rnn-1", "kind": "train", "error": "no"},
    )
    assert cells({"native": [native]}) == {
        "what": ["× torch", "× onnxruntime"],
        "---": ["---", "---"],
        "LSTM inference, 4 shapes": ["1.00 to 8.0, mean 2.83", "1.50 to 1.50, mean 1.50"],
        "a whole step of a language model (2 models)": ["1.25 to 1.50", ""],
        "GRU, training": ["1.23", ""],
        "one step of one row, through Python (34 µs)": ["7.1", ""],
    }


def test_each_isa_has_its_columns_and_who_was_not_held_has_none():
    native = record(case("lm-1", torch=2.0, onnxruntime=3.0))
    held = case("lm-1", torch=4.0, onnxruntime=9.0, openvino=5.0)
    held["peers"]["onnxruntime"]["isa"] = "native"
    found = cells({"native": [native], "avx2": [record(held, isa="avx2", bits=256)]})
    assert found["what"] == [
        "× torch, AVX-512", "× onnxruntime, AVX-512", "× torch, AVX2", "× OpenVINO, AVX2",
    ]  # fmt: skip
    assert found["LSTM inference, 1 shapes"] == ["2.00", "3.00", "4.00", "5.0"]


def test_records_are_found_by_machine_and_isa_random_ones_beside_them(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps(record()))
    (tmp_path / "m-random.json").write_text(json.dumps(record(case("random-1", torch=2.0))))
    (tmp_path / "m-avx2.json").write_text(json.dumps(record(isa="avx2")))
    (tmp_path / "m-again.json").write_text(json.dumps(record()))
    found = TABLE.records_of("m", tmp_path)
    assert {isa: len(some) for isa, some in found.items()} == {"native": 2, "avx2": 1}
    assert "LSTM inference, 1 shapes drawn at random" in cells(found)
    with pytest.raises(SystemExit, match="no records of other"):
        TABLE.records_of("other", tmp_path)


def test_a_record_under_another_isa_s_name_is_refused(tmp_path):
    (tmp_path / "m-avx2.json").write_text(json.dumps(record(isa="avx512")))
    with pytest.raises(SystemExit, match=r"m-avx2\.json: recorded with --isa avx512"):
        TABLE.records_of("m", tmp_path)


def test_only_what_stands_between_the_marks_is_written():
    first, second = (TABLE.BEGIN.format(machine=machine) for machine in ("one", "two"))
    page = f"before\n{first}\nold\n{TABLE.END}\nbetween\n{second}\nold\n{TABLE.END}\nafter\n"
    assert TABLE.with_table(page, "new", second) == (
        f"before\n{first}\nold\n{TABLE.END}\nbetween\n{second}\n\nnew\n\n{TABLE.END}\nafter\n"
    )
    with pytest.raises(SystemExit):
        TABLE.with_table("no marks", "new", first)


def test_every_group_of_the_grid_is_in_the_long_table():
    from numba_lstm.benchmark.cases import GRID

    told = {(group, row.kind) for row in TABLE.ROWS for group in row.groups}
    measured = {(one.group, kind) for one in GRID for kind in one.kinds}
    left_out = {("proj", "infer"), ("deep", "infer")}
    assert measured - told == left_out


def test_the_naming_is_documented():
    text = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    for suffix in filter(None, TABLE.ISAS.values()):
        assert re.search(rf"`(MACHINE)?{suffix}", text), suffix
