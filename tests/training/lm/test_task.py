"""The task of a language model: what of its text each of several ranks keeps."""

from __future__ import annotations

import numpy as np
from cli_tool import TEXT

from numba_lstm.distributed import Alone
from numba_lstm.training.lm.config import merge
from numba_lstm.training.lm.data import load_data
from numba_lstm.training.lm.loading import make_model
from numba_lstm.training.lm.task import TextTask


class Rank(Alone):
    """One of several, whose messages nobody asks for."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


def test_ranks_share_out_the_training_text_and_know_all_of_it_by_its_digest(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT * 4)
    named = {"data": [str(tmp_path / "text.txt")], "hidden": 8, "batch": 6, "seq_len": 5}
    config = merge(("", named))

    def task(group):
        data = load_data(config)
        assert data.valid.base is data.train.base is not None  # views of one array
        return TextTask(config, data, make_model(config, len(data.vocabulary)), group)

    alone = task(Alone())
    ranks = [task(Rank(rank, 4)) for rank in range(4)]
    length = alone.data.train.size
    kept = [one.data.train.size for one in ranks]
    # 1, 2, 1 and 2 of six streams, which overlap by a window at most.
    assert all(size <= length * n / 6 + 2 * config.seq_len for size, n in zip(kept, (1, 2, 1, 2)))
    for one in ranks:
        assert one.data.train.base is None and one.data.valid.base is None
        assert one.streams.tokens is one.data.train
        assert one.new_counters() == alone.new_counters()
        assert one.figures(one.new_counters()) == alone.figures(alone.new_counters())
    for _ in range(2 * alone.length + 1):
        whole, parts = alone.next(), [one.next() for one in ranks]
        assert np.array_equal(whole.inputs, np.hstack([part.inputs for part in parts]))
        assert np.array_equal(whole.targets, np.hstack([part.targets for part in parts]))
