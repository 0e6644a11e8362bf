"""What the tests of the training loop begin with."""

from __future__ import annotations

import pytest
from loop_tool import make

from numba_lstm.training.lm.config import merge
from numba_lstm.training.lm.data import load_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("so shaken as we are, so wan with care,\nfind we a time.\n" * 3)
    return load_data(merge(("", {"data": str(path), "batch": 3, "seq_len": 5})))


@pytest.fixture
def whole(data, tmp_path):
    trainer, run = make(data, tmp_path / "whole")
    trainer.run(run)
    return trainer, run
