"""What a twin's cameras take: colours, and distance where it is asked for."""

from __future__ import annotations

import numpy as np

from robot.body.interface import Twin
from robot.config import CameraConfig


def take(twin: Twin, camera: CameraConfig) -> np.ndarray:
    """(H, W, C) bytes: RGB, and with `depth_m` a fourth channel, 0 at the eye, 255 at `depth_m`."""
    place = camera.mount, camera.height, camera.width
    colours = twin.render(*place)
    if camera.depth_m is None:
        return colours
    share = np.minimum(twin.depth(*place) / camera.depth_m, 1.0)
    return np.dstack((colours, np.round(share * 255).astype(np.uint8)))
