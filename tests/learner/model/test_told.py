"""What decoders tell is in the units of what was sensed, whatever they learn it in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.coarse_images import CoarseInputs
from learner.model.encoders import Decoder, Inputs
from learner.model.nets import Hidden
from learner.model.plain import conv_style, dense_style
from learner.model.scales import SymlogInputs
from learner.model.unit_normal import NormalDecoder
from learner.model.vae import VaeDecoder
from robot.wire.spec import Spec, box, image

SPECS = {
    "w": box(-9, 9, (2,), scale=3.0),
    "near": image(64, 64),
    "a": Spec(box(-5, 5, (3,)).space, centre=np.array([1.0, 2.0, 3.0]), scale=np.array(0.5)),
    "far": image(64, 64, 1),
}
DENSE = Hidden(8, 1, dense_style(F.elu))


def sensed() -> dict[str, Tensor]:
    torch.manual_seed(1)
    pictures = {k: (2, 3, *SPECS[k].shape) for k in ("near", "far")}
    return {
        "w": torch.randn(2, 3, 2) * 5,
        "a": torch.randn(2, 3, 3),
        **{k: torch.randint(0, 256, size, dtype=torch.uint8) for k, size in pictures.items()},
    }


@pytest.mark.parametrize(
    "inputs",
    [Inputs(SPECS, 0.0), Inputs(SPECS, 2.0), SymlogInputs(SPECS), CoarseInputs(SPECS, 1.0)],
)
def test_what_was_joined_comes_apart_again(inputs: Inputs) -> None:
    seen = sensed()
    with torch.no_grad():
        told = inputs.told(inputs.vector(seen), inputs.image(seen) / 255)
    assert told.keys() == SPECS.keys()
    shade = 1 / 64 if isinstance(inputs, CoarseInputs) else 1e-6  # half of a shade of five bits
    for key, value in seen.items():
        picture = value.dtype == torch.uint8
        expected = value / 255 if picture else value
        np.testing.assert_allclose(told[key], expected, atol=shade + 1e-4 if picture else 1e-5)


def normal(inputs: Inputs) -> nn.Module:
    return NormalDecoder(inputs, 6, DENSE, 2, conv_style(F.elu))


DECODERS: dict[str, tuple[Callable[[Inputs], nn.Module], float]] = {
    "sums of squares": (lambda inputs: Decoder(inputs, 6, DENSE, 2), 1.0),
    "halves of them": (normal, 0.5),
    "the autoencoder's": (lambda inputs: VaeDecoder(inputs, 6, DENSE), 1.0),
}


@pytest.mark.parametrize("kind", DECODERS)
def test_losses_are_the_errors_of_what_is_told(kind: str) -> None:
    make, weight = DECODERS[kind]
    decoder, seen, feat = make(Inputs(SPECS, 2.0)), sensed(), torch.randn(2, 3, 6)
    with torch.no_grad():
        told, losses = decoder(feat), decoder.losses(feat, seen)  # type: ignore[operator]
    pictures = sum(((told[k] - seen[k] / 255) ** 2).sum((-3, -2, -1)) for k in ("near", "far"))
    # A gain of 2 over deviations of 3 and of a half.
    vectors = sum(
        ((told[k] - seen[k]) * 2 / scale).square().sum(-1) for k, scale in (("w", 3.0), ("a", 0.5))
    )
    torch.testing.assert_close(losses["image"], weight * pictures, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(losses["vector"], weight * vectors, rtol=1e-4, atol=1e-4)


def test_without_pictures_or_vectors_the_others_are_told() -> None:
    vectors = Inputs({k: SPECS[k] for k in ("a", "w")}, 0.0)
    pictures = Inputs({k: SPECS[k] for k in ("far", "near")}, 0.0)
    assert Decoder(vectors, 6, DENSE, 2)(torch.zeros(1, 6)).keys() == {"a", "w"}
    assert Decoder(pictures, 6, DENSE, 2)(torch.zeros(1, 6)).keys() == {"far", "near"}
