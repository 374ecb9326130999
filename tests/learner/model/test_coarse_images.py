"""Pictures of few shades, against the paper's formula byte by byte."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from learner.model.coarse_images import CentredEncoder, CoarseInputs
from learner.model.images import ImageEncoder
from learner.model.plain import conv_style
from robot.wire.spec import box, image

SPECS = {"front": image(64, 64), "speed": box(-2, 2, (3,))}


def picture() -> dict[str, torch.Tensor]:
    """Every byte, 48 times."""
    every = torch.arange(64 * 64 * 3, dtype=torch.int32).remainder(256).to(torch.uint8)
    return {"front": every.reshape(1, 1, 64, 64, 3), "speed": torch.ones(1, 1, 3)}


def test_shades_are_those_of_five_bits_with_noise_within_a_step():
    seen = CoarseInputs(SPECS, gain=1.0).image(picture()) / 255 - 0.5
    floor = np.floor(picture()["front"].numpy() / 8) / 32 - 0.5
    noise = seen.numpy() - floor
    assert noise.min() > -1e-6 and noise.max() < 1 / 32 + 1e-6
    assert abs(noise.mean() - 1 / 64) < 1e-3 and abs(noise.std() - 1 / 32 / np.sqrt(12)) < 1e-3


def test_a_robot_sees_the_middle_of_each_step_and_always_the_same():
    with torch.inference_mode():
        seen = CoarseInputs(SPECS, gain=1.0).image(picture()) / 255 - 0.5
    floor = np.floor(picture()["front"].numpy() / 8) / 32 - 0.5
    np.testing.assert_allclose(seen, floor + 1 / 64, atol=1e-6)


def test_vectors_enter_as_ever():
    assert CoarseInputs(SPECS, gain=1.0).vector(picture()).tolist() == [[[0.5] * 3]]


def test_the_encoder_reads_shades_around_zero():
    made = CentredEncoder(3, 2, conv_style(F.relu))
    plain = ImageEncoder(3, 2, conv_style(F.relu))
    plain.load_state_dict(made.state_dict())
    grey = torch.full((1, 64, 64, 3), 200, dtype=torch.uint8)
    shifted = torch.full((1, 64, 64, 3), 200 - 127.5)
    assert torch.equal(made(grey), plain(shifted)) and made(grey).shape == (1, made.width)
