"""The documents say what is so: files, commands, streams, systems, packages, limits and numbers."""

from __future__ import annotations

import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from launch import cli
from launch.commands import COMMANDS
from learner.systems import SYSTEMS
from robot.body.limits import AT_TORQUE_LIMIT, VELOCITY_DAMPING_S
from robot.body.sensing import BEYOND_STOPS
from robot.config import Control, Safety, load_config
from robot.wire.streams import STREAMS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "SAFETY.md", "CONTRIBUTING.md")
PLACES = ("robot", "sim", "learner", "launch", "tests", "docs", "hardware_configs")
A1 = load_config(ROOT / "hardware_configs/a1.yaml")


def text(document: str) -> str:
    return (ROOT / document).read_text()


def section(document: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its kind."""
    return text(document).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def tables(part: str) -> list[list[str]]:
    """Rows of all tables, cells without marks; headings and rules are left out."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [i for i, row in enumerate(rows) if set("".join(row)) <= set("-:")]
    return [row for i, row in enumerate(rows) if i not in rules and i + 1 not in rules]


def bare(cell: str) -> str:
    return cell.replace("`", "")


def mentioned(document: str) -> set[str]:
    """Files and folders of the project that a document names."""
    said = text(document)
    names = set(re.findall(r"`([\w./-]+)`", said)) | set(re.findall(r"\]\(([\w./-]+)\)", said))
    names |= set(re.findall(r"\s((?:hardware_configs|docs)/[\w./-]+)", said))
    return {
        name
        for name in names
        if name.split("/")[0] in PLACES
        and "/" in name
        or name.endswith((".md", ".toml", "constraints.txt", "LICENSE", "Makefile"))
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_exists(document: str) -> None:
    names = mentioned(document)
    assert len(names) > 3
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_a_document_names_exists(document: str) -> None:
    named = set(re.findall(r"`reverie ([a-z]+)", text(document)))
    named |= set(re.findall(r"^ {4}reverie ([a-z]+)", text(document), re.M))
    assert named <= COMMANDS.keys()
    targets = set(re.findall(r"^(\w[\w-]*):", text("Makefile"), re.M))
    assert set(re.findall(r"(?:`| {4})make ([\w-]+)", text(document))) <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_line_that_can_be_copied_parses(document: str) -> None:
    lines = re.findall(r"^ {4}reverie (.+)$", text(document), re.M)
    lines += re.findall(r"`reverie ([a-z]+ [\w/.]+\.yaml[^`]*)`", text(document))
    for line in lines:
        words = shlex.split(line, comments=True)
        if "--help" not in words:
            assert isinstance(cli.parse(words), COMMANDS[words[0]])


def test_the_readme_tells_the_two_commands_and_shows_pictures() -> None:
    said = text("README.md")
    assert re.search(r"^ {4}make run\b", said, re.M) and re.search(r"^ {4}make test\b", said, re.M)
    assert re.search(r"!\[[^\]]+\]\(docs/results/[\w.]+\)", said)
    run = ("a1", "reverie", "mujoco", "realtime", "0")
    assert f"runs/{'-'.join(run)}" in said  # as `reverie train` names it


def test_the_table_of_streams_is_that_of_the_code() -> None:
    rows = tables(section("ARCHITECTURE.md", "Processes and streams"))
    found = {bare(row[0]): [bare(cell) for cell in row[1:]] for row in rows if len(row) == 8}
    assert list(found) == list(STREAMS)
    for name, row in STREAMS.items():
        rate = f"{row.rate:g}" if isinstance(row.rate, float) else row.rate or "when said"
        queue = "latest only" if row.latest_only else str(row.high_water)
        cells = ["/".join(row.pattern), row.sender, row.receiver, rate, queue, row.when_full]
        assert found[name] == [*cells, row.topic], name


def test_the_diagram_of_processes_is_that_of_the_code() -> None:
    edges = re.findall(r"^ +(\w+) -- (\w+) --> (\w+)$", text("ARCHITECTURE.md"), re.M)
    assert {edge[1]: (edge[0], edge[2]) for edge in edges} == {
        name: (row.sender, row.receiver) for name, row in STREAMS.items()
    }


def test_the_processes_are_commands() -> None:
    rows = tables(section("ARCHITECTURE.md", "Processes and streams"))
    found = {row[0]: row[1] for row in rows if len(row) == 4}
    ends = {end for row in STREAMS.values() for end in (row.sender, row.receiver)} - {"any"}
    assert found.keys() == ends
    for command in found.values():
        assert set(re.findall(r"[a-z]+", command)) - {"reverie"} <= COMMANDS.keys()


def test_the_table_of_systems_is_that_of_the_code() -> None:
    rows = tables(section("ARCHITECTURE.md", "Systems are lists of parts"))
    said = {bare(row[0]): bare(row[1]).split(", ") for row in rows}
    assert said == {name: list(system.presets) for name, system in SYSTEMS.items()}


def test_every_dependency_has_its_reason_and_nothing_else_has_one() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]["dependencies"]
    names = {re.match(r"[\w-]+", line)[0] for line in project}  # pyright: ignore
    section_name = next(h for h in headings("ARCHITECTURE.md") if h.startswith("Dependencies"))
    rows = tables(section("ARCHITECTURE.md", section_name))
    assert {row[0] for row in rows} == names
    assert all(len(row[1]) > 10 for row in rows)


def headings(document: str) -> list[str]:
    return re.findall(r"^## (.+)$", text(document), re.M)


def test_the_map_of_folders_names_every_module() -> None:
    said = re.findall(r"[\w*]+", section("ARCHITECTURE.md", "Folders, and who may import whom"))
    patterns = {word for word in said if re.fullmatch(r"\w+\*", word)}
    paths = [p for package in ("robot", "sim", "learner") for p in (ROOT / package).rglob("*.py")]
    unnamed = [
        str(path.relative_to(ROOT))
        for path in paths
        if path.stem not in ("__init__", *said)
        and not {"drivers", "standin"} & set(path.parts)  # one file per machine
        and not any(fnmatch(path.stem, pattern) for pattern in patterns)
    ]
    assert unnamed == []


def ms(periods: int, hz: float) -> str:
    return f"{periods * 1000 / hz:g} ms"


def reactions() -> dict[str, tuple[str, ...]]:
    """Words that tell a row of the safety table, and the numbers that must stand in it."""
    safety, control = A1.safety, A1.control
    joint = A1.joints["FR_hip"]
    fast = f"{joint.velocity * safety.velocity_margin:g} rad/s"
    hold = f"{safety.hold_s:g} s"
    return {
        "not finite, has a wrong shape": (f"{safety.bad_commands} in a row",),
        "a target moves faster": (f"{safety.command_rate_rad_s:g} rad/s",),
        "from the measured angle, or": (f"{control.clip_to_measured_rad:g} rad",),
        "a joint is faster": (fast, f"{VELOCITY_DAMPING_S * 1000:g} ms"),
        "at 98%": (f"{AT_TORQUE_LIMIT:.0%}", f"{safety.torque_damping_s:g} s"),
        "tilts": (f"{safety.tilt_min_up:g}",),
        "no fresh reading": (ms(safety.sensor_stale_periods, control.inner_hz), hold),
        "equal readings": (ms(safety.sensor_frozen_periods, control.inner_hz), hold),
        "beyond its stops": (f"{BEYOND_STOPS['rad']:g} rad", hold),
        "no command for": (ms(safety.command_stale_periods, control.control_hz), hold),
        "a warning in the status | `safety.temperature": (f"{safety.temperature_warn_c:g} C",),
        "tells no temperature": (f"{safety.temperature_stop_c:g} C",),
        "a warning in the status | `safety.voltage": (f"{safety.voltage_warn_v:g} V",),
        "tells no voltage": (f"{safety.voltage_stop_v:g} V",),
        "a warning (`tests": (f"{safety.weights_warn_s:g} s",),
        "pauses the robot": (f"{safety.weights_hold_s:g} s",),
    }


@pytest.mark.parametrize("words", reactions())
def test_the_numbers_of_the_safety_table_are_those_of_the_a1(words: str) -> None:
    lines = section("SAFETY.md", "What stops it").splitlines()
    found = [line for line in lines if line.startswith("|") and words in line]
    assert len(found) == 1
    for number in reactions()[words]:
        assert re.search(rf"\b{re.escape(number)}", found[0]), number


def test_the_stops_of_joints_that_slide_are_those_of_the_code() -> None:
    assert f"begins {BEYOND_STOPS['m']:g} m behind them" in text("SAFETY.md")


def test_every_key_in_the_safety_document_exists() -> None:
    known = {"safety": Safety.model_fields, "control": Control.model_fields}
    keys = re.findall(r"`(safety|control)\.(\w+)`", text("SAFETY.md"))
    assert len(keys) > 10
    for part, key in keys:
        assert key in known[part], f"{part}.{key}"


def test_the_a1_of_the_safety_document_is_ours() -> None:
    said, joint = text("SAFETY.md"), A1.joints["FR_hip"]
    assert f"The A1 has {len(A1.joints)} motors" in said
    assert f"up to {joint.effort:g} N m and {joint.velocity:g} rad/s" in said
    links = A1.twin.links
    mass = links["trunk"].mass_kg + 4 * sum(links[n].mass_kg for n in ("hip", "thigh", "calf"))
    assert f"It weighs {mass:.2f} kg" in said
    low_pass = A1.control.filter
    assert f"low-pass of order {low_pass.order} at {low_pass.cutoff_hz:g} Hz" in said
    assert "No hardware was ever driven" in said and "No hardware was ever driven" in text(
        "README.md"
    )
