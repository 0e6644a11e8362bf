"""Lines of metrics are objects with a step and numbers, or are refused with their place."""

from __future__ import annotations

import os

import pytest

from numba_lstm.training.runs import metrics
from numba_lstm.training.runs.folders import RunError
from numba_lstm.training.runs.metrics import read_metrics

GOOD = '{"step": 1, "train_loss": 0.5, "val_loss": null, "seconds": 2, "other": ["x"]}\n'


@pytest.fixture
def file(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_lines_come_back_and_one_cut_short_is_passed_by(file):
    file.write_bytes(b"\xef\xbb\xbf" + (GOOD + GOOD.replace("\n", "\r\n") + GOOD[:-1]).encode())
    expected = {"step": 1, "train_loss": 0.5, "val_loss": None, "seconds": 2, "other": ["x"]}
    assert list(read_metrics(file)) == [expected] * 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "expected a JSON object with a step: .*line 1"),
        ("{", "expected a JSON object with a step: .*line 1"),
        ("[1]", "expected a JSON object with a step"),
        ("{}", "expected a JSON object with a step"),
        ('{"step": "1"}', "a whole number; got '1'"),
        ('{"step": true}', "got True"),
        ('{"step": -1}', "got -1"),
        ('{"step": 1.5}', "got 1.5"),
        ('{"step": 99999999999999999999}', "got 99999999999999999999"),
        ('{"step": ' + "9" * 5000 + "}", "a number of at most 100 digits"),
        ('{"step": 1, "train_loss": "x"}', "train_loss: expected a number, got 'x'"),
        ('{"step": 1, "val_loss": [1.0]}', r"val_loss: expected a number, got \[1.0\]"),
        ('{"step": 1, "seconds": NaN}', "finite numbers, got NaN"),
        ('{"step": 1, "seconds": 1e300}', "seconds: expected a number, got 1e"),
        ('{"step": 1, "tokens": {"a": 1}}', "tokens: expected a number"),
        ("[" * 9000 + "]" * 9000, "nested at most 64 deep"),
        ("\xff", "expected a JSON object with a step: .*decode"),
        ('{"step": 1, "x": "' + "y" * 70_000 + '"}', "expected at most 65536 bytes, got more"),
    ],
)
def test_any_other_line_is_named(file, line, words):
    file.write_bytes((GOOD + line + "\n" + GOOD).encode("latin-1"))
    with pytest.raises(RunError, match=rf"metrics\.jsonl: line 2: .*{words}"):
        list(read_metrics(file))


def test_a_file_without_line_ends_is_left_soon(file, monkeypatch):
    file.write_bytes(b"\0" * 10**7)
    with pytest.raises(RunError, match="line 1: expected at most 65536 bytes"):
        list(read_metrics(file))
    monkeypatch.setattr(metrics, "_MOST", 1000)
    with pytest.raises(RunError, match=r"expected at most 1000 bytes, got 9\.5 MiB"):
        list(read_metrics(file))


def test_what_is_no_file_is_told(file):
    with pytest.raises(FileNotFoundError):
        list(read_metrics(file))
    os.mkfifo(file)
    with pytest.raises(RunError, match="expected an ordinary file, got a FIFO"):
        list(read_metrics(file))
