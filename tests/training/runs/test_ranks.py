"""1, 2 and 4 ranks train to the same losses, and the same number of them to the same bits."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from cli_tool import TEXT, environment
from jobs_tool import PROGRAM, launch, made_once
from kills_tool import assert_same
from ranks_program import MOST
from ranks_tool import in_threads, needs_mpi

from numba_lstm import nn
from numba_lstm.distributed import Alone
from numba_lstm.training.lm.config import merge
from numba_lstm.training.progress import Progress
from numba_lstm.training.runs import session
from numba_lstm.training.runs.checkpoint import Run
from numba_lstm.training.runs.ranks import load_random_states, part_of

KINDS = ("lm", "classify", "forecast")
# The most first, because the others go on with what they began.
RANKS = (MOST, 2, 1)
SEVERAL = RANKS[:-1]


def make(folder: Path) -> dict[str, Any]:
    """Do the runs of `ranks_program` in a folder; what it told of each number of ranks."""
    told = {}
    for ranks in SEVERAL:
        code, out, err = launch(ranks, PROGRAM, *KINDS, cwd=folder)
        assert (code, err) == (0, "")
        told[ranks] = json.loads(out)
    alone = subprocess.run(
        [sys.executable, PROGRAM, *KINDS],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    return {**told, 1: json.loads(alone.stdout)}


class Made(NamedTuple):
    """The runs, and what was told of them by the number of ranks and the kind."""

    folder: Path
    told: dict[int, dict[str, Any]]

    def losses(self, kind: str, name: str, ranks: int) -> np.ndarray:
        """(20, 2): the losses of each step, and of what validates, NaN where it did not."""
        lines = list(Run(self.folder / f"{kind}-{name}-{ranks}").metrics())
        assert [line["step"] for line in lines] == list(range(1, 21))
        found = [[line["train_loss"], line["val_loss"]] for line in lines]
        return np.array(found, np.float64)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    folder, told = made_once(tmp_path_factory, "ranks", make)
    return Made(folder, {int(ranks): one for ranks, one in told.items()})


@needs_mpi
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ranks", SEVERAL)
def test_several_ranks_train_to_the_losses_of_one(made, kind, ranks):
    one, several = made.losses(kind, "plain", 1), made.losses(kind, "plain", ranks)
    np.testing.assert_allclose(several, one, rtol=2e-6)
    assert np.isfinite(one[[9, 19], 1]).all()
    told = made.told
    for name in ("steps", "tokens"):
        assert told[ranks][kind]["summary"][name] == told[1][kind]["summary"][name]


@needs_mpi
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ranks", SEVERAL)
def test_the_gradients_of_several_ranks_are_those_of_one(made, kind, ranks):
    one, several = (
        np.load(made.folder / f"{kind}-double-{n}" / "gradients.npz") for n in (1, ranks)
    )
    assert set(one) == set(several) and len(one.files) > 3
    for name in one:
        most = np.abs(one[name]).max()
        assert most > 0 and np.abs(several[name] - one[name]).max() <= 1e-12 * most, name


@needs_mpi
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ranks", RANKS)
def test_interrupted_and_resumed_on_as_many_ranks_it_is_the_whole_run_to_the_bit(made, kind, ranks):
    folder, told = made
    assert told[ranks][kind]["parts"] == [15, True, 11]  # SIGTERM, at whichever rank it came
    assert_same(folder / f"{kind}-parts-{ranks}", folder / f"{kind}-whole-{ranks}")


@needs_mpi
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ranks", RANKS)
def test_what_several_ranks_began_goes_on_on_any_number_of_them(made, kind, ranks):
    folder = made.folder
    np.testing.assert_allclose(
        made.losses(kind, "taken-over", ranks), made.losses(kind, "plain", MOST), rtol=2e-6
    )
    if ranks == MOST:
        assert_same(folder / f"{kind}-taken-over-{MOST}", folder / f"{kind}-plain-{MOST}")


@needs_mpi
@pytest.mark.parametrize("kind", KINDS)
def test_the_options_do_not_know_the_number_of_ranks_and_the_metrics_do(made, kind):
    folder, told = made
    configs = {(folder / f"{kind}-plain-{n}" / "config.toml").read_bytes() for n in RANKS}
    assert len(configs) == 1
    for ranks in RANKS:
        assert told[ranks][kind]["summary"]["ranks"] == ranks
        lines = Run(folder / f"{kind}-plain-{ranks}").metrics()
        assert {line.get("ranks", 1) for line in lines} == {ranks}
    lines = list(Run(folder / f"{kind}-taken-over-1").metrics())
    assert [line.get("ranks", 1) for line in lines] == [MOST] * 11 + [1] * 9


@needs_mpi
def test_each_rank_draws_masks_of_its_own(made):
    folder = made.folder
    for kind, ranks in (("lm", 2), ("classify", MOST)):
        found = Run(folder / f"{kind}-whole-{ranks}").load()
        states = [json.dumps(one) for one in (found.random, *found.other_random)]
        assert len(states) == len(set(states)) == ranks
    assert Run(folder / "lm-whole-1").load().other_random == []


class Rank(Alone):
    """A rank that needs no other one."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size


def test_random_states_follow_from_those_of_rank_0_on_another_number_of_ranks():
    model = nn.Sequential(nn.Dropout(0.5, seed=1), nn.Dropout(0.5, seed=2))
    first = model.random_state()
    found = {}
    for rank in (0, 1, 2, 1):
        load_random_states(Rank(rank, 3), model, first, [])
        state = json.dumps(model.random_state(), sort_keys=True)
        assert found.setdefault(rank, state) == state  # the same each time
    assert found[0] == json.dumps(first, sort_keys=True)
    assert len(set(found.values())) == 3
    others = [json.loads(found[2]), json.loads(found[1])]
    load_random_states(Rank(1, 3), model, first, others)
    assert json.dumps(model.random_state(), sort_keys=True) == found[2]
    with pytest.raises(ValueError, match="random_state"):
        load_random_states(Rank(1, 4), model, {"x": {}}, others)


def test_the_parts_of_a_state_are_those_of_the_streams():
    h, c = np.arange(70.0).reshape(2, 7, 5), -np.arange(70.0).reshape(2, 7, 5)
    parts = [part_of(Rank(rank, 3), (h, c)) for rank in range(3)]
    for whole, ones in zip((h, c), zip(*parts)):
        assert np.array_equal(np.concatenate(ones, 1), whole)
        assert all(one.flags.c_contiguous for one in ones)
    assert part_of(Rank(2, 3), None) is None
    assert np.array_equal(part_of(Rank(2, 3), h), parts[2][0])


def test_ranks_whose_parameters_differ_go_on_with_those_of_rank_0_and_say_so(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    about = {"data": str(tmp_path / "text.txt"), "hidden": 8, "embedding": 6, "batch": 4}
    config = merge(("", {**about, "seq_len": 8, "steps": 8, "valid_every": 4, "log_every": 8}))
    told = io.StringIO()

    def rank(group):
        progress = Progress(told, quiet=group.rank > 0)
        trainer, run = session.start(config, tmp_path / "run", progress, group)
        step = trainer._step

        def other_rounding():
            step()
            if group.rank == 1 and trainer.counters.step == 2:
                bias = trainer.model.decoder.bias
                bias[...] = bias.numpy() + np.float32(1e-6)

        trainer._step = other_rounding
        trainer.run(run)
        return {name: array.tobytes() for name, array in trainer.model.state_dict().items()}

    one, other = in_threads(2, rank)
    assert one == other
    assert told.getvalue().count("step 4: the ranks had different parameters") == 1
    assert told.getvalue().count("different parameters") == 1
