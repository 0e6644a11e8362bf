"""How Sphinx builds these pages: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from numba_lstm import __version__  # noqa: E402

project = "numba_lstm"
author = "the numba_lstm authors"
release = version = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"numba_lstm {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
copybutton_exclude = ".linenos, .gp, .go"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Help texts have "--resume" and straight quotes, which are to stay.
smartquotes = False

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_use_plots = False

# In docstrings `name` means code, and is a link where there is something of that name.
default_role = "py:obj"
# Every reference that is written as one must be found; names in single backticks need not be.
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*")]


def setup(app: Any) -> None:
    """Take the commands' help texts as they are: an asterisk, as in *.txt, begins nothing."""
    for part in ("description", "options", "arguments", "epilog"):
        app.connect(f"sphinx-click-process-{part}", _keep_asterisks)


def _keep_asterisks(app: Any, context: Any, lines: list[str]) -> None:
    lines[:] = [line.replace("*", r"\*") for line in lines]
