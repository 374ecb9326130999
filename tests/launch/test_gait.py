"""Gait figures on hand-made motions: a trot, a pronk, a dragging foot, standing."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi, sin

import numpy as np
import pytest

from launch.gait import Motion, measure, pool, walking_gate

HZ = 200.0
LENGTH = 2000  # 10 s
PERIOD = 100  # 0.5 s: two strides per second


def moving(contact: np.ndarray, lift_m: float = 0.04) -> Motion:
    """A level, high trunk at 0.3 m/s along x, with these contacts; a lifted foot is `lift_m` up."""
    count = len(contact)
    position = np.zeros((count, 3))
    position[:, 0], position[:, 2] = 0.3 * np.arange(count) / HZ, 0.25
    return Motion(
        hz=HZ,
        position=position,
        quaternion=np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
        velocity=np.tile([0.3, 0.0, 0.0], (count, 1)),
        foot_height=np.where(contact, 0.0, lift_m),
        foot_contact=contact,
        body_contact=np.zeros(count, bool),
    )


def stepping(offsets: tuple[int, int, int, int]) -> np.ndarray:
    """(T, 4) contacts: each foot stands for 60 samples and swings for 40, from its offset on."""
    time = np.arange(LENGTH)[:, None]
    return (time + np.array(offsets)) % PERIOD < 60


TROT = stepping((0, 50, 50, 0))
PRONK = stepping((0, 0, 0, 0))
STANDING = np.ones((LENGTH, 4), bool)


def failed(motion: Motion) -> list[str]:
    return [check.name for check in walking_gate(measure(motion)) if not check.passes]


def test_a_trot_passes_the_gate_with_two_swings_per_second_of_each_foot():
    gait = measure(moving(TROT))
    assert failed(moving(TROT)) == []
    # Foot 0 begins on the floor and ends in the air: its last swing is cut off and not counted.
    assert [foot.swings for foot in gait.feet] == [19, 20, 20, 19]
    for foot in gait.feet:
        assert foot.duty == pytest.approx(0.6)
        assert foot.lift_m == pytest.approx(0.04)
        assert foot.swings_per_s == pytest.approx(2.0, abs=0.11)
    assert gait.support_share == 1.0
    assert gait.forward_m_s == pytest.approx(0.3)
    assert gait.displacement_m == pytest.approx(0.3 * (LENGTH - 1) / HZ)
    assert gait.seconds == pytest.approx(10.0)


def test_a_pronk_fails_since_no_foot_stands_while_another_swings():
    gait = measure(moving(PRONK))
    assert gait.support_share == 0.0
    assert min(foot.swings for foot in gait.feet) == 19
    assert failed(moving(PRONK)) == ["share of swings with a foot standing"]


def test_a_dragging_foot_fails_whether_it_never_leaves_the_floor_or_hardly_does():
    stuck = TROT.copy()
    stuck[:, 2] = True
    assert measure(moving(stuck)).feet[2].swings == 0
    assert failed(moving(stuck)) == ["swings per second, laziest foot"]
    grazing = moving(TROT)
    grazing.foot_height[:, 2] *= 0.1  # 4 mm up
    assert measure(grazing).feet[2].swings == 0
    assert failed(grazing) == ["swings per second, laziest foot"]


def test_a_foot_that_is_held_up_does_not_step():
    lame = TROT.copy()
    lame[:, 1] = False
    foot = measure(moving(lame)).feet[1]
    assert (foot.swings, foot.duty, foot.lift_m) == (0, 0.0, 0.0)
    assert "swings per second, laziest foot" in failed(moving(lame))


def test_standing_has_no_swings_and_no_speed():
    still = moving(STANDING)
    still = replace(still, velocity=still.velocity * 0, position=still.position * (0, 0, 1))
    gait = measure(still)
    assert [foot.duty for foot in gait.feet] == [1.0] * 4
    assert (gait.forward_m_s, gait.displacement_m, gait.support_share) == (0.0, 0.0, 0.0)
    assert failed(still) == [
        "forward speed, m/s",
        "swings per second, laziest foot",
        "share of swings with a foot standing",
    ]


def test_a_chattering_contact_counts_neither_as_many_swings_nor_as_many_stances():
    bouncing = STANDING.copy()
    bouncing[::4] = False  # 5 ms off the floor every 20 ms
    assert [foot.swings for foot in measure(moving(bouncing)).feet] == [0] * 4
    scuffing = TROT.copy()
    scuffing[80::PERIOD, 0] = True  # foot 0 touches for 5 ms in the middle of each swing
    assert measure(moving(scuffing)).feet[0].swings == 19


def test_a_tilted_crawl_fails_by_up_axis_height_and_contact():
    angle = 0.7
    crawl = moving(TROT)
    crawl = replace(
        crawl,
        quaternion=np.tile([cos(angle / 2), sin(angle / 2), 0, 0], (LENGTH, 1)),
        position=crawl.position * (1, 1, 0.7),
        body_contact=np.arange(LENGTH) % 4 == 0,
    )
    gait = measure(crawl)
    assert gait.up == pytest.approx(cos(angle))
    assert (gait.up_share, gait.high_share) == (0.0, 0.0)
    assert gait.height_m == pytest.approx(0.175)
    assert gait.body_contact_share == pytest.approx(0.25)
    assert failed(crawl) == [
        "share of time level, up axis above 0.95",
        "share of time high, above 0.20 m",
        "share of time on trunk, hip or thigh",
    ]


def test_speed_is_along_the_heading_and_backward_counts_against_forward():
    walk = moving(TROT)
    left = np.tile([cos(pi / 4), 0, 0, sin(pi / 4)], (LENGTH, 1))  # faces y, moves along x
    assert measure(replace(walk, quaternion=left)).forward_m_s == pytest.approx(0.0)
    pacing = walk.velocity.copy()
    pacing[: LENGTH // 2] *= -1
    assert measure(replace(walk, velocity=pacing)).forward_m_s == pytest.approx(0.0)


def test_circles_show_in_the_turning_rate_across_the_jump_at_half_a_turn():
    yaw = 0.8 * np.arange(LENGTH) / HZ
    turning = np.stack((np.cos(yaw / 2), yaw * 0, yaw * 0, np.sin(yaw / 2)), axis=1)
    gait = measure(replace(moving(TROT), quaternion=turning))
    assert gait.turn_rad_s == pytest.approx(0.8, rel=1e-2)


def test_pooling_weighs_by_time_and_sums_swings():
    walk, stand = measure(moving(TROT)), measure(moving(STANDING[: LENGTH // 2]))
    both = pool([walk, stand])
    assert both.seconds == pytest.approx(15.0)
    assert [foot.swings for foot in both.feet] == [19, 20, 20, 19]
    assert both.feet[0].duty == pytest.approx((0.6 * 10 + 1.0 * 5) / 15)
    assert both.feet[0].lift_m == pytest.approx(0.04)
    assert both.feet[1].swings_per_s == pytest.approx(20 / 15)
