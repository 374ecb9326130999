"""The parts that the world models of Dreamer and DreamerV2 share: layers without norm, by MSE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from learner.model.coarse_images import CentredEncoder
from learner.model.encoders import Encoder, Inputs, pick
from learner.model.latents import Latents
from learner.model.nets import Activation, Hidden
from learner.model.plain import conv_style, dense_style
from learner.model.rssm import RSSM, Cell, ZeroStart
from learner.model.unit_normal import NormalDecoder
from robot.wire.spec import RobotSpec


class Sizes(Protocol):
    """Which keys are read, and how large the parts are.

    Attributes:
        keys: observation keys to read; none stands for all.
        gain: what a typical deviation of a vector is scaled to; 0 leaves vectors as they are.
        deter: D, width of the memory.
        hidden: width of the recurrent model's other layers.
        units: width of the layers of vectors' encoder and decoder.
        layers: number of those.
        depth: channels of the first convolution.
    """

    keys: tuple[str, ...]
    gain: float
    deter: int
    hidden: int
    units: int
    layers: int
    depth: int


@dataclass(frozen=True)
class Kinds:
    """Of what kind the parts are.

    Args:
        latents: the stochastic state.
        cell: the recurrent cell.
        dense: activation of dense layers.
        convs: activation of convolutions.
    """

    latents: Latents
    cell: Cell
    dense: Activation
    convs: Activation


def plain_parts(spec: RobotSpec, sizes: Sizes, kinds: Kinds) -> tuple[Encoder, RSSM, NormalDecoder]:
    """Encoder, dynamics and decoder of a robot's keys.

    Args:
        spec: the robot's.
        sizes: what they read, and how large they are.
        kinds: of what they are made.

    Raises:
        ConfigError: for a key that the robot does not sense, or a picture of another size.
    """
    dense, convs = dense_style(kinds.dense), conv_style(kinds.convs)
    keys = sizes.keys or tuple(spec.observation)
    inputs = Inputs(pick(spec.observation, keys), sizes.gain)
    hidden = Hidden(sizes.units, sizes.layers, dense)
    encoder = Encoder(
        inputs,
        hidden,
        sizes.depth,
        lambda channels, depth, _: CentredEncoder(channels, depth, convs),
    )
    widths = spec.action.shape[0], encoder.width, sizes.deter, sizes.hidden
    dynamics = RSSM(*widths, kinds.latents, dense, ZeroStart(), cell=kinds.cell)
    decoder = NormalDecoder(inputs, dynamics.feat_width, hidden, sizes.depth, convs)
    return encoder, dynamics, decoder
