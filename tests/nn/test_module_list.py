from __future__ import annotations

import copy

import numpy as np
import pytest

from numba_lstm import nn


def linears(count):
    return [nn.Linear(2, k + 1, seed=k) for k in range(count)]


class Net(nn.Module):
    def __init__(self, layers):
        self.layers = layers


def names(module):
    return [name for name, _ in module.named_parameters()]


def test_parameters_are_found_by_torchs_names():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Module()
    theirs.layers = torch.nn.ModuleList(torch.nn.Linear(2, k + 1) for k in range(3))
    ours = Net(nn.ModuleList(linears(3)))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    assert not ours.eval().layers[2].training


def test_it_is_changed_like_a_list():
    one, two, three, four = linears(4)
    modules = nn.ModuleList()
    assert len(modules) == 0 and list(modules) == []
    assert modules.append(two) is modules
    modules.insert(0, one).extend([four])
    modules.insert(-1, three)
    assert list(modules) == [one, two, three, four] and modules[-1] is four
    assert names(modules) == [f"{k}.{kind}" for k in range(4) for kind in ("weight", "bias")]
    assert modules.pop(0) is one and list(modules) == [two, three, four]
    del modules[1]
    modules[0] = one
    modules += [two]
    assert list(modules) == [one, four, two] and three not in modules and four in modules
    assert isinstance(modules, nn.ModuleList) and list(modules + linears(1))[:3] == list(modules)
    assert list(modules) == [one, four, two]
    part = modules[1:]
    assert type(part) is nn.ModuleList and list(part) == [four, two]
    assert names(modules)[:2] == ["0.weight", "0.bias"] and len(names(modules)) == 6


def test_a_copy_is_its_own():
    modules = nn.ModuleList(linears(2))
    twin = copy.deepcopy(modules)
    twin[0].weight[...] = 0
    assert modules[0].weight.numpy().any() and names(twin) == names(modules)


def test_repr_is_torchs():
    torch = pytest.importorskip("torch")

    def made(nn):
        alike = [nn.Linear(1, 2), nn.Linear(1, 2), nn.ReLU(), nn.LSTM(3, 4), nn.LSTM(3, 4)]
        return [
            nn.ModuleList(alike),
            nn.ModuleList([nn.Sequential(nn.ReLU(), nn.Tanh()) for _ in range(2)]),
            nn.ModuleList(),
        ]

    assert [repr(one) for one in made(nn)] == [repr(one) for one in made(torch.nn)]


def test_it_is_no_function():
    with pytest.raises(NotImplementedError, match="ModuleList does not define __call__"):
        nn.ModuleList(linears(1))([1.0, 2.0])


def test_what_is_no_module_is_refused_and_changes_nothing():
    modules = nn.ModuleList(linears(2))
    before = list(modules)
    for refused in (
        lambda: modules.append(np.ones(2)),
        lambda: modules.extend([nn.ReLU(), 3]),
        lambda: modules.insert(0, None),
        lambda: modules.__setitem__(0, "layer"),
        lambda: nn.ModuleList(nn.ReLU()),
        lambda: nn.ModuleList([[nn.ReLU()]]),
        lambda: nn.ModuleList(3),
    ):
        with pytest.raises(TypeError, match=r"^modules?(\[\d\])?: expected a"):
            refused()
    with pytest.raises(IndexError):
        modules[2]
    assert list(modules) == before


@pytest.mark.parametrize("plain", [list, tuple])
def test_modules_in_a_plain_list_are_warned_of(plain):
    net = Net(plain(linears(2)))
    with pytest.warns(
        UserWarning, match=r"^Net.layers: .* Linear in a (list|tuple); use nn.ModuleList"
    ):
        assert list(net.parameters()) == []
    with pytest.warns(UserWarning, match="nn.ModuleList"):
        assert net.state_dict() == {}


def test_modules_that_are_appended_later_are_warned_of():
    net = Net([])
    net.layers.append(nn.ReLU())
    with pytest.warns(UserWarning, match="use nn.ModuleList"):
        net.train()


def test_parameters_in_a_plain_list_are_warned_of():
    net = Net([nn.Parameter([1.0])])
    with pytest.warns(UserWarning, match=r"Parameter in a list; make each an attribute"):
        assert list(net.parameters()) == []


@pytest.mark.filterwarnings("error")
def test_other_lists_are_not_warned_of():
    net = Net([1, 2, 3])
    net.shape, net.names = (2, 3), {"a": 1}
    assert list(net.parameters()) == [] and repr(net) == "Net()"
    list(nn.LSTM(3, 4, 2).parameters())
