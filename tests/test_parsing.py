"""JSON and TOML that our own files never hold are refused in words, soon and in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from cli_tool import environment

from numba_lstm import _parsing
from numba_lstm._parsing import parse_json, parse_toml


@pytest.mark.parametrize(
    "value",
    [None, True, 1.5, -7, 2**128, "", "\0\ud800", [], {}, {"a": [1, {"b": None}]}, [[[]]], 10**99],
)
def test_what_json_holds_comes_back(value):
    assert parse_json(json.dumps(value), "x") == value
    assert parse_json(json.dumps(value).encode(), "x") == value


def nested(depth, kind="["):
    return "[" * depth + "]" * depth if kind == "[" else '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("kind", ["[", "{"])
def test_json_nested_deeper_than_ours_is_refused(kind):
    parse_json(nested(_parsing.MOST_DEEP, kind), "x")
    for depth in (_parsing.MOST_DEEP + 1, 900, 5000, 100_000):
        with pytest.raises(ValueError, match=r"^x\.json: expected JSON nested at most 64 deep"):
            parse_json(nested(depth, kind), "x.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1 column 1"),
        ("{", "line 1 column 2"),
        ('{"a": 1}\n{', "line 2 column 1"),
        (b"\xff\xfe\xff", "decode"),
        (b'"\xff"', "decode"),
        ("9" * 101, "a number of at most 100 digits, got 101"),
        ("[1, -" + "9" * 5000 + "]", "a number of at most 100 digits, got 5001"),
        ("1e999", "finite numbers, got 1e999"),
        ('{"a": NaN}', "finite numbers, got NaN"),
        ("-Infinity", "finite numbers, got -Infinity"),
    ],
)
def test_what_is_no_json_of_ours_is_named_with_its_place(text, words):
    with pytest.raises(ValueError, match=rf"^x\.json: expected JSON: .*{words}"):
        parse_json(text, "x.json")


def test_toml_comes_back_with_any_text():
    text = (
        "\ufeffa = 1_000\n# ]]] a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s \" '\n"
        f'b = "{"x." * 50} # \\" [[[ {"9" * 200}"\r\n'
        f"c = '{'[' * 99}'\nd = ['a.b', \"c\"]\n"
        f'e = """{"a.b." * 20}\n{"{" * 80}\\"""" # "\n'
        f"f = '''{'7' * 150}'''\ng.h = 2.5\n"
    )
    found = parse_toml(text.encode(), "x")
    assert found["a"] == 1000 and found["d"] == ["a.b", "c"] and found["g"] == {"h": 2.5}
    assert len(found["b"]) > 300 and len(found["c"]) == 99 and found["f"] == "7" * 150


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = \nb = 1", "expected a TOML file: .*line 1"),
        ("a = 1\na = 2", "expected a TOML file"),
        (b"a = '\xff'", "expected a TOML file: .*decode"),
        ("x = 1\na = " + nested(65), "line 2: expected at most 64 brackets within each other"),
        ("x = 1\n\na = " + nested(100_000), "line 3: expected at most 64 brackets"),
        ("a = " + "{b=" * 5000 + "1" + "}" * 5000, "line 1: expected at most 64 brackets"),
        ("x = 1\n" + ".".join("a" * 17) + " = 1", "line 2: expected a key of at most 16 names"),
        (".".join(['"a"'] * 100_000) + " = 1", "line 1: expected a key of at most 16 names"),
        ("x = '''\n\n'''\n[" + " . ".join("a" * 100_000) + "]", "line 4: expected a key"),
        ("a = " + "9" * 5000, "line 1: expected a number of at most 100 digits"),
        ("a = 0x" + "9" * 5000, "line 1: expected a number of at most 100 digits"),
        ("a = 1." + "9_9" * 5000, "line 1: expected a number of at most 100 digits"),
    ],
)
def test_toml_that_is_not_ours_is_named_with_its_line(text, words):
    data = text if isinstance(text, bytes) else text.encode()
    began = time.monotonic()
    with pytest.raises(ValueError, match=rf"^x\.toml: {words}"):
        parse_toml(data, "x.toml")
    assert time.monotonic() - began < 5


def test_many_large_keys_take_little_memory():
    """100,000 names in one key took 5.9 GB."""
    program = (
        "import resource; from numba_lstm._parsing import parse_toml\n"
        "limit = 2**29; resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "lines = [f'k{i}.' + '.'.join('abcdefghijklmn') + ' = 1' for i in range(5000)]\n"
        "assert len(parse_toml('\\n'.join(lines).encode(), 'x')) == 5000\n"
        "for text in ('a.' * 10**5 + 'b = 1', '[' + 'a.' * 10**5 + 'b]'):\n"
        "    try: parse_toml(text.encode(), 'x')\n"
        "    except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True
    )
    assert done.stdout.count("expected a key of at most 16 names") == 2, done.stderr


@pytest.mark.parametrize(
    "text", ['"""\\' * 50_000, '"""\\"' * 50_000, "'''" * 50_001, '"\\' * 99_999]
)
def test_open_quotation_marks_take_no_square_of_time(text):
    began = time.monotonic()
    with pytest.raises(ValueError, match="expected a TOML file"):
        parse_toml(f"a = {text}".encode(), "x")
    assert time.monotonic() - began < 5
