"""JSON on standard output is strict JSON, on one line."""

from __future__ import annotations

import json

from numba_lstm.cli._output import print_json


def test_what_json_has_no_number_for_becomes_null(capsys):
    print_json({"a": float("inf"), "b": float("nan"), "c": 1.5, "d": None, "e": "é\n"})
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"a": None, "b": None, "c": 1.5, "d": None, "e": "é\n"}
