from __future__ import annotations

import pytest

from numba_lstm import nn


def heads():
    return {"class": nn.Linear(2, 3, seed=0), "value": nn.Linear(2, 1, seed=1)}


def test_parameters_are_found_by_torchs_names_and_repr_is_torchs():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.ModuleDict({"class": torch.nn.Linear(2, 3), "value": torch.nn.Linear(2, 1)})
    ours = nn.ModuleDict(heads())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    assert repr(nn.ModuleDict()) == repr(torch.nn.ModuleDict())


def test_it_is_changed_like_a_dictionary():
    given = heads()
    modules = nn.ModuleDict(given.items())
    assert list(modules) == list(modules.keys()) == ["class", "value"]
    assert list(modules.values()) == list(given.values()) and dict(modules.items()) == given
    assert modules["class"] is given["class"] and "class" in modules and "other" not in modules
    modules["other"] = other = nn.ReLU()
    modules.update({"value": nn.Tanh()})
    assert list(modules) == ["class", "value", "other"] and len(modules) == 3
    assert modules.pop("other") is other and "other" not in modules
    del modules["class"]
    assert list(modules) == ["value"]
    assert list(nn.ModuleDict(modules)) == ["value"]
    modules.clear()
    assert len(modules) == 0
    for call in (lambda: modules["value"], lambda: modules.pop("value")):
        with pytest.raises(KeyError, match="value"):
            call()
    with pytest.raises(KeyError):
        modules["training"]


@pytest.mark.parametrize("name", ["", "a.b", "keys", "training", "state_dict"])
def test_a_name_that_would_hide_an_attribute_or_is_no_name_is_refused(name):
    modules = nn.ModuleDict()
    with pytest.raises(KeyError, match="modules: expected"):
        modules[name] = nn.ReLU()
    assert len(modules) == 0


def test_what_is_no_module_is_refused_and_changes_nothing():
    modules = nn.ModuleDict()
    with pytest.raises(TypeError, match=r"^modules\['b'\]: expected a Module, got int"):
        modules.update({"a": nn.ReLU(), "b": 3})
    with pytest.raises(TypeError, match=r"^modules: expected names to be text, got 3"):
        modules[3] = nn.ReLU()
    for refused in ([nn.ReLU()], 3, nn.ReLU()):
        with pytest.raises(TypeError, match=r"^modules: expected names and modules, got"):
            modules.update(refused)
    assert len(modules) == 0


def test_modules_in_a_plain_dictionary_are_warned_of():
    net = nn.Module()
    net.heads = heads()
    with pytest.warns(UserWarning, match=r"^Module.heads: .* Linear in a dict; use nn.ModuleDict"):
        assert list(net.parameters()) == []
