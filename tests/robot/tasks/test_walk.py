"""The walk task's rewards, against golden values of the published one."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.config import load_config
from robot.tasks import make_task
from robot.tasks.walk import (
    STANDING,
    Posture,
    Published,
    Stance,
    WalkUpright,
    going_forward,
    ramp,
)
from robot.wire.messages import Reading

CONFIG = load_config("hardware_configs/a1.yaml")
# The golden values come from limits in whole half degrees; the file rounds them to six digits.
EXACT = load_config(
    "hardware_configs/a1.yaml",
    [
        f"joints.{leg}_{joint}={{lower_rad: {np.radians(low)}, upper_rad: {np.radians(high)}, "
        f"used: [0.01, {used}], velocity_rad_s: 21, torque_nm: 33.5, kp: 80, kd: 1}}"
        for leg in ("FR", "FL", "RR", "RL")
        for joint, low, high, used in (
            ("hip", -46, 46, 0.99),
            ("thigh", -60, 240, 0.9),
            ("calf", -154.5, -52.5, 0.6),
        )
    ],
)
PUBLISHED = Published(0.3)
UPRIGHT = WalkUpright(0.3, 0.24)
WALKING = Stance(1.0, 1.0, 1.0, 1.0, 0.26, 0.3, 0.3)
IDENTITY = np.array((1.0, 0, 0, 0))


def standing_pose() -> np.ndarray:
    ranges = np.array([j.action_range for j in CONFIG.joints.values()])
    return (np.tile(STANDING, 4) + 1) / 2 * (ranges[:, 1] - ranges[:, 0]) + ranges[:, 0]


def stand_stance(**changes: float) -> Stance:
    hip, shoulder, knee = Posture(EXACT).nearness(np.tile((0.0, 0.9, -1.8), 4))
    return replace(WALKING, hip=hip, shoulder=shoulder, knee=knee, **changes)


def reading(quaternion: np.ndarray, stamp_ns: int, joint_pos: np.ndarray | None = None) -> Reading:
    rotation_z = 1 - 2 * (quaternion[1] ** 2 + quaternion[2] ** 2)
    return Reading(
        stamp_ns,
        quaternion,
        np.zeros(3),
        np.array((0.0, 0.0, 9.81 * rotation_z)),
        standing_pose() if joint_pos is None else joint_pos,
        np.zeros(12),
        np.zeros(12),
        np.full(4, 30.0 if rotation_z > 0 else 0.0),
        np.full(12, 30.0),
        24.0,
    )


@pytest.mark.parametrize("reward", [PUBLISHED, UPRIGHT])
@pytest.mark.parametrize(
    ("stance", "expected"),
    [
        (WALKING, 14.0),
        (replace(WALKING, forward_m_s=0.0, speed_m_s=0.0), 9.0),
        (replace(WALKING, forward_m_s=0.2, speed_m_s=sqrt(0.08)), 11.35702260),
        (replace(WALKING, up=-1.0), 5.0),
        (replace(WALKING, forward_m_s=-0.3), 9.0),
        (replace(WALKING, forward_m_s=0.45, speed_m_s=0.45), 14.0),
    ],
)
def test_both_rewards_give_the_golden_values_of_the_published_one(reward, stance, expected):
    assert reward.score(stance).total == pytest.approx(expected, abs=1e-7)


def test_the_default_pose_while_walking_earns_the_golden_value():
    assert PUBLISHED.score(stand_stance()).total == pytest.approx(13.82559179, abs=1e-7)
    # Half of our last posture term is height, so that the calves' deviation counts half.
    knee_lack = 1 - stand_stance().knee
    expected = 13.82559179 + knee_lack / 2
    assert UPRIGHT.score(stand_stance()).total == pytest.approx(expected, abs=1e-7)


def test_published_gates_open_above_seven_tenths_and_not_at_it():
    below, above = replace(WALKING, hip=0.7), replace(WALKING, hip=0.701)
    assert PUBLISHED.score(below).shoulder == 0
    assert PUBLISHED.score(above).shoulder == 1


def test_published_pays_a_leaning_walk_in_full_and_walk_upright_in_part():
    leaning = replace(WALKING, up=0.735)
    assert PUBLISHED.score(leaning).velocity == pytest.approx(1.0)
    assert UPRIGHT.score(leaning).velocity == pytest.approx(0.5)
    assert UPRIGHT.score(replace(WALKING, up=0.5)).velocity == 0.0


def test_walk_upright_pays_velocity_in_proportion_to_height():
    assert UPRIGHT.score(replace(WALKING, height_m=0.08)).velocity == 0.0
    assert UPRIGHT.score(replace(WALKING, height_m=0.16)).velocity == pytest.approx(0.5)


def test_walk_upright_pays_a_walk_on_folded_knees_in_part():
    on_knees = replace(WALKING, knee=0.35)
    assert PUBLISHED.score(on_knees).velocity == 0.0
    assert UPRIGHT.score(on_knees).velocity == pytest.approx(0.15 / 0.55)
    assert UPRIGHT.score(replace(WALKING, knee=0.75)).velocity == pytest.approx(1.0)


def test_walk_upright_pays_for_the_target_speed_and_not_for_twice_of_it():
    hasty = replace(WALKING, forward_m_s=0.825, speed_m_s=0.825)
    assert PUBLISHED.score(hasty).velocity == pytest.approx(1.0)
    assert UPRIGHT.score(hasty).velocity == pytest.approx(0.5)
    assert UPRIGHT.score(replace(hasty, forward_m_s=1.2, speed_m_s=1.2)).velocity == 0.0


@pytest.mark.parametrize("sign", [-1, 1])
def test_walk_upright_pays_half_for_walking_in_a_tight_circle(sign):
    assert UPRIGHT.score(replace(WALKING, turn_rad_s=sign * 1.0)).velocity == pytest.approx(0.5)
    assert UPRIGHT.score(replace(WALKING, turn_rad_s=sign * 0.1)).velocity == pytest.approx(1.0)


def test_walk_upright_pays_less_the_nearer_a_knee_is_to_its_foot():
    assert UPRIGHT.score(replace(WALKING, clearance_m=0.015)).velocity == pytest.approx(0.5)
    assert UPRIGHT.score(replace(WALKING, clearance_m=-0.05)).velocity == 0.0


def test_walk_upright_lets_a_crouching_robot_feel_the_next_term():
    crouching = replace(WALKING, shoulder=0.6, knee=0.6, forward_m_s=0.3, height_m=0.08)
    assert PUBLISHED.score(crouching).knee == 0.0
    assert UPRIGHT.score(crouching).knee == pytest.approx(0.15)


def test_walk_upright_pays_for_lifting_the_belly_whatever_the_joints_do():
    lying = Stance(1.0, 0.8, 0.2, 0.0, 0.05, 0.0, 0.0)
    assert PUBLISHED.score(replace(lying, height_m=0.12)) == PUBLISHED.score(lying)
    gain = UPRIGHT.score(replace(lying, height_m=0.12)).total - UPRIGHT.score(lying).total
    assert gain == pytest.approx(0.125)


unit = st.floats(0, 1)
stances = st.builds(
    Stance, st.floats(-1, 1), unit, unit, unit, st.floats(0, 0.4), st.floats(-2, 2), st.just(2.0)
)


@pytest.mark.parametrize("reward", [PUBLISHED, UPRIGHT])
@given(stance=stances, better=st.floats(0, 1))
def test_a_better_part_never_lowers_the_reward(reward, stance, better):
    base = reward.score(stance).total
    for part in ("up", "hip", "shoulder", "knee", "height_m", "clearance_m"):
        now, top = getattr(stance, part), {"height_m": 0.4, "clearance_m": 0.2}.get(part, 1.0)
        improved = replace(stance, **{part: now + better * (top - now)})
        assert reward.score(improved).total >= base - 1e-12


@pytest.mark.parametrize("reward", [PUBLISHED, UPRIGHT])
@given(stance=stances)
def test_rewards_stay_between_5_and_14(reward, stance):
    assert 5 <= reward.score(stance).total <= 14


def test_zero_velocity_is_no_division_by_zero():
    assert going_forward(replace(WALKING, forward_m_s=0.0, speed_m_s=0.0), 0.3) == 0.0


def test_ramp_is_flat_outside_its_ends():
    assert [ramp(x, 1.0, 3.0) for x in (0.0, 1.0, 2.0, 3.0, 9.0)] == [0, 0, 0.5, 1, 1]


def test_a_still_robot_scores_nine_and_on_its_back_five():
    task = make_task(CONFIG)
    for index in range(200):
        task.sense(reading(IDENTITY, (index + 1) * 5_000_000))
    assert task.judge(0).reward == pytest.approx(9.0, abs=1e-3)
    for index in range(200, 400):
        task.sense(reading(np.array((0.0, 1.0, 0, 0)), (index + 1) * 5_000_000))
    assert task.judge(0).reward == pytest.approx(5.0, abs=1e-3)


def test_both_totals_are_told_whichever_is_the_reward():
    for name in ("published", "walk_upright"):
        task = make_task(load_config("hardware_configs/a1.yaml", [f"task.reward={name}"]))
        tilted = np.array((np.cos(0.4), 0.0, np.sin(0.4), 0.0))
        task.sense(reading(tilted, 1))
        verdict = task.judge(3)
        assert verdict.reward == verdict.terms[name]
        assert {"published", "walk_upright", "upright", "hip", "shoulder", "knee"} < set(
            verdict.terms
        )
        assert {"velocity", "height_m", "forward_m_s", "clearance_m", "turn_rad_s"} < set(
            verdict.terms
        )


def test_an_episode_closes_with_its_last_step_and_is_never_terminal():
    task = make_task(CONFIG)
    task.sense(reading(IDENTITY, 1))
    verdicts = [task.judge(step) for step in range(251)]
    assert [v.is_last for v in verdicts] == [False] * 250 + [True]
    assert not any(v.is_terminal for v in verdicts)


def test_a_new_episode_forgets_nothing():
    task = make_task(CONFIG)
    task.sense(reading(IDENTITY, 1))
    before = task.judge(250)
    task.begin()
    assert task.judge(0).reward == before.reward


def test_judging_before_the_first_reading_is_refused():
    with pytest.raises(RuntimeError, match="first reading"):
        make_task(CONFIG).judge(0)


def test_observations_fit_their_spec():
    task = make_task(CONFIG)
    task.sense(reading(IDENTITY, 1))
    for key, value in task.judge(0).observation.items():
        task.observation[key].check(key, value)
