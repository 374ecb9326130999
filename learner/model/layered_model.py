"""The parts of the first DreamerV3's world model (arXiv 2301.04104v1), put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F

from learner.model.blocks import BoundedInputs
from learner.model.encoders import Decoder, Encoder, pick
from learner.model.latents import Latents
from learner.model.nets import Hidden, Style, truncated_average
from learner.model.rssm import RSSM, LearnedStart
from learner.model.scales import SymlogInputs
from learner.model.strided_images import StridedDecoder, StridedEncoder
from robot.wire.spec import RobotSpec

STYLE = Style(F.silu, truncated_average, eps=1e-3)


@dataclass(frozen=True)
class LayeredSizes:
    """How large the parts are.

    Args:
        deter: D, width of the memory.
        units: width of all other layers.
        layers: of the vectors' encoder and decoder.
        depth: channels of the first convolution.
    """

    deter: int
    units: int
    layers: int
    depth: int


def layered_parts(
    spec: RobotSpec, keys: Sequence[str], sizes: LayeredSizes, latents: Latents
) -> tuple[Encoder, RSSM, Decoder]:
    """Encoder, dynamics and decoder of a robot's keys.

    Args:
        spec: what the robot senses and does.
        keys: observation keys to read.
        sizes: of the parts.
        latents: the stochastic state.

    Raises:
        ConfigError: for a key that the robot does not sense, or a picture that is not 64 x 64.
    """
    inputs = SymlogInputs(pick(spec.observation, keys))
    hidden = Hidden(sizes.units, sizes.layers, STYLE)
    encoder = Encoder(inputs, hidden, sizes.depth, StridedEncoder)
    widths = spec.action.shape[0], encoder.width, sizes.deter, sizes.units
    dynamics = RSSM(*widths, latents, STYLE, LearnedStart(sizes.deter), inputs=BoundedInputs)
    decoder = Decoder(inputs, dynamics.feat_width, hidden, sizes.depth, image=StridedDecoder)
    return encoder, dynamics, decoder
