import numpy as np
import pytest
import scipy.signal

from robot.body.filters import Butterworth


def daydreamer() -> Butterworth:
    return Butterworth(order=2, cutoff_hz=1.5, sample_hz=20, width=3)


def test_coefficients_are_those_of_the_released_action_filter():
    made = daydreamer()
    np.testing.assert_allclose(made.b, [0.04125354, 0.08250707, 0.04125354], atol=1e-8)
    np.testing.assert_allclose(made.a, [1, -1.34896775, 0.51398189], atol=1e-8)


def test_gain_is_one_at_rest_and_half_the_power_at_the_cutoff():
    made = daydreamer()
    assert made.b.sum() / made.a.sum() == pytest.approx(1, abs=1e-12)
    z = np.exp(2j * np.pi * 1.5 / 20)
    response = np.polyval(made.b, z) / np.polyval(made.a, z)
    assert 20 * np.log10(abs(response)) == pytest.approx(-3.0103, abs=1e-3)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_stream_equals_the_filter_of_a_whole_signal(order):
    made = Butterworth(order, 1.5, 20, width=3)
    signal = np.random.default_rng(0).normal(size=(200, 3))
    start = np.array([0.3, -1.0, 2.0])
    made.seed(start)
    streamed = np.array([made.step(row) for row in signal])
    rest = scipy.signal.lfilter_zi(made.b, made.a)
    for joint in range(3):
        whole, _ = scipy.signal.lfilter(made.b, made.a, signal[:, joint], zi=rest * start[joint])
        np.testing.assert_allclose(streamed[:, joint], whole, atol=1e-12)


def test_a_seeded_constant_stays_constant():
    made = daydreamer()
    pose = np.array([0.1, 0.9, -1.8])
    made.seed(pose)
    for _ in range(100):
        np.testing.assert_allclose(made.step(pose), pose, atol=1e-12)


def test_a_step_arrives_in_the_end_and_does_not_jump():
    made = daydreamer()
    made.seed(np.zeros(3))
    out = np.array([made.step(np.ones(3)) for _ in range(60)])
    assert out[0, 0] == pytest.approx(made.b[0])
    np.testing.assert_allclose(out[-1], 1, atol=1e-4)
