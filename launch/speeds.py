"""How fast learner, policy, twins and wire are here, on data of the robot's own spec."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from launch.compose import PolicyMaker, make_trainer, plan_spec
from launch.run_folder import Plan
from launch.trial import open_twin
from learner.behaviour.noise import ModeNoise
from learner.model.world_model import WorldModel
from learner.systems import build_agent
from robot.clock import SteppedClock
from robot.config import ConfigError
from robot.policy.observe import ActionMap
from robot.wire.codec import decode, encode
from robot.wire.link import Sample
from robot.wire.log import LogWriter
from robot.wire.messages import Command
from robot.wire.spec import RobotSpec
from robot.wire.transition import Transition
from robot.wire.weights import Weights
from sim.lockstep import LockstepLink
from sim.scene import ENGINES

WARM_UP = 5
DREAMS, DREAM_STEPS = 128, 15


@dataclass(frozen=True)
class Figure:
    """One measured number and its unit."""

    value: float
    unit: str


Figures = dict[str, Figure]


def learner_speed(plan: Plan, seconds: float) -> Figures:
    """Updates of a system's preset and steps imagined open loop, on synthetic experience."""
    trainer = make_trainer(plan)
    for step in experience(plan_spec(plan), 1000, plan.seed):
        trainer.replay.add(step)
    update_ms = timed(lambda: trainer.update(), seconds) * 1e3
    imagined = imagined_per_second(trainer.agent.model, seconds / 4)
    twin = twin_speed(plan, plan.twin, min(seconds, 3.0))
    return {
        "updates": Figure(1e3 / float(update_ms.mean()), "1/s"),
        "update_median": Figure(float(np.median(update_ms)), "ms"),
        "update_p99": Figure(float(np.percentile(update_ms, 99)), "ms"),
        "replayed_steps": Figure(
            plan.settings.batch * plan.settings.length * 1e3 / float(update_ms.mean()), "1/s"
        ),
        "imagined_steps": Figure(imagined, "1/s"),
        f"twin_steps_{plan.twin}": Figure(float(twin), "1/s"),
    }


def imagined_per_second(model: WorldModel, seconds: float) -> float:
    """Steps per second that a model imagines open loop, with their rewards, in one batch."""
    start = model.dynamics.initial(DREAMS)
    actions = torch.rand(DREAMS, DREAM_STEPS, model.dynamics.action)
    noise = torch.rand(DREAM_STEPS, DREAMS, model.dynamics.latents.stoch)

    def dream() -> None:
        with torch.no_grad():
            model.reward(model.unroll(start, actions, noise).feat)

    return DREAMS * DREAM_STEPS / float(np.median(timed(dream, seconds)))


def policy_speed(plan: Plan, seconds: float) -> Figures:
    """One policy step, as the robot process makes it."""
    spec = plan_spec(plan)
    agent = build_agent(plan.system, spec, plan.settings.acting())
    weights = Weights(agent.policy_weights(), 1, spec.fingerprint())
    policy = PolicyMaker(plan, ModeNoise(plan.seed))(weights)
    steps = experience(spec, 100, plan.seed)
    carry, count = policy.initial(), 0

    def act() -> None:
        nonlocal carry, count
        carry, _ = policy.act(carry, steps[count % len(steps)].arrays)
        count += 1

    taken_us = timed(act, seconds) * 1e6
    data = weights.to_bytes()
    read_ms = timed(lambda: Weights.from_bytes(data), seconds / 10) * 1e3
    return {
        "policy_median": Figure(float(np.median(taken_us)), "us"),
        "policy_p99": Figure(float(np.percentile(taken_us, 99)), "us"),
        "weights": Figure(len(data) / 1e6, "MB"),
        "weights_verify_median": Figure(float(np.median(read_ms)), "ms"),
    }


def twins_speed(plan: Plan, seconds: float) -> Figures:
    """Control steps of every engine that is installed, in lock-step, with random actions."""
    figures: Figures = {}
    control_hz = plan.robot.control.control_hz
    for engine in ENGINES:
        try:
            speed = twin_speed(plan, engine, seconds)
        except ConfigError:
            continue  # the engine is not installed here
        figures[f"{engine}_steps"] = Figure(speed, "1/s")
        figures[f"{engine}_real_time"] = Figure(speed / control_hz, "times")
    return figures


def twin_speed(plan: Plan, engine: str, seconds: float) -> float:
    """Control steps per second through the body core, filter, servo and limits included."""
    clock = SteppedClock()
    plan = Plan(plan.robot, plan.settings, plan.system, plan.preset, engine, "lockstep", plan.seed)
    link = LockstepLink(plan.robot, open_twin(plan, clock), clock)
    actions, rng = ActionMap(plan.robot), np.random.default_rng(plan.seed)
    width, sequence = len(plan.robot.joints), 0

    def step() -> None:
        nonlocal sequence
        position = actions.position(rng.uniform(-1, 1, width))
        link.send(Command(sequence, clock.now_ns(), clock.now_ns(), position))
        link.next_tick()
        sequence += 1

    try:
        link.open()
        return 1 / float(timed(step, seconds).mean())
    finally:
        link.close()


def wire_speed(plan: Plan, seconds: float) -> Figures:
    """Packing, reading and logging of one transition and one sensor sample."""
    step = experience(plan_spec(plan), 1, plan.seed)[0]
    sample = _sample(plan)
    figures: Figures = {}
    part_s = seconds / 5
    for name, message, kind in (("transition", step, Transition), ("sample", sample, Sample)):
        data = encode(message)
        figures[f"{name}"] = Figure(float(len(data)), "bytes")
        figures |= _marks(f"{name}_encode", timed(lambda m=message: encode(m), part_s))
        figures |= _marks(f"{name}_decode", timed(lambda d=data, k=kind: decode(d, k), part_s))
    with tempfile.TemporaryDirectory() as folder:
        log = LogWriter(Path(folder), "bench", {})
        figures |= _marks(
            "log_append", timed(lambda: log.append_transition(step, 0, 0), part_s, most=20_000)
        )
        log.close()
    return figures


def timed(
    call: Callable[[], object],
    seconds: float,
    most: int = 1_000_000,
    warm_up: int = WARM_UP,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> np.ndarray:
    """Seconds that each call took by a clock, (N,): calls for that long, after `warm_up` calls."""
    for _ in range(warm_up):
        call()
    taken: list[int] = []
    end_ns = time.perf_counter_ns() + round(seconds * 1e9)
    while not taken or (time.perf_counter_ns() < end_ns and len(taken) < most):
        began_ns = clock_ns()
        call()
        taken.append(clock_ns() - began_ns)
    return np.array(taken) / 1e9


def experience(spec: RobotSpec, count: int, seed: int) -> list[Transition]:
    """Synthetic transitions: every array is drawn from its space, so that all specs hold."""
    spaces = {key: value.space for key, value in spec.observation.items()}
    spaces |= {"action": spec.action.space}
    for offset, space in enumerate(spaces.values()):
        space.seed(seed + offset)
    rng = np.random.default_rng(seed)
    steps = []
    for index in range(count):
        arrays = {key: np.asarray(space.sample()) for key, space in spaces.items()}
        arrays["applied"] = arrays["action"]
        arrays["reward"] = np.array(rng.uniform(5, 14), np.float32)
        flags = {"is_first": index % 250 == 0, "is_last": index % 250 == 249, "is_terminal": False}
        arrays |= {name: np.array(value) for name, value in flags.items()}
        times = {"tick": index, "sensors": index}
        ledger = {"sensor": 5_000_000, "observe": 100_000, "inference": 300_000, "command": 50_000}
        episode, step = divmod(index, 250)
        steps.append(
            Transition("bench", "run", index, episode, step, 1, True, arrays, times, ledger)
        )
    return steps


def _sample(plan: Plan) -> Sample:
    """One sensor sample of the twin at rest."""
    clock = SteppedClock()
    link = LockstepLink(plan.robot, open_twin(plan, clock), clock)
    try:
        link.open()
        return link.next_tick()[-1]
    finally:
        link.close()


def _marks(name: str, taken_s: np.ndarray) -> Figures:
    return {
        f"{name}_median": Figure(float(np.median(taken_s)) * 1e6, "us"),
        f"{name}_p99": Figure(float(np.percentile(taken_s, 99)) * 1e6, "us"),
    }
