"""What the package, or a driver outside it, compiles anew after which edit: no more and no less."""

from __future__ import annotations

import compileall
import importlib.util
import json
import os
import py_compile
import shutil
import zipfile
from pathlib import Path

import pytest
from cache_tool import PACK, PACKAGE, PACKING, edited, in_folder, put_microkernels

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
            key = item.compiled()._cache.key
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


# Bytecode that is used only where the source has the same hash: two edits may come in one second.
BY_HASH = py_compile.PycInvalidationMode.CHECKED_HASH


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """A folder with a copy of the package in it, in source and bytecode, and a cache of its own."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(PACKAGE, folder / "numba_lstm", ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(folder, quiet=1, invalidation_mode=BY_HASH)
    return folder


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
    ("jit.py", "njit(**FLAGS)(copy)", "njit(boundscheck=True, **FLAGS)(copy)", {"all"}),
    ("parts.py", "woken += 1", "woken += 2", {"all that has parts"}),
    ("parts.py", "range(count - 1):", "range(count + 0 - 1):", {"serve"}),
    (
        "kernels/peak.py",
        "_chains(at(work, (q, 0)), n)",
        "_chains(at(work, (q, 0)), n + 1)",
        {"fma_loop"},
    ),
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
    if expected == {"all that has parts"}:
        expected = before.keys() - {"microkernels", "serve", "run_pauses"}
    assert {name for name in before if after[name] != before[name]} == expected


# Drivers that others define

MINE = """
from numba_lstm.jit import driver, kernel, named_driver
from numba_lstm.parts import parts
import helper

@kernel
def apply_part(q, x):
    x[q] = helper.change(x[q])

@driver
def apply(crew, nt, x):
    parts(crew, nt, apply_part, (x,))

def make(gate):
    @kernel
    def part(q, x):
        x[q] = gate(x[q])

    @named_driver("made")
    def made(crew, nt, x):
        parts(crew, nt, part, (x,))
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
jit.on_compile(lambda made: made in ("serve", "run_pauses") or print(made))
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
    put_microkernels(tmp_path / "cache")
    return tmp_path


def test_a_driver_outside_is_compiled_anew_when_its_callee_in_another_file_changes(mine):
    assert use(mine, "apply") == ["apply", "apply 25.0 15.0"]
    with edited(mine / "helper.py", "3 * x", "4 * x"):
        assert use(mine, "apply") == ["apply 25.0 15.0"]
    with edited(mine / "helper.py", "x + 10", "x + 20"):
        assert use(mine, "apply") == ["apply", "apply 45.0 25.0"]
    assert use(mine, "apply") == ["apply 25.0 15.0"]


def test_drivers_of_one_name_and_other_gates_never_find_each_others_code(mine):
    assert use(mine, "triple") == ["made", "triple 45.0 15.0"]
    assert use(mine, "add") == ["made", "add 7.0 6.0"]
    # One process loads what two have made.
    assert use(mine, "triple", "add") == ["triple 45.0 15.0", "add 7.0 6.0"]
    assert use(mine, "add", "triple") == ["add 7.0 6.0", "triple 45.0 15.0"]


def test_a_global_that_changes_while_others_run_leaves_no_wrong_entry(mine):
    (mine / "mine.py").write_text(MINE.replace("helper.change(x[q])", "x[q] + A") + "A = 1\n")
    later = USE.replace("NAMES", "['apply']").replace("print(name, ", "mine.A = 2; print(name, ")
    out = in_folder(mine, later + "y = np.zeros(2, 'f4'); mine.apply(1, y); print(*y)\n")
    assert out.splitlines()[-1] == "2.0 0.0"
    again = in_folder(
        mine, USE.replace("NAMES", "[]") + "y = np.zeros(2, 'f4'); mine.apply(1, y)\n"
    )
    assert again == "apply\n", "what was compiled with A = 2 was kept as A = 1's"


# Programs without files of source

OLD, NEW = "total = packed.shape[0] * strip", "total = strip * packed.shape[0]"


def pack_up(source: Path, target: Path) -> Path:
    """The package as bytecode alone: a folder that is to be imported from."""
    for path in (source / "numba_lstm").rglob("*.py"):
        made = target / path.relative_to(source).with_suffix(".pyc")
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(importlib.util.cache_from_source(path), made)
    return target


def zipped(folder: Path) -> Path:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.rglob("*.pyc"):
            file.write(path, path.relative_to(folder))
    return archive


def test_a_package_without_sources_has_entries_and_no_stale_ones(copied, tmp_path):
    put_microkernels(tmp_path / "cache")
    outside = "import numba_lstm.jit as j; assert j.__file__.endswith('.pyc')\n" + PACK
    old, new = pack_up(copied, tmp_path / "old"), pack_up(copied, tmp_path / "new")
    edit = Path("numba_lstm", "kernels", "pack.py")
    with edited(copied / edit, OLD, NEW):
        # From another place, which no key may depend on.
        made = new / edit.with_suffix(".pyc")
        py_compile.compile(str(copied / edit), str(made), str(new / edit), doraise=True)
    assert json.loads(in_folder(tmp_path, outside, old)) == [PACKING, []]
    # The same from a zip file, whose bytecode has the folder's keys.
    assert json.loads(in_folder(tmp_path, outside, zipped(old))) == [[], []]
    assert json.loads(in_folder(tmp_path, outside, zipped(new))) == [PACKING[1:], []]
    assert json.loads(in_folder(tmp_path, outside, new)) == [[], []]
