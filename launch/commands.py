"""The commands of `reverie`, one class each: its options, and the one function that it calls.

What a command needs is imported when it runs, so that `reverie --help` is quick and one broken
part leaves the other commands whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

A1 = Path("hardware_configs/a1.yaml")
Engine = Literal["mujoco", "pybullet"] | None
TwinName = Literal["mujoco", "pybullet", "fake"] | None
Config = Annotated[Positional[Path], arg(metavar="CONFIG")]
Robots = Annotated[Positional[Path | None], arg(metavar="CONFIG")]
Run = Annotated[Positional[Path], arg(metavar="RUN")]
Changes = Annotated[tuple[str, ...], UseAppendAction, arg(name="set", metavar="KEY=VALUE")]


@dataclass(frozen=True)
class Train:
    """Make a robot learn, live: every process on this computer. Run it again to go on.

    Example: reverie train hardware_configs/a1.yaml --twin mujoco --minutes 60

    Args:
        config: the robot's YAML file.
        twin: simulate the robot with this engine; without it, hardware moves, after you agreed.
        clock: "lockstep" is deterministic and as fast as the computer allows.
        system: what learns, such as reverie or daydreamer.
        preset: its settings.
        minutes: robot time in all.
        seed: of everything that is random.
        run: folder of the run; runs/... unless given.
        changes: change one key; learner.KEY for the system, any other for the robot.
        yes: do not ask before hardware moves.
    """

    config: Config
    twin: Engine = None
    clock: Literal["realtime", "lockstep"] = "realtime"
    system: str = "reverie"
    preset: str = "cpu"
    minutes: float = 60.0
    seed: int = 0
    run: Path | None = None
    changes: Changes = ()
    yes: bool = False

    def __call__(self) -> int:
        """Run it."""
        from launch.train import run_train

        return run_train(
            config=self.config,
            twin=self.twin or "",
            clock=self.clock,
            system=self.system,
            preset=self.preset,
            minutes=self.minutes,
            seed=self.seed,
            run=self.run,
            changes=self.changes,
            yes=self.yes,
        )


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
    seed: int = 0
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
    seed: int = 0

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
class Learn:
    """Learn from what the robots of a run send, until Ctrl-C.

    Example: reverie learn --run runs/mine

    Args:
        run: the run's folder; its plan says what learns.
        keys: key file, needed where robots are on other computers.
    """

    run: Path
    keys: Path | None = None

    def __call__(self) -> int:
        """Run it."""
        from launch.learn import run_learn

        return run_learn(self.run, keys=self.keys)


@dataclass(frozen=True)
class Evaluate:
    """Try a run's latest policy, by its mode: figures, a film, a plot, and whether it walks.

    Example: reverie evaluate runs/mine --episodes 10 --seconds 30

    Args:
        run: the run's folder.
        twin: engine; that of the run unless given.
        episodes: how many.
        seconds: length of each.
        start: how each begins.
        seed: of the first episode; each further one has the next.
        out: folder of the results; RUN/evaluation unless given.
        changes: change one key of the robot, such as twin.friction=0.4.
    """

    run: Run
    twin: Engine = None
    episodes: int = 10
    seconds: float = 30.0
    start: Literal["standing", "folded", "on_back", "random_fall"] = "standing"
    seed: int = 0
    out: Path | None = None
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        from launch.evaluate import run_evaluate
        from launch.trial import Trial

        twin = self.twin or ""
        trial = Trial(twin, self.episodes, self.seconds, self.start, self.seed, self.changes)
        return run_evaluate(self.run, trial, self.out)


@dataclass(frozen=True)
class Stop:
    """Stop the motors of a robot, or of every robot of yours on this computer.

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
class Resume:
    """Let robots rise again after a stop or a fault, slowly, from where they lie.

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
class Bench:
    """Measure this computer: the loop under a learner at full load, or single parts.

    Example: reverie bench loop --minutes 5 --json

    Args:
        name: what to measure.
        json: print one JSON object as the last line instead of a table.
        config: the robot's YAML file.
        twin: engine.
        system: what learns.
        preset: its settings.
        minutes: how long the loop is watched.
        seconds: how long each of the others measures.
        changes: change one key; learner.KEY for the system, any other for the robot.
    """

    name: Positional[Literal["loop", "learner", "policy", "twin", "wire"]]
    json: bool = False
    config: Path = A1
    twin: Literal["mujoco", "pybullet"] = "mujoco"
    system: str = "reverie"
    preset: str = "cpu"
    minutes: float = 5.0
    seconds: float = 10.0
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        from launch.bench import Bench, run_bench

        bench = Bench(
            self.name,
            self.config,
            self.twin,
            self.system,
            self.preset,
            self.minutes,
            self.seconds,
            self.changes,
        )
        return run_bench(bench, self.json)


@dataclass(frozen=True)
class Curves:
    """Draw learning curves over the real A1's, with a table of milestones.

    Example: reverie curves docs/results/a1_*.json

    Args:
        results: JSON files of runs.
        out: the picture; the tables get names like it.
        real: the real robot's curves.
    """

    results: Annotated[Positional[tuple[Path, ...]], arg(metavar="RESULT...")]
    out: Path = Path("docs/results/a1_learning.png")
    real: Path = Path("docs/results/anchors/a1_real.json")

    def __call__(self) -> int:
        """Run it."""
        from launch.curves import run_curves

        return run_curves(self.results, self.out, self.real)


@dataclass(frozen=True)
class Velocity:
    """Report the error of the walk task's velocity estimate against both twins' truth.

    Example: reverie velocity hardware_configs/a1.yaml

    Args:
        config: the robot's YAML file.
        out: JSON file for the figures.
        changes: change one key of the configuration.
        seed: of noise and of random actions.
    """

    config: Config
    out: Path = Path("docs/results/velocity.json")
    changes: Changes = ()
    seed: int = 0

    def __call__(self) -> int:
        """Run it."""
        from launch.velocity_report import run_velocity_report

        return run_velocity_report(self.config, self.out, self.changes, self.seed)


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
    """Make the key file that all computers of a robot share; it is never overwritten.

    Example: reverie keys reverie.keys

    Args:
        path: the new file.
    """

    path: Annotated[Positional[Path], arg(metavar="FILE")]

    def __call__(self) -> int:
        """Run it."""
        from robot.wire.keys import create_keys

        create_keys(self.path)
        print(f"{self.path}: give it to every computer of the robot, and to nobody else")
        return 0


COMMANDS: dict[str, type] = {
    "train": Train,
    "evaluate": Evaluate,
    "stop": Stop,
    "pause": Pause,
    "resume": Resume,
    "body": Body,
    "camera": Camera,
    "act": Act,
    "learn": Learn,
    "doctor": Doctor,
    "bench": Bench,
    "curves": Curves,
    "velocity": Velocity,
    "keys": Keys,
}
