import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from robot.wire.log import TRANSITIONS, LogReader

HERE = Path(__file__).parent
STEPS = 4000
KILLS = 12


class Process:
    """A process that can be killed and started again."""

    def __init__(self, script: str, *arguments: object) -> None:
        self.command = [sys.executable, str(HERE / script), *map(str, arguments)]
        self.start()

    def start(self) -> None:
        self.running = subprocess.Popen(self.command, cwd=HERE.parents[2])

    def kill(self) -> None:
        self.running.send_signal(signal.SIGKILL)
        self.running.wait()


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="rv"))
    yield path
    shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_logged_step_is_ingested_once_however_often_either_side_is_killed(folder, seed):
    rng = random.Random(seed)
    learner = Process("learner_victim.py", folder / "s", folder / "ingest")
    robot = Process("robot_victim.py", folder / "s", folder / "log", STEPS)
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.1, 1.5))
            for victim in rng.sample([learner, robot], rng.choice([1, 1, 2])):
                assert victim.running.poll() in (None, 0), "died by itself"
                victim.kill()
                victim.start()
        assert robot.running.wait(60) == 0, "the learner did not acknowledge everything"
    finally:
        learner.kill()
        robot.kill()
    logged = [r.data for r in LogReader(folder / "log", "steps").records(TRANSITIONS)]
    ingested = [r.data for r in LogReader(folder / "ingest", "ingest").records(TRANSITIONS)]
    indices = [s.index for s in LogReader(folder / "ingest", "ingest").transitions()]
    assert indices == list(range(STEPS))
    assert ingested == logged
