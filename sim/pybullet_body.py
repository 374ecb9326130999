"""The robot simulated by PyBullet."""

from __future__ import annotations

import numpy as np

from robot.body.interface import MotorCommand, Truth
from robot.clock import Clock
from robot.config import RobotConfig
from robot.tasks.kinematics import rotation_matrix
from robot.wire.messages import Reading
from sim.bullet_physics import GRAVITY_M_S2, BulletPhysics
from sim.senses import Senses
from sim.starts import PUSH_S, SETTLE_TICKS, STILL, Placement, checked_state, placements
from sim.tiny_painter import TinyPainter
from sim.view import Painter, view_of


class PybulletBody:
    """A twin on PyBullet: see `robot.body.interface.Twin` for the contract.

    The motors' PD law is computed at every advance, as a motor's own board does. Differs from the
    MuJoCo twin: PyBullet knows no armature; joint friction is a velocity motor of that strength.
    The rest is as there: constant temperature and voltage, the same layout of `Truth.state`.

    Args:
        config: the robot.
        clock: readings are stamped with its time.
        seed: seed of the sensor noise and of the first start.

    Raises:
        ImportError: where PyBullet is not installed, saying what to do.
    """

    def __init__(self, config: RobotConfig, clock: Clock, seed: int = 0) -> None:
        self.config, self.clock = config, clock
        self._physics = BulletPhysics(config)
        self.anatomy = self._physics.world.anatomy
        self._radii = np.array([foot.radius_m for foot in self.anatomy.feet])
        self._limit = np.array([joint.effort for joint in config.joints.values()])
        self._damping = np.array([joint.kd for joint in config.joints.values()])
        self._period_s = 1.0 / config.control.inner_hz
        self._push_n, self._push_ticks = np.zeros(3), 0
        self._torque, self._acceleration = np.zeros(len(self._limit)), np.zeros(3)
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
        self._command = command
        self._kp = command.kp * self.config.twin.gain_scale

    def stop(self) -> None:
        """Damp all joints: no stiffness, the configuration's kd."""
        still = np.zeros(len(self._limit))
        self.write(MotorCommand(still, still, self._damping, still))

    def close(self) -> None:
        """Leave PyBullet's world; safe to call twice."""
        self._physics.world.close()
        if self._painter is not None:
            self._painter.close()
            self._painter = None

    def advance(self) -> None:
        """Simulate one inner period."""
        self._step()
        self._senses.step(self.clock.now_ns())

    def reset(self, start: str, seed: int) -> None:
        """Place the robot and let it settle, limp; noise starts anew with `seed`."""
        self._push_ticks = 0
        candidates = placements(self.config, start, seed)
        self._physics.renew()
        placement = next(filter(self._place, candidates))
        self._go_limp()
        self._settle(placement.settle_s)
        self._shown = None
        self._senses.restart(seed)
        self._senses.step(self.clock.now_ns())

    def push(self, impulse_n_s: np.ndarray) -> None:
        """Spread an impulse at the root link's centre of mass over the next 0.1 s."""
        self._push_ticks = round(PUSH_S * self.config.control.inner_hz)
        self._push_n = np.asarray(impulse_n_s, dtype=float) / PUSH_S

    def truth(self) -> Truth:
        """Tell the true state; contacts are those of the last step."""
        position, quaternion = self._physics.world.base()
        heights = np.array([centre[2] for centre in self._physics.foot_centres()])
        feet, body = self._physics.floor_contacts()
        return Truth(
            position=np.array(position),
            quaternion=np.array(quaternion),
            velocity=self._velocity.copy(),
            foot_height=heights - self._radii,
            foot_contact=feet,
            body_contact=body,
            state=np.array([*position, *quaternion, *self._joint_pos]),
        )

    def show(self, state: np.ndarray) -> None:
        """Draw this state from now on, until the next reset."""
        self._shown = checked_state(self.config, state)

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """Draw the robot with PyBullet's software renderer."""
        state = self._drawn()
        view = view_of(self.anatomy.eye, camera, state)
        return self._eye().paint(state, view, height, width)

    def depth(self, camera: str, height: int, width: int) -> np.ndarray:
        """Distances of what is drawn, from the same painter."""
        state = self._drawn()
        view = view_of(self.anatomy.eye, camera, state)
        return self._eye().depth(state, view, height, width)

    def _drawn(self) -> np.ndarray:
        return self.truth().state if self._shown is None else self._shown

    def _eye(self) -> Painter:
        if self._painter is None:
            self._painter = TinyPainter(self.config)
        return self._painter

    def _go_limp(self) -> None:
        still = np.zeros(len(self._limit))
        self.write(MotorCommand(still, still, still, still))

    def _place(self, placement: Placement) -> bool:
        """Put the robot above the floor; False when it cuts through itself."""
        physics, world, at_m = self._physics, self._physics.world, self.anatomy.bolted_at_m
        high = np.array(at_m or (0.0, 0.0, 2.0))
        world.pose(high, placement.quaternion, placement.joint_pos)
        if physics.cuts_itself():
            return False
        if at_m is None:
            high[2] += placement.clearance_m - physics.gap_m()
            world.pose(high, placement.quaternion, placement.joint_pos)
        self._feel()
        return True

    def _settle(self, longest_s: float) -> None:
        for tick in range(round(longest_s / self._period_s)):
            self._step()
            if tick > SETTLE_TICKS and self._fastest() < STILL:
                break

    def _fastest(self) -> float:
        return max(np.abs(self._joint_vel).max(), np.abs(self._velocity).max())

    def _step(self) -> None:
        before, command = self._velocity, self._command
        torque = self._kp * (command.position - self._joint_pos)
        torque += command.torque - command.kd * self._joint_vel
        np.minimum(np.maximum(torque, -self._limit, out=torque), self._limit, out=torque)
        self._torque = torque
        self._physics.step(torque, self._push_n if self._push_ticks else None)
        self._push_ticks = max(0, self._push_ticks - 1)
        self._feel()
        self._acceleration = (self._velocity - before) / self._period_s

    def _feel(self) -> None:
        """Take over where the engine is; a placed robot is at rest."""
        self._joint_pos, self._joint_vel = self._physics.joints()
        self._quaternion = self._physics.world.base()[1]
        self._turn = rotation_matrix(np.array(self._quaternion))
        self._velocity, self._rate = self._physics.motion(self._turn)

    def _capture(self) -> np.ndarray:
        felt = self._acceleration + (0.0, 0.0, GRAVITY_M_S2)
        return np.concatenate(
            (
                self._quaternion,
                self._rate @ self._turn,
                felt @ self._turn,
                self._joint_pos,
                self._joint_vel,
                self._torque,
                self._physics.foot_forces(),
            )
        )
