"""What a wheel holds is what the checkout holds, and what its extras say."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _setuptools() -> int:
    try:
        return int(metadata.version("setuptools").split(".")[0])
    except metadata.PackageNotFoundError:
        return 0


@pytest.mark.skipif(_setuptools() < 77, reason="needs the setuptools of pyproject.toml")
def test_what_an_older_build_left_does_not_go_into_the_wheel(tmp_path):
    source = tmp_path / "source"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "numba_lstm", source / "numba_lstm", ignore=skip)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    stale = source / "build" / "lib" / "numba_lstm" / "removed_long_ago.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    code = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    python = {path.relative_to(source).as_posix() for path in (source / "numba_lstm").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == python
    assert "numba_lstm/py.typed" in names
    assert "numba_lstm/text/shakespeare.txt.xz" in names
    assert "numba_lstm/datasets/seattle_weather.csv.xz" in names


def test_every_extra_has_something_behind_it():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = set(config["options.extras_require"])
    rooms = (ROOT / "numba_lstm", ROOT / "examples")
    said = "".join(path.read_text() for room in rooms for path in room.rglob("*.py"))
    for extra in extras - {"test", "dev", "docs"}:
        assert f"numba_lstm[{extra}]" in said, extra
