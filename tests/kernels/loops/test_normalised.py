"""Layer normalisation in a cell, forward: moments of what is there and of no padding."""

from __future__ import annotations

import norm_tool
import numpy as np
import pytest
from family_tool import draw
from gradcheck import assert_close
from kept_tool import kept_by, lanes_of, of_direction, slots_of, states_of

from numba_lstm import nn
from numba_lstm.jit import driver
from numba_lstm.kernels.loops.normalised import _moments, group_of
from numba_lstm.reference.layer_norm import layer_norm_forward
from numba_lstm.simd import at

# A normalisation scales what comes in up, roundings too.
BOUND = {"f4": 1e-4, "f8": 1e-12}


@driver
def _run(crew, nt, z, slot, count, hidden, scratch, out):
    for _ in range(nt):
        for r in range(out.shape[0]):
            here = at(z, (0, r, 0))
            stride = z.shape[1] * z.shape[2]
            _moments(here, stride, slot, count, hidden, at(scratch, (0,)), at(out, (r, 0)))


def panels(rows, slot, hidden, v):
    """Rows (B, count, H) as vectors of a panel from `slot` on: zeros past H, NaN in other slots."""
    batch, count, _ = rows.shape
    vectors = -(-hidden // v)
    z = np.full((vectors, batch, 4, v), np.nan, rows.dtype)
    padded = np.zeros((batch, count, vectors * v), rows.dtype)
    padded[..., :hidden] = rows
    z[:, :, slot : slot + count] = padded.reshape(batch, count, vectors, v).transpose(2, 0, 1, 3)
    return z.reshape(vectors, batch, 4 * v)


@pytest.mark.parametrize("about", [0.0, 1e4], ids=["", "large mean"])
@pytest.mark.parametrize("slot, count", [(0, 4), (0, 1), (1, 2), (3, 1)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_moments_are_of_all_units_and_of_no_padding(rng, dtype, slot, count, about):
    v = lanes_of(dtype)
    for hidden in (1, 2, v - 1, v, v + 1, 3 * v + 2):
        rows = (about + rng.standard_normal((3, count, hidden))).astype(dtype)
        scratch, out = np.full(v, np.nan, dtype), np.full((3, 3), np.nan, dtype)
        _run(1, panels(rows, slot, hidden, v), slot, count, hidden, scratch, out)
        wide = rows.reshape(3, -1).astype("f8")
        saved = layer_norm_forward(wide, np.ones(count * hidden))[1]
        eps = np.finfo(dtype).eps
        assert np.abs(out[:, 0] - wide.mean(1)).max() <= 8 * eps * (1 + about), hidden
        # The mean is rounded; sums of squares with the mean's square taken off would have lost all.
        bound = 32 * eps + (8 * eps * about) ** 2 * (saved.scale**2).max()
        assert np.abs(out[:, 1] / saved.scale[:, 0] - 1).max() <= bound, hidden
        assert np.isnan(out[:, 2]).all()


def test_equal_numbers_have_the_scale_of_epsilon():
    v = lanes_of("f8")
    rows, out = np.full((1, 4, v + 1), 0.5), np.empty((1, 2))
    _run(1, panels(rows, 0, v + 1, v), 0, 4, v + 1, np.empty(v), out)
    assert_close(out, np.array([[0.5, 1e-5**-0.5]]), 1e-14)


def test_the_group_of_each_slot():
    assert group_of(((0, 4),), 4) == (0, 0, 0, 0)
    assert group_of(((1, 2), (3, 1)), 4) == (-1, 0, 0, 1)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_what_a_step_leaves_is_the_references(rng, kind, dtype):
    v = lanes_of(dtype)
    for steps, batch, hidden in ((1, 1, 2), (3, 2, v - 1), (2, 13, v), (4, 3, 2 * v + 1)):
        module = getattr(nn, kind)(
            3, max(2, hidden), layer_norm=True, bidirectional=True, dtype=dtype, seed=0
        )
        hidden = module.hidden_size
        for p in module.parameters():
            p[...] = p.numpy() + 0.3 * rng.standard_normal(p.shape)
        case = draw(rng, module, steps, batch)
        _, saved = kept_by(module, case)
        for number, kept in enumerate(saved):
            given = [s[number].astype("f8") for s in case.states]
            p = of_direction(module, number)
            expected = norm_tool.run(kind, p, case.x.astype("f8"), given, number == 1)
            rows, workspace = kept.steps.rows, kept.workspace
            for name, array in (("a", workspace.zx), ("u", workspace.zh)):
                found = slots_of(array, rows)
                value = np.concatenate([getattr(step, name) for step in expected])
                for slot, part in norm_tool.in_slots(kind, value, name == "u"):
                    assert_close(found[slot, :, :hidden], part, BOUND[dtype], f"{name} {slot}")
                    assert not found[slot, :, hidden:].any()
            moments = np.concatenate([
                np.hstack([norm.scale for norm in step.norms]) for step in expected
            ])  # fmt: skip
            scales = workspace.moments[:, 1 : 2 * moments.shape[1] : 2]
            assert np.abs(scales / moments - 1).max() <= BOUND[dtype]
            after = kept.steps.after(number == 1)
            h = states_of(
                kept, workspace.c.shape[1] if kind == "LSTM" else workspace.zx.shape[0] * v
            )[after]
            value = np.concatenate([step.h for step in expected])
            assert_close(h[:, :hidden], value, BOUND[dtype], "h")
            assert not h[:, hidden:].any()
            if kind == "LSTM":
                value = np.concatenate([step.c for step in expected])
                for found in (workspace.c, kept.gate_state[after]):
                    assert_close(found[:, :hidden], value, BOUND[dtype], "c")
                    assert not found[:, hidden:].any()
                o = slots_of(kept.z, rows)[3]
                value = np.concatenate([step.gates[3] for step in expected])
                assert_close(o[:, :hidden], value, BOUND[dtype], "o")
