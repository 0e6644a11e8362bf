"""``info`` tells what a bug report needs."""

from __future__ import annotations

import json
import os
import re

import pytest
from cache_tool import put_microkernels
from cli_tool import cli
from lstm_tool import run_python

from numba_lstm import __version__


def test_it_tells_versions_target_threads_and_cache():
    result = cli("info", "--json")
    assert result.code == 0, result.err
    figures = json.loads(result.out)
    assert figures["numba_lstm"] == __version__
    assert figures["vector_width"] * 32 == figures["vector_bits"]
    assert figures["threads"] >= 1
    assert figures["workers"] == figures["threads"] - 1
    assert os.path.isabs(figures["cache_folder"])
    caches = figures["caches"]
    assert 0 < caches["l1d"] <= caches["l2"] and caches["l3"] > 0 and caches["l3_cpus"] >= 1
    assert figures["tuning"] is False and figures["known_plans"] >= 0
    assert os.path.dirname(figures["plans_file"]) == figures["cache_folder"]
    plain = cli("info")
    assert [line.split()[0] for line in plain.out.splitlines()] == list(figures)


BROKEN = "raise ImportError('libgfortran.so.5: cannot open shared object file')"


@pytest.mark.parametrize("package", ["scipy", "numba", "llvmlite"])
def test_what_is_broken_is_told_and_the_rest_is_as_ever(tmp_path, package):
    (tmp_path / f"{package}.py").write_text(BROKEN)
    result = cli("info", "--json", PYTHONPATH=str(tmp_path))
    assert result.code == 0, result.err
    figures = json.loads(result.out)
    assert figures["numba_lstm"] == __version__
    assert figures[package].startswith("unknown (ImportError: libgfortran.so.5: cannot open")
    assert figures["python"][:2] == "3." and figures["threads"] >= 1


def test_without_a_home_and_without_a_compiler_it_goes_on():
    nowhere = dict.fromkeys(("NUMBA_LSTM_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"), "")
    result = cli("info", HOME="relative", **nowhere)
    assert result.code == 0, result.err
    assert "none (there is no home folder)" in result.out
    result = cli("info", NUMBA_DISABLE_JIT="1")
    assert result.code == 0 and "NUMBA_DISABLE_JIT: expected" in result.out


def test_a_cpu_that_there_is_not_is_told_and_the_rest_is_as_ever():
    result = cli("info", "--json", NUMBA_CPU_NAME="hasvel")
    assert result.code == 0 and result.err == ""
    figures = json.loads(result.out)
    assert figures["target_cpu"].startswith("unknown (NUMBA_CPU_NAME: expected the name of a CPU")
    assert figures["threads"] >= 1 and figures["numba"][:1].isdigit()


def test_plans_are_listed_with_their_times_and_the_rules(tmp_path):
    program = """
from numba_lstm.plans import store, switch
from numba_lstm.plans.tuner import Known
switch.on = True
store.keep("infer lstm T=16", Known("rows:1 fused", "panels:2 team fused", 1.5e-6, 2e-5, 2))
store.save()
"""
    put_microkernels(tmp_path)
    assert "no plans yet" in cli("info", "--plans", NUMBA_LSTM_CACHE_DIR=str(tmp_path)).out
    run_python(program, NUMBA_LSTM_CACHE_DIR=str(tmp_path))
    result = cli("info", "--plans", NUMBA_LSTM_CACHE_DIR=str(tmp_path))
    *_, heads, line = result.out.splitlines()
    assert re.split(r" {2,}", heads)[:2] == ["sizes", "plan"]
    expected = ["infer lstm T=16", "rows:1 fused", "1.50", "panels:2 team fused", "20.00"]
    assert re.split(r" {2,}", line) == expected
    about = {"NUMBA_LSTM_CACHE_DIR": str(tmp_path), "NUMBA_LSTM_TUNE": "1"}
    figures = json.loads(cli("info", "--plans", "--json", **about).out)
    assert figures["tuning"] is True and figures["known_plans"] == 1
    (plan,) = figures["plans"]
    assert plan["sizes"] == "infer lstm T=16" and plan["plan"] == "rows:1 fused"
    assert plan["step_seconds"] == 1.5e-6 and plan["rule_step_seconds"] == 2e-5
