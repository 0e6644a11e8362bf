"""``warmup`` leaves nothing to compile for training and sampling."""

from __future__ import annotations

import json

from cli_tool import TINY, cli, folder


def test_after_it_nothing_is_compiled_anew(tmp_path):
    result = cli("warmup", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["seconds"] > 0
    text = folder() / "text.txt"
    cli("train", "lm", "--data", text, *TINY, "--steps", 2, "--out", tmp_path / "run", "--quiet")
    options = ["--steps", 2, "--out", tmp_path / "other"]
    for args in (("train", "lm", "--data", text, *TINY, *options), ("sample", tmp_path / "run")):
        done = cli(*args)
        assert done.code == 0, done.err
        assert not done.compiled


def test_without_the_compiler_it_ends_in_one_line():
    assert "NUMBA_DISABLE_JIT: expected" in cli("warmup", NUMBA_DISABLE_JIT="1").error(1)


def test_a_cpu_that_there_is_not_ends_in_one_line():
    assert "NUMBA_CPU_NAME: expected" in cli("warmup", NUMBA_CPU_NAME="hasvel").error(1)


def test_its_help_says_what_is_covered():
    result = cli("warmup", "--help")
    for word in ("classifiers", "forecasters", "--cell", "--dtype", "numba_lstm.warmup(module, x)"):
        assert word in " ".join(result.out.split())


def test_another_cell_and_dtype_are_asked_for():
    result = cli("warmup", "--cell", "rnn", "--dtype", "float64", "--threads", 1, "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert (told["cells"], told["dtype"]) == (["rnn"], "float64")
    assert "'--cell'" in cli("warmup", "--cell", "lstn").err
