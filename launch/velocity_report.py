"""How wrong the velocity estimate is: the walk task's filter against the twins' truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from launch.run_folder import write_json
from launch.trot import Trot
from robot.clock import SteppedClock
from robot.config import RobotConfig, load_config
from robot.policy.observe import ActionMap
from robot.tasks.velocity import VelocityEstimator
from robot.wire.messages import Command
from sim.lockstep import LockstepLink
from sim.scene import ENGINES, make_twin

Targets = Callable[[float], np.ndarray]
WHAT = (
    "Errors of the averaged velocity that the reward sees, against the displacement of the "
    "trunk over the same window, all three axes, and of the height, once per control step. "
    "On its back a robot is told that it does not move, on purpose: look at estimated_rms_m_s."
)


@dataclass(frozen=True)
class Scene:
    """A way to move the robot.

    Args:
        start: start pose of the twin.
        targets: joint targets (J,) in rad by time in s.
        length_s: of one try.
        tries: how often it begins anew, with other noise.
    """

    start: str
    targets: Targets
    length_s: float
    tries: int = 1


def scenes(config: RobotConfig, seed: int) -> dict[str, Scene]:
    """Standing, trotting, falling from a stand, and kicking on the back."""
    stand = np.array([config.poses["stand"][name] for name in config.joints])
    actions, rng, trot = ActionMap(config), np.random.default_rng(seed), Trot()

    def kick(time_s: float) -> np.ndarray:
        return actions.position(rng.uniform(-1, 1, len(stand)))

    return {
        "standing": Scene("standing", lambda time_s: stand, 10.0),
        "trotting": Scene("standing", lambda time_s: trot.joint_pos(config, time_s), 20.0),
        "falling": Scene("standing", kick, 3.0, tries=6),
        "on_back": Scene("on_back", kick, 30.0),
    }


@dataclass
class Track:
    """What was true and what was estimated, per control step."""

    position: list[np.ndarray]
    estimate: list[np.ndarray]
    height: list[float]

    def errors(self, control_hz: float, window_s: float) -> np.ndarray:
        """Rows of (true mean velocity, estimated, true height, estimated height), each step."""
        steps = round(window_s * control_hz)
        position, estimate = np.array(self.position), np.array(self.estimate)
        moved = (position[steps:] - position[:-steps]) * (control_hz / steps)
        told = np.array(self.height)[steps:, None]
        return np.concatenate((moved, estimate[steps:], position[steps:, 2:], told), axis=1)


def measure(config: RobotConfig, engine: str, scene: Scene, seed: int) -> dict[str, float]:
    """Play a scene in lock-step and compare; RMS figures in m/s and m."""
    clock = SteppedClock()
    link = LockstepLink(config, make_twin(engine, config, clock, seed), clock)
    rows = []
    for attempt in range(scene.tries):
        link.restart(scene.start, seed + attempt)
        track = _play(config, link, scene)
        rows.append(track.errors(config.control.control_hz, config.walk.velocity_window_s))
    link.close()
    table = np.concatenate(rows)
    true, told = table[:, :3], table[:, 3:6]
    return {
        "error_rms_m_s": _rms(told - true),
        "true_rms_m_s": _rms(true),
        "estimated_rms_m_s": _rms(told),
        "height_error_rms_m": _rms(table[:, 7:] - table[:, 6:7]),
        "steps": len(table),
    }


def _play(config: RobotConfig, link: LockstepLink, scene: Scene) -> Track:
    estimator, track = VelocityEstimator(config), Track([], [], [])
    for step in range(round(scene.length_s * config.control.control_hz)):
        position = scene.targets(step / config.control.control_hz)
        link.send(Command(step, link.now_ns(), link.now_ns(), position))
        for sample in link.next_tick():
            estimator.sense(sample.reading)
        velocity, height, _ = estimator.average()
        track.position.append(link.twin.truth().position)
        track.estimate.append(velocity)
        track.height.append(height)
    return track


def _rms(vectors: np.ndarray) -> float:
    return round(float(np.sqrt(np.square(vectors).sum(axis=1).mean())), 4)


def run_velocity_report(
    config: Path = Path("hardware_configs/a1.yaml"),
    out: Path = Path("docs/results/velocity.json"),
    changes: Sequence[str] = (),
    seed: int = 0,
) -> int:
    """Measure the velocity estimate of the walk task on every twin, and write the figures.

    Args:
        config: the robot's YAML file.
        out: JSON file for the figures.
        changes: `key=value` changes of the configuration.
        seed: of noise and of random actions.

    Returns:
        The exit code.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    robot = load_config(config, changes)
    print(f"means over {robot.walk.velocity_window_s:g} s")
    twins: dict[str, dict[str, dict[str, float]]] = {}
    for engine in ENGINES:
        twins[engine] = {}
        for name, scene in scenes(robot, seed).items():
            twins[engine][name] = figures = measure(robot, engine, scene, seed)
            print(f"{engine:9} {name:9} " + "  ".join(f"{k} {v:g}" for k, v in figures.items()))
    said = f"reverie velocity {config} --out {out} --seed {seed}"
    said += "".join(f" --set {change}" for change in changes)
    write_json(out, {"command": said, "seed": seed, "what": WHAT, "twins": twins})
    return 0
