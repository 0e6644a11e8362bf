"""What a person sees of a training run: one line that is rewritten, or a few lines in a log."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

__all__ = ["Progress", "clock_time"]

# Faster than the eye reads, and cheap enough beside a step of a few milliseconds.
_REDRAW_SECONDS = 0.2
# Between the lines of a log.
_LOG_SECONDS, _LOG_SHARE = 10.0, 0.05


class Progress:
    """Shows a run's progress on a stream, by default standard error.

    On a terminal one line is rewritten in place; each validation leaves a line that stays.
    Elsewhere, as in a log, nothing is rewritten, and of validations the first and the last leave a
    line, and between them one in ten seconds; from two hundred seconds on one whenever the
    training has become a twentieth longer, so that the log of a day has some 150 lines. A stream
    that cannot be written to, because the disk of a log is full or the terminal was closed, does
    not end the training: what is told from then on is lost.

    Parameters
    ----------
    stream
        Where to write.
    quiet
        Write nothing at all.
    now
        The clock, in seconds.
    unit
        What a token of the training is.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
        unit: str = "tok",
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._live = not quiet and self._stream.isatty()
        self._now = now
        self._unit = unit
        self._drawn = -_REDRAW_SECONDS
        self._shown = 0
        self._told: float | None = None
        self._held = ""

    def step(self, info: dict[str, Any]) -> None:
        """Redraw the line, if the last time is long enough ago.

        Parameters
        ----------
        info
            fraction (0..1), step, seconds, train_loss, val_loss, tokens_per_second; any of the
            last three may be None.
        """
        if self._live and self._now() - self._drawn >= _REDRAW_SECONDS:
            self._draw(_line(info, self._width(), self._unit))
            self._drawn = self._now()

    def validated(self, record: dict[str, Any], best: bool) -> None:
        """Leave a line about a measurement: of a record with step, seconds, train_loss, val_loss
        (which may be None), and perhaps epoch and val_accuracy."""
        parts = [f"epoch {record['epoch']}"] if "epoch" in record else []
        parts += [f"step {record['step']}", clock_time(record["seconds"])]
        parts.append(f"train loss {record['train_loss']:.4f}")
        if record["val_loss"] is not None:
            parts.append(f"val loss {record['val_loss']:.4f}")
        if record.get("val_accuracy") is not None:
            parts.append(f"val accuracy {record['val_accuracy']:.2%}")
        line = "  ".join(parts) + ("  (best)" if best else "")
        self._held = ""  # this line tells all that the one before did
        if self._is_time(record["seconds"]):
            self._told = record["seconds"]
            self.note(line)
        else:
            self._held = line

    def note(self, text: str) -> None:
        """Leave a line."""
        if self._quiet:
            return
        self.clear()
        self._write(text + "\n")

    def clear(self) -> None:
        """Take the rewritten line away, or leave the one that was kept back in a log."""
        if self._live and self._shown:
            self._draw("")
        if self._held:
            line, self._held = self._held, ""
            self.note(line)

    def _is_time(self, seconds: float) -> bool:
        """Whether a validation leaves a line at once, so many seconds into the training."""
        if self._live or self._told is None:
            return True
        return seconds - self._told >= max(_LOG_SECONDS, _LOG_SHARE * seconds)

    def _draw(self, line: str) -> None:
        # Spaces, not an escape sequence: those the oldest terminal understands, too.
        self._write("\r" + line.ljust(self._shown) + ("\r" if not line else ""))
        self._shown = len(line)

    def _write(self, text: str) -> None:
        # ValueError is of a stream that is closed.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    def _width(self) -> int:
        # One column less: some terminals wrap when the last one is written.
        return shutil.get_terminal_size().columns - 1


def clock_time(seconds: float) -> str:
    """Write a duration as 1:02:03 or 2:03."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _line(info: dict[str, Any], width: int, unit: str) -> str:
    """The rewritten line, cut to the terminal."""
    fraction = min(max(info["fraction"], 0.0), 1.0)
    parts = [f"{fraction:4.0%}", f"step {info['step']}", clock_time(info["seconds"])]
    if fraction > 0.0:
        parts[-1] += f" (left {clock_time(info['seconds'] / fraction * (1.0 - fraction))})"
    for name, words in (("train_loss", "train"), ("val_loss", "val")):
        if info.get(name) is not None:
            parts.append(f"{words} {info[name]:.4f}")
    if info.get("tokens_per_second") is not None:
        parts.append(f"{info['tokens_per_second']:,.0f} {unit}/s")
    text = "  ".join(parts)
    room = width - len(text) - 3
    if room >= 10:
        filled = round(fraction * min(room, 24))
        text = f"[{'#' * filled}{'.' * (min(room, 24) - filled)}] {text}"
    return text[: max(width, 0)]
