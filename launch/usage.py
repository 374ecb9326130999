"""What the command line says of itself: the page of commands, and refusals in one line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence

ABOUT = """usage: reverie COMMAND ...

Robots that learn a model of themselves from minutes of their own experience.

First steps:
  reverie train hardware_configs/a1.yaml --twin mujoco  a simulated robot learns
  reverie stop               in another terminal: every robot here stops
  reverie evaluate RUN       what it has learnt, in films and figures
"""
MORE = "Each command explains itself, with an example: reverie COMMAND --help"
# How tyro begins those parts of an error that repeat the help text.
EXCERPTS = ("For full helptext", "Perhaps you meant", "Argument helptext")
FRAME = str.maketrans(dict.fromkeys("╭╮╰╯│─", " "))
USAGE = re.compile(r"usage: (reverie[a-z ]*[a-z])")
RULE = re.compile(r"[\s─-]+")
OPTION = re.compile(r"^\W*(--[a-z][\w-]*)", re.M)
CHOICE = re.compile(r"'([^']*)' for argument .* one of \((.*)\)")
SUBCOMMAND = re.compile(r"Unrecognized options: ([\w-]+).*Available subcommands: (.*)")


def overview(groups: Mapping[str, Mapping[str, type]]) -> str:
    """The page of all commands, in groups, a line for each."""
    lines = [ABOUT]
    width = max(len(name) for group in groups.values() for name in group)
    for heading, group in groups.items():
        lines.append(f"{heading}:")
        lines += [f"  {name:{width}}  {summary(command)}" for name, command in group.items()]
        lines.append("")
    return "\n".join([*lines, MORE])


def summary(command: type) -> str:
    """First sentence of a command's docstring, without its full stop."""
    return re.split(r"\.\s", inspect.getdoc(command) or "")[0].rstrip(".")


def one_line(panel: str) -> str:
    """A message of tyro's as one line: its parts, without excerpts from the help text.

    Args:
        panel: framed by lines, or parted by dashes where the terminal knows no lines.
    """
    parts: list[list[str]] = [[]]
    for line in panel.splitlines()[1:]:
        if RULE.fullmatch(bare := line.translate(FRAME).strip() or " "):
            parts.append([])
        else:
            parts[-1].append(bare)
    said = [" ".join(" ".join(part).split()) for part in parts]
    kept = [part.rstrip(".") for part in said if part and not part.startswith(EXCERPTS)]
    return re.sub(r"'None', |, 'None'", "", "; ".join(kept))  # it stands for "not given"


def meant(arguments: Sequence[str], refusal: str, page: str) -> str:
    """What a mistyped option, choice or second command probably was, as a question; "" if none.

    Args:
        arguments: as they were typed.
        refusal: in one line.
        page: the command's help.
    """
    from robot.config.spelling import did_you_mean  # a page of help does without

    if found := CHOICE.search(refusal):
        return did_you_mean(found[1], re.findall(r"'([^']*)'", found[2]))
    if found := SUBCOMMAND.search(refusal):
        return did_you_mean(found[1], found[2].split(", "))
    if "Unrecognized options" in refusal:
        known = set(OPTION.findall(page))
        typed = [word.partition("=")[0].replace("_", "-") for word in arguments]
        unknown = [word for word in typed if word.startswith("--") and word not in known]
        return did_you_mean(unknown[0], known) if unknown else ""
    return ""
