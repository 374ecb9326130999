"""ROS 2 messages for viewers that do not know ours: definitions, and their bytes in CDR.

Definitions are those of common_interfaces, without comments: std_msgs, geometry_msgs, sensor_msgs.
CDR is the little-endian plain one of XTYPES: four bytes of encapsulation, then each value at a
multiple of its size, counted from behind them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from robot.clock import NS
from robot.wire.log import Form
from robot.wire.messages import Reading

_RULE = "=" * 80
_TIME = "int32 sec\nuint32 nanosec\n"
_HEADER = "builtin_interfaces/Time stamp\nstring frame_id\n"
_QUATERNION = "float64 x 0\nfloat64 y 0\nfloat64 z 0\nfloat64 w 1\n"
_VECTOR3 = "float64 x\nfloat64 y\nfloat64 z\n"
_JOINT_STATE = """std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
"""
_IMU = """std_msgs/Header header
geometry_msgs/Quaternion orientation
float64[9] orientation_covariance
geometry_msgs/Vector3 angular_velocity
float64[9] angular_velocity_covariance
geometry_msgs/Vector3 linear_acceleration
float64[9] linear_acceleration_covariance
"""
_COMPRESSED_IMAGE = "std_msgs/Header header\nstring format\nuint8[] data\n"
_STANDARD = {"std_msgs/Header": _HEADER, "builtin_interfaces/Time": _TIME}
_GEOMETRY = {"geometry_msgs/Quaternion": _QUATERNION, "geometry_msgs/Vector3": _VECTOR3}
_UNKNOWN = np.zeros(9)  # covariance that nobody knows, says sensor_msgs/Imu


def ros_form(name: str, definition: str, parts: Mapping[str, str] = _STANDARD) -> Form:
    """Form of a topic of ROS 2 messages.

    Args:
        name: such as "sensor_msgs/msg/Imu".
        definition: its text.
        parts: definitions of the messages that it is made of, by name.
    """
    rest = [f"{_RULE}\nMSG: {part}\n{text}" for part, text in parts.items()]
    return Form(name, "ros2msg", "".join((definition, *rest)), "cdr")


JOINT_STATE = ros_form("sensor_msgs/msg/JointState", _JOINT_STATE)
IMU = ros_form("sensor_msgs/msg/Imu", _IMU, {**_STANDARD, **_GEOMETRY})
COMPRESSED_IMAGE = ros_form("sensor_msgs/msg/CompressedImage", _COMPRESSED_IMAGE)


class Cdr:
    """Bytes of one message, which begins with a std_msgs/Header.

    Args:
        stamp_ns: of the header, 0 or above.
        frame: of the header.
    """

    def __init__(self, stamp_ns: int, frame: str = "") -> None:
        self._data = bytearray(b"\0\1\0\0")
        self._data += struct.pack("<iI", *divmod(stamp_ns, NS))
        self.text(frame)

    def _align(self, size: int) -> None:
        self._data += bytes(-(len(self._data) - 4) % size)

    def _count(self, count: int) -> None:
        self._align(4)
        self._data += struct.pack("<I", count)

    def text(self, text: str) -> None:
        """A string."""
        data = text.encode() + b"\0"
        self._count(len(data))
        self._data += data

    def texts(self, texts: Sequence[str]) -> None:
        """A sequence of strings."""
        self._count(len(texts))
        for text in texts:
            self.text(text)

    def doubles(self, values: np.ndarray) -> None:
        """As many float64 as the definition says."""
        self._align(8)
        self._data += values.astype("<f8").tobytes()

    def sequence(self, values: np.ndarray) -> None:
        """A sequence of float64."""
        self._count(len(values))
        if len(values):
            self.doubles(values)

    def octets(self, data: bytes) -> None:
        """A sequence of bytes."""
        self._count(len(data))
        self._data += data

    def done(self) -> bytes:
        """The whole message."""
        return bytes(self._data)


def joint_state(reading: Reading, names: Sequence[str]) -> bytes:
    """`sensor_msgs/msg/JointState` of a reading."""
    cdr = Cdr(reading.stamp_ns)
    cdr.texts(names)
    for values in (reading.joint_pos, reading.joint_vel, reading.torque):
        cdr.sequence(values)
    return cdr.done()


def imu(reading: Reading, frame: str) -> bytes:
    """`sensor_msgs/msg/Imu` of a reading; its quaternion is xyzw, ours wxyz."""
    cdr = Cdr(reading.stamp_ns, frame)
    w, *xyz = reading.quaternion
    for values in (np.array((*xyz, w)), reading.gyro, reading.accelerometer):
        cdr.doubles(values)
        cdr.doubles(_UNKNOWN)
    return cdr.done()


def compressed_image(stamp_ns: int, camera: str, kind: str, data: bytes) -> bytes:
    """`sensor_msgs/msg/CompressedImage` of a camera's picture, `kind` "png" or "jpeg"."""
    cdr = Cdr(stamp_ns, camera)
    cdr.text(kind)
    cdr.octets(data)
    return cdr.done()


def figures_form(name: str, keys: Sequence[str]) -> Form:
    """Form of a flat message of figures to plot: a header, and a float64 for each key.

    Args:
        name: such as "reverie_msgs/msg/Step".
        keys: any names; what ROS 2 does not allow in a field's name becomes an underscore.
    """
    fields = "".join(f"float64 {_field(key)}\n" for key in keys)
    return ros_form(name, f"std_msgs/Header header\n{fields}")


def figures(stamp_ns: int, values: Sequence[float]) -> bytes:
    """Message of `figures_form`, its figures in the order of the keys."""
    cdr = Cdr(stamp_ns)
    cdr.doubles(np.array(values, float))
    return cdr.done()


def _field(key: str) -> str:
    """Names of ROS 2 fields are lower case, begin with a letter and double no underscore."""
    name = re.sub(r"[^a-z0-9]+", "_", key.lower()).strip("_")
    return name if name[:1].isalpha() else f"x_{name}"
