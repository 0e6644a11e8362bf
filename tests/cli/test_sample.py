"""``sample`` writes the same text for the same seed, as it is made."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from cli_tool import COMPILING, cli, start, trained
from click.testing import CliRunner

from numba_lstm.cli import main
from numba_lstm.interop import safetensors


def sample(*args):
    """In this process: faster, and nothing here depends on it."""
    return CliRunner().invoke(main, ["sample", str(trained()[0]), *map(str, args)])


def test_the_prompt_is_continued_and_a_seed_gives_the_same_text():
    one = cli("sample", trained()[0], "--prompt", "so ", "--length", 40, "--seed", 3)
    two, other = (sample("--prompt", "so ", "--length", 40, "--seed", s) for s in (3, 4))
    assert one.code == 0
    assert one.err == ""
    assert one.out == two.stdout != other.stdout
    assert one.out.startswith("so ")
    assert len(one.out) == 3 + 40 + 1


def test_greedy_ignores_the_seed_and_top_k_of_one_is_greedy():
    texts = [
        sample("--length", 30, *options).stdout
        for options in (
            ("--temperature", 0, "--seed", 1),
            ("--temperature", 0, "--seed", 2),
            ("--top-k", 1, "--temperature", 2),
        )
    ]
    assert texts[0] == texts[1] == texts[2]


def test_a_stop_string_ends_the_text_before_it_and_the_prompt_does_not_count():
    options = ("--prompt", "so ", "--length", 40, "--seed", 3)
    made = sample(*options).stdout[3:-1]
    stop = made[20:22]
    before = made[: made.index(stop)]
    result = sample(*options, "--stop", "absent", "--stop", stop)
    assert result.stdout == f"so {before}\n"
    told = json.loads(sample(*options, "--stop", stop, "--stop", "so ", "--json").stdout)
    assert told["text"] == "so " + before
    assert told["tokens"] == len(before) + len(stop)


def test_top_p_of_almost_nothing_is_greedy():
    options = ("--length", 30, "--temperature")
    assert sample(*options, 2, "--top-p", 1e-9).stdout == sample(*options, 0).stdout


def test_json_holds_the_text_and_nothing_else_is_printed():
    plain = sample("--prompt", "we", "--length", 20, "--seed", 5).stdout
    result = sample("--prompt", "we", "--length", 20, "--seed", 5, "--json")
    assert json.loads(result.stdout)["text"] + "\n" == plain


def test_text_comes_while_it_is_made_and_a_closed_pipe_is_no_fault():
    process = start("sample", trained()[0], "--prompt", "so ", "--length", 10_000_000)
    try:
        assert process.stdout.read(50).startswith("so ")
        process.stdout.close()
        assert process.stderr.read().replace(COMPILING, "") == ""
        assert process.wait(timeout=20) == 1
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--prompt", "Zürich"), "prompt: "),
        (("--temperature", "-1"), "temperature: "),
        (("--temperature", "nan"), "temperature: "),
        (("--top-k", "0"), "--top-k"),
        (("--top-p", "0"), "top_p: "),
        (("--stop", ""), "stop: "),
        (("--length", "-5"), "--length"),
        (("--seed", "x"), "--seed"),
    ],
)
def test_bad_input_is_refused_in_one_line(args, words):
    result = sample(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert words in line


@pytest.mark.parametrize("damage", ["absent", "cut", "shape", "name"])
def test_a_missing_or_damaged_model_is_refused(tmp_path, damage):
    run = tmp_path / "run"
    shutil.copytree(trained()[0], run)
    path = run / "model.safetensors"
    if damage == "absent":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    else:
        arrays = safetensors.load(path)
        bias = arrays.pop("decoder.bias")
        arrays["decoder.bias" if damage == "shape" else "decoder.bios"] = np.append(bias, 0)
        safetensors.save(arrays, path)
    result = CliRunner().invoke(main, ["sample", str(run)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert str(run) in result.stderr


def test_a_strange_character_in_a_prompt_ends_nothing_where_it_may_be_left_out():
    refused = sample("--prompt", "so \u2014 ", "--length", 5)
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith("error: prompt: ")
    assert "U+2014" in line
    assert "--unknown skip" in line
    made = sample("--prompt", "so \u2014", "--length", 5, "--unknown", "skip")
    assert made.stdout.startswith("so \u2014")
    assert made.stdout[4:] == sample("--prompt", "so ", "--length", 5).stdout[3:]
    assert sample("--prompt", "\u2014", "--length", 5, "--unknown", "skip").exit_code == 0
