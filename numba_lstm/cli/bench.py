"""``numba-lstm bench``: how fast this library is here, beside others."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ._errors import FAILED, BadInput, bad_input
from ._kernels import threads_option
from ._paths import FILE, check_output, suffix

_HELP = """Measure this library beside torch, onnxruntime and OpenVINO.

CASE is a case's name, a group of cases, or a glob; all cases where none is given. A name tells the
sizes TxBxIxH: steps, batch, inputs, hidden units.

\b
Kinds of measurement:
  infer    forward only
  train    forward and backward: gradients of the input, the states, all parameters
  step     a language model's training step: embedding, LSTM, linear, loss, clipping, Adam
  latency  one step of one row, p50 and p99
  cold     from the start of a process to its first result
  memory   peak resident memory of a training step

Each library runs in a process of its own, in turns with the others, on the same weights and inputs;
it is timed only after its results were found to be equal. Figures are medians of rounds, ratios the
other's time divided by ours with their 95 % interval. The peak is measured in the same run. Exit
code 1: somebody disagreed or failed.

The peer "rules" is this library without plans chosen by measurement. With --isa each library is
held to an instruction set by its own switch; one that has none is measured as it is, marked by an
asterisk, and counts in no mean.

The others come with the extra: pip install 'numba_lstm[bench]'
"""


def _complete(names: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    """Completion of the last of several names with commas between them."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in names() if name.startswith(last)]

    return complete


def _case_names() -> Iterable[str]:
    from ..benchmark.cases import GRID

    return dict.fromkeys([case.group for case in GRID] + [case.name for case in GRID])


def _kind_names() -> Iterable[str]:
    from ..benchmark.cases import KINDS

    return KINDS


def _peer_names() -> Iterable[str]:
    from ..benchmark.peers import PEERS

    return [*PEERS, "none"]


@click.command(help=_HELP)
@click.argument("cases", nargs=-1, metavar="[CASE]...", shell_complete=_complete(_case_names))
@click.option(
    "--peers",
    multiple=True,
    metavar="PEER,...",
    help="Whom to compare with: some of torch, onnxruntime, openvino (these are the default) and "
    "rules; none for nobody.",
    shell_complete=_complete(_peer_names),
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND,...",
    help="Only these kinds of measurement.",
    shell_complete=_complete(_kind_names),
)
@threads_option
@click.option("--quick", is_flag=True, help="Short and rough.")
@click.option(
    "--isa",
    type=click.Choice(["native", "avx512", "avx2", "baseline"]),
    default="native",
    show_default=True,
    help="The instruction set that everybody is held to; baseline is SSE.",
)
@click.option(
    "--random",
    "drawn",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Instead of CASEs, N shapes drawn by --seed.",
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="S", help="Of --random; 0 where it is not given."
)
@click.option(
    "--busy",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Run N busy loops beside every measurement, and compare with one thread without them.",
)
@click.option("--repeat", type=click.IntRange(1), default=1, help="Measure everything N times.")
@click.option(
    "--json",
    "json_file",
    type=FILE,
    is_flag=False,
    flag_value="-",
    metavar="[FILE.json]",
    help="Write one JSON object to a file; to standard output where it is - or not given.",
)
@click.option(
    "--plot",
    "plot_file",
    type=FILE,
    metavar="FILE.png",
    help="Draw the roofline and the ratios.",
)
@click.option("--list", "only_list", is_flag=True, help="List the cases and do nothing.")
@click.pass_context
def bench(
    ctx: click.Context,
    cases: tuple[str, ...],
    kinds: tuple[str, ...],
    drawn: int | None,
    seed: int | None,
    json_file: str | None,
    plot_file: str | None,
    only_list: bool,
    **options: Any,
) -> None:
    """Compare with other libraries."""
    from ..benchmark.peers import DEFAULT, parse

    with bad_input():
        chosen = _choose(cases, drawn, seed)
        wanted = _kinds(kinds)
        options["peers"] = parse(",".join(options["peers"] or DEFAULT))
        if only_list:
            _list(chosen, wanted, json_file)
            return
        result = _run(chosen, wanted, (json_file, plot_file), **options)
    if drawn is not None:
        result["random"] = {"n": drawn, "seed": seed or 0}
    _show(result, json_file == "-")
    with bad_input():
        _write(result, json_file, plot_file)
    if any("error" in one for one in result["cases"]):
        ctx.exit(FAILED)


def _choose(patterns: tuple[str, ...], drawn: int | None, seed: int | None) -> list[Any]:
    """The cases of the grid that the patterns name, or those drawn by the seed."""
    from ..benchmark.cases import select
    from ..benchmark.random_cases import draw

    if drawn is None:
        if seed is not None:
            raise ValueError(f"--seed: expected --random N with it, got --seed {seed} alone")
        return select(patterns)
    if patterns:
        raise ValueError(f"--random: expected no CASE beside it, got {patterns[0]!r}")
    return draw(drawn, seed or 0)


def _list(chosen: list[Any], kinds: tuple[str, ...], json_file: str | None) -> None:
    """Each case with those of its kinds that were asked for."""
    found = {case.name: [kind for kind in case.kinds if kind in kinds] for case in chosen}
    found = {name: some for name, some in found.items() if some}
    if json_file is None:
        width = max(map(len, found), default=0)
        for name, some in found.items():
            click.echo(f"{name:<{width}}  {', '.join(some)}")
        return
    _check_files(json_file, None)
    _write_json([{"name": name, "kinds": some} for name, some in found.items()], json_file)


def _kinds(options: tuple[str, ...]) -> tuple[str, ...]:
    from ..benchmark.cases import KINDS

    if not options:
        return KINDS
    names = tuple(name.strip() for name in ",".join(options).split(","))
    for name in names:
        if name not in KINDS:
            raise ValueError(f"--kind: expected some of {', '.join(KINDS)}, got {name!r}")
    return names


def _run(
    chosen: list[Any],
    kinds: tuple[str, ...],
    files: tuple[str | None, str | None],
    *,
    peers: list[Any],
    threads: int | None,
    quick: bool,
    isa: str,
    busy: int,
    repeat: int,
) -> dict[str, Any]:
    from ..benchmark.engine import FULL, QUICK
    from ..benchmark.run import run
    from ..threads import get_num_threads, most_threads

    most = most_threads()
    if threads is not None and not 1 <= threads <= most:
        raise ValueError(
            f"--threads: expected 1 to {most}, got {threads} (NUMBA_NUM_THREADS allows more)"
        )
    if not any(kind in kinds for case in chosen for kind in case.kinds):
        there = ", ".join(dict.fromkeys(kind for case in chosen for kind in case.kinds))
        raise ValueError(
            f"--kind: expected some of the chosen cases' kinds, {there}, got {', '.join(kinds)}"
        )
    _check_files(*files)  # before the minutes of measuring, not after them
    return run(
        chosen,
        peers,
        threads or get_num_threads(),
        replace(QUICK if quick else FULL, isa=isa, busy=busy),
        kinds=kinds,
        repeat=repeat,
        say=_progress(),
        warn=lambda text: click.echo(f"warning: {text}", err=True),
    )


def _progress() -> Any:
    """One line that is written over on a terminal, lines elsewhere."""
    live = sys.stderr.isatty()

    def say(text: str) -> None:
        click.echo(f"\r\033[K{text} ..." if live else f"{text} ...", err=True, nl=not live)

    return say


def _check_files(json_file: str | None, plot_file: str | None) -> None:
    if json_file is not None and not _is_json_file(json_file):
        # The option takes a word that follows it, which may have been meant as a case.
        raise ValueError(
            f"--json: expected a FILE that ends in .json, or -, got {json_file!r}; "
            "a CASE goes before --json"
        )
    if json_file is not None:
        check_output(json_file, "--json")
    if plot_file is None:
        return
    if plot_file == "-":
        raise ValueError("--plot: expected a file's name, got '-': the table goes to the output")
    check_output(plot_file, "--plot")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise BadInput(
            "--plot needs matplotlib, which is not installed: pip install 'numba_lstm[plot]'"
        ) from None
    kinds = FigureCanvasAgg.filetypes
    if suffix(plot_file) not in kinds:
        raise ValueError(f"--plot: expected a file such as .png or .svg, got {plot_file!r}")


def _is_json_file(file: str) -> bool:
    """Whether a word can only be meant as a file to write JSON to."""
    path = Path(file)
    special = path.exists() and not path.is_file() and not path.is_dir()  # as /dev/stdout
    return file == "-" or path.suffix.lower() == ".json" or special


def _show(result: dict[str, Any], to_error: bool) -> None:
    from ..benchmark import report

    stream = sys.stderr if to_error else sys.stdout
    if sys.stderr.isatty():
        click.echo("\r\033[K", err=True, nl=False)
    parts = [
        report.describe_machine(result),
        report.table(result, colour=stream.isatty()),
        report.summary(result),
    ]
    click.echo("\n\n".join(parts), err=to_error)


def _write_json(value: Any, file: str) -> None:
    """To a file, whole or not at all; to standard output where it is -."""
    from .._files import write_atomic

    if file == "-":
        click.echo(json.dumps(value, allow_nan=False))
        return
    write_atomic(file, json.dumps(value, indent=1, allow_nan=False) + "\n")
    click.echo(f"wrote {file}", err=True)


def _write(result: dict[str, Any], json_file: str | None, plot_file: str | None) -> None:
    from .._files import write_atomic

    if json_file is not None:
        _write_json(result, json_file)
    if plot_file is not None:
        from ..benchmark.plot import picture

        write_atomic(plot_file, picture(result, suffix(plot_file)))
        click.echo(f"wrote {plot_file}", err=True)
