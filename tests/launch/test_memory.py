"""Memory settings of learning processes."""

import os
import subprocess
import sys

import pytest

from launch.memory import SETTINGS, keeping_memory


def test_settings_already_made_are_kept():
    mine = {"MALLOC_TOP_PAD_": "1", "HOME": "/"}
    assert keeping_memory(mine) == {**SETTINGS, **mine}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these settings")
def test_a_process_restarts_once_with_the_settings_and_its_arguments():
    program = (
        "import os, sys; from launch.memory import SETTINGS, restart_keeping_memory; "
        "print('start', os.getpid()); restart_keeping_memory(); "
        "print(os.getpid(), sys.argv[1:], all(os.environ[k] == v for k, v in SETTINGS.items()))"
    )
    bare = {k: v for k, v in os.environ.items() if k not in SETTINGS}
    command = [sys.executable, "-c", program, "--seed", "3"]
    said = subprocess.run(command, env=bare, capture_output=True, text=True, check=True).stdout
    starts, last = said.splitlines()[:-1], said.splitlines()[-1]
    number = starts[0].split()[1]
    assert starts == [f"start {number}"] * 2
    assert last == f"{number} ['--seed', '3'] True"
