"""How one direction runs over a sequence: the threads, what they share, and the input's source.

A rule makes a plan from sizes. Where plans are measured (`plans`) it is the first of several that
are tried. What was chosen is kept with the weights. No plan changes a bit of any result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import threads, tuning
from ..kernels.loops.cell import NORMALISED
from ..kernels.loops.forward import FUSED, TOKENS
from ..kernels.loops.schedule import Schedule, choose, input_source
from ..plans import candidates, registry, switch
from ..plans.plan import Plan, Sizes, near, near_mean
from ..plans.way import Way
from .steps import Steps
from .weights import Weights

__all__ = ["Plan", "backward_way", "forward_way"]


def forward_way(w: Weights, steps: Steps, by_token: bool, kind: str) -> Way:
    """Give the way for these steps: of "infer" or "forward"; `by_token` where x is tokens."""
    key = (kind, steps.count, steps.rows, by_token, threads.threads_now(), switch.on)
    way = w.plans.get(key)
    if way is None:
        way = _first_way(w, key, steps, forward_rule(w, steps, by_token), candidates.FORWARD)
    return way


def forward_rule(w: Weights, steps: Steps, by_token: bool) -> Plan:
    """Give the plan that runs where nothing is measured."""
    count, batch = steps.count, steps.mean
    in_loop = 0 if by_token else w.inputs  # columns of x that each step multiplies
    flops = w.step_flops(steps.rows, in_loop)
    weight_bytes = (w.size + in_loop) * w.row_items * w.w_hh.dtype.itemsize
    schedule = choose(count, batch, w.panels, weight_bytes, flops)
    rows = -(-batch * schedule.columns // schedule.nt)
    source = TOKENS if by_token else input_source(count, rows, flops)
    if w.cell.form == NORMALISED:
        source = FUSED  # x beside h, although each product is normalised on its own
    return Plan(schedule, source, w.inputs if source == FUSED else 0)


def backward_way(w: Weights, steps: Steps, weight_bytes: int) -> Way:
    """Give the way of the time loop backward, which reads so many bytes of weights a step."""
    key = ("backward", steps.count, steps.rows, threads.threads_now(), switch.on)
    way = w.plans.get(key)
    if way is None:
        rule = Plan(backward_rule(w, steps, weight_bytes))
        way = _first_way(w, key, steps, rule, candidates.BACKWARD)
    return way


def backward_rule(w: Weights, steps: Steps, weight_bytes: int) -> Schedule:
    """Give the schedule that runs backward where nothing is measured."""
    flops = w.step_flops(steps.rows, 0)
    return choose(steps.count, steps.mean, w.panels, weight_bytes, flops)


def _first_way(
    w: Weights, key: tuple[Any, ...], steps: Steps, rule: Plan, axes: Sequence[candidates.Axis]
) -> Way:
    """Keep the way of a shape for later calls, and give the one for this call.

    The first call of these weights is not timed: they are packed, and memory is seen first.
    """
    kind, in_loop = key[0], 0 if key[0] == "backward" or rule.source == TOKENS else w.inputs
    tuner = sizes = None
    if switch.on and w.step_flops(steps.rows, in_loop) >= tuning.MIN_PARALLEL_WORK:
        sizes = _sizes(w, steps, kind, rule)
        tuner = registry.tuner_for(sizes, rule, axes)
    count = steps.rows / max(1, near_mean(steps.mean, steps.is_ragged))
    if tuner is None or tuner.is_small(count):
        # What the rule says of exactly these steps, unless another plan was settled.
        way = Way(rule if tuner is None or tuner.small else tuner.plan)
        w.keep_plan(key, way)
        return way
    timed = Way(rule, tuner, count)
    w.keep_plan(key, timed)
    if sizes in w.plans:
        return timed
    w.keep_plan(sizes, tuner)
    return Way(tuner.plan)


def _sizes(w: Weights, steps: Steps, kind: str, rule: Plan) -> Sizes:
    tokens = kind != "backward" and rule.source == TOKENS
    ragged, most = steps.is_ragged, threads.threads_now()
    return Sizes(
        kind, w.cell.name, w.w_hh.dtype.name, w.inputs, w.hidden, w.size,
        near_mean(steps.mean, ragged), near(steps.count), w.panels, most,
        not tokens and w.cell.form != NORMALISED, ragged, tokens,
    )  # fmt: skip
