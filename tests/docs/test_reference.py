"""Every public name stands in the reference, and nothing else does."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import pytest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
MODULES = [
    "nn",
    "nn.init",
    "nn.utils",
    "losses",
    "optim",
    "models",
    "estimators",
    "text",
    "interop.onnx",
    "interop.onnx.backend",
    "interop.npz",
    "training",
    "distributed",
    "datasets",
    "datasets.baselines",
    "datasets.metrics",
    "interop.safetensors",
    "interop.weights",
    "testing",
    "typing",
]


def listed() -> dict[str, list[str]]:
    """The names under each module in the reference's tables."""
    found: dict[str, list[str]] = {}
    for page in REFERENCE.glob("*.md"):
        for block in re.findall(
            r"```\{eval-rst\}\n(.*?)```", page.read_text(encoding="utf-8"), re.S
        ):
            module = re.search(r"currentmodule:: (\S+)", block)
            if module:
                names = re.findall(r"^(?:   |\.\. py:data:: )([\w.]+)$", block, re.M)
                found.setdefault(module[1].removeprefix("numba_lstm").lstrip("."), []).extend(names)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_of_a_module_is_in_the_reference(name):
    module = import_module(f"numba_lstm.{name}")
    public = {one for one in module.__all__ if not isinstance(getattr(module, one), ModuleType)}
    assert {one for one in listed()[name] if "." not in one} == public


def test_what_the_functions_of_onnx_give_is_in_the_reference():
    found = {one for one in listed()["interop.onnx"] if "." in one}
    assert found == {"running.Session", "loading.LoadedNode", "reverse.Reverse"}
    for one in found:
        home, _, name = one.partition(".")
        assert isinstance(getattr(import_module(f"numba_lstm.interop.onnx.{home}"), name), type)


def test_the_packages_own_names_are_in_the_reference():
    package = import_module("numba_lstm")
    public = {one for one in package.__all__ if not isinstance(getattr(package, one), ModuleType)}
    found = {one for one in listed()[""] if "." not in one}
    assert found == public - {"__version__"}


def test_every_part_of_training_is_in_the_reference():
    found = {one for one in listed()[""] if "." in one}
    training = import_module("numba_lstm.training")
    walked = walk_packages(training.__path__, "numba_lstm.training.")
    assert found == {one.name.partition(".")[2] for one in walked if not one.ispkg}


def test_every_public_module_has_a_page():
    package = import_module("numba_lstm")
    for name in package.__all__:
        if isinstance(getattr(package, name), ModuleType):
            assert (REFERENCE / f"{name}.md").is_file(), name
    assert set(listed()) == {"", *MODULES}
