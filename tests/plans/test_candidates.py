"""The candidates: all that can run, the rule's first; and none changes a bit of any result."""

from __future__ import annotations

import itertools
import json

from lstm_tool import run_python
from plans_tool import SIZES

from numba_lstm.kernels.loops.forward import FUSED, PROJECTED, TOKENS
from numba_lstm.kernels.loops.schedule import Schedule
from numba_lstm.plans.candidates import BACKWARD, FORWARD, MOST, Sources, candidates, name_of
from numba_lstm.plans.plan import Plan

RULE = Plan(Schedule(4, 1), FUSED, 64)


def names(sizes, rule=RULE, axes=FORWARD):
    return [one.name for one in candidates(sizes, rule, axes)]


def test_all_that_can_run_is_listed_and_the_rule_s_plan_comes_first():
    rule = Plan(Schedule(4, 4, True), PROJECTED, 0)
    found = names(SIZES, rule)
    schedules = [
        "rows:4", "grid:2x2 team", "panels:4 team", "rows:2", "panels:2 team", "rows:1"
    ]  # fmt: skip
    assert found[0] == "panels:4 team projected"
    assert set(found) == {f"{s} {source}" for s in schedules for source in ("fused", "projected")}
    assert len(found) == 12
    assert set(names(SIZES, Plan(Schedule(4, 1)), BACKWARD)) == set(schedules)


def test_what_differs_in_one_thing_alone_comes_before_what_differs_in_more():
    found = names(SIZES)
    assert found[0] == "rows:4 fused"
    ones = [name for name in found if ("rows:4" in name) != ("fused" in name)]
    assert found[1 : 1 + len(ones)] == ones


def test_inputs_are_multiplied_where_they_can_be():
    assert all("fused" in name for name in names(SIZES._replace(free_source=False)))
    tokens = SIZES._replace(free_source=False, tokens=True)
    assert all("tokens" in name for name in names(tokens, Plan(Schedule(4, 1), TOKENS, 0)))
    assert all("fused" in name for name in names(SIZES._replace(steps=1)))
    for option in Sources().options(SIZES):
        assert option["h_column"] == (SIZES.inputs if option["source"] == FUSED else 0)


def test_numbers_of_threads_are_all_of_them_and_powers_of_two():
    sizes = SIZES._replace(threads=12, batch=100, panels=100)
    rows = [one.plan.schedule for one in candidates(sizes, Plan(Schedule(12, 1)), BACKWARD)]
    assert {schedule.nt for schedule in rows} == {12, 8, 4, 2, 1}
    assert {s.columns for s in rows if s.nt == 12} == {1, 2, 3, 4, 6, 12}


def test_each_has_rows_and_panels_enough_a_name_of_its_own_and_is_within_the_threads():
    for nt, batch, panels, steps in itertools.product(
        (1, 2, 3, 4, 6, 16, 64), (1, 2, 7, 100), (1, 3, 64), (1, 5)
    ):
        sizes = SIZES._replace(threads=nt, batch=batch, panels=panels, steps=steps)
        rule = Plan(Schedule(1, 1), FUSED, 64)
        some = candidates(sizes, rule, FORWARD)
        assert len({one.name for one in some}) == len({one.plan for one in some}) == len(some)
        assert len(some) <= MOST and some[0].plan == rule
        for name, plan in some:
            schedule = plan.schedule
            assert name_of(plan, FORWARD) == name
            assert schedule.nt <= nt and schedule.nt % schedule.columns == 0
            assert schedule.columns <= panels
            assert schedule.nt == 1 or schedule.nt // schedule.columns <= batch
            assert schedule.team == (schedule.columns > 1 and steps > 1)


def test_on_one_thread_without_a_choice_of_source_there_is_but_one():
    assert len(candidates(SIZES._replace(threads=1), Plan(Schedule(1, 1)), BACKWARD)) == 1


def test_an_axis_that_is_added_multiplies_the_candidates_and_is_in_their_names():
    class Doubled:
        def options(self, sizes):
            return [{"h_column": 0}, {"h_column": 7}]

        def label(self, plan):
            return f"column={plan.h_column}" if plan.h_column else ""

    rule = Plan(Schedule(4, 1), PROJECTED, 0)
    found = names(SIZES, rule, (*BACKWARD, Doubled()))
    assert len(found) == 2 * len(names(SIZES, rule, BACKWARD))
    assert found[:1] == ["rows:4"] and "rows:4 column=7" in found


# T, B, I, H: a single step, a single row, sizes that fill no block and no panel.
SHAPES = [(1, 5, 3, 17), (5, 1, 3, 70), (4, 7, 3, 257)]
KINDS = [
    "lstm", "gru", "rnn-tanh", "lstm-projected", "gru-before", "lstm-normalised", "gru-normalised"
]  # fmt: skip


# Prints for each kind the names of the candidates that ran.
PROGRAM = f"""
import json, numpy as np
from itertools import product
from family_tool import MODULES, draw, ours
from long_tool import LONG
from lstm_tool import assert_same_bits
from numba_lstm import nn
from plans_tool import forced

embedding, found_all = nn.Embedding(9, 3, seed=0), {{}}
for kind, (steps, batch, inputs, hidden) in product({KINDS}, {SHAPES}):
    rng, ran = np.random.default_rng(0), found_all.setdefault(kind, {{}})
    module = MODULES[kind](inputs, hidden, 2, bidirectional=True, seed=1)
    tokens = rng.integers(0, 9, (steps, batch))
    # One step and one row are tried with whole sequences only.
    for lengths in (False, True) if LONG or min(steps, batch) > 1 else (False,):
        case = draw(rng, module, steps, batch, lengths)
        expected, number = None, 0
        while number == 0 or number < max(map(len, ran.values())):
            with forced(number, 4, ran):
                for w in module.weights():
                    w.plans.clear()
                found = ours(module, case)
                module.zero_grad(), embedding.zero_grad()
                inferred = module.infer_tokens(embedding, tokens, lengths=case.lengths)[0]
                (y, _), pullback = module.vjp_tokens(embedding, tokens, lengths=case.lengths)
                assert np.array_equal(y, inferred)
                pullback(case.dy)
                found |= {{"by token": y, "embedding": embedding.weight.grad}}
                found |= {{f"t {{n}}": p.grad.copy() for n, p in module.named_parameters()}}
                found = {{name: np.ascontiguousarray(value) for name, value in found.items()}}
            expected = expected or found
            assert_same_bits(found, expected, (kind, steps, batch, lengths, number))
            number += 1
print(json.dumps({{k: {{p: sorted(n) for p, n in ran.items()}} for k, ran in found_all.items()}}))
"""


def test_every_candidate_gives_the_same_bits():
    """Forward, in inference and backward, with and without lengths, from rows and from tokens."""
    about = {"NUMBA_NUM_THREADS": "4", "OMP_WAIT_POLICY": "PASSIVE"}
    told = json.loads(run_python(PROGRAM, **about))
    assert list(told) == KINDS
    schedules = {"rows:4", "grid:2x2 team", "panels:4 team", "rows:2", "panels:2 team", "rows:1"}
    for kind, ran in told.items():
        assert schedules <= set(ran["backward"]), kind
        sources = ("fused",) if "normalised" in kind else ("fused", "projected", "tokens")
        expected = {f"{schedule} {source}" for schedule in schedules for source in sources}
        assert expected <= set(ran["infer"]) and expected <= set(ran["forward"]), kind
