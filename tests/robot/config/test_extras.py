"""One way to say how an extra is installed, and only extras that exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

from robot.config.extras import how_to_install

ROOT = Path(__file__).parents[3]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SOURCES = [p for room in ("robot", "sim", "learner", "launch") for p in (ROOT / room).rglob("*.py")]
TEXTS = [*(ROOT.glob("*.md")), *SOURCES]


def test_the_command_is_that_of_the_makefile_for_another_extra():
    install = re.search(r"\$\(BIN\)/(pip install .*dev.*)", (ROOT / "Makefile").read_text())
    assert install is not None
    said = install[1].replace("--quiet ", "").replace("--constraint", "-c")
    assert shlex.split(how_to_install("dev")) == shlex.split(
        ".venv/bin/" + said.replace("--editable", "-e")
    )


def test_every_extra_that_a_message_names_exists():
    said = "\n".join(path.read_text() for path in TEXTS)
    named = set(re.findall(r"how_to_install\([\"'](\w+)[\"']\)", said))
    named |= set(re.findall(r"\bneed\(\"\w+\", \"(\w+)\"\)", said))
    named |= {
        extra for group in re.findall(r"\.\[([\w,]+)\]\"", said) for extra in group.split(",")
    }
    assert named <= EXTRAS.keys()
    assert {"dmc", "baselines", "parquet", "lerobot", "rerun", "minari", "pybullet"} <= named


def test_nothing_tells_to_install_from_a_registry_where_the_project_is_not():
    wrong = re.compile(r"pip install '?(reverie|\.)\[")
    assert [path.name for path in TEXTS if wrong.search(path.read_text())] == []
