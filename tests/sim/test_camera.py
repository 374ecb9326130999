import numpy as np
import pytest

from robot.body.drivers.fake import FakeBody
from robot.clock import SteppedClock
from robot.config import CameraConfig, load_config
from robot.wire.codec import encode
from robot.wire.messages import TwinState
from robot.wire.sockets import Port, open_sender
from robot.wire.streams import Endpoints
from sim.camera import TwinCamera

CONFIG = load_config("hardware_configs/a1.yaml", ["twin.start=folded"])
FRONT = CameraConfig(height=16, width=24, hz=10)


@pytest.fixture
def stage(tmp_path_factory):
    endpoints = Endpoints("a1", {}, tmp_path_factory.mktemp("c"))
    mouth = open_sender(endpoints, "twin_state")
    camera = TwinCamera(FRONT, FakeBody(CONFIG, SteppedClock()), SteppedClock(), endpoints)
    camera.connect()
    yield mouth, camera
    camera.close()
    mouth.close()


def tell(mouth: Port, camera: TwinCamera, stamp_ns: int, state: np.ndarray) -> None:
    """Say a state until the camera, which connects in its own time, has heard it."""
    assert camera._port is not None
    while not camera._port.wait(0.01):
        mouth.send(encode(TwinState(stamp_ns, {"state": state})))


def test_it_draws_the_state_that_the_twin_tells(stage):
    mouth, camera = stage
    twin = FakeBody(CONFIG, SteppedClock())
    twin.reset("random_fall", seed=5)
    tell(mouth, camera, 77, twin.truth().state)
    stamp_ns, picture = camera.read()
    assert stamp_ns == 77
    np.testing.assert_array_equal(picture, twin.render("front", 16, 24))


def test_a_silent_twin_is_a_timeout(stage, monkeypatch):
    monkeypatch.setattr("sim.camera.PATIENCE_S", 0.01)
    with pytest.raises(TimeoutError, match="no twin tells its state at ipc://"):
        stage[1].read()


def test_bytes_that_are_no_state_are_as_good_as_silence(stage, monkeypatch):
    monkeypatch.setattr("sim.camera.PATIENCE_S", 0.01)
    mouth, camera = stage
    tell(mouth, camera, 1, np.zeros(19))
    camera.read()
    mouth.send(b"nonsense")
    assert camera._port.wait(10)
    with pytest.raises(TimeoutError):
        camera.read()


def test_a_camera_that_was_not_connected_says_so(tmp_path):
    endpoints = Endpoints("a1", {}, tmp_path)
    camera = TwinCamera(FRONT, FakeBody(CONFIG, SteppedClock()), SteppedClock(), endpoints)
    with pytest.raises(ConnectionError, match="not connected"):
        camera.read()
    camera.close()
