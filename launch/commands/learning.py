"""Commands that learn, and that try what was learnt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from launch.commands.options import Changes, Engine, Run, Target


@dataclass(frozen=True)
class Train:
    """Make a robot learn, live: every process on this computer. Run it again to go on.

    Example: reverie train hardware_configs/a1.yaml --twin mujoco --minutes 60

    Args:
        config: the robot's YAML file, or an environment: gym:ID, or dmc:DOMAIN-TASK such as
            dmc:walker-walk.
        twin: simulate the robot with this engine; without it, hardware moves, after you agreed.
        clock: realtime for robots unless given; "lockstep" is deterministic and as fast as the
            computer allows, and what environments run in.
        system: what learns, such as reverie or daydreamer.
        preset: its settings.
        minutes: robot time in all.
        steps: the same in steps of the robot or the environment, instead of minutes.
        seed: of everything that is random.
        run: folder of the run; runs/... unless given.
        changes: change one key; learner.KEY for the system, env.KEY for an environment (such as
            env.action_repeat, env.picture, env.options.length), any other for the robot.
        yes: do not ask before hardware moves.
    """

    config: Target
    twin: Engine = None
    clock: Literal["realtime", "lockstep"] | None = None
    system: str = "reverie"
    preset: str = "cpu"
    minutes: float = 60.0
    steps: int | None = None
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
            clock=self.clock or "",
            system=self.system,
            preset=self.preset,
            minutes=self.minutes,
            steps=self.steps,
            seed=self.seed,
            run=self.run,
            changes=self.changes,
            yes=self.yes,
        )


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
        seconds: length of each; 30 of walking, or an episode of another task, unless given.
        start: how each begins, such as standing or on_back; the twin's first start unless given.
        seed: of the first episode; each further one has the next.
        out: folder of the results; RUN/evaluation unless given.
        changes: change one key of the robot, such as twin.friction=0.4.
    """

    run: Run
    twin: Engine = None
    episodes: int = 10
    seconds: float | None = None
    start: str = ""
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
