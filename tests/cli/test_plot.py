"""``plot`` draws a run's losses."""

from __future__ import annotations

import json
import os
import sys

import pytest
from cli_tool import trained
from click.testing import CliRunner

from numba_lstm.cli import main, plot


def draw(*args):
    return CliRunner().invoke(main, ["plot", str(trained()[0]), *map(str, args)])


def test_a_picture_is_written_in_the_kind_its_name_says(tmp_path):
    pytest.importorskip("matplotlib")
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml")):
        result = draw("-o", tmp_path / name)
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / name).read_bytes().startswith(start)


def test_the_curves_are_the_metrics_against_steps_and_time():
    pytest.importorskip("matplotlib")
    records = [
        {"step": 10, "seconds": 60.0, "train_loss": 3.0, "val_loss": None},
        {"step": 20, "seconds": 120.0, "train_loss": 2.0, "val_loss": 2.5},
    ]
    by_step, by_time = plot._draw(records, "run").axes
    train, valid = by_step.lines
    assert train.get_xydata().tolist() == [[10, 3.0], [20, 2.0]]
    assert valid.get_xydata().tolist() == [[20, 2.5]]
    assert by_time.lines[0].get_xydata().tolist() == [[1.0, 3.0], [2.0, 2.0]]
    assert by_time.get_xlabel() == "minutes"


def test_a_picture_can_go_to_standard_output(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    result = draw("-o", "-")
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert result.stdout_bytes.endswith(b"IEND\xaeB`\x82")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-o", "a.doc"], "expected a file such as .png"),
        (["-o", "absent/a.png"], "expected a file in an existing folder"),
        (["-o", "."], "output: expected a file, got the folder '.'"),
        (["-o", ".."], "output: expected a file, got the folder '..'"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused(tmp_path, monkeypatch, args, words):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    result = draw(*args)
    assert result.exit_code == 2
    assert words in result.stderr
    assert os.listdir(tmp_path) == []


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = draw("-o", tmp_path / "a.png")
    assert result.exit_code == 2
    assert "pip install 'numba_lstm[plot]'" in result.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    result = CliRunner().invoke(main, ["plot", str(tmp_path), "-o", str(tmp_path / "a.png")])
    assert result.exit_code == 2
    assert "expected a run" in result.stderr


def test_with_json_the_file_is_told(tmp_path):
    pytest.importorskip("matplotlib")
    result = draw("-o", tmp_path / "a.svg", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    size = (tmp_path / "a.svg").stat().st_size
    assert told == {"file": str(tmp_path / "a.svg"), "format": "svg", "bytes": size}
    refused = draw("-o", "-", "--json")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "output: expected a file with --json, got -" in refused.stderr
