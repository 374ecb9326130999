"""Pictures of cameras as a log keeps them, read back."""

from __future__ import annotations

import numpy as np
import pytest

from launch.exchange.snapshots import Snapshot
from robot.policy.tick_log import compressed
from robot.wire.log import Record
from robot.wire.ros2 import compressed_image


def record(data: bytes) -> Record:
    return Record("/frames/front", data, 0, 0, 0)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_comes_back_as_it_was(channels: int):
    picture = np.random.default_rng(0).integers(0, 256, (6, 5, channels), np.uint8)
    data = compressed_image(1_234_567_890_123, "front", "png", compressed(picture, "png"))
    read = Snapshot.read(record(data))
    assert (read.camera, read.stamp_ns, read.kind) == ("front", 1_234_567_890_123, "png")
    np.testing.assert_array_equal(read.opened(), picture)


def test_what_is_no_picture_is_refused():
    whole = compressed_image(0, "front", "png", b"nothing")
    with pytest.raises(ValueError, match="camera front cannot be read"):
        Snapshot.read(record(whole)).opened()
    for cut in range(len(whole)):
        with pytest.raises(ValueError):
            Snapshot.read(record(whole[:cut]))
