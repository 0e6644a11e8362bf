"""What only real ranks show: gradients, bits, messages and refusals of 1, 2 and 4 processes."""

from __future__ import annotations

import functools
import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ranks_tool import mpiexec, needs_mpi

from numba_lstm.distributed import Alone

pytestmark = needs_mpi

PROGRAMS = Path(__file__).parent / "programs"
STEPS = 20


@pytest.fixture(scope="module")
def launch(tmp_path_factory):
    """Give what each of so many ranks saw; ``again`` is another launch of as many. 1 is alone."""

    @functools.cache
    def run(count: int, again: bool = False) -> list[dict[str, Any]]:
        if count == 1:
            program = runpy.run_path(str(PROGRAMS / "ranks.py"))
            return [program["look"](Alone(), STEPS)]
        folder = tmp_path_factory.mktemp("ranks")
        done = mpiexec(count, PROGRAMS / "ranks.py", folder, STEPS)
        assert done.returncode == 0, done.stderr
        return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(count)]

    return run


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 2e-6)])
def test_gradients_of_one_global_batch_agree_on_1_2_and_4_ranks(launch, dtype, tolerance):
    expected = [np.array(g) for g in launch(1)[0]["gradients"][dtype]]
    for count in (2, 4):
        for rank in launch(count):
            for g, ours in zip(expected, rank["gradients"][dtype], strict=True):
                assert np.abs(g - ours).max() <= tolerance * np.abs(g).max() > 0


def test_all_ranks_have_the_same_bits_after_20_steps_and_the_losses_agree(launch):
    assert launch(1)[0]["history"][-1] < 0.8 * launch(1)[0]["history"][0]
    for count in (2, 4):
        ranks = launch(count)
        assert len({rank["digest"] for rank in ranks}) == 1
        for rank in ranks:
            np.testing.assert_allclose(rank["history"], launch(1)[0]["history"], rtol=1e-3)


def test_the_same_number_of_ranks_gives_the_same_bits_run_after_run(launch):
    first, again = launch(4)[0], launch(4, again=True)[0]
    assert first["digest"] == again["digest"]
    assert first["history"] == again["history"]
    assert first["gradients"] == again["gradients"]


def test_each_message_brings_what_it_says(launch):
    for r, rank in enumerate(launch(4)):
        assert rank["talk"] == {
            "launched": 4,
            "size": 4,
            "node": [r, 4],
            "array": [3.0] * 5,
            "counts": [4, 6],
            "sums": [4.0, 3.0],
            "any": [False, True],
            "broadcast": "from 3",
            "draw": np.random.default_rng(0).random(),
            "gather": [0, 1, 2, 3] if r == 0 else None,
            "all_gather": [0, 1, 2, 3],
            "scatter": f"to {r}",
        }


def test_what_one_rank_is_refused_for_is_refused_on_all_by_name(launch):
    ranks = [rank["refusals"] for rank in launch(4)]
    assert {one["agree"] for one in ranks} == {
        "DistributedError: data: expected the same on all ranks, got digest 0 on ranks 0-1 and "
        "digest 1 on ranks 2-3"
    }
    assert [one["together"] for one in ranks] == [
        "KeyError: 'no such column'"
        if r == 1
        else "OtherRankError: reading the data failed on rank 1: KeyError: 'no such column'"
        for r in range(4)
    ]
    assert {one["nan"] for one in ranks} == {
        "NonFiniteGradientError: gradients: expected finite numbers, got others on "
        "rank 3: parameter 5 (weight)"
    }
    for value in ("nan", "infinity"):
        assert {one[f"{value} at the start"] for one in ranks} == {
            "DistributedError: parameters: expected finite numbers, got others on "
            "rank 3: parameter 5 (weight)"
        }
    (words,) = {one["other bits"] for one in ranks}
    assert words.startswith(
        "DistributedError: parameters: expected the same bits on all ranks, got others than on "
        "rank 0 on ranks 2-3: parameter 5 (weight); after one rank changed its own, call broadcast"
    )


def test_an_uncaught_exception_of_one_rank_is_printed_once_and_ends_the_others():
    done = mpiexec(4, PROGRAMS / "ends.py", "one raises")
    assert done.returncode != 0 and done.stdout == ""
    assert done.stderr.count("ValueError: a broken file") == 1
    assert "rank 1 of 4:\nTraceback" in done.stderr and done.stderr.count(" of 4:\n") == 1


def test_what_all_ranks_are_refused_for_is_printed_once():
    done = mpiexec(4, PROGRAMS / "ends.py", "all refuse")
    assert done.returncode == 1 and done.stdout == ""
    assert len(re.findall("^Traceback", done.stderr, re.M)) == 1
    words = "version: expected the same on all ranks, got 0.0 on rank 0 and 0.1 on rank 1 and "
    words += "0.2 on rank 2 and 0.3 on rank 3"
    assert done.stderr.count(words) == 1 and "Abort" not in done.stderr


def test_abort_ends_all_ranks_with_its_code_and_keeps_what_was_printed():
    done = mpiexec(4, PROGRAMS / "ends.py", "abort")
    assert done.returncode == 3 and done.stdout == "rank 1 leaves\n"
