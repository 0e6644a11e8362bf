"""Ctrl-C, SIGTERM and SIGHUP, heard between two steps so that a run can be saved first."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["HEARD", "Interrupted", "Interrupts"]


class Interrupted(KeyboardInterrupt):
    """The user or the system asked to stop.

    A KeyboardInterrupt, so that no ``except Exception`` on the way takes it for a failure.

    Attributes
    ----------
    signum
        The signal, by number.
    between_steps
        Whether it was raised where the program asked for it, by `Interrupts.check`; else it may
        have come in the middle of an update, and what is in memory must not be kept.
    """

    def __init__(self, signum: int, *, between_steps: bool = False) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum
        self.between_steps = between_steps

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that stopped for the signal."""
        return 128 + self.signum


#: That a terminal was closed; Windows has no such signal.
_HANGUP = getattr(signal, "SIGHUP", None)
#: Those that end a training.
HEARD = tuple(one for one in (signal.SIGINT, signal.SIGTERM, _HANGUP) if one is not None)


class Interrupts:
    """Hears SIGINT, SIGTERM and SIGHUP, or other signals, while it is entered as a context.

    The first signal is only remembered, and raised by the next `check`; a second one is raised at
    once, wherever the program is, and nothing may be saved then. Within `at_once` the first is
    raised at once, too. In any thread but the main one signals cannot be heard, and nothing is
    changed.

    A terminal that is closed may send SIGHUP more than once, which counts as one. Where it is
    ignored, as ``nohup`` has it, it stays so.

    Parameters
    ----------
    signals
        Which ones are heard.
    """

    def __init__(self, signals: Sequence[int] = HEARD) -> None:
        self._signals = signals
        self._heard: int | None = None
        self._at_once = False
        self._raised: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for signum in self._signals:
                if signum == _HANGUP and signal.getsignal(signum) is signal.SIG_IGN:
                    continue
                self._before[signum] = signal.signal(signum, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before.clear()

    def _hear(self, signum: int, frame: Any) -> None:
        if signum == self._heard == _HANGUP and not self._at_once:
            return
        if self._at_once or self._heard is not None:
            self._raised = signum
            raise Interrupted(signum)
        self._heard = signum

    def check(self) -> None:
        """Raise Interrupted if a signal has come."""
        if self._heard is not None:
            raise Interrupted(self._heard, between_steps=True)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Within it there is nothing to save: a signal need not wait for `check`.

        Where what is raised comes to nothing, because the compiler was amid a call back to Python,
        it is raised at the end.
        """
        self._at_once, self._raised = True, None
        tell = sys.unraisablehook

        def tell_others(lost: Any) -> None:
            if not isinstance(lost.exc_value, Interrupted):
                tell(lost)

        sys.unraisablehook = tell_others
        try:
            self.check()
            yield
        finally:
            self._at_once, sys.unraisablehook = False, tell
        if self._raised is not None:
            raise Interrupted(self._raised)
