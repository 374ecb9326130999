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

COMMANDS: dict[str, type] = {
    "train": Train,
    "baseline": Baseline,
    "evaluate": Evaluate,
    "adapt": Adapt,
    "stop": Stop,
    "pause": Pause,
    "resume": Resume,
    "body": Body,
    "camera": Camera,
    "act": Act,
    "learn": Learn,
    "doctor": Doctor,
    "logs": Logs,
    "bench": Bench,
    "replay": Replay,
    "exploration": Exploration,
    "compare": Compare,
    "result": Result,
    "curves": Curves,
    "velocity": Velocity,
    "dynamics": Dynamics,
    "export": Export,
    "keys": Keys,
}
