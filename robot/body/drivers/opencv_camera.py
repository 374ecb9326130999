"""A camera that OpenCV can open: a USB camera by number or path, a stream by its address.

Checked with video files only, never with a camera on a robot.
"""

from __future__ import annotations

import cv2
import numpy as np

from robot.clock import Clock
from robot.config import CameraConfig, ConfigError


class OpenCVCamera:
    """Reads RGB pictures of the declared size.

    Args:
        declared: size, rate and device of the camera.
        clock: stamps the pictures when they arrive.

    Raises:
        ConfigError: when distance is asked for, which such a camera does not tell.
    """

    def __init__(self, declared: CameraConfig, clock: Clock) -> None:
        if declared.depth_m is not None:
            raise ConfigError(f"depth_m {declared.depth_m:g}: a camera of OpenCV tells no distance")
        self._declared = declared
        self._clock = clock
        self._capture: cv2.VideoCapture | None = None

    def connect(self) -> None:
        """Open the device and ask it for the declared rate.

        Raises:
            ConnectionError: when there is no such device.
        """
        device = self._declared.device
        capture = cv2.VideoCapture(int(device) if device.isdigit() else device)
        if not capture.isOpened():
            raise ConnectionError(f"no camera at device '{device}'")
        # One waiting picture: an old one is worth nothing. Devices may ignore both.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        capture.set(cv2.CAP_PROP_FPS, self._declared.hz)
        self._capture = capture

    def read(self) -> tuple[int, np.ndarray]:
        """Wait for the next frame: arrival stamp in ns and (H, W, 3) bytes, RGB.

        Raises:
            ConnectionError: when the device gives no more pictures.
        """
        if self._capture is None:
            raise ConnectionError(f"camera '{self._declared.device}' is not open")
        ok, picture = self._capture.read()
        stamp_ns = self._clock.now_ns()
        if not ok:
            raise ConnectionError(f"camera '{self._declared.device}' gives no pictures")
        size = (self._declared.width, self._declared.height)
        if picture.shape[1::-1] != size:
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return stamp_ns, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def close(self) -> None:
        """Release the device; safe to call twice."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
