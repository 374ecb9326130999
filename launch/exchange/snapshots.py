"""Pictures of a log's `/frames/NAME`: what is in one record of sensor_msgs/msg/CompressedImage."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np

from robot.clock import NS
from robot.wire.log import Record

_HEAD = 4  # bytes of CDR's encapsulation, from behind which it counts


@dataclass(frozen=True)
class Snapshot:
    """One picture of a camera, as its file.

    Args:
        camera: its name.
        stamp_ns: of the capture, on the robot's clock.
        kind: "png" or "jpeg".
        data: the file.
    """

    camera: str
    stamp_ns: int
    kind: str
    data: bytes

    @classmethod
    def read(cls, record: Record) -> Snapshot:
        """Of a record.

        Raises:
            ValueError: when it is no such message.
        """
        try:
            body = memoryview(record.data)[_HEAD:]
            seconds, rest_ns = struct.unpack_from("<iI", body)
            camera, place = _octets(body, 8)
            kind, place = _octets(body, place)
            data, _ = _octets(body, place)
        except struct.error as error:
            raise ValueError(f"{record.topic}: no compressed picture: {error}") from error
        return cls(_text(camera), seconds * NS + rest_ns, _text(kind), data)

    def opened(self) -> np.ndarray:
        """(H, W, C) bytes, RGB and distance.

        Raises:
            ValueError: when the file cannot be read.
        """
        picture = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.ndim != 3:
            raise ValueError(f"a picture of camera {self.camera} cannot be read")
        four = picture.shape[2] == 4
        return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if four else cv2.COLOR_BGR2RGB)


def _octets(body: memoryview, place: int) -> tuple[bytes, int]:
    """A sequence of bytes, or a string with its zero, and what stands behind it."""
    place += -place % 4
    (count,) = struct.unpack_from("<I", body, place)
    end = place + 4 + count
    if end > len(body):
        raise struct.error(f"{count} bytes are told, {len(body) - place - 4} are there")
    return bytes(body[place + 4 : end]), end


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode()
