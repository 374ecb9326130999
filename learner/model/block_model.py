"""The parts of DreamerV3's world model (arXiv 2301.04104v2), put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F

from learner.model.blocks import BlockGRU, RMSNorm, SeparateInputs
from learner.model.encoders import Decoder, Encoder, pick
from learner.model.latents import Latents
from learner.model.nets import Hidden, Style, truncated_normal
from learner.model.pooled_images import PooledEncoder, UpsampledDecoder
from learner.model.rssm import RSSM, ZeroStart
from learner.model.scales import SymlogInputs
from robot.config import ConfigError
from robot.wire.spec import RobotSpec

STYLE = Style(F.silu, truncated_normal, eps=1e-4, norm=RMSNorm)


@dataclass(frozen=True)
class BlockSizes:
    """How large the parts are.

    Args:
        deter: D, width of the memory.
        blocks: of the memory.
        hidden: width of the recurrent model's other layers.
        units: width of the layers of vectors' encoder and decoder.
        layers: number of those.
        depth: channels of convolutions, in the units that they count in.
    """

    deter: int
    blocks: int
    hidden: int
    units: int
    layers: int
    depth: int


def block_parts(
    spec: RobotSpec, keys: Sequence[str], sizes: BlockSizes, latents: Latents
) -> tuple[Encoder, RSSM, Decoder]:
    """Encoder, dynamics and decoder of a robot's keys.

    Args:
        spec: what the robot senses and does.
        keys: observation keys to read.
        sizes: of the parts.
        latents: the stochastic state.

    Raises:
        ConfigError: for a key that the robot does not sense, a picture of another size than 64 x
            64, or a number of blocks that does not divide the memory.
    """
    if sizes.deter % sizes.blocks:
        raise ConfigError(
            f"blocks: got {sizes.blocks}; allowed is what divides deter {sizes.deter}"
        )
    inputs = SymlogInputs(pick(spec.observation, keys))
    hidden = Hidden(sizes.units, sizes.layers, STYLE)
    encoder = Encoder(inputs, hidden, sizes.depth, PooledEncoder)
    dynamics = RSSM(
        spec.action.shape[0],
        encoder.width,
        sizes.deter,
        sizes.hidden,
        latents,
        STYLE,
        ZeroStart(),
        prior_layers=2,
        post_layers=1,
        cell=partial(BlockGRU, units=sizes.hidden, blocks=sizes.blocks),
        inputs=SeparateInputs,
    )
    paint = partial(UpsampledDecoder, deter=sizes.deter, units=sizes.units, blocks=sizes.blocks)
    decoder = Decoder(inputs, dynamics.feat_width, hidden, sizes.depth, image=paint)
    return encoder, dynamics, decoder
