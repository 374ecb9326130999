"""The commands of `reverie`, one class each: its options, and the one function that it calls.

What a command needs is imported when it runs, so that `reverie --help` is quick and one broken
part leaves the other commands whole.
"""

from __future__ import annotations

from launch.commands.comparing import Compare
from launch.commands.exchanging import Export
from launch.commands.exploring import Adapt, Exploration
from launch.commands.learning import Evaluate, Learn, Train
from launch.commands.logs import Logs
from launch.commands.measuring import Bench, Curves, Result, Velocity
from launch.commands.motion import Dynamics
from launch.commands.replaying import Replay
from launch.commands.rivals import Baseline
from launch.commands.robots import Act, Body, Camera, Doctor, Keys, Pause, Resume, Stop

# As `reverie --help` shows them: what for, and the commands for it.
GROUPS: dict[str, dict[str, type]] = {
    "Learn, on a robot, its twin, in an environment or from logs": {
        "train": Train,
        "learn": Learn,
        "adapt": Adapt,
        "baseline": Baseline,
    },
    "Operate a robot": {
        "stop": Stop,
        "pause": Pause,
        "resume": Resume,
        "body": Body,
        "camera": Camera,
        "act": Act,
    },
    "Logs and other people's data": {
        "logs": Logs,
        "replay": Replay,
        "export": Export,
        "dynamics": Dynamics,
    },
    "Judge what was learnt": {
        "evaluate": Evaluate,
        "compare": Compare,
        "exploration": Exploration,
        "result": Result,
        "curves": Curves,
    },
    "Check and measure": {
        "doctor": Doctor,
        "bench": Bench,
        "velocity": Velocity,
        "keys": Keys,
    },
}
COMMANDS: dict[str, type] = {
    name: command for group in GROUPS.values() for name, command in group.items()
}
