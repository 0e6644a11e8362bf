"""The command line from a checkout: ``python cli.py …`` is the installed ``numba-lstm …``."""

from numba_lstm.cli import main

if __name__ == "__main__":
    main(prog_name="python cli.py")
