from __future__ import annotations

import functools

import numpy as np
import pytest
from ranks_tool import errors, in_threads

from numba_lstm import losses, nn, optim
from numba_lstm.distributed import (
    Alone,
    DistributedError,
    DistributedOptimizer,
    NonFiniteGradientError,
)

BATCH = 6


def batches(steps, seed=3):
    rng = np.random.default_rng(seed)
    return [
        (rng.standard_normal((BATCH, 3)), rng.standard_normal((BATCH, 2))) for _ in range(steps)
    ]


def backward(group, module, x, target):
    mine = group.share(len(x))
    output, pullback = module.vjp(x[mine])
    _, doutput = losses.mse(output, target[mine])
    pullback(doutput * len(output) / len(x))


def train(group, optimizer, module, steps=4, clip=None):
    for x, target in batches(steps):
        optimizer.zero_grad()
        backward(group, module, x, target)
        if clip:
            optimizer.reduce()
            optim.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()
    return [p.numpy().copy() for p in module.parameters()]


def plain(clip=None):
    """What one process does with the whole batch, without anything of ranks."""
    module = nn.Linear(3, 2, dtype="float64", seed=0)
    optimizer = optim.Adam(module.parameters(), lr=0.1)
    for x, target in batches(4):
        optimizer.zero_grad()
        backward(Alone(), module, x, target)
        if clip:
            optim.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()
    return [p.numpy().copy() for p in module.parameters()]


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_ranks_take_the_steps_that_one_process_takes_with_the_whole_batch(size, clip):
    def run(group):
        module = nn.Linear(3, 2, dtype="float64", seed=group.rank)  # rank 0's are broadcast
        optimizer = DistributedOptimizer(optim.Adam(module.parameters(), lr=0.1), group)
        return train(group, optimizer, module, clip=clip)

    outcomes = in_threads(size, run)
    for values in outcomes:
        for ours, first, expected in zip(values, outcomes[0], plain(clip), strict=True):
            assert np.array_equal(ours, first)
            np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_one_process_alone_takes_the_same_bits_as_without():
    module = nn.Linear(3, 2, dtype="float64", seed=0)
    optimizer = DistributedOptimizer(optim.Adam(module.parameters(), lr=0.1), Alone())
    for ours, expected in zip(train(Alone(), optimizer, module), plain(), strict=True):
        assert np.array_equal(ours, expected)


def test_average_divides_the_sum_by_the_ranks():
    def run(group):
        p = nn.Parameter(np.zeros(2))
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), group, average=True)
        p.add_grad([1.0, group.rank])
        optimizer.step()
        return p.numpy().tolist()

    assert in_threads(4, run) == [[-1.0, -1.5]] * 4


def test_rank_0s_options_and_state_are_broadcast_at_the_start():
    def run(group):
        module = nn.Linear(3, 2, seed=0)
        inner = optim.Adam(module.parameters(), lr=0.1 if group.rank == 0 else 0.7)
        if group.rank == 0:
            backward(Alone(), module, *batches(1)[0])
            inner.step()
        optimizer = DistributedOptimizer(inner, group)
        state = optimizer.state_dict()["state"]
        return optimizer.lr, state[1]["step"], state[0]["exp_avg"].tolist()

    first, second = in_threads(2, run)
    assert first == second and first[:2] == (0.1, 1)


def test_it_is_an_optimizer_whose_parts_are_the_wrapped_ones():
    module = nn.Linear(3, 2, seed=0)
    inner = optim.SGD(module.parameters(), lr=0.5, momentum=0.9)
    optimizer = DistributedOptimizer(inner, Alone())
    assert isinstance(optimizer, optim.Optimizer)
    assert optimizer.param_groups is inner.param_groups and optimizer.defaults is inner.defaults
    optim.CosineLR(optimizer, warmup=0.5).step(0.25)
    assert inner.lr == optimizer.lr == 0.25
    optimizer.lr = 0.125
    assert inner.lr == 0.125
    train(Alone(), optimizer, module)
    saved = optimizer.state_dict()
    assert saved["state"][0]["step"] == inner.state_dict()["state"][0]["step"] == 4
    inner.state.clear()
    optimizer.load_state_dict(saved)
    assert optimizer.state is inner.state and optimizer.state[module.weight]["step"] == 4
    optimizer.zero_grad()
    assert module.weight.grad is None
    assert repr(optimizer).startswith("DistributedOptimizer(SGD(\n  (0): 2 parameters, lr=0.125")
    with pytest.raises(AttributeError):
        _ = optimizer.nothing


@pytest.mark.parametrize("wrong", [None, "adam", optim.Adam])
def test_what_is_no_optimizer_is_refused(wrong):
    with pytest.raises(TypeError, match=r"^optimizer: expected an Optimizer such as Adam"):
        DistributedOptimizer(wrong, Alone())


def test_to_wrap_twice_is_refused():
    once = DistributedOptimizer(optim.SGD([nn.Parameter([1.0])], lr=1.0), Alone())
    with pytest.raises(TypeError, match="got DistributedOptimizer"):
        DistributedOptimizer(once, Alone())


def test_a_parameter_that_only_some_ranks_used_is_stepped_alike_and_one_that_none_did_is_not():
    def run(group):
        used, some, none = (nn.Parameter(np.zeros(2)) for _ in range(3))
        inner = optim.SGD([used, some, none], lr=1.0, weight_decay=0.5)
        optimizer = DistributedOptimizer(inner, group)
        none[...] = 8.0  # weight decay would change it, if it had a gradient of zeros
        used.add_grad([1.0, 2.0])
        if group.rank == 1:
            some.add_grad([1.0, 1.0])
        optimizer.step()
        assert none.grad is None
        return [p.numpy().tolist() for p in (used, some, none)]

    assert in_threads(3, run) == [[[-3.0, -6.0], [-1.0, -1.0], [8.0, 8.0]]] * 3


def test_tied_weights_get_both_their_gradients():
    def run(group):
        first = nn.Linear(3, 3, bias=False, dtype="float64", seed=0)
        second = nn.Linear(3, 3, bias=False, dtype="float64", seed=1)
        second.weight = first.weight
        module = nn.Sequential(first, second)
        optimizer = DistributedOptimizer(optim.SGD(module.parameters(), lr=0.1), group)
        x, _ = batches(1)[0]
        backward(group, module, x, x)
        optimizer.reduce()
        return first.weight.grad.copy()

    (whole,) = in_threads(1, run)
    for ours in in_threads(3, run):
        np.testing.assert_allclose(ours, whole, rtol=1e-12)


def test_float32_and_float64_parameters_are_trained_together():
    def run(group):
        one, two = nn.Parameter(np.zeros(3, "f4")), nn.Parameter(np.zeros(2, "f8"))
        optimizer = DistributedOptimizer(optim.SGD([two, one], lr=1.0), group)
        one.add_grad(np.full(3, 0.5))
        two.add_grad(np.full(2, 0.1))
        optimizer.step()
        assert one.dtype == np.float32 and two.dtype == np.float64
        return one.numpy().tolist(), two.numpy().tolist()

    assert in_threads(2, run) == [([-1.0] * 3, [-0.2] * 2)] * 2


def test_frozen_parameters_take_no_room_and_may_be_unfrozen_later_on_all_ranks():
    def run(group):
        module = nn.Linear(3, 2, dtype="float64", seed=0)
        module.weight.requires_grad = False
        optimizer = DistributedOptimizer(optim.SGD(module.parameters(), lr=0.1), group)
        x, target = batches(1)[0]
        backward(group, module, x, target)
        optimizer.step()
        assert optimizer._flat.arrays[0].size < 16 and module.weight.grad is None
        module.weight.requires_grad = True
        optimizer.zero_grad()
        backward(group, module, x, target)
        optimizer.step()
        return [p.numpy().copy() for p in module.parameters()]

    whole, ours = in_threads(1, run)[0], in_threads(3, run)
    for values in ours:
        for p, expected in zip(values, whole, strict=True):
            np.testing.assert_allclose(p, expected, rtol=1e-12)


def test_what_only_one_rank_unfroze_is_refused_on_all():
    def run(group):
        module = nn.Linear(3, 2, seed=0)
        module.weight.requires_grad = False
        optimizer = DistributedOptimizer(optim.SGD(module.parameters(), lr=0.1), group)
        module.weight.requires_grad = group.rank == 1
        backward(group, module, *batches(1)[0])
        optimizer.step()

    words = (
        "DistributedError: parameters: rank 1 froze, unfroze or exchanged some, and the other "
        "ranks did not; do so on all ranks alike"
    )
    assert errors(in_threads(3, run)) == [words] * 3


def test_a_group_that_is_added_is_broadcast_and_trained():
    def run(group):
        first, second = nn.Parameter(np.zeros(2)), nn.Parameter(np.full(2, group.rank + 5.0))
        optimizer = DistributedOptimizer(optim.SGD([first], lr=1.0), group)
        optimizer.add_param_group({"params": second, "lr": 2.0})
        for p in (first, second):
            p.add_grad([1.0, 2.0])
        optimizer.step()
        return first.numpy().tolist(), second.numpy().tolist()

    assert in_threads(2, run) == [([-2.0, -4.0], [1.0, -3.0])] * 2


def test_a_group_that_is_wrong_on_one_rank_is_refused_on_all():
    def run(group):
        optimizer = DistributedOptimizer(optim.SGD([nn.Parameter([1.0])], lr=1.0), group)
        optimizer.add_param_group({"params": nn.Parameter([1.0]), "lr": -group.rank})

    first, second = errors(in_threads(2, run))
    assert first.startswith("OtherRankError: adding a group of parameters failed on rank 1: Value")
    assert second.startswith("ValueError: lr: expected a finite number")


def test_parameters_that_were_exchanged_are_taken_up_with_rank_0s_values():
    def run(group):
        old, new = nn.Parameter([0.0]), nn.Parameter([group.rank + 1.0, 0.0])
        inner = optim.SGD([old], lr=1.0)
        optimizer = DistributedOptimizer(inner, group)
        inner.param_groups[0]["params"] = [new]
        new.add_grad([1.0, 1.0])
        optimizer.step()
        return new.numpy().tolist()

    assert in_threads(2, run) == [[-1.0, -2.0]] * 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_names_rank_and_parameter_and_changes_nothing(value):
    def run(group):
        module = nn.Linear(3, 2, seed=0)
        before = module.state_dict()
        optimizer = DistributedOptimizer(optim.Adam(module.parameters()), group)
        backward(group, module, *batches(1)[0])
        if group.rank == 1:
            module.bias.grad[1] = value
        try:
            optimizer.step()
        finally:
            assert all(np.array_equal(before[k], v) for k, v in module.state_dict().items())
            assert module.bias.grad is None

    words = (
        "NonFiniteGradientError: gradients: expected finite numbers, got others on "
        "rank 1: parameter 1 (bias)"
    )
    outcomes = in_threads(3, run)
    assert errors(outcomes) == [words] * 3
    assert issubclass(NonFiniteGradientError, ArithmeticError)


def test_a_finite_gradient_whose_norm_overflows_is_no_error():
    p = nn.Parameter(np.zeros(2))
    optimizer = DistributedOptimizer(optim.SGD([p], lr=1e-300), Alone())
    p.add_grad([1e300, 1e200])
    optimizer.step()
    assert p.numpy().tolist() == [-1.0, -1e-100]


def test_another_learning_rate_on_a_rank_is_refused_on_all():
    def run(group):
        p = nn.Parameter([0.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=0.1), group)
        optimizer.lr = 0.1 + 0.1 * group.rank
        p.add_grad([1.0])
        optimizer.step()

    first, second = errors(in_threads(2, run))
    assert first == second and first.startswith("DistributedError: options: expected the same")
    assert "'lr': 0.1, " in first and "'lr': 0.2, " in first


def stepped(optimizer, *scales):
    """Step once for each grad_scale, with gradients of ones."""
    for scale in scales:
        optimizer.zero_grad()
        for p in optimizer.param_groups[0]["params"]:
            p.add_grad(np.ones(p.shape))
        optimizer.step(scale)


def test_another_average_or_grad_scale_on_a_rank_is_refused_at_the_next_sum_by_name():
    def run(group, name):
        p = nn.Parameter([0.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=0.1), group)
        if name == "average":
            optimizer.average = group.rank == 1
        else:
            stepped(optimizer, 1.0 - 0.5 * group.rank)
        before = p.numpy().tolist()
        try:
            stepped(optimizer, 1.0)
        finally:
            assert p.numpy().tolist() == before and p.grad is None

    scale = "grad_scale of the last step (check_every=0 is for CPUs of different kinds)"
    for name, values in (("average", ("False", "True")), (scale, ("1.0", "0.5"))):
        words = (
            f"DistributedError: {name}: expected the same on all ranks, got {values[0]} on rank 0 "
            f"and {values[1]} on rank 1"
        )
        assert errors(in_threads(2, functools.partial(run, name=name))) == [words] * 2


def test_parameters_that_become_others_on_a_rank_are_refused_by_name_and_changed_no_more():
    def run(group, steps, every):
        """Change a parameter on ranks 1 and 2 after so many steps, and step until it is seen."""
        module = nn.Linear(3, 2, seed=0)
        optimizer = DistributedOptimizer(
            optim.SGD(module.parameters(), lr=0.1), group, check_every=every
        )
        stepped(optimizer, *[1.0] * steps)
        if group.rank:
            module.bias[1] += 0.5
        for more in range(8):
            before = module.bias.numpy().copy()
            try:
                stepped(optimizer, 1.0)
            except DistributedError as error:
                assert np.array_equal(before, module.bias.numpy()) and module.bias.grad is None
                optimizer.broadcast()
                stepped(optimizer, *[1.0] * 8)  # they are alike again
                return more, str(error)
        return None

    words = (
        "parameters: expected the same bits on all ranks, got others than on rank 0 on ranks 1-2: "
        "parameter 1 (bias); after one rank changed its own, call broadcast() on all; where ranks "
        "have CPUs of different kinds make the optimizer with check_every=0 and call broadcast() "
        "from time to time"
    )
    for steps, every, more in ((0, 100, 0), (1, 4, 3), (4, 4, 0), (5, 1, 0)):
        outcomes = in_threads(3, functools.partial(run, steps=steps, every=every))
        assert outcomes == [(more, words)] * 3, (steps, every)
    assert in_threads(3, functools.partial(run, steps=1, every=0)) == [None] * 3


def test_broadcast_mends_what_a_rank_stepped_otherwise_and_the_next_sum_compares():
    def run(group):
        p = nn.Parameter([0.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=0.1), group)
        stepped(optimizer, 1.0, 1.0, 1.0 - 0.5 * group.rank)
        optimizer.broadcast()
        stepped(optimizer, 1.0, 1.0)
        optimizer.broadcast()
        p[0] += 1.0 * group.rank
        with pytest.raises(DistributedError, match=r"others than on rank 0 on rank 1: parameter 0"):
            stepped(optimizer, 1.0)
        return True

    assert in_threads(2, run) == [True] * 2


def test_of_check_every_0_ranks_may_clip_by_norms_that_were_rounded_otherwise():
    def run(group):
        p = nn.Parameter([0.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), group, check_every=0)
        stepped(optimizer, 0.5 + 1e-9 * group.rank, 0.5)
        return p.numpy()

    for value in in_threads(2, run):
        np.testing.assert_allclose(value, [-2.0], rtol=1e-8)


def test_step_does_not_sum_what_reduce_has_summed():
    def run(group):
        p = nn.Parameter([0.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), group)
        p.add_grad([1.0])
        optimizer.reduce()
        assert p.grad.tolist() == [2.0]
        with pytest.raises(RuntimeError, match=r"summed already: call step\(\) or zero_grad\(\)"):
            optimizer.reduce()
        p.grad *= 0.25
        optimizer.step(grad_scale=0.5)
        return p.numpy().tolist()

    assert in_threads(2, run) == [[-0.25]] * 2


def test_a_sum_that_was_thrown_away_does_not_stand_for_the_next():
    def run(group):
        module = nn.Linear(1, 1, bias=False, seed=0)
        p = module.weight
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), group)
        p[...] = 0
        for step in (optimizer.reduce, optimizer.step):
            module.zero_grad()  # not the optimizer's
            _, pullback = module.vjp(np.ones((1, 1)))
            pullback(np.ones((1, 1)))
            step()
        return p.numpy().tolist()

    assert in_threads(2, run) == [[[-2.0]]] * 2


def test_gradients_add_up_over_several_pullbacks_before_the_sum():
    def run(group):
        p = nn.Parameter([0.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), group)
        for _ in range(3):
            p.add_grad([1.0])
        optimizer.step()
        optimizer.zero_grad()
        p.add_grad([10.0])
        optimizer.step()
        return p.numpy().tolist()

    assert in_threads(2, run) == [[-26.0]] * 2


def test_after_one_rank_loaded_a_checkpoint_broadcast_gives_it_to_all():
    def run(group):
        p = nn.Parameter([0.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0, momentum=0.5), group)
        if group.rank == 0:
            p[...] = 7.0
            optimizer.load_state_dict(
                {
                    "state": {0: {"step": 3, "momentum_buffer": np.array([2.0], "f4")}},
                    "param_groups": [{**optimizer.state_dict()["param_groups"][0], "lr": 0.25}],
                }
            )
        optimizer.broadcast()
        return p.numpy().tolist(), optimizer.lr, optimizer.state[p]["momentum_buffer"].tolist()

    assert in_threads(2, run) == [([7.0], 0.25, [2.0])] * 2
