"""A terminal gets one line that is rewritten, a log a few that stay, --quiet nothing."""

from __future__ import annotations

import io

import pytest

from numba_lstm.training.progress import Progress, clock_time

INFO = {
    "fraction": 0.25,
    "step": 120,
    "seconds": 30.0,
    "train_loss": 1.75,
    "val_loss": None,
    "tokens_per_second": 123456.7,
}
RECORD = {"step": 120, "seconds": 30.0, "train_loss": 1.75, "val_loss": 1.5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_one_line_with_the_figures():
    stream = Terminal()
    Progress(stream).step(INFO)
    shown = stream.getvalue()
    assert "\n" not in shown
    for part in ("25%", "step 120", "0:30 (left 1:30)", "train 1.7500", "123,457 tok/s"):
        assert part in shown
    assert "val" not in shown


def test_it_redraws_a_few_times_a_second_only():
    times = iter([0.0, 0.0, 0.1, 0.3, 0.3])
    stream = Terminal()
    progress = Progress(stream, now=lambda: next(times))
    for _ in range(3):
        progress.step(INFO)
    assert stream.getvalue().count("\r") == 2


@pytest.mark.parametrize("columns", [20, 60, 200])
def test_the_line_fits_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    Progress(stream).step({**INFO, "val_loss": 1.5})
    assert 0 < len(stream.getvalue().lstrip("\r")) < columns


@pytest.mark.parametrize(("fraction", "filled"), [(0.0, 0), (0.25, 6), (1.0, 24), (1.5, 24)])
def test_the_bar_is_filled_by_what_is_done(monkeypatch, fraction, filled):
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    Progress(stream).step({**INFO, "fraction": fraction})
    assert stream.getvalue().startswith(f"\r[{'#' * filled}{'.' * (24 - filled)}] ")


def test_a_note_takes_the_line_away_first():
    stream = Terminal()
    progress = Progress(stream)
    progress.step(INFO)
    length = len(stream.getvalue()) - 1
    progress.validated(RECORD, best=True)
    assert stream.getvalue().endswith(
        "\r" + " " * length + "\rstep 120  0:30  train loss 1.7500  val loss 1.5000  (best)\n"
    )


def test_a_note_before_any_line_is_the_note_alone():
    stream = Terminal()
    Progress(stream).note("hello")
    assert stream.getvalue() == "hello\n"


def test_a_log_gets_only_the_lines_that_stay_and_quiet_nothing():
    log, silent = io.StringIO(), Terminal()
    for progress in (Progress(log), Progress(silent, quiet=True)):
        progress.step(INFO)
        progress.validated(RECORD, best=False)
        progress.clear()
    assert log.getvalue() == "step 120  0:30  train loss 1.7500  val loss 1.5000\n"
    assert silent.getvalue() == ""


def lines_of(stream, seconds):
    """The seconds in the lines that validations at these seconds leave."""
    progress = Progress(stream)
    for number, at in enumerate(seconds):
        progress.validated({**RECORD, "step": number, "seconds": at}, best=False)
    progress.clear()
    return [int(line.split()[1]) for line in stream.getvalue().splitlines()]


def test_a_log_gets_the_first_and_the_last_validation_and_few_between():
    assert lines_of(io.StringIO(), [0.1 * n for n in range(100)]) == [0, 99]
    assert lines_of(io.StringIO(), [float(n) for n in range(25)]) == [0, 10, 20, 24]
    assert lines_of(Terminal(), [0.1 * n for n in range(9)]) == list(range(9))
    a_day = lines_of(io.StringIO(), range(86_400))
    assert a_day[:3] == [0, 10, 20] and a_day[-1] == 86_399
    assert 100 < len(a_day) < 160


def test_a_note_in_a_log_stands_behind_the_validations_before_it():
    log = io.StringIO()
    progress = Progress(log)
    for step in (1, 2):
        progress.validated({**RECORD, "step": step}, best=False)
    progress.note("hello")
    progress.clear()
    words = [line.split()[:2] for line in log.getvalue().splitlines()]
    assert words == [["step", "1"], ["step", "2"], ["hello"]]


def test_nothing_done_yet_has_no_time_left():
    stream = Terminal()
    Progress(stream).step({**INFO, "fraction": 0.0, "seconds": 0.0, "train_loss": None})
    assert "left" not in stream.getvalue()


def test_durations_are_written_as_on_a_clock():
    assert [clock_time(s) for s in (0, 59.9, 61, 3723)] == ["0:00", "0:59", "1:01", "1:02:03"]


class Full(io.StringIO):
    """A log on a disk that is full, a terminal that was closed, or a stream that is."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def isatty(self):
        return True

    def write(self, text):
        raise self.error


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), BrokenPipeError(), ValueError("I/O on closed file")]
)
def test_what_cannot_be_told_does_not_end_the_training(error):
    progress = Progress(Full(error))
    progress.step(INFO)
    progress.validated(RECORD, True)
    progress.note("a line")
    progress.clear()
