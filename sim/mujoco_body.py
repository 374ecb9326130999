"""The robot simulated by MuJoCo."""

# MuJoCo's names come from a native module that ships without type stubs.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import mujoco
import numpy as np

from robot.body.interface import MotorCommand, Truth
from robot.clock import Clock
from robot.config import RobotConfig
from robot.wire.messages import Reading
from sim.description import describe
from sim.mujoco_base import LEVEL, base_of
from sim.mujoco_model import FLOOR, TOUCHED, build_model, foot_geoms, footless_geoms, sensed
from sim.painters import gl_or_tiny_painter
from sim.senses import Senses
from sim.starts import PUSH_S, SETTLE_TICKS, STILL, Placement, checked_state, placements
from sim.view import Painter, view_of


class MujocoBody:
    """A twin on MuJoCo: see `robot.body.interface.Twin` for the contract.

    Temperature and voltage are constant (25 C, 24 V). Torques are those that the motors give.
    `Truth.state` is base position (3), quaternion wxyz (4), joint positions (J), as in every twin.

    Args:
        config: the robot.
        clock: readings are stamped with its time.
        seed: seed of the sensor noise and of the first start.
    """

    def __init__(self, config: RobotConfig, clock: Clock, seed: int = 0) -> None:
        self.config, self.clock = config, clock
        self.anatomy = describe(config)
        self.model = build_model(config, self.anatomy)
        self.data = mujoco.MjData(self.model)
        self._joints = [self.model.joint(name).id for name in config.joints]
        self._angles = self.model.jnt_qposadr[self._joints]
        self._base = base_of(self.anatomy)
        self._gather = self._raw_order()
        self._feet = foot_geoms(self.model, self.anatomy)
        self._radii = np.array([foot.radius_m for foot in self.anatomy.feet])
        self._no_feet = footless_geoms(self.model, self.anatomy)
        self._floor = self.model.geom(FLOOR).id
        self._pushed = self.model.body(self.anatomy.pushed).id
        self._gain = self.model.actuator_gainprm[:, 0]
        self._bias = self.model.actuator_biasprm[:, :3]
        self._push_ticks = 0
        self._shown: np.ndarray | None = None
        self._painter: Painter | None = None
        self._senses = Senses(config, self._capture, seed)
        self.reset(config.twin.start, seed)

    def connect(self) -> None:
        """Leave the robot as it lies, limp."""
        self._go_limp()

    def read(self) -> Reading:
        """Return the latest reading; its arrays are never written again."""
        return self._senses.latest()

    def write(self, command: MotorCommand) -> None:
        """Set what the motors do from the next tick on; kp is scaled by `twin.gain_scale`."""
        kp = command.kp * self.config.twin.gain_scale
        self._gain[:] = kp
        self._bias[:, 0] = command.torque
        np.negative(kp, out=self._bias[:, 1])
        np.negative(command.kd, out=self._bias[:, 2])
        self.data.ctrl[:] = command.position

    def stop(self) -> None:
        """Damp all joints: no stiffness, the configuration's kd."""
        self._go_limp()
        self._bias[:, 2] = [-joint.kd for joint in self.config.joints.values()]

    def close(self) -> None:
        """Release the painter; safe to call twice."""
        if self._painter is not None:
            self._painter.close()
            self._painter = None

    def advance(self) -> None:
        """Simulate one inner period."""
        mujoco.mj_step(self.model, self.data)
        if self._push_ticks:
            self._push_ticks -= 1
            if not self._push_ticks:
                self.data.xfrc_applied[self._pushed] = 0.0
        self._senses.step(self.clock.now_ns())

    def reset(self, start: str, seed: int) -> None:
        """Place the robot and let it settle, limp; noise starts anew with `seed`."""
        self._push_ticks = 0
        placement = next(filter(self._place, placements(self.config, start, seed)))
        self._go_limp()
        self._settle(placement.settle_s)
        self._shown = None
        self._senses.restart(seed)
        self._senses.step(self.clock.now_ns())

    def push(self, impulse_n_s: np.ndarray) -> None:
        """Spread an impulse at the root link's centre of mass over the next 0.1 s."""
        self._push_ticks = round(PUSH_S * self.config.control.inner_hz)
        self.data.xfrc_applied[self._pushed, :3] = np.asarray(impulse_n_s) / PUSH_S

    def truth(self) -> Truth:
        """Tell the true state; contacts are those of the last step."""
        mujoco.mj_kinematics(self.model, self.data)  # a step leaves positions one period behind
        touching = self._touching_floor()
        state = self._state()
        return Truth(
            position=state[:3].copy(),
            quaternion=state[3:7].copy(),
            velocity=self._base.velocity(self.data),
            foot_height=self.data.geom_xpos[self._feet, 2] - self._radii,
            foot_contact=np.isin(self._feet, touching),
            body_contact=bool(self._no_feet[touching].any()),
            state=state,
        )

    def show(self, state: np.ndarray) -> None:
        """Draw this state from now on, until the next reset."""
        self._shown = checked_state(self.config, state)

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """Draw the robot: OpenGL where the computer has it, else PyBullet's software renderer."""
        state = self._drawn()
        view = view_of(self.anatomy.eye, camera, state)
        return self._eye().paint(state, view, height, width)

    def depth(self, camera: str, height: int, width: int) -> np.ndarray:
        """Distances of what is drawn, from the same painter."""
        state = self._drawn()
        view = view_of(self.anatomy.eye, camera, state)
        return self._eye().depth(state, view, height, width)

    def _drawn(self) -> np.ndarray:
        return self._state() if self._shown is None else self._shown

    def _eye(self) -> Painter:
        if self._painter is None:
            self._painter = gl_or_tiny_painter(self.config)
        return self._painter

    def _state(self) -> np.ndarray:
        return np.concatenate((self._base.pose(self.data), self.data.qpos[self._angles]))

    def _capture(self) -> np.ndarray:
        data = self.data
        return np.concatenate((data.qpos, data.qvel, data.sensordata, LEVEL)).take(self._gather)

    def _raw_order(self) -> np.ndarray:
        """Where each entry of a raw row lies in (qpos, qvel, sensordata, LEVEL)."""
        model, first = self.model, self.model.nq + self.model.nv
        velocities = model.nq + model.jnt_dofadr[self._joints]
        forces = first + sensed(model, [f"{name}_torque" for name in self.config.joints])
        feet = first + sensed(model, [f"{foot.link}_force" for foot in self.anatomy.feet])
        return np.concatenate((self._base.felt(model), self._angles, velocities, forces, feet))

    def _go_limp(self) -> None:
        self._gain[:] = 0.0
        self._bias[:] = 0.0
        self.data.ctrl[:] = 0.0

    def _place(self, placement: Placement) -> bool:
        """Put the robot above the floor; False when it cuts through itself."""
        model, data = self.model, self.data
        mujoco.mj_resetData(model, data)
        pose = np.array([0.0, 0.0, 2.0, *placement.quaternion])
        self._base.put(data, pose)
        data.qpos[self._angles] = placement.joint_pos
        mujoco.mj_forward(model, data)
        if data.ncon:
            return False
        if self.anatomy.bolted_at_m is None:
            pose[2] += placement.clearance_m - self._gap_m()
            self._base.put(data, pose)
            mujoco.mj_forward(model, data)
        return True

    def _gap_m(self) -> float:
        geoms = np.flatnonzero(self.model.geom_group == TOUCHED)
        gaps = [
            mujoco.mj_geomDistance(self.model, self.data, self._floor, g, 10.0, None) for g in geoms
        ]
        return min(gaps)

    def _settle(self, longest_s: float) -> None:
        for tick in range(round(longest_s * self.config.control.inner_hz)):
            mujoco.mj_step(self.model, self.data)
            if tick > SETTLE_TICKS and np.abs(self.data.qvel).max() < STILL:
                break

    def _touching_floor(self) -> np.ndarray:
        pairs = self.data.contact.geom
        return pairs[(pairs == self._floor).any(axis=1)].ravel()
