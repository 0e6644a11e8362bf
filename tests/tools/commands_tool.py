"""`numba-lstm` for the shell, without a second of importing each time: forks of one process.

`Commands` is a process that has imported what commands import, and nothing else has happened in it.
A program `numba-lstm` of a few lines hands it the arguments, the environment, the current folder,
standard input, output and error, and waits for the exit code. So each command is a process of its
own, in the state in which a new one would be. Where a variable that is read while importing was
changed, the program starts a new one.

    python tests/tools/commands_tool.py PROGRAM    serves it until standard input ends
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
# What commands spend most of their time importing.
_MODULES = ("cli", "models", "training.runs.session", "simd", "jit")
_READ_EARLY = ("NUMBA", "PYTHON", "OMP", "OPENBLAS", "LC_", "LANG", "HOME", "XDG_")
_PROGRAM = """#!{python} -SE
import json, os, socket, sys
early = {{k: v for k, v in os.environ.items() if k.startswith({early})}}
if early != {base}:
    os.execv({python!r}, [{python!r}, {command!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as talk:
    talk.connect({place!r})
    socket.send_fds(talk, [b"-"], [0, 1, 2])
    talk.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    talk.shutdown(socket.SHUT_WR)
    code = talk.recv(16)
sys.exit(int(code or 1))
"""


class Commands:
    """The process and its program, as a context.

    Parameters
    ----------
    program
        Where the program is written.
    """

    def __init__(self, program: Path) -> None:
        self._program = program

    def __enter__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="numba_lstm-commands-")  # a short name
        place = os.path.join(self._folder, "socket")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(place)
        listener.listen()
        base = {k: v for k, v in os.environ.items() if k.startswith(_READ_EARLY)}
        about = {"python": sys.executable, "command": str(ROOT / "cli.py"), "place": place}
        self._program.write_text(_PROGRAM.format(early=_READ_EARLY, base=base, **about))
        self._program.chmod(self._program.stat().st_mode | stat.S_IXUSR)
        sys.stdout.flush(), sys.stderr.flush()
        self._child = os.fork()
        if not self._child:
            try:
                _serve(listener)
            finally:
                os._exit(1)
        listener.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        shutil.rmtree(self._folder)


def import_all() -> None:
    """Import what commands import."""
    for name in _MODULES:
        import_module(f"numba_lstm.{name}")


def _serve(listener: socket.socket) -> None:
    import_all()
    while True:
        talk, _ = listener.accept()
        with contextlib.suppress(ChildProcessError):  # of those that have ended
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not os.fork():
            try:
                _run(talk)
            finally:
                os._exit(1)
        talk.close()


def _run(talk: socket.socket) -> None:
    """Be a command that somebody started in a shell, to its end."""
    _, given, _, _ = socket.recv_fds(talk, 1, 3)
    words = b"".join(iter(lambda: talk.recv(1 << 16), b""))
    args, folder, environment = json.loads(words)
    for number, one in enumerate(given):
        os.dup2(one, number)
        os.close(one)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["numba-lstm", *args]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    signal.alarm(300)
    code = 0
    try:
        from numba_lstm.cli import main

        main(args, prog_name="numba-lstm")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    talk.sendall(b"%d" % code)
    os._exit(0)


if __name__ == "__main__":
    with Commands(Path(sys.argv[1])):
        print("ready", flush=True)
        sys.stdin.read()
