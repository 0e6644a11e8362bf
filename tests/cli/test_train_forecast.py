"""``train forecast`` as people use it, and what the other commands do with its run."""

from __future__ import annotations

import csv
import functools
import json
import shutil
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest
from cli_tool import cli, here, start
from click.testing import CliRunner
from forecast_tool import TABLE, TINY, write_csv

from numba_lstm.cli import main
from numba_lstm.training.forecast import results
from numba_lstm.training.forecast.results import measure


@functools.cache
def trained():
    """A finished run with a column that is known ahead, and the command's result; made once."""
    folder = Path(tempfile.mkdtemp())
    data = write_csv(folder / "data.csv", 160, more=7, left_out=(20,))
    result = cli(
        "train", "forecast", "--csv", data, *TABLE, "--exog", "visitors", "--known", "holiday",
        "--horizon", 7, "--folds", 4, *TINY, "--epochs", 10, "--out", folder / "run", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    return folder, result


def rows_of(text):
    return list(csv.DictReader(text.splitlines()))


def test_the_figures_are_one_json_object_and_peoples_text_is_beside_it():
    folder, result = trained()
    summary = json.loads(result.out)
    assert summary["status"] == "done" and summary["run"] == str(folder / "run")
    assert {"steps", "time_steps", "seconds", "train_loss", "val_loss"} <= set(summary)
    assert not [name for name in summary if "token" in name]
    assert (summary["frequency"], summary["horizon"]) == ("D", 7)
    test = summary["backtest"]
    assert (test["folds"], test["horizon"]) == (4, 7)
    assert (test["from"], test["to"]) == ("2021-05-16", "2021-06-12")
    for name in ("model", "network", "seasonal_naive", "linear", "last_value"):
        assert set(test[name]) == {"mae", "rmse", "mase", "smape"}
    assert summary["intervals"]["level"] == 0.9
    assert 0.5 < summary["intervals"]["coverage"] <= 1.0
    assert f"note: {folder / 'data.csv'}: 160 rows, one every day" in result.err
    assert "1 of 160 rows were missing and are filled on straight lines: 2021-01-24" in result.err
    assert "the last 7 rows have no target" in result.err
    assert "back-test: 4 forecasts of 7 steps (1 day each), 2021-05-16 to 2021-06-12" in result.err
    assert "earn its keep" in result.err or "earns its keep" in result.err or "chance" in result.err


def test_evaluate_repeats_the_back_test_or_makes_one_on_a_file():
    folder, result = trained()
    own = json.loads(here("evaluate", folder / "run", "--json").out)
    summary = json.loads(result.out)
    assert own["backtest"] == summary["backtest"]
    assert own["intervals"] == summary["intervals"]
    assert own["weights"] == summary["weights"]
    assert all(share == round(share, 6) for share in own["weights"].values())
    other = write_csv(folder / "other.csv", 90, seed=4)
    found = here("evaluate", folder / "run", "--data", other, "--json")
    figures = json.loads(found.out)
    assert figures["backtest"]["folds"] == 4 and figures["frequency"] == "D"
    assert figures["backtest"]["to"] == "2021-04-03"
    assert "the run was trained on rows up to 2021-05-15" in found.err
    people = here("evaluate", folder / "run", "--data", other)
    assert people.out.startswith("back-test: 4 forecasts of 7 steps")
    assert "seasonal naive (7 before)" in people.out and "intervals of 90%" in people.out


def test_predict_writes_a_row_for_each_step_ahead():
    folder, _ = trained()
    about = ["predict", folder / "run", "--input", folder / "data.csv", "--output"]
    result = here(*about, folder / "found.csv", "--json")
    assert result.code == 0, result.err
    rows = rows_of((folder / "found.csv").read_text())
    assert [row["day"] for row in rows] == [f"2021-06-{day}" for day in range(13, 20)]
    assert [row["step"] for row in rows] == list("1234567")
    for row in rows:
        low, middle, high = (float(row[f"sales{end}"]) for end in ("_low", "", "_high"))
        assert low <= middle <= high and low < high and 5 < middle < 45
    told = json.loads(result.out)
    assert told == {
        "output": str(folder / "found.csv"),
        "series": 1,
        "rows": 7,
        "from": "2021-06-13",
        "to": "2021-06-19",
        "level": 0.9,
    }
    assert here(*about, "-").out == (folder / "found.csv").read_text()


def test_what_is_known_ahead_must_be_told_of_each_step():
    folder, _ = trained()
    bare = write_csv(folder / "bare.csv", 160, more=3)
    about = ["--input", bare, "--output", "x.csv"]
    line = here("predict", folder / "run", *about).err.splitlines()[-1]
    assert line == (
        f"error: {bare}: expected a row for each of the 7 steps from 2021-06-13 to 2021-06-19 with "
        "what is known ahead (holiday), got no holiday at 2021-06-16"
    )


def test_the_end_of_a_series_decides_and_what_comes_later_does_not():
    """From each origin of the back-test `predict` says what the back-test said."""
    folder, _ = trained()
    drawn = json.loads((folder / "run" / "results.json").read_text())["drawn"][0]
    lines = (folder / "data.csv").read_text().splitlines()
    header, body = lines[0], lines[1:]
    for fold in (0, 2):
        first = drawn["time"][fold][0][:10]
        cut = next(n for n, line in enumerate(body) if line.startswith(first))
        ahead = [line.split(",") for line in body[cut : cut + 7]]
        kept = [*body[:cut], *(f"{cells[0]},,,{cells[-1]}" for cells in ahead)]
        path = folder / "cut.csv"
        path.write_text("\n".join([header, *kept]) + "\n")
        rows = rows_of(here("predict", folder / "run", "--input", path, "--output", "-").out)
        found = [float(row["sales"]) for row in rows]
        np.testing.assert_allclose(found, np.ravel(drawn["model"][fold]), rtol=1e-5)


def test_plot_draws_losses_and_the_back_test():
    pytest.importorskip("matplotlib")
    folder, _ = trained()
    result = here("plot", folder / "run", "-o", folder / "run.svg")
    assert result.code == 0, result.err
    picture = (folder / "run.svg").read_text()
    assert picture.startswith("<?xml")
    (folder / "run" / "results.json").rename(folder / "kept.json")
    try:
        assert here("plot", folder / "run", "-o", folder / "bare.svg").code == 0
    finally:
        (folder / "kept.json").rename(folder / "run" / "results.json")
    assert len((folder / "bare.svg").read_text()) < len(picture)


def test_many_series_train_one_model_and_each_is_forecast():
    folder = trained()[0]
    data = write_csv(folder / "shops.csv", 100, ids=("north", "south"))
    about = ["--csv", data, *TABLE, "--id", "shop", "--horizon", 5, "--folds", 3, *TINY]
    made = here(
        "train", "forecast", *about, "--loss", "quantile", "--level", 0.8, "--epochs", 4,
        "--out", folder / "shops", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    summary = json.loads(made.out)
    assert summary["series"] == 2 and summary["intervals"]["source"] == "quantile loss"
    test = summary["backtest"]
    rivals = {"linear_members", "linear", "seasonal_naive", "last_value"}
    assert set(test["better"]) == rivals
    assert list(test["series"]) == ["north", "south"]
    assert set(test["series"]["south"]) == {"model", "network", *rivals}
    both = [one["linear_members"] for one in test["series"].values()]
    assert test["linear_members"]["mase"] == pytest.approx(np.mean(both))
    assert "MASE of each series" in made.err
    result = here("predict", folder / "shops", "--input", data, "--output", "-")
    rows = rows_of(result.out)
    assert [row["shop"] for row in rows] == ["north"] * 5 + ["south"] * 5
    assert all(float(row["sales_low"]) <= float(row["sales_high"]) for row in rows)
    other = write_csv(folder / "new.csv", 100, ids=("east",))
    rows = rows_of(here("predict", folder / "shops", "--input", other, "--output", "-").out)
    assert [row["shop"] for row in rows] == ["east"] * 5


def test_without_a_back_test_intervals_are_of_what_validates():
    folder = trained()[0]
    about = ["--csv", folder / "data.csv", *TABLE, "--horizon", 7, "--folds", 0, *TINY]
    made = here("train", "forecast", *about, "--epochs", 1, "--out", folder / "all", "--json")
    assert json.loads(made.out)["backtest"] is None, made.err
    asked = ["--input", folder / "data.csv", "--output", "-"]
    result = here("predict", folder / "all", *asked)
    for row in rows_of(result.out):
        assert float(row["sales_low"]) < float(row["sales"]) < float(row["sales_high"])
    assert "the run holds nothing back" in here("evaluate", folder / "all").err
    about += ["--valid-fraction", 0, "--epochs", 1]
    made = here("train", "forecast", *about, "--out", folder / "none")
    result = here("predict", folder / "none", *asked)
    assert result.out.startswith("day,step,sales\n"), made.err
    assert "note: no intervals: the run has no errors to make them of, for it has no" in result.err


def test_evaluating_on_changed_data_is_refused(tmp_path):
    folder, _ = trained()
    run = shutil.copytree(folder / "run", tmp_path / "run")
    changed = write_csv(tmp_path / "data.csv", 161, more=7)
    text = (run / "config.toml").read_text()
    (run / "config.toml").write_text(text.replace(str(folder / "data.csv"), str(changed)))
    result = CliRunner().invoke(main, ["evaluate", str(run)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: data: {changed} has changed since the run; give --data" in result.stderr


def test_an_interrupted_run_is_saved_and_resumed(tmp_path):
    data = write_csv(tmp_path / "data.csv")
    run = tmp_path / "run"
    about = ["train", "forecast", "--csv", data, *TABLE, "--horizon", 7, *TINY, "--log-every", 1]
    process = start(*about, "--steps", 100_000, "--out", run, "--quiet", "--json")
    while not (run / "metrics.jsonl").is_file() or not (run / "metrics.jsonl").read_text():
        assert process.poll() is None, process.communicate()
        signal.sigtimedwait([], 0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    summary = json.loads(out)
    assert summary["status"] == "interrupted"
    assert f"go on: numba-lstm train forecast --resume {run}" in err
    told = "note: the run has not ended: it was interrupted, or is being trained; its networks "
    made = here("predict", run, "--input", data, "--output", tmp_path / "next.csv")
    assert made.code == 0 and told in made.err
    for again in (["evaluate", run, "--json"], ["export", run, tmp_path / "m.safetensors"]):
        made = here(*again)
        assert made.code == 0 and told in made.err
    more = ["--steps", summary["steps"] + 3, "--json", "--quiet"]
    resumed = here("train", "forecast", "--resume", run, *more)
    assert resumed.code == 0, resumed.err
    assert json.loads(resumed.out)["steps"] == summary["steps"] + 3
    assert told not in here("export", run, tmp_path / "m.safetensors").err
    (run / "linear.safetensors").unlink()
    made = here("predict", run, "--input", data, "--output", "-")
    assert f"{run / 'linear.safetensors'}: no such file" in made.error(2)


def test_what_is_found_at_the_end_is_written_while_nobody_can_resume(tmp_path, monkeypatch):
    pytest.importorskip("fcntl")
    tried = []

    def measured(task, run):
        again = ["train", "forecast", "--resume", str(run.path), "--epochs", "2"]
        tried.append(CliRunner().invoke(main, again))
        return measure(task, run)

    monkeypatch.setattr(results, "measure", measured)
    data = write_csv(tmp_path / "data.csv")
    about = ["--csv", data, *TABLE, "--horizon", 7, *TINY, "--epochs", 1, "--out", tmp_path / "run"]
    made = CliRunner().invoke(main, ["train", "forecast", *map(str, about), "--quiet"])
    assert made.exit_code == 0, made.stderr
    (one,) = tried
    assert one.exit_code == 2 and "another process is training this run" in one.stderr
    assert (tmp_path / "run" / "results.json").is_file()


def test_options_come_from_a_file_and_csv_is_another_name_of_data(tmp_path):
    data = write_csv(tmp_path / "data.csv")
    file = tmp_path / "options.toml"
    file.write_text(
        f'kind = "forecast"\ncsv = "{data}"\nhidden = 4\nepochs = 1\ntime = "day"\n'
        'target = ["sales", "visitors"]\nhorizon = 7\n'
    )
    about = ["train", "forecast", "--config", file, "--out", tmp_path / "run", "--json", "--quiet"]
    result = here(*about)
    assert result.code == 0, result.err
    text = (tmp_path / "run" / "config.toml").read_text()
    assert "hidden = 4\n" in text and f'data = "{data}"\n' in text
    targets = json.loads(result.out)["backtest"]["targets"]
    assert set(targets) == {"sales", "visitors"}
    file.write_text(f'csv = "{data}"\ndata = "{data}"\n')
    assert "expected once, got data, too" in here("train", "forecast", "--config", file).err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train", "forecast"], "data: expected a table with a column of time (--csv FILE)"),
        (["train", "forecast", "--csv", "DATA"], "horizon: expected how many steps ahead"),
        (["train", "forecast", "--csv", "absent.csv", "--horizon", "3"], "absent.csv"),
        (["train", "forecast", "--csv", "DATA", "--horizon", "0"], "horizon: expected a whole num"),
        (["train", "forecast", "--resume", "RUN", "--hidden", 9], "hidden: expected the run's 8"),
        (["train", "forecast", "--gaps", "none"], "--gaps"),
        (["train", "lm", "--resume", "RUN"], "expected a run of train lm, got one of train forec"),
        (["sample", "RUN"], "expected a run of train lm, got one of train forecast"),
        (["evaluate", "RUN", "--unknown", "skip"], "unknown: expected a run of a language model"),
        (["evaluate", "RUN", "--label", "x"], "label: expected a run of a classifier, got a for"),
        (["evaluate", "RUN", "--data", "a", "--data", "b"], "data: expected one table, got 2"),
        (["evaluate", "RUN", "--id", "who"], "id: expected with a file (--data) only"),
        (["predict", "RUN", "--input", "absent.csv", "--output", "x.csv"], "absent.csv"),
        (["predict", "RUN", "--input", "SHORT", "--output", "x.csv"], "too short: a window of 28"),
        (["predict", "RUN", "--input", "MONTHS", "--output", "x.csv"], "expected rows every 1 day"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(args, words):
    folder, _ = trained()
    months = ["day,sales,visitors,holiday"]
    months += [f"20{20 + n // 12}-{n % 12 + 1:02},{n},1,0" for n in range(40)]
    (folder / "months.csv").write_text("\n".join(months) + "\n")
    places = {
        "RUN": folder / "run",
        "DATA": folder / "data.csv",
        "SHORT": write_csv(folder / "short.csv", 12),
        "MONTHS": folder / "months.csv",
    }
    # In this process: what is refused needs no kernels.
    result = CliRunner().invoke(main, [str(places.get(arg, arg)) for arg in args])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and words in line
