"""Evolution on episodes through the trainer: what is sent comes back judged."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from learner.agent import Agent, AgentPolicy
from learner.behaviour.noise import SeededNoise
from learner.systems.world_models import PRESETS, build
from learner.train.checkpoint import Checkpoints
from learner.train.replay import Replay
from learner.train.trainer import Trainer
from robot.wire.spec import RobotSpec, box
from robot.wire.transition import Transition

SPEC = RobotSpec({"pos": box(-1.0, 1.0, (2,))}, box(-1.0, 1.0, (1,)), control_hz=20.0)
LENGTH = 5
SETTINGS = PRESETS["cpu"].model_copy(
    update={
        **{"batch": 2, "length": 4, "prefill": 20, "pretrain": 1, "steps_per_update": 6.0},
        **{"stoch": 3, "deter": 6, "units": 8, "population": 5, "rollouts": 1, "explore": 0.0},
        **{"fitness": "real", "evolve_after": 1, "reads": "z", "show_every": 1},
    }
)


class Learning:
    """A trainer and a robot with its own copy of the policy, which is paid for its action."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.agent = build(SPEC, SETTINGS)
        replay = Replay(SPEC, 1000, self.agent.sampler, seed, self.agent.keys)
        self.trainer = Trainer(self.agent, replay, SETTINGS, SPEC.fingerprint())
        self.robot: Agent = build(SPEC, SETTINGS)
        self.steps: list[Transition] = []

    def live(self, episodes: int) -> None:
        """Episodes of five actions; weights are exchanged in the middle of each."""
        for _ in range(episodes):
            policy = AgentPolicy(self.robot, SeededNoise(1), self.trainer.published)
            carry, reward, number = policy.initial(), 0.0, len(self.steps)
            for t in range(LENGTH + 1):
                flags = {"is_first": t == 0, "is_last": t == LENGTH, "is_terminal": False}
                arrays: dict[str, Any] = {k: np.array(v) for k, v in flags.items()}
                arrays["pos"] = np.array([t / LENGTH, 0.5], np.float32)
                arrays["reward"] = np.array(reward, np.float32)
                carry, action = policy.act(carry, arrays)
                arrays["action"], reward = action, float(action[0])
                episode = number // (LENGTH + 1)
                place = (len(self.steps), episode, t, policy.version)
                self.add(Transition("r", "a", *place, True, arrays))
                if t == 2 and self.trainer.updates:
                    weights = self.trainer.weights(0)
                    self.robot.load_policy_weights(weights.arrays)
                    policy.version = weights.version

    def add(self, step: Transition) -> None:
        self.steps.append(step)
        self.trainer.add(step)
        while self.trainer.due:
            self.trainer.update()

    @property
    def evolve(self) -> Any:
        return self.agent.updates[-1]


def test_a_controller_evolves_on_a_robot_by_its_versions_alone():
    run = Learning(0)
    run.live(150)
    assert run.evolve.strategy.generation > 15
    paid = [float(step.arrays["reward"]) for step in run.steps]
    assert np.mean(paid[-300:]) > np.mean(paid[:300]) + 0.3


def test_it_goes_on_after_a_restart(tmp_path: Path):
    one, other = Learning(0), Learning(1)
    one.live(60)
    one.trainer.save(Checkpoints(tmp_path), {})
    before, robot = list(one.steps), one.robot.policy_weights()
    one.live(40)
    other.trainer.resume(Checkpoints(tmp_path))
    for step in before:
        other.trainer.add(step)
    other.steps = before
    other.robot.load_policy_weights(robot)
    other.live(40)
    a, b = one.agent.tensors(), other.agent.tensors()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert one.evolve.strategy.generation > 5
