"""The policy of DayDreamer's SAC for the A1, in the library's terms."""

from __future__ import annotations

import math
from typing import Any

import torch
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution, TanhBijector
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import Tensor, nn
from torch.nn.functional import softplus

LOG_STD = (-5.0, 2.0)  # pytorch_sac, config/agent/sac.yaml


class TanhNormal(SquashedDiagGaussianDistribution):
    """A squashed normal with the exact logarithm of its slope (SAC, arXiv 1812.05905, appendix C).

    The library adds 1e-6 to the slope, which makes actions near the bounds look ever more likely
    than they are; pytorch_sac, like this, does not.
    """

    def log_prob(self, actions: Tensor, gaussian_actions: Tensor | None = None) -> Tensor:
        """Log density (B,) of actions (B, A), most exact with the normal values behind them."""
        x = TanhBijector.inverse(actions) if gaussian_actions is None else gaussian_actions
        log_slope = 2 * (math.log(2) - x - softplus(-2 * x))  # of tanh, stable for every x
        return self.distribution.log_prob(x).sum(1) - log_slope.sum(1)


class PaperActor(Actor):
    """An actor whose log deviation is squashed into its bounds, not cut (pytorch_sac, actor.py)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.action_dist = TanhNormal(self.action_space.shape[0])

    def get_action_dist_params(self, obs: PyTorchObs) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Means and log deviations, (B, A) each, and nothing more."""
        latent = self.latent_pi(self.extract_features(obs, self.features_extractor))
        low, high = LOG_STD
        log_std = low + (high - low) / 2 * (torch.tanh(self.log_std(latent)) + 1)  # pyright: ignore[reportCallIssue]
        return self.mu(latent), log_std, {}


class PaperPolicy(SACPolicy):
    """Actor and critics with orthogonal weights and zero biases (pytorch_sac, utils.py)."""

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        """Build the actor."""
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return PaperActor(**kwargs).to(self.device).apply(_orthogonal)

    def make_critic(
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> ContinuousCritic:
        """Build both critics."""
        return super().make_critic(features_extractor).apply(_orthogonal)


def _orthogonal(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.orthogonal_(module.weight)
        nn.init.zeros_(module.bias)
