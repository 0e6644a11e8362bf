"""A CPU or features that this machine cannot run are refused in one line, never tried in place."""

from __future__ import annotations

import platform
import subprocess
import sys

import llvmlite.binding as llvm
import pytest

from numba_lstm.simd import target, target_probe
from numba_lstm.simd.target_probe import check_target, features_of, host_features

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="names of x86"
)

HOST = llvm.get_host_cpu_name()
CAN_RUN = f"what this CPU ({HOST}) can run"
KNOWN = "the name of a CPU that LLVM knows for x86_64"


def refusal(cpu: str | None, features: str | None) -> str:
    """The one line of the error."""
    with pytest.raises(ValueError) as caught:
        check_target(cpu, features)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("cpu", "features", "said"),
    [
        (
            "hasvel",
            None,
            f"NAME: expected {KNOWN}, got 'hasvel'",
        ),
        (
            "apple-m1",
            None,
            f"NAME: expected {KNOWN}, got 'apple",
        ),
        (
            "Haswell",
            "",
            f"NAME: expected {KNOWN}, got 'Haswell'",
        ),
        ('has"well\n', None, f"NAME: expected {KNOWN}, got"),
        ("i386", None, f"NAME: expected {CAN_RUN}, got 'i386' ("),
        ("pentium4", "", f"NAME: expected {CAN_RUN}, got 'pentium4' ("),
        ("help", None, f"NAME: expected {CAN_RUN}, got 'help' ("),
        (None, "+avx2,+foo", "FEATURES: expected features that LLVM knows for x86_64, got '+foo'"),
        ("haswell", "+avx9", "FEATURES: expected features that LLVM knows for x86_64, got '+avx9'"),
        (
            None,
            "avx2",
            "FEATURES: expected + or - before each feature, as in +avx2,-fma, got 'avx2'",
        ),
        (None, "+avx2, +fma", "FEATURES: expected + or - before each feature, as in +avx2,-fma, "),
        (None, "-64bit", f"FEATURES: expected {CAN_RUN}, got '-64bit' ("),
    ],
)
def test_what_would_end_the_process_inside_llvm_is_refused_in_one_line(cpu, features, said):
    assert refusal(cpu, features).startswith(f"NUMBA_CPU_{said}")


@pytest.mark.parametrize(
    ("cpu", "features", "variable", "lacking"),
    [
        ("bdver2", None, "NAME", "fma4"),
        ("bdver2", "", "NAME", "fma4"),
        (None, "+fma4", "FEATURES", "fma4"),
        ("haswell", "+bmi,+fma4", "FEATURES", "fma4"),
        ("sapphirerapids", None, "NAME", "avx512fp16"),
    ],
)
def test_what_has_instructions_that_this_cpu_lacks_is_refused_with_their_names(
    cpu, features, variable, lacking
):
    if host_features().get(lacking, True):
        pytest.skip(f"this machine has {lacking}")
    said = refusal(cpu, features)
    value = cpu if variable == "NAME" else features
    expected = f"NUMBA_CPU_{variable}: expected {CAN_RUN}, got '{value}' (this one lacks "
    assert said.startswith(expected) and lacking in said.removeprefix(expected)


@pytest.mark.parametrize(
    ("cpu", "features"),
    [("x86-64", None), ("x86-64", "+sse3,-avx"), ("generic", ""), (HOST, None), (None, "")],
)
def test_what_it_can_run_is_taken(cpu, features):
    check_target(cpu, features)


def test_the_same_is_tried_once(monkeypatch):
    check_target("x86-64", "+sse3")
    monkeypatch.setattr(subprocess, "run", None)
    check_target("x86-64", "+sse3")


@pytest.mark.parametrize(
    ("cpu", "features", "expected"),
    [
        ("haswell", "", ["avx2", "fma"]),
        ("x86-64", "+avx2", ["avx2"]),
        ("x86-64", "", []),
        ("haswell", "-avx", []),
        ("bdver2", "", ["fma", "fma4"]),
        ("skylake-avx512", "", ["avx2", "fma", "avx512f", "avx512vl"]),
        ("knl", "", ["avx2", "fma", "avx512f"]),
    ],
)
def test_the_features_of_a_cpu_are_found_out(cpu, features, expected):
    asked = ["avx2", "fma", "avx512f", "avx512vl", "fma4"]
    assert sorted(features_of(cpu, features, asked)) == sorted(expected)


@pytest.mark.skipif(host_features().get("fma4", True), reason="this machine has FMA4")
@pytest.mark.parametrize("cpu", ["bdver2", "sapphirerapids", "knl"])
@pytest.mark.parametrize("features", [None, "+fma4"])
def test_microkernels_get_no_feature_that_this_machine_lacks(monkeypatch, cpu, features):
    absent = [name for name, has in host_features().items() if not has]
    assert "fma4" in features_of(cpu, "+fma4", absent)
    monkeypatch.setattr(target, "check_target", lambda cpu, features: None)
    monkeypatch.setattr(target.config, "CPU_NAME", cpu)
    monkeypatch.setattr(target.config, "CPU_FEATURES", features)
    assert features_of(cpu, target._features(), absent) == []


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (OSError("no more processes"), "it could not be tried: no more processes"),
        (subprocess.TimeoutExpired("python", 60), "it could not be tried: "),
        (subprocess.CompletedProcess([], -4, b"", b""), "a trial ended by signal 4"),
        (
            subprocess.CompletedProcess([], 2, b"", b"usage: x\nno such option\n"),
            "a trial ended with exit code 2 and said: no such option",
        ),
    ],
)
def test_a_trial_that_fails_refuses_the_name_and_says_why(monkeypatch, outcome, said):
    def run(*args, **options):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(subprocess, "run", run)
    target_probe._ask.cache_clear()
    try:
        assert f"expected {CAN_RUN}, got 'haswell' ({said}" in refusal("haswell", None)
    finally:
        target_probe._ask.cache_clear()


def test_a_program_without_an_interpreter_starts_no_process(monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(subprocess, "run", None)
    target_probe._ask.cache_clear()
    try:
        check_target("haswell", None)
    finally:
        target_probe._ask.cache_clear()
