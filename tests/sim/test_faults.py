"""A seized joint, on the twin that it stops."""

from __future__ import annotations

import numpy as np

from robot.body.interface import MotorCommand
from robot.clock import SteppedClock
from robot.config import load_config
from sim.faults import FaultyBody
from sim.mujoco_body import MujocoBody

CONFIG = load_config("hardware_configs/a1.yaml")


def test_a_seized_joint_stays_while_the_others_move_and_heals() -> None:
    clock = SteppedClock()
    twin = FaultyBody(MujocoBody(CONFIG, clock), clock)
    twin.reset("on_back", 0)
    start = twin.read().joint_pos.copy()
    wanted = start + np.tile((0.0, -0.3, 0.4), 4)
    wish = MotorCommand(wanted, np.full(12, 80.0), np.full(12, 2.0), np.zeros(12))

    def moved() -> np.ndarray:
        for _ in range(500):
            twin.write(wish)
            clock.advance(1_000_000)
            twin.advance()
        return np.abs(twin.read().joint_pos - start)

    twin.seized[4] = float(start[4])
    angles = moved()
    assert angles[4] < 0.03 and angles[1] > 0.2 and angles[7] > 0.2
    twin.heal()
    assert moved()[4] > 0.2
