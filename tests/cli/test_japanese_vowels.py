"""The documented command finds at least 97.5 % of the Japanese Vowels' speakers, in five seeds."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec

import numpy as np
import pytest
from click.testing import CliRunner

from numba_lstm.cli import main

needs_sktime = pytest.mark.skipif(
    find_spec("sktime") is None, reason="the Japanese Vowels come with sktime"
)


def documented():
    """The command in the help, as words."""
    text = CliRunner().invoke(main, ["train", "classify", "--help"]).output
    found = re.search(r"numba-lstm (train classify --data japanese-vowels.*?\d+)\n\n", text, re.S)
    return found[1].replace("\\", "").split()


def test_the_help_tells_the_command():
    assert documented()[:4] == ["train", "classify", "--data", "japanese-vowels"]


@needs_sktime
def test_the_speakers_are_found(tmp_path):
    shares = []
    for seed in range(5):
        about = ["--seed", seed, "--out", tmp_path / str(seed), "--json", "--quiet"]
        result = CliRunner().invoke(main, [*documented(), *map(str, about)])
        assert result.exit_code == 0, result.output
        summary = json.loads(result.stdout)
        assert summary["sequences"] == {"train": 270, "valid": 0, "test": 370}
        shares.append(summary["test_accuracy"])
    print(f"accuracy {np.mean(shares):.4f} of {shares}")
    assert np.mean(shares) >= 0.975
