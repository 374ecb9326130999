import cv2
import numpy as np
import pytest

from robot.body.camera import CameraProcess
from robot.body.drivers.opencv_camera import OpenCVCamera
from robot.clock import NS, SteppedClock
from robot.config import CameraConfig
from robot.wire.codec import decode
from robot.wire.messages import Frame

PICTURE = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


class Port:
    """Keeps what is sent."""

    dropped = 0

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def send(self, data: bytes) -> bool:
        self.frames.append(decode(data, Frame))
        return True


class Device:
    """A camera that plays a list: stamps in ms, or errors; then ends the process."""

    def __init__(self, clock: SteppedClock, plays: list) -> None:
        self.process: CameraProcess
        self.clock, self.plays = clock, plays
        self.opened = self.closed = 0

    def connect(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.closed += 1

    def read(self) -> tuple[int, np.ndarray]:
        if len(self.plays) == 1:
            self.process.leave()
        play = self.plays.pop(0)
        if isinstance(play, Exception):
            raise play
        self.clock.sleep_until(play * 1_000_000)
        return play * 1_000_000, PICTURE


def play(hz: float, plays: list) -> tuple[CameraProcess, Device, Port]:
    clock, port = SteppedClock(), Port()
    device = Device(clock, plays)
    declared = CameraConfig(height=8, width=8, hz=hz)
    process = device.process = CameraProcess("front", declared, device, clock, port)  # type: ignore
    process.run()
    return process, device, port


def test_a_faster_device_is_thinned_to_the_declared_rate():
    stamps_ms = [round(1000 + i * 1000 / 30) for i in range(300)]
    _, _, port = play(10, stamps_ms)
    assert len(port.frames) == 100
    np.testing.assert_array_equal(port.frames[0].picture, PICTURE)
    gaps = np.diff([frame.stamp_ns for frame in port.frames]) / NS
    assert gaps.min() > 0.06 and gaps.max() < 0.14


def test_a_device_at_the_declared_rate_loses_nothing_to_jitter():
    rng = np.random.default_rng(0)
    stamps_ms = [1000 + 100 * i + int(rng.integers(-8, 9)) for i in range(200)]
    _, _, port = play(10, stamps_ms)
    assert len(port.frames) == 200


def test_silence_is_counted_and_a_broken_device_is_opened_again(monkeypatch):
    monkeypatch.setattr("robot.body.camera.RETRY_S", 0.0)
    process, device, port = play(10, [100, TimeoutError(), ConnectionError("gone"), 300, 400])
    assert len(port.frames) == 3
    assert (device.opened, device.closed) == (2, 2)
    counts = process.figures()["counts"]
    assert counts == {"sent": 3, "not_due": 0, "silent": 1, "reopened": 1}


def test_opencv_reads_rgb_at_the_declared_size(tmp_path):
    path = tmp_path / "red.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), (0, 0, 255), np.uint8))  # BGR
    writer.release()
    clock = SteppedClock(7)
    camera = OpenCVCamera(CameraConfig(height=24, width=32, hz=10, device=str(path)), clock)
    camera.connect()
    stamp_ns, picture = camera.read()
    assert (stamp_ns, picture.shape, picture.dtype) == (7, (24, 32, 3), np.uint8)
    assert picture[..., 0].min() > 200 and picture[..., 1:].max() < 60
    camera.read()
    camera.read()
    with pytest.raises(ConnectionError, match="gives no pictures"):
        camera.read()
    camera.close()
    camera.close()


def test_a_camera_that_is_not_there_is_named(tmp_path):
    declared = CameraConfig(height=8, width=8, hz=10, device=str(tmp_path / "none"))
    with pytest.raises(ConnectionError, match=r"no camera at device '.*none'"):
        OpenCVCamera(declared, SteppedClock()).connect()
