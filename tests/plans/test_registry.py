"""The tuners of a process: one for all calls of a size; and real calls that are tuned."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from lstm_tool import run_python
from plans_tool import SIZES, measured

from numba_lstm import nn, threads
from numba_lstm.kernels.loops.schedule import Schedule
from numba_lstm.plans import registry, slot, store
from numba_lstm.plans.candidates import BACKWARD, FORWARD
from numba_lstm.plans.plan import Plan
from numba_lstm.plans.tuner import FIRM, Known

RULE = Plan(Schedule(4, 1), 0, 64)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(slot, "current", slot.Slot())
    with measured(tmp_path):
        yield tmp_path


def test_calls_of_one_size_share_a_tuner():
    found = registry.tuner_for(SIZES, RULE, FORWARD)
    assert registry.tuner_for(SIZES._replace(), RULE, FORWARD) is found
    assert registry.tuner_for(SIZES._replace(batch=17), RULE, FORWARD) is not found


def test_where_there_is_but_one_plan_there_is_no_tuner():
    sizes = SIZES._replace(threads=1)
    assert registry.tuner_for(sizes, Plan(Schedule(1, 1)), BACKWARD) is None


def test_what_the_disk_knows_of_a_size_is_where_its_tuner_begins(monkeypatch):
    known = Known("panels:4 team fused", "rows:4 fused", 1e-4, 2e-4, FIRM)
    store.keep(SIZES.key(), known)
    found = registry.tuner_for(SIZES, RULE, FORWARD)
    assert found.steady and found.plan.schedule == Schedule(4, 4, True)
    (told,) = registry.report()
    assert told == {
        "sizes": SIZES.key(),
        "state": "steady",
        "plan": known.plan,
        "settled": known.plan,
        "rule": known.rule,
        "step_seconds": 1e-4,
        "rule_step_seconds": 2e-4,
        "checks": FIRM,
    }


def test_of_many_sizes_only_the_last_tuners_are_kept(monkeypatch):
    monkeypatch.setattr(registry, "_MOST", 5)
    for batch in range(1, 20):
        registry.tuner_for(SIZES._replace(batch=batch), RULE, FORWARD)
    assert 0 < len(registry.report()) <= 5


def test_real_calls_settle_a_plan_and_results_are_the_rule_s_to_the_bit(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", 2)
    module = nn.LSTM(40, 100, seed=0)
    x = np.random.default_rng(0).standard_normal((30, 4, 40)).astype(np.float32)
    results = []
    for _ in range(60):
        y, pullback = module.vjp(x)
        module.zero_grad()
        dx, _ = pullback(np.ones_like(y[0]))
        results.append([module(x)[0], y[0], dx, *(p.grad.copy() for p in module.parameters())])
    for found in results:
        assert all(np.array_equal(a, b) for a, b in zip(found, results[0], strict=True))
    told = registry.report()
    assert {one["sizes"].split()[0] for one in told} == {"infer", "forward", "backward"}
    # Two threads here were more than one plan, and a busy machine may have settled none yet.
    assert all(one["state"] in ("steady", "busy", "searching") for one in told)


def test_many_threads_that_run_one_model_get_the_same_bits(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", 2)
    module = nn.GRU(40, 100, seed=0)
    x = np.random.default_rng(0).standard_normal((20, 4, 40)).astype(np.float32)
    expected = module(x)[0]
    wrong = []

    def work():
        for _ in range(60):
            try:
                if not np.array_equal(module(x)[0], expected):
                    wrong.append("other bits")
            except Exception as error:
                wrong.append(error)

    running = [threading.Thread(target=work) for _ in range(4)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    assert wrong == []


def test_an_exception_in_a_call_stops_no_search(monkeypatch):
    module = nn.LSTM(40, 100, seed=0)
    x = np.zeros((30, 4, 40), np.float32)
    module(x)
    with monkeypatch.context() as patch:
        patch.setattr(type(module.weights()[0].cell), "forward", None, raising=False)
        patch.setattr("numba_lstm.recurrent.direction._infer", None)
        with pytest.raises(TypeError):
            module(x)
    for _ in range(100):
        module(x)
    (told,) = registry.report()
    assert told["state"] != "searching"


def test_what_a_tuner_settles_is_written_at_the_end_of_the_process(tmp_path):
    program = f"""
from numba_lstm.plans import registry, store, switch
from plans_tool import SIZES
from test_registry import RULE, FORWARD
switch.on = True
store.folder = lambda: {str(tmp_path)!r}
store._saved_at = 1e18
tuner = registry.tuner_for(SIZES, RULE, FORWARD)
tuner._crowded = lambda threads: False
while not tuner.steady:
    plan, trial = tuner.begin()
    tuner.end(trial, 1e-3 if plan == RULE else 2e-3, 1.0)
assert not store.entries()
"""
    run_python(program, Path(__file__).parent)
    (written,) = tmp_path.glob("plans-*.json")
    assert store.entries() == {SIZES.key(): Known("rows:4 fused", "rows:4 fused", 1e-3, 1e-3, 1)}
    assert written.stat().st_size < 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_a_process_in_a_trial_finds_no_lock_held():
    program = """
import os, threading
from numba_lstm.plans import slot
from plans_tool import Machine
held = threading.Event()
def hold():
    with slot.current.lock:
        held.set()
        threading.Event().wait(60)
threading.Thread(target=hold, daemon=True).start()
held.wait()
import numba_lstm.plans.registry
child = os.fork()
if not child:
    machine = Machine({"rule:2": 1e-3, "other:2": 0.8e-3})
    machine.call(30)
    os._exit(machine.plan != "other:2")
print(os.waitpid(child, 0)[1], flush=True)
os._exit(0)
"""
    assert run_python(program).split() == ["0"]
