"""Seeing what drivers are called with and what they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba_lstm import jit


def watched(
    after: Callable[[Any, tuple[Any, ...], Any], object],
    before: Callable[[], object] = lambda: None,
) -> Any:
    """What stands for `jit.driver.on`: each driver then tells `after` what it did.

    Parameters
    ----------
    after : callable (driver, arguments, result)
        The arguments as a driver gets them: nt is the first one.
    before : callable ()
        Called before each call.
    """
    on = jit.driver.on

    def on_watched(driver: Any, nt: int) -> tuple[Any, int]:
        function, crew = on(driver, nt)

        def run(crew: int, *arguments: Any) -> Any:
            before()
            result = function(crew, *arguments)
            after(driver, arguments, result)
            return result

        return run, crew

    return on_watched
