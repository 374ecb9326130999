"""The log of a run: where it lies, what its files say of themselves, what stands beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from launch.compose import plan_spec
from launch.environments import AnyPlan, EnvironmentPlan
from launch.run_folder import RunFolder, versions
from robot.config import LogConfig
from robot.policy.journal import LOG_NAME
from robot.policy.plots import Plots
from robot.policy.weights_log import WeightsLog
from robot.wire.log import LogWriter, Rotation
from robot.wire.spec import RobotSpec

ROOT = Path(__file__).resolve().parent.parent
# They have no YAML to say it in, and such runs are many: ours.
OF_ENVIRONMENTS = LogConfig(weights_mb=256.0)


class Records:
    """What a robot process, or a run in lock-step, writes to.

    Args:
        plan: of the run.
        folder: of the run.
        drawn: whose randomness begins where: seeds, and what was drawn before the first step.

    Attributes:
        settings: how the log is kept.
        log: its writer.
        weights: those that drove the robot.
        plots: figures of each step.
    """

    def __init__(self, plan: AnyPlan, folder: RunFolder, drawn: Mapping[str, int]) -> None:
        self.settings = log_settings(plan)
        rotation = Rotation(self.settings.file_mb * 1e6, self.settings.file_minutes)
        self.log = LogWriter(folder.log, LOG_NAME, about(plan, drawn), rotation)
        self.weights = WeightsLog(self.log, self.settings.weights_mb)
        self.plots = Plots(self.log)


def log_settings(plan: AnyPlan) -> LogConfig:
    """How the log of a plan is kept."""
    return OF_ENVIRONMENTS if isinstance(plan, EnvironmentPlan) else plan.robot.log


def about(plan: AnyPlan, drawn: Mapping[str, int]) -> dict[str, str]:
    """What every file of a run's log says of the run, as JSON texts by name.

    `plan` holds the whole configuration of robot and learner, `log` how the log is kept, `versions`
    those of packages, `commit` that of this code where it is known, `spec` what is observed and
    done, `random` seeds and what was drawn before the first step.
    """
    said = {
        "plan": plan.as_dict(),
        "log": log_settings(plan).model_dump(mode="json"),
        "versions": versions(),
        "commit": commit(),
        "spec": described(plan_spec(plan)),
        "random": {"seed": plan.seed, **drawn},
    }
    return {name: json.dumps(value) for name, value in said.items()}


def described(spec: RobotSpec) -> dict[str, object]:
    """A spec as plain data."""
    return {
        "fingerprint": spec.fingerprint(),
        "control_hz": spec.control_hz,
        "observation": {key: each.describe() for key, each in spec.observation.items()},
        "action": spec.action.describe(),
    }


def commit() -> str:
    """Commit of this code, "" where it does not lie in a repository of its own."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    if not (ROOT / ".git").exists():
        return ""
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
