"""Damaged runs, options, vocabularies, metrics, texts, tables and sequences, given to the commands.

    python tests/tools/fuzz_tool.py 20000 [seed]

Every input must end in one of the promised exit codes and, where it is refused, in one line of
words; soon, in little memory, and without a change to anything outside of the run's own folder.
What fails that is printed and kept in a folder that is named.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]
os.environ["NUMBA_LSTM_TUNE"] = "0"

import classify_tool  # noqa: E402
import forecast_tool  # noqa: E402
import numpy as np  # noqa: E402
from cli_tool import TEXT, TINY  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from damage_tool import damage  # noqa: E402

from numba_lstm.cli import main  # noqa: E402

#: What an input may take beyond what importing and training took, and how long.
MEMORY, SECONDS = 1 << 30, 30
FORECAST = [*forecast_tool.TABLE, *forecast_tool.TINY, "--horizon", 5, "--folds", 2,
            "--epochs", 1, "--quiet"]  # fmt: skip


class Place:
    """A folder with good files of every kind, and what commands read them."""

    def __init__(self, root: Path) -> None:
        self.root, self.good, self.work = root, root / "good", root / "work"
        self.outside = root / "outside"
        for one in (self.good, self.outside):
            one.mkdir()
        (self.outside / "precious").write_text("mine")
        (self.good / "text.txt").write_text(TEXT)
        classify_tool.write_csv(self.good / "table.csv", 20)
        self._write_sequences()
        lm = ["train", "lm", "--data", self.good / "text.txt", *TINY, "--steps", 3, "--quiet"]
        run(*lm, "--log-every", 1, "--valid-every", 2, "--out", self.good / "lm")
        for name, about in (
            ("classify", classify_tool.options(self.good / "table.csv")),
            ("ts", ["--data", self.good / "some.ts"]),
        ):
            more = ["--epochs", 1, "--quiet", "--out", self.good / name]
            run("train", "classify", *about, *classify_tool.TINY, *more)
        sales = forecast_tool.write_csv(self.good / "sales.csv", 60, more=5, left_out=(20,))
        shops = forecast_tool.write_csv(self.good / "shops.csv", 60, ids=("north", "south"))
        for name, about in (
            ("forecast", ["--csv", sales, "--known", "holiday", "--exog", "visitors"]),
            ("shops", ["--csv", shops, "--id", "shop", "--loss", "quantile"]),
        ):
            run("train", "forecast", *about, *FORECAST, "--out", self.good / name)
        shutil.copytree(self.good, self.work)
        self.targets = self._targets()

    def _write_sequences(self) -> None:
        x, labels = classify_tool.sequences(20)
        head = "@problemName some\n@timeStamps false\n@univariate false\n@dimensions 2\n"
        lines = [head + "@classLabel true falls level rises\n@data"]
        for one, label in zip(x, labels):
            lines.append(":".join(",".join(map(repr, c.tolist())) for c in one.T) + f":{label}")
        (self.good / "some.ts").write_text("\n".join(lines) + "\n")
        steps = [len(one) for one in x]
        names = np.array(["channel 1", "channel 2"])
        about = {"y": np.array(labels), "lengths": np.array(steps), "names": names}
        np.savez_compressed(self.good / "some.npz", x=np.concatenate(x), **about)
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            return
        rows = [
            (f"s{k}", step, *row.tolist(), label)
            for k, (one, label) in enumerate(zip(x, labels))
            for step, row in enumerate(one)
        ]
        columns = dict(zip(["series", "when", "up", "down", "kind"], map(list, zip(*rows))))
        pq.write_table(pa.table(columns), self.good / "table.parquet")

    def _targets(self) -> list[tuple[str, list[list[Any]]]]:
        """Each file that is damaged, and the commands of which one reads it."""
        w = self.work
        lm, classify, ts = w / "lm", w / "classify", w / "ts"
        resume = ["train", "lm", "--resume", lm, "--steps", 4, "--quiet"]
        again = ["train", "classify", "--resume", classify, "--steps", 3, "--quiet"]
        reads = [["sample", lm, "--length", 3], ["export", lm, w / "out.safetensors"]]
        judge = [["evaluate", lm, "--data", w / "text.txt"], ["evaluate", lm]]
        held = [["evaluate", classify], ["predict", classify, "--input", w / "table.csv",
                                        "--output", w / "out.csv"]]  # fmt: skip
        table = [["evaluate", classify, "--data", w / "table.csv"], held[1]]
        found = [
            ("lm/config.toml", [resume, resume, *reads, *judge]),
            ("lm/vocab.json", [resume, *reads, *judge]),
            ("lm/model.safetensors", [resume, *reads]),
            ("lm/resume.safetensors", [resume]),
            ("lm/resume.safetensors", [resume]),
            ("lm/metrics.jsonl", [resume, resume, ["plot", lm, "-o", w / "out.png"]]),
            ("classify/config.toml", [again, *held]),
            ("classify/data.json", [again, *held]),
            ("classify/resume.safetensors", [again, held[0]]),
            ("classify/results.json", [again, ["plot", classify, "-o", w / "out.png"]]),
            ("text.txt", [judge[0], resume]),
            ("table.csv", table),
            ("table.csv", table),
            ("some.ts", [["evaluate", ts, "--data", w / "some.ts"]]),
            ("some.ts", [["evaluate", ts, "--data", w / "some.ts"]]),
            ("some.npz", [["evaluate", ts, "--data", w / "some.npz"]]),
        ]
        if (w / "table.parquet").exists():
            found.append(("table.parquet", [["evaluate", classify, "--data", w / "table.parquet"]]))
        return [*found, *self._forecasts()]

    def _forecasts(self) -> list[tuple[str, list[list[Any]]]]:
        w = self.work
        forecast, sales, shops = w / "forecast", w / "sales.csv", w / "shops.csv"
        begin = ["train", "forecast", "--csv", sales, *FORECAST, "--out", w / "new"]
        resume = ["train", "forecast", "--resume", forecast, "--epochs", 2, "--quiet"]
        predict = ["predict", forecast, "--input", sales, "--output", w / "out.csv"]
        judge = ["evaluate", forecast, "--data", sales]
        plot = ["plot", forecast, "-o", w / "out.png"]
        export = ["export", forecast, w / "out.safetensors"]
        of_shops = [
            ["predict", w / "shops", "--input", shops, "--output", w / "out.csv"],
            ["evaluate", w / "shops", "--data", shops],
        ]
        return [
            ("forecast/config.toml", [resume, predict, judge]),
            ("forecast/data.json", [resume, predict, judge]),
            ("forecast/model.safetensors", [resume, predict, export]),
            ("forecast/resume.safetensors", [resume]),
            ("forecast/linear.safetensors", [predict, judge, export]),
            ("forecast/metrics.jsonl", [resume, plot]),
            ("forecast/results.json", [predict, judge]),
            ("forecast/results.json", [plot, judge]),
            ("shops/data.json", of_shops),
            ("shops/results.json", [*of_shops, ["plot", w / "shops", "-o", w / "out.png"]]),
            ("sales.csv", [predict, judge, resume, begin]),
            ("sales.csv", [predict, judge]),
            ("shops.csv", of_shops),
        ]

    def restore(self) -> None:
        shutil.rmtree(self.work)
        shutil.copytree(self.good, self.work)

    def unchanged(self) -> bool:
        """Whether everything outside of the folder that was worked in is as it was."""
        names = sorted(os.listdir(self.root))
        return (
            names == ["good", "outside", "work"]
            and os.listdir(self.outside) == ["precious"]
            and (self.outside / "precious").read_text() == "mine"
        )


class TooLong(BaseException):
    """An input took more time than any should."""


def run(*args: Any) -> Any:
    result = CliRunner().invoke(main, list(map(str, args)))
    assert result.exit_code == 0, (args, result.output, result.exception)
    return result


def judged(args: list[Any]) -> tuple[int, str]:
    """A command's exit code, and what is wrong with how it ended."""

    ticks = iter(range(1, SECONDS))

    def tick(*_: Any) -> None:
        # A process that is stopped meanwhile, or whose machine sleeps, gets one for all of that.
        if next(ticks, None) is None:
            raise TooLong

    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
    try:
        result = CliRunner().invoke(main, list(map(str, args)))
    except TooLong:
        return -1, f"more than {SECONDS} seconds"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    if isinstance(result.exception, TooLong) or "TooLong" in result.stderr:
        return -1, f"more than {SECONDS} seconds"
    code = result.exit_code
    told = [line for line in result.stderr.splitlines() if not line.startswith(("note: ", "comp"))]
    errors = [line for line in told if line.startswith("error: ")]
    ends = [f"error: the model's {what} are not finite" for what in ("logits", "forecasts")]
    if code == 1 and len(told) == 1 and told == errors and told[0] in ends:
        return code, ""  # of weights that are finite, but too large
    if code not in (0, 2, 3):
        return code, f"exit code {code}: {result.stderr[-500:]!r} {result.exception!r}"
    if code == 2 and (len(told) != 1 or len(errors) != 1):
        return code, f"more or less than one line: {result.stderr[-500:]!r}"
    if errors and re.match(r"error: ([A-Z]\w+: |not enough memory|$)", errors[0]):
        return code, f"no words of ours: {errors[0][:300]!r}"
    if not errors and "Traceback" in result.stderr:
        return code, f"a traceback: {result.stderr[-500:]!r}"
    return code, ""


def fuzz(count: int, seed: int = 0, keep: Path | None = None) -> tuple[Counter, list[str]]:
    """Damage `count` files; how each ended by its name and exit code, and what was wrong."""
    warnings.simplefilter("error", RuntimeWarning)
    root = Path(tempfile.mkdtemp(prefix="numba_lstm-fuzz-"))
    ended: Counter = Counter()
    faults: list[str] = []
    try:
        place = Place(root)
        for args in {str(args): args for _, some in place.targets for args in some}.values():
            code, wrong = judged(args)
            assert code == 0, (args, wrong)
            place.restore()
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in range(count):
            rng = random.Random(f"{seed} {number}")
            name, commands = rng.choice(place.targets)
            way = damage(place.work / name, place.outside, rng)
            code, wrong = judged(rng.choice(commands))
            ended[f"{name} {code}"] += 1
            if not wrong and not place.unchanged():
                wrong = "something outside was changed"
            if wrong:
                faults.append(f"seed {seed}, number {number}: {name} ({way}): {wrong}")
                if keep is not None and (place.work / name).is_file():
                    shutil.copy(place.work / name, keep / f"{number}-{name.replace('/', '-')}")
            place.restore()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return ended, faults


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="numba_lstm-faults-"))
    wanted, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    counts, wrongs = fuzz(wanted, first, folder)
    print(*wrongs, sep="\n", file=sys.stderr)
    print(json.dumps({"inputs": wanted, "faults": len(wrongs), **dict(sorted(counts.items()))}))
    if wrongs:
        print(f"kept in {folder}", file=sys.stderr)
    else:
        folder.rmdir()
    sys.exit(bool(wrongs))
