"""Encoders and decoders: every modality enters one embedding and is predicted from features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from learner.model.heads import VectorHead
from learner.model.images import SIZE, ImageDecoder, ImageEncoder
from learner.model.nets import Hidden, Style, mlp
from robot.config import ConfigError
from robot.wire.spec import Spec

Observation = Mapping[str, Tensor]
# Among the keys that a system reads, this word stands for all that are no pictures.
VECTORS = "vectors"
# From channels, depth and style; its output has `width` entries.
MakeImageEncoder = Callable[[int, int, Style], nn.Module]
# From width of the features, channels, depth and style.
MakeImageDecoder = Callable[[int, int, int, Style], nn.Module]


class Inputs(nn.Module):
    """Picks the keys of a system and joins its vectors into one, scaled or raw.

    Args:
        specs: spec of each key to use.
        gain: what a typical deviation is scaled to; 0 leaves the numbers as they are.

    Raises:
        ConfigError: for a picture of another size than the convolutions take.
    """

    centre: Tensor
    factor: Tensor

    def __init__(self, specs: Mapping[str, Spec], gain: float) -> None:
        super().__init__()
        self.images = sorted(k for k, s in specs.items() if s.is_image)
        for key in self.images:
            if specs[key].shape[:2] != (SIZE, SIZE):
                raise ConfigError(f"keys: {key} is {specs[key].shape[:2]}; allowed is 64 x 64")
        self.vectors = sorted(k for k, s in specs.items() if not s.is_image)
        self.width = sum(specs[k].shape[0] for k in self.vectors)
        self.channels = sum(specs[k].shape[-1] for k in self.images)
        self._widths = {key: spec.shape[-1] for key, spec in specs.items()}
        centre, factor = torch.zeros(self.width), torch.ones(self.width)
        if gain and self.vectors:
            parts = [specs[k] for k in self.vectors]
            centre = torch.cat([torch.tensor(s.centre).expand(s.shape) for s in parts])
            factor = gain / torch.cat([torch.tensor(s.scale).expand(s.shape) for s in parts])
        self.register_buffer("centre", centre.float(), persistent=False)
        self.register_buffer("factor", factor.float(), persistent=False)

    def vector(self, observation: Observation) -> Tensor:
        """All vector keys, (..., width) float32."""
        joined = torch.cat([observation[k] for k in self.vectors], -1)
        return (joined - self.centre.float()) * self.factor.float()

    def image(self, observation: Observation) -> Tensor:
        """All image keys joined on channels, (..., 64, 64, channels) uint8."""
        return torch.cat([observation[k] for k in self.images], -1)

    def told(self, vector: Tensor | None, image: Tensor | None) -> dict[str, Tensor]:
        """What was foretold, by key and in each key's own units: the way back from both joins.

        Args:
            vector: (..., width) as `vector` gives it; None where there are no vectors.
            image: (..., 64, 64, channels) in [0, 1], where a byte is 1/255; None without pictures.
        """
        found: dict[str, Tensor] = {}
        if vector is not None:
            vector = vector / self.factor.float() + self.centre.float()
            found |= self._apart(self.vectors, vector)
        return found if image is None else found | self._apart(self.images, image)

    def _apart(self, keys: Sequence[str], joined: Tensor) -> dict[str, Tensor]:
        return dict(zip(keys, joined.split([self._widths[k] for k in keys], -1), strict=True))


class Encoder(nn.Module):
    """Observations -> embedding (..., E): an MLP for vectors, convolutions for images, joined.

    Args:
        inputs: what is observed.
        hidden: layers of the vectors' part.
        depth: channels of the images' part, as it counts them.
        image: makes the images' part.
    """

    def __init__(
        self, inputs: Inputs, hidden: Hidden, depth: int, image: MakeImageEncoder = ImageEncoder
    ) -> None:
        super().__init__()
        self.inputs, style = inputs, hidden.style
        self.vector = mlp(inputs.width, hidden) if inputs.vectors else None
        self.image = image(inputs.channels, depth, style) if inputs.images else None
        self.width = hidden.units if self.vector else 0
        self.width += int(self.image.width) if self.image else 0  # type: ignore[arg-type]

    def forward(self, observation: Observation) -> Tensor:
        """Dict of (..., shape) -> (..., E)."""
        parts = []
        if self.image is not None:
            parts.append(self.image(self.inputs.image(observation)))
        if self.vector is not None:
            parts.append(self.vector(self.inputs.vector(observation)))
        return torch.cat(parts, -1)


class Decoder(nn.Module):
    """Features -> every observed key; squared errors summed over entries.

    Args:
        inputs: what was observed.
        width: F, of the features.
        hidden: layers of the vectors' part.
        depth: channels of the last hidden layer of the images' part.
        scale: variance of the vectors' last weights, relative to the others'.
        image: makes the images' part.
    """

    def __init__(
        self,
        inputs: Inputs,
        width: int,
        hidden: Hidden,
        depth: int,
        scale: float = 1.0,
        image: MakeImageDecoder = ImageDecoder,
    ) -> None:
        super().__init__()
        self.inputs, style = inputs, hidden.style
        self.vector = VectorHead(width, inputs.width, hidden, scale) if inputs.vectors else None
        self.image = image(width, inputs.channels, depth, style) if inputs.images else None

    def forward(self, feat: Tensor) -> dict[str, Tensor]:
        """(..., F) -> every key (..., shape) in its own units, pictures in [0, 1]."""
        vector = self.vector(feat) if self.vector is not None else None
        return self.inputs.told(vector, self.image(feat) if self.image is not None else None)

    def losses(self, feat: Tensor, observation: Observation) -> dict[str, Tensor]:
        """(B, T, F) and dict of (B, T, shape) -> named (B, T) losses."""
        losses = {}
        if self.vector is not None:
            losses["vector"] = self.vector.loss(feat, self.inputs.vector(observation))
        if self.image is not None:
            losses["image"] = self.image.loss(feat, self.inputs.image(observation))  # type: ignore[operator]
        return losses


def pick(specs: Mapping[str, Spec], keys: Sequence[str]) -> dict[str, Spec]:
    """Specs of the keys that a system reads, each once; VECTORS names all that are no pictures.

    Raises:
        ConfigError: for a key that the robot does not sense, naming those that it does.
    """
    unknown = [k for k in keys if k not in specs and k != VECTORS]
    if unknown:
        known = ", ".join((*specs, VECTORS))
        raise ConfigError(f"keys: the robot senses no '{unknown[0]}'; it has {known}")
    vectors = [k for k, s in specs.items() if not s.is_image]
    chosen = [name for key in keys for name in (vectors if key == VECTORS else [key])]
    return {k: specs[k] for k in chosen}
