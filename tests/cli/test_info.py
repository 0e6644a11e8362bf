"""``info`` tells what a bug report needs."""

from __future__ import annotations

import json
import os

from cli_tool import cli

from numba_lstm import __version__


def test_it_tells_versions_target_threads_and_cache():
    result = cli("info", "--json")
    assert result.code == 0, result.err
    figures = json.loads(result.out)
    assert figures["numba_lstm"] == __version__
    assert figures["vector_width"] * 32 == figures["vector_bits"]
    assert figures["threads"] >= 1
    assert figures["threading_layer"] in ("omp", "tbb", "workqueue")
    assert os.path.isabs(figures["cache_folder"])
    plain = cli("info")
    assert [line.split()[0] for line in plain.out.splitlines()] == list(figures)
