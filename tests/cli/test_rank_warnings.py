"""Warnings of several ranks: each is shown once, by the first rank that has it."""

from __future__ import annotations

import warnings

import pytest
from ranks_tool import in_threads

from numba_lstm.cli._rank_warnings import RankWarnings, Warned
from numba_lstm.distributed import Alone


class Rank(Alone):
    """One of two, whose messages nobody asks for."""

    def __init__(self, rank):
        self.rank, self.size = rank, 2


@pytest.mark.filterwarnings("always")
def test_rank_0_shows_its_warnings_at_once_and_others_keep_theirs(capsys):
    for rank, shown in ((0, 1), (1, 0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(warnings, "showwarning", _print)
            with RankWarnings(Rank(rank)) as warned:
                warnings.warn("so many", stacklevel=1)
            assert warnings.showwarning is _print
        assert capsys.readouterr().out.count("UserWarning: so many") == shown
        kept = warned.kept()
        assert [one[:2] for one in kept] == [("UserWarning", "so many")]
        assert "test_rank_warnings.py" in kept[0].printed
        assert warned.kept() == []


def _print(message, category, *rest):
    print(f"{category.__name__}: {message}")


def one(words, kind="UserWarning"):
    return Warned(kind, words, f"file.py:1: {kind}: {words}\n")


def test_the_first_rank_that_has_a_warning_shows_it(capsys):
    of_ranks = [[one("a")], [one("a"), one("b")], [one("a", "Other"), one("b"), one("c")]]
    said = []
    for rank in range(3):
        RankWarnings(Rank(rank)).show_first(of_ranks)
        said.append(capsys.readouterr().err)
    assert said == [
        "",
        "rank 1: file.py:1: UserWarning: b\n",
        "rank 2: file.py:1: Other: a\nrank 2: file.py:1: UserWarning: c\n",
    ]


def test_ranks_tell_each_other_and_then_begin_anew(capsys):
    def run(group):
        warned = RankWarnings(group)
        for _ in range(2):  # as with Python's filter "always"
            warned._add(one(f"of {group.rank}"))
        warned.tell()
        warned._add(one(f"of {(group.rank + 1) % 3}"))
        warned.tell()

    assert in_threads(3, run) == [None] * 3
    lines = sorted(capsys.readouterr().err.splitlines())
    assert lines == [f"rank {rank}: file.py:1: UserWarning: of {rank}" for rank in (1, 2)]
