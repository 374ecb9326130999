"""What the agent sees: bounds, normalisation, the action map and mirroring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from robot.config import ConfigError, load_config
from robot.policy.observe import ActionMap, Observer, mirrored, mirrors, robot_spec
from robot.tasks import make_task
from robot.tasks.kinematics import Legs
from robot.wire.link import Sample
from robot.wire.messages import Reading, Status

YAML = "hardware_configs/a1.yaml"
CONFIG = load_config(YAML)
ACTIONS = ActionMap(CONFIG)
actions = arrays(np.float32, 12, elements=st.floats(-1, 1, width=32))
FORE_AFT = np.array((1.0, -1.0, 1.0))


def sample(seed: int = 0, stamp_ns: int = 1) -> Sample:
    rng = np.random.default_rng(seed)
    ranges = [(j.lower, j.upper) for j in CONFIG.joints.values()]
    angles = np.array([rng.uniform(*r) for r in ranges])
    reading = Reading(
        stamp_ns,
        np.roll(Rotation.from_rotvec(rng.normal(size=3) * 2).as_quat(), 1),
        rng.normal(size=3),
        rng.normal(size=3) + (0, 0, 9.8),
        angles,
        rng.normal(size=12),
        rng.normal(size=12) * 10,
        rng.uniform(0, 60, 4),
        np.full(12, 30.0),
        24.0,
    )
    return Sample(reading, Status("active", "", rng.permutation(angles), 0))


def mirror_sample(s: Sample) -> Sample:
    """The same robot seen in a mirror, worked out with matrices instead of tables of signs."""
    mirror = np.diag(FORE_AFT)
    r = s.reading
    turn = Rotation.from_quat(np.roll(r.quaternion, -1)).as_matrix()
    quaternion = np.roll(Rotation.from_matrix(mirror @ turn @ mirror).as_quat(), 1)

    def legs(values: np.ndarray) -> np.ndarray:
        fr, fl, rr, rl = values.reshape(4, 3) * (-1, 1, 1)
        return np.concatenate((fl, fr, rl, rr))

    reading = Reading(
        r.stamp_ns,
        quaternion,
        -mirror @ r.gyro,  # an axial vector
        mirror @ r.accelerometer,
        legs(r.joint_pos),
        legs(r.joint_vel),
        legs(r.torque),
        r.foot_force[[1, 0, 3, 2]],
        r.temperature,
        r.voltage,
    )
    return Sample(reading, Status("active", "", legs(s.status.target), 0))


def observation(s: Sample) -> dict[str, np.ndarray]:
    task = make_task(CONFIG)
    task.sense(s.reading)
    return Observer(CONFIG, task).observe(s, task.judge(0).observation, {})


@pytest.mark.parametrize("seed", range(8))
def test_every_observation_fits_its_spec(seed):
    spec = robot_spec(CONFIG, make_task(CONFIG))
    seen = observation(sample(seed))
    assert seen.keys() == spec.observation.keys()
    for key, value in seen.items():
        spec.observation[key].check(key, value)


def test_a_broken_sensor_is_clipped_into_its_bounds():
    wild = sample()
    wild.reading.gyro[:] = 1e9
    wild.reading.joint_vel[:] = -1e9
    spec = robot_spec(CONFIG, make_task(CONFIG))
    for key, value in observation(wild).items():
        spec.observation[key].check(key, value)


def test_gravity_is_the_worlds_up_in_the_bodys_frame():
    s = sample(3)
    turn = Rotation.from_quat(np.roll(s.reading.quaternion, -1))
    np.testing.assert_allclose(observation(s)["gravity"], turn.inv().apply((0, 0, 1)), atol=1e-6)


def test_roll_and_pitch_agree_with_scipy():
    s = sample(3)
    _, pitch, roll = Rotation.from_quat(np.roll(s.reading.quaternion, -1)).as_euler("ZYX")
    expected = (roll, pitch, *s.reading.gyro[:2])
    np.testing.assert_allclose(observation(s)["imu"], expected, atol=1e-6)


def test_centre_and_scale_turn_angles_into_actions():
    s, spec = sample(1), robot_spec(CONFIG, make_task(CONFIG)).observation["joint_pos"]
    normalised = (observation(s)["joint_pos"] - spec.centre) / spec.scale
    np.testing.assert_allclose(normalised, ACTIONS.action(s.reading.joint_pos), atol=1e-5)


@given(actions)
def test_actions_survive_the_way_to_angles_and_back(action):
    np.testing.assert_allclose(ACTIONS.action(ACTIONS.position(action)), action, atol=1e-6)


def test_action_ranges_are_the_published_ones():
    low, high = (-0.78679443, -0.99483767, -2.67873134), (0.78679443, 3.66519143, -1.62839219)
    np.testing.assert_allclose(ACTIONS.position(np.full(12, -1.0)), np.tile(low, 4), atol=1e-5)
    np.testing.assert_allclose(ACTIONS.position(np.full(12, 1.0)), np.tile(high, 4), atol=1e-5)


def test_actions_beyond_their_bounds_are_clipped():
    np.testing.assert_allclose(ACTIONS.position(np.full(12, 7.0)), ACTIONS.high, rtol=1e-12)


@given(actions)
def test_mirroring_twice_is_the_identity(action):
    for key, mirror in mirrors(CONFIG).items():
        value = np.resize(action, len(mirror[0]))
        np.testing.assert_array_equal(mirrored(mirrored(value, mirror), mirror), value, key)


@pytest.mark.parametrize("seed", range(8))
def test_a_mirrored_robot_gives_the_mirrored_observation(seed):
    seen, reflected = observation(sample(seed)), observation(mirror_sample(sample(seed)))
    table = mirrors(CONFIG)
    assert set(seen) <= set(table)
    for key in seen:
        np.testing.assert_allclose(
            mirrored(seen[key], table[key]), reflected[key], atol=1e-5, err_msg=key
        )


@given(actions)
def test_a_mirrored_action_moves_the_feet_to_mirrored_places(action):
    perm, sign = mirrors(CONFIG)["action"]
    feet = Legs(CONFIG).feet(ACTIONS.position(action))[0]
    reflected = Legs(CONFIG).feet(ACTIONS.position(action[perm] * sign))[0]
    np.testing.assert_allclose(reflected[[1, 0, 3, 2]], feet * FORE_AFT, atol=1e-5)


def test_a_robot_without_mirrored_legs_has_no_mirror():
    config = load_config(YAML, ["mirror_legs=[]"])
    assert robot_spec(config, make_task(config)).mirror == {}


def test_legs_that_reach_differently_cannot_mirror():
    config = load_config(YAML, ["joints.FL_hip.used=[0.2, 0.9]"])
    with pytest.raises(ConfigError, match="FR_hip reach"):
        mirrors(config)


def test_an_observed_camera_adds_its_picture_and_another_does_not():
    config = load_config(YAML, ["cameras.front.observed=true"])
    task = make_task(config)
    task.sense(sample().reading)
    observer = Observer(config, task)
    picture = np.full((64, 64, 3), 7, np.uint8)
    seen = observer.observe(sample(), task.judge(0).observation, {"front": picture})
    np.testing.assert_array_equal(seen["image_front"], picture)
    assert "image_front" not in robot_spec(CONFIG, make_task(CONFIG)).observation
    black = observer.observe(sample(), task.judge(0).observation, {})
    assert not black["image_front"].any()
    with pytest.raises(ValueError, match="camera front sent"):
        observer.observe(sample(), task.judge(0).observation, {"front": picture[:5]})


def test_equal_configurations_have_equal_fingerprints():
    one, two = (robot_spec(load_config(YAML), make_task(CONFIG)).fingerprint() for _ in "ab")
    other = load_config(YAML, ["joints.FR_calf.used=[0.01, 0.7]", "mirror_legs=[]"])
    assert one == two
    assert robot_spec(other, make_task(other)).fingerprint() != one
