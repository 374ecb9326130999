"""DreamerV2's ablations (arXiv 2010.02193, figure 5 and table 2): which part each one replaces.

`mixed` is the agent of table 2 itself; the released code has left its mix of gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from learner.behaviour.gradient import Mixed, Reinforce, Through
from learner.model.fixed_kl import WholeKL
from learner.model.heads import Aside
from learner.model.plain import BareGRU, SigmoidGaussians

# Made from the numbers (latents, objective), from the part that it wraps (decoder, reward), from
# the spec of the action (gradient), or as a recurrent cell is.
Parts = dict[str, Callable[..., Any]]
ABLATIONS: dict[str, Parts] = {
    "none": {},
    "gaussian": {"latents": lambda c: SigmoidGaussians(c.stoch)},
    "no_balance": {"objective": lambda c: WholeKL(c.kl_scale, c.free_nats)},
    "no_image_gradient": {"decoder": Aside},
    "no_reward_gradient": {"reward": Aside},
    "reinforce_only": {"gradient": lambda action: Reinforce()},
    "dynamics_only": {"gradient": lambda action: Through()},
    "mixed": {"gradient": lambda action: Mixed(reinforce=0.9)},
    "no_layer_norm": {"cell": BareGRU},
}
