"""The script makes exactly the table that is bundled, from exactly one wheel."""

from __future__ import annotations

import lzma
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import make_seattle_weather as script
import pytest


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that $VEGA_DATASETS_WHEEL names, or one that pip can fetch."""
    if "VEGA_DATASETS_WHEEL" in os.environ:
        return Path(os.environ["VEGA_DATASETS_WHEEL"])
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--timeout", "5", "--retries", "0", "--dest", str(folder), script.REQUIREMENT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("pip took more than a minute for the wheel")
    if done.returncode != 0:
        pytest.skip("no wheel: set VEGA_DATASETS_WHEEL, or go online")
    return folder / script.WHEEL


def test_the_bundled_table_is_what_the_script_makes(wheel, tmp_path, capsys):
    out = tmp_path / "table.xz"
    script.main(["--wheel", str(wheel), "--out", str(out)])
    assert "1461 rows" in capsys.readouterr().out
    bundled = files("numba_lstm.datasets").joinpath("seattle_weather.csv.xz").read_bytes()
    # The text, not its compressed bytes, which another liblzma may choose otherwise.
    assert lzma.decompress(out.read_bytes()) == lzma.decompress(bundled)


def test_another_wheel_is_refused(tmp_path):
    other = tmp_path / script.WHEEL
    other.write_bytes(b"PK")
    with pytest.raises(ValueError, match="sha256"):
        script.make_table(other)
