"""What a LOG argument names: a file, a folder of log files, or a run's folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from launch.logs.survey import Survey, survey
from launch.run_folder import RunFolder
from robot.config import ConfigError
from robot.wire.bulk import Bulk
from robot.wire.log.names import log_files

FORM = re.compile(r"([\w-]+?)-\d{4,}\.mcap")
WEIGHTS = "weights"
LONG = 50_000_000  # bytes from which on reading takes a while


@dataclass(frozen=True)
class Log:
    """One log.

    Args:
        path: what was named, or the folder in it where the files lie.
        name: of the log, such as "robot"; that of the file where one file was named.
        files: oldest first.
    """

    path: Path
    name: str
    files: tuple[Path, ...]

    @property
    def store(self) -> Path:
        """Folder of the weights that the log tells of."""
        return (self.path if self.path.is_dir() else self.path.parent) / WEIGHTS


@dataclass
class Surveyed:
    """A log and what a pass over each of its files found; `bulk` numbers streams and forms."""

    log: Log
    files: list[Survey]
    bulk: Bulk

    @property
    def about(self) -> dict[str, str]:
        """What the first file that says anything says of its run."""
        return next((f.about["about"] for f in self.files if "about" in f.about), {})


def find_logs(path: Path) -> list[Log]:
    """The logs that an argument names; a run has its robot's and perhaps its learner's.

    Raises:
        ConfigError: when there is none.
    """
    if path.is_file():
        match = FORM.fullmatch(path.name)
        return [Log(path, match[1] if match else path.stem, (path,))]
    if not path.exists():
        raise ConfigError(f"LOG {path}: there is no such file or folder")
    run = RunFolder(path)
    folders = [path, run.log, run.ingest]
    found = [log for folder in folders if folder.is_dir() for log in _logs_in(folder)]
    if not found:
        raise ConfigError(f"LOG {path}: holds no log, such as robot-0000.mcap")
    return found


def find_log(path: Path) -> Log:
    """As `find_logs`, where one log is meant: that of the robot in a run's folder.

    Raises:
        ConfigError: when there is none, or a folder holds several.
    """
    found = find_logs(path)
    nearest = [log for log in found if log.path == found[0].path]
    if len(nearest) > 1:
        names = ", ".join(log.name for log in nearest)
        raise ConfigError(f"LOG {path}: holds several logs, {names}; name the files of one")
    return nearest[0]


def _logs_in(folder: Path) -> list[Log]:
    matches = [FORM.fullmatch(path.name) for path in sorted(folder.iterdir())]
    names = dict.fromkeys(match[1] for match in matches if match)
    return [Log(folder, name, tuple(log_files(folder, name))) for name in names]


def survey_log(log: Log, what: str = "reading") -> Surveyed:
    """Read through all files of a log, with a progress bar.

    Raises:
        ConfigError: when none of its files is a log.
        OSError: when a file cannot be read.
    """
    bulk = Bulk()
    found = Surveyed(log, [], bulk)
    with bar(what, sum(path.stat().st_size for path in log.files)) as show:
        for path in log.files:
            before = sum(file.size for file in found.files)
            found.files.append(survey(path, bulk, lambda done, at=before: show(at + done)))
    if not any(file.is_log for file in found.files):
        raise ConfigError(f"LOG {log.path}: is no log: it does not begin as MCAP files do")
    return found


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar of bytes on stderr, where there are many; it is told how many are done."""
    if total < LONG:
        yield lambda done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), transient=True, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
