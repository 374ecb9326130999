"""A twin's eye: draws in its own process what the twin in the body process is doing."""

from __future__ import annotations

import numpy as np

from robot.body.interface import Twin
from robot.clock import Clock, Pace
from robot.config import CameraConfig
from robot.wire.codec import decode
from robot.wire.keys import Keys
from robot.wire.messages import TwinState
from robot.wire.schemas import CodecError
from robot.wire.sockets import Port, open_receiver
from robot.wire.streams import Endpoints
from sim.pictures import take

PATIENCE_S = 1.0


class TwinCamera:
    """A camera that looks at the stream of a twin's state.

    Args:
        declared: size, rate and mount of the camera.
        twin: an engine of its own, of the same robot; only drawn, never advanced.
        clock: by which pictures are paced.
        endpoints: of the robot.
        keys: of the deployment, where the stream leaves this computer.
    """

    def __init__(
        self,
        declared: CameraConfig,
        twin: Twin,
        clock: Clock,
        endpoints: Endpoints,
        keys: Keys | None = None,
    ) -> None:
        self._declared = declared
        self._twin = twin
        self._pace = Pace(declared.hz, clock, keep=1000)
        self._endpoints = endpoints
        self._keys = keys
        self._port: Port | None = None
        self._shown_ns = -1

    def connect(self) -> None:
        """Listen to the twin's state.

        Raises:
            EndpointError: when its endpoint cannot be opened.
        """
        self.close()
        self._port = open_receiver(self._endpoints, "twin_state", keys=self._keys)

    def read(self) -> tuple[int, np.ndarray]:
        """Wait for the next picture: stamp of the state in ns and (H, W, C) bytes.

        Raises:
            TimeoutError: when the twin told nothing new for a second.
        """
        self._pace.wait()
        state = self._next_state()
        self._twin.show(state.arrays["state"])
        picture = take(self._twin, self._declared)
        self._shown_ns = state.stamp_ns
        return state.stamp_ns, picture

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        if self._port is not None:
            self._port.close()
            self._port = None

    def _next_state(self) -> TwinState:
        if self._port is None:
            raise ConnectionError("the twin's camera is not connected")
        if self._port.wait(PATIENCE_S):
            data = self._port.latest()
            state = _readable(data) if data is not None else None
            if state is not None and state.stamp_ns != self._shown_ns:
                return state
        raise TimeoutError(f"no twin tells its state at {self._port.endpoint}")


def _readable(data: bytes) -> TwinState | None:
    try:
        state = decode(data, TwinState)
    except CodecError:
        return None
    return state if "state" in state.arrays else None
