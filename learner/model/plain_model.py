"""The parts that the world models of PlaNet, Dreamer and DreamerV2 share: layers without norm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from learner.model.coarse_images import CentredEncoder
from learner.model.encoders import Encoder, Inputs, pick
from learner.model.latents import Gaussians, Latents
from learner.model.nets import Activation, Hidden, Style
from learner.model.plain import conv_style, dense_style
from learner.model.rssm import RSSM, Cell, Dynamics, ZeroStart
from learner.model.ssm import SSM
from learner.model.unit_normal import NormalDecoder
from robot.wire.spec import RobotSpec, Spec


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


# From A, E, sizes and the style of dense layers.
MakeDynamics = Callable[[int, int, Sizes, Style], Dynamics]


@dataclass(frozen=True)
class Kinds:
    """Of what kind the parts are.

    Args:
        dynamics: makes the latent model.
        dense: activation of dense layers.
        convs: activation of convolutions.
        inputs: makes what is observed from the specs of its keys and the gain.
    """

    dynamics: MakeDynamics
    dense: Activation
    convs: Activation
    inputs: Callable[[Mapping[str, Spec], float], Inputs] = Inputs


def recurrent(latents: Latents, cell: Cell) -> MakeDynamics:
    """A latent model with a memory, from its stochastic state and its recurrent cell."""

    def make(action: int, embed: int, sizes: Sizes, style: Style) -> RSSM:
        widths = action, embed, sizes.deter, sizes.hidden
        return RSSM(*widths, latents, style, ZeroStart(), cell=cell)

    return make


def memoryless(latents: Gaussians) -> MakeDynamics:
    """A latent model that remembers nothing but its sample."""

    def make(action: int, embed: int, sizes: Sizes, style: Style) -> SSM:
        return SSM(action, embed, sizes.hidden, latents, style)

    return make


def plain_parts(
    spec: RobotSpec, sizes: Sizes, kinds: Kinds
) -> tuple[Encoder, Dynamics, NormalDecoder]:
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
    inputs = kinds.inputs(pick(spec.observation, keys), sizes.gain)
    hidden = Hidden(sizes.units, sizes.layers, dense)
    encoder = Encoder(
        inputs,
        hidden,
        sizes.depth,
        lambda channels, depth, _: CentredEncoder(channels, depth, convs),
    )
    dynamics = kinds.dynamics(spec.action.shape[0], encoder.width, sizes, dense)
    decoder = NormalDecoder(inputs, dynamics.feat_width, hidden, sizes.depth, convs)
    return encoder, dynamics, decoder
