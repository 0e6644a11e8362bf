"""Everybody is held to an instruction set by a switch that works, or is known not to be."""

from __future__ import annotations

import platform

import pytest
from long_tool import only_long

from numba_lstm.benchmark import isa as module
from numba_lstm.benchmark.isa import ISAS, find, held, told
from numba_lstm.benchmark.peers import OURS, PEERS, missing
from numba_lstm.benchmark.process import Process

x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="only x86-64 has a choice"
)


def here(name):
    """The instruction set, or a skip where this machine lacks it."""
    try:
        return find(name)
    except ValueError as error:
        pytest.skip(str(error))


def about(peer, isa):
    if missing([peer]):
        pytest.skip(f"{peer.name} is not installed")
    with Process(peer.name, 1, **told(isa, peer)) as worker:
        return worker.ask("about")


@x86
@pytest.mark.parametrize(
    "name, bits, registers", [("avx512", 512, 32), ("avx2", 256, 16), ("baseline", 128, 16)]
)
def test_our_kernels_have_the_vectors_and_registers_of_the_isa(name, bits, registers, monkeypatch):
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx512f")  # a user's, which must not get through
    machine = about(OURS, here(name))["machine"]
    assert (machine["vector_bits"], machine["vector_registers"]) == (bits, registers)
    assert ISAS[name].vector_bits == bits
    assert machine["features"] == []


@x86
@pytest.mark.parametrize(
    "name, word",
    [
        ("avx2", "AVX2"),
        pytest.param("avx512", "AVX512", marks=only_long),  # torch is imported for 2 s each
        pytest.param("baseline", "DEFAULT", marks=only_long),
    ],
)
def test_torch_says_that_it_is_held(name, word):
    assert about(PEERS["torch"], here(name))["settings"]["cpu_capability"] == word


@x86
@pytest.mark.parametrize("peer", ["torch", "openvino"])
def test_onednn_says_that_it_is_held(peer, monkeypatch, tmp_path):
    """In its log, which it writes when its first primitive is made."""
    from numba_lstm.benchmark.arrays import make_arrays, save
    from numba_lstm.benchmark.cases import Case

    if missing([PEERS[peer]]):
        pytest.skip(f"{peer} is not installed")
    monkeypatch.setenv("ONEDNN_VERBOSE", "1")
    case = Case("a", (), 3, 2, 4, 5)
    save(str(tmp_path / "arrays.npz"), make_arrays(case))
    with Process(peer, 1, **told(here("avx2"), PEERS[peer])) as worker:
        arrays = str(tmp_path / "arrays.npz")
        worker.ask("prepare", case=case.to_json(), kind="infer", arrays=arrays)
        worker.ask("results", path=str(tmp_path / "results.npz"))
        worker._errors.seek(0)
        log = worker._errors.read().decode()
    assert "cpu,isa:Intel AVX2\n" in log
    assert "avx512" not in log.lower()


def test_natively_nobody_is_told_anything_and_all_are_equal():
    assert find("native") is None
    for peer in (OURS, *PEERS.values()):
        assert held(None, peer) and told(None, peer) == dict(peer.environment)


def test_onnxruntime_is_never_held_and_openvino_not_below_avx2():
    for isa in ISAS.values():
        assert not held(isa, PEERS["onnxruntime"]) and told(isa, PEERS["onnxruntime"]) == {}
        for name in ("torch", "rules"):
            assert held(isa, PEERS[name])
    unheld = [name for name, isa in ISAS.items() if not held(isa, PEERS["openvino"])]
    assert unheld == ["baseline"]


def test_a_machine_that_lacks_an_isa_is_told_what_it_lacks(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(module, "_features", lambda: {"avx2", "fma", "f16c", "bmi", "bmi2"})
    with pytest.raises(ValueError, match=r"--isa: .* got 'avx2'; it lacks lzcnt, movbe$"):
        find("avx2")
    assert find("baseline") is ISAS["baseline"]


def test_elsewhere_than_on_x86_there_is_only_native(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(ValueError, match="--isa: expected native on aarch64, got 'baseline'"):
        find("baseline")
    assert find("native") is None


@x86
def test_what_the_processor_has_does_not_depend_on_what_numba_is_told(monkeypatch):
    from numba.core import config

    before = module._features()
    monkeypatch.setattr(config, "CPU_NAME", "x86-64")
    monkeypatch.setattr(config, "CPU_FEATURES", "")
    assert module._features() == before and "sse2" in before
