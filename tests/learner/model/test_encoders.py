"""Which numbers enter the embedding, how they are scaled, and that sensors are fused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from learner.model.encoders import Decoder, Encoder, Inputs, pick
from learner.model.nets import Hidden, Style, to_bfloat16, uniform_average
from robot.config import ConfigError
from robot.wire.spec import RobotSpec, Spec, image

HIDDEN = Hidden(16, 2, Style(F.elu, uniform_average))
VECTORS = ("joint_pos", "gyro")


@pytest.fixture
def seeing(spec: RobotSpec) -> RobotSpec:
    """The A1 with two cameras."""
    cameras = {"image_front": image(64, 64, 3), "image_depth": image(64, 64, 1)}
    return replace(spec, observation={**spec.observation, **cameras})


def sensed(specs: dict[str, Spec]) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    made = {}
    for key, spec in specs.items():
        shape = (2, 3, *spec.shape)
        values = rng.integers(0, 256, shape) if spec.is_image else rng.normal(size=shape)
        made[key] = torch.tensor(values.astype(spec.dtype))
    return made


def test_vectors_are_scaled_by_their_specs(spec: RobotSpec):
    specs = pick(spec.observation, VECTORS)
    observation = sensed(specs)
    parts = [
        (observation[k].numpy() - specs[k].centre) * 2.0 / specs[k].scale
        for k in ("gyro", "joint_pos")
    ]
    got = Inputs(specs, gain=2.0).vector(observation)
    np.testing.assert_allclose(got, np.concatenate(parts, -1), rtol=1e-5, atol=1e-5)


def test_without_a_gain_vectors_enter_as_they_are(spec: RobotSpec):
    specs = pick(spec.observation, VECTORS)
    observation = sensed(specs)
    expected = torch.cat([observation["gyro"], observation["joint_pos"]], -1)
    assert torch.equal(Inputs(specs, gain=0.0).vector(observation), expected)


def test_a_learner_in_bfloat16_scales_as_the_robot_does_in_float32(spec: RobotSpec):
    specs = pick(spec.observation, VECTORS)
    observation, encoder = sensed(specs), Encoder(Inputs(specs, 2.0), HIDDEN, 4)
    before = encoder.inputs.vector(observation)
    to_bfloat16(encoder)
    assert torch.equal(encoder.inputs.vector(observation), before)
    assert encoder(observation).dtype == torch.bfloat16


@pytest.mark.parametrize("changed", ["joint_pos", "gyro", "image_front", "image_depth"])
def test_every_sensor_is_fused_into_one_embedding(seeing: RobotSpec, changed: str):
    specs = pick(seeing.observation, (*VECTORS, "image_front", "image_depth"))
    encoder, observation = Encoder(Inputs(specs, 0.0), HIDDEN, depth=2), sensed(specs)
    before = encoder(observation)
    assert before.shape == (2, 3, encoder.width) == (2, 3, 16 + 4 * 16)
    other = observation[changed].clone()
    other[0, 0] = 255 - other[0, 0] if specs[changed].is_image else other[0, 0] + 1
    after = encoder({**observation, changed: other})
    differs = (before - after).abs().amax(-1) > 1e-6
    assert differs.tolist() == [[True, False, False], [False, False, False]]


def test_all_cameras_are_seen_as_channels_in_the_order_of_their_names(seeing: RobotSpec):
    specs = pick(seeing.observation, ("image_front", "image_depth"))
    observation = sensed(specs)
    inputs = Inputs(specs, 0.0)
    assert inputs.channels == 4
    joined = inputs.image(observation)
    assert torch.equal(joined[..., :1], observation["image_depth"])
    assert torch.equal(joined[..., 1:], observation["image_front"])


def test_the_decoder_predicts_vectors_and_pictures(seeing: RobotSpec):
    specs = pick(seeing.observation, (*VECTORS, "image_front"))
    inputs = Inputs(specs, 2.0)
    losses = Decoder(inputs, 10, HIDDEN, 2).losses(torch.randn(2, 3, 10), sensed(specs))
    assert {k: v.shape for k, v in losses.items()} == {"vector": (2, 3), "image": (2, 3)}


@pytest.mark.parametrize("gain", [0.0, 2.0])
def test_a_robot_that_only_sees_has_no_network_for_vectors(seeing: RobotSpec, gain: float):
    specs = pick(seeing.observation, ("image_front",))
    encoder = Encoder(Inputs(specs, gain), HIDDEN, 2)
    decoder = Decoder(encoder.inputs, 10, HIDDEN, 2)
    assert encoder.vector is None and decoder.vector is None
    assert encoder(sensed(specs)).shape == (2, 3, 64)
    assert set(decoder.losses(torch.randn(2, 3, 10), sensed(specs))) == {"image"}


def test_one_word_stands_for_every_vector_in_the_order_of_the_robot(seeing: RobotSpec):
    every = [key for key, spec in seeing.observation.items() if len(spec.shape) == 1]
    assert len(every) > 5 and {"image_front", "image_depth"}.isdisjoint(every)
    assert list(pick(seeing.observation, ("vectors",))) == every
    assert list(pick(seeing.observation, ("image_front", "vectors", "gyro"))) == [
        "image_front",
        *every,
    ]


def test_an_unknown_key_is_named_with_those_that_exist(spec: RobotSpec):
    with pytest.raises(ConfigError, match="senses no 'lidar'; it has gravity, gyro, imu"):
        pick(spec.observation, ("gyro", "lidar"))


def test_a_picture_of_another_size_is_refused(spec: RobotSpec):
    with pytest.raises(ConfigError, match=r"image_front is \(48, 64\); allowed is 64 x 64"):
        Inputs({"image_front": image(48, 64)}, 0.0)
