"""Returns of recorded steps against golden numbers and a loop of floats; who learns from them."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.behaviour.replay_value import ReplayValue, Stretch, replay_return

REWARD, BOOT = [1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]


def stretch(last: list[int], terminal: list[int]) -> Stretch:
    is_last, is_terminal = torch.tensor([last]).bool(), torch.tensor([terminal]).bool()
    return Stretch(torch.tensor([REWARD]), is_last, is_terminal, torch.tensor([BOOT]))


@pytest.mark.parametrize(
    ("last", "terminal", "returns"),
    [
        ([0, 0, 1, 0], [0, 0, 0, 0], [24.5, 30, 40]),
        ([0, 0, 1, 0], [0, 0, 1, 0], [12.35, 3, 40]),
        ([0, 0, 0, 0], [0, 0, 0, 0], [26.525, 34.5, 40]),
    ],
)
def test_golden_returns(last: list[int], terminal: list[int], returns: list[float]):
    made = replay_return(stretch(last, terminal), gamma=0.9, lam=0.5)
    np.testing.assert_allclose(made.numpy(), [returns], rtol=1e-6)


def slowly(steps: dict[str, list[float]], t: int, gamma: float, lam: float) -> float:
    """The return from step t, by the words of the paper."""
    if t == len(steps["boot"]) - 1:
        return steps["boot"][t]
    if steps["terminal"][t + 1]:
        return steps["reward"][t + 1]
    ahead = steps["boot"][t + 1]
    if not steps["last"][t + 1]:
        ahead = (1 - lam) * ahead + lam * slowly(steps, t + 1, gamma, lam)
    return steps["reward"][t + 1] + gamma * ahead


@pytest.mark.parametrize("gamma", [0.9, 1.0])
@pytest.mark.parametrize("lam", [0.0, 0.95, 1.0])
def test_any_record_against_a_loop(gamma: float, lam: float):
    rng = np.random.default_rng(0)
    shape = (20, 7)
    last = rng.random(shape) < 0.3
    made = {"reward": rng.normal(size=shape), "boot": rng.normal(size=shape), "last": last}
    made["terminal"] = last & (rng.random(shape) < 0.5)
    tensors = [torch.as_tensor(made[key]) for key in ("reward", "last", "terminal", "boot")]
    returns = replay_return(Stretch(*tensors), gamma, lam).numpy()
    for row in range(shape[0]):
        steps = {key: list(value[row]) for key, value in made.items()}
        expected = [slowly(steps, t, gamma, lam) for t in range(shape[1] - 1)]
        np.testing.assert_allclose(returns[row], expected, rtol=1e-6, atol=1e-9)


def test_nothing_after_an_episodes_end_counts():
    before = stretch([0, 0, 1, 0], [0, 0, 0, 0])
    after = before._replace(
        reward=before.reward + torch.tensor([[0, 0, 0, 9.0]]),
        boot=before.boot + torch.tensor([[0, 0, 0, 9.0]]),
    )
    one, other = (replay_return(steps, 0.9, 0.5)[:, :2] for steps in (before, after))
    assert torch.equal(one, other)


class Squared(nn.Module):
    """A critic that says the first feature times a weight, by squared error."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, feat: Tensor) -> Tensor:
        return self.weight * feat[..., 0]

    def loss(self, feat: Tensor, returns: Tensor) -> Tensor:
        return (self(feat) - returns).square()

    def follow(self) -> None:
        """Nothing is slow here."""


def test_the_loss_leaves_out_last_steps_and_the_final_one():
    feat = torch.tensor([[[1.0], [2.0], [3.0], [4.0]]])
    loss = ReplayValue(Squared(), 0.9, 0.5).loss(feat, stretch([0, 0, 1, 0], [0, 0, 0, 0]))
    np.testing.assert_allclose(loss.detach(), [[(2 - 24.5) ** 2, (4 - 30) ** 2, 0]], rtol=1e-6)


def test_gradients_reach_critic_and_features_but_no_target():
    critic, feat = Squared(), torch.ones(1, 4, 1, requires_grad=True)
    steps = stretch([0, 0, 1, 0], [0, 0, 0, 0])
    boot = steps.boot.requires_grad_()
    ReplayValue(critic, 0.9, 0.5).loss(feat, steps).sum().backward()
    assert boot.grad is None and critic.weight.grad is not None and critic.weight.grad != 0
    assert feat.grad is not None and feat.grad[0, :, 0].ne(0).tolist() == [True, True, False, False]
