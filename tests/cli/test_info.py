"""``info`` tells what a bug report needs."""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import metadata

import numpy as np
from cli_tool import ROOT, cli
from click.testing import CliRunner

from numba_lstm import __version__
from numba_lstm.cli import info, main


def test_it_tells_versions_target_threads_and_cache():
    result = cli("info", "--json")
    assert result.code == 0, result.err
    figures = json.loads(result.out)
    assert figures["numba_lstm"] == __version__
    assert figures["vector_width"] * 32 == figures["vector_bits"]
    assert figures["threads"] >= 1
    assert figures["threading_layer"] in ("omp", "tbb", "workqueue")
    assert os.path.isdir(figures["cache_folder"])
    plain = cli("info")
    assert [line.split()[0] for line in plain.out.splitlines()] == list(figures)


def test_it_tells_what_is_broken_or_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    real = metadata.version

    def without_scipy(name):
        if name == "scipy":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    def broken():
        raise ImportError("no libgomp:\nsomewhere")

    monkeypatch.setattr(metadata, "version", without_scipy)
    monkeypatch.setitem(info._TOLD, "threading_layer", broken)
    result = CliRunner().invoke(main, ["info", "--json"])
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["scipy"] == "not installed"
    assert figures["threading_layer"] == "failed: ImportError: no libgomp: somewhere"
    assert figures["numpy"] == np.__version__
    assert figures["fma"] in (True, False)


def test_only_the_bench_needs_scipy():
    """Its intervals: nothing else is to fail or to wait for it."""
    texts = {p.name: p.read_text() for p in (ROOT / "numba_lstm").rglob("*.py")}
    users = [name for name, text in texts.items() if re.search(r"(import|from) scipy", text)]
    assert users == ["ratios.py"]
