"""How advantages become gradients: a bandit with two arms, by enumeration (Williams 1992)."""

import pytest
import torch
from torch import Tensor

from learner.behaviour.gradient import Mixed, Reinforce, Through

LOGITS = [0.3, -0.4]
PAYS = [1.0, 3.0]


def expected_gradient(baseline: float) -> Tensor:
    """Sum over both arms of probability times the gradient of what is ascended."""
    logits = torch.tensor(LOGITS, requires_grad=True)
    log_probs = torch.log_softmax(logits, -1)
    advantage = torch.tensor(PAYS) - baseline
    objective = Reinforce()(advantage, log_probs)
    (log_probs.detach().exp() * objective).sum().backward()
    assert logits.grad is not None
    return logits.grad


@pytest.mark.parametrize("baseline", [0.0, 2.0, -5.0])
def test_the_expected_gradient_is_that_of_the_expected_pay_whatever_the_baseline(baseline: float):
    logits = torch.tensor(LOGITS, requires_grad=True)
    (torch.softmax(logits, -1) * torch.tensor(PAYS)).sum().backward()
    torch.testing.assert_close(expected_gradient(baseline), logits.grad)


def test_through_the_dream_the_odds_have_no_say():
    advantage = torch.tensor([2.0], requires_grad=True)
    log_prob = torch.tensor([-1.0], requires_grad=True)
    Through()(advantage, log_prob).backward()
    assert advantage.grad == 1 and log_prob.grad is None


def test_a_mix_weighs_both():
    advantage = torch.tensor([2.0], requires_grad=True)
    log_prob = torch.tensor([-1.0], requires_grad=True)
    Mixed(0.9)(advantage, log_prob).backward()
    torch.testing.assert_close(log_prob.grad, torch.tensor([1.8]))
    torch.testing.assert_close(advantage.grad, torch.tensor([0.1]))


def test_only_gradients_through_the_dream_need_it_to_be_differentiable():
    assert Through.through and Mixed.through and not Reinforce.through
