"""Who is asked for, and who is not there."""

from __future__ import annotations

import pytest

from numba_lstm.benchmark.cases import Case
from numba_lstm.benchmark.peers import DEFAULT, PEERS, Peer, missing, parse


def test_names_choose_peers_once_each():
    assert parse("torch, onnxruntime,torch") == [PEERS["torch"], PEERS["onnxruntime"]]
    assert parse("none") == parse("") == []


def test_an_unknown_peer_is_refused_by_name():
    with pytest.raises(ValueError, match=r"--peers: expected some of torch, .*, rules, got 'jax'"):
        parse("torch,jax")


def test_what_is_not_installed_is_told_with_how_to_install_it():
    there = Peer("there", "x", ("numpy",), ())
    absent = Peer("absent", "x", ("numpy", "no_such_module_1", "no_such_module_2"), ())
    assert missing([there, absent]) == {
        "absent": "no_such_module_1 and no_such_module_2 not installed: "
        "pip install 'numba_lstm[bench]'"
    }


def test_the_default_peers_are_the_other_libraries():
    assert set(DEFAULT) == set(PEERS) - {"rules"}


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_runners_of_onnx_models_infer_with_every_cell_in_plain_layers(name):
    def case(**more):
        return Case("a-1", (), 1, 1, 1, 1, **more)

    for cell in ("lstm", "gru", "rnn"):
        assert PEERS[name].takes(case(cell=cell), "infer")
        assert not PEERS[name].takes(case(cell=cell), "train")
    assert not PEERS[name].takes(case(proj=1), "infer")
    assert not PEERS[name].takes(case(form="cells"), "infer")


def test_the_rules_take_part_wherever_ours_does():
    for case in (Case("a-1", (), 1, 1, 1, 2, proj=1), Case("b-1", (), 1, 1, 1, 1, vocab=3)):
        assert all(PEERS["rules"].takes(case, kind) for kind in ("infer", "train", "step", "cold"))
