"""`reverie logs import`: turn a recording into a log, and say what it lacks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from launch.exchange.lerobot_layout import is_lerobot
from launch.importing.columns import draw_together
from launch.importing.daydreamer import is_daydreamer, read_daydreamer
from launch.importing.episode import describe
from launch.importing.map import RecordingMap, read_map
from launch.importing.recording import Recording, read_recording
from launch.importing.stretches import Fault
from launch.importing.writing import write_log
from robot.config import ConfigError

SHOWN = 20
KEPT = 1000  # faults that the log itself remembers


def run_import(
    files: Sequence[Path],
    out: Path,
    map: Path | None = None,
    changes: Sequence[str] = (),
    hz: float | None = None,
    robot: str = "",
) -> int:
    """Import recordings into a new log.

    Args:
        files: CSV, Parquet or npz; a folder stands for the npz files in it, or is one
            LeRobotDataset.
        out: folder of the log.
        map: what the columns mean; not for DayDreamer's episodes.
        changes: `key=value` changes of the map.
        hz: decisions per second of DayDreamer's episodes, which do not tell it.
        robot: their robot's name.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: naming file, key, value and what is allowed; nothing is written then.
    """
    if map is None and len(files) == 1 and is_lerobot(files[0]):
        from launch.exchange.lerobot_import import import_lerobot  # needs an extra

        return import_lerobot(files[0], out)
    files = _files(files)
    if out.exists():
        raise ConfigError(f"--out {out}: is there already; name a new folder")
    if map is not None:
        plan = read_map(map, changes)
        return _import(read_recording(files, plan), files, out, plan.robot, plan)
    other = [file for file in files if not is_daydreamer(file)]
    if other:
        raise ConfigError(f"{other[0]}: is no episode of DayDreamer; say by --map what it holds")
    if hz is None or hz <= 0 or not robot:
        raise ConfigError("--hz and --robot: name decisions per second, above 0, and the robot")
    return _import(read_daydreamer(files, robot, hz), files, out, robot, None)


def _files(named: Sequence[Path]) -> list[Path]:
    if not named:
        raise ConfigError("name at least one recording")
    found: list[Path] = []
    for path in named:
        inside = sorted(path.glob("*.npz")) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"{path}: holds no npz file")
        found += inside
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise ConfigError(f"{missing[0]}: there is no such file")
    return found


def _import(
    found: Recording, files: Sequence[Path], out: Path, robot: str, plan: RecordingMap | None
) -> int:
    steps, console = sum(lengths(found)), Console()
    with Progress(transient=True, console=console) as progress:
        bar = progress.add_task("writing", total=steps)
        write_log(
            out,
            robot,
            found.spec.control_hz,
            found.episodes,
            _about(found, files, plan),
            lambda: progress.advance(bar),
        )
    _say(console, found, out, plan)
    return 0


def lengths(found: Recording) -> list[int]:
    """Steps of each episode."""
    return [len(episode) for episode in found.episodes]


def _about(found: Recording, files: Sequence[Path], plan: RecordingMap | None) -> dict[str, str]:
    data = {
        "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "map": plan.model_dump(mode="json") if plan else "DayDreamer's episodes",
        "faults": [asdict(fault) for fault in found.faults[:KEPT]],
        "faults_in_all": len(found.faults),
        "unused_columns": found.unused,
    }
    spec = describe(found.spec)
    return {
        "spec": spec,
        "import": json.dumps(data),
        "versions": json.dumps({"reverie": version("reverie")}),
    }


def _say(console: Console, found: Recording, out: Path, plan: RecordingMap | None) -> None:
    steps, hz = sum(lengths(found)), found.spec.control_hz
    invalid = sum(int((~e.valid).sum()) for e in found.episodes)
    console.print(
        f"{out}: {steps} steps at {hz:g} Hz ({steps / hz:.1f} s), {invalid} of them not valid, "
        f"in {len(found.episodes)} episodes",
        highlight=False,
    )
    for key, spec in {**found.spec.observation, "action": found.spec.action}.items():
        how = f", {plan.signals[name].resample}" if plan and (name := _key(plan, key)) else ""
        console.print(f"  {key}: {spec.shape} in {spec.unit}{how}", highlight=False)
    if plan and plan.notes:
        console.print(f"  note: {' '.join(plan.notes.split())}", highlight=False)
    if found.unused:
        console.print(f"  columns not used: {draw_together(found.unused)}", highlight=False)
    if found.faults:
        console.print(fault_table(found.faults))
    else:
        console.print("  no gap and no missing number", highlight=False)


def _key(plan: RecordingMap, key: str) -> str:
    return key if key in plan.signals else f"observation.{key}"


def fault_table(faults: Sequence[Fault]) -> Table:
    """Where numbers or time are missing, and for how long."""
    table = Table("file", "what", "row", "rows", "at, s", "length, s", "where")
    for fault in faults[:SHOWN]:
        numbers = (str(fault.row), str(fault.rows), f"{fault.at_s:.3f}", f"{fault.length_s:.3f}")
        table.add_row(fault.file, fault.kind, *numbers, fault.what)
    if len(faults) > SHOWN:
        table.caption = f"and {len(faults) - SHOWN} more, in the log"
    return table
