"""The command line, ``numba-lstm``. A command's module is imported when it is asked for."""

from __future__ import annotations

import click

from .. import __version__
from ._group import CommandGroup

__all__ = ["main"]

_EPILOG = """\b
Completion of commands and options by the Tab key:
  bash  eval "$(_NUMBA_LSTM_COMPLETE=bash_source numba-lstm)"   in ~/.bashrc
  zsh   eval "$(_NUMBA_LSTM_COMPLETE=zsh_source numba-lstm)"    in ~/.zshrc
  fish  _NUMBA_LSTM_COMPLETE=fish_source numba-lstm | source    in config.fish

\b
Exit codes: 0 done, 1 failed while running, 2 wrong usage or bad input,
3 the loss diverged, 130 interrupted (after saving; a second Ctrl-C stops at once
and keeps what was saved before).
"""

main = CommandGroup(
    "numba-lstm",
    {
        "train": "train:train",
        "sample": "sample:sample",
        "evaluate": "evaluate:evaluate",
        "predict": "predict:predict",
        "bench": "bench:bench",
        "plot": "plot:plot",
        "info": "info:info",
        "warmup": "warmup:warmup",
    },
    help="Train and run LSTMs on the CPU.",
    epilog=_EPILOG,
)
main = click.version_option(__version__, prog_name="numba-lstm")(main)
