"""The table and the summary: losses as plain as wins."""

from __future__ import annotations

import pytest
from fake_bench import TINY, result

from numba_lstm.benchmark import report


@pytest.mark.parametrize(
    "interval, word",
    [([1.01, 2.0], "ahead"), ([0.5, 0.99], "behind"), ([0.9, 1.1], "level"), ([1.0, 1.0], "level")],
)
def test_the_verdict_needs_the_whole_interval(interval, word):
    assert report.verdict(interval) == word


def test_the_table_has_a_line_a_case_and_a_word_for_each_comparison():
    lines = report.table(result()).splitlines()
    assert len(lines) == 1 + len(TINY.kinds)
    infer = lines[1]
    assert infer.startswith(TINY.name)
    assert "2 ms" in infer and "3 ms" in infer
    assert "1.50x [1.50, 1.50]  ahead" in infer
    assert "0.50x [0.50, 0.50]  behind" in infer
    memory = next(line for line in lines if " memory " in line)
    assert "100 MiB" in memory and "150 MiB" in memory
    latency = next(line for line in lines if " latency " in line)
    assert "p99 4 ms" in latency


def test_columns_stand_below_each_other():
    lines = report.table(result()).splitlines()
    assert {line.index("x [") for line in lines[1:]} == {lines[1].index("x [")}
    assert lines[0].index("kind") == lines[1].index("infer")


def test_repeats_are_shown_one_by_one():
    assert "1.50x [1.50, 1.50] 1.50 1.50 1.50  ahead" in report.table(result(repeat=3))


def test_wins_and_losses_are_coloured_alike_and_only_when_asked():
    text = report.table(result(), colour=True)
    assert "\033[32mahead" in text and "\033[31mbehind" in text
    assert "\033" not in report.table(result())


def test_the_summary_names_every_loss_every_error_and_every_warning():
    text = report.summary(result())
    assert "geometric mean, infer: 1.50x torch, 0.50x onnxruntime" in text
    assert f"behind: {TINY.name} infer (0.50x onnxruntime)" in text
    assert "behind in 2" in text
    assert "warning: the machine is busy: load 3" in text
    assert "left out: jax, not installed" in text
    broken = result(wrong="torch")
    assert f"ERROR: {TINY.name} train: torch disagrees" in report.summary(broken)
    assert "ERROR" in report.table(broken)


def test_the_summary_names_what_was_timed_while_plans_were_searched_for():
    told = result()
    assert "searched for" not in report.summary(told)
    first, second = told["cases"][:2]
    plan = {"sizes": "", "plan": "", "rule": ""}
    first["plans"] = [plan | {"state": "steady"}, plan | {"state": "searching"}]
    second["plans"] = [plan]  # of a record that is older than states
    line = f"timed while the best plan was still searched for: {TINY.name} {first['kind']}"
    assert line in report.summary(told).splitlines()


def test_the_machine_is_described_in_three_lines():
    lines = report.describe_machine(result()).splitlines()
    assert lines[0] == "A Fine CPU (L2 1024K)"
    assert "2 threads, 256-bit vectors for haswell; peak 100 GFLOP/s" in lines[1]
    assert lines[2] == "numba_lstm 0.1, torch 2.0"


@pytest.mark.parametrize(
    "ms, words", [(0.0153, "15.3 us"), (0.5, "0.5 ms"), (12.34, "12.3 ms"), (2345.6, "2346 ms")]
)
def test_times_are_written_in_a_fitting_unit(ms, words):
    assert report._milliseconds(ms) == words


def test_a_peer_that_is_held_to_nothing_has_an_asterisk_and_a_line_and_no_verdict_counts():
    held = result(isa="avx2")
    head, *lines = report.table(held).splitlines()
    assert "onnxruntime*" in head and "torch*" not in head
    assert "0.50x [0.50, 0.50]  behind" in lines[0]
    text = report.summary(held)
    assert "* onnxruntime cannot be held to AVX2: it is measured as it is" in text
    assert "x onnxruntime" not in text and "behind in 0" in text
    assert "2 threads, held to AVX2, 256-bit vectors" in report.describe_machine(held)
    assert "*" not in report.table(result()) and "held" not in report.summary(result())


def test_beside_busy_loops_there_are_two_columns_more():
    loaded = result(busy=2)
    head, *lines = report.table(loaded).splitlines()
    end = head.index("x quiet") + len("x quiet")
    assert lines[0][:end].endswith("  0.5 ms     4.00")
    assert head.index("torch") < lines[0].index("3 ms")
    memory = next(line for line in lines if " memory " in line)
    assert "150 MiB  1.50x" in memory
    assert {line.index("x [") for line in lines} == {lines[0].index("x [")}
    assert "beside 2 busy loops" in report.describe_machine(loaded)
    assert "x quiet" not in report.table(result())


def test_a_record_that_is_older_than_the_choice_of_an_isa_is_native():
    assert report.isa_in_words({}) == "its own instruction set"
