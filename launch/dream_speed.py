"""What dreaming is worth: how much faster it is than living, and how soon it goes astray.

A model learns from random play on the twin, and foretells play that it has not learnt from.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import takewhile

import numpy as np

from launch.compose import make_trainer, plan_spec
from launch.lockstep import LockstepPilot
from launch.run_folder import Plan
from launch.speeds import Figure, Figures, imagined_per_second, timed, twin_speed
from launch.worlds import open_world
from learner.model.open_loop import Errors, open_loop_errors
from learner.train.insight import Glance, look
from learner.train.replay import Replay
from learner.train.sampling import UniformChunks
from robot.policy.random import RandomPolicy
from robot.policy.rollout import Start, rollout
from robot.wire.transition import Transition

GLANCE = Glance(context=5, horizon=15, chunks=64)
AHEAD = (1, 2, 3, 5, 8, 12, 15)  # steps of foresight that are told
LEARNT_SHARE = 0.8  # of the steps; the rest is foretold
LEAST = 250  # steps of random play, enough for chunks to foretell


def dream_speed(plan: Plan, seconds: float) -> Figures:
    """Imagined steps against the twin's, and errors of what is foretold by steps of foresight.

    Half of the time goes into updates, a quarter into play, a quarter into the two speeds. Errors
    are squared, over those of foretelling each quantity's mean: 1 is as bad as that. They are means
    over all keys that vary, the reward among them; persistence believes that nothing changes.

    Args:
        plan: of the run.
        seconds: in all, about.
    """
    trainer, lived = make_trainer(plan), list(play(plan, seconds / 4))
    fresh = round(len(lived) * LEARNT_SHARE)
    for step in lived[:fresh]:
        trainer.replay.add(step)
    updates = len(timed(trainer.update, seconds / 2, warm_up=1))
    unseen = Replay(plan_spec(plan), len(lived), UniformChunks(), plan.seed, trainer.agent.keys)
    for step in lived[fresh:]:
        unseen.add(step)
    found = look(trainer.agent, unseen, GLANCE, (plan.seed, updates))
    assert found is not None, "there are more steps than a chunk has"
    imagined = imagined_per_second(trainer.agent.model, seconds / 8)
    lives = twin_speed(plan, plan.twin, seconds / 8)
    return {
        "imagined_steps": Figure(imagined, "1/s"),
        f"twin_steps_{plan.twin}": Figure(lives, "1/s"),
        "imagined_per_twin_step": Figure(imagined / lives, "times"),
        "imagined_real_time": Figure(imagined / plan.control_hz, "times"),
        "learnt_steps": Figure(float(fresh), "steps"),
        "updates": Figure(float(updates), "updates"),
        **curve(list(open_loop_errors(found).values())),
    }


def play(plan: Plan, seconds: float) -> Iterator[Transition]:
    """Steps of random play on the twin, for so many seconds and `LEAST` steps."""
    world = open_world(plan, 0)
    end_s = time.monotonic() + seconds
    pilot = LockstepPilot(RandomPolicy(world.spec, plan.seed), world.now_ns)
    steps = rollout(world, pilot, Start("bench", "run", 0, 0), lambda: False)
    try:
        yield from takewhile(lambda s: s.index < LEAST or time.monotonic() < end_s, steps)
    finally:
        world.close()


def curve(errors: list[Errors]) -> Figures:
    """Mean errors of several keys at the steps of `AHEAD`."""
    told: Figures = {}
    for name in ("foretold", "persistence"):
        by_key = np.stack([getattr(error, name) for error in errors])  # (K, H)
        means = by_key[~np.isnan(by_key).any(1)].mean(0)
        told |= {
            f"{name}_{ahead}": Figure(float(means[ahead - 1]), "of variance") for ahead in AHEAD
        }
    return told
