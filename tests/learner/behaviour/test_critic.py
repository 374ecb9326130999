"""When slow critics move, how far, and that no gradient reaches them."""

import pytest
import torch
from torch import Tensor, nn

from learner.behaviour.critic import SlowTargetCritic, SteadiedCritic


class Line(nn.Module):
    """v = a x, squared error: one weight is enough to see what moves."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([slope]))

    def forward(self, feat: Tensor) -> Tensor:
        return (feat * self.slope).sum(-1)

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        return (self(feat) - target).square()


def set_slope(line: nn.Module, value: float) -> None:
    assert isinstance(line, Line)
    line.slope.data.fill_(value)


def slope(line: nn.Module) -> float:
    assert isinstance(line, Line)
    return float(line.slope)


def test_the_slow_copy_starts_equal_and_values_are_its_own():
    critic = SlowTargetCritic(Line(2.0))
    set_slope(critic.head, 7.0)
    assert float(critic(torch.ones(1, 1, 1))) == 2.0


def test_the_copy_is_renewed_by_updates_1_101_201():
    critic, renewed = SlowTargetCritic(Line(0.0), every=100), []
    for update in range(1, 303):
        set_slope(critic.head, float(update))
        critic.follow()
        if slope(critic.slow) == update:
            renewed.append(update)
    assert renewed == [1, 101, 201, 301]


def test_the_count_of_updates_is_saved():
    critic = SlowTargetCritic(Line(0.0), every=100)
    for _ in range(50):
        critic.follow()
    other = SlowTargetCritic(Line(0.0), every=100)
    other.load_state_dict(critic.state_dict())
    set_slope(other.head, 5.0)
    for _ in range(50):
        other.follow()
    assert slope(other.slow) == 0.0
    other.follow()
    assert slope(other.slow) == 5.0


def test_the_average_mixes_two_per_cent_per_update():
    critic = SteadiedCritic(Line(0.0), rate=0.02)
    set_slope(critic.head, 1.0)
    for n in range(1, 60):
        critic.follow()
        assert slope(critic.slow) == pytest.approx(1 - 0.98**n, rel=1e-5)


def test_the_average_advances_below_the_resolution_of_bfloat16():
    critic = SteadiedCritic(Line(1.0), rate=0.02)
    for part in (critic.head, critic.slow):
        part.to(torch.bfloat16)
    set_slope(critic.head, 1.125)
    for _ in range(10):
        critic.follow()
    # One step is 0.0025, a third of what bfloat16 tells apart there.
    assert slope(critic.average) == pytest.approx(1.125 - 0.125 * 0.98**10, rel=1e-6)
    assert slope(critic.slow) == pytest.approx(slope(critic.average), abs=2**-8)


def test_a_steadied_critic_is_drawn_to_the_returns_and_to_its_slow_self():
    critic = SteadiedCritic(Line(1.0))
    set_slope(critic.head, 4.0)
    got = critic.loss(torch.tensor([[[2.0]]]), torch.tensor([[5.0]]))
    assert float(got.detach()) == (8 - 5) ** 2 + (8 - 2) ** 2


@pytest.mark.parametrize("kind", [SlowTargetCritic, SteadiedCritic])
def test_only_the_fast_head_gets_a_gradient(kind: type[SlowTargetCritic | SteadiedCritic]):
    critic = kind(Line(1.0))
    critic.loss(torch.ones(2, 3, 1), torch.zeros(2, 3)).mean().backward()
    grads = {name: p.grad is not None for name, p in critic.named_parameters()}
    assert {name for name, got in grads.items() if got} == {"head.slope"}
