"""The command line without its script: ``python -m numba_lstm …`` is ``numba-lstm …``."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="python -m numba_lstm")
