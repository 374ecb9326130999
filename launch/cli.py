"""The command line: finds the command, and turns expected errors into one clear line."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr

import tyro

from launch.commands import COMMANDS
from launch.memory import restart_keeping_memory
from robot.config import ConfigError
from robot.wire.keys import KeyFileError
from robot.wire.sockets import EndpointInUse
from robot.wire.streams import EndpointError
from robot.wire.weights import WeightsError

ABOUT = """Robots that learn a model of themselves from minutes of their own experience.

First steps: reverie train hardware_configs/a1.yaml --twin mujoco, then reverie evaluate RUN.
In another terminal, reverie stop stops every robot. Each command explains itself:
reverie COMMAND --help."""
REFUSALS = (ConfigError, EndpointError, EndpointInUse, KeyFileError, WeightsError)
PROCESSES = ("body", "camera", "act", "learn")
REFUSED, FAILED, INTERRUPTED = 2, 1, 130
# How tyro begins those parts of an error that repeat the help text.
EXCERPTS = ("For full helptext", "Perhaps you meant", "Argument helptext")
FRAME = str.maketrans(dict.fromkeys("╭╮╰╯│─", " "))

LEARNING = ("train", "learn")

Command = Callable[[], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0 when all went well, 2 when nothing was begun.

    An expected error is one line on stderr. What nobody expected keeps its traceback.
    """
    typed = arguments is None
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name = arguments[0] if arguments else ""
    if typed and name in LEARNING:  # never where main is called with arguments: whose process is it
        restart_keeping_memory()
    try:
        command = parse(arguments)
        _log_as(name)
        return command()
    except REFUSALS as error:
        return _say(name, error, REFUSED)
    except BrokenPipeError:
        return FAILED  # whoever read the output has left
    except OSError as error:
        if name in PROCESSES:
            logging.getLogger(__name__).error("failed", exc_info=error)
        return _say(name, error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED


def parse(arguments: Sequence[str]) -> Command:
    """The command that the arguments name, with its options.

    Raises:
        ConfigError: for an unknown command, option or value, in one line.
        SystemExit: with code 0, when help was asked for.
    """
    heard = io.StringIO()
    try:
        with redirect_stderr(heard):
            return tyro.extras.subcommand_cli_from_dict(
                COMMANDS,
                prog="reverie",
                description=ABOUT,
                args=list(arguments),
                config=(
                    tyro.conf.OmitArgPrefixes,
                    tyro.conf.FlagCreatePairsOff,
                    tyro.conf.DisallowNone,
                ),
            )
    except SystemExit as leaving:
        if not leaving.code:
            raise
        about = arguments[0] if arguments and arguments[0] in COMMANDS else ""
        hint = " ".join(filter(None, ("reverie", about, "--help")))
        raise ConfigError(f"{one_line(heard.getvalue())} (see {hint})") from None


def one_line(panel: str) -> str:
    """A framed message as one line: its parts, without excerpts from the help text."""
    rows = [line.translate(FRAME).strip() for line in panel.splitlines()[1:]]
    parts = "\n".join(rows).split("\n\n")
    said = [" ".join(part.split()) for part in parts]
    kept = [part.rstrip(".") for part in said if part and not part.startswith(EXCERPTS)]
    return re.sub(r"'None', |, 'None'", "", "; ".join(kept))  # it stands for "not given"


def _log_as(name: str) -> None:
    """Send log messages to stderr; processes tell more than commands with a display."""
    level = logging.INFO if name in PROCESSES else logging.WARNING
    form = f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level, format=form)


def _say(name: str, error: Exception, code: int) -> int:
    about = f"reverie {name}" if name in COMMANDS else "reverie"
    print(f"{about}: {' '.join(str(error).split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
