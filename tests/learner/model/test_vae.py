"""V of World Models: its size, its shapes, its divergence, and what its loss reaches."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence

from learner.model.mdn_rnn import Mixtures
from learner.model.nets import Hidden, Style, uniform_average
from learner.model.vae import ConvDecoder, ConvEncoder, Tolerance, VaeDecoder, VaeEncoder, scaled
from learner.train.optimisers import Adam, AdamSettings
from robot.wire.spec import box, image

PICTURE = {"camera": image(64, 64)}
VECTOR = {"pos": box(-2.0, 2.0, (3,)), "vel": box(-1.0, 1.0, (2,))}
HIDDEN = Hidden(16, 2, Style(F.relu, uniform_average))
LATENTS = Mixtures(4, 1)


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def make(specs: dict, latent: int = 4) -> tuple[VaeEncoder, VaeDecoder]:
    inputs = scaled(specs)
    return VaeEncoder(inputs, latent, HIDDEN), VaeDecoder(inputs, latent, HIDDEN)


def seen(specs: dict) -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    made = {k: rng.uniform(-1, 1, (2, 3, *s.shape)) for k, s in specs.items() if not s.is_image}
    found = {k: torch.as_tensor(v, dtype=torch.float32) for k, v in made.items()}
    for key in specs.keys() - made.keys():
        found[key] = torch.as_tensor(rng.integers(0, 256, (2, 3, 64, 64, 3)), dtype=torch.uint8)
    return found


@pytest.mark.parametrize(("latent", "weights"), [(32, 4_348_547), (64, 4_446_915)])
def test_it_is_as_large_as_the_papers(latent: int, weights: int):
    assert count(*make(PICTURE, latent)) == weights


def test_pictures_shrink_and_grow_by_the_papers_steps():
    x, sizes = torch.zeros(1, 3, 64, 64), []
    for layer in ConvEncoder(3).layers:
        x = layer(x)
        sizes.append(x.shape[-1])
    y = torch.zeros(1, 1024, 1, 1)
    for layer in ConvDecoder(4, 3).layers:
        y = layer(y)
        sizes.append(y.shape[-1])
    assert sizes == [31, 14, 6, 2, 5, 13, 30, 64]


@pytest.mark.parametrize("specs", [PICTURE, VECTOR, PICTURE | VECTOR])
def test_one_z_stands_for_all_that_is_seen(specs: dict):
    encoder, decoder = make(specs)
    embed = encoder(seen(specs))
    assert embed.shape == (2, 3, encoder.width) == (2, 3, 8) and embed.dtype == torch.float32
    losses = decoder.losses(embed[..., :4], seen(specs))
    names = {"image": "camera" in specs, "vector": "pos" in specs}
    assert losses.keys() == {name for name, there in names.items() if there}
    assert all(loss.shape == (2, 3) for loss in losses.values())


def test_encoding_is_four_convolutions_and_two_linear_maps():
    encoder, _ = make(PICTURE)
    picture = seen(PICTURE)["camera"]
    assert encoder.image is not None
    x = picture[0, 1].double().permute(2, 0, 1)[None] / 255
    for layer in encoder.image.layers:
        x = torch.relu(
            F.conv2d(x, layer.weight.double(), layer.bias.double(), stride=2)  # type: ignore[union-attr, operator]
        )
    flat = x.reshape(-1).detach().numpy()
    maps = (encoder.mean, encoder.log_var)
    expected = np.concatenate([m.weight.detach().double().numpy() @ flat for m in maps])
    found = encoder({"camera": picture})[0, 1].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_error_is_summed_over_pixels_in_0_to_1_without_a_half():
    _, decoder = make(PICTURE)
    shown = torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8)
    assert decoder.image is not None
    last = decoder.image.layers[-1]
    for layer in decoder.image.layers:
        layer.weight.data.zero_()  # type: ignore[union-attr, operator]
    last.bias.data.fill_(math.log(3))  # type: ignore[union-attr, operator]
    loss = decoder.losses(torch.zeros(1, 1, 9), {"camera": shown})["image"]
    assert loss.item() == pytest.approx(64 * 64 * 3 * 0.75**2, rel=1e-5)


def test_the_decoder_reads_z_and_no_memory():
    _, decoder = make(VECTOR)
    feat = torch.randn(2, 3, 10, requires_grad=True)
    decoder.losses(feat, seen(VECTOR))["vector"].sum().backward()
    assert feat.grad is not None
    assert feat.grad[..., :4].ne(0).all() and feat.grad[..., 4:].eq(0).all()


def test_the_divergence_is_that_of_a_library():
    post = torch.stack([torch.randn(5, 2, 4), torch.rand(5, 2, 4) + 0.1], -1)
    normal = Independent(Normal(post[..., 0], post[..., 1]), 1)
    unit = Independent(Normal(torch.zeros(4), torch.ones(4)), 1)
    found = Tolerance(0.0)(LATENTS, post, post)["kl"]
    torch.testing.assert_close(found, kl_divergence(normal, unit))


def test_each_sample_has_its_tolerance_and_no_gradient_below_it():
    """Clamped per sample, before any mean: 0.5 nats for each of 4 variables."""
    mean = torch.tensor([[[0.1] * 4], [[3.0] * 4]], requires_grad=True)
    post = torch.stack([mean, torch.ones_like(mean)], -1)
    kl = Tolerance(0.5)(LATENTS, post, post)["kl"]
    np.testing.assert_allclose(kl.detach(), [[2.0], [18.0]])
    kl.sum().backward()
    assert mean.grad is not None
    np.testing.assert_allclose(mean.grad[:, 0, 0], [0.0, 3.0])


def test_the_prior_of_the_memory_has_no_part_in_it():
    post = torch.stack([torch.randn(2, 3, 4), torch.ones(2, 3, 4)], -1)
    one, other = (Tolerance()(LATENTS, post, torch.randn(2, 3, 4, 3)) for _ in range(2))
    assert torch.equal(one["kl"], other["kl"])


def test_it_learns_a_picture_by_heart():
    encoder, decoder = make(PICTURE, latent=2)
    shown = {"camera": torch.zeros(1, 2, 64, 64, 3, dtype=torch.uint8)}
    shown["camera"][0, 1, :32] = 255
    adam = Adam([*encoder.parameters(), *decoder.parameters()], AdamSettings(1e-3))
    losses = []
    for _ in range(12):
        loss = decoder.losses(encoder(shown)[..., :2], shown)["image"].mean()
        adam.step(loss)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
