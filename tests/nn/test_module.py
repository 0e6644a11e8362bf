from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.nn import Module, Parameter


class Leaf(Module):
    def __init__(self, n=2, dtype=np.float32):
        self.weight = Parameter(np.arange(n, dtype=dtype))
        self.size = n
        self.bias = None

    def extra_repr(self):
        return f"{self.size}"


class Tree(Module):
    def __init__(self):
        self.own = Parameter(np.zeros((2, 2), np.float32))
        self.first = Leaf(2)
        self.second = Leaf(3)
        self.late = Parameter(np.ones(1, np.float32))


class Tied(Module):
    def __init__(self):
        self.a = Leaf()
        self.b = Leaf()
        self.b.weight = self.a.weight


def test_parameters_and_modules_register_in_torchs_order():
    tree = Tree()
    names = ["own", "late", "first.weight", "second.weight"]
    assert [name for name, _ in tree.named_parameters()] == names
    assert [name for name, _ in tree.named_parameters("m")] == [f"m.{name}" for name in names]
    assert [p.shape for p in tree.parameters()] == [(2, 2), (1,), (2,), (3,)]
    assert [name for name, _ in tree.named_modules()] == ["", "first", "second"]
    assert list(tree.modules()) == [tree, tree.first, tree.second]
    assert list(tree.children()) == [tree.first, tree.second]
    assert list(tree.state_dict()) == names


def test_torch_gives_the_same_names_in_the_same_order():
    torch = pytest.importorskip("torch")

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.own = torch.nn.Parameter(torch.zeros(2, 2))
            self.first = torch.nn.Linear(1, 2, bias=False)
            self.second = torch.nn.Linear(1, 3, bias=False)
            self.late = torch.nn.Parameter(torch.ones(1))

    theirs, ours = Theirs(), Tree()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]


def test_a_replaced_attribute_is_no_longer_registered():
    tree = Tree()
    tree.first = None
    del tree.own
    assert [name for name, _ in tree.named_parameters()] == ["late", "second.weight"]


def test_an_array_in_the_place_of_a_parameter_that_was_taken_away_is_refused():
    linear = nn.Linear(2, 3)
    linear.bias = None
    with pytest.raises(TypeError, match=r"^bias: expected a Parameter or None, got ndarray$"):
        linear.bias = np.ones(3)
    assert linear.bias is None
    linear.bias = Parameter(np.ones(3, np.float32))
    assert linear(np.zeros(2)).tolist() == [1, 1, 1]


def test_a_shared_parameter_counts_once_but_is_saved_under_both_names():
    tied = Tied()
    assert [name for name, _ in tied.named_parameters()] == ["a.weight"]
    assert list(tied.state_dict()) == ["a.weight", "b.weight"]


def test_a_module_used_twice_counts_once():
    tree = Tree()
    tree.second = tree.first
    assert [name for name, _ in tree.named_modules()] == ["", "first"]
    assert list(tree.children()) == [tree.first]


def test_state_dict_gives_copies():
    tree = Tree()
    state = tree.state_dict()
    state["own"][...] = 7
    assert not tree.own.numpy().any()


def test_load_state_dict_restores_and_casts():
    tree, state = Tree(), Tree().state_dict()
    state = {name: (value + 1).astype(">f8") for name, value in state.items()}
    assert tree.load_state_dict(state) == ([], [])
    for name, value in tree.state_dict().items():
        assert value.dtype == np.float32 and np.array_equal(value, state[name])
    assert all(p.version == 1 for p in tree.parameters())


def test_load_state_dict_lists_everything_wrong_and_changes_nothing():
    tree = Tree()
    before = {name: value.copy() for name, value in tree.state_dict().items()}
    bad = {"own": np.ones((2, 3)), "late": [1j], "first.weight": np.ones(2), "third.weight": 0}
    with pytest.raises(ValueError) as caught:
        tree.load_state_dict(bad)
    message = str(caught.value)
    for part in (
        "state_dict does not fit this Tree:",
        "own: expected shape (2, 2), got (2, 3)",
        "late: expected real numbers, got an array of complex128",
        "missing: second.weight",
        "not known: third.weight",
    ):
        assert part in message
    assert all(np.array_equal(value, before[name]) for name, value in tree.state_dict().items())
    assert all(p.version == 0 for p in tree.parameters())


def test_load_state_dict_raises_type_error_for_types_alone():
    tree = Tree()
    with pytest.raises(TypeError, match="late: expected real numbers"):
        tree.load_state_dict(tree.state_dict() | {"late": ["one"]})
    with pytest.raises(TypeError, match=r"^state_dict: expected a mapping .* got list"):
        tree.load_state_dict([("own", 1)])


def test_load_state_dict_without_strict_reports_what_it_left_out():
    tree = Tree()
    result = tree.load_state_dict({"late": [5], "third": [1]}, strict=False)
    assert result.missing_keys == ["own", "first.weight", "second.weight"]
    assert result.unexpected_keys == ["third"]
    assert tree.late.numpy() == 5
    with pytest.raises(ValueError, match="late: expected shape"):
        tree.load_state_dict({"late": [5, 6]}, strict=False)


def test_a_shared_parameter_loads_from_any_of_its_names_but_not_from_two_values():
    tied = Tied()
    tied.load_state_dict({"b.weight": [3, 4]})
    assert tied.a.weight.numpy().tolist() == [3, 4]
    assert tied.a.weight.version == 1
    tied.load_state_dict({"a.weight": [np.nan, 1], "b.weight": [np.nan, 1]})
    with pytest.raises(ValueError, match=r"a\.weight and b\.weight are one parameter here"):
        tied.load_state_dict({"a.weight": [1, 2], "b.weight": [1, 3]})


def test_train_and_eval_reach_the_whole_tree():
    tree = Tree()
    assert tree.training and tree.first.training
    assert tree.eval() is tree
    assert not tree.training and not tree.first.training
    assert tree.train() is tree and tree.second.training
    tree.first.eval()
    assert tree.training
    with pytest.raises(TypeError, match=r"^mode: expected True or False, got 1"):
        tree.train(1)


def test_zero_grad_clears_every_gradient():
    tree = Tree()
    for p in tree.parameters():
        p.grad = np.ones(p.shape)
    tree.zero_grad()
    assert all(p.grad is None for p in tree.parameters())


def test_repr_looks_like_torchs():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Tanh()), torch.nn.Tanh())
    ours = Module()
    ours.__dict__["0"], ours.__dict__["1"] = Module(), Module()
    ours.__dict__["0"].__dict__["0"] = Module()
    expected = repr(theirs).replace("Sequential", "Module").replace("Tanh", "Module")
    assert repr(ours) == expected
    assert repr(Leaf(4)) == "Leaf(4)"

    class Both(Leaf):
        def __init__(self):
            super().__init__(3)
            self.part = Leaf(4)

    assert repr(Both()) == "Both(\n  3\n  (part): Leaf(4)\n)"


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_a_tree_are_independent_and_keep_what_is_shared(clone):
    tied = Tied().eval()
    tied.a.rng = tied.b.rng = np.random.default_rng(1)
    twin = clone(tied)
    assert twin.a.weight is twin.b.weight and twin.a.weight is not tied.a.weight
    assert twin.a.rng is twin.b.rng and twin.a.rng is not tied.a.rng
    assert not twin.training
    twin.a.weight[...] = 9
    assert tied.a.weight.numpy().tolist() == [0, 1]


@pytest.mark.parametrize("bits", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_random_state_survives_json_bit_for_bit(bits):
    def make(seed):
        tree = Tree()
        make_rng = lambda s: np.random.Generator(getattr(np.random, bits)(s))  # noqa: E731
        tree.rng = make_rng(seed)
        tree.first.rng = tree.second.rng = make_rng(seed + 1)
        return tree

    def draw(tree):
        rngs = (tree.rng, tree.first.rng, tree.second.rng, tree.rng)
        return [rng.random(3, dtype=np.float32).tolist() for rng in rngs]

    tree = make(1)
    draw(tree)  # an odd number of 32-bit draws leaves half a word in the generator
    saved = json.loads(json.dumps(tree.random_state()))
    assert list(saved) == ["rng", "first.rng"]
    expected = draw(tree)
    other = make(50)
    other.load_random_state(saved)
    assert draw(other) == expected
    tree.load_random_state(saved)
    assert draw(tree) == expected


def test_a_random_state_that_does_not_fit_changes_nothing():
    tree = Tree()
    tree.rng, tree.first.rng = np.random.default_rng(0), np.random.default_rng(1)
    before = tree.random_state()
    wrong_kind = np.random.Generator(np.random.MT19937(0)).bit_generator.state
    words = r"^random_state: expected the states of \['first.rng', 'rng'\]"
    with pytest.raises(ValueError, match=words):
        tree.load_random_state({"rng": before["rng"]})
    for bad in (wrong_kind, None, {}, before["rng"] | {"state": {"state": "x", "inc": 1}}):
        with pytest.raises(ValueError, match=r"^first\.rng: expected a state of PCG64: "):
            tree.load_random_state({"rng": tree.random_state()["rng"], "first.rng": bad})
    with pytest.raises(TypeError, match="mapping of names to states, got list"):
        tree.load_random_state([1])
    assert tree.random_state() == before


def test_a_module_without_a_forward_says_so():
    for call in (Leaf(), Leaf().vjp):
        with pytest.raises(NotImplementedError, match="Leaf does not define"):
            call(1)


def test_what_was_prepared_is_not_copied_and_follows_every_change():
    lstm = nn.LSTM(3, 5, seed=0)
    x = np.ones((2, 1, 3), "f4")
    first, _ = lstm(x)
    twin = pickle.loads(pickle.dumps(lstm))
    deep = copy.deepcopy(lstm)
    for other in (twin, deep):
        assert "_weights" not in vars(other)
        assert np.array_equal(other(x)[0], first)
        other.weight_hh_l0[...] = 0
        other.bias_ih_l0 = nn.Parameter(np.zeros(20, "f4"))
        assert not np.array_equal(other(x)[0], first)
        assert np.array_equal(lstm(x)[0], first)
    lstm.weight_ih_l0, deep.weight_ih_l0 = deep.weight_ih_l0, lstm.weight_ih_l0
    lstm.weight_hh_l0 = deep.weight_hh_l0
    assert not np.array_equal(lstm(x)[0], first)
    with lstm.bias_hh_l0.mutate() as bias:
        bias += 1
    assert np.array_equal(lstm(x)[0], lstm.vjp(x)[0][0])


@pytest.mark.parametrize(
    "module, name",
    [
        (nn.LSTM(2, 3), "weight_ih_l0"),
        (nn.GRUCell(2, 3), "bias_hh"),
        (nn.Linear(2, 3), "weight"),
        (nn.Embedding(2, 3), "weight"),
        (nn.LayerNorm(2), "bias"),
        (Leaf(), "weight"),
    ],
)
def test_an_array_in_a_parameters_place_is_refused_where_it_is_assigned(module, name):
    before = getattr(module, name)
    for value in (before.numpy().copy(), before.numpy().tolist(), 3.0, nn.ReLU()):
        with pytest.raises(TypeError) as caught:
            setattr(module, name, value)
        message = str(caught.value)
        assert message.startswith(f"{name}: expected a Parameter of shape {before.shape} or None")
        assert message.endswith(f"write module.{name}[...] = value")
    assert getattr(module, name) is before
    setattr(module, name, Parameter(before))
    setattr(module, name, None)
    assert getattr(module, name) is None


def test_parameters_are_named_while_the_first_calls_keep_something_in_the_module():
    module = nn.LSTM(3, 4, seed=0)
    module.vjp(np.ones((2, 1, 3), np.float32))
    names = []
    for name, p in module.named_parameters():
        p[...] += 0.1
        module(np.ones((2, 1, 3), np.float32))
        names.append(name)
    assert names == [*module.state_dict()]
