"""The processes of a command that a launcher such as ``mpiexec`` started: one command, one end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ._errors import FAILED, BadInput, exit_code, one_line

if TYPE_CHECKING:
    from ..distributed.ending import Ending
    from ..distributed.group import Group

__all__ = ["RanksCommand", "in_words", "of_launch"]

# How long a rank that failed waits for others to fail, too, before it ends them. What goes wrong on
# all of them, such as a wrong option, does so within less.
_PATIENCE = 2.0


@contextlib.contextmanager
def of_launch() -> Iterator[Group]:
    """Give the ranks that the launcher started, or this process alone, and have them end together.

    What goes wrong on all ranks is printed once, and each ends with its exit code. What goes wrong
    on some is printed by one of these, and the others are aborted, which may wait for them.

    Raises
    ------
    BadInput
        When there are several ranks, but nothing to talk to each other by.
    """
    from ..distributed.group import Alone, group_of
    from ..distributed.launcher import launched

    if launched() == 1:
        yield Alone()
        return
    from ..distributed.ending import Ending

    try:
        group = group_of()
    except (ImportError, RuntimeError) as error:
        raise BadInput(str(error)) from None
    ending, failure = Ending(group), None
    try:
        yield group
    except BaseException as error:
        failure = error
    _end(group, ending, failure)


class RanksCommand(click.Command):
    """A command that works in `of_launch`: so its wrong options, too, are told there.

    A launcher does not end ranks that wait for one which left before it joined them.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click has it."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            with of_launch():
                raise error


def _end(group: Group, ending: Ending, failure: BaseException | None) -> None:
    """Wait for the other ranks, and raise what this one is to end with."""
    if failure is None:
        ending.met("")
        return
    code, line = _code_of(failure), ""
    if not isinstance(failure, click.exceptions.Exit):
        line = one_line(failure)
    lines = ending.met(line, None if code == 0 else _PATIENCE)
    if lines is None:
        if line:
            click.echo(f"error: rank {group.rank}: {line}", err=True)
        group.abort(code)
    # The first that has something to say says it for all.
    if line and any(lines[: group.rank]):
        raise click.exceptions.Exit(code)
    raise failure


def _code_of(failure: BaseException) -> int:
    if isinstance(failure, click.exceptions.Exit):
        return failure.exit_code
    if isinstance(failure, SystemExit):
        return failure.code if isinstance(failure.code, int) else FAILED
    return exit_code(failure)


def in_words(group: Group) -> str:
    """A line about the ranks and the threads of each; all ranks must ask."""
    from .. import threads

    nodes = sum(number == 0 for number, _ in group.all_gather(group.node()))
    counts = sorted(set(group.all_gather(threads.get_num_threads())))
    each = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    machines = "1 machine" if nodes == 1 else f"{nodes} machines"
    return f"{group.size} ranks on {machines}, threads of each: {each}"
