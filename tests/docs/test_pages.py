"""Every code block of the documentation and of the README runs, and what it shows is true."""

from __future__ import annotations

from pathlib import Path

import pages_tool
import pytest

from numba_lstm import optim

PAGES = {str(page.relative_to(pages_tool.ROOT)): page for page in pages_tool.pages()}

# How many blocks of each page are not run; why is said on the page, before the block.
NOT_RUN = {
    "README.md": 3,
    "docs/environment.md": 1,
    "docs/estimators.md": 1,
    "docs/howto/distributed.md": 1,
    "docs/howto/many-machines.md": 5,
    "docs/installation.md": 2,
    "docs/performance.md": 1,
    "docs/scale.md": 1,
}


def runnable(page: Path) -> list[pages_tool.Block]:
    return [block for block in pages_tool.blocks(page) if block.kind in pages_tool.LANGUAGES]


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if runnable(page)])
def test_the_blocks_of_a_page_run(name, tmp_path):
    done = pages_tool.run_apart(PAGES[name], tmp_path)
    assert done.returncode == 0, f"{name}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    expected = sum(not block.reason for block in runnable(PAGES[name]))
    assert f"{expected} blocks were run" in done.stdout


def test_no_block_is_left_out_in_silence():
    left_out = {
        name: sum(bool(block.reason) for block in pages_tool.blocks(page))
        for name, page in PAGES.items()
    }
    assert {name: count for name, count in left_out.items() if count} == NOT_RUN


@pytest.mark.parametrize("name", ["README.md", "docs/index.md", "docs/howto/optimizing.md"])
def test_a_page_that_says_it_learns_is_found_out_where_the_optimizer_does_nothing(
    name, monkeypatch
):
    monkeypatch.setattr(optim.Optimizer, "step", lambda self, grad_scale=1.0: None)
    with pytest.raises(AssertionError, match="not true"):
        pages_tool.run(PAGES[name], ("python", "check"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```rust\n1\n```\n", "rust"),
        ("```\n1\n```\n", "expected one of python"),
        ("So:\n\n    indented\n", "indented code"),
        ("- a point\n  ```python\n  1\n  ```\n", "indented fence"),
        ("<!-- not run: it is long -->\n\nWords.\n", "before no block"),
        ("<!-- run with: 10 => 1 -->\n```python\n20\n```\n", "stands not in the block"),
    ],
)
def test_what_would_be_passed_over_in_silence_is_refused(text, why, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match=why):
        pages_tool.blocks(page)


@pytest.mark.parametrize(
    "text",
    [
        "```python\nx = 1 / 0\n```\n",
        "```sh\nfalse\ntrue\n```\n",
        "```python\nx = 1\n```\n<!-- check: x == 2 -->\n",
    ],
)
def test_a_page_with_a_fault_fails(text, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text)
    assert pages_tool.run_apart(page, tmp_path).returncode != 0


def test_marks_say_what_is_run_instead_and_what_is_not(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- first: steps = 0 -->\n"
        "<!-- run with: 10 => 2 -->\n```python\nsteps = 10\n```\n<!-- check: steps == 2 -->\n"
        "<!-- not run: it fails -->\n```python\nassert False\n```\n```text\nshown\n```\n"
    )
    assert "1 blocks were run" in pages_tool.run_apart(page, tmp_path).stdout


def test_a_command_is_a_process_with_its_own_streams_code_and_environment(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\n"
        "mkdir inside && cd inside\n"
        "numba-lstm sample absent 2> ../err.txt || echo $? > ../code.txt\n"
        "numba-lstm --version | cat > ../version.txt\n"
        "NUMBA_DISABLE_JIT=1 numba-lstm info > ../info.txt\n"
        "```\n"
        "<!-- first: err, code, version, info = (open(f'{n}.txt').read() for n in "
        "('err', 'code', 'version', 'info')) -->\n"
        "<!-- check: (err, code) == ('error: absent: no such folder\\n', '2\\n') -->\n"
        "<!-- check: version.startswith('numba-lstm, version ') -->\n"
        "<!-- check: 'NUMBA_DISABLE_JIT: expected' in info -->\n"
    )
    done = pages_tool.run_apart(page, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
