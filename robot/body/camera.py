"""The camera process: reads one camera and publishes its pictures at the declared rate."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from types import FrameType

from robot.body.interface import Camera
from robot.body.ledger import Figures, Latencies, LedgerWriter, peak_rss_mb
from robot.body.process import SIGNALS, Surroundings
from robot.clock import NS, Clock
from robot.config import CameraConfig
from robot.wire.codec import encode
from robot.wire.messages import Frame
from robot.wire.sockets import Port, RobotLock, open_sender

log = logging.getLogger(__name__)

RETRY_S = 1.0
# A picture that comes this share of a period early is still on time.
EARLY = 0.25


class CameraProcess:
    """Passes a camera's pictures on; a camera that fails is opened again, once per second.

    Args:
        name: of the camera in the configuration.
        declared: its rate.
        camera: the device, or a twin's eye.
        clock: that stamps are compared with.
        port: sending end of its stream.
    """

    def __init__(
        self, name: str, declared: CameraConfig, camera: Camera, clock: Clock, port: Port
    ) -> None:
        self.name = name
        self._camera = camera
        self._clock = clock
        self._port = port
        self._period_ns = round(NS / declared.hz)
        self._due_ns = 0
        self._counts = {"sent": 0, "not_due": 0, "silent": 0, "reopened": 0}
        self._age = Latencies(10_000)
        self._leaving = threading.Event()

    def run(self) -> None:
        """Work until `leave`.

        Raises:
            OSError: when the camera cannot be opened at the start.
        """
        self._camera.connect()
        try:
            while not self._leaving.is_set():
                self._step()
        finally:
            self._camera.close()

    def leave(self) -> None:
        """End the loop after this picture."""
        self._leaving.set()

    def figures(self) -> Figures:
        """The ledger: plain data."""
        return {
            "process": f"camera-{self.name}",
            "pid": os.getpid(),
            "counts": dict(self._counts),
            "dropped": self._port.dropped,
            "latency_ms": {"capture_to_send": self._age.report()},
            "peak_rss_mb": peak_rss_mb(),
        }

    def _step(self) -> None:
        try:
            stamp_ns, picture = self._camera.read()
        except TimeoutError:
            self._counts["silent"] += 1
        except OSError as error:
            log.error("camera %s: %s", self.name, error)
            self._reopen()
        else:
            if stamp_ns >= self._due_ns - EARLY * self._period_ns:
                self._send(Frame(self.name, stamp_ns, picture))
            else:
                self._counts["not_due"] += 1

    def _send(self, frame: Frame) -> None:
        now_ns = self._clock.now_ns()
        self._port.send(encode(frame, self._counts["sent"], time.time_ns(), now_ns))
        self._age.note(now_ns - frame.stamp_ns)
        self._counts["sent"] += 1
        # A schedule that does not drift, begun anew when a whole picture is missing.
        missing = frame.stamp_ns - self._due_ns > self._period_ns
        self._due_ns = (frame.stamp_ns if missing else self._due_ns) + self._period_ns

    def _reopen(self) -> None:
        self._camera.close()
        self._leaving.wait(RETRY_S)
        try:
            self._camera.connect()
            self._counts["reopened"] += 1
        except OSError as error:
            log.error("camera %s: %s", self.name, error)


def serve_camera(
    name: str, declared: CameraConfig, camera: Camera, clock: Clock, around: Surroundings
) -> None:
    """Be the process of one camera until a signal comes.

    Raises:
        EndpointInUse: when this camera already has one.
        OSError: when the camera cannot be opened.
    """
    with RobotLock(around.endpoints, f"camera-{name}"):
        port = open_sender(around.endpoints, f"frames-{name}", keys=around.keys)
        try:
            process = CameraProcess(name, declared, camera, clock, port)

            def leave(number: int, frame: FrameType | None) -> None:
                process.leave()

            for number in SIGNALS:
                signal.signal(number, leave)
            with LedgerWriter(around.ledger, process.figures):
                process.run()
        finally:
            port.close()
