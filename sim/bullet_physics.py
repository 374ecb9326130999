"""Physics of one robot in PyBullet: floor, contacts, joint friction, and one step with torques."""

from __future__ import annotations

from collections.abc import Iterable
from math import dist

import numpy as np

from robot.config import RobotConfig
from sim.bullet import Bullet

GRAVITY_M_S2 = 9.81
SOLVER_ITERATIONS = 20  # 50, the default, moves a resting robot by less than 1e-7 m
FOOT_REACH = 1.1  # a contact within this many radii of a foot's centre is the foot's
OTHER, LINK, POINT, DISTANCE, FORCE = 2, 3, 5, 8, 9  # places in PyBullet's contact tuple


class BulletPhysics:
    """A Bullet world with gravity and a floor.

    A joint's link has the joint's number in PyBullet, so joint numbers name links here too.
    """

    def __init__(self, config: RobotConfig) -> None:
        self.world = Bullet(config)
        self._api, self._client = self.world.api, self.world.client
        self._config = config
        self._anatomy = self.world.anatomy
        self._ankles = [(foot.centre_m, (0, 0, 0, 1)) for foot in self._anatomy.feet]
        self._reach_m = [FOOT_REACH * foot.radius_m for foot in self._anatomy.feet]
        self._equip()

    def renew(self) -> None:
        """Build the world anew: caches of old contacts would otherwise steer the first steps."""
        self.world.load()
        self._equip()

    def step(self, torque: np.ndarray, force: np.ndarray | None) -> None:
        """Advance by one inner period with joint torques (J,) and a force (3,) at the root link."""
        world, api, client = self.world, self._api, self._client
        api.setJointMotorControlArray(
            world.robot,
            world.joints,
            api.TORQUE_CONTROL,
            forces=torque.tolist(),
            physicsClientId=client,
        )
        if force is not None:
            api.applyExternalForce(
                world.robot,
                self._pushed,
                force.tolist(),
                self._pushed_at(),
                api.WORLD_FRAME,
                physicsClientId=client,
            )
        api.stepSimulation(physicsClientId=client)

    def joints(self) -> tuple[np.ndarray, np.ndarray]:
        """Joint positions and velocities, (J,) rad and rad/s, or m and m/s."""
        world = self.world
        states = self._api.getJointStates(world.robot, world.joints, physicsClientId=self._client)
        pairs = np.array([state[:2] for state in states])
        return pairs[:, 0], pairs[:, 1]

    def motion(self, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Velocity of the base's origin and turning rate of the base, (3,) each, world frame.

        Args:
            turn: (3, 3) rotation from the base to the world.
        """
        velocity, rate = self._api.getBaseVelocity(self.world.robot, physicsClientId=self._client)
        x, y, z = (turn @ self.world.centre[0]).tolist()
        a, b, c = rate
        spin = (b * z - c * y, c * x - a * z, a * y - b * x)  # PyBullet tells the centre's velocity
        return np.subtract(velocity, spin), np.array(rate)

    def foot_forces(self) -> np.ndarray:
        """Normal force at each foot, (F,) N, summed over all that it touches."""
        forces = np.zeros(len(self._reach_m))
        if not self._reach_m:
            return forces
        for foot, contact in self._foot_contacts(self._contacts()):
            forces[foot] += contact[FORCE]
        return forces

    def floor_contacts(self) -> tuple[np.ndarray, bool]:
        """Whether each foot (F,), and whether a link without foot, touches the floor."""
        contacts = [c for c in self._contacts() if c[OTHER] == self._floor and c[DISTANCE] <= 0]
        feet = np.zeros(len(self._reach_m), bool)
        for foot, _ in self._foot_contacts(contacts):
            feet[foot] = True
        return feet, any(contact[LINK] not in self._calves for contact in contacts)

    def foot_centres(self) -> list[tuple[float, ...]]:
        """Centre of each foot in the world, m."""
        if not self._calves:
            return []
        states = self._api.getLinkStates(
            self.world.robot,
            list(self._calves),
            computeForwardKinematics=1,
            physicsClientId=self._client,
        )
        return [
            self._api.multiplyTransforms(state[4], state[5], *ankle)[0]
            for state, ankle in zip(states, self._ankles, strict=True)
        ]

    def cuts_itself(self) -> bool:
        """Whether parts of the robot lie in one another."""
        self._api.performCollisionDetection(physicsClientId=self._client)
        robot = self.world.robot
        contacts = self._api.getContactPoints(robot, robot, physicsClientId=self._client)
        return any(contact[DISTANCE] < 0 for contact in contacts)

    def gap_m(self) -> float:
        """Distance of the robot's lowest point from the floor."""
        points = self._api.getClosestPoints(
            self.world.robot, self._floor, 10.0, physicsClientId=self._client
        )
        return min(point[DISTANCE] for point in points)

    def _equip(self) -> None:
        api, client = self._api, self._client
        api.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / self._config.control.inner_hz,
            numSolverIterations=SOLVER_ITERATIONS,
            deterministicOverlappingPairs=1,
            physicsClientId=client,
        )
        api.setGravity(0, 0, -GRAVITY_M_S2, physicsClientId=client)
        plane = api.createCollisionShape(api.GEOM_PLANE, physicsClientId=client)
        self._floor = api.createMultiBody(0, plane, physicsClientId=client)
        api.changeDynamics(self._floor, -1, lateralFriction=1.0, physicsClientId=client)
        links = [self.world.links[foot.link] for foot in self._anatomy.feet]
        self._calves = {link: number for number, link in enumerate(links)}
        self._pushed = self.world.links[self._anatomy.pushed]
        self._set_friction()

    def _set_friction(self) -> None:
        api, client, world, anatomy = self._api, self._client, self.world, self._anatomy
        for link in [-1, *world.joints]:
            # PyBullet multiplies the friction of both bodies, and drags moving bodies by default.
            api.changeDynamics(
                world.robot,
                link,
                lateralFriction=anatomy.contact_friction,
                linearDamping=0.0,
                angularDamping=0.0,
                jointDamping=anatomy.damping,
                physicsClientId=client,
            )
        # A motor that wants standstill with little force is dry friction.
        api.setJointMotorControlArray(
            world.robot,
            world.joints,
            api.VELOCITY_CONTROL,
            targetVelocities=[0.0] * len(world.joints),
            forces=[anatomy.dry_friction] * len(world.joints),
            physicsClientId=client,
        )

    def _pushed_at(self) -> tuple[float, ...]:
        """Centre of mass of the link that is pushed, in the world."""
        api, robot, client = self._api, self.world.robot, self._client
        if self._pushed < 0:
            return api.getBasePositionAndOrientation(robot, physicsClientId=client)[0]
        return api.getLinkState(robot, self._pushed, physicsClientId=client)[0]

    def _contacts(self) -> tuple[tuple, ...]:
        return self._api.getContactPoints(self.world.robot, physicsClientId=self._client)

    def _foot_contacts(self, contacts: Iterable[tuple]) -> list[tuple[int, tuple]]:
        """Those contacts of calves that lie at the foot, each with the number of the foot."""
        calves = [(self._calves[c[LINK]], c) for c in contacts if c[LINK] in self._calves]
        if not calves:
            return []
        centres = self.foot_centres()
        return [(f, c) for f, c in calves if dist(c[POINT], centres[f]) < self._reach_m[f]]
