"""Builds the MuJoCo model: the shared description plus floor, motors, sensors and contact rules."""

# MuJoCo's names come from a native module that ships without type stubs.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from robot.config import RobotConfig
from sim.anatomy import Anatomy

SEEN, TOUCHED = 1, 3  # geom groups; MuJoCo draws groups 0 to 2
FLOOR = "floor"


def build_model(config: RobotConfig, anatomy: Anatomy) -> mujoco.MjModel:
    """Compile the robot of the configuration on a floor.

    Motors are affine actuators: force = gain ctrl + bias0 + bias1 q + bias2 dq. The body sets gain
    and bias from every motor command, so the integrator knows the derivatives of the PD law.
    """
    spec = mujoco.MjSpec.from_string(anatomy.urdf)
    _set_base(spec, anatomy)
    _set_options(spec, config)
    _add_floor(spec)
    _set_contacts(spec, anatomy)
    for name in config.joints:
        _add_motor(spec, config, name, anatomy.armature)
    _add_sensors(spec, config, anatomy)
    return spec.compile()


def _set_base(spec: mujoco.MjSpec, anatomy: Anatomy) -> None:
    base = spec.body(anatomy.base)
    if anatomy.bolted_at_m is None:
        base.add_freejoint()
    else:
        base.pos = anatomy.bolted_at_m


def _set_options(spec: mujoco.MjSpec, config: RobotConfig) -> None:
    spec.option.timestep = 1.0 / config.control.inner_hz
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Elliptic cones and stiffer friction: with the defaults a standing robot creeps.
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    # Software GL is seven times faster without multisampling; shadows are off in the painter.
    spec.visual.quality.offsamples = 0


def _add_floor(spec: mujoco.MjSpec) -> None:
    texture = spec.add_texture(
        name=FLOOR,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.35, 0.40, 0.38],
        rgb2=[0.52, 0.57, 0.55],
        width=128,
        height=128,
    )
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[1, 1, 1],
        rgb2=[1, 1, 1],
        width=16,
        height=96,
    )
    textures = [""] * int(mujoco.mjtTextureRole.mjNTEXROLE)
    textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture.name
    spec.add_material(name=FLOOR, textures=textures, texrepeat=[1, 1], texuniform=True)
    spec.worldbody.add_geom(
        name=FLOOR, type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], material=FLOOR
    )
    spec.worldbody.add_light(
        pos=[0, 0, 4], dir=[0.2, 0.3, -1], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    )


def _set_contacts(spec: mujoco.MjSpec, anatomy: Anatomy) -> None:
    """Friction everywhere; links that share a joint never collide, which is MuJoCo's own rule."""
    for geom in spec.geoms:
        geom.friction = [anatomy.contact_friction, 0.005, 0.0001]
        if geom.contype == 0:
            geom.group = SEEN
        elif geom.name != FLOOR:
            geom.group = TOUCHED
            geom.conaffinity = int(anatomy.self_collision)


def _add_motor(spec: mujoco.MjSpec, config: RobotConfig, name: str, armature: float) -> None:
    joint = spec.joint(name)
    joint.armature = armature
    joint.solref_limit = [4.0 / config.control.inner_hz, 1.0]  # stops of metal: as stiff as stable
    limit = config.joints[name].effort
    spec.add_actuator(
        name=name,
        target=name,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        forcelimited=mujoco.mjtLimited.mjLIMITED_TRUE,
        forcerange=[-limit, limit],
    )


def _add_sensors(spec: mujoco.MjSpec, config: RobotConfig, anatomy: Anatomy) -> None:
    """Add what the state lacks: specific force, motor torques, foot forces."""
    if config.imu:
        spec.body(anatomy.base).add_site(name="imu")
        spec.add_sensor(
            name="accelerometer",
            type=mujoco.mjtSensor.mjSENS_ACCELEROMETER,
            objtype=mujoco.mjtObj.mjOBJ_SITE,
            objname="imu",
        )
    for name in config.joints:
        spec.add_sensor(
            name=f"{name}_torque",
            type=mujoco.mjtSensor.mjSENS_ACTUATORFRC,
            objtype=mujoco.mjtObj.mjOBJ_ACTUATOR,
            objname=name,
        )
    for foot in anatomy.feet:
        # A little larger than the foot, so that no contact point of the sphere lies outside.
        spec.body(foot.link).add_site(
            name=f"{foot.link}_foot",
            pos=foot.centre_m,
            size=[1.1 * foot.radius_m] * 3,
            group=5,
        )
        spec.add_sensor(
            name=f"{foot.link}_force",
            type=mujoco.mjtSensor.mjSENS_TOUCH,
            objtype=mujoco.mjtObj.mjOBJ_SITE,
            objname=f"{foot.link}_foot",
        )


def sensed(model: mujoco.MjModel, names: Sequence[str]) -> np.ndarray:
    """Places in `sensordata` of sensors that give one number each."""
    return np.array([model.sensor(name).adr[0] for name in names], dtype=int)


def foot_geoms(model: mujoco.MjModel, anatomy: Anatomy) -> np.ndarray:
    """(F,) the ball of each foot."""
    sphere = model.geom_type == mujoco.mjtGeom.mjGEOM_SPHERE
    touched = sphere & (model.geom_group == TOUCHED)
    links = [model.body(foot.link).id for foot in anatomy.feet]
    balls = [np.flatnonzero(touched & (model.geom_bodyid == link))[0] for link in links]
    return np.array(balls, dtype=int)


def footless_geoms(model: mujoco.MjModel, anatomy: Anatomy) -> np.ndarray:
    """(ngeom,) whether a geom belongs to a link without foot, which walking keeps off the floor."""
    feet = {foot.link for foot in anatomy.feet}
    bodies = [model.body(name).id for name in anatomy.links if name not in feet]
    return np.isin(model.geom_bodyid, bodies)
