"""Which body a name stands for: hardware by its driver, twins by their engine.

Engines and drivers are imported here, when asked for: who drives hardware loads no engine.
"""

from __future__ import annotations

from robot.body.drivers.fake import FakeBody
from robot.body.interface import Body, Camera, Twin
from robot.clock import Clock
from robot.config import CameraConfig, ConfigError, RobotConfig
from sim.scene import make_twin


def make_body_twin(name: str, config: RobotConfig, clock: Clock, seed: int = 0) -> Twin:
    """Build a simulated body: an engine's, or "fake" (no physics, for trying things out).

    Raises:
        ConfigError: for another name, or when the engine is not installed.
    """
    if name == "fake":
        return FakeBody(config, clock)
    try:
        return make_twin(name, config, clock, seed)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{error}") from error


def make_hardware(config: RobotConfig, clock: Clock) -> Body:
    """Build the driver that the configuration names; nothing is opened yet."""
    if config.hardware.driver == "fake":
        return FakeBody(config, clock)
    from robot.body.drivers.unitree_a1 import UnitreeA1

    return UnitreeA1(config, clock)


def make_device_camera(declared: CameraConfig, clock: Clock) -> Camera:
    """Build the driver of a real camera; nothing is opened yet."""
    from robot.body.drivers.opencv_camera import OpenCVCamera

    return OpenCVCamera(declared, clock)
