"""The body process as a process: started, stopped, killed and crowded."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from launch.stop import run_word, say
from robot.body.drivers.fake import FakeBody
from robot.clock import Pace, RealClock
from robot.config import load_config
from robot.wire.codec import decode, encode, envelope
from robot.wire.link import Sample
from robot.wire.messages import Command, Frame, OperatorAck, OperatorWord
from robot.wire.sockets import Port, open_receiver, open_sender
from robot.wire.streams import Endpoints
from sim.standin.unitree_a1 import A1StandIn

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
A1 = ROOT / "hardware_configs" / "a1.yaml"
CONFIG = load_config(A1)
FOLD = np.array([CONFIG.poses["fold"][name] for name in CONFIG.joints])
PATIENCE_S = 60.0


class Place:
    """A folder of sockets, a run folder, and the processes started there."""

    def __init__(self, folder: Path) -> None:
        self.sockets, self.run = folder / "s", folder / "run"
        self.endpoints = Endpoints("a1", {}, self.sockets)
        self.started: list[subprocess.Popen[str]] = []

    def start(self, call: str, before: str = "", stdin: str | None = None) -> subprocess.Popen[str]:
        """Start `call`, a line of Python that returns an exit code."""
        lines = [
            "import sys",
            "from pathlib import Path",
            "from launch.body import Robot, run_body, run_camera",
            before,
            f"config, run = Path({str(A1)!r}), Path({str(self.run)!r})",
            f"sys.exit({call})",
        ]
        made = subprocess.Popen(
            [sys.executable, "-c", "\n".join(lines)],
            cwd=ROOT,
            env={**os.environ, "REVERIE_SOCKETS": str(self.sockets), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if stdin is not None and made.stdin is not None:
            made.stdin.write(stdin)
            made.stdin.flush()
        self.started.append(made)
        return made

    def start_body(self, *changes: str, before: str = "") -> subprocess.Popen[str]:
        """Start the body process on the fake twin."""
        robot = f"Robot(config, twin='fake', run=run, set={changes!r})"
        return self.start(f"run_body({robot})", before)

    def ledger(self, process: str) -> dict:
        return json.loads((self.run / f"{process}.json").read_text())

    def close(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def place(tmp_path_factory, monkeypatch) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("b"))
    monkeypatch.setenv("REVERIE_SOCKETS", str(made.sockets))
    yield made
    made.close()


class Ear:
    """Hears the sensors."""

    def __init__(self, place: Place) -> None:
        self._port: Port = open_receiver(place.endpoints, "sensors")

    def until(self, state: str) -> Sample:
        """Wait for a sample in this state."""
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            if self._port.wait(0.1):
                for data in self._port.take():
                    sample = decode(data, Sample)
                    if sample.status.state == state:
                        return sample
        raise TimeoutError(f"the body never became {state}")

    def take(self, count: int) -> list[Sample]:
        """The next samples."""
        found: list[Sample] = []
        while len(found) < count and self._port.wait(PATIENCE_S):
            found += [decode(data, Sample) for data in self._port.take()]
        return found

    def close(self) -> None:
        self._port.close()


@pytest.fixture
def ear(place) -> Iterator[Ear]:
    made = Ear(place)
    yield made
    made.close()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a process that ends by itself."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def test_stop_is_acknowledged_within_50_ms_and_stays_until_resume(place, ear):
    place.start_body()
    ear.until("ready")
    port = open_sender(place.endpoints, "operator")
    for number in range(20):
        said = OperatorWord("stop", "the test", time.monotonic_ns())
        while not port.send(encode(said, number)):  # not connected yet: nobody could hear it
            assert ear.take(1)
            said = OperatorWord("stop", "the test", time.monotonic_ns())
        assert port.wait(PATIENCE_S)
        (data,) = port.take()
        ack = decode(data, OperatorAck)
        assert (ack.word, ack.stamp_ns, ack.state) == ("stop", said.stamp_ns, "stopped")
        assert envelope(data).monotonic_ns - said.stamp_ns < 50_000_000
    port.close()
    assert ear.until("stopped").status.reason == "stopped by the test"
    assert say("resume", place.endpoints).state == "rising"
    ear.until("ready")


def test_commands_are_followed_and_the_ledger_tells_how(place, ear):
    process = place.start_body()
    first = ear.until("ready")
    port = open_sender(place.endpoints, "command")
    assert np.abs(first.status.target - FOLD).max() < 0.1
    clock = RealClock()
    pace = Pace(20, clock)
    for number in range(40):
        pace.wait()
        sample = ear.take(1)[-1]
        command = Command(number, clock.now_ns(), sample.reading.stamp_ns, FOLD)
        port.send(encode(command, number))
    active = ear.until("active")
    assert active.status.command_sequence >= 30
    ear.until("damping")  # commands ceased: hold, then damping
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 0
    ledger = place.ledger("body")
    assert (ledger["process"], ledger["robot"], ledger["left"]) == ("body", "a1", "SIGINT")
    assert ledger["counts"]["command_stale"] == 1
    assert 0 < ledger["latency_ms"]["sensor_to_command"]["p50"] < 25
    assert ledger["sent"]["sensors"] == ledger["inner_loop"]["ticks"] // 5
    assert ledger["dropped"] == {"sensors": 0, "command": 0, "operator": 0, "twin_state": 0}
    assert "garbage collector off" in ledger["scheduling"]
    port.close()


def test_unreadable_commands_lead_to_damping(place, ear):
    place.start_body()
    ear.until("ready")
    port = open_sender(place.endpoints, "command")
    rng = np.random.default_rng(0)
    for _ in range(500):
        port.send(rng.bytes(200))
        sample = ear.take(8)[-1]
        if sample.status.state == "damping":
            break
    assert "3 bad commands in a row" in sample.status.reason
    port.close()


def test_a_second_body_of_the_same_robot_is_refused_in_one_line(place, ear):
    first = place.start_body()
    ear.until("ready")
    code, out, err = ended(place.start_body())
    assert (code, out) == (2, "")
    said = f"reverie body: robot 'a1' already has a body process on this computer (pid {first.pid})"
    assert err.strip() == said
    assert len(ear.take(20)) >= 20  # the first one did not notice


def test_a_port_in_use_is_refused_in_one_line(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        code, out, err = ended(place.start_body(f"endpoints.command='{endpoint}'"))
    assert (code, out) == (2, "")
    assert err.strip() == f"reverie body: {endpoint} is in use by another process"
    assert not place.run.exists()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("run_body(Robot(Path('none.yaml'), twin='fake'))", "no robot configuration at none.yaml"),
        ("run_body(Robot(config, twin='gazebo'))", "unknown twin 'gazebo'; there are mujoco"),
        ("run_body(Robot(config, twin='fake', set=('a.b=1',)))", "unknown key a; allowed here:"),
        ("run_camera(Robot(config, twin='fake'), 'rear')", "unknown camera 'rear'; a1 has front"),
        ("run_body(Robot(config, twin='fake', keys=Path('none')))", "no keys at none"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_started(place, call, said):
    code, out, err = ended(place.start(call))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not list(place.sockets.glob("*/*"))


def test_a_killed_body_can_be_started_again(place, ear):
    first = place.start_body()
    ear.until("ready")
    first.kill()
    first.wait()
    place.start_body()
    ear.until("rising")


def test_stop_without_a_robot_says_so(place, capsys):
    assert run_word("stop") == 2
    assert "no robot runs here" in capsys.readouterr().out


def test_stop_reaches_every_robot_here(place, ear, capsys):
    place.start_body()
    place.start_body("robot=b1")
    ear.until("ready")
    while not (place.sockets / "b1" / "operator").exists():
        ear.take(1)
    assert run_word("stop") == 0
    assert capsys.readouterr().out == "a1: stopped\nb1: stopped\n"


def test_the_camera_shows_what_the_twin_in_the_body_process_does(place, ear):
    place.start_body("twin.start=standing")
    camera = place.start("run_camera(Robot(config, twin='fake', run=run), 'front')")
    port = open_receiver(place.endpoints, "frames-front")
    stamps, pictures = [], []
    while len(stamps) < 10 and port.wait(PATIENCE_S):
        frame = decode(port.take()[-1], Frame)
        stamps.append(frame.stamp_ns)
        pictures.append(frame.picture)
    port.close()
    assert 0.05 < np.diff(stamps).mean() / 1e9 < 0.2
    standing = FakeBody(load_config(A1, ["twin.start=standing"]), RealClock())
    folded = FakeBody(load_config(A1, ["twin.start=folded"]), RealClock())
    np.testing.assert_array_equal(pictures[-1], standing.render("front", 64, 64))
    assert not np.array_equal(pictures[-1], folded.render("front", 64, 64))
    camera.terminate()
    assert ended(camera)[0] == 0
    assert place.ledger("camera-front")["counts"]["sent"] >= 10


class Hardware:
    """An A1 on a loopback port, in real time, seen from outside of the body process."""

    def __init__(self) -> None:
        clock = RealClock()
        self.twin = FakeBody(CONFIG, clock)
        self.standin = A1StandIn(CONFIG, self.twin)
        self.changes = (
            f"hardware.address=127.0.0.1:{self.standin.port}",
            "hardware.bind=127.0.0.1:0",
        )
        self._go_on = True
        self._thread = threading.Thread(
            target=self.standin.run, args=(Pace(500, clock), lambda: self._go_on)
        )
        self._thread.start()

    def close(self) -> None:
        self._go_on = False
        self._thread.join()
        self.standin.close()

    @property
    def is_damped(self) -> bool:
        last = self.twin.last
        return last is not None and not last.kp.any() and bool(last.kd.all())


@pytest.fixture
def hardware() -> Iterator[Hardware]:
    made = Hardware()
    yield made
    made.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_the_motors_damped(place, ear, hardware, number):
    process = place.start(f"run_body(Robot(config, run=run, set={hardware.changes!r}), yes=True)")
    ear.until("ready")
    assert not hardware.is_damped
    process.send_signal(number)
    assert ended(process)[0] == 0
    assert hardware.is_damped
    assert place.ledger("body")["left"] == number.name


def test_a_crash_leaves_the_motors_damped(place, ear, hardware):
    # The driver breaks in the middle of the work, with an error that nobody expects.
    before = "\n".join(
        [
            "import robot.body.drivers.unitree_a1 as a1",
            "good = a1.UnitreeA1.read",
            "ticks = iter(range(3000))",
            "a1.UnitreeA1.read = lambda self: (next(ticks), good(self))[1]",
        ]
    )
    call = f"run_body(Robot(config, run=run, set={hardware.changes!r}), yes=True)"
    process = place.start(call, before)
    ear.until("ready")
    code, _, err = ended(process)
    assert code == 1 and "StopIteration" in err
    assert hardware.is_damped
    assert place.ledger("body")["state"] == "disconnected"


@pytest.mark.parametrize("typed", ["", "b1\n", "yes\n"])
def test_hardware_does_not_move_unless_its_name_is_typed(place, hardware, typed):
    process = place.start(f"run_body(Robot(config, set={hardware.changes!r}))", stdin=typed)
    code, out, err = ended(process)
    assert code == 2
    assert "This moves the robot 'a1' (unitree_a1 at 127.0.0.1:" in out
    assert err.strip() == "reverie body: 'a1' was not confirmed; nothing moved (see --yes)"
    assert hardware.twin.last is None


def test_hardware_moves_when_its_name_is_typed(place, ear, hardware):
    place.start(f"run_body(Robot(config, set={hardware.changes!r}))", stdin="a1\n")
    ear.until("rising")


def test_a_robot_that_does_not_answer_is_one_line(place):
    changes = ("hardware.address=127.0.0.1:9", "hardware.bind=127.0.0.1:0")
    code, _, err = ended(place.start(f"run_body(Robot(config, set={changes!r}), yes=True)"))
    assert code == 1
    assert err.strip() == "reverie body: no A1 answers at 127.0.0.1:9 within 2 s"
