"""Who is asked for, and who is not there."""

from __future__ import annotations

import pytest

from numba_lstm.benchmark.peers import PEERS, Peer, missing, parse


def test_names_choose_peers_once_each():
    assert parse("torch, onnxruntime,torch") == [PEERS["torch"], PEERS["onnxruntime"]]
    assert parse("none") == parse("") == []


def test_an_unknown_peer_is_refused_by_name():
    with pytest.raises(ValueError, match="--peers: expected some of torch, onnxruntime, got 'jax'"):
        parse("torch,jax")


def test_what_is_not_installed_is_told_with_how_to_install_it():
    there = Peer("there", "x", ("numpy",), ())
    absent = Peer("absent", "x", ("numpy", "no_such_module_1", "no_such_module_2"), ())
    assert missing([there, absent]) == {
        "absent": "no_such_module_1 and no_such_module_2 not installed: "
        "pip install 'numba_lstm[bench]'"
    }
