"""Commands that learn, and that try what was learnt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from launch.commands.options import Changes, Engine, Seed, Target
from launch.waiting import loading


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
        begin: begin with what another run has learnt, such as one from logs alone.
        with_logs: learn from that one's experience too.
    """

    config: Target
    twin: Engine = None
    clock: Literal["realtime", "lockstep"] | None = None
    system: str = "reverie"
    preset: str = "cpu"
    minutes: float = 60.0
    steps: int | None = None
    seed: Seed = 0
    run: Path | None = None
    changes: Changes = ()
    yes: bool = False
    begin: Annotated[Path | None, arg(name="from", metavar="RUN")] = None
    with_logs: bool = False

    def __call__(self) -> int:
        """Run it."""
        with loading("learning"):
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
            begin=self.begin,
            logs=self.with_logs,
        )


@dataclass(frozen=True)
class Learn:
    """Learn from the robots of a run until Ctrl-C, or from logs alone.

    Example: reverie learn --run runs/mine

    From logs: reverie learn --offline runs/mine --system reverie --minutes 15 --run runs/new

    Args:
        run: the run's folder; its plan says what learns. From logs, that of the new run:
            runs/... unless given; the same command goes on with it.
        keys: key file, needed where robots are on other computers.
        offline: logs to learn from at full speed, without a robot: files, folders of logs or
            folders of runs, of one robot. All further options are for this.
        robot: the robot's YAML file, for logs that do not say whose they are.
        system: what learns.
        preset: its settings.
        updates: in all; 10000 unless this or --minutes is given.
        minutes: of computing, in all.
        patience: updates without a better loss on held-out episodes after which it stops; 0 never
            stops by it, and keeps the last weights instead of the best.
        validation: share of the episodes that are held out.
        split_seed: of which ones.
        every: updates between two looks at them.
        cloning: weight by which the actor is held to the logged actions; 0.1 is much.
        caution: reward that a dreamt step costs whose outcome is as disputed as is usual.
        seed: of everything else that is random.
        changes: change one key; learner.KEY for the system, any other for the robot.
    """

    run: Path | None = None
    keys: Path | None = None
    offline: tuple[Path, ...] = ()
    robot: Path | None = None
    system: str = "reverie"
    preset: str = "cpu"
    updates: int | None = None
    minutes: float | None = None
    patience: int = 2000
    validation: float = 0.1
    split_seed: Seed = 0
    every: int = 250
    cloning: float = 0.0
    caution: float = 0.0
    seed: Seed = 0
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        from launch.learn import run_learn

        if self.offline:
            return self._offline()
        return run_learn(self.run, keys=self.keys)

    def _offline(self) -> int:
        with loading("learning"):
            from launch.offline import make_budget, run_offline
            from launch.offline_plan import Lessons, make_offline_plan

        budget = make_budget(self.updates, self.minutes, self.patience)
        lessons = Lessons(self.validation, self.split_seed, self.every, self.cloning, self.caution)
        what = self.offline, self.system, self.preset, self.seed, self.changes
        return run_offline(make_offline_plan(*what, lessons, self.robot), self.run, budget)


@dataclass(frozen=True)
class Evaluate:
    """Try runs' latest policies: figures, films, a report to look at.

    Each acts by the mode of its actions.

    Example: reverie evaluate runs/mine --episodes 10 --seconds 30

    Several runs are compared, and so are perturbations of the twin:

    reverie evaluate runs/a runs/b --perturb push,payload=2,friction=0.4+push=5

    Args:
        runs: the runs' folders: of robots, their model-free rivals, or in environments.
        twin: engine; that of the run unless given.
        episodes: how many of each run under each condition.
        seconds: length of each; 30 of walking, or an episode of another task, unless given.
        start: how each begins, such as standing or on_back; the twin's first start unless given.
        seed: of the first episode; each further one has the next.
        out: folder of the results; RUN/evaluation unless given, and of several runs `evaluation`
            beside the first.
        perturb: conditions beside the clean one, with commas between them: push, payload,
            friction, sensor_latency, command_latency or light at their usual strengths,
            KIND=STRENGTH, several joined by +, or all.
        changes: change one key of the robot, such as twin.friction=0.4.
    """

    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN...")]
    twin: Engine = None
    episodes: int = 10
    seconds: float | None = None
    start: str = ""
    seed: Seed = 0
    out: Path | None = None
    perturb: Annotated[tuple[str, ...], UseAppendAction, arg(metavar="CONDITION,...")] = ()
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        with loading("evaluating"):
            from launch.evaluate import run_evaluate
        from launch.trial import Trial
        from launch.whole import check_place

        if self.out is not None:
            check_place(self.out / "report.html", "--out")
        twin = self.twin or ""
        trial = Trial(twin, self.episodes, self.seconds, self.start, self.seed, self.changes)
        return run_evaluate(self.runs, trial, self.out, self.perturb)
