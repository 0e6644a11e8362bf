"""How one direction runs over a sequence: the threads, what they share, and the input's source.

Plans are made from sizes once, and kept with the weights. No plan changes a bit of any result.
"""

from __future__ import annotations

from typing import NamedTuple

from .. import threads
from ..kernels.loops.cell import NORMALISED
from ..kernels.loops.forward import FUSED, TOKENS
from ..kernels.loops.schedule import Schedule, choose, input_source
from ..simd import PANEL
from .steps import Steps
from .weights import Weights

__all__ = ["Plan", "backward_schedule", "forward_plan"]


class Plan(NamedTuple):
    """How the time loop runs forward.

    Attributes
    ----------
    schedule : Schedule
        Threads, and how they share rows and panels.
    source : int
        FUSED, PROJECTED or TOKENS: where the input's part of z comes from.
    h_column : int
        The column of u in which h begins: after x_t, where both stand in one row.
    """

    schedule: Schedule
    source: int
    h_column: int


def forward_plan(w: Weights, steps: Steps, by_token: bool) -> Plan:
    """Give the plan for these steps, `by_token` where the input is tokens."""
    key = (steps.count, steps.rows, by_token, threads.threads_now())
    plan = w.plans.get(key)
    if plan is None:
        plan = _make_plan(w, steps, by_token)
        w.keep_plan(key, plan)
    return plan


def _make_plan(w: Weights, steps: Steps, by_token: bool) -> Plan:
    count, batch = steps.count, steps.mean
    in_loop = 0 if by_token else w.inputs  # columns of x that each step multiplies
    flops = w.step_flops(steps.rows, in_loop)
    weight_bytes = (w.size + in_loop) * w.panels * PANEL * w.lanes * w.w_hh.dtype.itemsize
    schedule = choose(count, batch, w.panels, weight_bytes, flops)
    rows = -(-batch * schedule.columns // schedule.nt)
    source = TOKENS if by_token else input_source(count, rows, flops)
    if w.cell.form == NORMALISED:
        source = FUSED  # x beside h, although each product is normalised on its own
    return Plan(schedule, source, w.inputs if source == FUSED else 0)


def backward_schedule(w: Weights, steps: Steps, weight_bytes: int) -> Schedule:
    """Give the schedule of the time loop backward, which reads so many bytes of weights a step."""
    key = "backward", steps.count, steps.rows, threads.threads_now()
    schedule = w.plans.get(key)
    if schedule is None:
        flops = w.step_flops(steps.rows, 0)
        schedule = choose(steps.count, steps.mean, w.panels, weight_bytes, flops)
        w.keep_plan(key, schedule)
    return schedule
