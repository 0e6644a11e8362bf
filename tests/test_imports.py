"""The package's shape, held by reading every import in it: layers, who uses what, laziness."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "numba_lstm"

# Imports go from a later line to an earlier one, never within a line. What stands in one folder may
# import its neighbours, but not in a circle.
LAYERS = [
    {"system", "_forks", "time_slice"},
    {"_version", "_files", "tuning", "fingerprint", "quiet", "user_warning", "typing", "foreign"},
    {"_damaged", "_parsing", "_reading", "_entries"},
    {"checks", "dropout_masks", "_turns"},
    {"simd", "threads"},
    {"workers", "inlining"},
    {"compile_cache"},
    {"jit"},
    {"parts"},
    {"kernels"},
    {"plans"},
    {"parameters"},
    {"recurrent"},
    {"nn"},
    {"losses", "optim", "testing"},
    {"distributed"},
    {"text", "datasets"},
    {"models"},
    {"interop"},
    {"training"},
    {"estimators"},
    {"ahead"},
    {"benchmark"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

LLVM_USERS = ("simd/",)
DEPENDENCIES = {"numba", "numpy", "scipy", "click", "safetensors", "llvmlite"}
OPTIONAL = {"matplotlib", "h5py", "pyarrow"}  # in functions only
BASES = {"sklearn"}  # of the estimators, whose modules are imported on first use
PEERS = {"torch", "onnx", "onnxruntime", "openvino"}  # in functions of the benchmark only


def sources() -> dict[str, str]:
    """The text of every file of the package by its path, with slashes."""
    found = {p.relative_to(PACKAGE).as_posix(): p.read_text() for p in PACKAGE.rglob("*.py")}
    assert len(found) > 20
    return found


def imports(path: str, text: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield (dotted name, whether it is of this package, whether it is imported in a function).

    Names of this package begin below it: ``nn.module``. The package itself is ''.
    """
    folder = path.split("/")[:-1]
    tree = ast.parse(text)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        lazy = id(node) in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                top, _, rest = alias.name.partition(".")
                yield (rest, True, lazy) if top == "numba_lstm" else (alias.name, False, lazy)
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".") if node.module else []
            if node.level:
                base = folder[: len(folder) - node.level + 1] + module
            elif module[0] == "numba_lstm":
                base = module[1:]
            else:
                yield node.module or "", False, lazy
                continue
            for alias in node.names:
                yield ".".join([*base, alias.name]), True, lazy


def layer_problems(files: dict[str, str]) -> list[str]:
    problems = []
    for path, text in files.items():
        own = path.split("/")[0].removesuffix(".py")
        if own in ("__init__", "reference"):
            continue
        if own not in RANK:
            problems.append(f"{path}: {own} is in no layer")
            continue
        for name, ours, _ in imports(path, text):
            other = name.split(".")[0]
            if not ours or other in (own, "__version__"):
                continue
            if other not in RANK or RANK[other] >= RANK[own]:
                problems.append(f"{path} imports {name}")
    return problems


def circles(files: dict[str, str]) -> list[str]:
    """Modules that import themselves by way of others, whether at the top or in a function."""
    modules = {
        path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in files
    }
    edges: dict[str, set[str]] = {}
    for path, text in files.items():
        own = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name, ours, _ in imports(path, text):
            target = name if name in modules else name.rpartition(".")[0]
            if ours and target in modules and target != own:
                edges.setdefault(own, set()).add(target)
    found = []
    for start in edges:
        reached, todo = set(), [start]
        while todo:
            for target in edges.get(todo.pop(), ()):
                if target not in reached:
                    reached.add(target)
                    todo.append(target)
        if start in reached:
            found.append(start)
    return found


def reference_problems(files: dict[str, str]) -> list[str]:
    return [
        f"{path} imports {name}"
        for path, text in files.items()
        if path.startswith("reference/")
        for name, ours, _ in imports(path, text)
        if (not name.startswith("reference.") if ours else not (name == "numpy" or standard(name)))
    ]


def dependency_problems(files: dict[str, str]) -> list[str]:
    problems = []
    for path, text in files.items():
        for name, ours, lazy in imports(path, text):
            top = name.split(".")[0]
            if ours or standard(name):
                continue
            optional = OPTIONAL | PEERS if path.startswith("benchmark/") else OPTIONAL
            if path.startswith("interop/onnx/"):
                optional = optional | {"onnx", "google"}  # protobuf comes with onnx
            if path.startswith("distributed/"):
                optional = optional | {"mpi4py"}
            needed = DEPENDENCIES | BASES if path.startswith("estimators/") else DEPENDENCIES
            if top not in needed and not (top in optional and lazy):
                problems.append(f"{path} imports {name}")
            if top == "llvmlite" and not path.startswith(LLVM_USERS):
                problems.append(f"{path} imports {name}")
    return problems


def parallel_problems(files: dict[str, str]) -> list[str]:
    """Numba's own threads, which wait for a late one, and parts outside of kernels."""
    problems = []
    for path, text in files.items():
        for node in ast.walk(ast.parse(text)):
            name = getattr(node, "id", getattr(node, "attr", getattr(node, "arg", "")))
            if name in ("prange", "parallel"):
                problems.append(f"{path}:{node.lineno} uses {name}")
        if not path.startswith(("kernels/", "cli/info.py")):
            problems += [
                f"{path} imports {name}"
                for name, *_ in imports(path, text)
                if name.startswith("parts.")
            ]
    return problems


def argument_problems(files: dict[str, str]) -> list[str]:
    """Functions of more than ten arguments above the drivers, whose lists are flat for numba.

    Constructors of modules have torch's arguments, however many, and options by keyword.
    """
    problems = []
    for path, text in files.items():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef):
                continue
            constructors = ("nn/", "models/", "estimators/", "training/trainer.py")
            if path.startswith(constructors) and node.name == "__init__":
                continue
            compiled = ("driver", "named_driver", "kernel")
            marks = {ast.unparse(mark).split("(")[0] for mark in node.decorator_list}
            if path.startswith("simd/") or marks & set(compiled):
                continue
            names = [
                a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            ]
            if len(names) - (names[:1] in (["self"], ["cls"])) > 10:
                problems.append(f"{path}:{node.lineno} {node.name} takes {len(names)}")
    return problems


def standard(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names


def package_problems(files: dict[str, str]) -> list[str]:
    """Folders without ``__init__.py``, which a wheel would lack."""
    folders = {path.rpartition("/")[0] for path in files if "/" in path}
    return sorted(one for one in folders if f"{one}/__init__.py" not in files)


RULES = [
    layer_problems,
    circles,
    reference_problems,
    dependency_problems,
    parallel_problems,
    argument_problems,
    package_problems,
]


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_the_rule(rule):
    assert rule(sources()) == []


@pytest.mark.parametrize(
    "rule, path, text",
    [
        (package_problems, "training/runs/folders.py", ""),
        (layer_problems, "kernels/gemm.py", "from ..nn import Linear"),
        (layer_problems, "recurrent/call.py", "from ..nn.module import Module"),
        (layer_problems, "parameters/packed.py", "from ..recurrent import weights"),
        (layer_problems, "nn/x.py", "def f():\n    from ..losses import mse"),
        (layer_problems, "nn/x.py", "from .. import reference"),
        (layer_problems, "nn/x.py", "import numba_lstm.training.loop"),
        (layer_problems, "losses/mse.py", "from .. import optim"),
        (layer_problems, "nn/x.py", "from numba_lstm.models import LanguageModel"),
        (layer_problems, "novel.py", ""),
        (reference_problems, "reference/lstm.py", "from ..nn import Module"),
        (reference_problems, "reference/lstm.py", "from .. import nn"),
        (reference_problems, "reference/lstm.py", "import scipy.special"),
        (dependency_problems, "kernels/gemm.py", "from llvmlite import ir"),
        (dependency_problems, "nn/x.py", "import torch"),
        (dependency_problems, "nn/x.py", "def f():\n    import torch"),
        (dependency_problems, "benchmark/x.py", "import torch"),
        (dependency_problems, "models/x.py", "def f():\n    import sklearn"),
        (dependency_problems, "cli/plot.py", "import matplotlib.pyplot as plt"),
        (dependency_problems, "distributed/group.py", "from mpi4py import MPI"),
        (dependency_problems, "training/x.py", "def f():\n    import mpi4py"),
        (parallel_problems, "kernels/x.py", "@kernel\ndef f(nt):\n    for q in prange(nt): pass"),
        (argument_problems, "nn/x.py", "def f(a, b, c, d, e, f, g, h, i, j, k): pass"),
        (parallel_problems, "nn/x.py", "for q in numba.prange(2): pass"),
        (parallel_problems, "kernels/x.py", "f = njit(parallel=True)(g)"),
        (parallel_problems, "nn/x.py", "from ..parts import parts"),
    ],
)
def test_the_rule_finds_a_break(rule, path, text):
    assert len(rule({path: text})) == 1


def test_the_rule_finds_a_circle():
    files = {"nn/a.py": "from .b import f", "nn/b.py": "def f():\n    from . import a"}
    assert circles(files) == ["nn.a", "nn.b"]


def test_what_every_fork_runs_needs_the_standard_library_only():
    assert [
        name for name, *_ in imports("_forks.py", sources()["_forks.py"]) if not standard(name)
    ] == []


@pytest.mark.parametrize(
    "statement, absent",
    [
        ("import numba_lstm", ["numba", "llvmlite", "scipy", "click", "numpy", "torch"]),
        (
            "from numba_lstm import nn; nn.Module; nn.Parameter; nn.Embedding; nn.Dropout; nn.init",
            ["numba", "llvmlite", "scipy", "click", "torch"],
        ),
        (
            "from numba_lstm import losses; losses.masked([2], 3)",
            ["numba_lstm.kernels", "scipy", "click", "torch"],
        ),
        (
            "import numba_lstm.datasets",
            ["numba", "llvmlite", "scipy", "click", "pandas", "pyarrow", "numba_lstm.nn"],
        ),
        (
            "import numba_lstm.distributed",
            ["mpi4py", "numba", "llvmlite", "scipy", "click", "numba_lstm.kernels"],
        ),
        ("import numba_lstm.reference", ["numba", "llvmlite", "scipy", "click", "numba_lstm.nn"]),
    ],
)
def test_importing_loads_nothing_heavy(statement, absent):
    code = f"{statement}\nimport sys\nprint(*(m for m in {absent} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
