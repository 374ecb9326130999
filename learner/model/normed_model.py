"""The parts that the world models of DayDreamer and of our own system share: layers with norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import nn

from learner.model.encoders import Decoder, Encoder, Inputs, pick
from learner.model.latents import Latents
from learner.model.nets import Hidden
from learner.model.rssm import RSSM
from robot.wire.spec import RobotSpec


class Sizes(Protocol):
    """Which keys are read, and how large the parts are.

    Attributes:
        keys: observation keys to read.
        gain: what a typical deviation of a vector is scaled to; 0 leaves vectors as they are.
        deter: D, width of the memory.
        depth: channels of the first convolution.
    """

    keys: tuple[str, ...]
    gain: float
    deter: int
    depth: int


@dataclass(frozen=True)
class Kinds:
    """Of what kind the parts are.

    Args:
        latents: the stochastic state.
        start: how sequences start.
        hidden: layers of vectors' encoder and decoder; their style is that of all layers.
        units: width of the recurrent model's other layers.
        prior_layers: hidden layers between memory and prior.
        scale: variance of the vectors' last weights, relative to the others'.
    """

    latents: Latents
    start: nn.Module
    hidden: Hidden
    units: int
    prior_layers: int = 1
    scale: float = 1.0


def normed_parts(spec: RobotSpec, sizes: Sizes, kinds: Kinds) -> tuple[Encoder, RSSM, Decoder]:
    """Encoder, dynamics and decoder of a robot's keys.

    Args:
        spec: what the robot senses and does.
        sizes: which keys they read, and how large they are.
        kinds: of what they are made.

    Raises:
        ConfigError: for a key that the robot does not sense, or a picture that is not 64 x 64.
    """
    inputs = Inputs(pick(spec.observation, sizes.keys), sizes.gain)
    encoder = Encoder(inputs, kinds.hidden, sizes.depth)
    widths = spec.action.shape[0], encoder.width, sizes.deter, kinds.units
    kind = kinds.latents, kinds.hidden.style, kinds.start
    dynamics = RSSM(*widths, *kind, prior_layers=kinds.prior_layers)
    decoder = Decoder(inputs, dynamics.feat_width, kinds.hidden, sizes.depth, kinds.scale)
    return encoder, dynamics, decoder
