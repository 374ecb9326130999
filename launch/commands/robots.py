"""Commands that own a robot's body, act on it, watch over it and stop it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from launch.commands.options import Changes, Config, Robots, Seed, TwinName


@dataclass(frozen=True)
class Body:
    """Own the motors of one robot, or its twin, until Ctrl-C.

    Example: reverie body hardware_configs/a1.yaml --twin mujoco

    Args:
        config: the robot's YAML file.
        twin: simulate the robot; without it, hardware moves, after you typed its name.
        run: folder where the process writes its ledger.
        changes: change one key of the configuration.
        keys: key file, needed where streams leave this computer.
        seed: of the twin's start and sensor noise.
        yes: do not ask before hardware moves.
    """

    config: Config
    twin: TwinName = None
    run: Path | None = None
    changes: Changes = ()
    keys: Path | None = None
    seed: Seed = 0
    yes: bool = False

    def __call__(self) -> int:
        """Run it."""
        from launch.body import Robot, run_body

        robot = Robot(self.config, self.twin, self.run, self.changes, self.keys, self.seed)
        return run_body(robot, self.yes)


@dataclass(frozen=True)
class Camera:
    """Publish the pictures of one camera until Ctrl-C.

    Example: reverie camera hardware_configs/a1.yaml --twin mujoco --camera front

    Args:
        config: the robot's YAML file.
        camera: its name in the configuration.
        twin: draw what the body process of this twin does; without it, a real camera is read.
        run: folder where the process writes its ledger.
        changes: change one key of the configuration.
        keys: key file, needed where streams leave this computer.
        seed: of the twin.
    """

    config: Config
    camera: str
    twin: TwinName = None
    run: Path | None = None
    changes: Changes = ()
    keys: Path | None = None
    seed: Seed = 0

    def __call__(self) -> int:
        """Run it."""
        from launch.body import Robot, run_camera

        robot = Robot(self.config, self.twin, self.run, self.changes, self.keys, self.seed)
        return run_camera(robot, self.camera)


@dataclass(frozen=True)
class Act:
    """Act on a robot and record it, until Ctrl-C. Start `reverie body` first.

    Example: reverie act hardware_configs/a1.yaml --run runs/mine

    Args:
        config: the robot's YAML file.
        run: the run's folder.
        keys: key file, needed where body or learner are on other computers.
        changes: change one key of the configuration.
    """

    config: Config
    run: Path
    keys: Path | None = None
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        from launch.act import run_act

        return run_act(self.config, self.run, keys=self.keys, changes=self.changes)


@dataclass(frozen=True)
class Stop:
    """Stop the motors of a robot, or of all your robots here.

    Example: reverie stop

    Args:
        config: YAML file of the robot to stop; all that run here unless given.
        keys: key file, where the robot is on another computer.
    """

    config: Robots = None
    keys: Path | None = None

    def __call__(self) -> int:
        """Run it."""
        from launch.stop import run_stop

        return run_stop(self.config, self.keys)


@dataclass(frozen=True)
class Pause:
    """Let robots hold still until `reverie resume`.

    Example: reverie pause

    Args:
        config: YAML file of the robot; all that run here unless given.
        keys: key file, where the robot is on another computer.
    """

    config: Robots = None
    keys: Path | None = None

    def __call__(self) -> int:
        """Run it."""
        from launch.stop import run_word

        return run_word("pause", self.config, self.keys)


@dataclass(frozen=True)
class Resume:
    """Let robots rise again, slowly, after a stop or a fault.

    Example: reverie resume

    Args:
        config: YAML file of the robot; all that run here unless given.
        keys: key file, where the robot is on another computer.
    """

    config: Robots = None
    keys: Path | None = None

    def __call__(self) -> int:
        """Run it."""
        from launch.stop import run_word

        return run_word("resume", self.config, self.keys)


@dataclass(frozen=True)
class Doctor:
    """Check a configuration and this computer; nothing moves.

    Example: reverie doctor hardware_configs/a1.yaml

    Args:
        config: the robot's YAML file.
        changes: change one key of the configuration.
        keys: key file, where streams leave this computer.
    """

    config: Config
    changes: Changes = ()
    keys: Path | None = None

    def __call__(self) -> int:
        """Run it."""
        from launch.doctor import run_doctor

        return run_doctor(self.config, self.changes, self.keys)


@dataclass(frozen=True)
class Keys:
    """Make the key file that all computers of a robot share.

    It is never overwritten.

    Example: reverie keys reverie.keys

    Args:
        path: the new file.
    """

    path: Annotated[Positional[Path], arg(metavar="FILE")]

    def __call__(self) -> int:
        """Run it."""
        from launch.whole import check_can_write
        from robot.wire.keys import create_keys

        check_can_write(self.path, "FILE")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        create_keys(self.path)
        print(f"{self.path}: give it to every computer of the robot, and to nobody else")
        return 0
