"""``train classify`` and ``train forecast`` on ranks: what one process finds, and end as one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import classify_tool
import forecast_tool
import pytest
from cli_tool import here
from jobs_tool import COMMANDS, launch
from ranks_tool import needs_mpi

from numba_lstm.training.runs.checkpoint import Run

pytestmark = needs_mpi

RANKS = 4
CLASSIFY = [
    "train", "classify", *classify_tool.options("table.csv"), *classify_tool.TINY,
    "--test-fraction", 0.2, "--json",
]  # fmt: skip
FORECAST = [
    "train", "forecast", "--csv", "sales.csv", *forecast_tool.TABLE, *forecast_tool.TINY,
    "--horizon", 5, "--folds", 2, "--json",
]  # fmt: skip
TOO_FAST = ["--lr", 1.0, "--schedule", "constant", "--warmup", 0]
# Without a patience or a clock that ends them they train for ever.
ENDLESS = ["--steps", 1_000_000, "--valid-every", 1, "--patience", 2, *TOO_FAST]
COMMAND_OF = {
    "classify": ("none", [*CLASSIFY, "--epochs", 2]),
    "forecast": ("none", [*FORECAST, "--epochs", 1]),
    "patient": ("none", [*CLASSIFY, *ENDLESS]),
    "patient-too": ("none", [*FORECAST, *ENDLESS]),
    # Of the last rank no time passes: rank 0's clock is everybody's.
    "clock": ("no_time", [*CLASSIFY, "--minutes", 0.01]),
    "clock-too": ("no_time", [*FORECAST, "--minutes", 0.01, "--patience", 1_000_000]),
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """A folder with a run of each name, and the figures of each."""
    folder = tmp_path_factory.mktemp("tables")
    classify_tool.write_csv(folder / "table.csv", 40)
    forecast_tool.write_csv(folder / "sales.csv", 80)
    commands = [
        (fault, [*map(str, args), "--out", name]) for name, (fault, args) in COMMAND_OF.items()
    ]
    code, out, err = launch(RANKS, COMMANDS, json.dumps(commands), cwd=folder)
    assert (code, err) == (0, "")
    told = dict(zip(COMMAND_OF, json.loads(out), strict=True))
    for name, ranks in told.items():
        assert [rank[0] for rank in ranks] == [0] * RANKS, (name, ranks)
        # Rank 0 speaks for all.
        assert all(rank[1:] == ["", ""] for rank in ranks[1:]), (name, ranks)
        assert f"{RANKS} ranks on 1 machine, threads of each: 1" in ranks[0][2], (name, ranks)
    return folder, {name: json.loads(ranks[0][1]) for name, ranks in told.items()}


def flat(tree, path=""):
    """The leaves of nested dictionaries by their paths."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {k: v for name, one in tree.items() for k, v in flat(one, f"{path}/{name}").items()}


@pytest.mark.parametrize("kind", ["classify", "forecast"])
def test_the_command_on_ranks_finds_what_it_finds_alone(ends, kind, monkeypatch):
    folder, told = ends
    monkeypatch.chdir(folder)
    result = here(*COMMAND_OF[kind][1], "--out", f"{kind}-alone")
    assert result.code == 0, result.err
    several, alone = told[kind], json.loads(result.out)
    assert (several.pop("ranks"), alone.pop("ranks")) == (RANKS, 1)
    for one in (several, alone):
        for name in [n for n in one if "second" in n or n in ("run", "threads")]:
            del one[name]
    found, expected = flat(several), flat(alone)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        close = pytest.approx(value, rel=1e-4) if isinstance(value, float) else value
        assert found[path] == close, path
    assert several["status"] == "done" and len(several) > 8
    names = sorted(os.listdir(f"{kind}-alone"))
    assert sorted(os.listdir(kind)) == names
    options = [Path(path, "config.toml").read_bytes() for path in (kind, f"{kind}-alone")]
    assert options[0] == options[1]


@pytest.mark.parametrize("name", ["patient", "patient-too"])
def test_all_ranks_stop_together_when_the_patience_is_at_its_end(ends, name):
    folder, told = ends
    assert told[name]["stopped_early"] is True
    step = Run(folder / name).load().counters["step"]
    assert step == told[name]["steps"] == told[name]["best_step"] + 2 < 1000


@pytest.mark.parametrize("name", ["clock", "clock-too"])
def test_all_ranks_stop_together_when_the_clock_of_rank_0_says_so(ends, name):
    folder, told = ends
    assert told[name]["status"] == "done" and not told[name]["stopped_early"]
    counters = Run(folder / name).load().counters
    assert counters["seconds"] >= 0.6 and counters["step"] == told[name]["steps"] > 0
