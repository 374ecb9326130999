"""Our ROS 2 messages, read by the decoder of others."""

from dataclasses import replace

import numpy as np
import pytest

from robot.clock import NS
from robot.wire.log import LogWriter
from robot.wire.messages import Reading
from robot.wire.ros2 import (
    COMPRESSED_IMAGE,
    IMU,
    JOINT_STATE,
    compressed_image,
    figures,
    figures_form,
    imu,
    joint_state,
)

decoder = pytest.importorskip("mcap_ros2.decoder")
reader = pytest.importorskip("mcap.reader")
NAMES = ["FR_hip", "b", "calf", ""]
READING = Reading(
    123 * NS + 456_789_012,
    np.array((0.5, -0.5, 0.25, 0.125)),
    np.array((1.0, 2.0, 3.0)),
    np.array((4.0, 5.0, 9.81)),
    np.array((0.1, 0.2, 0.3, np.pi)),
    np.array((-1.0, 1e-9, 1e9, np.nan)),
    np.array((7.0, 8.0, 9.0, np.inf)),
    np.zeros(0),
    np.zeros(4),
    24.0,
)


def back(folder, form, *messages: bytes):
    """Write messages to a log and read them with the official reader and decoder."""
    log = LogWriter(folder, "ros", {})
    for data in messages:
        log.write("/topic", form, data, 7)
    log.close()
    with open(log.path, "rb") as file:
        found = reader.make_reader(file, decoder_factories=[decoder.DecoderFactory()])
        return [each.decoded_message for each in found.iter_decoded_messages()]


def test_joint_states_come_back(tmp_path):
    (found,) = back(tmp_path, JOINT_STATE, joint_state(READING, NAMES))
    assert (found.header.stamp.sec, found.header.stamp.nanosec) == (123, 456_789_012)
    assert found.header.frame_id == "" and found.name == NAMES
    np.testing.assert_array_equal(found.position, READING.joint_pos)
    np.testing.assert_array_equal(found.velocity, READING.joint_vel)
    np.testing.assert_array_equal(found.effort, READING.torque)


@pytest.mark.parametrize("frame", ["", "a", "trunk", "a name of 17 bytes"])
def test_an_imu_comes_back_wherever_its_numbers_begin(tmp_path, frame):
    (found,) = back(tmp_path, IMU, imu(READING, frame))
    assert found.header.frame_id == frame
    turn = found.orientation
    np.testing.assert_array_equal((turn.w, turn.x, turn.y, turn.z), READING.quaternion)
    gyro, force = found.angular_velocity, found.linear_acceleration
    assert (gyro.x, gyro.y, gyro.z) == (1, 2, 3) and (force.x, force.y, force.z) == (4, 5, 9.81)
    for known in ("orientation", "angular_velocity", "linear_acceleration"):
        assert list(getattr(found, f"{known}_covariance")) == [0.0] * 9


@pytest.mark.parametrize("size", [0, 1, 7, 100])
def test_pictures_come_back(tmp_path, size):
    data = bytes(range(size))
    (found,) = back(tmp_path, COMPRESSED_IMAGE, compressed_image(NS - 1, "front", "png", data))
    assert (found.header.stamp.sec, found.header.stamp.nanosec) == (0, NS - 1)
    assert (found.header.frame_id, found.format, bytes(found.data)) == ("front", "png", data)


def test_figures_have_names_that_ros_allows(tmp_path):
    keys = ["reward", "term_Up right", "2_feet__", "weights_age_s"]
    form = figures_form("reverie_msgs/msg/Step", keys)
    messages = [figures(n * NS, [n, -n, 0.5, np.inf]) for n in (1, 2)]
    first, second = back(tmp_path, form, *messages)
    assert first.reward == 1 and second.term_up_right == -2
    assert (first.x_2_feet, first.weights_age_s) == (0.5, np.inf)
    assert second.header.stamp.sec == 2


def test_a_machine_with_one_joint_has_joint_states_too(tmp_path):
    one = np.array((0.25,))
    reading = replace(READING, joint_pos=one, joint_vel=2 * one, torque=3 * one)
    (found,) = back(tmp_path, JOINT_STATE, joint_state(reading, ["x"]))
    assert (found.name, list(found.position), list(found.effort)) == (["x"], [0.25], [0.75])
