"""Whether values are true: what the critic says of logged states, beside what then came.

    state      s_0 ... s_t ... s_{T-1}        predicted: the critic at s_t
    reward     r_0 ... r_t ... r_{T-1}        realised: rewards to the chunk's end, discounted as
                                              in the behaviour's returns, and the critic there

The chunk's end is not the end of the world: what may come after it is the critic's own value, whose
share of the discount is told. The log's actions are not the policy's: a better policy is rightly
promised more than the log got, and only the promise of actions like the log's can be held to it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from learner.agent import Agent
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.returns import Returns
from learner.train.examination import prepared, untouched

Chunks = Mapping[str, np.ndarray]
HARDLY = 1e-3


@dataclass(frozen=True)
class Values:
    """Predicted and realised values of N logged states, in rewards as the agent learns them.

    Args:
        predicted: (N,).
        realised: (N,).
        own: (N,) share of the realised one's discount that is the critic's own word, in [0, 1].
    """

    predicted: np.ndarray
    realised: np.ndarray
    own: np.ndarray


def values(agent: Agent, behaviour: ActorCritic, batches: Sequence[Chunks], seed: int) -> Values:
    """Let a critic value logged states, from which it is known what came.

    Args:
        agent: whose model watches; it is left as it was.
        behaviour: its actor and critic.
        batches: (B, T, ...) chunks that lie within episodes.
        seed: of the model's chances.

    Raises:
        ValueError: when there is no chunk.
    """
    if not batches:
        raise ValueError("no chunk is long enough")
    with untouched(agent), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = [_of(agent, behaviour, batch) for batch in batches]
    return Values(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def realised(
    returns: Returns, reward: Tensor, value: Tensor, cont: Tensor
) -> tuple[int, Tensor, Tensor]:
    """Returns of logged states without any prediction but the last one's.

    Args:
        returns: a behaviour's bookkeeping.
        reward: (N, T) on arriving.
        value: (N, T) predicted; only the last one counts.
        cont: (N, T) 1 where the episode goes on.

    Returns:
        Index of the first state that is judged, returns (N, K) from it on, and what the last value
        contributes to each per unit of it, (N, K).
    """
    whole = copy.copy(returns)
    whole.lam = 1.0
    judged = whole(reward, value, cont)
    ones, zeros = torch.ones_like(value), torch.zeros_like(reward)
    own = whole(zeros, ones, cont).returns  # rewards count nothing: what is left is the last value
    return judged.first, judged.returns, own


def _of(agent: Agent, behaviour: ActorCritic, batch: Chunks) -> tuple[np.ndarray, ...]:
    tensors = prepared(agent, batch)
    value = behaviour.critic(agent.model.observe(tensors).states.feat).float()
    cont = 1 - tensors["is_terminal"].float()
    first, came, own = realised(behaviour.returns, tensors["reward"].float(), value, cont)
    said = value[:, first : first + came.shape[1]]
    return tuple(x.flatten().numpy() for x in (said, came, own))


def calibration(found: Values, bins: int = 10) -> dict[str, Any]:
    """Predicted beside realised values, by bins that hold equally many states; JSON-ready.

    `slope` is that of realised over predicted values: 1 is calibrated, 0 means that the critic
    tells nothing. It and `correlation` are None where one of them hardly varies beside the other.
    """
    said, came = found.predicted.astype(np.float64), found.realised.astype(np.float64)
    least, most = sorted((said.std(), came.std()))
    varies = least > HARDLY * most
    groups = np.array_split(np.argsort(said, kind="stable"), min(bins, len(said)))
    return {
        "states": len(said),
        "predicted": float(said.mean()),
        "realised": float(came.mean()),
        "bias": float((said - came).mean()),
        "rms_error": float(np.sqrt(np.square(said - came).mean())),
        "correlation": float(np.corrcoef(said, came)[0, 1]) if varies else None,
        "slope": float(np.cov(said, came)[0, 1] / said.var(ddof=1)) if varies else None,
        "own_share": float(found.own.mean()),
        "bins": [
            {
                "states": len(rows),
                "predicted": float(said[rows].mean()),
                "realised": float(came[rows].mean()),
                "realised_std": float(came[rows].std()),
            }
            for rows in groups
        ],
    }
