"""Commands on the ranks that a launcher started, with something wrong on the last one of them.

Reads commands as JSON, ``[[fault, arguments], …]``, and prints on rank 0 how each ended on each
rank. A fault is the name of a function below. A single command is run as it is.
"""

from __future__ import annotations

import json
import math
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from cli_tool import here  # noqa: E402

from numba_lstm.cli import main  # noqa: E402
from numba_lstm.distributed import group_of  # noqa: E402
from numba_lstm.training.lm import data, task  # noqa: E402
from numba_lstm.training.loop import Loop  # noqa: E402
from numba_lstm.training.runs import ranks as of_runs  # noqa: E402
from numba_lstm.training.runs import session  # noqa: E402

AT = 5
GROUP = group_of()


def none(args: list[str]) -> Any:
    return mock.patch.dict({})


def version(args: list[str]) -> Any:
    return mock.patch.object(of_runs, "__version__", "0.0.0")


def option(args: list[str]) -> Any:
    args += ["--lr", "0.5"]
    return none(args)


def threads(args: list[str]) -> Any:
    args += ["--threads", "1"]
    return none(args)


def no_number(args: list[str]) -> Any:
    args += ["--lr", "much"]
    return none(args)


def other_text(args: list[str]) -> Any:
    real = data.read_sources
    return mock.patch.object(data, "read_sources", lambda names: real(names) + "and more")


def no_file(args: list[str]) -> Any:
    def refuse(names: Any) -> Any:
        raise FileNotFoundError(2, "No such file or directory", "/node/text.txt")

    return mock.patch.object(data, "read_sources", refuse)


def _in_step(work: Any) -> Any:
    """Do something in step `AT`: it gets the arguments and what the step's forward pass gave."""
    real, steps = task.train_step, []

    def step(model: Any, optimizer: Any, *rest: Any) -> Any:
        if model is not _models[-1]:  # a copy that is warmed up
            return real(model, optimizer, *rest)
        steps.append(1)
        with work(model) if len(steps) == AT else mock.patch.dict({}):
            return real(model, optimizer, *rest)

    return mock.patch.object(task, "train_step", step)


_models: list[Any] = []
_start = session.start


def _remember(*args: Any, **more: Any) -> Any:
    trainer, run = _start(*args, **more)
    _models.append(trainer.model)
    return trainer, run


session.start = _remember


def nan_loss(args: list[str]) -> Any:
    from numba_lstm import losses

    real = losses.cross_entropy
    bad = lambda *some, **more: (math.nan, real(*some, **more)[1])  # noqa: E731
    return _in_step(lambda model: mock.patch.object(losses, "cross_entropy", bad))


def nan_gradient(args: list[str]) -> Any:
    from numba_lstm import losses

    real = losses.cross_entropy

    def bad(*some: Any, **more: Any) -> Any:
        loss, gradient = real(*some, **more)
        gradient[0] = math.nan
        return loss, gradient

    return _in_step(lambda model: mock.patch.object(losses, "cross_entropy", bad))


def interrupted(args: list[str]) -> Any:
    def send(model: Any) -> Any:
        for _ in range(3):  # as from a launcher and a terminal
            signal.raise_signal(signal.SIGINT)
        return none(args)

    return _in_step(send)


def interrupted_early(args: list[str]) -> Any:
    def warm_up(self: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    return mock.patch.object(task.TextTask, "warm_up", warm_up)


def no_time(args: list[str]) -> Any:
    return mock.patch.object(Loop, "_elapsed", lambda self: 0.0)


def error(args: list[str]) -> Any:
    def fail(model: Any) -> Any:
        raise OSError("the cable is out")

    return _in_step(fail)


if __name__ == "__main__":
    told, commands = [], json.loads(sys.argv[1])
    last = GROUP.rank == GROUP.size - 1
    if len(commands) == 1:
        fault, args = commands[0]
        with globals()[fault](args) if last else none(args):
            main(args)
    for fault, args in commands:
        with globals()[fault](args) if last else none(args):
            end = here(*args)
        told.append(GROUP.gather([end.code, end.out, end.err]))
    if GROUP.rank == 0:
        print(json.dumps(told))
