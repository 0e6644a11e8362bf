"""The processes of a command that a launcher such as ``mpiexec`` started: one command, one end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from ._errors import FAILED, BadInput, exit_code, one_line
from ._rank_warnings import RankWarnings, Warned

if TYPE_CHECKING:
    from ..distributed.ending import Ending
    from ..distributed.group import Group

__all__ = ["EndOfRank", "RanksCommand", "in_words", "of_launch"]

# How long a rank that failed waits for others to fail, too, before it ends them. What goes wrong on
# all of them, such as a wrong option, does so within less.
_PATIENCE = 2.0


class EndOfRank(click.ClickException):
    """How a rank ends whose words are said only if no other rank says them.

    Parameters
    ----------
    words
        What is printed behind ``error:``.
    code
        The exit code; not 0.
    """

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.exit_code = code  # type: ignore[misc]


class _End(NamedTuple):
    """What a rank tells the others at its end.

    Attributes
    ----------
    code
        Its exit code; where it is not 0, this rank has something to say, or has said it.
    own
        Whether the failure is this rank's own, rather than the news of another rank's.
    warned
        The warnings that it has kept for itself.
    """

    code: int
    own: bool
    warned: list[Warned]


@contextlib.contextmanager
def of_launch() -> Iterator[tuple[Group, RankWarnings]]:
    """Give the ranks that the launcher started, or this process alone, and have them end together.

    The second that it gives is what they warn of meanwhile.

    What goes wrong on all ranks is printed once, but for what keeps a rank from meeting the others,
    which it says itself. What goes wrong on some is printed by one of
    these, and the others are aborted, which may wait for them. All end with the same exit code:
    MPICH's launcher ends with the bits of all codes together, of which 1 and 2 would make 3.

    Python's warnings are shown by rank 0, and by another rank those that rank 0 does not have.

    Raises
    ------
    BadInput
        When there are several ranks, but nothing to talk to each other by, or other versions of
        the package on some.
    """
    from ..distributed.group import Alone
    from ..distributed.launcher import launched

    if launched() == 1:
        yield Alone(), RankWarnings(Alone())
        return
    group = _meet()
    from ..distributed.ending import Ending

    ending, failure = Ending(group), None
    with RankWarnings(group) as warned:
        try:
            yield group, warned
        except BaseException as error:
            failure = error
        _end(group, ending, failure, warned)


def _meet() -> Group:
    """Start MPI, and go on only if all ranks come and run this package."""
    from ..distributed.errors import DistributedError
    from ..distributed.group import group_of
    from ..distributed.launcher import LAST_WORDS, end_job
    from ..distributed.meeting import meet
    from ..distributed.waiting import waiting_for_ranks

    group = None
    try:
        with waiting_for_ranks():
            group = group_of()
            meet(group)
    except Exception as error:
        if group is None:
            if not isinstance(error, (ImportError, RuntimeError, ValueError)):
                raise
            # Others may have begun, and would wait for this one.
            click.echo(f"error: {one_line(BadInput(str(error)))}", err=True)
            time.sleep(LAST_WORDS)
            end_job(BadInput.exit_code)
        elif not isinstance(error, DistributedError):
            # On this rank only, perhaps, for which the others wait.
            click.echo(f"error: rank {group.rank}: {one_line(error)}", err=True)
            group.abort(FAILED)
        elif group.rank == 0:
            raise BadInput(str(error)) from None
        raise click.exceptions.Exit(BadInput.exit_code) from None
    return group


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


def _end(group: Group, ending: Ending, failure: BaseException | None, warned: RankWarnings) -> None:
    """Wait for the other ranks, and raise what this one is to end with."""
    code = 0 if failure is None else _code_of(failure)
    mine = _End(code, not _is_news(failure), warned.kept())
    ends = ending.met(mine, None if code == 0 else _PATIENCE)
    if ends is None:
        warned.show(mine.warned)
        assert failure is not None
        if not isinstance(failure, click.exceptions.Exit):
            click.echo(f"error: rank {group.rank}: {one_line(failure)}", err=True)
        group.abort(code)
    warned.show_first([end.warned for end in ends])
    failed = [end for end in ends if end.code]
    if not failed:
        if failure is not None:
            raise failure
        return
    # The first that has something to say says it for all; the code is that of who failed itself.
    code = next((end.code for end in failed if end.own), failed[0].code)
    speaks = failed[0] is ends[group.rank]
    if failure is None or not speaks or isinstance(failure, click.exceptions.Exit):
        raise click.exceptions.Exit(code)
    if _code_of(failure) != code:
        raise EndOfRank(one_line(failure), code) from failure
    raise failure


def _is_news(failure: BaseException | None) -> bool:
    """Whether a failure only tells that another rank failed."""
    from ..distributed.errors import OtherRankError

    return isinstance(getattr(failure, "__cause__", failure) or failure, OtherRankError)


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
