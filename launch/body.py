"""`reverie body`: the body process of one robot, and the processes of its cameras."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from launch.bodies import make_body_twin, make_device_camera, make_hardware
from launch.whole import check_place
from robot.body.camera import serve_camera
from robot.body.core import BodyCore
from robot.body.process import Surroundings, serve
from robot.clock import RealClock
from robot.config import ConfigError, RobotConfig, load_config
from robot.wire.keys import KeyFileError, load_keys
from robot.wire.sockets import EndpointInUse
from robot.wire.streams import EndpointError, Endpoints
from sim.camera import TwinCamera

TwinName = Literal["mujoco", "pybullet", "fake"]
REFUSALS = (ConfigError, EndpointError, EndpointInUse, KeyFileError)


@dataclass(frozen=True)
class Robot:
    """Which robot, in which body, in which run.

    Args:
        config: the machine, such as hardware_configs/a1.yaml.
        twin: simulate it with this engine; without it, the hardware of the configuration moves.
        run: folder where the process writes its ledger; without it, none is written.
        set: changes of the configuration, such as control.filter.cutoff_hz=3.
        keys: key file, needed where streams leave this computer.
        seed: of the twin's start and sensor noise.
    """

    config: Path
    twin: TwinName | None = None
    run: Path | None = None
    set: tuple[str, ...] = ()
    keys: Path | None = None
    seed: int = 0

    def load(self) -> RobotConfig:
        """Read the configuration.

        Raises:
            ConfigError: naming the key, the value and what is allowed.
        """
        return load_config(self.config, self.set)

    def surroundings(self, config: RobotConfig, process: str) -> Surroundings:
        """Endpoints, keys and ledger of one of its processes.

        Raises:
            ConfigError, EndpointError, KeyFileError: naming what cannot be used.
        """
        endpoints = Endpoints(config.robot, config.endpoints)
        keys = None if self.keys is None else load_keys(self.keys)
        if self.run is not None:
            check_place(self.run / f"{process}.json", "--run")
        ledger = None if self.run is None else self.run / f"{process}.json"
        return Surroundings(endpoints, keys, ledger)


def run_body(robot: Robot, yes: bool = False) -> int:
    """Own the motors of one robot until Ctrl-C, and follow the robot process (`reverie act`).

    The robot stiffens where it lies, within a second, and then waits for commands. Without
    commands it holds still, then goes soft. `reverie stop` in another terminal stops it at once.
    Hardware moves only after you typed its name, or with `yes`.

    Returns:
        Exit code: 0 after Ctrl-C, 1 when the device fails, 2 when nothing was started.
    """
    try:
        config = robot.load()
        around = robot.surroundings(config, "body")
        clock = RealClock()
        if robot.twin is not None:
            twin = make_body_twin(robot.twin, config, clock, robot.seed)
            serve(BodyCore(config, twin, clock), clock, twin, around)
        else:
            _confirm(config, yes)
            serve(BodyCore(config, make_hardware(config, clock), clock), clock, None, around)
    except REFUSALS as error:
        return _refuse("body", error, 2)
    except (OSError, ValueError) as error:
        return _refuse("body", error, 1)
    return 0


def run_camera(robot: Robot, camera: str) -> int:
    """Publish the pictures of one camera until Ctrl-C.

    With a twin, the camera draws what the twin in the body process is doing; start that first.

    Returns:
        Exit code: 0 after Ctrl-C, 1 when the device fails, 2 when nothing was started.
    """
    try:
        config = robot.load()
        declared = config.cameras.get(camera)
        if declared is None:
            known = ", ".join(config.cameras) or "none"
            raise ConfigError(f"unknown camera '{camera}'; {config.robot} has {known}")
        around = robot.surroundings(config, f"camera-{camera}")
        clock = RealClock()
        if robot.twin is None:
            eye = make_device_camera(declared, clock)
        else:
            drawn = make_body_twin(robot.twin, config, clock, robot.seed)
            eye = TwinCamera(declared, drawn, clock, around.endpoints, around.keys)
        serve_camera(camera, declared, eye, clock, around)
    except REFUSALS as error:
        return _refuse("camera", error, 2)
    except OSError as error:
        return _refuse("camera", error, 1)
    return 0


def _confirm(config: RobotConfig, yes: bool) -> None:
    """Let a person say that the robot may move.

    Raises:
        ConfigError: when nobody does.
    """
    if yes:
        return
    where = f"{config.hardware.driver} at {config.hardware.address or 'no address'}"
    print(f"This moves the robot '{config.robot}' ({where}). Read SAFETY.md first.")
    print(f"Type {config.robot} to go on: ", end="", flush=True)
    if sys.stdin.readline().strip() != config.robot:
        raise ConfigError(f"'{config.robot}' was not confirmed; nothing moved (see --yes)")


def _refuse(command: str, error: Exception, code: int) -> int:
    logging.getLogger(__name__).debug("refused", exc_info=error)
    print(f"reverie {command}: {error}", file=sys.stderr)
    return code
