"""Layer normalisation in a cell, going back: da, du, and sums of a row of the batch."""

from __future__ import annotations

import norm_tool
import numpy as np
import pytest
from family_tool import draw
from kept_tool import back, kept_by, lanes_of, of_direction, slots_of

from numba_lstm import nn, tuning
from numba_lstm.kernels.loops.normalised_backward import numbers_of_unit
from numba_lstm.recurrent import direction_backward

BOUND = {"f4": 1e-4, "f8": 1e-11}


def assert_near(found, expected, dtype, name):
    """As `assert_close`, but that what is left of numbers that cancel has their roundings.

    Of two units the normal values are ±1, whatever came in, and hardly a gradient is left.
    """
    difference = np.abs(found - expected).max()
    assert difference <= BOUND[dtype] * max(0.1, np.abs(expected).max()), (name, difference)


def computed(rng, monkeypatch, kind, dtype, steps, batch, hidden):
    """A call there and back: module, case, what was saved, the sums of each direction, dh0."""
    module = getattr(nn, kind)(
        3, hidden, layer_norm=True, bidirectional=True, dtype=dtype, seed=0
    )  # fmt: skip
    for p in module.parameters():
        p[...] = p.numpy() + 0.3 * rng.standard_normal(p.shape)
    case = draw(rng, module, steps, batch)
    call, saved = kept_by(module, case)
    sums = []
    with monkeypatch.context() as patch:
        patch.setattr(
            direction_backward, "norm_gradients", lambda w, some: sums.append(some.copy())
        )
        _, dinitial = back(call, case)
    return module, case, saved, sums, dinitial


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_da_and_du_are_the_equations(rng, monkeypatch, kind, dtype):
    v = lanes_of(dtype)
    for steps, batch, hidden in ((1, 1, 2), (3, 2, v + 1), (2, 13, 2 * v - 1), (4, 3, v)):
        module, case, saved, all_sums, dinitial = computed(
            rng, monkeypatch, kind, dtype, steps, batch, hidden
        )
        for number, (kept, sums) in enumerate(zip(saved, all_sums)):
            p, reverse = of_direction(module, number), number == 1
            given, cotangents = (
                [s[number].astype("f8") for s in some] for some in (case.states, case.dstates)
            )
            forward = norm_tool.run(kind, p, case.x.astype("f8"), given, reverse)
            dh, dc = cotangents[0], cotangents[-1]
            rows = kept.steps.rows
            found = slots_of(kept.z, rows), slots_of(kept.workspace.zh, rows)
            for t in range(steps)[:: 1 if reverse else -1]:
                dh = dh + case.dy[t, :, number * hidden : (number + 1) * hidden]
                da, du, dh, dc = norm_tool.backward(kind, p, forward[t], dh, dc)
                here = slice(t * batch, (t + 1) * batch)
                for of_h, (array, value) in enumerate(zip(found, (da, du))):
                    for slot, part in norm_tool.in_slots(kind, value, bool(of_h)):
                        name = f"{'du' if of_h else 'da'} of step {t}, slot {slot}"
                        assert_near(array[slot, here, :hidden], part, dtype, name)
            for of_h, array in enumerate(found):
                for slot in norm_tool.SLOTS[kind][of_h]:
                    assert not array[slot, :, hidden:].any()
            dh0 = (dinitial if kind == "GRU" else dinitial[0])[number]
            assert_near(dh0, dh, dtype, "dh0")
            assert sums.shape == (numbers_of_unit(4) * kept.z.shape[0] * v,)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_each_row_of_the_batch_has_sums_of_its_own(rng, monkeypatch, kind):
    """Those of a batch are those of its rows alone, added up in float64, to the bit."""
    hidden = lanes_of("f4") + 1
    module, case, _, sums, _ = computed(rng, monkeypatch, kind, "f4", 5, 3, hidden)
    found = []
    monkeypatch.setattr(
        direction_backward, "norm_gradients", lambda w, some: found.append(some.copy())
    )
    for r in range(3):
        one = slice(r, r + 1)
        alone = case._replace(
            x=case.x[:, one], dy=case.dy[:, one], states=[s[:, one] for s in case.states],
            dstates=[s[:, one] for s in case.dstates],
        )  # fmt: skip
        alone = alone._replace(x=alone.x.copy(), dy=alone.dy.copy())
        call, _ = kept_by(module, alone)
        back(call, alone)
    for number in range(2):
        alone = np.sum([found[2 * r + number] for r in range(3)], axis=0)
        assert alone.any() and np.array_equal(alone, sums[number])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_sums_of_pieces_of_time_add_up_to_those_of_all(rng, monkeypatch, kind):
    module = getattr(nn, kind)(3, 9, layer_norm=True, dtype="f8", seed=0)
    case = draw(rng, module, 7, 2)
    grads = []
    for size in (tuning.PIECE_BYTES, 1):
        monkeypatch.setattr(tuning, "PIECE_BYTES", size)
        monkeypatch.setattr(tuning, "GEMM_TRANSPOSED_K", 2)
        module.zero_grad()
        call, _ = kept_by(module, case)
        back(call, case)
        grads.append({name: p.grad.copy() for name, p in module.named_parameters()})
    for name, whole in grads[0].items():
        assert np.allclose(grads[1][name], whole, rtol=0, atol=1e-12 * np.abs(whole).max()), name


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gradients_through_a_normalisation_have_no_mean(rng, monkeypatch, kind):
    """Over the units of each group: what would move all of a and u alike is lost."""
    for hidden in (3, lanes_of("f8") + 1):
        _, _, saved, *_ = computed(rng, monkeypatch, kind, "f8", 3, 2, hidden)
        for kept in saved:
            for of_h, array in enumerate((kept.z, kept.workspace.zh)):
                parts = slots_of(array, kept.steps.rows)
                for group in norm_tool.GROUPS[kind][of_h]:
                    slots = [norm_tool.SLOTS[kind][of_h][gate] for gate in group]
                    total = parts[slots].sum(axis=(0, 2))
                    assert np.abs(total).max() <= 1e-11 * np.abs(parts[slots]).max()
