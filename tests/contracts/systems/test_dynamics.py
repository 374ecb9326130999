"""One contract for every latent dynamics: rows, time, episodes and saved weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.blocks import BlockGRU, BoundedInputs, SeparateInputs
from learner.model.cells import ResetFirstGRU
from learner.model.heads import NeverEnds
from learner.model.latents import Categoricals, Gaussians
from learner.model.mdn_rnn import MdnRnn, Mixtures
from learner.model.nets import Style, truncated_normal
from learner.model.objectives import FreeNats
from learner.model.plain import BareGRU, BiasedNormGRU, KerasGRU, PureCategoricals, SigmoidGaussians
from learner.model.rssm import RSSM, Dynamics, LearnedStart, State, ZeroStart
from learner.model.ssm import SSM, Means
from learner.model.world_model import WorldModel

A, E, D, S, B, T = 2, 6, 8, 3, 3, 6
STYLE = Style(F.silu, truncated_normal)
Z, ONE_OF = Gaussians(S), Categoricals(S, 4)
rssm = partial(RSSM, A, E, D, 8)
DYNAMICS: dict[str, Callable[[], Dynamics]] = {
    "of categoricals": lambda: rssm(ONE_OF, STYLE, ZeroStart()),
    "of pure categoricals": lambda: rssm(PureCategoricals(S, 4), STYLE, ZeroStart()),
    "of gaussians": lambda: rssm(Z, STYLE, ZeroStart()),
    "of sigmoid gaussians": lambda: rssm(SigmoidGaussians(S), STYLE, ZeroStart()),
    "without chance": lambda: rssm(Means(S), STYLE, ZeroStart()),
    "with a learned start": lambda: rssm(ONE_OF, STYLE, LearnedStart(D), prior_layers=3),
    "with bounded inputs": lambda: rssm(ONE_OF, STYLE, ZeroStart(), inputs=BoundedInputs),
    "in blocks": lambda: rssm(
        *(ONE_OF, STYLE, ZeroStart()),
        cell=partial(BlockGRU, units=8, blocks=2),
        inputs=SeparateInputs,
    ),
    "keras": lambda: rssm(Z, STYLE, ZeroStart(), cell=KerasGRU),
    "reset first": lambda: rssm(Z, STYLE, ZeroStart(), cell=ResetFirstGRU),
    "biased": lambda: rssm(ONE_OF, STYLE, ZeroStart(), cell=BiasedNormGRU),
    "bare": lambda: rssm(ONE_OF, STYLE, ZeroStart(), cell=BareGRU),
    "ssm": lambda: SSM(A, E, 8, Z, STYLE),
    "mdn-rnn": lambda: MdnRnn(A, Mixtures(S, 3, 1.0), D),
}


class Eyes(nn.Module):
    """Shows what is seen as it is."""

    width = E

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """(B, T, E)."""
        return batch["seen"]


def build(kind: str, seed: int = 0) -> WorldModel:
    """A world model of this kind, of weights large enough to matter."""
    torch.manual_seed(seed)
    rest = nn.Identity(), nn.Identity(), NeverEnds(), FreeNats(0.0)
    model = WorldModel(Eyes(), DYNAMICS[kind](), *rest)
    for weight in model.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    return model


@pytest.fixture(params=DYNAMICS)
def kind(request: pytest.FixtureRequest) -> str:
    """A key of `DYNAMICS`."""
    return request.param


@pytest.fixture
def batch() -> dict[str, Tensor]:
    """Chunks (B, T, ...) of anything."""
    drawn = torch.Generator().manual_seed(1)
    seen, action = (torch.randn(B, T, width, generator=drawn) for width in (E, A))
    firsts = torch.zeros(B, T, dtype=torch.bool)
    firsts[:, 0] = True
    return {"seen": seen, "action": action, "is_first": firsts}


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[WorldModel, dict[str, Tensor]], State]:
    """Watch with noise that is the same for every row."""

    def run(model: WorldModel, batch: dict[str, Tensor]) -> State:
        count, length = batch["is_first"].shape
        noise = torch.rand(T, 1, S, generator=torch.Generator().manual_seed(3))[T - length :]
        with monkeypatch.context() as patched:
            patched.setattr(torch, "rand", lambda *_, **__: noise.expand(-1, count, -1))
            return model.observe(batch).states

    return run


def test_rows_do_not_know_of_each_other(kind: str, batch: dict, watch: Callable) -> None:
    model, order = build(kind), torch.tensor([2, 0, 1])
    straight = watch(model, batch).feat
    turned = watch(model, {key: value[order] for key, value in batch.items()}).feat
    torch.testing.assert_close(turned, straight[order])
    assert not torch.allclose(turned, straight)


@pytest.mark.parametrize("t", [0, 2, T - 2])
def test_nothing_is_felt_of_what_is_seen_later(
    kind: str, t: int, batch: dict, watch: Callable
) -> None:
    """By autograd: states up to t do not depend on what is seen from t + 1 on, but on it at t."""
    model, seen = build(kind), batch["seen"].requires_grad_()
    action = batch["action"].requires_grad_()
    feat = watch(model, batch).feat[:, : t + 1]
    weights = torch.randn(feat.shape, generator=torch.Generator().manual_seed(4))
    by_seen, by_action = torch.autograd.grad((weights * feat).sum(), (seen, action))
    assert by_seen[:, t + 1 :].eq(0).all() and by_seen[:, t].ne(0).any()
    assert by_action[:, t:].eq(0).all() and (t == 0 or by_action[:, :t].ne(0).any())


def test_an_episode_that_begins_in_mid_chunk_is_one_of_its_own(
    kind: str, batch: dict, watch: Callable
) -> None:
    model, half = build(kind), T // 2
    batch["is_first"][:, half] = True
    whole = watch(model, batch).feat
    alone = watch(model, {key: value[:, half:] for key, value in batch.items()}).feat
    torch.testing.assert_close(whole[:, half:], alone)
    batch["seen"][:, :half], batch["action"][:, :half] = torch.inf, torch.nan
    assert torch.equal(watch(model, batch).feat[:, half:], whole[:, half:])


def test_saved_weights_make_another_the_same(kind: str, batch: dict, watch: Callable) -> None:
    one, other = build(kind), build(kind, seed=1)
    assert not torch.allclose(watch(one, batch).feat, watch(other, batch).feat)
    other.load_state_dict({name: w.clone() for name, w in one.state_dict().items()})
    assert torch.equal(watch(one, batch).feat, watch(other, batch).feat)


def test_a_dream_goes_on_row_by_row_from_where_it_starts(
    kind: str, batch: dict, watch: Callable
) -> None:
    model, order = build(kind), torch.tensor([2, 0, 1])
    start = watch(model, batch).at(-1).detach()
    noise = torch.rand(T, 1, S).expand(-1, B, -1)
    dreamt = model.unroll(start, batch["action"], noise).feat
    turned = model.unroll(start[order], batch["action"][order], noise).feat
    torch.testing.assert_close(turned, dreamt[order])
    changed = batch["action"].clone()
    changed[:, 2] += 1
    other = model.unroll(start, changed, noise).feat
    assert torch.equal(other[:, :2], dreamt[:, :2]) and not torch.equal(other[:, 2:], dreamt[:, 2:])
