"""`reverie logs`: what can be done with logs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitSubcommandPrefixes, Positional, UseAppendAction, arg, subcommand

from launch.commands.importing import Import

Log = Annotated[Positional[Path], arg(metavar="LOG")]
Logs_ = Annotated[Positional[tuple[Path, ...]], arg(metavar="LOG...")]


@dataclass(frozen=True)
class Check:
    """Check that a log is whole and sound: exit code 0 when it is, 1 when not, 2 for no log.

    Example: reverie logs check runs/mine

    Args:
        log: a file, a folder of log files, or a run's folder.
        json: print one JSON object instead of tables.
    """

    log: Log
    json: bool = False

    def __call__(self) -> int:
        """Run it."""
        from launch.logs.check import run_check

        return run_check(self.log, self.json)


@dataclass(frozen=True)
class Info:
    """Show what a log holds: robot, run, minutes, topics, episodes, weights, faults.

    Example: reverie logs info runs/mine

    Args:
        log: a file, a folder of log files, or a run's folder.
        json: print one JSON object instead of tables.
    """

    log: Log
    json: bool = False

    def __call__(self) -> int:
        """Run it."""
        from launch.logs.info import run_info

        return run_info(self.log, self.json)


@dataclass(frozen=True)
class Repair:
    """Make whole files of cut or damaged ones; what is readable is kept byte for byte.

    Example: reverie logs repair runs/mine --in-place

    Args:
        log: a file, a folder of log files, or a run's folder.
        out: folder for whole files; beside the originals unless given.
        in_place: put them in the originals' place, and keep those as FILE.damaged.
        force: replace files that are there.
    """

    log: Log
    out: Path | None = None
    in_place: bool = False
    force: bool = False

    def __call__(self) -> int:
        """Run it."""
        from launch.logs.repair import run_repair

        return run_repair(self.log, self.out, self.in_place, self.force)


@dataclass(frozen=True)
class Cut:
    """Write a part of a log as a log of its own.

    Example: reverie logs cut runs/mine --minutes 2:5.5 --out runs/minutes

    Args:
        log: a file, a folder of log files, or a run's folder.
        out: folder to write.
        episodes: FIRST:END, by their numbers; END is not taken; either may be left out.
        minutes: FROM:TO of robot time, from the log's first step on.
        indices: FIRST:END of transitions.
        force: replace a folder of logs.
    """

    log: Log
    out: Path
    episodes: str = ""
    minutes: str = ""
    indices: str = ""
    force: bool = False

    def __call__(self) -> int:
        """Run it."""
        from launch.logs.cut import run_cut

        chosen = {"episodes": self.episodes, "minutes": self.minutes, "indices": self.indices}
        return run_cut(self.log, self.out, chosen, self.force)


@dataclass(frozen=True)
class Merge:
    """Join logs, of one run or of several, into one folder; each transition comes once.

    Example: reverie logs merge runs/mine/log runs/mine/ingest --out runs/all

    Args:
        logs: files, folders of log files, or runs' folders; what two hold counts from the first.
        out: folder to write.
        force: replace a folder of logs.
    """

    logs: Logs_
    out: Path
    force: bool = False

    def __call__(self) -> int:
        """Run it."""
        from launch.logs.merge import run_merge

        return run_merge(self.logs, self.out, self.force)


@dataclass(frozen=True)
class Prune:
    """Drop topics, old episodes or unused weights; shows first what would go, then asks.

    Example: reverie logs prune runs/mine --topics '/frames/*' --unused-weights

    Args:
        log: a file, a folder of log files, or a run's folder.
        topics: topics to drop; * stands for anything.
        keep_episodes: drop all but the newest so many; 0 keeps all.
        unused_weights: drop weights that no transition was made with, but for the newest.
        yes: do not ask.
    """

    log: Log
    topics: Annotated[tuple[str, ...], UseAppendAction, arg(metavar="TOPIC")] = ()
    keep_episodes: int = 0
    unused_weights: bool = False
    yes: bool = False

    def __call__(self) -> int:
        """Run it."""
        from launch.logs.prune import run_prune

        return run_prune(self.log, self.topics, self.keep_episodes, self.unused_weights, self.yes)


Task = (
    Annotated[Check, subcommand("check")]
    | Annotated[Info, subcommand("info")]
    | Annotated[Repair, subcommand("repair")]
    | Annotated[Cut, subcommand("cut")]
    | Annotated[Merge, subcommand("merge")]
    | Annotated[Prune, subcommand("prune")]
    | Annotated[Import, subcommand("import")]
)


@dataclass(frozen=True)
class Logs:
    """Check, show, repair, cut, merge, prune logs, import recordings.

    Example: reverie logs check runs/mine

    Args:
        task: what to do.
    """

    task: OmitSubcommandPrefixes[Task]

    def __call__(self) -> int:
        """Run it."""
        return self.task()
