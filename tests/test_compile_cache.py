"""What is found again and what is compiled anew, and what happens where nothing can be written."""

from __future__ import annotations

import contextlib
import json
import os
import py_compile
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lstm_tool import ROOT, run_python

from numba_lstm import compile_cache

PACKAGE = ROOT / "numba_lstm"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder of this test's own; `cache_folder` forgets it afterwards."""
    monkeypatch.setenv("NUMBA_LSTM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compile_cache, "_warned", False)
    for function in (compile_cache.cache_folder, compile_cache._prune):
        function.cache_clear()
    yield tmp_path / "cache"
    for function in (compile_cache.cache_folder, compile_cache._prune):
        function.cache_clear()


# Which folder


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NUMBA_LSTM_CACHE_DIR": "/a/b", "NUMBA_CACHE_DIR": "/c"}, "/a/b"),
        ({"NUMBA_CACHE_DIR": "/c"}, "/c/numba_lstm"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/numba_lstm"),
        ({"XDG_CACHE_HOME": "not/absolute", "HOME": "/e"}, "/e/.cache/numba_lstm"),
        ({"HOME": "/e"}, "/e/.cache/numba_lstm"),
        ({"HOME": ""}, "/home/of/them/.cache/numba_lstm"),
        ({"HOME": "not/absolute"}, None),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_the_environment_chooses_the_folder(monkeypatch, environment, expected):
    import pwd

    class Entry:
        pw_dir = "/home/of/them"

    monkeypatch.setattr(pwd, "getpwuid", lambda number: Entry)
    for name in ("NUMBA_LSTM_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert compile_cache.cache_folder.__wrapped__() == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
@pytest.mark.parametrize("home", ["/", None])
def test_without_a_home_there_is_no_folder(monkeypatch, home):
    import pwd

    def entry(number):
        if home is None:
            raise KeyError(number)
        return type("Entry", (), {"pw_dir": home})

    monkeypatch.setattr(pwd, "getpwuid", entry)
    for name in ("NUMBA_LSTM_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "")
    assert compile_cache.cache_folder.__wrapped__() is None


# Files


def test_what_was_written_is_read_and_damage_is_seen(elsewhere):
    name = compile_cache.entry_name("kernel", 1)
    assert compile_cache.read(name) is None
    compile_cache.write(name, b"machine code")
    assert compile_cache.read(name) == b"machine code"
    path = elsewhere / name
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:10], b"", whole[:-1] + b"X", b"X" + whole[1:]):
        path.write_bytes(damaged)
        assert compile_cache.read(name) is None
    assert [p.name for p in elsewhere.iterdir()] == [name]


def test_a_disk_that_is_full_leaves_no_file_and_warns_once(elsewhere, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left on device.*NUMBA_LSTM_CACHE_DIR") as caught:
        compile_cache.write(compile_cache.entry_name("a"), b"x")
        compile_cache.write(compile_cache.entry_name("b"), b"x")
    assert len(caught) == 1
    assert list(elsewhere.iterdir()) == []


def test_entries_that_nothing_used_for_long_are_removed_and_nothing_else_is(elsewhere):
    elsewhere.mkdir()
    entry = compile_cache.entry_name
    days = {
        entry("used", 1): 89,
        entry("unused", 1): 91,
        f".{entry('killed', 1)}.abc.new": 2,
        f".{entry('being_written', 1)}.abc.new": 0,
        "notes.bin": 999,
        "model.safetensors": 999,
    }
    for name, age in days.items():
        (elsewhere / name).write_bytes(b"")
        os.utime(elsewhere / name, (0, time.time() - age * 24 * 3600))
    compile_cache.write(entry("new", 1), b"x")
    gone = set(days) - {path.name for path in elsewhere.iterdir()}
    assert gone == {entry("unused", 1), f".{entry('killed', 1)}.abc.new"}


def test_reading_an_entry_keeps_it(elsewhere):
    name = compile_cache.entry_name("kernel", 1)
    compile_cache.write(name, b"x")
    os.utime(elsewhere / name, (0, time.time() - 80 * 24 * 3600))
    assert compile_cache.read(name) == b"x"
    assert time.time() - (elsewhere / name).stat().st_mtime < 60


# What is compiled, in processes of their own. Packing compiles in a third of a second.
PROGRAM = """
import json, warnings
import numpy as np
from numba_lstm import jit
from numba_lstm.kernels import pack
from numba_lstm.simd import TARGET
compiled = []
jit.on_compile(compiled.append)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    w = np.arange(40, dtype="f4").reshape(8, 5)
    out = np.empty(pack.packed_rows_shape(1, 8, 5, TARGET.lanes(4)), "f4")
    back = np.zeros_like(w)
    pack.pack_rows(1, w, 1, pack.PLAIN, 0, out)
    pack.unpack_rows(1, out, 1, pack.PLAIN, 0, False, back)
print(json.dumps([compiled, [str(c.message) for c in caught if "numba_lstm" in str(c.message)]]))
assert np.array_equal(back, w)
"""
PACKING = ["pack_rows_serial", "unpack_rows_serial"]


def run(cache: Path | str, **environment: str) -> tuple[list[str], list[str]]:
    """Which drivers were compiled, and what was warned of."""
    compiled, warned = json.loads(
        run_python(PROGRAM, NUMBA_LSTM_CACHE_DIR=str(cache), **environment)
    )
    return compiled, warned


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_what_was_compiled_is_found_again_and_damage_only_costs_a_compile(tmp_path):
    assert run(tmp_path) == (PACKING, [])
    assert len(files(tmp_path)) == 4  # with the microkernels
    assert run(tmp_path) == ([], [])
    for path in files(tmp_path):  # all at once: the end cut off
        path.write_bytes(path.read_bytes()[:-100])
    assert run(tmp_path) == (PACKING, [])
    assert run(tmp_path) == ([], []), "the damaged files were not replaced"


def test_another_target_has_its_own_entries(tmp_path):
    run(tmp_path)
    if os.uname().machine == "x86_64":
        assert run(tmp_path, NUMBA_CPU_NAME="x86-64")[0] == PACKING
    assert run(tmp_path, NUMBA_OPT="2")[0] == PACKING


# Where nothing can be written


def once(warned: list[str]) -> None:
    assert len(warned) == 1 and "cannot be kept" in warned[0], warned


def test_a_folder_that_cannot_be_made_warns_once_and_leaves_nothing(tmp_path):
    # A file where the folder should be stops every user, root as well.
    (tmp_path / "file").write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    compiled, warned = run(tmp_path / "file" / "cache", TMPDIR=str(temporary))
    assert compiled == PACKING
    once(warned)
    assert (tmp_path / "file").read_text() == "" and list(temporary.iterdir()) == []


# Permissions do not bind root; they do without this capability, from the next program on.
WITHOUT_RIGHTS = """
import ctypes, os, sys
if os.geteuid() == 0:
    assert ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) == 0  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
os.execv(sys.executable, [sys.executable, "-c", os.environ["PROGRAM"]])
"""


def run_reading_only(cache: Path) -> tuple[list[str], list[str]]:
    """As `run`, where the files of the cache can be read, and nothing can be written."""
    cache.chmod(0o500)
    try:
        assert "denied" in run_python(
            WITHOUT_RIGHTS, PROGRAM=f"try:\n open({str(cache / 'x')!r}, 'w')\n"
            "except PermissionError:\n print('denied')",
        )  # fmt: skip
        out = run_python(WITHOUT_RIGHTS, PROGRAM=PROGRAM, NUMBA_LSTM_CACHE_DIR=str(cache))
    finally:
        cache.chmod(0o700)
    compiled, warned = json.loads(out)
    return compiled, warned


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's capabilities")
def test_a_full_cache_is_read_where_it_cannot_be_written(tmp_path):
    cache = tmp_path / "cache"
    run(cache)
    before = files(cache)
    for path in before:
        os.utime(path, (0, 0))  # nor can it be told that they are in use
    assert run_reading_only(cache) == ([], [])
    assert files(cache) == before
    for path in cache.glob("unpack_rows_serial.*"):
        path.unlink()
    before = files(cache)
    compiled, warned = run_reading_only(cache)
    assert compiled == PACKING[1:]
    once(warned)
    assert files(cache) == before


@pytest.mark.skipif(sys.platform == "win32", reason="HOME means nothing there")
@pytest.mark.parametrize("home", ["/dev/null", "relative/folder"])
def test_a_home_that_is_no_folder_warns_once_and_works(tmp_path, home):
    unset = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": home}
    compiled, warned = run("", TMPDIR=str(tmp_path), **unset)
    assert compiled == PACKING
    once(warned)
    assert list(tmp_path.iterdir()) == [] and not Path("relative").exists()


# What an edit compiles anew: by the keys of all drivers of a copy of the package.
KEYS = """
import gc, importlib, json, os, pkgutil, sys
import numba, numba.extending, numpy

def keys():
    import numba_lstm.kernels
    from numba_lstm import compile_cache, jit, simd
    for module in pkgutil.walk_packages(numba_lstm.kernels.__path__, "numba_lstm.kernels."):
        importlib.import_module(module.name)
    found = {}
    def entry(name, *parts):
        found["microkernels"] = compile_cache.entry_name(name, *parts)
        raise StopIteration
    try:
        simd.load_microkernels(None, None, entry)
    except StopIteration:
        pass
    for item in gc.get_objects():
        if type(item) is jit.driver:
            key = jit._variant(item.function, item.__name__, False)._cache.key
            found[item.__name__] = compile_cache.entry_name(item.__name__, key)
    return found

for path, old, new in json.loads(os.environ["EDITS"]):
    with open(path) as file:
        text = file.read()
    assert old in text, (path, old)
    with open(path, "w") as file:
        file.write(text.replace(old, new, 1))
    child = os.fork()
    if not child:
        print(json.dumps(keys()), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with open(path, "w") as file:
        file.write(text)
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """A folder with a copy of the package in it, and a cache of its own."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(PACKAGE, folder / "numba_lstm", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def in_folder(folder: Path, program: str, path: Path | None = None, **environment: str) -> str:
    """Run a program with what it imports taken from this folder, or `path`, first."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        capture_output=True,
        text=True,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(path or folder), str(ROOT)]),
            "PYTHONSAFEPATH": "1",
            "NUMBA_LSTM_CACHE_DIR": str(folder / "cache"),
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)


EDITS = [
    ("cli/plot.py", "def plot", "print()\n\n\ndef plot", set()),
    ("nn/linear.py", "class Linear", "_NOTHING = 1\n\n\nclass Linear", set()),
    ("compile_cache.py", "KEPT_DAYS = 90", "KEPT_DAYS = 91", set()),
    ("tuning.py", "SCRATCH_BYTES = 1 <<", "SCRATCH_BYTES = 2 <<", set()),
    ("tuning.py", "GEMM_TRANSPOSED_K = 256", "GEMM_TRANSPOSED_K = 128", {"gemm_transposed"}),
    ("tuning.py", "PREFETCH_ROWS = 24", "PREFETCH_ROWS = 12", {"microkernels"}),
    ("kernels/gemm.py", '"""Copy m rows', '# A comment.\n    """Copy those rows', set()),
    ("kernels/gemm.py", "r += m\n", "r = m + r\n", {"gemm"}),
    (
        "kernels/cells/gru.py",  # a layer-normalised GRU has the same gates
        "dx_n * r)",
        "r * dx_n)",
        {"gru_backward", "gru_normalised_backward"},
    ),
    (
        "kernels/cells/rnn.py",
        "h = tanh(load(z, 0))",
        "h = tanh(load(z, 0) + 0)",
        {"rnn_tanh_forward"},
    ),
    ("simd/memory.py", "align=4)", "align=1)", {"all", "microkernels"}),
    ("inlining.py", '"inlined", 0, env', '"inlined", 1, env', {"all", "microkernels"}),
    ("jit.py", '"nogil": True', '"nogil": False', {"all"}),
    ("jit.py", "config.OPT = level", "config.OPT = 1", {"all"}),
]


@pytest.fixture(scope="module")
def keys(copied) -> list[dict[str, str]]:
    """The keys of all drivers, without an edit and with each of EDITS."""
    nothing = ("tuning.py", "", "")
    edits = [(str(copied / "numba_lstm" / path), *edit) for path, *edit in [nothing, *EDITS]]
    edits = [edit[:3] for edit in edits]
    out = in_folder(copied, KEYS, EDITS=json.dumps(edits))
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found[0]) > 30 and all(found[0].values())
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("edit", range(len(EDITS)), ids=[f"{e[0]} {e[2]}" for e in EDITS])
def test_an_edit_compiles_anew_what_it_reaches(keys, edit):
    before, after = keys[0], keys[1 + edit]
    expected = EDITS[edit][3]
    if "all" in expected:
        expected = (expected | (before.keys() - {"microkernels"})) - {"all"}
    assert {name for name in before if after[name] != before[name]} == expected


# Drivers that others define

MINE = """
from numba_lstm.jit import driver, named_driver, prange
import helper

@driver
def apply(nt, x):
    for q in prange(nt):
        x[q] = helper.change(x[q])

def make(gate):
    @named_driver("made")
    def made(nt, x):
        for q in prange(nt):
            x[q] = gate(x[q])
    return made

triple, add = make(helper.triple), make(helper.add)
"""
HELPER = """
from numba_lstm.jit import kernel

@kernel
def change(x):
    return x + 10

@kernel
def triple(x):
    return 3 * x

@kernel
def add(x):
    return x + 1
"""
USE = """
import numpy as np
from numba_lstm import jit
jit.on_compile(print)
import mine
for name in NAMES:
    x = np.full(2, 5.0)
    getattr(mine, name)(1, x)
    getattr(mine, name)(2, x)
    print(name, *x)
"""


def use(folder: Path, *names: str) -> list[str]:
    """What was compiled, and what the drivers of these names made of 5."""
    program = USE.replace("NAMES", repr(names))
    return in_folder(folder, program, NUMBA_NUM_THREADS="2").splitlines()


@pytest.fixture
def mine(tmp_path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


def test_a_driver_outside_is_compiled_anew_when_its_callee_in_another_file_changes(mine):
    compiled = ["apply_serial", "apply_parallel"]
    assert use(mine, "apply") == [*compiled, "apply 25.0 15.0"]
    with edited(mine / "helper.py", "3 * x", "4 * x"):
        assert use(mine, "apply") == ["apply 25.0 15.0"]
    with edited(mine / "helper.py", "x + 10", "x + 20"):
        assert use(mine, "apply") == [*compiled, "apply 45.0 25.0"]
    assert use(mine, "apply") == ["apply 25.0 15.0"]


def test_drivers_of_one_name_and_other_gates_never_find_each_others_code(mine):
    compiled = ["made_serial", "made_parallel"]
    assert use(mine, "triple") == [*compiled, "triple 45.0 15.0"]
    assert use(mine, "add") == [*compiled, "add 7.0 6.0"]
    # One process loads what two have made.
    assert use(mine, "triple", "add") == ["triple 45.0 15.0", "add 7.0 6.0"]
    assert use(mine, "add", "triple") == ["add 7.0 6.0", "triple 45.0 15.0"]


def test_a_global_that_changes_while_others_run_leaves_no_wrong_entry(mine):
    (mine / "mine.py").write_text(MINE.replace("helper.change(x[q])", "x[q] + A") + "A = 1\n")
    later = USE.replace("NAMES", "['apply']").replace("print(name", "mine.A = 2; print(name")
    out = in_folder(mine, later + "y = np.zeros(2, 'f4'); mine.apply(1, y); print(*y)\n")
    assert out.splitlines()[-1] == "2.0 0.0"
    again = in_folder(
        mine, USE.replace("NAMES", "[]") + "y = np.zeros(2, 'f4'); mine.apply(1, y)\n"
    )
    assert again == "apply_serial\n", "what was compiled with A = 2 was kept as A = 1's"


# Programs without files of source

OLD, NEW = "total = packed.shape[0] * PANEL", "total = PANEL * packed.shape[0]"


def pack_up(source: Path, target: Path, form: str) -> Path:
    """The package as bytecode alone, in a folder or a zip file: what is to be imported from."""
    shutil.copytree(source / "numba_lstm", target / "numba_lstm")
    for path in target.rglob("*.py"):
        py_compile.compile(path, path.with_suffix(".pyc"), doraise=True)
        path.unlink()
    if form == "folder":
        return target
    archive = target.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in target.rglob("*.pyc"):
            file.write(path, path.relative_to(target))
    return archive


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_package_without_sources_has_entries_and_no_stale_ones(copied, tmp_path, form):
    outside = "import numba_lstm.jit as j; assert j.__file__.endswith('.pyc')\n" + PROGRAM
    old = pack_up(copied, tmp_path / "old", form)
    assert json.loads(in_folder(tmp_path, outside, old)) == [PACKING, []]
    assert json.loads(in_folder(tmp_path, outside, old)) == [[], []]
    with edited(copied / "numba_lstm" / "kernels" / "pack.py", OLD, NEW):
        new = pack_up(copied, tmp_path / "new", form)
    assert json.loads(in_folder(tmp_path, outside, new)) == [PACKING[1:], []]
