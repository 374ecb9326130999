"""The command line: finds the command, and turns expected errors into one clear line."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib.metadata import version

import tyro

from launch.commands import COMMANDS, GROUPS
from launch.memory import restart_keeping_memory
from launch.signals import Ended, ended_as_by_ctrl_c
from launch.usage import USAGE, meant, one_line, overview

PROCESSES = ("body", "camera", "act", "learn")
REFUSED, FAILED, INTERRUPTED = 2, 1, 130
OURS = (
    "__main__",
    "launch",
    "learner",
    "robot",
    "sim",
)  # packages whose messages are meant for users
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
        with ended_as_by_ctrl_c():
            command = parse(arguments)
            _log_as(name)
            return command()
    except SystemExit:
        raise  # help was asked for, which needs none of what follows
    except BrokenPipeError:
        return FAILED  # whoever read the output has left
    except Ended as signal:
        return signal.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except _refusals() as error:
        return _say(name, error, REFUSED)
    except OSError as error:
        if name in PROCESSES:
            logging.getLogger(__name__).error("failed", exc_info=error)
        return _say(name, error, FAILED)


def parse(arguments: Sequence[str]) -> Command:
    """The command that the arguments name, with its options.

    Raises:
        ConfigError: for an unknown command, option or value, in one line.
        SystemExit: with code 0, when help was asked for.
    """
    name, *options = arguments or ("",)
    if name in ("-h", "--help", "help", "--version"):
        print(f"reverie {version('reverie')}" if name == "--version" else overview(GROUPS))
        raise SystemExit(0)
    if name.startswith("--tyro-"):  # completion for shells
        return tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="reverie", args=list(arguments))
    if name not in COMMANDS:
        raise _unknown(name)
    heard = io.StringIO()
    try:
        with redirect_stderr(heard):
            return _parsed(name, options)
    except SystemExit as leaving:
        if not leaving.code:
            raise
        said = one_line(heard.getvalue())
        page = _page(name, options)
        about = USAGE.findall(page)[:1] or [f"reverie {name}"]
        raise _refusal(f"{said}{meant(options, said, page)} (see {about[0]} --help)") from None


def _parsed(name: str, options: Sequence[str]) -> Command:
    return tyro.cli(
        COMMANDS[name],
        prog=f"reverie {name}",
        args=list(options),
        config=(
            tyro.conf.OmitArgPrefixes,
            tyro.conf.FlagCreatePairsOff,
            tyro.conf.DisallowNone,
        ),
    )


def _page(name: str, options: Sequence[str]) -> str:
    """Help of a command, or of the second command that is named behind it."""
    second = [word for word in options[:1] if not word.startswith("-")]
    shown = io.StringIO()
    with suppress(SystemExit), redirect_stdout(shown), redirect_stderr(io.StringIO()):
        _parsed(name, [*second, "--help"])
    return shown.getvalue()


def _unknown(name: str) -> Exception:
    """What is said of a command that does not exist."""
    from robot.config.spelling import did_you_mean

    said = f"no command '{name}'{did_you_mean(name, COMMANDS)}" if name else "name a command"
    return _refusal(f"{said}; there are {', '.join(COMMANDS)} (see reverie --help)")


def _refusal(said: str) -> Exception:
    from robot.config import ConfigError

    return ConfigError(said)


def _refusals() -> tuple[type[Exception], ...]:
    """What is refused in one line; imported when it is needed, for the help does not need it."""
    from robot.config import ConfigError
    from robot.wire.keys import KeyFileError
    from robot.wire.sockets import EndpointInUse
    from robot.wire.streams import EndpointError
    from robot.wire.weights import WeightsError

    return ConfigError, EndpointError, EndpointInUse, KeyFileError, WeightsError


def _log_as(name: str) -> None:
    """Send log messages to stderr; of processes, also what our own parts only mention."""
    logging.basicConfig(format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s")
    if name in PROCESSES:
        for ours in OURS:
            logging.getLogger(ours).setLevel(logging.INFO)


def _say(name: str, error: Exception, code: int) -> int:
    about = f"reverie {name}" if name in COMMANDS else "reverie"
    print(f"{about}: {' '.join(str(error).split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
