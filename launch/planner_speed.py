"""How much searching fits in a control tick: iterations by horizon and number of candidates.

What is measured is computing time, that of the deciding thread: the robot process has priority
where the system grants it, so that what other programs do beside it says little.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from launch.compose import PolicyMaker, plan_spec
from launch.run_folder import Plan
from launch.speeds import Figure, Figures, experience, timed
from learner.behaviour.noise import ModeNoise
from robot.config import ConfigError

HORIZONS = (6, 12, 15)
CANDIDATES = (32, 64, 128, 256, 512, 1000)
WARM_UP = 2


def planner_speed(plan: Plan, seconds: float) -> Figures:
    """Decisions of a planner: the preset's own, and how many iterations of others fit in a tick.

    An iteration's time is a decision's with one iteration; decisions without any are the base that
    each has beside its iterations. What fits is judged by the slowest percentile.

    Raises:
        ConfigError: for a system that does not plan.
    """
    if "candidates" not in type(plan.settings).model_fields:
        raise ConfigError(f"bench planner: {plan.system} does not plan; allowed is planet")
    each_s = seconds / (len(HORIZONS) * len(CANDIDATES) + 2)
    tick_ms = 1e3 / plan.robot.control.control_hz
    own, base = (_decisions_ms(plan, each_s, **change) for change in ({}, {"iterations": 0}))
    figures = {"tick": Figure(tick_ms, "ms"), **_marks("preset", own), **_marks("base", base)}
    for horizon in HORIZONS:
        for candidates in CANDIDATES:
            name = f"{horizon}x{candidates}"
            effort = {"horizon": horizon, "candidates": candidates, "iterations": 1}
            taken = _decisions_ms(plan, each_s, **effort)
            iteration_ms = max(1e-3, np.percentile(taken, 99) - np.median(base))
            room_ms = max(0.0, tick_ms - np.percentile(base, 99))
            figures |= _marks(name, taken)
            figures[f"{name}_fit"] = Figure(float(room_ms // iteration_ms), "iterations")
    return figures


def _decisions_ms(plan: Plan, seconds: float, **changes: int) -> np.ndarray:
    """Computing time of each decision (N,), made as the robot process makes them."""
    plan = replace(plan, settings=plan.settings.model_copy(update=changes))
    make = PolicyMaker(plan, ModeNoise(plan.seed))
    policy = make(make.untrained())
    steps = experience(plan_spec(plan), 10, plan.seed)
    carry, count = policy.initial(), 0

    def act() -> None:
        nonlocal carry, count
        carry, _ = policy.act(carry, steps[count % len(steps)].arrays)
        count += 1

    return timed(act, seconds, warm_up=WARM_UP, clock_ns=time.thread_time_ns) * 1e3


def _marks(name: str, taken_ms: np.ndarray) -> Figures:
    return {
        f"{name}_median": Figure(float(np.median(taken_ms)), "ms"),
        f"{name}_p99": Figure(float(np.percentile(taken_ms, 99)), "ms"),
    }
